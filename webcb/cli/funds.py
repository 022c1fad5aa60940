"""Commands that move money by hand: credit and charge an account, give a charge back; and the list of what was moved."""

import secrets
from datetime import datetime
from typing import Any

import click

from webcb.cli.lists import Instant, accounts, csv_option, limit_option, print_list

NOTE_MAX = 500
CREDITS = ("payment", "refund", "manual credit", "promotional credit")

_note = click.option("--note", default="", help="Why, for the ledger.")


@accounts.command()
@click.argument("login", metavar="ID")
@click.argument("amount")
@click.option(
    "--kind", type=click.Choice(CREDITS), default="payment", show_default=True, help="What the ledger calls it."
)
@_note
def credit(login: str, amount: str, kind: Any, note: str) -> None:
    """Add AMOUNT to the funds of an account, or of its customer where the account is subordinate."""
    _adjust(login, kind, amount_above_nothing(amount), note)


@accounts.command()
@click.argument("login", metavar="ID")
@click.argument("amount")
@_note
def charge(login: str, amount: str, note: str) -> None:
    """Take AMOUNT from the funds of an account by hand, even where it then owes more than it may."""
    _adjust(login, "manual charge", -amount_above_nothing(amount), note)


def _adjust(login: str, kind: Any, amount_micros: int, note: str) -> None:
    from webcb import clock, doorbell
    from webcb.billing import ledger
    from webcb.cli import desk
    from webcb.money import format_amount

    _require_line(note)
    with desk.opened() as settings:
        row = desk.account(login)
        key = f"cli:{secrets.token_hex(16)}"
        try:
            ledger.post(row.wallet.id, row.id, kind, amount_micros, key, desk.who(), note, clock.utc_now())
        except ledger.BalanceTooLarge as wrong:
            raise click.ClickException(str(wrong)) from wrong
        doorbell.ring(settings.doorbell)  # a call that runs out of money goes on
        balance_micros = type(row).get_by_id(row.id).wallet.balance_micros
    whose = f"customer {row.customer.name}" if row.balance_control == "subordinate" else f"account {login}"
    click.echo(f"{whose}: balance {format_amount(balance_micros)} {row.wallet.currency}")


@click.command()
@click.argument("callback_id", metavar="ID")
@click.argument("leg", type=click.Choice(["A", "B"]))
@click.argument("amount", required=False)
@_note
def refund(callback_id: str, leg: Any, amount: str | None, note: str) -> None:
    """Give back what leg A or B of a callback was charged: AMOUNT of it, or all that is left.

    The bill stays as it is; a correcting xDR is written beside it. `webcb xdrs` shows both.
    """
    from webcb import clock, doorbell
    from webcb.billing import settlement
    from webcb.cli import desk
    from webcb.money import format_amount

    _require_line(note)
    amount_micros = None if amount is None else amount_above_nothing(amount)
    with desk.opened() as settings:
        key = f"cli:{secrets.token_hex(16)}"
        try:
            given = settlement.refund(callback_id, leg, amount_micros, key, desk.who(), note, clock.utc_now())
        except LookupError:
            raise click.ClickException(f"leg {leg} of callback {callback_id!r} has no bill") from None
        except settlement.RefundProblem as wrong:
            raise click.ClickException(str(wrong)) from None
        doorbell.ring(settings.doorbell)
    refunded, left = format_amount(given.refunded_micros), format_amount(given.left_micros)
    click.echo(f"given back {refunded} {given.currency}; {left} of the charge is left")


def amount_above_nothing(amount: str) -> int:
    """An amount as typed, in micros."""
    from webcb.money import AmountError, parse_amount

    try:
        amount_micros = parse_amount(amount)
    except AmountError as wrong:
        raise click.BadParameter(str(wrong), param_hint="AMOUNT") from None
    if amount_micros <= 0:
        raise click.BadParameter("write an amount above 0", param_hint="AMOUNT")
    return amount_micros


def _require_line(note: str) -> None:
    if len(note) > NOTE_MAX:
        raise click.BadParameter(f"at most {NOTE_MAX} characters", param_hint="--note")
    if not note.isprintable():
        raise click.BadParameter("one line, without control characters", param_hint="--note")


# What was moved --------------------------------------------------------------------------------------------------------

LEDGER_HEADS = ("at", "account", "kind", "amount", "balance", "currency", "against", "callback", "made_by", "note")


@click.command()
@click.option(
    "--account", "login", metavar="ID", help="Only what moved its funds, or its customer's where subordinate."
)
@click.option("--since", type=Instant(), help="Only what was written since; UTC unless a zone is written.")
@limit_option(100)
@csv_option
def ledger(login: str | None, since: datetime | None, limit: int, as_csv: bool) -> None:
    """List the ledger, the latest first: every movement of money, who made it and why.

    `against` is the book on the other side. `webcb check` proves the whole. Times are UTC.
    """
    from peewee import JOIN

    from webcb.cli import desk
    from webcb.models import Account, Ledger, Xdr
    from webcb.money import format_amount

    query = Ledger.select(Ledger, Account, Xdr).join(Account, JOIN.LEFT_OUTER).switch(Ledger)
    query = query.join(Xdr, JOIN.LEFT_OUTER).order_by(Ledger.id.desc()).limit(limit)
    if since is not None:
        query = query.where(Ledger.at >= since)
    with desk.opened():
        if login:
            # What a vendor is owed for its calls hangs in the same chain and moves no funds of it.
            query = query.where(Ledger.wallet == desk.account(login).__data__["wallet"], Ledger.vendor.is_null())
        lines: list[tuple[Any, ...]] = [
            (
                row.at,
                row.account and row.account.login,
                row.kind,
                format_amount(row.amount_micros),
                format_amount(row.balance_after_micros),
                row.currency,
                row.against,
                row.xdr and row.xdr.__data__["callback"],
                row.made_by,
                row.note,
            )
            for row in query.iterator()
        ]
    print_list(LEDGER_HEADS, lines, as_csv)


COMMANDS = (refund, ledger)
