"""The database by URL: SQLite (default) or PostgreSQL, its pragmas, its transactions, its schema and migrations.

Every write goes through `writing()`, which on SQLite begins IMMEDIATE: a transaction that would have to be upgraded from
reading to writing fails at once with "database is locked", however long the busy timeout is.
"""

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

from peewee import (  # type: ignore[attr-defined]
    Database,
    DatabaseProxy,
    InterfaceError,
    InternalError,
    OperationalError,
    SqliteDatabase,
    __exception_wrapper__,
)
from playhouse.pool import MaxConnectionsExceeded

from webcb import clock
from webcb.pool import IDLE_MS, PooledPostgresql

BUSY_TIMEOUT_MS = 10_000
CONNECTIONS_MAX = 20  # to PostgreSQL, of a process that says nothing else
READ_ONLY = "?mode=ro"
SCHEMA_VERSION = 1  # of the first schema; migrations carry a database up to the newest number
MIGRATION_LOCK = 0x776562636200  # of PostgreSQL: who migrates holds it

# WAL lets pages read while the engine writes. synchronous=FULL is deliberate: with WAL and NORMAL, transactions that were
# acknowledged are lost at a power cut, and these are bills.
SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": "on",
    "busy_timeout": BUSY_TIMEOUT_MS,
    "temp_store": "memory",
}

# What is raised while the database is away, locked, full or only to be read (PostgreSQL: an internal error): try again later.
UNAVAILABLE = (OperationalError, InterfaceError, InternalError, MaxConnectionsExceeded)

database = DatabaseProxy()


class DatabaseProblem(Exception):
    """The database cannot be used as it stands; the message says why and what to do."""


def connect(url: str, connections_max: int = CONNECTIONS_MAX, idle_ms: int = IDLE_MS) -> Database:
    """Bind the models to the database at `url` (`sqlite:///path` or `postgresql://user:password@host/name`).

    On PostgreSQL at most `connections_max` connections are open at a time; each thread takes one with `connect` and gives it
    back with `close`. One that the server closed meanwhile is replaced as it is taken. A transaction that has asked nothing for
    `idle_ms` is ended there.
    """
    opened = open_database(url, connections_max, idle_ms)
    if isinstance(database.obj, PooledPostgresql):
        database.obj.close_idle()  # of whoever was bound before
    database.initialize(opened)
    return opened


def open_database(url: str, connections_max: int = CONNECTIONS_MAX, idle_ms: int = IDLE_MS) -> Database:
    """The database at `url`, bound to nothing. `sqlite:///FILE?mode=ro` reads a file that nobody changes, such as an archive."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        path = file_of(url)
        if rest.endswith(READ_ONLY):
            return SqliteDatabase(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return SqliteDatabase(str(path), pragmas=SQLITE_PRAGMAS, timeout=BUSY_TIMEOUT_MS / 1000)
    if scheme == "postgresql":
        if find_spec("psycopg") is None:
            raise DatabaseProblem("PostgreSQL needs psycopg: pip install 'webcb[postgresql]'")
        return PooledPostgresql(url, connections_max, idle_ms)
    raise DatabaseProblem(f"{scheme}:// is no database this runs on; use sqlite:///path or postgresql://...")


class _Kept(threading.local):
    """Which file this thread's connection was opened on."""

    file: tuple[int, int, int] | None = None


_kept = _Kept()


def take_connection() -> None:
    """This thread's connection for one piece of work, such as a request; `give_back_connection` ends it.

    On SQLite the thread keeps it: whoever opens one anew reads the whole schema, which costs more than most pages. It is opened
    anew all the same where another file stands in the place of the one it was opened on.
    """
    opened = database.obj
    if isinstance(opened, SqliteDatabase) and not opened.in_transaction():
        file = _file_now(opened)
        if file != _kept.file:
            opened.close()
        opened.connect(reuse_if_open=True)
        _kept.file = file or _file_now(opened)
    else:
        opened.connect(reuse_if_open=True)


def give_back_connection() -> None:
    """The work is done. On PostgreSQL the connection is for others now; one with an open transaction is closed, which undoes it."""
    opened: Any = database.obj
    is_kept = isinstance(opened, SqliteDatabase)
    if not opened.is_closed() and (not is_kept or opened.connection().in_transaction):
        opened.close()


def _file_now(opened: SqliteDatabase) -> tuple[int, int, int] | None:
    try:
        found = Path(opened.database).stat()
    except OSError:
        return None
    return id(opened), found.st_dev, found.st_ino


