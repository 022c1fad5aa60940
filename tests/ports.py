"""Which ports tests may draw from: those of one test process are no other's, which may have to bind them again."""

import contextlib
import itertools
import os
import socket
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
