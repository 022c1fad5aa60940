"""The command that lets old bills leave the database for a file."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from webcb.cli.lists import Instant, csv_option, print_list

HEADS = ("before", "made", "by", "state", "xdrs", "ledger_rows", "callbacks", "file", "sha256")
FOLDER = "archives"


@click.command()
@click.option(
    "--before",
    type=Instant(),
    metavar="DATE",
    help="What is older leaves; at least 31 days ago, as in 2026-01-01 (UTC).",
)
@click.option("--resume", is_flag=True, help="Go on with an archive that was broken off; the clerk does so, too.")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@csv_option
def archive(before: datetime | None, resume: bool, file: Path | None, as_csv: bool) -> None:
    """Let old bills leave the database for a file; without --before list the archives.

    FILE, by default archives/DATE.sqlite in the data folder, gets everything first: a checked backup of one moment, which every
    command reads (`WEBCB_DATABASE_URL=sqlite:///FILE?mode=ro webcb statement ...`). Then xDRs, ledger rows and callbacks from
    before DATE leave the tables in small steps, while calls go on. Balances, chains and sums are carried forward: the books are
    right all the time.
    """
    from webcb import clock, db
    from webcb.cli import desk
    from webcb.keeping import archiving
    from webcb.keeping.copying import CopyProblem
    from webcb.models import Audit

    if resume and (before is not None or file is not None):
        raise click.UsageError("--resume goes on with what was begun: no file, no date")
    if file is not None and before is None:
        raise click.UsageError("say --before when")
    with desk.opened() as settings:
        if before is not None:
            target = (file or settings.data_dir / FOLDER / f"{before:%Y-%m-%d}.sqlite").absolute()
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            source = db.open_database(settings.database)
            try:
                made = archiving.begin(source, target, before, desk.who(), clock.utc_now(), _silent)
            except (CopyProblem, OSError) as wrong:
                raise click.ClickException(f"nothing was archived: {wrong}") from wrong
            finally:
                source.close()
            Audit.create(
                at=clock.utc_now(),
                made_by=desk.who(),
                action="archived",
                subject=str(target)[-120:],
                detail=made.sha256,
            )
            click.echo(f"{made.file_rows} rows in {target}; the books of the archive are right")
            click.echo(f"sha256 {made.sha256}")
        if before is not None or resume:
            _let_go()
        else:
            print_list(HEADS, _lines(), as_csv)


def _let_go() -> None:
    from webcb import clock
    from webcb.billing.archived import LetGo
    from webcb.keeping import archiving

    total = {"ledger rows": 0, "xDRs": 0, "callbacks": 0}

    def count(gone: LetGo) -> None:
        total["ledger rows"] += gone.ledger_rows
        total["xDRs"] += gone.xdrs
        total["callbacks"] += gone.callbacks

    archiving.go_on(clock.utc_now, lambda: True, count)
    click.echo(f"left the database: {', '.join(f'{count} {noun}' for noun, count in total.items())}")


def _lines() -> list[tuple[Any, ...]]:
    from webcb.models import Archive

    return [
        (
            row.before_at,
            row.made_at,
            row.made_by,
            "done" if row.ended_at else "goes on",
            row.xdrs,
            row.ledger_rows,
            row.callbacks,
            row.file,
            row.sha256,
        )
        for row in Archive.select().order_by(Archive.id.desc())
    ]


def _silent(_table: str, _rows: int) -> None:
    return


COMMANDS = (archive,)
