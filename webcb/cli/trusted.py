"""Commands for the numbers that authenticate an account by voice, and for what was told of low funds."""

from typing import Any

import click

from webcb.cli.lists import accounts, csv_option, limit_option, print_list

_number = click.argument("number")


@accounts.command()
@click.argument("login", metavar="ID")
@_number
def trust(login: str, number: str) -> None:
    """Let who calls from NUMBER (with its country code) be account ID, without a PIN; of one account at most."""
    from webcb import clock
    from webcb.billing import trusted
    from webcb.cli import desk

    with desk.opened():
        row = desk.account(login)
        digits = desk.telephone(f"+{number.removeprefix('+')}", "US", "NUMBER").digits
        try:
            trusted.trust(row.id, login, digits, desk.who(), clock.utc_now())
        except trusted.TrustProblem as wrong:
            raise click.ClickException(str(wrong)) from None
    click.echo(f"account {login}: who calls from {digits} is asked for no PIN")


@accounts.command()
@_number
def untrust(number: str) -> None:
    """Let NUMBER authenticate nobody any more."""
    from webcb import clock
    from webcb.billing import trusted
    from webcb.cli import desk

    with desk.opened():
        digits = desk.telephone(f"+{number.removeprefix('+')}", "US", "NUMBER").digits
        try:
            login = trusted.untrust(digits, desk.who(), clock.utc_now())
        except trusted.TrustProblem as wrong:
            raise click.ClickException(str(wrong)) from None
    click.echo(f"account {login}: who calls from {digits} is asked for the PIN again")


LOW_HEADS = ("at", "customer", "account", "below", "funds", "currency", "mail")


@accounts.command()
@limit_option(100)
@csv_option
def low(limit: int, as_csv: bool) -> None:
    """List whose funds fell below their low balance, the latest first, and what became of the mail. Times are UTC."""
    from peewee import JOIN

    from webcb.cli import desk
    from webcb.models import Account, Customer, LowBalance, Wallet
    from webcb.money import format_amount

    its_own = (Account.wallet == Wallet.id) & (Account.balance_control == "individual")
    query: Any = LowBalance.select(LowBalance, Wallet.currency, Account.login, Customer.name).join(Wallet)
    query = query.join(Account, JOIN.LEFT_OUTER, on=its_own).switch(Wallet)
    query = query.join(Customer, on=(Customer.wallet == Wallet.id) | (Customer.id == Account.customer))
    with desk.opened():
        lines: list[tuple[Any, ...]] = [
            (
                row.at,
                row.name,
                row.login,
                format_amount(row.threshold_micros),
                format_amount(row.funds_micros),
                row.currency,
                row.said or "due",
            )
            for row in query.order_by(LowBalance.id.desc()).limit(limit).objects()
        ]
    print_list(LOW_HEADS, lines, as_csv)


COMMANDS = ()
