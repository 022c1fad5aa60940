"""Statistics: legs, answers, lengths, post-dial delay, money; by hour, day, connection, destination, customer; and how callbacks ended.

The charts are pictures by pygal, each beside the table it is made of.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Response, render_template, request, url_for

from webcb import clock
from webcb.billing import workbook
from webcb.billing.billing_period import midnight
from webcb.billing.query import instant, micros, rows
from webcb.money import format_amount
from webcb.web.admin import picture, signing
from webcb.web.admin.monitoring import STATES
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import guarded

DAYS_MAX: Final = 366
CHARTED_MAX: Final = 20
MEANS: Final = ("asr", "acd", "pdd")  # of a quiet hour there is none, of everything else there is nothing
HOUR_US: Final = 3_600_000_000

_MEASURED = """
    SELECT {group} AS name, xdr.currency AS currency,
           SUM(CASE WHEN xdr.kind = 'charge' THEN 1 ELSE 0 END) AS legs,
           SUM(CASE WHEN xdr.connect_time IS NOT NULL AND xdr.kind = 'charge' THEN 1 ELSE 0 END) AS answered,
           SUM(xdr.used_quantity) AS used_seconds,
           SUM(CASE WHEN xdr.kind = 'charge' THEN xdr.setup_ms END) AS setup_ms,
           SUM(CASE WHEN xdr.kind = 'charge' AND xdr.setup_ms IS NOT NULL THEN 1 ELSE 0 END) AS set_up,
           SUM(xdr.charged_micros) AS revenue_micros,
           SUM(CASE WHEN xdr.kind = 'charge' THEN xdr.cost_micros END) AS cost_micros,
           SUM(CASE WHEN xdr.kind = 'charge' AND xdr.used_quantity > 0 AND xdr.cost_micros IS NULL THEN 1 ELSE 0 END) AS without_cost
      FROM xdr {join}
     WHERE xdr.bill_time >= ? AND xdr.bill_time < ?
     GROUP BY {group}, xdr.currency
"""
_ENDINGS = """
    SELECT COALESCE(ending, state) AS name, COUNT(*) AS callbacks FROM callback
     WHERE requested_at >= ? AND requested_at < ? GROUP BY COALESCE(ending, state) ORDER BY COUNT(*) DESC, name
"""
_REFUSALS = """
    SELECT reason AS name, SUM(refusals) AS times FROM refusal_count
     WHERE hour_at >= ? AND hour_at < ? GROUP BY reason ORDER BY SUM(refusals) DESC, reason
