"""Lists: pages forwards and backwards, sorting, filters, columns, exports, filters that are kept."""

import csv
import io
import re
from html import unescape

import pytest

from tests.web import scene
from tests.web.admin.conftest import Operator
from tests.web.hand import Hand
from webcb.billing import workbook
from webcb.models import Destination, SavedFilter


@pytest.fixture
def many(admin: Operator) -> Operator:
    admin.get("/admin/")  # opens the database
    Destination.insert_many(
        [{"prefix": f"7{number:03d}", "description": f"Region {number % 7}"} for number in range(120)]
    ).execute()
    return admin


def prefixes(page: str) -> list[str]:
    return re.findall(r'<td class="is-text" data-label="[^"]*"><a href="/admin/destinations/\d+">([^<]+)</a>', page)


def link(page: str, rel: str) -> str | None:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page)
    return unescape(found[1]) if found else None


@pytest.mark.parametrize("order", ["", "&sort=description", "&sort=prefix&desc=1"])
def test_pages_forwards_and_backwards_show_every_row_once(many: Operator, order: str) -> None:
    address: str | None = f"/admin/destinations?prefix=7{order}"
    pages = []
    while address:
        page = many.get(address)
        pages.append(prefixes(page))
        last, address = page, link(page, "next")
    assert [len(page) for page in pages] == [50, 50, 20]
    forwards = [each for page in pages for each in page]
    assert sorted(forwards) == [f"7{number:03d}" for number in range(120)]
    back = [pages[-1]]
    while address := link(last, "prev"):
        last = many.get(address)
        back.insert(0, prefixes(last))
    assert [each for page in back for each in page] == forwards


def test_sorting_goes_both_ways(many: Operator) -> None:
    rising = prefixes(many.get("/admin/destinations?sort=prefix"))
    falling = prefixes(many.get("/admin/destinations?sort=prefix&desc=1"))
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert 'aria-sort="descending"' in many.get("/admin/destinations?sort=prefix&desc=1")


def test_filters_and_search(many: Operator) -> None:
    assert prefixes(many.get("/admin/destinations?description=region+3&prefix=700")) == ["7003"]
    assert prefixes(many.get("/admin/destinations?q=brazil")) == ["55"]
    assert "Nothing matches this filter." in many.get("/admin/destinations?q=nowhere")
    assert re.findall(r'<a href="/admin/users/\d+">([^<]+)', many.get("/admin/users?role=billing")) == ["billing"]


@pytest.mark.parametrize(
    "nonsense",
    ["after=x", "after=WzEsMiwzXQ==", "after=bnVsbA==", "before=%00", "sort=nothing", "state=nothing", "column=nothing",
     "last_used_at_from=yesterday", "last_used_at_to=9999-99-99", "q=%25%27%22", "export=pdf", "sort=state",
     "after=W3siYSI6MX0sMV0="],
)  # fmt: skip
def test_nonsense_in_the_address_is_left_out(many: Operator, nonsense: str) -> None:
    many.get(f"/admin/accounts?{nonsense}")


def test_a_column_may_be_chosen(admin: Operator) -> None:
    page = admin.get("/admin/accounts?column=login&column=control_number")
    heads = re.findall(r'<th scope="col"[^>]*>(?:<a[^>]*>)?([^<]+)', page)
    assert heads == ["Account ID", "Control number"]


def test_exports_have_every_row_of_the_filter_and_no_formula(many: Operator) -> None:
    Destination.create(prefix="79999", description="=cmd|' /C calc'!A0")
    rows = list(csv.DictReader(io.StringIO(many.get("/admin/destinations?prefix=7&export=csv"))))
    assert len(rows) == 121
    assert rows[-1] == {"Prefix": "79999", "Country": "", "Description": "'=cmd|' /C calc'!A0"}
    answer = many.client.get("/admin/destinations?prefix=79&export=xlsx")
    assert workbook.read(answer.data)[1] == ["79999", "", "=cmd|' /C calc'!A0"]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="destinations.xlsx"'


def test_a_filter_is_kept_and_forgotten(many: Operator, billing: Operator) -> None:
    back = "/admin/destinations?q=brazil"
    kept = {"list": "destinations", "query": "q=brazil", "back": back}
    assert many.post("/admin/filters", name="Home", **kept).headers["Location"] == back
    assert 'href="/admin/destinations?q=brazil">Home</a>' in many.get("/admin/destinations")
    assert "Home" not in billing.get("/admin/destinations")
    many.post("/admin/filters", name="", forget="Home", **kept)
    assert SavedFilter.select().count() == 0
    elsewhere = many.post("/admin/filters", name="x", **kept | {"back": "https://evil.example/admin/"})
    assert elsewhere.headers["Location"] == "/admin/"


def test_numbers_are_masked_for_who_need_not_see_them(reader: Operator, admin: Operator) -> None:
    callback_id = Hand(admin.client.application.test_client()).connect()
    assert scene.DIGITS_B[-4:] in re.sub(r"\D", "", admin.get("/admin/callbacks"))
    for page in ("/admin/callbacks", "/admin/callbacks?export=csv", f"/admin/callbacks/{callback_id}"):
        seen = reader.get(page)
        assert scene.DIGITS_B not in re.sub(r"[ -]", "", seen)
        assert "+120•" in seen


def test_quick_search(admin: Operator) -> None:
    assert '<a href="/admin/accounts/' in admin.get("/admin/search?q=ali")
    assert "Nothing begins with" in admin.get("/admin/search?q=<b>zzz")
    assert "<b>zzz" not in admin.get("/admin/search?q=<b>zzz")
