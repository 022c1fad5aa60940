"""Commands of the configuration and the books: apply a file, write it back, check that the money adds up."""

from pathlib import Path
from typing import IO

import click

PROBLEMS_SHOWN_MAX = 100


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option(
    "--set-passwords", is_flag=True, help="Set the service passwords of existing accounts too, not only of new ones."
)
def apply(file: IO[bytes], dry_run: bool, set_passwords: bool) -> int:
    """Configure the service from a file.

    FILE is YAML, or TOML where its name ends in .toml; `-` reads YAML from standard input. Says of everything what was created,
    changed or left. A file with a mistake changes nothing; every mistake is named by line and field. Applying a file twice
    changes nothing the second time.
    """
    from webcb import clock
    from webcb.cli import desk
    from webcb.provisioning import apply as door
    from webcb.provisioning.document import read
    from webcb.provisioning.source import FILE_BYTES_MAX

    name = getattr(file, "name", "-")
    name = "standard input" if name in ("-", "<stdin>") else name
    with desk.opened():
        document = read(file.read(FILE_BYTES_MAX + 1), is_toml=name.endswith(".toml"))
        try:
            report = door.apply(
                document, clock.utc_now(), desk.who(), file=name, dry_run=dry_run, set_passwords=set_passwords
            )
        except door.ApplyRefused as refused:
            for problem in refused.problems[:PROBLEMS_SHOWN_MAX]:
                click.echo(problem.said(name), err=True)
            count = len(refused.problems)
            more = f", of which the first {PROBLEMS_SHOWN_MAX} are shown" if count > PROBLEMS_SHOWN_MAX else ""
            click.echo(f"{count} problem{'' if count == 1 else 's'}{more}; nothing was changed.", err=True)
            return 1
    for line in report.said():
        click.echo(line)
    if dry_run:
        click.echo("A dry run: nothing was changed.")
    return 0


@click.command()
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to the terminal."
)
def export(output: Path | None) -> None:
    """Write the configuration as a file for `webcb apply`.

    Passwords and balances are left out; applying it to the same database changes nothing.
    """
    from webcb import clock
    from webcb.cli import desk
    from webcb.provisioning.export import export as written

    with desk.opened():
        text = written(clock.utc_now())
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise click.ClickException(f"{output}: {wrong.strerror}") from None


COMMANDS = (apply, export)