"""


@dataclass(frozen=True)
class Way:
    """A way to look at xDRs: by which SQL they are grouped."""

    label: str
    group: str
    join: str = ""


WAYS: Final = {
    "hour": Way("Hour", f"xdr.bill_time / {HOUR_US}"),
    "day": Way("Day", ""),
    "connection": Way("Connection", "connection.name", "LEFT JOIN connection ON connection.id = xdr.connection_id"),
    "destination": Way("Destination", "xdr.destination"),
    "customer": Way("Customer", "customer.name", "JOIN customer ON customer.id = xdr.customer_id"),
}


@dataclass(frozen=True)
class Figures:
    """What a group of legs comes to; amounts in micros. `margin_micros` None: the cost of some legs is not known."""

    name: str
    currency: str
    legs: int
    answered: int
    used_seconds: int
    setup_ms: int
    set_up: int
    revenue_micros: int
    cost_micros: int
    without_cost: int

    @property
    def asr_percent(self) -> float | None:
        """Answers of a hundred legs."""
        return 100 * self.answered / self.legs if self.legs else None

    @property
    def acd_seconds(self) -> float | None:
        """How long an answered leg was, on average."""
        return self.used_seconds / self.answered if self.answered else None

    @property
    def pdd_ms(self) -> float | None:
        """Post-dial delay, on average."""
        return self.setup_ms / self.set_up if self.set_up else None

    @property
    def margin_micros(self) -> int | None:
        return None if self.without_cost else self.revenue_micros - self.cost_micros


MEASURES: Final[dict[str, tuple[str, str, Callable[[Figures], Any]]]] = {
    "legs": ("Legs", "", lambda each: each.legs),
    "asr": ("ASR, %", "", lambda each: each.asr_percent),
    "acd": ("ACD, s", "", lambda each: each.acd_seconds),
    "pdd": ("PDD, ms", "", lambda each: each.pdd_ms),
    "minutes": ("Minutes", "", lambda each: each.used_seconds / 60),
    "revenue": ("Revenue", "money", lambda each: each.revenue_micros / 1_000_000),
    "margin": (
        "Margin",
        "money",
        lambda each: None if each.margin_micros is None else each.margin_micros / 1_000_000,
    ),
}


def measured(by: str, begins_at: datetime, ends_at: datetime, zone: ZoneInfo) -> list[Figures]:
    """The figures of the legs billed from `begins_at` until before `ends_at`, by a way of WAYS; hours and days of the zone."""
    way = WAYS["hour" if by == "day" else by]
    sql = _MEASURED.format(group=way.group, join=way.join)
    found: dict[tuple[str, str], Figures] = {}
    for row in rows(sql, micros(begins_at), micros(ends_at)):
        name = _named(by, row.pop("name"), zone)
        # What PostgreSQL sums up is a decimal number.
        numbers = {field: int(value or 0) for field, value in row.items() if field != "currency"}
        mine = Figures(name, row["currency"], **numbers)
        known = found.get((name, mine.currency))
        found[name, mine.currency] = mine if known is None else _together(known, mine)
    chronological = by in ("hour", "day")
    return sorted(
        found.values(),
        key=lambda each: (each.name, each.currency) if chronological else (-each.legs, each.name, each.currency),
    )


def _together(one: Figures, other: Figures) -> Figures:
    sums = {
        name: getattr(one, name) + getattr(other, name)
        for name in Figures.__dataclass_fields__
        if name not in ("name", "currency")
    }
    return Figures(one.name, one.currency, **sums)


def _named(by: str, value: Any, zone: ZoneInfo) -> str:
    if by not in ("hour", "day"):
        return "none" if value is None else str(value)
    at = instant(int(value) * HOUR_US)
    assert at is not None  # noqa: S101 - the number was there
    return f"{at.astimezone(zone):{'%Y-%m-%d %H:%M' if by == 'hour' else '%Y-%m-%d'}}"


def endings(begins_at: datetime, ends_at: datetime) -> list[tuple[str, int]]:
    """How the callbacks of a time ended, or where they stand; refusals begin with `refused:`."""
    return [(row["name"], row["callbacks"]) for row in rows(_ENDINGS, micros(begins_at), micros(ends_at))]


def refusals(begins_at: datetime, ends_at: datetime) -> list[tuple[str, int]]:
    """How often callers were refused before anybody was called, by reason; counted by the whole hour (UTC)."""
    return [(row["name"], int(row["times"])) for row in rows(_REFUSALS, micros(begins_at), micros(ends_at))]


# Pages ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What the address asks for."""

    by: str
    measure: str
    first: date
    last: date
    begins_at: datetime
    ends_at: datetime
    zone: ZoneInfo


def _asked() -> Asked:
    user: Any = signing.current()
    zone = ZoneInfo(user.time_zone)
    today = clock.utc_now().astimezone(zone).date()
    last = _day(request.args.get("to", "")) or today
    first = _day(request.args.get("from", "")) or last
    first = max(min(first, last), last - timedelta(days=DAYS_MAX - 1))
    by, measure = request.args.get("by", "hour"), request.args.get("measure", "legs")
    by = by if by in WAYS else "hour"
    measure = measure if measure in MEASURES and may(user.role, MEASURES[measure][1]) else "legs"
    return Asked(by, measure, first, last, midnight(first, zone), midnight(last + timedelta(days=1), zone), zone)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2200 else None


