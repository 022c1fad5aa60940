"""The moments between one engine and the next, in which nobody hears anybody: the process that goes on comes before all others.

Where it may: as root, with CAP_SYS_NICE, or by RLIMIT_NICE. Afterwards it comes as before; the thread that carries the voice is a
real-time one, which this does not touch.

Where the kernel groups what runs by sessions (sched_autogroup), the niceness of a process counts among those of its session alone, and
the session has one of its own: who leads a session, as under `webcb serve` and systemd, moves that too.
"""

import os
from typing import Final

FIRST: Final = -15  # of nice; about thirty times what a process has that says nothing
AGAIN_SECONDS: Final = 0.2  # the kernel lets a session be moved ten times a second, whosever it is
TRIES_MAX: Final = 25
_SESSION: Final = "/proc/self/autogroup"  # "/autogroup-123 nice 0"; sched(7)


def come_first() -> int:
    """Let this thread, and those it starts from now on, come before other processes; how nice it was.

    Nothing happens where that is not allowed. Little is read in for this: who is not first yet waits for every file. Who was made
    first by who started it is to come as that one does afterwards.
    """
    nice = niceness()
    if nice <= FIRST:
        nice = os.getpriority(os.PRIO_PROCESS, os.getppid())
    try:  # noqa: SIM105 - contextlib is a file to read in
        os.setpriority(os.PRIO_PROCESS, 0, min(FIRST, nice))
    except PermissionError:
        pass
    try:  # at once or not at all
        if os.getsid(0) == os.getpid():
            _nice_session(FIRST)
    except OSError:
        pass
    return nice


def come_as(nice: int) -> None:
    """Let all threads of this process come as they came before `come_first`, when they were as `nice`."""
    from contextlib import suppress
    from pathlib import Path

    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError, PermissionError):  # it has just ended; or was never first
            os.setpriority(os.PRIO_PROCESS, int(task.name), nice)
    _let_session_come_as_before()


def _nice_session(nice: int) -> None:
    with open(_SESSION, "r+") as session:  # noqa: PTH123 - pathlib is many files to read in
        session.write(str(nice))


def _let_session_come_as_before(tries: int = 1) -> None:
    """A session that we lead began at 0."""
    if os.getsid(0) != os.getpid():
        return
    try:
        _nice_session(0)
    except BlockingIOError:
        if tries < TRIES_MAX:
            from threading import Timer

            again = Timer(AGAIN_SECONDS, _let_session_come_as_before, (tries + 1,))
            again.daemon = True
            again.start()
    except OSError:  # sessions are not grouped, or we may not
        return


def niceness() -> int:
    """How this thread comes now."""
    return os.getpriority(os.PRIO_PROCESS, 0)
