"""Whose turn it is: one engine runs on a data folder, the next one may stand by, warm, until the folder is free.

Who holds the lock of the folder is the engine. The kernel takes the lock from a process however that ends, so who stands by goes on
within milliseconds of a kill -9. The engine is told by its doorbell that somebody stands by, or that it is to make room.
"""

import fcntl
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from webcb import clock, doorbell
from webcb.settings import Settings

log = logging.getLogger(__name__)

LOCK_FILE: Final = "engine.lock"
IDENTITY_FILE: Final = "engine.id"
STANDS_BY: Final = b"s"  # said by the doorbell: who asked the engine to make room, or will, is warm
TAKES_OVER: Final = b"t"  # make room now
GONE_SECONDS_MAX: Final = 5.0  # for the engine before us to be gone for good
GONE_LOOK_SECONDS: Final = 0.005
EXIT_CANNOT_START: Final = 2
ASK_AGAIN_SECONDS: Final = 1.0  # an engine that only starts does not hear the doorbell yet


class StartProblem(Exception):
    """The engine cannot start; the message says why and what to do."""


def identity(data_dir: Path) -> str:
    """What names this installation: its folder, on this host."""
    path = data_dir / IDENTITY_FILE
    try:
        with path.open("x") as made:
            made.write(secrets.token_hex(8))
    except FileExistsError:
        pass
    return f"{socket.gethostname()[:64]}/{path.read_text()[:16]}"


# A lock is a descriptor that nobody closes: it goes with the process, and so not before the ports of the voice that is left flowing.


def only_engine_of(settings: Settings) -> None:
    """Take the lock on the data folder, now or not at all: a second engine on it would take the first one's callbacks for lost."""
    held = _opened(settings)
    if not _is_taken(held):
        _sign(held)
        return
    os.close(held)
    raise StartProblem(
        f"another engine runs on {settings.data_dir}; stop it, or choose another folder with WEBCB_DATA_DIR"
    )


def next_engine_of(settings: Settings, takes_over: bool, get_ready: Callable[[], None]) -> bool:
    """Take the lock on the data folder as soon as the engine before us has gone; whether we had to wait. `takes_over`: it is asked to.

    Who has to wait does `get_ready` first. SIGTERM and SIGHUP end who waits here.
    """
    held = _opened(settings)
    if not _is_taken(held):
        _sign(held)
        return False
    said = TAKES_OVER if takes_over else STANDS_BY
    log.info(
        "stands by: another engine runs on %s%s", settings.data_dir, ", and is asked to make room" if takes_over else ""
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    is_over = threading.Event()
    get_ready()
    asking = threading.Thread(target=_ask, args=(settings, said, is_over, takes_over), daemon=True)
    asking.start()
    fcntl.flock(held, fcntl.LOCK_EX)
    is_over.set()
    _wait_until_gone(held)
    _sign(held)
    return True


def _sign(held: int) -> None:
    """Write whose the lock is."""
    os.ftruncate(held, 0)
    os.pwrite(held, str(os.getpid()).encode(), 0)


def _wait_until_gone(held: int) -> None:
    """Who dies gives back the lock a moment before its addresses: wait until it has neither."""
    signed = os.pread(held, 32, 0).decode()
    stat = Path(f"/proc/{signed}/stat")
    give_up_at = clock.monotonic() + GONE_SECONDS_MAX
    pause = threading.Event()
    while signed and clock.monotonic() < give_up_at:
        try:
            if stat.read_text().rpartition(")")[2].split()[0] in "ZX":  # dead, and not buried yet
                return
        except (OSError, IndexError):
            return
        pause.wait(GONE_LOOK_SECONDS)


def _ask(settings: Settings, said: bytes, is_over: threading.Event, again: bool) -> None:
    doorbell.ring(settings.doorbell, said)
    while again and not is_over.wait(ASK_AGAIN_SECONDS):
        doorbell.ring(settings.doorbell, said)


def _opened(settings: Settings) -> int:
    return os.open(settings.data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_taken(held: int) -> bool:
    """Whether another has the lock; else we have it now."""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
