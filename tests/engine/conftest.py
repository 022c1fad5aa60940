"""A world for every test that asks for one: a database on a real file, its books checked at the end."""

from collections.abc import Iterator

import pytest

from tests import databases
from tests.engine.world import World
from webcb import db
from webcb.billing import books, credentials


@pytest.fixture
def database(database_url: str) -> Iterator[str]:
    """The URL of a migrated database that this thread has open."""
    url = database_url
    opened = db.connect(url)
    opened.connect()
    databases.forgo_durability()
    db.migrate()
    credentials.use_key("test")
    yield url
    differences = books.differences()
    opened.close()
    db.database.close()  # where a test has bound another one to the same file
    assert differences == []


@pytest.fixture
def world(database: str) -> Iterator[World]:
    """An engine, phones, and 5.00 on the account at 0.60 a minute by the second for either leg."""
    made = World(balance="5.00", first=1, following=1, price="0.60")
    yield made
    made.close()
