"""An installation a test, its engine running; when the test is done the engine stops as it should and has logged no fault."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.callback.installation import Installation

PORTS = 200  # of one installation: the first hundred for SIP and phones, the rest for the bridge
PORTS_FROM, PORTS_TO = 22_000, 32_000  # below the ephemeral ports


def _free_ports() -> range:
    """A block of ports nobody has; searched anew for each test, as tests may run side by side."""
    for first in range(PORTS_FROM, PORTS_TO, PORTS):
        ports = range(first, first + PORTS)
        with ExitStack() as stack:
            try:
                for port in ports:
                    probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return ports
    raise AssertionError(f"no {PORTS} free ports between {PORTS_FROM} and {PORTS_TO}")


@pytest.fixture
def webcb(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation.make(tmp_path, _free_ports())
    try:
        installation.start_engine()
        yield installation
        if installation.engine is not None:
            installation.stop_engine()
        assert "Traceback" not in installation.log()
        assert " ERROR " not in installation.log()
    finally:
        installation.close()
