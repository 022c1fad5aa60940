"""Commands for one person's data: what is kept of a number or an account, and to forget it."""

import os
from pathlib import Path

import click


def _number(typed: str | None) -> str | None:
    from webcb.number import NumberError, parse_number

    if typed is None:
        return None
    try:
        return parse_number(typed if typed.startswith("+") else f"+{typed}", "US").digits
    except NumberError as wrong:
        raise click.ClickException(str(wrong)) from wrong


def _one_of(**said: object) -> None:
    if sum(bool(each) for each in said.values()) != 1:
        *others, last = (f"--{name}" for name in said)
        raise click.UsageError(f"say one of {', '.join(others)} and {last}")


@click.command()
@click.option("--number", metavar="NUMBER", help="With its country code.")
@click.option("--account", "login", metavar="ID", help="The account's ID.")
@click.option("--customer", metavar="NAME", help="The customer's name: it and all its accounts.")
@click.option(
    "--again", is_flag=True, help="What was erased once and came back with a backup; `webcb restore` does it by itself."
)
@click.option("--archives", is_flag=True, help="In the files of `webcb archive`, too: each is written anew.")
@click.option(
    "--vacuum", is_flag=True, help="Write the SQLite file anew: what was deleted before is in no free page either."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(
    number: str | None,
    login: str | None,
    customer: str | None,
    again: bool,
    archives: bool,
    vacuum: bool,
    yes: bool,
) -> None:
    """Forget one person: a number, an account with all its callbacks' numbers, a customer with all its accounts.

    It cannot be undone.

    Amounts, times and destination prefixes stay, as the books need them; `webcb check` proves them as before. Traces are deleted.
    In the files under cards/ an account's lines name nobody any more. Backups cannot be changed: keep the file `erased` of the data
    folder, by which `webcb restore` erases again what a backup brings back. Exported sheets and logs are yours to see to.
    """
    from webcb import clock, db
    from webcb.billing import erasure
    from webcb.cli import desk
    from webcb.keeping import forgetting

    _one_of(number=number, account=login, customer=customer, again=again)
    if again:
        with desk.opened() as settings:
            _told_again(forgetting.again(settings.data_dir, desk.who()))
        return
    digits = _number(number)
    kind: forgetting.Kind = "number" if digits else "account" if login else "customer"
    word = str(digits or login or customer)
    who = f"+{digits}" if digits else f"{kind} {word}"
    if not yes:
        click.confirm(f"Forget {who} for good?", abort=True)
    with desk.opened() as settings:
        if db.dialect() == "sqlite":
            db.database.execute_sql("PRAGMA secure_delete = ON")
        try:
            at = clock.utc_now()
            done = forgetting.forget(kind, word, settings.data_dir, desk.who(), at)
        except (LookupError, erasure.ErasureProblem) as wrong:
            raise click.ClickException(str(wrong)) from wrong
        if db.dialect() == "sqlite":
            if vacuum:
                db.database.execute_sql("VACUUM")
            db.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        kept = [f"left: {each}: webcb erase --archives" for each in forgetting.kept_archives()]
        in_archives = list(forgetting.forget_in_archives(kind, word, desk.who(), at)) if archives else kept
    click.echo(f"{who} is forgotten, in {done.callbacks} callbacks")
    for line in (*in_archives, *[f"left: {each}" for each in done.left]):
        click.echo(line)
    click.echo("left: backups; restored, they lose it again by the file `erased` of the data folder")


def _told_again(left: list[str]) -> None:
    for line in left:
        click.echo(f"left: {line}")
    if not left:
        click.echo("what was erased before is erased")


@click.command()
@click.option("--number", metavar="NUMBER", help="With its country code.")
@click.option("--account", "login", metavar="ID", help="The account's ID.")
@click.option("--customer", metavar="NAME", help="The customer's name; all its accounts with it.")
@click.option(
    "--export",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Written anew, yours alone.",
)
def person(number: str | None, login: str | None, customer: str | None, file: Path) -> None:
    """Write all that is kept of one person to a file, as JSON: rows by table. No password, key or token is in it."""
    from webcb.billing import personal
    from webcb.cli import desk

    _one_of(number=number, account=login, customer=customer)
    digits = _number(number)
    with desk.opened():
        try:
            if digits:
                found = personal.of_number(digits)
            else:
                found = personal.of_account(login) if login else personal.of_customer(str(customer))
        except LookupError as wrong:
            raise click.ClickException(str(wrong)) from wrong
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as wrong:
        raise click.ClickException(f"{file}: {wrong.strerror}") from wrong
    with os.fdopen(descriptor, "wb") as out:
        out.write(personal.printed(found))
    click.echo(f"{sum(len(rows) for rows in found.values())} rows written to {file}")


COMMANDS = (erase, person)
