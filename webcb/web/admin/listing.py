"""Lists: a table of rows with filters, sorting, pages and exports, described once and shown by one template.

Pages follow a key, not an offset: the thousandth is as quick as the first. What the cells look like is the template's.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Response, render_template, request
from peewee import Tuple

from webcb.billing import workbook
from webcb.billing.billing_period import midnight
from webcb.billing.query import micros
from webcb.models import SavedFilter
from webcb.money import format_amount
from webcb.number import display_number
from webcb.web.admin import finding, signing
from webcb.web.admin.finding import Contains
from webcb.web.admin.permission import may

PAGE_ROWS: Final = 50
EXPORT_ROWS_MAX: Final = 1_000_000
XLSX_ROWS_MAX: Final = 100_000  # built whole before it is sent
FILTER_LENGTH_MAX: Final = 100
MASK: Final = "•"

Sort = Literal["text", "short", "long", "number", "amount", "instant", "yes", "telephone", "duration", "state"]


@dataclass(frozen=True)
class Choice:
    """A filter of a few values."""

    values: Sequence[str] | Callable[[], Sequence[str]]
    condition: Callable[[str], Any]

    def options(self) -> list[str]:
        return list(self.values() if callable(self.values) else self.values)


@dataclass(frozen=True)
class Between:
    """A filter of a range of days, in the zone of who looks."""

    instant: Any


Filter = Choice | Between | Contains


@dataclass(frozen=True)
class Column:
    """A column: its head, the value of a row, how it is written, and by what it can be sorted and filtered.

    `order` is an expression that is never NULL; `needs` a permission without which the column is not there.
    """

    name: str
    head: str
    value: Callable[[Any], Any]
    sort: Sort = "text"
    order: Any = None
    filter: Filter | None = None
    needs: str = ""
    shown: bool = True
    link: Callable[[Any], str | None] | None = None


@dataclass(frozen=True)
class Listing:
    """A list. `query` selects its rows, `key` is their id; `search` are the columns that the search box looks into."""

    name: str
    title: str
    query: Callable[[], Any]
    key: Any
    columns: Sequence[Column]
    order: str
    descending: bool = False
    search: Sequence[Contains] = ()
    filters: dict[str, tuple[str, Filter]] = field(
        default_factory=dict
    )  # beside those of columns: name -> label, filter
    empty: str = "There is nothing here yet."
    actions: Sequence[tuple[str, str, str]] = ()  # buttons beside the title: label, endpoint or address, permission

    def visible(self, role: str) -> list[Column]:
        """The columns that a role may see."""
        return [column for column in self.columns if may(role, column.needs)]


@dataclass(frozen=True)
class Asked:
    """What the address asks of a list, made sense of: what makes none is left out."""

    text: str
    filters: dict[str, Any]
    order: Column
    descending: bool
    after: list[Any] | None
    before: list[Any] | None
    columns: list[Column]


def show(listing: Listing, template: str = "admin/list.html", **context: Any) -> Any:
    """The page of a list, or the file where the address asks for one."""
    user: Any = signing.current()
    asked = _asked(listing, user)
    wanted = request.args.get("export", "")
    if wanted in workbook.FORMATS:
        return _export(listing, asked, user, wanted)
    rows, places, has_before, has_after = _page(listing, asked)
    saved = SavedFilter.select().where((SavedFilter.user == user) & (SavedFilter.listing == listing.name))
    return render_template(
        template,
        listing=listing,
        asked=asked,
        rows=rows,
        filters=_filters(listing, user),
        address=_address,
        before=_cursor(*places[0]) if places and has_before else None,
        after=_cursor(*places[-1]) if places and has_after else None,
        all_columns=listing.visible(user.role),
        saved=list(saved.order_by(SavedFilter.name)),
        query=urlencode(
            [pair for pair in request.args.items(multi=True) if pair[0] not in ("after", "before", "export")]
        ),
        cell=lambda column, row: written(column, row, user),
        # What is created from a filtered list begins as what the filter asks for.
        filled={name: text for name, text in asked.filters.items() if isinstance(text, str)},
        **context,
    )


# Reading the address -------------------------------------------------------------------------------------------------


def _asked(listing: Listing, user: Any) -> Asked:
    columns = listing.visible(user.role)
    sortable = {column.name: column for column in columns if column.order is not None}
    order = sortable.get(request.args.get("sort", ""), sortable[listing.order])
    descending = request.args.get("desc", "1" if listing.descending and order.name == listing.order else "") == "1"
    chosen = [name for name in request.args.getlist("column") if name in {column.name for column in columns}]
    zone = ZoneInfo(user.time_zone)
    values: dict[str, Any] = {}
    for name, (_, each) in _filters(listing, user).items():
        value = _filter_value(name, each, zone)
        if value is not None:
            values[name] = value
    return Asked(
        request.args.get("q", "").strip()[:FILTER_LENGTH_MAX],
        values,
        order,
        descending,
        _decoded(request.args.get("after", "")),
        _decoded(request.args.get("before", "")),
        [column for column in columns if (column.name in chosen if chosen else column.shown)],
    )


def _filters(listing: Listing, user: Any) -> dict[str, tuple[str, Filter]]:
    own = {column.name: (column.head, column.filter) for column in listing.visible(user.role) if column.filter}
    return own | listing.filters


def _filter_value(name: str, each: Filter, zone: ZoneInfo) -> Any:
    if isinstance(each, Between):
        first, last = (_day(request.args.get(f"{name}_{edge}", "")) for edge in ("from", "to"))
        if first is None and last is None:
            return None
        end = None if last is None else midnight(last + timedelta(days=1), zone)
        return (None if first is None else midnight(first, zone), end)
    text = request.args.get(name, "").strip()[:FILTER_LENGTH_MAX]
    if not text or (isinstance(each, Choice) and text not in each.options()):
        return None
    return text


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1970 < found.year < 9999 else None


def _decoded(text: str) -> list[Any] | None:
    """A place in the list, as `_cursor` wrote it."""
    try:
        place = json.loads(base64.urlsafe_b64decode(text.encode())) if text else None
    except (ValueError, binascii.Error):
        return None
    is_place = (
        isinstance(place, list)
        and len(place) == 2
        and isinstance(place[0], str | int)
        and isinstance(place[1], str | int)
    )
    return place if is_place else None


def _cursor(place: Any, key: Any) -> str:
    plain = [micros(place) if isinstance(place, datetime) else place, key]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode()


def _address(**changes: Any) -> str:
    """The address of this list with some of its arguments changed; None takes one away. Pages begin anew."""
    arguments = [
        pair for pair in request.args.items(multi=True) if pair[0] not in {"after", "before", "export", *changes}
    ]
    arguments += [(name, value) for name, value in changes.items() if value is not None]
    return f"{request.path}?{urlencode(arguments)}"


# Rows ----------------------------------------------------------------------------------------------------------------


def _filtered(listing: Listing, asked: Asked) -> Any:
    query = listing.query()
    filters, order = _filters(listing, signing.current()), asked.order.order
    if asked.text:
        query = query.where(finding.condition(listing.query, listing.key, listing.search, asked.text, order))
    for name, value in asked.filters.items():
        each = filters[name][1]
        if isinstance(each, Choice):
            query = query.where(each.condition(value))
        elif isinstance(each, Contains):
            query = query.where(finding.condition(listing.query, listing.key, [each], value, order))
        else:
            first, end = value
            query = query if first is None else query.where(each.instant >= first)
            query = query if end is None else query.where(each.instant < end)
    return query


def _page(listing: Listing, asked: Asked) -> tuple[list[Any], list[Any], bool, bool]:
    """The rows of a page, the places of them by which the next one is found, and whether there are any before and after it.

    First which rows these are: what is joined with them is looked up for a page alone, and not for all that are sorted.
    """
    order, key = asked.order.order, listing.key
    query = _filtered(listing, asked).select(key, order)
    backwards = asked.before is not None
    falling = asked.descending != backwards
    place = asked.before or asked.after
    if place is not None:
        query = query.where((Tuple(order, key) < Tuple(*place)) if falling else (Tuple(order, key) > Tuple(*place)))
    query = query.order_by(*(each.desc() if falling else each.asc() for each in (order, key))).limit(PAGE_ROWS + 1)
    places = dict(query.tuples())
    more, keys = len(places) > PAGE_ROWS, list(places)[:PAGE_ROWS]
    rows = {getattr(row, key.name): row for row in listing.query().where(key.in_(keys))} if keys else {}
    page = [rows[each] for each in keys if each in rows]  # one that was deleted meanwhile is not
    if backwards:
        return page[::-1], [(places[each], each) for each in keys][::-1], more, True
    return page, [(places[each], each) for each in keys], place is not None, more


# Cells ---------------------------------------------------------------------------------------------------------------


def written(column: Column, row: Any, user: Any) -> str:
    """The value of a cell as a page shows it to an operator."""
    value = column.value(row)
    if value is None or value == "":
        return ""
    match column.sort:
        case "amount":
            return format_amount(value)
        case "instant":
            return f"{value.astimezone(ZoneInfo(user.time_zone)):%Y-%m-%d %H:%M:%S}"
        case "yes":
            return "yes" if value else ""
        case "telephone":
            return telephone(value, user)
        case "duration":
            return (
                f"{value // 3600}:{value // 60 % 60:02d}:{value % 60:02d}"
                if value >= 3600
                else f"{value // 60}:{value % 60:02d}"
            )
        case _:
            return str(value)


def precise(at: datetime, user: Any) -> str:
    """An instant to the millisecond, in the zone of who looks."""
    return f"{at.astimezone(ZoneInfo(user.time_zone)):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def telephone(digits: str, user: Any) -> str:
    """A number; of whom may not see it in full, the middle is hidden."""
    if may(user.role, "numbers"):
        return display_number(digits)
    return f"+{digits[:3]}{MASK * max(0, len(digits) - 5)}{digits[-2:]}" if len(digits) > 5 else MASK * len(digits)


def _export(listing: Listing, asked: Asked, user: Any, as_format: Any) -> Response:
    columns = asked.columns
    heads = [column.head for column in columns]
    most = XLSX_ROWS_MAX if as_format == "xlsx" else EXPORT_ROWS_MAX
    direction = asked.order.order.desc() if asked.descending else asked.order.order.asc()
    query = _filtered(listing, asked).order_by(direction, listing.key).limit(most)
    rows = ([_exported(column, row, user) for column in columns] for row in query.iterator())
    kinds = {
        "csv": "text/csv; charset=utf-8",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
    name = f"{listing.name}.{as_format}"
    content = workbook.write(heads, rows, as_format)
    return Response(
        content, mimetype=kinds[as_format], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _exported(column: Column, row: Any, user: Any) -> Any:
    value = column.value(row)
    if column.sort in ("number", "duration") and isinstance(value, int):
        return value
    if column.sort == "telephone" and value and may(user.role, "numbers"):
        return value  # its digits: programs read them, and a plus sign would be taken for a formula
    return written(column, row, user)