@blueprint.get("/statistics", endpoint="statistics")
@guarded("monitoring.see")
def statistics() -> Any:
    """Figures of a time, with their picture; as a file where the address asks for one."""
    user: Any = signing.current()
    asked = _asked()
    found = measured(asked.by, asked.begins_at, asked.ends_at, asked.zone)
    if request.args.get("export") == "csv":
        return _csv(asked, found, may(user.role, "money"))
    refused = refusals(asked.begins_at, asked.ends_at)
    if request.args.get("export") == "refusals":
        return _file(f"refusals-{asked.first}", ["Reason", "Times"], refused)
    return render_template(
        "admin/statistics.html",
        asked=asked,
        ways=WAYS,
        measures={name: label for name, (label, needs, _) in MEASURES.items() if may(user.role, needs)},
        found=found,
        total=totals(found),
        endings=[(name, count, _callbacks_of(name, asked)) for name, count in endings(asked.begins_at, asked.ends_at)],
        refused=refused,
        refused_file=url_for("admin.statistics", export="refusals", **_address(asked)),
        chart=url_for("admin.statistics_chart", **_address(asked)),
        file=url_for("admin.statistics", export="csv", **_address(asked)),
    )


def _callbacks_of(name: str, asked: Asked) -> str:
    """The list of those that ended so, or still stand there."""
    those: dict[str, Any] = {"requested_at_from": str(asked.first), "requested_at_to": str(asked.last)}
    those["state" if name in STATES else "ending"] = name
    return url_for("admin.callbacks", **those)


def _address(asked: Asked) -> dict[str, Any]:
    return {"by": asked.by, "measure": asked.measure, "from": str(asked.first), "to": str(asked.last)}


def totals(found: Sequence[Figures]) -> list[Figures]:
    """The figures of all groups together, by currency."""
    sums: dict[str, Figures] = {}
    for each in found:
        known = sums.get(each.currency)
        sums[each.currency] = each if known is None else _together(known, each)
    return [sums[currency] for currency in sorted(sums)]


def _csv(asked: Asked, found: Sequence[Figures], money: bool) -> Response:
    heads = [WAYS[asked.by].label, "Legs", "Answered", "ASR, %", "Seconds", "ACD, s", "PDD, ms"]
    heads += ["Currency", "Revenue", "Cost", "Margin"] if money else []
    lines = []
    for each in found:
        of_time = [_short(value) for value in (each.asr_percent, each.acd_seconds, each.pdd_ms)]
        line = [each.name, each.legs, each.answered, of_time[0], each.used_seconds, of_time[1], of_time[2]]
        if money:
            margin = "" if each.margin_micros is None else format_amount(each.margin_micros)
            line += [each.currency, format_amount(each.revenue_micros), format_amount(each.cost_micros), margin]
        lines.append(line)
    return _file(f"statistics-{asked.by}-{asked.first}", heads, lines)


def _file(name: str, heads: Sequence[str], lines: Iterable[Sequence[Any]]) -> Response:
    disposition = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(workbook.write(heads, lines, "csv"), mimetype="text/csv; charset=utf-8", headers=disposition)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


# Pictures ------------------------------------------------------------------------------------------------------------


@blueprint.get("/statistics/chart.svg", endpoint="statistics_chart")
@guarded("monitoring.see")
def chart() -> Any:
    """The picture of one measure."""
    asked = _asked()
    found = measured(asked.by, asked.begins_at, asked.ends_at, asked.zone)
    if len({each.currency for each in found}) > 1 and MEASURES[asked.measure][1]:
        found = [each for each in found if each.currency == totals(found)[0].currency]
    label, _, value = MEASURES[asked.measure]
    if asked.by in ("hour", "day"):
        values = dict.fromkeys(_times(asked)) | {each.name: value(each) for each in found}
        values = {name: values[name] for name in sorted(values)}
        if asked.measure not in MEANS:
            values = {name: each or 0 for name, each in values.items()}
        if asked.by == "hour" and asked.first == asked.last:
            values = {name[11:]: each for name, each in values.items()}
        return picture.drawn(label, list(values), list(values.values()), as_line=asked.measure in MEANS)
    shown = found[:CHARTED_MAX]
    return picture.drawn(label, [each.name for each in shown], [value(each) for each in shown])


def _times(asked: Asked) -> list[str]:
    """Every hour or day of the time that was asked for, as far as it is past, so that a quiet one is seen as quiet."""
    if asked.by == "day":
        days = (asked.last - asked.first).days + 1
        return [str(asked.first + timedelta(days=day)) for day in range(days)]
    until = min(asked.ends_at, clock.utc_now())
    hours = range(micros(asked.begins_at) // HOUR_US, -(-micros(until) // HOUR_US))
    return [_named("hour", hour, asked.zone) for hour in hours][: 24 * DAYS_MAX]
