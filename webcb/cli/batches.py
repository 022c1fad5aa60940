"""Commands of batches of accounts: list them, generate accounts, activate, block, export; and the jobs in the background."""

from datetime import datetime
from typing import Any, Literal

import click

from webcb.cli.lists import Instant, csv_option, limit_option, print_list

BATCH_HEADS = ("batch", "customer", "accounts", "inactive", "blocked", "created")
JOB_HEADS = ("job", "kind", "state", "done", "total", "asked_by", "asked_at", "ended_at", "file", "said")
CARD_HEADS = (
    "batch",
    "control_number",
    "account",
    "state",
    "web_login",
    "balance",
    "currency",
    "first_used",
    "last_used",
)
LANGUAGES = ("en", "es", "pt", "fr", "de", "ru", "ar")


@click.group(invoke_without_command=True)
@limit_option(100)
@csv_option
@click.pass_context
def batches(ctx: click.Context, limit: int, as_csv: bool) -> None:
    """List the batches of accounts; `generate` makes one."""
    if ctx.invoked_subcommand is not None:
        return
    from peewee import Case, fn

    from webcb.cli import desk
    from webcb.models import Account, Batch, Customer

    def counted(condition: Any) -> Any:
        return fn.SUM(Case(None, [(condition, 1)], 0))

    query = (
        Batch.select(
            Batch.name,
            Customer.name.alias("customer_name"),
            fn.COUNT(Account.id).alias("accounts"),
            fn.COALESCE(counted(Account.activated == False), 0).alias("inactive"),  # noqa: E712 - SQL
            fn.COALESCE(counted(Account.blocked == True), 0).alias("blocked"),  # noqa: E712 - SQL
            Batch.created_at,
        )
        .join(Customer)
        .switch(Batch)
        .left_outer_join(Account, on=Account.batch == Batch.id)
        .group_by(Batch.id, Batch.name, Customer.name, Batch.created_at)
        .order_by(Batch.created_at.desc(), Batch.name)
        .limit(limit)
    )
    with desk.opened():
        lines: list[Any] = list(query.tuples())
    print_list(BATCH_HEADS, lines, as_csv)


@batches.command()
@click.argument("name", metavar="BATCH")
@click.option("--customer", required=True, metavar="NAME", help="Whose accounts they are.")
@click.option("--product", required=True, metavar="NAME", help="Their main product.")
@click.option("--quantity", required=True, type=int, help="How many.")
@click.option(
    "--length", required=True, type=int, help="ID length: the digits of an ID, those of the prefix among them."
)
@click.option("--prefix", default="", help="ID prefix: letters, digits, or both, as in cb or cb1818.")
@click.option("--add", "into_existing", is_flag=True, help="Add them to a batch that exists.")
@click.option("--type", "kind", type=click.Choice(("debit", "credit")), default="debit", show_default=True)
@click.option("--opening-balance", default="0", show_default=True, metavar="AMOUNT", help="Funds of each.")
@click.option("--credit-limit", default="0", show_default=True, metavar="AMOUNT", help="Of each, with --type credit.")
@click.option("--active", is_flag=True, help="Usable at once; else they wait for `webcb batches activate`.")
@click.option("--no-service-passwords", is_flag=True, help="Without service passwords; else each gets one.")
@click.option("--self-care", is_flag=True, help="With log-in and password to the self-care pages.")
@click.option("--distributor", default="", metavar="NAME", help="Who sells them.")
@click.option("--activation-date", "activation_at", type=Instant(), help="Not usable before.")
@click.option("--expiration-date", "expires_at", type=Instant(), help="Not usable from then on.")
@click.option("--days-after-first-use", type=int, help="Days each lives after its first use or recharge.")
@click.option("--days-after-last-use", type=int, help="Days each lives after its last use or recharge.")
@click.option("--e-commerce", is_flag=True, help="Their owners may top them up through the payment provider.")
@click.option("--time-zone", default="UTC", show_default=True, help="In which its owner sees times.")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Its owner's.")
@click.option("--mail-to", default="", metavar="ADDRESS", help="Who gets the file by mail.")
@click.option("--in-background", is_flag=True, help="Leave the work to the clerk of `webcb serve`.")
def generate(
    name: str,
    kind: Literal["debit", "credit"],
    opening_balance: str,
    credit_limit: str,
    active: bool,
    no_service_passwords: bool,
    self_care: bool,
    time_zone: str,
    mail_to: str,
    in_background: bool,
    **order: Any,
) -> int:
    """Generate accounts with random IDs into a new batch.

    The result is a .csv file with their passwords, below `cards` in the data folder. A run that is interrupted goes on where it
    stopped: by itself under `webcb serve`, or by `webcb jobs --resume`.
    """
    from webcb import clock, doorbell
    from webcb.billing import batch
    from webcb.cli import desk

    order |= {
        "batch": name,
        "type": kind,
        "opening_balance_micros": desk.amount(opening_balance, "--opening-balance"),
        "credit_limit_micros": desk.amount(credit_limit, "--credit-limit"),
        "requires_activation": not active,
        "service_passwords": not no_service_passwords,
        "self_care": "auto-generated" if self_care else "empty",
        "time_zone": desk.zone(time_zone, "--time-zone"),
    }
    with desk.opened() as settings:
        try:
            job_id = batch.ask(batch.Order(**order), desk.who(), desk.mail_address(mail_to), clock.utc_now())
        except batch.OrderRefused as refused:
            for field, text in refused.problems:
                option = f"--{field.replace('_', '-')}: " if field.startswith("days_after") else ""
                click.echo(f"webcb batches generate: {option}{text}", err=True)
            return 1
        if in_background:
            doorbell.ring(settings.clerk_bell)
            click.echo(f"job {job_id}: the clerk makes them; `webcb jobs` shows how far it is")
            return 0
        return _run(settings, job_id)


