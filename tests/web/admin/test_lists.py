"""Lists: pages forwards and backwards, sorting, filters, columns, exports, filters that are kept."""

import csv
import io
import re
from html import unescape

import pytest

from tests.web import scene
from tests.web.admin.conftest import Operator
from tests.web.hand import Hand
from webcb import clock
from webcb.billing import voucher, workbook
from webcb.models import (
    Account,
    Batch,
    Callback,
    Company,
    Connection,
    Customer,
    Destination,
    Distributor,
    OffPeakPeriod,
    OwnNumber,
    SavedFilter,
    TrustedNumber,
    Vendor,
    Voucher,
)
from webcb.web.admin import finding


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


def found(page: str) -> set[tuple[str, str]]:
    return set(re.findall(r"<li><span>([^<]+)</span> <a href=\"[^\"]+\">([^<]+)</a>", page))


def test_quick_search_looks_everywhere(admin: Operator) -> None:
    admin.get("/admin/")  # opens the database
    alice, customer = Account.get(Account.login == "alice"), Customer.get()
    at = clock.utc_now()
    Batch.create(name="Spring cards", customer=customer, created_at=at)
    Account.update(control_number=77, web_login="al").where(Account.id == alice.id).execute()
    TrustedNumber.create(account=alice, digits="493012345678")
    OffPeakPeriod.create(name="Springtime", definition="mo{mar-may}")
    Distributor.create(name="Spring & Sons")
    OwnNumber.create(digits="442071234567")
    Company.create(name="Springfield Telecom")
    voucher.make("Spring sale", 1, 1_000_000, "USD", None, "test", at)
    callback_id = Hand(admin.client.application.test_client()).connect()
    everywhere = {
        "spring": {("Batch", "Spring cards"), ("Off-peak period", "Springtime"), ("Distributor", "Spring &amp; Sons"),
                   ("Company", "Springfield Telecom")},
        "ali": {("Account", "alice")},
        "al": {("Account", "al"), ("Account", "alice"), ("Page", "Alarms")},
        "0000000077": {("Account", "alice, card 0000000077")},
        "+49 30 123 456": {("Account", "alice, calls from +493012345678")},
        "44207": {("Own number", "442071234567")},
        "brazil": {("Destination", "Brazil")},
        "55": {("Destination", "55")},
        callback_id[:12]: {("Callback", callback_id)},
        scene.NUMBER_B: {("Number", f"+{scene.DIGITS_B}")},
        Connection.get().name.upper(): {("Connection", Connection.get().name)},
        Vendor.get().name[1:]: {("Vendor", Vendor.get().name)},
        "second SERVICE": {("Voice application", "Second service")},
        "callback": {("Voice application", "Callback"), ("Page", "Callbacks")},
        admin.login: {("User", admin.login)},
    }  # fmt: skip
    for text, wanted in everywhere.items():
        page = admin.client.get("/admin/search", query_string={"q": text}).text
        assert wanted <= found(page), (text, found(page))
    number = Voucher.get().id
    assert ("Voucher", f"{number} of Spring sale") in found(admin.get(f"/admin/search?q={number}"))
    assert "Nothing has the number" in admin.get("/admin/search?q=<b>zzz")
    assert "<b>zzz" not in admin.get("/admin/search?q=<b>zzz")


def test_quick_search_shows_what_the_role_may_see(reader: Operator, support: Operator) -> None:
    Hand(reader.client.application.test_client()).connect()
    for text, kind in ((scene.NUMBER_B, "Number"), ("reader", "User")):
        seen = found(reader.client.get("/admin/search", query_string={"q": text}).text)
        assert kind not in {each for each, _ in seen}
    assert ("Account", "alice") in found(support.get("/admin/search?q=alice"))
    assert not {"Tariff", "Product", "Vendor", "Connection"} & {
        kind for kind, _ in found(support.get("/admin/search?q=e"))
    }


@pytest.mark.parametrize("name", ["Ünal Öz", "Иван", "Ærø"])
def test_a_name_beyond_ascii_is_found_in_capitals_or_not(admin: Operator, name: str) -> None:
    admin.get("/admin/")
    Vendor.create(name=name, currency="USD")
    for typed in (name, name.lower(), name.upper(), name[:2]):
        assert name in admin.client.get("/admin/vendors", query_string={"q": typed}).text, typed
    assert "Nothing matches" in admin.client.get("/admin/vendors", query_string={"q": name + "x"}).text


@pytest.mark.parametrize("by_key_max", [0, 2, 5_000])
def test_rows_are_found_alike_whether_few_or_many_have_a_text(
    many: Operator, monkeypatch: pytest.MonkeyPatch, by_key_max: int
) -> None:
    """By keys, by an index, or going through the list in its order: the rows are the same."""
    monkeypatch.setattr(finding, "FOUND_BY_KEY_MAX", by_key_max)
    callbacks = [
        Hand(many.client.application.test_client()).connect(number_b=f"+1206555{last:04d}") for last in range(3)
    ]
    Callback.update(state="ended", ended_at=clock.utc_now(), ending="B busy").where(
        Callback.id == callbacks[0]
    ).execute()
    for address, count in (
        ("callbacks?q=12065", 3), ("callbacks?q=120655500", 3), ("callbacks?q=12065550001", 1), ("callbacks?q=alice", 3),
        ("callbacks?account=ali", 3), ("callbacks?account=bo", 0), ("callbacks?ending=bUSY", 1), ("callbacks?ending=x", 0),
        ("callbacks?ending=busy&account=alice&number_b=1206", 1), ("destinations?q=Region", 50), ("destinations?q=region+3", 17),
        ("accounts?customer=nobody", 0), ("accounts?product=callback&q=alice", 1), ("destinations?prefix=7&description=region+3", 17),
    ):  # fmt: skip
        page = many.get(f"/admin/{address}")
        assert len(re.findall("<tr>", page.partition("<tbody>")[2])) == count, address
