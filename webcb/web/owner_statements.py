"""Statements in self-care: a billing period, or days of one's choice; on the page, to be printed, and as .csv."""

import csv
import io
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Response, abort, render_template, request

from webcb import clock
from webcb.billing.archived import Archived
from webcb.billing.billing_period import BillingPeriod, midnight, period_at
from webcb.billing.statement import Statement, statement
from webcb.models import Company, Customer
from webcb.money import format_amount
from webcb.web.languages import gettext, marked
from webcb.web.owning import Owner, anybody, blueprint

PERIODS: Final = 12
DAYS_MAX: Final = 400
_KINDS: Final = {
    "opening balance": marked("Credit"),
    "voucher": marked("Voucher"),
    "payment": marked("Payment"),
    "manual credit": marked("Credit"),
    "manual charge": marked("Charge"),
    "promotional credit": marked("Promotional credit"),
    "refund": marked("Refund"),
}


@blueprint.get("/statements")
@anybody
def statements(who: Owner) -> Any:
    """Opening balance, what changed it, closing balance. Whose calls another pays has none of his own."""
    own = who.account
    if not who.sees("statements") or (own is not None and own.balance_control == "subordinate"):
        abort(404)
    customer: Customer = own.customer if own is not None else who.customer  # type: ignore[assignment]
    zone, now = ZoneInfo(who.time_zone), clock.utc_now()
    periods = _latest(customer, zone, now)
    period = _asked() or _named(periods)
    begins_at, ends_at = midnight(period[0], zone), midnight(period[1] + timedelta(days=1), zone)
    wallet = who.of.wallet
    try:
        found = statement(wallet.id, begins_at, max(begins_at, min(ends_at, now)))
    except Archived:
        abort(410)  # errors.py says where it is: with the operator, who has the file
    if request.args.get("format") == "csv":
        return _csv(found, period)
    return render_template(
        "selfcare/statements.html",
        company=Company.select().first(),
        who=who,
        found=found,
        zone=who.time_zone,
        periods=periods,
        since=period[0],
        until=period[1],
        runs=ends_at > now,
        kind=_kind,
    )


def _kind(name: str) -> str:
    return gettext(_KINDS[name]) if name in _KINDS else name


def _latest(customer: Customer, zone: ZoneInfo, now: datetime) -> list[BillingPeriod]:
    since = customer.created_at.astimezone(zone).date()
    found = [period_at(customer.billing_period, now, zone, since)]
    while len(found) < PERIODS:
        before = found[-1].first_day - timedelta(days=1)
        found.append(period_at(customer.billing_period, midnight(before, zone), zone, since))
    return found


def _asked() -> tuple[date, date] | None:
    since, until = _day(request.args.get("since", "")), _day(request.args.get("until", ""))
    if since is None or until is None or not 0 <= (until - since).days <= DAYS_MAX:
        return None
    return since, until


def _named(periods: list[BillingPeriod]) -> tuple[date, date]:
    return periods[0].first_day, periods[0].last_day


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2200 else None


def _csv(found: Statement, period: tuple[date, date]) -> Response:
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(["Item", "Destination", "Calls", "Seconds", "Amount", "Currency"])
    rows.writerow(["Opening balance", "", "", "", format_amount(found.opening_micros), found.currency])
    for call in found.calls:
        destination = f"{call.prefix} {call.description}".strip()
        amount = format_amount(-call.charged_micros)
        rows.writerow(["Calls", destination, call.legs, call.charged_seconds, amount, found.currency])
    for movement in found.movements:
        rows.writerow(
            [
                movement.kind.capitalize(),
                movement.at.date(),
                "",
                "",
                format_amount(movement.amount_micros),
                found.currency,
            ]
        )
    rows.writerow(["Closing balance", "", "", "", format_amount(found.closing_micros), found.currency])
    name = f"statement-{period[0]}-{period[1]}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(written.getvalue(), mimetype="text/csv", headers=headers)
