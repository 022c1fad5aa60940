"""Plain SQL for the paths every callback takes: `?` marks on both databases, rows as dicts or tuples, instants as microseconds.

An object for every row costs several times what the database itself takes; the other doors use the models.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from sqlite3 import Connection as SqliteConnection
from typing import Any

from peewee import __exception_wrapper__  # type: ignore[attr-defined]

from webcb.db import database, dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Row = dict[str, Any]

STREAMED_AT_A_TIME = 2_000  # rows that come together from PostgreSQL


def rows(sql: str, *parameters: Any) -> list[Row]:
    """The rows of a query, by column name."""
    cursor = _execute(sql, parameters)
    names = _names(sql, cursor)
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def row(sql: str, *parameters: Any) -> Row | None:
    """The first row of a query, or None."""
    cursor = _execute(sql, parameters)
    found = cursor.fetchone()
    return None if found is None else dict(zip(_names(sql, cursor), found, strict=True))


def tuples(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, as they come."""
    return _execute(sql, parameters).fetchall()  # type: ignore[no-any-return]


def stream(sql: str, *parameters: Any, at_a_time: int = STREAMED_AT_A_TIME) -> Iterator[tuple[Any, ...]]:
    """The rows of a query one by one, however many there are, in the transaction that is open.

    PostgreSQL sends `at_a_time` of them together.
    """
    if dialect() == "sqlite":
        yield from _execute(sql, parameters)
        return
    # The server keeps what was not fetched yet.
    with __exception_wrapper__, database.obj.connection().cursor(name="streamed") as cursor:
        cursor.itersize = at_a_time
        cursor.execute(_with_percent_marks(sql), parameters)
        yield from cursor


def values(sql: str, *parameters: Any) -> tuple[Any, ...]:
    """The first row of a statement that returns one, as it comes."""
    return _execute(sql, parameters).fetchone()  # type: ignore[no-any-return]


def values_if_any(sql: str, *parameters: Any) -> tuple[Any, ...] | None:
    """The first row of a query, as it comes, or None."""
    return _execute(sql, parameters).fetchone()  # type: ignore[no-any-return]


def held_row(table: str, sql: str, *parameters: Any) -> Row | None:
    """The first row of a SELECT, nobody else changing that row of `table` until this transaction ends.

    On SQLite a writing transaction stands alone anyway.
    """
    return row(sql if dialect() == "sqlite" else f"{sql} FOR UPDATE OF {table}", *parameters)


def change(sql: str, *parameters: Any) -> int:
    """Run one INSERT or UPDATE; returns the number of rows it touched, which is the verdict of a conditional one."""
    return int(_execute(sql, parameters).rowcount)


@lru_cache(maxsize=256)
def inserting(table: str, columns: tuple[str, ...], count: int = 1) -> str:
    """The text that inserts so many rows, with a mark for each of their values."""
    row = f"({marks(columns)})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * count)}"  # noqa: S608


def insert(table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Insert a few rows by one statement; `change_each` is for many."""
    _execute(inserting(table, columns, len(rows)), [value for row in rows for value in row])


def hold(sql: str, *parameters: Any) -> None:
    """Nobody else changes the rows of this SELECT until this transaction ends. On SQLite a writing one stands alone anyway."""
    if dialect() != "sqlite":
        _execute(f"{sql} FOR UPDATE", parameters)


def change_each(sql: str, parameters: Sequence[Sequence[Any]]) -> None:
    """Run one INSERT or UPDATE for each of the parameters, sent together."""
    if parameters:
        connection = database.obj._state.conn or database.obj.connection()
        try:
            connection.cursor().executemany(_marked(sql), parameters)
        except Exception:
            with __exception_wrapper__:
                raise


def _execute(sql: str, parameters: Sequence[Any]) -> Any:
    """The cursor of a statement on this thread's connection; what fails is raised as peewee's error of that name.

    The connection is taken where peewee keeps it: `connection()` first asks twice whether it is open.
    """
    connection = database.obj._state.conn or database.obj.connection()
    try:
        if type(connection) is SqliteConnection:
            return connection.execute(sql, parameters)
        return connection.execute(_with_percent_marks(sql), parameters)
    except Exception:
        with __exception_wrapper__:
            raise


def _marked(sql: str) -> str:
    return sql if dialect() == "sqlite" else _with_percent_marks(sql)


_names_of: dict[str, tuple[str, ...]] = {}
_NAMES_KEPT_MAX = 1000  # texts: those with lists of marks are of many lengths


def _names(sql: str, cursor: Any) -> tuple[str, ...]:
    """The names of a statement's columns; the same text has the same."""
    names = _names_of.get(sql)
    if names is None:
        if len(_names_of) >= _NAMES_KEPT_MAX:
            _names_of.clear()
        names = _names_of[sql] = tuple(column[0] for column in cursor.description)
    return names


@lru_cache(maxsize=256)
def _with_percent_marks(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")  # a pattern of LIKE is none of the driver's marks


def marks(values: Iterable[Any]) -> str:
    """As many marks as values, for `IN (...)`."""
    return ", ".join("?" for _ in values)


def micros(at: datetime) -> int:
    """An aware instant as it is stored: whole microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(stored: int) -> datetime:
    """A stored instant, aware, in UTC."""
    return _EPOCH + timedelta(microseconds=stored)


def instant(stored: int | None) -> datetime | None:
    """The same where there may be none."""
    return None if stored is None else moment(stored)
