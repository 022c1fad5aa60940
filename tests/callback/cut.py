"""A cable to a PostgreSQL that a test may cut: a relay between Unix sockets, as a process that can be stopped."""

import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs

from tests.waiting import wait_until

TOP = Path(__file__).parents[2]
SOCKET = ".s.PGSQL.5432"


class Cable:
    """The relay's process; `url` is what the server's was."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self._process = process

    def cut(self) -> None:
        """Nothing passes, and nobody is told."""
        self._process.send_signal(signal.SIGSTOP)

    def mend(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def cable(server_url: str, folder: Path) -> Iterator[Cable]:
    """A relay to the server of this URL."""
    (host,) = parse_qs(server_url.partition("?")[2])["host"]
    folder.mkdir()
    command = [sys.executable, "-m", "tests.callback.cut", str(folder / SOCKET), f"{host}/{SOCKET}"]
    process = subprocess.Popen(command, cwd=TOP)
    try:
        wait_until((folder / SOCKET).exists, "the relay listens")
        yield Cable(server_url.replace(host, str(folder)), process)
    finally:
        process.kill()
        process.wait()


def relay(here: str, there: str) -> None:
    """Pass on whatever comes, until killed."""
    with socket.socket(socket.AF_UNIX) as listening, selectors.DefaultSelector() as waiting:
        listening.bind(f"{here}.new")
        listening.listen()
        Path(f"{here}.new").rename(here)
        waiting.register(listening, selectors.EVENT_READ)
        other: dict[socket.socket, socket.socket] = {}
        while True:
            for key, _ in waiting.select():
                if key.fileobj is listening:
                    client, server = listening.accept()[0], socket.socket(socket.AF_UNIX)
                    server.connect(there)
                    for one, two in ((client, server), (server, client)):
                        other[one] = two
                        waiting.register(one, selectors.EVENT_READ)
                elif (end := key.fileobj) in other:
                    _pass(end, other, waiting)  # type: ignore[arg-type]


def _pass(end: socket.socket, other: dict[socket.socket, socket.socket], waiting: selectors.BaseSelector) -> None:
    try:
        octets = end.recv(65_536)
        if octets:
            other[end].sendall(octets)
            return
    except OSError:
        pass
    for each in (end, other.pop(end)):
        other.pop(each, None)
        waiting.unregister(each)
        each.close()


if __name__ == "__main__":
    relay(sys.argv[1], sys.argv[2])
