"""Commands that list what is stored: accounts and their funds, rates, xDRs."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

LISTED_MAX = 1_000_000

csv_option = click.option("--csv", "as_csv", is_flag=True, help="Comma-separated, with a line of heads.")


def limit_option(usual: int) -> Callable[[Command], Command]:
    return click.option(
        "--limit", type=click.IntRange(1, LISTED_MAX), default=usual, show_default=True, help="Lines at most."
    )


def print_list(heads: tuple[str, ...], lines: list[tuple[Any, ...]], as_csv: bool) -> None:
    from webcb.cli import printing

    click.echo((printing.comma_separated if as_csv else printing.table)(heads, lines))


# Accounts ----------------------------------------------------------------------------------------------------------------

ACCOUNT_HEADS = (
    "account",
    "customer",
    "product",
    "state",
    "balance",
    "limit",
    "locked",
    "available",
    "currency",
    "last_used",
)
SORTS = ("login", "available", "balance", "last_used")


@click.group(invoke_without_command=True)
@click.option("--like", metavar="TEXT", help="Only accounts whose ID has this in it.")
@click.option("--customer", metavar="NAME", help="Only this customer's.")
@click.option(
    "--state",
    type=click.Choice(("active", "blocked", "closed", "inactive", "expired", "no funds")),
    help="Only accounts in this state.",
)
@click.option("--sort", type=click.Choice(SORTS), default="login", show_default=True, help="In this order.")
@limit_option(100)
@csv_option
@click.pass_context
def accounts(
    ctx: click.Context, like: str | None, customer: str | None, state: str | None, sort: str, limit: int, as_csv: bool
) -> None:
    """List accounts with their state and funds; `credit` adds funds, `charge` takes some."""
    if ctx.invoked_subcommand is not None:
        return
    from webcb import clock
    from webcb.cli import desk
    from webcb.models import Account, Customer, Product, Wallet

    order = {
        "login": (Account.login,),
        "available": (Wallet.balance_micros + Wallet.credit_limit_micros - Wallet.locked_micros, Account.login),
        "balance": (Wallet.balance_micros, Account.login),
        "last_used": (Account.last_used_at.desc(), Account.login),
    }[sort]
    query = Account.select(Account, Customer, Product, Wallet).join(Customer).switch(Account).join(Product)
    query = query.switch(Account).join(Wallet).order_by(*order)
    if like:
        query = query.where(Account.login.contains(like))
    with desk.opened():
        if customer is not None:
            query = query.where(Account.customer == desk.named(Customer, "customer", customer))
        at = clock.utc_now()
        lines: list[tuple[Any, ...]] = []
        for row in query.iterator():
            line = _account_line(row, at)
            if state is None or line[3] == state:
                lines.append(line)
            if len(lines) == limit:
                break
    print_list(ACCOUNT_HEADS, lines, as_csv)


def _account_line(row: Any, at: datetime) -> tuple[Any, ...]:
    from webcb.billing.account import Account, state_shown
    from webcb.money import format_amount

    wallet = row.wallet
    available = wallet.balance_micros + wallet.credit_limit_micros - wallet.locked_micros
    return (
        row.login,
        row.customer.name,
        row.product.name,
        str(state_shown(Account.of(row), available, at)),
        format_amount(wallet.balance_micros),
        format_amount(wallet.credit_limit_micros),
        format_amount(wallet.locked_micros),
        format_amount(available),
        wallet.currency,
        row.last_used_at,
    )


# Rates -------------------------------------------------------------------------------------------------------------------

RATE_HEADS = (
    "tariff",
    "prefix",
    "description",
    "first_price",
    "next_price",
    "intervals",
    "currency",
    "effective_from",
    "remark",
)


@click.group(invoke_without_command=True)
@click.option("--tariff", metavar="NAME", help="Only this tariff's.")
@click.option("--prefix", metavar="DIGITS", help="Only prefixes that begin with these digits.")
@click.option("--number", metavar="DIGITS", help="Only the rate that holds for this number (E.164), in each tariff.")
@click.option("--for-users", is_flag=True, help="The sheet users may see: hidden rates are left out.")
@click.option("--all", "also_others", is_flag=True, help="Superseded and coming rates too, not only those in force.")
@limit_option(200)
@csv_option
@click.pass_context
def rates(
    ctx: click.Context,
    tariff: str | None,
    prefix: str | None,
    number: str | None,
    for_users: bool,
    also_others: bool,
    limit: int,
    as_csv: bool,
) -> None:
    """List rates: prices per minute, intervals in seconds; `upload` and `download` move whole sheets."""
    if ctx.invoked_subcommand is not None:
        return
    from webcb import clock
    from webcb.cli import desk
    from webcb.models import Destination, Rate, Tariff
    from webcb.number import prefixes

    query = Rate.select(Rate, Destination, Tariff).join(Destination).switch(Rate).join(Tariff)
    if prefix is not None:
        if prefix != "|" and not (prefix.isascii() and prefix.isdigit()):
            raise click.BadParameter("write digits, as in 5511, or | for all others", param_hint="--prefix")
        query = query.where(Destination.prefix.startswith(prefix))
    digits = (number or "").removeprefix("+")
    if number is not None:
        if not digits.isascii() or not digits.isdigit():
            raise click.BadParameter("write digits, as in +12065554123", param_hint="--number")
        query = query.where(Destination.prefix.in_(prefixes(digits)))
    with desk.opened():
        at = clock.utc_now()
        if tariff is not None:
            query = query.where(Rate.tariff == desk.named(Tariff, "tariff", tariff))
        found = list(query.order_by(Tariff.name, Destination.prefix, Rate.effective_at))
    in_force = {(row.tariff.name, row.destination.prefix): row.id for row in found if row.effective_at <= at}
    serving = set(in_force.values())
    if number is not None:
        serving = _serving([row for row in found if row.id in serving and not row.discontinued], digits)
    shown = [row for row in found if row.id in serving or (also_others and number is None)]
    if for_users:
        shown = [row for row in shown if not row.hidden]
    lines = [_rate_line(row, at, is_in_force=row.id in serving) for row in shown[:limit]]
    print_list(RATE_HEADS, lines, as_csv)


def _serving(rows: list[Any], digits: str) -> set[int]:
    """Of each tariff, the rate of the longest prefix of a number."""
    from webcb.number import prefixes

    place = {prefix: position for position, prefix in enumerate(prefixes(digits))}
    best: dict[str, Any] = {}
    for row in rows:
        had = best.get(row.tariff.name)
        if had is None or place[row.destination.prefix] < place[had.destination.prefix]:
            best[row.tariff.name] = row
    return {row.id for row in best.values()}


def _rate_line(row: Any, at: datetime, *, is_in_force: bool) -> tuple[Any, ...]:
    from webcb.money import format_amount

    remarks = [name for name in ("forbidden", "discontinued", "hidden") if getattr(row, name)]
    remarks += ["off-peak prices"] if row.mode == "off-peak" else []
    remarks += [row.formula] if row.formula else []
    remarks += [] if is_in_force else ["coming" if row.effective_at > at else "superseded"]
    return (
        row.tariff.name,
        row.destination.prefix,
        row.destination.description,
        format_amount(row.first_price_micros),
        format_amount(row.next_price_micros),
        f"{row.first_interval_seconds}/{row.next_interval_seconds}",
        row.tariff.currency,
        row.effective_at,
        ", ".join(remarks),
    )


# xDRs --------------------------------------------------------------------------------------------------------------------

XDR_HEADS = (
    "bill_time", "callback", "leg", "kind", "account", "cli", "cld", "connect_time", "used_s", "charged_s", "amount",
    "currency", "cause", "one_way", "destination", "tariff",
)  # fmt: skip


MARGIN_HEADS = ("vendor_cost", "vendor_currency", "cost", "margin", "callback_margin")


class Instant(click.ParamType[datetime]):
    """A date, or a date and time; UTC where it names no zone."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date; write 2026-01-31 or 2026-01-31T12:00:00-03:00", param, ctx)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.option("--account", "login", metavar="ID", help="Only this account's.")
