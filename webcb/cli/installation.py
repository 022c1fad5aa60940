"""Commands of the installation itself: make it, bring it up to date, show its settings, run it."""

import sys
from pathlib import Path

import click


@click.command()
def init() -> None:
    """Make the data folder, its secret key and the database.

    Where they exist already they stay as they are. The folder is the setting data_dir.
    """
    from webcb import db
    from webcb import settings as reader
    from webcb.cli import desk

    had_key = bool(reader.load(make_missing=False).secret_key)
    settings = reader.load()
    opened = db.connect(settings.database)
    before, after = db.migrate()
    opened.close()
    path = desk.sqlite_path(settings.database)
    if path is not None:
        path.chmod(0o600)
    key_file = settings.data_dir / reader.KEY_FILE
    click.echo(f"data folder  {settings.data_dir}")
    click.echo(f"secret key   {'is there already' if had_key else f'made, in {key_file}: keep a copy of it'}")
    click.echo(f"database     {_database_said(path, before, after)}")
    click.echo("Next: `webcb apply FILE` configures the service, `webcb serve` runs it.")


def _database_said(path: Path | None, before: int, after: int) -> str:
    where = f" at {path}" if path else ""
    if before == 0:
        return f"made{where}, schema version {after}"
    return f"is there already{where}" + (
        f", brought from schema version {before} to {after}" if before != after else ""
    )


@click.command()
def migrate() -> None:
    """Bring the database to this program's version.

    `webcb serve` does it at start.
    """
    from webcb import db
    from webcb import settings as reader

    opened = db.connect(reader.load().database)
    before, after = db.migrate()
    opened.close()
    click.echo(f"schema version {after}, as it was" if before == after else f"schema version {before} -> {after}")


@click.command()
def config() -> None:
    """Show the settings in force, secrets masked."""
    from webcb import settings as reader

    rows = reader.shown(reader.load(make_missing=False))
    width = max(len(name) for name, _, _ in rows)
    for name, value, purpose in rows:
        click.echo(f"{name:<{width}} = {value or '(empty)'}")
        click.echo(f"{'':<{width}}   {purpose}")


@click.command()
def serve() -> None:
    """Run the web pages, the engine and the clerk.

    Each is started again when it dies. Ctrl-C ends all.
    """
    from webcb import serve as supervisor
    from webcb import settings as reader

    sys.exit(supervisor.main(reader.load()))


@click.command()
@click.option(
    "--stand-by",
    is_flag=True,
    help="Where another engine runs on this folder, wait until it ends or dies, and go on with its calls.",
)
@click.option("--take-over", is_flag=True, help="The same, but ask it to make room at once.")
def engine(stand_by: bool, take_over: bool) -> None:
    """Run the engine alone.

    It makes the calls that the web pages or `webcb callback` ask for; gunicorn wsgi:app serves the pages.
    """
    from webcb import haste
    from webcb import settings as reader
    from webcb.engine import start
    from webcb.engine.steps import Steps

    sys.exit(start.main(reader.load(), haste.come_first(), Steps(), stands_by=stand_by, takes_over=take_over))


@click.command()
def clerk() -> None:
    """Run the clerk alone.

    It works at what takes longer than a page may: it generates accounts and sends mails.
    """
    from webcb import settings as reader
    from webcb.clerk import runner

    sys.exit(runner.main(reader.load()))


@click.command()
@click.option(
    "--http-port", type=click.IntRange(1, 65535), help="Port of the web pages on 127.0.0.1; else 8901 or any free."
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="An empty folder for the demo's data, kept afterwards; else a temporary one.",
)
@click.option(
    "--phone",
    "phones",
    multiple=True,
    metavar="NUMBER=sip:USER@HOST:PORT",
    help="Send a number to a real softphone; may be repeated.",
)
@click.option("--keep", is_flag=True, help="Keep the temporary folder afterwards.")
def demo(http_port: int | None, data_dir: Path | None, phones: tuple[str, ...], keep: bool) -> None:
    """Show the service on this machine, with phones of its own.

    Pages, engine, and a carrier with phones that answer, ring, are busy. Everything is fresh and on loopback; the
    addresses, log-ins and phone numbers are printed. Ctrl-C ends all of it.
    """
    from webcb.demo import show

    sys.exit(show.main(http_port=http_port, data_dir=data_dir, phones=phones, keep=keep))


COMMANDS = (init, migrate, config, serve, engine, clerk, demo)
