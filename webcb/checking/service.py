"""The service itself: settings and key, database, books, what waits on file, prompts, nodes, carriers. It changes nothing."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from peewee import PeeweeException

from webcb import db, fleet
from webcb.billing import books, credentials, query
from webcb.checking.finding import Finding, ok, warning, wrong
from webcb.engine import spool
from webcb.engine.runner import FAULTY_FILE
from webcb.engine.trust import Trust, TrustProblem, context
from webcb.models import Callback, Connection, Node, VoiceApplication
from webcb.money import format_amount
from webcb.prompts.library import Library
from webcb.settings import CONFIG_FILE, Settings, SettingsProblem

SKEW_MAX: Final = timedelta(seconds=1)  # between this host's clock and the database server's
GONE: Final = timedelta(days=1)  # a node that was silent for so long was taken down
BOOKS_SHOWN_MAX: Final = 20


def settings_problems(problem: SettingsProblem) -> list[Finding]:
    """Every setting that cannot be used."""
    mend = f"correct it in {CONFIG_FILE} or the environment; docs/settings.md has all of them"
    return [wrong("settings", "settings", each, mend) for each in problem.problems]


def settings_stand(settings: Settings) -> Finding:
    """Settings that could be read are good; a missing key is not."""
    if not settings.secret_key:
        return wrong("settings", "secret key", "there is none", "run `webcb init`, or put the installation's key back")
    return ok("settings", "settings", f"good; node {settings.node_name}, pages on {settings.http_bind}")


def database(at: datetime) -> Iterator[Finding]:
    """Whether the database answers, is of this program's version, and tells the time we do. `at`: now, of this host."""
    kind = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[db.dialect()]
    try:
        version, newest = db.version(), db.newest_version()
        clock = _clock() if kind == "PostgreSQL" and version else None
    except (PeeweeException, db.DatabaseProblem) as problem:
        said = f"does not answer: {str(problem).strip().splitlines()[0]}"
        yield wrong("database", kind, said, "see database_url, and whether the server runs")
        return
    if version == 0:
        yield wrong("database", kind, "has no tables", "run `webcb init`")
    elif version < newest:
        yield wrong(
            "database", kind, f"has schema version {version}, this program needs {newest}", "run `webcb migrate`"
        )
    elif version > newest:
        yield wrong(
            "database", kind, f"has schema version {version}, this program knows {newest}", "install the newer webcb"
        )
    else:
        yield ok("database", kind, f"answers; schema version {version}")
    if clock is not None and abs(clock - at) > SKEW_MAX:
        said = f"its clock is {abs(clock - at).total_seconds():.1f} s from this host's"
        yield warning("database", kind, said, "synchronise both clocks: requests expire and bills are dated by them")


def _clock() -> datetime:
    (found,) = query.rows("SELECT clock_timestamp() AS now")
    told: datetime = found["now"]
    return told


def money(told: books.Told = books.silently) -> Iterator[Finding]:
    """Whether balances, locks, bills and the two sides of the ledger agree, and its chains are whole; what stands in each book.

    `told` hears how far it is.
    """
    counts = {
        noun: query.rows(f"SELECT COUNT(*) AS found FROM {table}")[0]["found"]  # noqa: S608 - words of our own
        for noun, table in (
            ("wallets", "wallet"),
            ("ledger rows", "ledger"),
            ("xDRs", "xdr"),
            ("locks", "lock"),
            ("callbacks", "callback"),
        )
    }
    counted = ", ".join(f"{noun} {count}" for noun, count in counts.items())
    found = books.differences(told)
    for difference in found[:BOOKS_SHOWN_MAX]:
        yield wrong("books", "books", difference, "stop, keep the database as it is, compare it with a backup")
    if len(found) > BOOKS_SHOWN_MAX:
        yield wrong("books", "books", f"{len(found) - BOOKS_SHOWN_MAX} more differences", "as above")
    if not found:
        yield ok(
            "books", "books", f"balances, locks, bills and both sides of the ledger agree, chains are whole: {counted}"
        )
    for book, currency, amount_micros in books.balances():
        yield ok("books", f"book {book}", f"{format_amount(amount_micros)} {currency}")


