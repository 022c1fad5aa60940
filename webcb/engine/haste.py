"""The moments between one engine and the next, in which nobody hears anybody: the process that goes on comes before all others.

Where it may: as root, with CAP_SYS_NICE, or by RLIMIT_NICE. Afterwards it comes as before; the thread that carries the voice is a
real-time one, which this does not touch.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FIRST: Final = -15  # of nice; about thirty times what a process has that says nothing


def come_first() -> None:
    """Let this thread, and those it starts from now on, come before other processes; nothing happens where that is not allowed."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, min(FIRST, os.getpriority(os.PRIO_PROCESS, 0)))


def come_as(nice: int) -> None:
    """Let all threads of this process come as they came before `come_first`, when they were as `nice`."""
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError, PermissionError):  # it has just ended; or was never first
            os.setpriority(os.PRIO_PROCESS, int(task.name), nice)


def niceness() -> int:
    """How this thread comes now."""
    return os.getpriority(os.PRIO_PROCESS, 0)
