"""Commands of rate sheets: read one into a tariff, undo it, write one; beside `webcb rates`, which lists."""

from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal

import click

from webcb.cli.lists import Instant, csv_option, print_list, rates

CHANGE_HEADS = ("line", "destination", "change", "first_price", "next_price", "intervals", "was", "effective_from")
PROBLEMS_SHOWN_MAX = 100

_zone = click.option("--time-zone", default="UTC", show_default=True, help="In which the sheet's times are.")


@rates.command()
@click.argument("tariff")
@click.argument("file", type=click.File("rb"))
@click.option("--replace", is_flag=True, help="The sheet is the whole tariff: what it does not have is discontinued.")
@click.option("--dry-run", is_flag=True, help="Show line by line what would change, and change nothing.")
@click.option("--register", is_flag=True, help="Add destinations that the register lacks, as the sheet describes them.")
@click.option("--yes", is_flag=True, help="Do not ask before replacing.")
@_zone
@csv_option
def upload(
    tariff: str, file: IO[bytes], replace: bool, dry_run: bool, register: bool, yes: bool, time_zone: str, as_csv: bool
) -> int:
    """Read a rate sheet, .csv or .xlsx, into a tariff.

    `webcb rates template` writes one with its columns. A sheet with a mistake changes nothing, and every mistake is named by line
    and column. A sheet whose rates begin in the past begins now.
    """
    from zoneinfo import ZoneInfo

    from webcb import clock, models
    from webcb.billing import rate_import, rate_sheet, workbook
    from webcb.cli import desk

    mode: Literal["add", "replace"] = "replace" if replace else "add"
    zone = ZoneInfo(desk.zone(time_zone, "--time-zone"))
    name = Path(getattr(file, "name", "-")).name
    try:
        table = workbook.read(file.read(workbook.FILE_BYTES_MAX + 1))
    except workbook.UnreadableFile as wrong:
        click.echo(f"{name}: {wrong}", err=True)
        return 1
    sheet = rate_sheet.read(table, zone)
    with desk.opened():
        row = desk.named(models.Tariff, "tariff", tariff)
        asks = replace and not yes
        seen = rate_import.preview(row, sheet, mode, clock.utc_now(), register=register) if dry_run or asks else None
        if seen is not None and not seen.problems and dry_run:
            _show(seen, as_csv)
            return 0
        if seen is not None and not seen.problems:
            click.confirm(f"Tariff {tariff}: {_counted(seen)}. Replace?", abort=True, err=True)
        if seen is None or not seen.problems:
            seen = rate_import.apply(row, sheet, mode, name, desk.who(), clock.utc_now(), register=register)
    if seen.problems:
        for problem in seen.problems[:PROBLEMS_SHOWN_MAX]:
            click.echo(f"{name}, {problem.said()}" if problem.line else f"{name}: {problem.said()}", err=True)
        count = len(seen.problems)
        more = f", of which the first {PROBLEMS_SHOWN_MAX} are shown" if count > PROBLEMS_SHOWN_MAX else ""
        click.echo(f"{count} problem{'' if count == 1 else 's'}{more}; nothing was changed.", err=True)
        return 1
    click.echo(f"tariff {tariff}: {_counted(seen)}")
    return 0


def _counted(seen: Any) -> str:
    counts = [f"{count} {kind}" for kind, count in seen.counts().items()]
    new = [f"{len(seen.new_destinations)} destinations registered"] if seen.new_destinations else []
    return ", ".join(counts + new) or "nothing to do"


def _show(seen: Any, as_csv: bool) -> None:
    from webcb.money import format_amount

    def price(terms: Any) -> str:
        return f"{format_amount(terms.intervals.first_price_micros)} {format_amount(terms.intervals.next_price_micros)}"

    lines = [
        (
            "" if each.line is None else each.line,
            each.prefix,
            str(each.kind),
            format_amount(each.terms.intervals.first_price_micros),
            format_amount(each.terms.intervals.next_price_micros),
            f"{each.terms.intervals.first_seconds}/{each.terms.intervals.next_seconds}",
            "" if each.before is None else price(each.before),
            each.effective_at,
        )
        for each in seen.changes
    ]
    print_list(CHANGE_HEADS, lines, as_csv)
    if not as_csv:
        click.echo(f"A dry run: {_counted(seen)}; nothing was changed.")


@rates.command()
@click.argument("tariff")
@click.confirmation_option(prompt="Take back the last rate sheet of this tariff?")
def undo(tariff: str) -> None:
    """Take back the last rate sheet that was read into a tariff.

    Its rates go, and those it took the place of return. What was charged meanwhile stays charged.
    """
    from webcb import clock, models
    from webcb.billing import rate_import
    from webcb.cli import desk

    with desk.opened():
        try:
            file_name = rate_import.undo(desk.named(models.Tariff, "tariff", tariff), desk.who(), clock.utc_now())
        except rate_import.NothingToUndo as wrong:
            raise click.ClickException(str(wrong)) from None
    click.echo(f"tariff {tariff}: {file_name} is undone")


def _written(path: str) -> Literal["csv", "xlsx"]:
    """The format of a file by its name."""
    if path.endswith(".xlsx"):
        return "xlsx"
    if path == "-" or path.endswith(".csv"):
        return "csv"
    raise click.BadParameter("a file name ends with .csv or .xlsx", param_hint="FILE")


@rates.command()
@click.argument("tariff")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--at", type=Instant(), help="As the rates are at this moment, not now.")
@_zone
def download(tariff: str, file: str, at: datetime | None, time_zone: str) -> None:
    """Write the rates of a tariff, those in force and those to come, as .csv or .xlsx.

    `-` writes CSV to standard output. Reading the file back with --replace changes nothing.
    """
    from zoneinfo import ZoneInfo

    from webcb import clock, models
    from webcb.billing import rate_import, rate_sheet, workbook
    from webcb.cli import desk

    as_format, zone = _written(file), ZoneInfo(desk.zone(time_zone, "--time-zone"))
    with desk.opened():
        lines = rate_import.written(desk.named(models.Tariff, "tariff", tariff), zone, at or clock.utc_now())
        content = workbook.write(rate_sheet.HEADS, lines, as_format)
    with click.open_file(file, "wb") as opened:
        opened.write(content)


@rates.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
def template(file: str) -> None:
    """Write an empty rate sheet with its columns and two lines to overwrite, as .csv or .xlsx."""
    from webcb.billing import rate_sheet, workbook

    content = workbook.write(rate_sheet.HEADS, rate_sheet.EXAMPLES, _written(file))
    with click.open_file(file, "wb") as opened:
        opened.write(content)


COMMANDS = (rates,)
