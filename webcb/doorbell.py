"""The doorbell: a datagram on a Unix socket that wakes the engine of this host the moment a row awaits it.

A missed ring costs only time: the engine also looks by itself every little while.
"""

import socket
from pathlib import Path


def ring(path: Path, said: bytes = b"") -> None:
    """Wake the engine listening at `path`; silently nothing where none listens or it is being woken already.

    `said` is a byte that another engine has for it (engine/succession.py).
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        try:
            bell.sendto(said, str(path))
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            return


def listen(path: Path) -> socket.socket:
    """A non-blocking socket that becomes readable at a ring; takes the place of one left by an engine that died."""
    path.unlink(missing_ok=True)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.setblocking(False)
    bell.bind(str(path))
    path.chmod(0o600)
    return bell
