"""A database of an earlier version, made anew from what was frozen of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from webcb import db

FOLDER = Path(__file__).parent
SCHEMA, ROWS = "schema.sql", "rows.jsonl"

Row = tuple[str, dict[str, Any]]  # of which table, its columns


def versions() -> list[str]:
    """Those that were frozen, the oldest first."""
    found = [path.parent.name for path in FOLDER.glob(f"*/{SCHEMA}")]
    return sorted(found, key=lambda name: [int(part) for part in name.split(".")])


def schema_of(version: str) -> str:
    """Its schema.sql."""
    return (FOLDER / version / SCHEMA).read_text()


def schema_version_of(version: str) -> int:
    """The number of its schema."""
    return max(int(columns["version"]) for table, columns in rows_of(version) if table == "schema_version")


def rows_of(version: str) -> list[Row]:
    """The rows of its database, in an order in which they may be written."""
    lines = (FOLDER / version / ROWS).read_text().splitlines()
    return [(table, columns) for table, columns in map(json.loads, lines)]


def make(version: str) -> None:
    """Make the database of that version in the empty one that is bound, with all its rows."""
    of_sqlite = db.dialect() == "sqlite"
    for statement in db.statements(schema_of(version), db.dialect()):
        db.database.execute_sql(statement)
    # The rows were written by that version's program, not by this one: what it did with triggers is in them.
    db.database.execute_sql("PRAGMA foreign_keys = off" if of_sqlite else "SET session_replication_role = replica")
    for table in {table for table, _ in rows_of(version)}:  # what the schema writes into a new one
        db.database.execute_sql(f'DELETE FROM "{table}"')
    for table, columns in rows_of(version):
        names, marks = ", ".join(columns), ", ".join("?" if of_sqlite else "%s" for _ in columns)
        values = columns if of_sqlite else _with_truths(table, columns)
        db.database.execute_sql(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(values.values()))
    if of_sqlite:
        db.database.execute_sql("PRAGMA foreign_keys = on")
        return
    for table in {table for table, columns in rows_of(version) if isinstance(columns.get("id"), int)}:
        key = f"pg_get_serial_sequence('{table}', 'id')"
        db.database.execute_sql(f'SELECT setval({key}, (SELECT MAX(id) FROM "{table}"))')
    db.database.execute_sql("SET session_replication_role = origin")


def _with_truths(table: str, columns: dict[str, Any]) -> dict[str, Any]:
    """What SQLite keeps as 0 and 1."""
    kinds = dict(row[:2] for row in db.database.execute_sql(_COLUMNS["postgresql"].format(table)).fetchall())
    return {
        name: bool(value) if kinds[name] == "boolean" and value is not None else value
        for name, value in columns.items()
    }


_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
}
_COLUMNS = {
    "sqlite": "SELECT name, type, \"notnull\", dflt_value FROM pragma_table_info('{}')",
    "postgresql": "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns"
    " WHERE table_schema = 'public' AND table_name = '{}'",
}
# Whatever else there is, in the database's own words.
_OTHERS = {
    "sqlite": ("SELECT sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL",),
    "postgresql": (
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace",
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    ),
}


def shape() -> dict[str, list[Any]]:
    """What the bound database is like: columns by table, and everything that is made beside tables; their order does not count."""

    def asked(sql: str) -> Iterator[tuple[Any, ...]]:
        return iter(db.database.execute_sql(sql).fetchall())

    dialect = db.dialect()
    found: dict[str, list[Any]] = {
        name: sorted(asked(_COLUMNS[dialect].format(name)), key=str) for (name,) in asked(_TABLES[dialect])
    }
    found[""] = sorted(re.sub(r"\s+", " ", text) for sql in _OTHERS[dialect] for (text,) in asked(sql))
    return found
