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


def _one_of(number: str | None, login: str | None) -> None:
    if (number is None) == (login is None):
        raise click.UsageError("say one of --number and --account")


@click.command()
@click.option("--number", metavar="NUMBER", help="With its country code.")
@click.option("--account", "login", metavar="ID", help="The account's ID.")
@click.option(
    "--vacuum", is_flag=True, help="Write the SQLite file anew: what was deleted before is in no free page either."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(number: str | None, login: str | None, vacuum: bool, yes: bool) -> None:
    """Forget one person: a number, or an account with all its callbacks' numbers. It cannot be undone.

    Amounts, times and destination prefixes stay, as the books need them; `webcb check` proves them as before. Traces are deleted.
    Backups, files under cards/ and exported sheets are yours to see to.
    """
    from webcb import clock, db
    from webcb.billing import erasure
    from webcb.cli import desk

    _one_of(number, login)
    digits = _number(number)
    who = f"+{digits}" if digits else f"account {login}"
    if not yes:
        click.confirm(f"Forget {who} for good?", abort=True)
    with desk.opened():
        if db.dialect() == "sqlite":
            db.database.execute_sql("PRAGMA secure_delete = ON")
        try:
            if digits:
                done = erasure.erase_number(digits, desk.who(), clock.utc_now())
            else:
                done = erasure.erase_account(str(login), desk.who(), clock.utc_now())
        except (LookupError, erasure.ErasureProblem) as wrong:
            raise click.ClickException(str(wrong)) from wrong
        if db.dialect() == "sqlite":
            if vacuum:
                db.database.execute_sql("VACUUM")
            db.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    click.echo(f"{who} is forgotten, in {done.callbacks} callbacks")
    for line in done.left:
        click.echo(f"left: {line}")


@click.command()
@click.option("--number", metavar="NUMBER", help="With its country code.")
@click.option("--account", "login", metavar="ID", help="The account's ID.")
@click.option(
    "--export",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Written anew, yours alone.",
)
def person(number: str | None, login: str | None, file: Path) -> None:
    """Write all that is kept of one person to a file, as JSON: rows by table. No password, key or token is in it."""
    from webcb.billing import personal
    from webcb.cli import desk

    _one_of(number, login)
    digits = _number(number)
    with desk.opened():
        try:
            found = personal.of_number(digits) if digits else personal.of_account(str(login))
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
