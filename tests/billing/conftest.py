"""A fresh database for every test that asks for one: `database` on a real file, `either_database` there and on a PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from webcb import db, models


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database that this thread has open; its books are checked at the end."""
    yield from opened(f"sqlite:///{tmp_path / 'webcb.sqlite'}")


@pytest.fixture
def postgresql_database(postgresql_url: str) -> Iterator[str]:
    """The same on a real PostgreSQL."""
    yield from opened(postgresql_url)


@pytest.fixture(params=["database", "postgresql_database"], ids=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest) -> str:
    """The URL of the one and of the other: what is promised holds on both."""
    return str(request.getfixturevalue(request.param))


def opened(url: str) -> Iterator[str]:
    """A fresh database at `url`, its books checked at the end."""
    from webcb.billing import books

    opened = db.connect(url)
    opened.connect()
    if db.dialect() == "postgresql" and db.version():
        empty_postgresql()
    else:
        db.migrate()
    yield url
    differences = books.differences()
    opened.close()
    assert differences == []


def empty_postgresql() -> None:
    """Empty every table; no trigger stands in the way of who replicates. Making the schema anew takes five times as long."""
    emptied = [table for table in models.ALL_TABLES if table is not models.Catalog]
    tables = ", ".join(f'"{table._meta.table_name}"' for table in emptied)
    db.database.execute_sql("SET session_replication_role = replica")
    db.database.execute_sql(f"TRUNCATE {tables} RESTART IDENTITY")
    db.database.execute_sql("SET session_replication_role = origin")
    models.OffPeakPeriod.delete().execute()  # no trigger has told the catalog that its copies are old
