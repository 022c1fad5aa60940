"""Alarms: whatever an operator should look at now, read from where it stands: it ends when it is mended, or was looked at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from flask import current_app, render_template, url_for
from peewee import fn

from webcb import clock
from webcb.billing.authorization import Reason
from webcb.fleet import HEARD_WITHIN
from webcb.models import Account, Callback, Connection, Customer, Job, LowBalance, Node, RefusalCount, Unusual, Wallet
from webcb.money import format_amount
from webcb.prompts.library import Library
from webcb.web.admin import signing
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import guarded
from webcb.web.admin.unusual import headline_of

LATELY: Final = timedelta(days=7)
FORGOTTEN_AFTER: Final = timedelta(days=7)  # a node that was not heard from for so long is not expected back
WAITS_MAX: Final = timedelta(seconds=30)  # a callback that no engine has claimed by then
REFUSALS_AN_HOUR_MAX: Final = 20
LISTED_MAX: Final = 100
# Refusals that come of guessing and flooding.
GUARDED: Final = (Reason.WRONG_CREDENTIALS, Reason.TOO_MANY_TRIES, Reason.TOO_OFTEN, Reason.TOO_MANY_TO_NUMBER)

Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Alarm:
    """What is wrong, since when (None: not known), and where it is mended; seen by who has the permission `needs`."""

    severity: Severity
    text: str
    since: datetime | None
    link: str
    needs: str = "monitoring.see"


def _nodes(at: datetime) -> Iterator[Alarm]:
    silent = [row for row in Node.select() if row.heard_at and HEARD_WITHIN < at - row.heard_at < FORGOTTEN_AFTER]
    for row in silent:
        yield Alarm("critical", f"Node {row.name} is not heard from", row.heard_at, url_for("admin.nodes"))
    if not Node.select().where(Node.heard_at > at - HEARD_WITHIN).exists():
        yield Alarm("critical", "No engine is running: nobody can be called", None, url_for("admin.nodes"))


def _waiting(at: datetime) -> Iterator[Alarm]:
    waiting: Any = (
        Callback.select(fn.MIN(Callback.requested_at), fn.COUNT(Callback.id))
        # Both, so that the index of those that go on serves: they are few.
        .where((Callback.state != "ended") & (Callback.state == "requested") & (Callback.requested_at < at - WAITS_MAX))
        .tuples()
        .get()
    )
    oldest, count = waiting
    if count:
        since = oldest if isinstance(oldest, datetime) else None
        link = url_for("admin.callbacks", state="requested")
        yield Alarm("critical", f"{count} callbacks wait and no engine has taken them", since, link)


def _connections(_at: datetime) -> Iterator[Alarm]:
    for row in Connection.select().where(Connection.active).order_by(Connection.name):
        link = url_for("admin.connections_edit", row_id=row.id)
        if row.state == "down":
            why = f": {row.state_reason}" if row.state_reason else ""
            yield Alarm("critical", f"Connection {row.name} is down{why}", row.state_at, link, "infrastructure.see")
        if row.must_register and row.registration == "unregistered":
            why = f": {row.registration_reason}" if row.registration_reason else ""
            text = f"Connection {row.name} does not have us registered{why}"
            yield Alarm("critical", text, row.registration_at, link, "infrastructure.see")


def _jobs(at: datetime) -> Iterator[Alarm]:
    for row in Job.select().where((Job.state == "failed") & (Job.ended_at > at - LATELY)).order_by(Job.id.desc()):
        yield Alarm(
            "warning",
            f"Job {row.id} failed: {row.said}",
            row.ended_at,
            url_for("admin.job", job_id=row.id),
            "sales.see",
        )
    for row in Job.select().where((Job.mail_tries > 0) & Job.mail_due_at.is_null(False)):
        text = f"The mail of job {row.id} could not be sent, {row.mail_tries} times"
        yield Alarm("warning", text, row.ended_at, url_for("admin.job", job_id=row.id), "sales.see")


def _low_balances(at: datetime) -> Iterator[Alarm]:
    """Funds that are below what their wallet names, and were told of lately."""
    funds = Wallet.balance_micros + Wallet.credit_limit_micros
    rows = (
        LowBalance.select(LowBalance, Wallet)
        .join(Wallet)
        .where((LowBalance.at > at - LATELY) & (funds < Wallet.low_balance_micros))
        .order_by(LowBalance.id.desc())
        .limit(LISTED_MAX)
    )
    for row in {each.__data__["wallet"]: each for each in reversed(list(rows))}.values():
        wallet = row.wallet
        now = format_amount(wallet.balance_micros + wallet.credit_limit_micros)
        account = Account.get_or_none((Account.wallet == wallet) & (Account.balance_control == "individual"))
        owner: Any = account or Customer.get_or_none(Customer.wallet == wallet)
        if owner is None:
            continue
        noun = "account" if account else "customer"
        name = getattr(owner, "login", None) or owner.name
        link = url_for(f"admin.{noun}s_edit", row_id=owner.id)
        text = f"Funds of {noun} {name} are low: {now} {wallet.currency}"
        yield Alarm("warning", text, row.at, link, "money")


def _refusals(at: datetime) -> Iterator[Alarm]:
    """Many refusals of the kind that guesses and floods bring about, within an hour."""
    count = fn.SUM(RefusalCount.refusals)
    rows: Any = (
        RefusalCount.select(RefusalCount.reason, count.alias("times"))
        .where(
            (RefusalCount.hour_at > at - timedelta(hours=1)) & RefusalCount.reason.in_([str(each) for each in GUARDED])
        )
        .group_by(RefusalCount.reason)
        .having(count >= REFUSALS_AN_HOUR_MAX)
    )
    for row in rows:
        link = url_for("admin.refusals", reason=row.reason)
        yield Alarm("warning", f"Refused {row.times} times within an hour: {row.reason}", None, link)


def _unusual(at: datetime) -> Iterator[Alarm]:
    """What the clerk has found, until somebody closes it."""
    rows = Unusual.select().where(Unusual.closed_at.is_null() & (Unusual.at > at - LATELY)).order_by(Unusual.at.desc())
    user = signing.current()
    for row in rows.limit(LISTED_MAX):
        yield Alarm("warning", headline_of(row, user), row.at, url_for("admin.unusual_pattern", row_id=row.id))


def _prompts(_at: datetime) -> Iterator[Alarm]:
    unmade = Library(current_app.extensions["webcb_settings"].data_dir).unmade()
    if unmade:
        text = f"Prompts are not spoken yet in {', '.join(unmade)}"
        yield Alarm("warning", text, None, url_for("admin.prompts"), "infrastructure.see")


SOURCES: Final[list[Callable[[datetime], Iterator[Alarm]]]] = [
    _nodes,
    _waiting,
    _connections,
    _jobs,
    _low_balances,
    _refusals,
    _unusual,
    _prompts,
]


def alarms(at: datetime, role: str) -> list[Alarm]:
    """What a role should look at, the worst first, then the oldest."""
    found = [alarm for source in SOURCES for alarm in source(at) if may(role, alarm.needs)]
    return sorted(found, key=lambda each: (each.severity != "critical", each.since or at))


@blueprint.get("/alarms", endpoint="alarms")
@guarded("monitoring.see")
def alarms_page() -> Any:
    """What is wrong now."""
    user: Any = signing.current()
    return render_template("admin/alarms.html", alarms=alarms(clock.utc_now(), user.role))