def file_of(url: str) -> Path:
    """The file of an SQLite URL: sqlite:///relative, sqlite:////absolute, either with ?mode=ro behind it."""
    return Path(url.partition("://")[2].removesuffix(READ_ONLY).removeprefix("/"))


class _Nesting(threading.local):
    """How many savepoints this thread has open inside its transaction."""

    depth = 0


_nesting = _Nesting()


class Turn:
    """Whose turn it is: one at a time, in the order they came. A plain lock may pass somebody over for as long as others come."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._is_taken = False
        self._handed_over = 0

    def acquire(self, timeout: float) -> bool:
        """Wait in line; False where for so many seconds nobody has moved on: who has the turn does not end."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
            seen = self._handed_over
        while not mine.acquire(timeout=timeout):
            with self._guard:
                if mine not in self._waiting:  # it was handed over in this moment
                    return True
                if seen == self._handed_over:
                    self._waiting.remove(mine)
                    return False
                seen = self._handed_over
        return True

    def release(self) -> None:
        """Hand the turn to who waits longest."""
        with self._guard:
            self._handed_over += 1
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


_turn = Turn()  # of this process's writers on SQLite: whoever waits is let in at once, and none polls for the file


@contextmanager
def writing() -> Iterator[None]:
    """One transaction that may write: all of it is kept, durably, or nothing. Nested ones are savepoints."""
    if database.in_transaction():
        with _savepoint():
            yield
    elif isinstance(database.obj, SqliteDatabase):
        if not _turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise OperationalError("database is locked: another writer of this process does not end")
        try:
            with _immediate():
                yield
        finally:
            _turn.release()
    else:
        with database.atomic():
            yield


@contextmanager
def counting() -> Iterator[None]:
    """A transaction whose end waits for no disk: what it wrote outlives this process, and perhaps not a power cut.

    For counters alone, such as how often somebody asked: no money, no call, nothing that was promised to anybody.
    """
    if database.in_transaction():
        with _savepoint():
            yield
    elif isinstance(database.obj, SqliteDatabase):
        opened: Any = database.obj
        execute = opened.connection().execute
        (usual,) = execute("PRAGMA synchronous").fetchone()
        execute("PRAGMA synchronous = NORMAL")
        try:
            with writing():
                yield
        finally:
            execute(f"PRAGMA synchronous = {usual}")
    else:
        with database.atomic():
            database.execute_sql("SET LOCAL synchronous_commit = off")
            yield


@contextmanager
def _immediate() -> Iterator[None]:
    """What `database.atomic("IMMEDIATE")` is, for a third of its time: every callback has two of them."""
    opened = database.obj
    execute = opened.connection().execute
    with __exception_wrapper__:
        execute("BEGIN IMMEDIATE")
    opened.push_transaction(_immediate)
    try:
        yield
    except BaseException:
        with __exception_wrapper__:
            execute("ROLLBACK")
        raise
    else:
        try:
            with __exception_wrapper__:
                execute("COMMIT")
        except BaseException:
            with __exception_wrapper__:
                execute("ROLLBACK")
            raise
    finally:
        opened.pop_transaction()


@contextmanager
def _savepoint() -> Iterator[None]:
    """A savepoint whose name tells its depth: the statements are always the same, and are prepared once."""
    name = f"nested_{_nesting.depth}"
    execute = database.connection().execute
    with __exception_wrapper__:
        execute(f"SAVEPOINT {name}")
    _nesting.depth += 1
    try:
        yield
    except BaseException:
        with __exception_wrapper__:
            execute(f"ROLLBACK TO SAVEPOINT {name}")
            execute(f"RELEASE SAVEPOINT {name}")
        raise
    else:
        with __exception_wrapper__:
            execute(f"RELEASE SAVEPOINT {name}")
    finally:
        _nesting.depth -= 1


@contextmanager
def reading() -> Iterator[None]:
    """One transaction that sees a single state of the database throughout."""
    if database.in_transaction():
        yield
    else:
        with database.atomic():
            yield


# PostgreSQL breaks a transaction off where two wait for each other or saw what another changed; done again, it succeeds.
BROKEN_OFF = frozenset({"40P01", "40001"})
TRIES_MAX = 20

