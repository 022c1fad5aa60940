"""Every list of the site, those that come later too: filters, search, sorting, pages, columns, files, filters that are kept."""

import csv
import io
import re
from collections.abc import Iterator
from html import unescape

import pytest

from tests.web import scene
from tests.web.admin.conftest import Operator, enter
from tests.web.admin.pictures import PASSWORD, furnish
from webcb import db
from webcb.billing import workbook
from webcb.web import create_app
from webcb.web.admin import listing as lists
from webcb.web.admin import screen
from webcb.web.admin.listing import Between, Choice, Contains, Listing

LONG_AGO, FAR_AHEAD = "1990-01-01", "2100-01-01"


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The administrator of a site that has rows for every page."""
    chosen = scene.settings(tmp_path_factory.mktemp("lists"))
    scene.build(chosen)
    app = create_app(chosen)
    furnish()
    client = app.test_client()
    assert enter(client, "ann", PASSWORD).status_code == 303
    yield Operator(client, "ann")
    db.database.close()


def listing_of(ann: Operator, address: str) -> Listing:
    """The list of an address, as the site knows it."""
    place, parent = re.sub(r"/(\d+)/", "/{parent_id}/", address), re.search(r"/(\d+)/", address)
    db.database.connect(reuse_if_open=True)
    with ann.client.application.test_request_context():
        return screen.LISTINGS[place](int(parent[1]) if parent else 0)


def exported(ann: Operator, address: str, /, **asked: str) -> list[dict[str, str]]:
    """The rows of a list with all its columns, by their heads."""
    columns = [("column", column.name) for column in listing_of(ann, address).columns]
    answer = ann.client.get(f"/admin/{address}", query_string=[*asked.items(), *columns, ("export", "csv")])
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def rows_of(page: str) -> list[str]:
    body = re.search(r"(?s)<tbody>(.*?)</tbody>", page.partition('class="table list')[2] if "filters" in page else page)
    return re.findall(r"(?s)<tr>.*?</tr>", body[1]) if body else []


def linked(page: str, rel: str) -> str | None:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page)
    return unescape(found[1]) if found else None


# Of what the parts are parts: where it is not the first one.
PARENTS = {"tariffs/{parent_id}/routes": 3}


@pytest.fixture(params=sorted(screen.LISTINGS))
def address(request: pytest.FixtureRequest) -> str:
    return str(request.param).format(parent_id=PARENTS.get(request.param, 1))


def test_there_is_something_to_see_and_to_look_for(ann: Operator, address: str) -> None:
    listing, page = listing_of(ann, address), ann.get(f"/admin/{address}")
    assert exported(ann, address), "furnish() has no row for this list"
    assert listing.empty != "There is nothing here yet.", "say what would stand here, and how it gets there"
    assert listing.search
    assert 'type="search" value=""' in page
    assert any(column.order is not None for column in listing.columns)
    assert len({column.head for column in listing.columns}) == len(listing.columns)
    for name, (label, _) in lists._filters(listing, type("Ann", (), {"role": "administrator"})).items():
        assert f'for="f-{name}">{label}' in page
    assert page.count('name="column"') == sum(bool(column.head) for column in listing.columns)


def test_sorting_both_ways_loses_nothing(ann: Operator, address: str) -> None:
    whole = sorted(map(str, exported(ann, address)))
    for column in listing_of(ann, address).columns:
        if column.order is None:
            continue
        for falling in ("0", "1"):
            page = ann.get(f"/admin/{address}?sort={column.name}&desc={falling}&column={column.name}")
            assert f'aria-sort="{"descending" if falling == "1" else "ascending"}"' in page
            assert sorted(map(str, exported(ann, address, sort=column.name, desc=falling))) == whole


def test_pages_go_through_all_rows_and_back(ann: Operator, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE_ROWS", 1)
    count = len(exported(ann, address))
    following: str | None = f"/admin/{address}"
    seen, last = 0, ""
    while following:
        last = ann.get(following)
        seen, following = seen + 1, linked(last, "next")
        assert seen <= count
    assert seen == count
    back = 1
    while earlier := linked(last, "prev"):
        last, back = ann.get(earlier), back + 1
    assert back == count


def test_every_filter_finds_and_leaves_out(ann: Operator, address: str) -> None:
    listing = listing_of(ann, address)
    count = len(exported(ann, address))
    heads = {column.name: column.head for column in listing.columns}
    for name, (_, each) in lists._filters(listing, type("Ann", (), {"role": "administrator"})).items():
        if isinstance(each, Choice):
            found = [exported(ann, address, **{name: value}) for value in each.options()]
            assert any(found), (name, "no value of it finds anything")
            assert all(len(some) <= count for some in found)
            assert any(len(some) < count for some in found) or len(found) == 1, name
        elif isinstance(each, Between):
            assert exported(ann, address, **{f"{name}_from": FAR_AHEAD}) == []
            assert exported(ann, address, **{f"{name}_to": LONG_AGO}) == []
            assert exported(ann, address, **{f"{name}_from": LONG_AGO, f"{name}_to": FAR_AHEAD}) or name in MAY_BE_NONE
        else:
            assert isinstance(each, Contains)
            assert exported(ann, address, **{name: "no such thing"}) == []
            values = {re.sub(r"[+ -]", "", row[heads[name]]) if each.from_start else row[heads[name]]
                      for row in exported(ann, address)} - {""}  # fmt: skip
            assert not values or any(exported(ann, address, **{name: value}) for value in values), (name, values)


# Instants that no row of the furnished site has.
MAY_BE_NONE = {"used_at", "expires_at", "revoked_at"}


def test_the_search_box_finds_and_leaves_out(ann: Operator, address: str) -> None:
    assert exported(ann, address, q="no such thing") == []
    assert "Nothing matches this filter." in ann.get(f"/admin/{address}?q=no+such+thing")
    words = {re.sub(r"[+ -]", "", word) for row in exported(ann, address)[:5] for word in row.values()} | {
        word for row in exported(ann, address)[:5] for word in row.values()
    }
    assert any(exported(ann, address, q=word) for word in sorted(words - {""})), words


def test_files_have_what_the_page_has(ann: Operator, address: str) -> None:
    shown = [column.head for column in listing_of(ann, address).columns if column.shown]
    text = ann.client.get(f"/admin/{address}?export=csv").text
    sheet = workbook.read(ann.client.get(f"/admin/{address}?export=xlsx").data)
    assert next(csv.reader(io.StringIO(text.removeprefix("\ufeff")))) == shown == sheet[0]
    assert len(sheet) == 1 + len(exported(ann, address))
    for row in csv.reader(io.StringIO(text)):
        assert not any(cell[:1] in ("=", "@", "\t", "\r") for cell in row)


def test_a_filter_is_kept_for_it(ann: Operator, address: str) -> None:
    back = f"/admin/{address}?q=x"
    kept = {"list": listing_of(ann, address).name, "query": "q=x", "back": back}
    ann.post("/admin/filters", name="Mine", **kept)
    assert f'href="/admin/{address}?q=x">Mine</a>' in ann.get(f"/admin/{address}")
    ann.post("/admin/filters", name="", forget="Mine", **kept)
    assert ">Mine</a>" not in ann.get(f"/admin/{address}")


def test_every_table_of_lists_is_reached_by_keyboard(ann: Operator, address: str) -> None:
    """What is sorted, opened or scrolled by the mouse is a link, a field or a region that takes the focus."""
    page = ann.get(f"/admin/{address}")
    assert 'class="table-responsive" tabindex="0" role="region"' in page
    for column in listing_of(ann, address).columns:
        if column.order is not None and column.shown and column.head:
            assert re.search(rf'<a href="[^"]*sort={column.name}\b[^"]*">{re.escape(column.head)}</a>', page), (
                column.name
            )
    assert "onclick" not in page
