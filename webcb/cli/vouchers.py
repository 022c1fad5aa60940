"""Commands for vouchers: make a series, list the series, redeem one for an account; and block an account or let it call again."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from webcb.cli.funds import amount_above_nothing
from webcb.cli.lists import Instant, accounts, csv_option, print_list

HEADS = ("series", "amount", "currency", "made", "made_by", "expires", "vouchers", "used")

_REFUSED = {
    "mistyped": "this is no code of a voucher: write its 16 digits",
    "unknown": "there is no such voucher",
    "used": "this voucher was used before",
    "expired": "this voucher has expired",
    "another currency": "this voucher is in another currency than the account",
}


@click.group(invoke_without_command=True)
@csv_option
@click.pass_context
def vouchers(ctx: click.Context, as_csv: bool) -> None:
    """List the series of vouchers, and how many of each were used; `make` makes one."""
    if ctx.invoked_subcommand is not None:
        return
    from webcb.billing import query
    from webcb.cli import desk
    from webcb.money import format_amount

    with desk.opened():
        found = query.rows(
            "SELECT series, amount_micros, currency, made_at, made_by, expires_at, COUNT(*) AS vouchers,"
            " COUNT(used_at) AS used FROM voucher"
            " GROUP BY series, amount_micros, currency, made_at, made_by, expires_at ORDER BY made_at, series"
        )
    lines: list[tuple[Any, ...]] = [
        (
            row["series"],
            format_amount(row["amount_micros"]),
            row["currency"],
            query.instant(row["made_at"]),
            row["made_by"],
            query.instant(row["expires_at"]),
            row["vouchers"],
            row["used"],
        )
        for row in found
    ]
    print_list(HEADS, lines, as_csv)


@vouchers.command()
@click.argument("series")
@click.argument("quantity", type=click.IntRange(1, 100_000))
@click.argument("amount")
@click.argument("currency")
@click.option("--expires", type=Instant(), help="Not redeemed from then on; UTC unless a zone is written.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="A new file for the codes, readable by you alone. Nobody can read them again.",
)
def make(series: str, quantity: int, amount: str, currency: str, expires: datetime | None, output: Path) -> None:
    """Make QUANTITY vouchers of AMOUNT in CURRENCY, as the series SERIES; their codes are written to a file."""
    from webcb import clock
    from webcb.billing import voucher
    from webcb.cli import desk

    amount_micros = amount_above_nothing(amount)
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha() and currency.isupper()):
        raise click.BadParameter("three capital letters, as in USD", param_hint="CURRENCY")
    if not (1 <= len(series) <= 64 and series.isprintable() and series.strip()):
        raise click.BadParameter("1 to 64 characters on one line", param_hint="SERIES")
    at = clock.utc_now()
    if expires is not None and expires <= at:
        raise click.BadParameter("is past", param_hint="--expires")
    with desk.opened():
        try:
            file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as wrong:
            raise click.ClickException(f"{output}: {wrong.strerror}") from None
        try:
            codes = voucher.make(series, quantity, amount_micros, currency, expires, desk.who(), at)
        except BaseException as wrong:
            os.close(file)
            output.unlink()
            if isinstance(wrong, ValueError):
                raise click.ClickException(str(wrong)) from None
            raise
        with os.fdopen(file, "w") as sheet:
            sheet.writelines(f"{code}\n" for code in codes)
    click.echo(f"{quantity} voucher{'' if quantity == 1 else 's'} of {amount} {currency}: {output}")


@accounts.command()
@click.argument("login", metavar="ID")
@click.argument("code")
def redeem(login: str, code: str) -> None:
    """Put the amount of the voucher with CODE on the funds of an account; once a voucher."""
    from webcb import clock, doorbell
    from webcb.billing import voucher
    from webcb.cli import desk
    from webcb.money import format_amount

    with desk.opened() as settings:
        row = desk.account(login)
        said = voucher.redeem(code, row.id, desk.who(), clock.utc_now())
        if not isinstance(said, voucher.Redeemed):
            raise click.ClickException(_REFUSED[said])
        doorbell.ring(settings.doorbell)  # a call that runs out of money goes on
    brought, balance = format_amount(said.amount_micros), format_amount(said.balance_micros)
    click.echo(f"{brought} {said.currency} redeemed; balance {balance} {said.currency}")


@accounts.command()
@click.argument("login", metavar="ID")
def block(login: str) -> None:
    """Let an account call no more; its calls that go on are ended within a second."""
    _set_blocked(login, True)


@accounts.command()
@click.argument("login", metavar="ID")
def unblock(login: str) -> None:
    """Let a blocked account call again."""
    _set_blocked(login, False)


def _set_blocked(login: str, blocked: bool) -> None:
    from webcb import clock, db, doorbell
    from webcb.cli import desk
    from webcb.models import Account, Audit

    done = "blocked" if blocked else "unblocked"
    with desk.opened() as settings:
        row = desk.account(login)
        with db.writing():
            changed = Account.update(blocked=blocked).where(Account.id == row.id, Account.blocked != blocked).execute()
            if changed:
                action = "block" if blocked else "unblock"
                Audit.create(at=clock.utc_now(), made_by=desk.who(), action=action, subject=f"account {login}")
        doorbell.ring(settings.doorbell)
    click.echo(f"account {login}: {done}" if changed else f"account {login}: was {done} already")


COMMANDS = (vouchers,)
