"""Commands that keep an installation: moved to another database."""

import click


@click.command()
@click.option("--from", "source_url", metavar="URL", help="The database as it is; else that of the settings.")
@click.option(
    "--to", "target_url", metavar="URL", required=True, help="An empty one: sqlite:///path or postgresql://..."
)
@click.option(
    "--while-running", is_flag=True, help="Copy one moment of a service that goes on, for a trial: it is not moved."
)
def copy(source_url: str | None, target_url: str, while_running: bool) -> None:
    """Copy the database into another, empty one, of either kind.

    Every row is compared with its original, and the sums and chains of the books are checked, before anything is kept. To move
    the service: stop it, copy, set database_url, start it. Calls go on where the engine is away for less than 30 seconds.
    """
    from webcb import clock, db
    from webcb import settings as reader
    from webcb.cli import desk
    from webcb.keeping import copying

    source_url = source_url or reader.load(make_missing=False).database
    path = desk.sqlite_path(source_url)
    if path is not None and not path.exists():
        raise click.ClickException(f"there is no database at {path}")
    if source_url == target_url:
        raise click.ClickException("the target is the source")
    source, target = db.open_database(source_url), db.open_database(target_url)
    try:
        running = [] if while_running or not source.table_exists("node") else copying.alive(source, clock.utc_now())
        if running:
            raise click.ClickException(
                f"an engine is running (node {', '.join(running)}): stop it, or say --while-running for a copy that is not a move"
            )
        total = copying.copy(source, target, _told, hold=not while_running)
    except copying.CopyProblem as wrong:
        raise click.ClickException(f"{wrong}; nothing was kept") from wrong
    finally:
        for opened in (source, target):
            opened.close()
    copied = desk.sqlite_path(target_url)
    if copied is not None:
        copied.chmod(0o600)
    click.echo(f"{total} rows copied, each compared with its original; the books of the copy are right")


def _told(table: str, rows: int) -> None:
    if rows:
        click.echo(f"{table:<20} {rows:>10}")


COMMANDS = (copy,)
