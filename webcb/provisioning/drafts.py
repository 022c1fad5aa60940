"""Drafts: what an apply is going to write, and what it has seen. Made up without a lock, carried out in one short transaction.

Whoever writes on SQLite stands alone: comparing tens of thousands of entries while everybody waits would hold up calls. So rows get
their ids ahead, and what is written is a list of statements. `still_holds` looks again at everything that was read, the highest ids
among it: only where nothing of it changed do the drafts say what comparing anew would say.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from webcb import db
from webcb.billing import query
from webcb.models import Table

CHUNK_ROWS = 500  # values in one statement
IDS_AT_A_TIME = 100  # drawn on PostgreSQL

Columns = Mapping[str, Any]
_Draft = tuple[str, Sequence[Any]]


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists short enough for one statement."""
    every = list(values)
    for start in range(0, len(every), CHUNK_ROWS):
        yield every[start : start + CHUNK_ROWS]


class Drafts:
    """Statements to come in their order, and looks with what they showed."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, Sequence[Any], list[tuple[Any, ...]]]] = []
        self._ahead: list[_Draft] = []
        self._drafts: list[_Draft | Callable[[], object]] = []
        self._ids: dict[type[Table], Iterator[int]] = {}

    # Looking -----------------------------------------------------------------------------------------------------------

    def read(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query, in an order of its own or of its index; they are looked at again before anything is written."""
        found = query.tuples(sql, *parameters)
        self._seen.append((sql, parameters, found))
        return found

    def every(self, table: type[Table]) -> list[Any]:
        """All rows of a table."""
        return [_row(table, found) for found in self.read(f"{_select(table)} ORDER BY id")]

    def found(
        self, table: type[Table], column: str, values: Iterable[Any], where: str = "", *parameters: Any
    ) -> list[Any]:
        """The rows of a table in which a column has one of these values; `where` says what else must hold."""
        return [
            _row(table, found)
            for some in chunks(values)
            for found in self.read(
                f"{_select(table)} WHERE {column} IN ({query.marks(some)}) {where} ORDER BY id", *some, *parameters
            )
        ]

    # Drafting ----------------------------------------------------------------------------------------------------------

    def insert(self, table: type[Table], columns: Columns, *, ahead: bool = False) -> Any:
        """A new row, whose id it has already; `ahead` of all others where it refers to none of them."""
        row = table(**columns)
        row.id = self._next_id(table)
        (self._ahead if ahead else self._drafts).append(
            _insertion(table, _stored(table, dict.fromkeys(table._meta.fields) | row.__data__))
        )
        return row

    def insert_each(self, table: type[Table], rows: Iterable[Columns]) -> None:
        """New rows that nothing refers to."""
        names = [name for name in table._meta.fields if name != "id"]
        for columns in rows:
            given = table(**columns).__data__
            self._drafts.append(_insertion(table, _stored(table, {name: given.get(name) for name in names})))

    def update(self, table: type[Table], row_id: int, columns: Columns) -> None:
        """Other values in some columns of a row."""
        stored = _stored(table, columns)
        written = ", ".join(f"{column} = ?" for column in stored)
        self.run(f"UPDATE {table._meta.table_name} SET {written} WHERE id = ?", *stored.values(), row_id)  # noqa: S608

    def run(self, sql: str, *parameters: Any) -> None:
        """Any other statement."""
        self._drafts.append((sql, parameters))

    def later(self, work: Callable[[], object]) -> None:
        """What writes by itself: called in its turn."""
        self._drafts.append(work)

    def _next_id(self, table: type[Table]) -> int:
        if table not in self._ids:
            self._ids[table] = self._drawn(table) if db.dialect() == "postgresql" else self._counted(table)
        return next(self._ids[table])

    def _counted(self, table: type[Table]) -> Iterator[int]:
        [(last,)] = self.read(f"SELECT COALESCE(MAX(id), 0) FROM {table._meta.table_name}")  # noqa: S608
        while True:
            last += 1
            yield last

    def _drawn(self, table: type[Table]) -> Iterator[int]:
        sql = "SELECT nextval(pg_get_serial_sequence(?, 'id')) FROM generate_series(1, ?)"
        while True:
            for (drawn,) in query.tuples(sql, table._meta.table_name, IDS_AT_A_TIME):
                yield drawn

    # Carrying out ------------------------------------------------------------------------------------------------------

    def still_holds(self) -> bool:
        """Whether everything that was read is as it was."""
        return all(query.tuples(sql, *parameters) == found for sql, parameters, found in self._seen)

    def carry_out(self) -> None:
        """Write, in the transaction that is open; statements of one text go together."""
        for sql, drafts in groupby(
            [*self._ahead, *self._drafts], key=lambda draft: None if callable(draft) else draft[0]
        ):
            if sql is None:
                for work in drafts:
                    assert callable(work)  # noqa: S101  it has no text
                    work()
            else:
                query.change_each(sql, [draft[1] for draft in drafts if not callable(draft)])
        self._ahead.clear()
        self._drafts.clear()


def _select(table: type[Table]) -> str:
    columns = ", ".join(field.column_name for field in table._meta.sorted_fields)
    return f"SELECT {columns} FROM {table._meta.table_name}"  # noqa: S608 - names of ours


def _row(table: type[Table], found: Sequence[Any]) -> Any:
    row = table()
    fields = table._meta.sorted_fields
    row.__data__.update({field.name: field.python_value(value) for field, value in zip(fields, found, strict=True)})
    return row


def _stored(table: type[Table], columns: Columns) -> dict[str, Any]:
    """Values by the name of their column, as the database has them."""
    fields = table._meta.fields
    return {fields[name].column_name: fields[name].db_value(value) for name, value in columns.items()}


def _insertion(table: type[Table], stored: dict[str, Any]) -> _Draft:
    sql = f"INSERT INTO {table._meta.table_name} ({', '.join(stored)}) VALUES ({query.marks(stored)})"  # noqa: S608
    return sql, tuple(stored.values())
