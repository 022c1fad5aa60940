"""Commands that call: what it would cost, place a callback and follow it, end one, see those that run."""

import secrets
import threading
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from webcb.cli.lists import Instant

if TYPE_CHECKING:
    from webcb.billing.authorization import Refusal
    from webcb.billing.reception import CallbackKind, Order

LOOK_SECONDS = 0.2  # between two looks at a callback that is followed
UNCLAIMED_SECONDS = 5.0  # then it is said that no engine seems to run
LISTED_MAX = 1000

Attempts = dict[str, dict[str, list[str]]]  # SIP statuses by callback and leg

_application = click.option(
    "--application",
    "typed",
    default="-",
    metavar="NAME",
    help="Voice application, by path or name; else the front page's.",
)
_account = click.option("--account", "login", required=True, metavar="ID", help="Account that pays.")
_number_a = click.argument("number_a", metavar="A")
_number_b = click.argument("number_b", metavar="B")


def _order(typed: str, login: str, number_a: str, number_b: str | None, kind: "CallbackKind" = "extended") -> "Order":
    """What the operator asks for; an operator needs no service password."""
    from webcb.billing.reception import Order
    from webcb.cli import desk

    application = desk.application(typed)
    if kind != "hosted":
        desk.account(login)
    country = application.default_country
    return Order(
        kind=kind,
        voice_application=application.path,
        login=login,
        password=None,
        number_a=desk.telephone(number_a, country, "A"),
        number_b=None if number_b is None else desk.telephone(number_b, country, "B"),
        idempotency_key=secrets.token_hex(16),
        requested_from="cli",
    )


def _no(refusal: "Refusal", order: "Order") -> click.ClickException:
    from webcb.money import format_amount
    from webcb.number import Kind, display_number

    number = {"A": order.number_a, "B": order.number_b}.get(refusal.leg or "")
    shown = number and (number.digits if number.kind is Kind.EMERGENCY else display_number(number.digits))
    where = f" for {refusal.leg}, {shown}" if shown else ""
    needed = ""
    if refusal.needed_micros is not None:
        needed = f"; {format_amount(refusal.needed_micros)} {refusal.currency} must be available to begin"
    return click.ClickException(f"refused: {refusal.reason}{where}{needed}")


@click.command()
@_application
@_account
@click.option("--at", type=Instant(), help="As if it were this moment, not now; UTC unless a zone is written.")
@_number_a
@_number_b
def quote(typed: str, login: str, at: datetime | None, number_a: str, number_b: str) -> None:
    """Say what connecting A and B would cost, and why; calls nobody.

    Of each leg the price, the usage charge and rate that matched, and the routes with what they cost; then what would be locked,
    and the longest talk the funds would pay. Else the reason of the refusal.
    """
    from webcb import clock
    from webcb.billing import reception
    from webcb.billing.authorization import Refusal
    from webcb.cli import desk, quotation
    from webcb.models import Node

    with desk.opened():
        order = _order(typed, login, number_a, number_b)
        found = reception.survey(order, at or clock.utc_now())
        access_code = desk.application(typed).access_code
        nodes = {node.id: node.name for node in Node.select()}
    if isinstance(found, Refusal):
        raise _no(found, order)
    click.echo("\n".join(quotation.lines(found, order, access_code, nodes)))


@click.command()
@_application
@click.option("--account", "login", default="", metavar="ID", help="Account that pays; none for hosted.")
@click.option(
    "--kind",
    type=click.Choice(["extended", "simple", "hosted"]),
    default="extended",
    show_default=True,
    help="simple: B is the application's second number; hosted: A chooses by keys.",
)
@click.option("--wait", is_flag=True, help="Follow it to its end; exit status 1 where B was not reached.")
@_number_a
@click.argument("number_b", metavar="[B]", required=False)
def callback(typed: str, login: str, kind: "CallbackKind", wait: bool, number_a: str, number_b: str | None) -> int:
    """Call A, then B, and connect them; prints the callback's ID."""
    if kind != "hosted" and not login:
        raise click.UsageError("Missing option '--account'.")
    if (kind == "extended") != (number_b is not None):
        raise click.UsageError("Missing argument 'B'." if kind == "extended" else f"{kind}: leave B out.")
    from webcb import clock, doorbell
    from webcb.billing import reception
    from webcb.billing.authorization import Refusal
    from webcb.cli import desk

    with desk.opened() as settings:
        order = _order(typed, login, number_a, number_b, kind)
        placed = reception.place(order, clock.utc_now())
        if isinstance(placed, Refusal):
            raise _no(placed, order)
        doorbell.ring(settings.doorbell)
        click.echo(placed.callback_id)
        return _follow(placed.callback_id) if wait else 0


