"""A fresh database for every test that asks for one: `database` as `--database` says, `either_database` there and on a PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests import databases
from webcb import db


@pytest.fixture
def database(database_url: str) -> Iterator[str]:
    """The URL of a migrated database that this thread has open; its books are checked at the end."""
    yield from opened(database_url)


@pytest.fixture
def postgresql_database(migrated_postgresql: str) -> Iterator[str]:
    """The same on a real PostgreSQL."""
    yield from opened(migrated_postgresql)


@pytest.fixture(params=["database", "postgresql_database"], ids=["sqlite", "postgresql"])
def either_database(request: pytest.FixtureRequest) -> str:
    """The URL of the one and of the other: what is promised holds on both."""
    return str(request.getfixturevalue(request.param))


def opened(url: str) -> Iterator[str]:
    """A fresh database at `url`, its books checked at the end."""
    from webcb.billing import books

    opened = db.connect(url)
    if db.dialect() == "postgresql":
        databases.empty(url)
    opened.connect()
    db.migrate()
    yield url
    differences = books.differences()
    opened.close()
    assert differences == []
