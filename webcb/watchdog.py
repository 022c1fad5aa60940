"""Signs of life, in the words of systemd (sd_notify): who is watched sends them to the socket that NOTIFY_SOCKET names.

An engine sends them from its loop: to `webcb serve`, or to systemd where it is a service of its own. `webcb serve` sends its own
to systemd.
"""

import contextlib
import itertools
import os
import socket
from typing import Final

SOCKET: Final = "NOTIFY_SOCKET"
BEAT: Final = b"WATCHDOG=1"
READY: Final = b"READY=1"
STOPPING: Final = b"STOPPING=1"
OCTETS_MAX: Final = 4096

_numbers = itertools.count()


class Lifeline:
    """To who watches this process; where nobody does, nothing is sent."""

    def __init__(self) -> None:
        name = os.environ.get(SOCKET, "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) if name else None

    @property
    def is_watched(self) -> bool:
        """Whether anybody wants to know."""
        return self._socket is not None

    def say(self, said: bytes) -> None:
        """Send one word; one that cannot be taken now is lost, another follows."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(said, self._address)

    def beat(self) -> None:
        """It lives."""
        self.say(BEAT)

    def close(self) -> None:
        """Say no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Ear:
    """Of who watches one process: an address that it is told, and what it said."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        name = f"webcb-{os.getpid()}-{next(_numbers)}"
        self._socket.bind(f"\0{name}")
        self.environment = {SOCKET: f"@{name}"}

    def has_heard(self) -> bool:
        """Whether it gave a sign of life since this was asked last."""
        heard = False
        with contextlib.suppress(BlockingIOError):
            while True:
                heard = BEAT in self._socket.recv(OCTETS_MAX) or heard
        return heard

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


def unwatched() -> dict[str, str]:
    """The environment for a process that is not to speak to who watches us."""
    return {name: value for name, value in os.environ.items() if name != SOCKET}