def spooled(data_dir: Path, has_engine: bool) -> Iterator[Finding]:
    """Settlements on file: that wait for the database, and that could not be made."""
    faulty, waiting = data_dir / FAULTY_FILE, data_dir / spool.FILE
    if faulty.exists():
        lines = len(faulty.read_text(encoding="utf-8", errors="replace").splitlines())
        said = f"{lines} could not be made, and are left in {faulty}"
        yield wrong(
            "books", "settlements on file", said, "the log says why; look at each callback, then remove the file"
        )
    left = len(spool.Spool(waiting).left()) if waiting.exists() else 0
    if left:
        mend = "nothing: the engine writes them when the database takes them" if has_engine else "start the engine"
        yield warning("books", "settlements on file", f"{left} wait for the database", mend)
    elif not faulty.exists():
        yield ok("books", "settlements on file", "none wait")


def prompts(data_dir: Path) -> Iterator[Finding]:
    """Whether the voice has been made, and what recordings lack."""
    library = Library(data_dir)
    unmade = library.unmade()
    if unmade:
        yield warning(
            "prompts",
            "prompts",
            f"not made yet in {', '.join(unmade)}: callers hear silence there",
            "run `webcb prompts`",
        )
    else:
        yield ok("prompts", "prompts", "made in every language")
    for row in VoiceApplication.select().where(VoiceApplication.active & (VoiceApplication.prompts_folder != "")):
        problems = [
            problem
            for language in row.languages.split(",")
            for problem in library.survey(row.prompts_folder, language).problems
        ]
        if problems:
            said = f"{problems[0]}{f', and {len(problems) - 1} more' if len(problems) > 1 else ''}"
            yield warning(
                "prompts",
                f"recordings of {row.name}",
                said,
                f"`webcb prompts --folder {row.prompts_folder}` lists them",
            )


def nodes(at: datetime) -> Iterator[Finding]:
    """The nodes: whether an engine of each gives signs of life."""
    rows = [(row, row.heard_at) for row in Node.select().order_by(Node.name)]
    for row, heard_at in rows:
        open_ones = (Callback.state != "requested") & (Callback.state != "ended")
        count = Callback.select().where(Callback.node == row.id, open_ones).count()
        state = fleet.node_state(heard_at, row.draining, count, at)
        said = f"{state}; callbacks in progress: {count}"
        if state != fleet.NOT_HEARD or heard_at is None or at - heard_at > GONE:
            yield ok("nodes", f"node {row.name}", said)
        else:
            yield warning(
                "nodes", f"node {row.name}", said, "start it (`webcb serve`); its calls are ended by the others"
            )
    if not any(fleet.is_up(heard_at, at) for _, heard_at in rows):
        yield warning("nodes", "engine", "none runs: nobody is called", "start it: `webcb serve`")


def carriers(at: datetime) -> Iterator[Finding]:
    """The connections, as an engine last saw them: probes, registrations, passwords and files that can be opened."""
    rows = list(Connection.select().where(Connection.active).order_by(Connection.name))
    if not rows:
        yield warning(
            "carriers",
            "connections",
            "none is active: nobody can be called",
            "see `connections` in docs/provisioning.md",
        )
    is_watched = any(fleet.is_up(each.heard_at, at) for each in Node.select(Node.heard_at))
    for row in rows:
        yield _carrier(row, is_watched)


def _carrier(row: Connection, is_watched: bool) -> Finding:
    subject = f"connection {row.name}"
    try:
        credentials.unseal(row.sealed_password)
        if row.transport == "tls":
            context(Trust(row.host, row.tls_ca_file, row.tls_certificate_file, row.tls_key_file))
    except credentials.SealProblem as problem:
        return wrong(
            "carriers", subject, str(problem), "put the secret key back, or give the password again by `webcb apply`"
        )
    except TrustProblem as problem:
        return wrong("carriers", subject, str(problem), "give it PEM files that the service's user may read")
    if is_watched and row.probe_seconds and row.state == "down":
        said = f"down{_since(row.state_at)}: {row.state_reason}"
        return wrong("carriers", subject, said, "ask the carrier; firewall, host and port (docs/first-call.md)")
    if is_watched and row.must_register and row.registration == "unregistered":
        said = f"not registered{_since(row.registration_at)}: {row.registration_reason}"
        return wrong("carriers", subject, said, "see username, password, registrar, register_user")
    if not is_watched:
        return ok("carriers", subject, "no engine watches it")
    told = ["registered"] if row.must_register and row.registration == "registered" else []
    told += [f"answers OPTIONS{_since(row.state_at)}"] if row.state == "up" and row.probe_seconds else []
    told += [] if row.probe_seconds else ["not probed (probe_seconds is not set)"]
    return ok("carriers", subject, ", ".join(told) or "not asked yet")


def _since(at: datetime | None) -> str:
    return f" since {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
