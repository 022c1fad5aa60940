"""A fresh database on a real file for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from webcb import db


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database that this thread has open; its books are checked at the end."""
    from webcb.billing import ledger

    url = f"sqlite:///{tmp_path / 'webcb.sqlite'}"
    opened = db.connect(url)
    opened.connect()
    db.migrate()
    yield url
    differences = ledger.differences()
    opened.close()
    assert differences == []
