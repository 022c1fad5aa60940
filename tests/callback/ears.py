"""Mouths and ears of phones: sockets that the SDP of their calls names. Each speaks to whom it hears, and knows when it heard.

Sipp has one port for the voice of all its calls; here every call has its own, so the gaps of each are known.
"""

import contextlib
import select
import socket
import struct
import threading
import time
from array import array
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from tests.callback.wire import SO_TIMESTAMPNS

PACKET_SECONDS = 0.02
SAMPLES = 160
VOICE = b"\x55" * SAMPLES  # PCMU, loud enough
BYTES_MAX = 2048

SESSION = Path("/proc/self/autogroup")  # sched(7)


@contextlib.contextmanager
def hosts_of_their_own() -> Iterator[None]:
    """Phones do not wait for the processor of an engine, which comes first on its host while it takes over: they come with it."""
    with contextlib.suppress(OSError):  # sessions are not grouped, or we may not
        SESSION.write_text("-15")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            SESSION.write_text("0")


class Ear:
    """One phone's socket: `heard` are the kernel's stamps of what reached it in seconds since 1970, `spoken` when it spoke."""

    def __init__(self, host: str, port: int) -> None:
        self.heard = array("d")
        self.spoken = array("d")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind((host, port))
        self.socket.setblocking(False)
        self._speaks_to: tuple[str, int] | None = None
        self._spoken = 0

    def hear(self) -> None:
        """Take all that has come."""
        while True:
            try:
                _, ancillary, _, self._speaks_to = self.socket.recvmsg(BYTES_MAX, 64)
            except BlockingIOError:
                return
            seconds, nanoseconds = struct.unpack("ll", ancillary[0][2])
            self.heard.append(seconds + nanoseconds / 1e9)

    def speak(self) -> None:
        """Say the next 20 ms to whom was heard last; nothing before anybody was."""
        if self._speaks_to is None:
            return
        number = self._spoken
        self._spoken += 1
        header = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * SAMPLES & 0xFFFFFFFF, 0x77656263)
        with contextlib.suppress(OSError):  # nobody is there at this moment: ICMP says so to a later call
            self.socket.sendto(header + VOICE, self._speaks_to)
        self.spoken.append(time.time())

    def gap(self, since: float, until: float) -> tuple[float, float]:
        """The longest time without a packet that began between two moments, or lasted then: from when to when; to `until` where none
        came after."""
        before = [at for at in self.heard if since - 1 <= at <= since][-1:]
        within = [at for at in self.heard if since < at]
        spans = [span for span in pairwise([*before, *within, until]) if span[0] < until]
        return max(spans, key=lambda span: span[1] - span[0], default=(since, until))

    def gap_seconds(self, since: float, until: float) -> float:
        """How long that was."""
        began, ended = self.gap(since, until)
        return ended - began


class Ears:
    """The sockets of many phones, heard and spoken to from `__init__` to `close`, in threads of their own."""

    def __init__(self, host: str, ports: Sequence[int]) -> None:
        self.all = [Ear(host, port) for port in ports]
        self._open = True
        self._threads = [threading.Thread(target=work, name="ears") for work in (self._hear, self._speak)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._open = False
        for thread in self._threads:
            thread.join()
        for ear in self.all:
            ear.socket.close()

    def _hear(self) -> None:
        by_descriptor = {ear.socket.fileno(): ear for ear in self.all}
        with select.epoll() as ready:
            for descriptor in by_descriptor:
                ready.register(descriptor, select.EPOLLIN)
            while self._open:
                for descriptor, _ in ready.poll(0.2):
                    by_descriptor[descriptor].hear()

    def _speak(self) -> None:
        due_at = time.monotonic()
        while self._open:
            for ear in self.all:
                ear.speak()
            due_at = max(due_at + PACKET_SECONDS, time.monotonic() - 1)
            time.sleep(max(0.0, due_at - time.monotonic()))
