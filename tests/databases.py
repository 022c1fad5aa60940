"""A fresh database for a test, of the kind that `--database` says: an SQLite file, or one of its own on a real PostgreSQL.

What both must do is written once, and the rooms that go through the database are run on each. `sqlite_alone` marks a test of what
only the one has; it is not collected for the other.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from webcb import db, models

_numbers = itertools.count(1)


def within(server_url: str, name: str) -> str:
    """The URL of a database of this server."""
    return server_url.replace(":///postgres?", f":///{name}?")


@contextmanager
def database_of(server_url: str, template: str = "template1") -> Iterator[str]:
    """The URL of a fresh database, a copy of `template`; it is dropped at the end, whoever still has it open."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield within(server_url, name)
    finally:
        if not db.database.is_closed():
            db.database.close()
        if isinstance(db.database.obj, db.PooledPostgresql):
            db.database.obj.close_idle()
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


# Who replicates is stopped by no trigger. Deleting a few rows is ten times as quick as truncating forty tables. The catalog gets
# another number: copies that are kept of it are old.
_EMPTY = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET session_replication_role = replica;
    {deletions};
    SELECT setval(oid, 1, FALSE) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
    UPDATE catalog SET epoch = (random() * 9e15)::BIGINT, rates_epoch = (random() * 9e15)::BIGINT
"""


def empty(url: str) -> None:
    """Take every row out of a migrated database, and whoever still works in it."""
    names = [table._meta.table_name for table in models.ALL_TABLES if table is not models.Catalog]
    deletions = "; ".join(f'DELETE FROM "{name}"' for name in names)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_EMPTY.format(deletions=deletions))


def forgo_durability() -> None:
    """Commits of this connection need not wait for the disk: what a power cut would lose is asked in tests/billing."""
    is_sqlite = db.dialect() == "sqlite"
    db.database.execute_sql("PRAGMA synchronous = OFF" if is_sqlite else "SET synchronous_commit = off")


def make_empty(server_url: str, kind: str) -> str:
    """The name of a new database without any table."""
    name = f"{kind}_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    return name


def make_migrated(server_url: str) -> str:
    """The name of a database that has the tables and no rows."""
    name = make_empty(server_url, "migrated")
    opened = db.connect(within(server_url, name))
    db.migrate()
    opened.close()
    opened.close_idle()
    return name
