"""The whole check-up, area by area; what one of them needs and does not find is said instead of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

from peewee import PeeweeException

from webcb import clock, db
from webcb.billing import credentials
from webcb.billing.books import Told, silently
from webcb.checking import certificates, host, pages, service
from webcb.checking.areas import IN_DATABASE
from webcb.checking.finding import Finding, are_good, wrong
from webcb.settings import Settings


def findings(settings: Settings, areas: frozenset[str], file: Path | None, told: Told = silently) -> Iterator[Finding]:
    """What is found in these areas. `file` is the database's, where it is SQLite: where it is not there none is begun.

    `told` hears how far the books are.
    """
    if "settings" in areas:
        yield service.settings_stand(settings)
    if "host" in areas:
        yield from host.findings(settings)
    if "pages" in areas:
        yield pages.finding(settings)
    if not areas & {"database", *IN_DATABASE}:
        return
    if file is not None and not file.exists():
        mend = "run `webcb init`, or start where webcb.toml is, or set WEBCB_DATA_DIR"
        yield wrong("database", "SQLite", f"there is no database at {file}", mend)
        return
    try:
        opened = db.connect(settings.database)
    except db.DatabaseProblem as problem:
        yield wrong("database", "database", str(problem), "see database_url")
        return
    try:
        yield from _in_database(settings, areas, told)
    finally:
        opened.close()


def _in_database(settings: Settings, areas: frozenset[str], told: Told) -> Iterator[Finding]:
    stand = list(service.database(clock.utc_now()))
    if "database" in areas or not are_good(stand):
        yield from stand
    if not are_good(stand):
        return
    if settings.secret_key:
        credentials.use_key(settings.secret_key)
    has_engine = host.engine_process(settings.data_dir) is not None
    looks: dict[str, Callable[[], Iterator[Finding]]] = {
        "books": lambda: _both(service.money(told), service.spooled(settings.data_dir, has_engine)),
        "prompts": lambda: service.prompts(settings.data_dir),
        "nodes": lambda: service.nodes(clock.utc_now()),
        "carriers": lambda: service.carriers(clock.utc_now()),
        "certificates": lambda: certificates.findings(settings, clock.utc_now()),
    }
    for area in IN_DATABASE:
        if area in areas:
            try:
                yield from looks[area]()
            except PeeweeException as problem:
                said = f"cannot be looked at: {str(problem).strip().splitlines()[0]}"
                yield wrong(area, area, said, "see the database")


def _both(first: Iterator[Finding], second: Iterator[Finding]) -> Iterator[Finding]:
    yield from first
    yield from second
