"""An installation a test, on ports of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.callback.installation import Installation
from tests.ports import free_ports
from webcb import db


@contextmanager
def running(folder: Path, database_url: str = "", **settings: str) -> Iterator[Installation]:
    """An installation whose engine runs; afterwards it stops with no session left and no fault logged."""
    with free_ports() as ports:
        installation = Installation.make(folder, ports, database_url, **settings)
        try:
            installation.start_engine()
            yield installation
            if installation.engine is not None:
                installation.stop_engine()
            for wrong in ("Traceback", " ERROR ", "ends before every call"):
                assert wrong not in installation.log()
        finally:
            installation.close()


@pytest.fixture
def webcb(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    with running(tmp_path, database_url) as installation:
        yield installation


@pytest.fixture
def webcb_in_kernel(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    with running(tmp_path, database_url, WEBCB_RTP_KERNEL="auto") as installation:
        yield installation


@pytest.fixture
def webcb_on_postgresql(tmp_path: Path, postgresql_url: str) -> Iterator[Installation]:
    opened = db.connect(postgresql_url)
    opened.execute_sql("DROP SCHEMA public CASCADE")
    opened.execute_sql("CREATE SCHEMA public")
    opened.close()
    with running(tmp_path, postgresql_url) as installation:
        yield installation
