"""The moments between one engine and the next, in which nobody hears anybody: the process that goes on comes before all others.

Where it may: as root, with CAP_SYS_NICE, or by RLIMIT_NICE. Afterwards it comes as before; the thread that carries the voice is a
real-time one, which this does not touch.

Where the kernel groups what runs by sessions (sched_autogroup), the niceness of a process counts among those of its session alone, and
the session has one of its own: who leads a session, as under `webcb serve` and systemd, moves that too.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

FIRST: Final = -15  # of nice; about thirty times what a process has that says nothing
AGAIN_SECONDS: Final = 0.2  # the kernel lets a session be moved ten times a second, whosever it is
TRIES_MAX: Final = 25
_SESSION: Final = Path("/proc/self/autogroup")  # "/autogroup-123 nice 0"; sched(7)


def come_first() -> None:
    """Let this thread, and those it starts from now on, come before other processes; nothing happens where that is not allowed."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, min(FIRST, os.getpriority(os.PRIO_PROCESS, 0)))
    with suppress(OSError):  # at once or not at all
        if os.getsid(0) == os.getpid():
            _SESSION.write_text(str(FIRST))


def come_as(nice: int) -> None:
    """Let all threads of this process come as they came before `come_first`, when they were as `nice`."""
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError, PermissionError):  # it has just ended; or was never first
            os.setpriority(os.PRIO_PROCESS, int(task.name), nice)
    _let_session_come_as_before()


def _let_session_come_as_before(tries: int = 1) -> None:
    """A session that we lead began at 0."""
    if os.getsid(0) != os.getpid():
        return
    try:
        _SESSION.write_text("0")
    except BlockingIOError:
        if tries < TRIES_MAX:
            again = threading.Timer(AGAIN_SECONDS, _let_session_come_as_before, (tries + 1,))
            again.daemon = True
            again.start()
    except OSError:  # sessions are not grouped, or we may not
        return


def niceness() -> int:
    """How this thread comes now."""
    return os.getpriority(os.PRIO_PROCESS, 0)
