"""Commands that keep an installation: moved to another database, backed up, restored."""

from pathlib import Path

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


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write a backup of the database to a file, while the service goes on.

    It is one SQLite file, of whichever database; its books are checked before it gets its name. The secret key is not in it: keep
    a copy of that elsewhere.
    """
    from webcb.cli import desk
    from webcb.keeping import backup as backups
    from webcb.keeping.copying import CopyProblem

    with desk.opened() as settings:
        from webcb import db

        source = db.open_database(settings.database)
        try:
            total = backups.make(source, file, _told)
        except (CopyProblem, OSError) as wrong:
            raise click.ClickException(f"no backup was made: {wrong}") from wrong
        finally:
            source.close()
    click.echo(f"{total} rows in {file}; the books of the backup are right")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Restore a backup into the database of the settings, which must be empty.

    Every row is compared with the backup's; then what was erased after the backup was made is erased again, by the file `erased` of the
    data folder. Callbacks that went on at the moment of the backup are settled by the engine as it starts.
    """
    from webcb import db
    from webcb import settings as reader
    from webcb.cli import desk
    from webcb.keeping import backup as backups
    from webcb.keeping import forgetting
    from webcb.keeping.copying import CopyProblem

    settings = reader.load()
    url = settings.database
    target = db.open_database(url)
    try:
        total = backups.restore(file.absolute(), target, _told)
    except CopyProblem as wrong:
        raise click.ClickException(f"nothing was restored: {wrong}") from wrong
    finally:
        target.close()
    path = desk.sqlite_path(url)
    if path is not None:
        path.chmod(0o600)
    click.echo(f"{total} rows restored, each compared with the backup's; the books are right")
    with desk.opened():
        for line in forgetting.again(settings.data_dir, desk.who()):
            click.echo(f"left: {line}")


def _told(table: str, rows: int) -> None:
    if rows:
        click.echo(f"{table:<20} {rows:>10}")


COMMANDS = (copy, backup, restore)
