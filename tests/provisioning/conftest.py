"""A fresh database on a real file, and the books checked at the end of every test that uses it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Protocol

import pytest

from webcb import db, models
from webcb.billing import books, credentials
from webcb.provisioning.apply import apply
from webcb.provisioning.document import read
from webcb.provisioning.report import Report

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BASE = (Path(__file__).parent / "base.yaml").read_text()
EXAMPLE = (resources.files("webcb.provisioning") / "example.yaml").read_text()


def counts() -> dict[str, int]:
    """The rows of every table."""
    return {table.__name__: table.select().count() for table in models.ALL_TABLES}


@pytest.fixture
def database(database_url: str) -> Iterator[None]:
    opened = db.connect(database_url)
    opened.connect()
    db.migrate()
    credentials.use_key("the key of the tests")
    yield
    differences = books.differences()
    opened.close()
    assert differences == []


class Applies(Protocol):
    def __call__(
        self, text: str, at: datetime = AT, *, dry_run: bool = False, set_passwords: bool = False
    ) -> Report: ...


@pytest.fixture
def applied(database: None) -> Applies:
    """Applies the text of a file."""

    def run(text: str, at: datetime = AT, *, dry_run: bool = False, set_passwords: bool = False) -> Report:
        return apply(
            read(text.encode()), at, "cli:test", file="test.yaml", dry_run=dry_run, set_passwords=set_passwords
        )

    return run