@click.option("--since", type=Instant(), help="Only those billed since; UTC unless a zone is written.")
@click.option(
    "--margin", "with_margin", is_flag=True, help="What the vendor charges, and what is left of each callback."
)
@limit_option(100)
@csv_option
def xdrs(login: str | None, since: datetime | None, with_margin: bool, limit: int, as_csv: bool) -> None:
    """List the bills of the legs, and what was given back of them, the latest first.

    Times are UTC, quantities seconds, causes Q.850; one_way: for 5 s nothing was heard of the leg while the other spoke. Cost and
    margins are in the currency of the amount, empty where no vendor's rate or no exchange rate of the day was known.
    """
    from webcb.cli import desk
    from webcb.models import Account, Xdr
    from webcb.money import format_amount

    query = Xdr.select(Xdr, Account).join(Account).order_by(Xdr.bill_time.desc(), Xdr.id.desc()).limit(limit)
    if since is not None:
        query = query.where(Xdr.bill_time >= since)
    with desk.opened():
        if login:
            query = query.where(Xdr.account == desk.account(login).id)
        lines: list[tuple[Any, ...]] = [
            (
                row.bill_time,
                row.__data__["callback"],
                row.leg,
                row.kind,
                row.account.login,
                row.cli,
                row.cld,
                row.connect_time,
                row.used_quantity,
                row.charged_quantity,
                format_amount(row.charged_micros),
                row.currency,
                row.disconnect_cause,
                row.one_way,
                row.destination,
                row.tariff,
                *(_margin(row) if with_margin else ()),
            )
            for row in query.iterator()
        ]
    print_list(XDR_HEADS + (MARGIN_HEADS if with_margin else ()), lines, as_csv)