# Who was broken off waits, holding nothing, until all who move money have done, and then does so alone: it succeeds at once
# where two that lock the same wallets in another order could break each other off for ever.
_ALONE = "LOCK TABLE wallet IN EXCLUSIVE MODE"

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def transaction(work: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Make a function one `writing()` transaction, done again where PostgreSQL broke it off for another's sake.

    Called inside a transaction it is a part of that one: whoever began it does it again, and whoever would go on after a
    failure opens a savepoint for it (`writing`).
    """

    if isinstance(work, type):
        raise TypeError(f"{work!r} is a class: the function that was to be a transaction stands further down")

    @wraps(work)
    def whole(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        if database.obj._state.transactions:  # what `in_transaction()` asks, by way of less
            return work(*arguments, **named)
        tries_left, first = TRIES_MAX, True
        while True:
            tries_left -= 1
            try:
                with writing():
                    if not first:
                        database.execute_sql(_ALONE)
                    return work(*arguments, **named)
            except OperationalError as wrong:
                if not tries_left or not was_broken_off(wrong):
                    raise
                first = False

    return whole


def was_broken_off(wrong: Exception) -> bool:
    """Whether the database undid the transaction for another's sake: it may succeed when done again."""
    return getattr(getattr(wrong, "orig", None), "sqlstate", None) in BROKEN_OFF


# Schema --------------------------------------------------------------------------------------------------------------


def schema_text() -> str:
    """The text of schema.sql: from inside the installed package, or from the top of a checkout."""
    inside = resources.files("webcb") / "schema.sql"
    return inside.read_text() if inside.is_file() else (Path(__file__).parent.parent / "schema.sql").read_text()


def statements(sql: str, dialect: str) -> list[str]:
    """The statements of a schema or migration file for one dialect ("sqlite" or "postgresql"), in order."""
    other = "postgresql" if dialect == "sqlite" else "sqlite"
    text = re.sub(rf"^--\[{other}$.*?^--\]$", "", sql, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^--.*$|\s--\s.*$", "", text, flags=re.MULTILINE)
    if dialect == "postgresql":
        text = text.replace("id INTEGER PRIMARY KEY", "id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")
    # A statement ends with a semicolon at the end of a line; triggers and functions keep theirs inside a line.
    return [statement.strip() for statement in re.split(r";\s*$", text, flags=re.MULTILINE) if statement.strip()]


def dialect() -> str:
    """Which of the two databases is bound."""
    return "sqlite" if isinstance(database.obj, SqliteDatabase) else "postgresql"


def version() -> int:
    """The version of the schema in the database; 0 where there is none."""
    if not database.table_exists("schema_version"):
        return 0
    return int(database.execute_sql("SELECT MAX(version) FROM schema_version").fetchone()[0] or 0)


def newest_version() -> int:
    """The version of the schema that this program works with."""
    return max([SCHEMA_VERSION, *_migrations()])


def migrate() -> tuple[int, int]:
    """Make the schema, or carry an older one up to date; returns the versions before and after. Safe to run at every start.

    Many may start at once: one does it, the others wait and find it done. It is done whole or not at all.
    """
    migrations = _migrations()
    newest = newest_version()
    with writing():
        if version() == newest:
            return newest, newest
        if dialect() == "postgresql":
            database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        before = version()
        if before > newest:
            raise DatabaseProblem(
                f"The database has schema version {before}, this program knows {newest}: install the newer webcb."
            )
        if before == 0:
            _run(schema_text(), newest)
        for number in sorted(number for number in migrations if 0 < before < number):
            _run(migrations[number], number)
            _require_sound(number)
    return before, newest


def _require_sound(number: int) -> None:
    """What a migration moved must refer to what is there: SQLite looks at foreign keys only where rows are written."""
    if dialect() == "sqlite":
        strange = database.execute_sql("PRAGMA foreign_key_check").fetchone()
        if strange is not None:
            raise DatabaseProblem(
                f"After migration {number} a row of {strange[0]} refers to nothing; the database is left as it was."
            )


def _migrations() -> dict[int, str]:
    """The numbered files `migrations/0002_....sql`, without a gap; schema.sql always is the state after the last of them."""
    folder = resources.files("webcb") / "migrations"
    names = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")] if folder.is_dir() else []
    files = {int(entry.name[:4]): entry.read_text() for entry in names}
    if len(files) != len(names) or sorted(files) != list(range(SCHEMA_VERSION + 1, SCHEMA_VERSION + 1 + len(files))):
        raise DatabaseProblem(f"the migrations are not numbered one after another from {SCHEMA_VERSION + 1} on")
    return files


def _run(sql: str, to_version: int) -> None:
    for statement in statements(sql, dialect()):
        database.execute_sql(statement)
    mark = "?" if dialect() == "sqlite" else "%s"
    applied_at = int(clock.utc_now().timestamp() * 1_000_000)
    database.execute_sql(f"INSERT INTO schema_version VALUES ({mark}, {mark})", (to_version, applied_at))  # noqa: S608
