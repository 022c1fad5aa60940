"""The command that prints the statement of a customer or an account for a billing period."""

from datetime import date, datetime
from typing import Any

import click

from webcb.cli.lists import Instant, csv_option, print_list

COMPANY = ("name", "address", "tax_number", "phone", "mail")  # who the statement is of, as on the page
HEADS = ("item", "destination", "description", "legs", "time", "amount")


@click.command()
@click.argument("customer", required=False)
@click.option("--account", "login", metavar="ID", help="Of this account's own funds, by its customer's billing period.")
@click.option("--at", type=Instant(), help="The period this moment lies in; else the one that ended last.")
@click.option("--running", is_flag=True, help="The period that runs now, so far.")
@csv_option
def statement(customer: str | None, login: str | None, at: datetime | None, running: bool, as_csv: bool) -> None:
    """Print what happened to a customer's funds in a billing period.

    Opening balance, calls by destination, payments and adjustments, closing balance. Days are those of the customer's billing
    time zone.
    """
    from webcb import clock, models
    from webcb.billing.archived import Archived
    from webcb.billing.statement import statement as stated
    from webcb.cli import desk

    if (customer is None) == (login is None):
        raise click.UsageError("name a customer, or an account with --account")
    with desk.opened():
        if login is not None:
            account = desk.account(login)
            if account.balance_control == "subordinate":
                raise click.ClickException(
                    f"account {login} uses the funds of customer {account.customer.name}; ask for that"
                )
            owner, wallet_id = account.customer, account.wallet.id
        else:
            owner = desk.named(models.Customer, "customer", str(customer))
            wallet_id = owner.wallet.id
        now = clock.utc_now()
        period = _period(owner, at or now, ended_before=None if running or at else now)
        try:
            found = stated(wallet_id, period.begins_at, min(period.ends_at, now))
        except Archived as wrong:
            raise click.ClickException(
                f"{wrong}: `WEBCB_DATABASE_URL=sqlite:///FILE?mode=ro webcb statement ...` prints it"
            ) from None
        company = models.Company.select().first()
    if company is not None and not as_csv:
        click.echo(", ".join(filter(None, (getattr(company, name) for name in COMPANY))))
    _print(found, login or owner.name, period, owner.billing_time_zone, as_csv)


def _period(owner: Any, at: datetime, ended_before: datetime | None) -> Any:
    """The period of an instant, or the one before it."""
    from datetime import timedelta
    from zoneinfo import ZoneInfo

    from webcb.billing.billing_period import period_at

    zone = ZoneInfo(owner.billing_time_zone)
    since: date = owner.created_at.astimezone(zone).date()
    period = period_at(owner.billing_period, at, zone, since)
    if ended_before is not None:
        period = period_at(owner.billing_period, period.begins_at - timedelta(seconds=1), zone, since)
    return period


def _print(found: Any, whose: str, period: Any, zone: str, as_csv: bool) -> None:
    from webcb.cli import printing
    from webcb.money import format_amount

    lines: list[tuple[Any, ...]] = [("opening balance", "", "", "", "", format_amount(found.opening_micros))]
    for each in found.calls:
        described = " ".join(filter(None, (each.country, each.description)))
        time = printing.duration(each.charged_seconds)
        lines.append(("calls", each.prefix, described, each.legs, time, format_amount(-each.charged_micros)))
    lines += [(each.kind, "", each.note, "", "", format_amount(each.amount_micros)) for each in found.movements]
    lines.append(("closing balance", "", "", "", "", format_amount(found.closing_micros)))
    if not as_csv:
        click.echo(f"{whose}: {period.first_day} to {period.last_day} ({zone}), in {found.currency}")
    print_list(HEADS, lines, as_csv)


COMMANDS = (statement,)
