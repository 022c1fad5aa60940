"""Which ports tests may draw from: those of one test process are no other's, which may have to bind them again."""

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator
from typing import Final

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
MEDIA_MIN: Final = 10_000 + 1_000 * _WORKER
MEDIA_MAX: Final = MEDIA_MIN + 999

_FREE_FROM, _FREE_COUNT = 7_000 + 290 * _WORKER, 290  # browsers refuse some below, as 6000 and 6667
_turns = itertools.count(os.getpid())  # two suites side by side begin at different places


def free_port() -> int:
    """A port of 127.0.0.1 that is free for UDP and TCP.

    It is below those that the kernel hands out by itself: one of them could be some connection's by the time it is bound.
    """
    for turn in itertools.islice(_turns, _FREE_COUNT):
        port = _FREE_FROM + turn % _FREE_COUNT
        with contextlib.suppress(OSError):
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
                    probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


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


@contextlib.contextmanager
def free_ports() -> Iterator[range]:
    """A block of ports nobody has. Tests may run side by side: a block is claimed by its port CLAIM, held to the end."""
    for first in range(PORTS_FROM, PORTS_TO, PORTS):
        ports = range(first, first + PORTS)
        with contextlib.ExitStack() as held:
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