def _follow(callback_id: str) -> int:
    """Say every change of a callback until it has ended, then what it cost; 0 where A and B talked."""
    from webcb import clock
    from webcb.models import Callback

    pause = threading.Event()
    began = clock.monotonic()
    said, warned = "", False
    try:
        while True:
            row = Callback.get_by_id(callback_id)
            now = _state(row)
            if now != said:
                click.echo(now)
                said = now
            if row.state == "ended":
                break
            if row.claimed_at is None and not warned and clock.monotonic() - began > UNCLAIMED_SECONDS:
                click.echo("no engine has taken it yet; is `webcb engine` or `webcb serve` running?", err=True)
                warned = True
            pause.wait(LOOK_SECONDS)
    except KeyboardInterrupt:
        click.echo(f"\nIt goes on; `webcb hangup {callback_id}` ends it.", err=True)
        raise
    for line in _charges(row):
        click.echo(line)
    return 0 if row.talking_at is not None else 1


def _state(row: Any) -> str:
    if row.state == "ended":
        return f"ended: {row.ending}"
    ringing = [leg.name for leg in row.legs if leg.state == "ringing"]
    if row.state == "talking" and row.deadline_at is not None:
        return f"talking, until {row.deadline_at:%H:%M:%S} UTC at the longest"
    return f"{row.state}{', it rings' if ringing else ''}"


def _charges(row: Any) -> list[str]:
    from webcb.cli.printing import duration
    from webcb.models import Xdr
    from webcb.money import format_amount

    return [
        f"{xdr.leg}: {duration(xdr.used_quantity)} used, {duration(xdr.charged_quantity)} charged,"
        f" {format_amount(xdr.charged_micros)} {xdr.currency}"
        for xdr in row.xdrs.where(Xdr.kind == "charge").order_by(Xdr.leg)
    ]


@click.command()
@click.argument("callback_id", metavar="ID")
def hangup(callback_id: str) -> int:
    """End a callback, in whatever state it is. `webcb callbacks` shows the IDs."""
    from webcb import clock, doorbell
    from webcb.billing import reception
    from webcb.cli import desk

    with desk.opened() as settings:
        if not reception.ask_release(callback_id, "operator", clock.utc_now()):
            raise click.ClickException(f"no callback {callback_id!r} is going on")
        doorbell.ring(settings.doorbell)
    click.echo("asked for; the engine releases both legs")
    return 0


@click.command()
@click.option("--live", is_flag=True, help="Only those that have not ended.")
@click.option(
    "--limit", type=click.IntRange(1, LISTED_MAX), default=20, show_default=True, help="How many that have ended."
)
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated, with a line of heads.")
def callbacks(live: bool, limit: int, as_csv: bool) -> None:
    """List callbacks: those that go on, then the latest that ended.

    Attempts are shown by leg with their SIP status, in the order of the routes: A:503,200 B:486.
    """
    from webcb import clock
    from webcb.cli import desk, printing
    from webcb.models import Callback

    heads = ("id", "requested", "account", "A", "B", "state", "talk", "attempts")
    with desk.opened():
        at = clock.utc_now()
        rows = list(Callback.select().where(Callback.state != "ended").order_by(Callback.requested_at.desc()))
        if not live:
            rows += list(
                Callback.select().where(Callback.state == "ended").order_by(Callback.requested_at.desc()).limit(limit)
            )
        attempts = _attempts([row.id for row in rows])
        lines = [_line(row, attempts[row.id], at) for row in rows]
    click.echo((printing.comma_separated if as_csv else printing.table)(heads, lines))


def _line(row: Any, attempts: dict[str, list[str]], at: datetime) -> tuple[Any, ...]:
    from webcb.cli.printing import duration

    legs = {leg.name: leg for leg in row.legs}
    talk = duration(int(((row.ended_at or at) - row.talking_at).total_seconds())) if row.talking_at else None
    tried = " ".join(f"{name}:{','.join(statuses)}" for name, statuses in sorted(attempts.items()))
    state = row.ending if row.state == "ended" else row.state
    return row.id, row.requested_at, row.account.login, legs["A"].cld, legs["B"].cld, state, talk, tried


def _attempts(callback_ids: list[str]) -> Attempts:
    """The SIP status of every attempt, `...` while it has none, by callback and leg."""
    from webcb.models import Attempt, Leg

    found: Attempts = defaultdict(lambda: defaultdict(list))
    tried = Attempt.select(Attempt, Leg).join(Leg).where(Leg.callback.in_(callback_ids)).order_by(Attempt.position)
    for attempt in tried:
        statuses = found[attempt.leg.__data__["callback"]][attempt.leg.name]
        statuses.append(str(attempt.status) if attempt.status else "-" if attempt.ended_at else "...")
    return found


COMMANDS = (quote, callback, hangup, callbacks)