def _margin(row: Any) -> tuple[str | None, ...]:
    """The columns of MARGIN_HEADS; the margin of the callback is over all its legs, so it stands on each of them."""
    from webcb.models import Xdr
    from webcb.money import format_amount

    margins = [_margin_micros(each) for each in Xdr.select().where(Xdr.callback == row.__data__["callback"])]
    whole = None if None in margins else sum(margins)
    vendor_cost, cost, margin, callback_margin = (
        None if micros is None else format_amount(micros)
        for micros in (row.vendor_cost_micros, row.cost_micros, _margin_micros(row), whole)
    )
    return vendor_cost, row.vendor_currency, cost, margin, callback_margin


def _margin_micros(row: Any) -> Any:
    """What an xDR leaves, in micros; None where the cost is not known. A refund is a loss and costs nothing more."""
    if row.kind == "refund":
        return row.charged_micros
    return None if row.cost_micros is None else row.charged_micros - row.cost_micros


# Connections -------------------------------------------------------------------------------------------------------------

CONNECTION_HEADS = (
    "connection",
    "vendor",
    "address",
    "transport",
    "active",
    "state",
    "since",
    "reason",
    "registration",
    "registration_since",
    "registration_reason",
)


@click.command()
@csv_option
def connections(as_csv: bool) -> None:
    """List the connections with their state.

    `unknown` is one that is not probed; `down` one that did not answer, and gets no calls until it does; so does one that is
    `unregistered`, which is `none` where it need not be registered. Times are UTC.
    """
    from webcb.cli import desk
    from webcb.models import Connection, Vendor
    from webcb.settings import Bind

    with desk.opened():
        lines: list[tuple[Any, ...]] = [
            (
                row.name,
                row.vendor.name,
                str(Bind(row.host, row.port)) if row.port else row.host,
                row.transport,
                row.active,
                row.state,
                row.state_at,
                row.state_reason,
                row.registration,
                row.registration_at,
                row.registration_reason,
            )
            for row in Connection.select(Connection, Vendor).join(Vendor).order_by(Connection.name)
        ]
    print_list(CONNECTION_HEADS, lines, as_csv)


# Attempts ----------------------------------------------------------------------------------------------------------------

ATTEMPT_HEADS = ("leg", "attempt", "connection", "address", "placed", "pdd", "status", "reason")


@click.command()
@click.argument("callback_id", metavar="CALLBACK")
@csv_option
def attempts(callback_id: str, as_csv: bool) -> None:
    """List the INVITEs of a callback: which connection, which of its addresses, and what came of it.

    `pdd` is the post-dial delay in milliseconds, to ringing, early media or answer. Times are UTC.
    """
    from webcb.cli import desk
    from webcb.models import Attempt, Callback, Connection, Leg

    with desk.opened():
        if Callback.get_or_none(Callback.id == callback_id) is None:
            raise click.ClickException(f"there is no callback {callback_id!r}")
        tried = (
            Attempt.select(Attempt, Leg, Connection)
            .join(Leg)
            .switch(Attempt)
            .join(Connection)
            .where(Leg.callback == callback_id)
            .order_by(Leg.name, Attempt.position)
        )
        lines: list[tuple[Any, ...]] = [
            (
                row.leg.name,
                row.position,
                row.connection.name,
                row.address,
                row.placed_at,
                row.setup_ms,
                row.status,
                row.reason,
            )
            for row in tried
        ]
    print_list(ATTEMPT_HEADS, lines, as_csv)


COMMANDS = (accounts, attempts, connections, xdrs)