def _run(settings: Any, job_id: int | None) -> int:
    """Work at a job in the foreground, with its progress; Ctrl-C leaves it to be resumed."""
    import sys

    from webcb import clock, jobs
    from webcb.clerk import mail, runner
    from webcb.models import Job

    work = jobs.claim(runner.owner(settings), clock.utc_now(), job_id)
    if work is None:
        click.echo("no job waits to be worked at")
        return 0
    label = f"job {work.id}: {work.kind}"
    try:
        with click.progressbar(length=work.total, label=label, file=sys.stderr, show_pos=True) as bar:
            bar.update(work.done)

            def shown(done: int) -> bool:
                bar.update(done - bar.pos)
                return True

            runner.RUNS[work.kind](work, settings, shown)
    except KeyboardInterrupt:
        jobs.give_back(work)
        click.echo(f"\njob {work.id} is not finished: `webcb jobs --resume` goes on", err=True)
        return 130
    mail.send_due(settings, clock.utc_now())
    row = Job.get_by_id(work.id)
    click.echo(row.said)
    if row.file:
        click.echo(f"file: {settings.data_dir / row.file}")
    return 0 if row.state == "done" else 1


@batches.command()
@click.argument("name", metavar="BATCH")
def activate(name: str) -> None:
    """Let every account of a batch be used."""
    from webcb import clock, models
    from webcb.billing import batch
    from webcb.cli import desk

    with desk.opened():
        changed = _whole(
            lambda: batch.set_activated(desk.named(models.Batch, "batch", name), desk.who(), clock.utc_now())
        )
    click.echo(f"batch {name}: {changed} accounts activated")


@batches.command()
@click.argument("name", metavar="BATCH")
@click.option("--undo", is_flag=True, help="Unblock them.")
@click.confirmation_option(prompt="All accounts of the batch?")
def block(name: str, undo: bool) -> None:
    """Block every account of a batch; their calls end."""
    from webcb import clock, models
    from webcb.billing import batch
    from webcb.cli import desk

    with desk.opened():
        changed = _whole(
            lambda: batch.set_blocked(desk.named(models.Batch, "batch", name), not undo, desk.who(), clock.utc_now())
        )
    click.echo(f"batch {name}: {changed} accounts {'unblocked' if undo else 'blocked'}")


def _whole(work: Any) -> int:
    from webcb.billing import batch

    try:
        return int(work())
    except batch.BatchBusy as busy:
        raise click.ClickException(str(busy)) from None


@batches.command()
@click.argument("name", metavar="BATCH")
@csv_option
def export(name: str, as_csv: bool) -> None:
    """List the accounts of a batch as they are now, without passwords."""
    from webcb import clock, models
    from webcb.billing.account import Account as Value
    from webcb.billing.account import state_shown
    from webcb.cli import desk
    from webcb.models import Account, Wallet
    from webcb.money import format_amount

    with desk.opened():
        at: datetime = clock.utc_now()
        query = (
            Account.select(Account, Wallet).join(Wallet).where(Account.batch == desk.named(models.Batch, "batch", name))
        )
        lines = []
        for row in query.order_by(Account.control_number).iterator():
            wallet = row.wallet
            available = wallet.balance_micros + wallet.credit_limit_micros - wallet.locked_micros
            state = str(state_shown(Value.of(row), available, at))
            number = "" if row.control_number is None else f"{row.control_number:010d}"
            funds = (format_amount(wallet.balance_micros), wallet.currency)
            lines.append((name, number, row.login, state, row.web_login, *funds, row.first_used_at, row.last_used_at))
    print_list(CARD_HEADS, lines, as_csv)


@click.command()
@click.option("--resume", is_flag=True, help="Work at the oldest job that nobody works at, here and now.")
@limit_option(50)
@csv_option
def jobs(resume: bool, limit: int, as_csv: bool) -> int:
    """List the work in the background, the latest first."""
    from webcb.cli import desk
    from webcb.models import Job

    with desk.opened() as settings:
        if resume:
            return _run(settings, None)
        lines = [
            (
                row.id,
                row.kind,
                row.state,
                row.done,
                row.total,
                row.asked_by,
                row.asked_at,
                row.ended_at,
                row.file,
                row.said,
            )
            for row in Job.select().order_by(Job.id.desc()).limit(limit)
        ]
    print_list(JOB_HEADS, lines, as_csv)
    return 0


COMMANDS = (batches, jobs)
