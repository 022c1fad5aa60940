"""An installation a test, on ports of its own."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.callback.installation import Installation
from webcb import db

PORTS = 200  # of one installation: the first hundred for SIP and phones, the rest for the bridge
CLAIM = 99  # the one that nobody uses
PORTS_FROM, PORTS_TO = 22_000, 32_000  # below the ephemeral ports


def _bound(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.bind(("127.0.0.1", port))
    except OSError:
        opened.close()
        raise
    return opened


@contextmanager
def free_ports() -> Iterator[range]:
    """A block of ports nobody has. Tests may run side by side: a block is claimed by its port CLAIM, held to the end."""
    for first in range(PORTS_FROM, PORTS_TO, PORTS):
        ports = range(first, first + PORTS)
        with ExitStack() as held:
            try:
                held.enter_context(_bound(ports[CLAIM]))
                for port in ports:
                    if port != ports[CLAIM]:
                        _bound(port).close()
            except OSError:
                continue
            yield ports
            return
    raise AssertionError(f"no {PORTS} free ports between {PORTS_FROM} and {PORTS_TO}")


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
