"""The command that looks over the whole installation."""

import click

from webcb import clock
from webcb.checking.areas import AREAS

SAID_EVERY_SECONDS = 2


class _Progress:
    """Says on the error output what is looked at, where it takes long enough for somebody to ask."""

    def __init__(self) -> None:
        self._said_at = clock.monotonic()

    def told(self, what: str) -> None:
        """Say it, unless something was said just now."""
        if clock.monotonic() - self._said_at >= SAID_EVERY_SECONDS:
            click.echo(f"checking {what}", err=True)
            self._said_at = clock.monotonic()


@click.command()
@click.option(
    "--only",
    "areas",
    type=click.Choice(AREAS),
    multiple=True,
    help="Look at this alone; may be repeated. `books` reads every bill: with many, leave it to the night.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the findings as JSON.")
def check(areas: tuple[str, ...], as_json: bool) -> int:
    """Look over the installation: each finding is ok, a warning, or wrong, with what to do.

    The host (ports, descriptors, buffers, clock, disk, kernel path), the pages, the database, the books (every balance is the sum
    of its ledger rows, every charge its xDR's, and no row was changed or taken away), prompts, nodes, carriers and certificates.
    Nothing is changed. Exit status 1 where anything is wrong, 2 where the settings are.
    """
    from webcb import settings as reader
    from webcb.checking import checkup, finding, service
    from webcb.cli import desk

    status = 1
    try:
        settings = reader.load(make_missing=False)
    except reader.SettingsProblem as problem:
        found, status = service.settings_problems(problem), 2
    else:
        chosen = frozenset(areas or AREAS)
        found = list(checkup.findings(settings, chosen, desk.sqlite_path(settings.database), _Progress().told))
    click.echo(finding.as_json(found) if as_json else f"{finding.as_text(found)}\n{finding.summary(found)}")
    return 0 if finding.are_good(found) else status


COMMANDS = (check,)
