"""How exactly the bridge keeps 20 ms: legs that hear a tone, each frame stamped by the kernel when it arrives.

All legs play to one socket, which tells them apart by where they send from. A deviation is that of the time between two frames of
one leg from 20 ms.
"""

import socket
import statistics
import struct
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from bench.table import Beside
from rtpbridge import Bridge, Tone

HOST = "127.0.0.1"
PORT_MIN, PORT_MAX = 10_000, 12_999
LEGS = 200
SECONDS = 5
FRAME_MS = 20.0
SO_TIMESTAMPNS = 35  # of Linux; the socket module does not name it
PAYLOADS = {"PCMU/8000": 0}
RECEIVE_BYTES = 4 << 20
_FRAMES_LEFT_OUT = 5  # of each leg: opening and starting so many takes its time


@dataclass(frozen=True)
class Pacing:
    """Deviations in milliseconds, and how many frames each leg had at least and at most."""

    p50_ms: float
    p99_ms: float
    worst_ms: float
    frames_least: int
    frames_most: int


def _stamped(listener: socket.socket) -> tuple[tuple[str, int], float]:
    _packet, ancillary, _flags, source = listener.recvmsg(512, 64)
    seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
    return source, seconds * 1e3 + nanoseconds / 1e6


def measure(legs: int, seconds: float) -> Pacing:
    """Plays to so many legs for so long."""
    arrivals: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener, Bridge(HOST, PORT_MIN, PORT_MAX) as bridge:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        listener.bind((HOST, 0))
        listener.settimeout(1.0)
        ports = [bridge.open_port() for _ in range(legs)]
        for port in ports:
            port.connect(HOST, listener.getsockname()[1], PAYLOADS)
        for port in ports:
            port.play(Tone((425.0,)))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            source, at_ms = _stamped(listener)
            arrivals[source].append(at_ms)
    heard = [moments[_FRAMES_LEFT_OUT:] for moments in arrivals.values()]
    deviations = [abs(later - sooner - FRAME_MS) for moments in heard for sooner, later in pairwise(moments)]
    return Pacing(
        p50_ms=statistics.median(deviations),
        p99_ms=statistics.quantiles(deviations, n=100)[98],
        worst_ms=max(deviations),
        frames_least=min(map(len, heard)) if len(heard) == legs else 0,
        frames_most=max(map(len, heard)),
    )


def run() -> dict[str, float]:
    """Measures, prints and returns the figures in some seconds."""
    pacing = measure(LEGS, SECONDS)
    figures = {
        "legs": LEGS,
        "deviation_p50_ms": pacing.p50_ms,
        "deviation_p99_ms": pacing.p99_ms,
        "deviation_worst_ms": pacing.worst_ms,
    }
    for name, figure in figures.items():
        print(f"{name:24}{figure:10.3f}")
    return {name: round(figure, 3) for name, figure in figures.items()}


def beside(figures: dict[str, float]) -> list[Beside]:
    """Beside the frame itself."""
    return [
        Beside("a frame of a tone: slowest hundredth off by", figures["deviation_p99_ms"], "ms", "the frame", FRAME_MS)
    ]


if __name__ == "__main__":
    run()
