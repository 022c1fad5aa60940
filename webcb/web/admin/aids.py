"""Aids below fields that take a text of their own grammar: what the text says, tried at once, and a form that writes it.

An off-peak period as a picture of a week, a rate with its formula as a plot of cost against seconds, a translation rule with
what it makes of a number. They stand on the pages of their entries; nothing is stored here.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, available_timezones

from flask import render_template, request, url_for

from webcb import clock
from webcb.billing import catalog, forms, formula, period, rating, stairs
from webcb.billing.forms import PeriodFields
from webcb.billing.formula import Intervals
from webcb.billing.pricing import Pricing
from webcb.billing.tariff import Rate, Tariff, pricing
from webcb.models import Tariff as TariffRow
from webcb.money import AmountError, parse_amount
from webcb.translation import RuleError, parse_rule, translate
from webcb.web.admin import picture
from webcb.web.admin.editor import AIDS, Aid
from webcb.web.admin.moments import own_zone
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import guarded

Values = Mapping[str, str]

WEEK_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SHOWN_SECONDS: Final = (1, 30, 60, 61, 120, 300, 600, 1800)
PLOTTED_SECONDS_MAX: Final = 3600
PLOTTED_SECONDS: Final = 600
TEXT_LENGTH_MAX: Final = 500
RULES: Final = ("account_id_rule", "cld_rule", "cli_rule")
SAMPLE_NUMBER: Final = "5511999887766"


# Off-peak periods ----------------------------------------------------------------------------------------------------


def period_shown(values: Values, _parent: Any = None) -> dict[str, Any]:
    """A week of a period, hour by hour, from the Monday before a day, by the clocks of a zone."""
    zone_name = values.get("try_zone", "")
    zone_name = zone_name if zone_name in available_timezones() else own_zone()
    zone = ZoneInfo(zone_name)
    now = clock.utc_now().astimezone(zone)
    day = _day(values.get("try_day", ""), now)
    first = day - timedelta(days=day.weekday())
    shown: dict[str, Any] = {
        "zone": zone_name,
        "zones": sorted(available_timezones()),
        "day": f"{day:%Y-%m-%d}",
        "week": [],
        "problem": "",
        "week_days": WEEK_DAYS,
        "months": MONTHS,
        "is_now": None,
    }
    text = values.get("definition", "").strip()
    if not text:
        return shown
    try:
        read = period.parse(text.replace("\r\n", "\n"))
    except period.PeriodError as wrong:
        return shown | {"problem": str(wrong)[:1].upper() + str(wrong)[1:]}
    week = []
    for offset in range(7):
        at = first + timedelta(days=offset)
        hours = [_share(read, at.replace(hour=hour, minute=0, second=0, microsecond=0)) for hour in range(24)]
        week.append((f"{at:%a} {at.day} {at:%b}", hours))
    return shown | {"week": week, "is_now": read.contains(now, zone)}


def _share(read: period.Period, at: datetime) -> str:
    """Whether an hour as the clock shows it is off-peak: all of it, some, none."""
    inside = {any(each.holds(at.replace(minute=minute)) for each in read.definitions) for minute in range(60)}
    return {frozenset({True}): "off", frozenset({False}): "on"}.get(frozenset(inside), "some")


def _day(text: str, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return found.replace(tzinfo=otherwise.tzinfo) if 1971 < found.year < 9000 else otherwise


def period_written(values: Values) -> tuple[str, str]:
    """The text that the ticked boxes make, after what stands there already; and what is wrong with them."""
    chosen = request.form

    def numbers(name: str) -> tuple[int, ...]:
        return tuple(int(each) for each in chosen.getlist(name) if each.isdigit())

    ticked = PeriodFields(
        hours=numbers("try_hour"),
        week_days=numbers("try_week_day"),
        month_days=numbers("try_month_day"),
        months=numbers("try_month"),
    )
    before = values.get("definition", "").strip()
    try:
        written = forms.period_text([ticked])
    except period.PeriodError as wrong:
        return before, str(wrong)[:1].upper() + str(wrong)[1:]
    return f"{before}, {written}" if before else written, ""


# Rates and formulas --------------------------------------------------------------------------------------------------


def rate_shown(values: Values, parent: Any = None) -> dict[str, Any]:
    """What calls by a rate cost, and the address of the plot."""
    tariff_id = parent.id if parent is not None else values.get("tariff", "")
    shown: dict[str, Any] = {"costs": [], "plot": "", "problem": "", "tariff": tariff_id}
    try:
        price = _pricing(values, tariff_id)
    except ValueError as wrong:
        text = str(wrong)
        return shown | {"problem": text[:1].upper() + text[1:]}
    if price is None:
        return shown
    costs = [(seconds, *_cost(price, seconds)) for seconds in SHOWN_SECONDS]
    names = ("formula", *_INTERVALS)
    plot = {name: values.get(name, "") for name in names if values.get(name)} | {"tariff": tariff_id}
    address = f"{url_for('admin.rate_plot')}?{urlencode(plot)}"
    return shown | {"costs": costs, "plot": address, "currency": price.currency}


_INTERVALS: Final = ("first_interval_seconds", "next_interval_seconds", "first_price", "next_price")


def _cost(price: Pricing, seconds: int) -> tuple[int, int]:
    charged = rating.charge(price, seconds)
    return charged.charged_seconds, charged.amount_micros


def _pricing(values: Values, tariff_id: Any) -> Pricing | None:
    """The terms that are typed; None while something is missing. Raises ValueError with what is wrong."""
    typed = [values.get(name, "").strip() for name in _INTERVALS]
    text = values.get("formula", "").strip()[:TEXT_LENGTH_MAX]
    if not all(typed):
        return None
    try:
        seconds = [int(each) for each in typed[:2]]
        prices = [parse_amount(each) for each in typed[2:]]
    except (ValueError, AmountError):
        return None  # the field itself says what would be right
    if not all(1 <= each <= 86_400 for each in seconds) or not all(0 <= each <= 10**12 for each in prices):
        return None
    if text:
        formula.parse(text)
    tariff = _tariff(tariff_id)
    rate = Rate(tariff.id, "", clock.utc_now(), Intervals(*seconds, *prices), formula=text)
    return pricing(tariff, rate, "", "UTC").answered(clock.utc_now())


def _tariff(tariff_id: Any) -> Tariff:
    """The tariff with its fees, without its off-peak period: what is plotted are the prices in sight."""
    row = TariffRow.get_or_none(TariffRow.id == int(tariff_id)) if str(tariff_id).isdigit() else None
    if row is None:
        return Tariff(0, "", "USD")
    found = catalog.book().tariffs[row.id]
    return Tariff(
        found.id,
        found.name,
        found.currency,
        free_seconds=found.free_seconds,
        connect_fee_micros=found.connect_fee_micros,
        post_call_surcharge_ppm=found.post_call_surcharge_ppm,
        decimals=found.decimals,
    )


def formula_written(values: Values) -> tuple[str, str]:
    """The formula with the element that was chosen at its end, and what is wrong with it."""
    chosen = {
        name: request.form.get(f"try_{name}", "").strip()[:20] for name in ("element", "count", "seconds", "value")
    }
    before = values.get("formula", "").strip().rstrip(";")
    value = chosen["value"]
    element = {
        "run": f"{chosen['count'] or '*'}x{chosen['seconds'] or 'next'}@{value or 'next'}",
        "fee": f"fee {value}",
        "surcharge": f"surcharge {value.rstrip('%')}%",
        "disconnect": "disconnect",
    }.get(chosen["element"], "")
    written = f"{before}; {element}" if before else element
    try:
        formula.parse(written)
    except formula.FormulaError as wrong:
        # The last element is still to come; everything else is wrong.
        if "the last element must be" in str(wrong):
            return written, "Go on: the last element is an interval that repeats (count *), or disconnect."
        return before, str(wrong)[:1].upper() + str(wrong)[1:]
    return written, ""


@blueprint.get("/rate-plot.svg", endpoint="rate_plot")
@guarded("catalog.see")
def rate_plot() -> Any:
    """Cost against seconds, as steps."""
    try:
        price = _pricing(request.args, request.args.get("tariff", ""))
    except ValueError:
        price = None
    if price is None:
        return picture.stepped("Cost", [])
    points: list[tuple[float, float]] = []
    for second in range(PLOTTED_SECONDS + 1):
        cost = stairs.climb(price.peak_stairs, second) / 1_000_000
        if not points or points[-1][1] != cost:
            if points:
                points.append((second, points[-1][1]))
            points.append((second, cost))
    return picture.stepped(f"Cost, {price.currency}", [*points, (PLOTTED_SECONDS, points[-1][1])])


# Translation rules ---------------------------------------------------------------------------------------------------


def rule_shown(values: Values, _parent: Any = None) -> dict[str, Any]:
    """What a rule makes of a number, statement by statement."""
    name = next((each for each in RULES if each in values), "")
    text, sample = values.get(name, "").strip(), values.get(f"try_{name}", "").strip() or SAMPLE_NUMBER
    shown: dict[str, Any] = {"sample": sample[:64], "made": sample, "steps": [], "problem": "", "rule": text}
    try:
        rule = parse_rule(text)
    except RuleError as wrong:
        return shown | {"problem": str(wrong)[:1].upper() + str(wrong)[1:]}
    made, steps = sample[:64], []
    for statement in rule:
        made = statement.apply(made)
        steps.append(made)
    return shown | {"made": translate(rule, sample[:64]), "steps": steps}


# Beside the fields ---------------------------------------------------------------------------------------------------


AIDS["period"] = Aid(
    "admin/_aid_period.html", "admin.try_period", ("definition", "try_zone", "try_day"), period_shown, period_written
)
AIDS["rate"] = Aid("admin/_aid_rate.html", "admin.try_rate", ("formula", *_INTERVALS), rate_shown, formula_written)
AIDS["rule"] = Aid("admin/_aid_rule.html", "admin.try_rule", ("try_{}",), rule_shown)


@blueprint.get("/try/period", endpoint="try_period")
@guarded("catalog.see")
def try_period() -> str:
    """The part of the page that shows a period, for its script."""
    return render_template("admin/_aid_period_shown.html", aid=period_shown(request.args))


@blueprint.get("/try/rate", endpoint="try_rate")
@guarded("catalog.see")
def try_rate() -> str:
    """The part of the page that shows what a rate costs, for its script."""
    return render_template("admin/_aid_rate_shown.html", aid=rate_shown(request.args))


@blueprint.get("/try/rule", endpoint="try_rule")
@guarded("infrastructure.see")
def try_rule() -> str:
    """The part of the page that shows what a rule makes of a number, for its script."""
    return render_template("admin/_aid_rule_shown.html", aid=rule_shown(request.args))
