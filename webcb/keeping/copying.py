"""The tables of one database copied into another, empty one, of either kind, and compared row by row before anything is kept.

The source is read as of one moment and nobody writes into it meanwhile where it is to be moved; the target is written in one
transaction: a copy that is broken off leaves nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, zip_longest
from typing import Any

from peewee import BooleanField, Database, SqliteDatabase

from webcb import db
from webcb.billing import books
from webcb.models import ALL_TABLES, Catalog
from webcb.table import Table

ROWS_AT_A_TIME = 2_000
ALIVE = timedelta(seconds=5)  # an engine that wrote its sign of life so lately runs
# What every database draws for itself: who keeps copies of the catalog looks whether this number is still the same.
OWN = (Catalog,)
TABLES: tuple[type[Table], ...] = tuple(table for table in ALL_TABLES if table not in OWN)

Told = Callable[[str, int], None]  # a table, and how many rows of it have been copied and compared
Values = tuple[Any, ...]


class CopyProblem(Exception):
    """It cannot be copied, or the copy is not like the original; nothing was kept. The message says why."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two databases, with the words that it wants."""

    database: Any  # peewee's, whose types say little

    @property
    def is_sqlite(self) -> bool:
        return isinstance(self.database, SqliteDatabase)

    def wait_as_long_as_it_takes(self) -> None:
        """The one waits in its transaction while the other works."""
        if not self.is_sqlite:
            self.database.execute_sql("SET idle_in_transaction_session_timeout = 0")

    def count(self, table: type[Table]) -> int:
        return int(self.database.execute_sql(f"SELECT COUNT(*) FROM {_quoted(table)}").fetchone()[0])  # noqa: S608

    def rows(self, table: type[Table]) -> Iterator[Values]:
        """Every row, in the order of its key, streamed; truths as truths."""
        key = _key(table)
        is_text = key.field_type == "TEXT"
        order = f'"{key.column_name}"' + (' COLLATE "C"' if is_text and not self.is_sqlite else "")
        sql = f"SELECT {', '.join(_columns(table))} FROM {_quoted(table)} ORDER BY {order}"  # noqa: S608
        connection = self.database.connection()
        cursor = connection.cursor() if self.is_sqlite else connection.cursor(name="copied")
        truths = [at for at, field in enumerate(table._meta.sorted_fields) if isinstance(field, BooleanField)]
        try:
            cursor.execute(sql)
            for row in cursor:
                yield _with_truths(row, truths) if truths and self.is_sqlite else tuple(row)
        finally:
            cursor.close()

    def write(self, table: type[Table], rows: Iterable[Values]) -> int:
        """Insert rows; returns how many."""
        connection, columns = self.database.connection(), ", ".join(_columns(table))
        written = 0
        if self.is_sqlite:
            marks = ", ".join("?" for _ in table._meta.sorted_fields)
            sql = f"INSERT INTO {_quoted(table)} ({columns}) VALUES ({marks})"  # noqa: S608
            remaining = iter(rows)
            while some := list(islice(remaining, ROWS_AT_A_TIME)):
                connection.executemany(sql, some)
                written += len(some)
            return written
        cursor = connection.cursor()
        with cursor.copy(f"COPY {_quoted(table)} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
                written += 1
        if _key(table).field_type == "AUTO":
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{_quoted(table)}', 'id'),"  # noqa: S608
                f" (SELECT COALESCE(MAX(id), 0) + 1 FROM {_quoted(table)}), FALSE)"
            )
        return written


def _quoted(table: type[Table]) -> str:
    return f'"{table._meta.table_name}"'


def _columns(table: type[Table]) -> list[str]:
    return [f'"{field.column_name}"' for field in table._meta.sorted_fields]


def _key(table: type[Table]) -> Any:
    return table._meta.primary_key


def _with_truths(row: Values, truths: list[int]) -> Values:
    changed = list(row)
    for at in truths:
        changed[at] = None if changed[at] is None else bool(changed[at])
    return tuple(changed)


# The copy --------------------------------------------------------------------------------------------------------------


def copy(source: Database, target: Database, told: Told, *, hold: bool) -> int:
    """Copy every row of `source` into the empty `target` and compare them one by one; returns how many rows there are.

    `hold`: nobody writes into the source until it is done. The target is migrated first, and bound to the models afterwards; the
    chain and the sums of its books are checked before it is kept. Raises CopyProblem.
    """
    before, after = _Side(source), _Side(target)
    for side in (before, after):
        side.wait_as_long_as_it_takes()
    bound = db.database.obj
    try:
        with _one_moment(before, hold=hold):
            _require_alike(before, after)
            with db.writing():
                total = sum(_copy_table(before, after, table, told) for table in TABLES)
                wrong = books.differences()
                if wrong:
                    raise CopyProblem(f"the books of the copy contradict themselves: {wrong[0]}")
    finally:
        db.database.initialize(bound)
    return total


def _require_alike(source: _Side, target: _Side) -> None:
    db.database.initialize(source.database)
    version = db.version()
    if version == 0:
        raise CopyProblem("there is nothing to copy: the source has no tables")
    db.database.initialize(target.database)
    _, newest = db.migrate()
    if version != newest:
        raise CopyProblem(
            f"the source has schema version {version}, this program makes {newest}: run `webcb migrate` first"
        )
    full = [table._meta.table_name for table in TABLES if target.count(table)]
    if full:
        raise CopyProblem(f"the target is not empty: there are rows in {', '.join(full[:3])}")


def _copy_table(source: _Side, target: _Side, table: type[Table], told: Told) -> int:
    written = target.write(table, source.rows(table))
    for number, (old, new) in enumerate(zip_longest(source.rows(table), target.rows(table)), 1):
        if old != new:
            raise CopyProblem(f"row {number} of {table._meta.table_name} is not what it was: {_where(table, old, new)}")
    told(table._meta.table_name, written)
    return written


def _where(table: type[Table], old: Values | None, new: Values | None) -> str:
    if old is None or new is None:
        return "it is missing on one side"
    changed = [
        field.column_name
        for field, before, after in zip(table._meta.sorted_fields, old, new, strict=True)
        if before != after
    ]
    return f"differs in {', '.join(changed)}"


@contextmanager
def _one_moment(source: _Side, *, hold: bool) -> Iterator[None]:
    """A transaction on the source that sees one state of it; with `hold`, others cannot write until it ends."""
    opened: Any = source.database
    if source.is_sqlite:
        with opened.atomic("IMMEDIATE" if hold else "DEFERRED"):
            opened.execute_sql("SELECT COUNT(*) FROM schema_version")  # the state is that of the first look
            yield
        return
    with opened.atomic():
        if hold:
            names = ", ".join(_quoted(table) for table in ALL_TABLES)
            opened.execute_sql(f"LOCK TABLE {names} IN SHARE MODE")
        else:
            opened.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def alive(source: Any, at: datetime) -> list[str]:
    """The names of the nodes whose engine has given a sign of life just now."""
    since = int((at - ALIVE).timestamp() * 1_000_000)
    found = source.execute_sql(f"SELECT name FROM node WHERE heard_at >= {since} ORDER BY name")  # noqa: S608
    return [name for (name,) in found.fetchall()]
