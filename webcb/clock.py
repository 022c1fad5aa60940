"""The two clocks: `monotonic` for deadlines and durations, `utc_now` for bills and pages. Nobody else reads the time."""

import os
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STARTED_FIELD = (
    19  # of those behind the name of the program in /proc/self/stat: ticks after the boot, proc_pid_stat(5)
)


def monotonic() -> float:
    """Seconds on a clock that never jumps; comparable only within one machine's uptime."""
    return time.monotonic()


@cache
def uptime_id() -> str:
    """Names this uptime of the machine: two processes that read the same may compare `monotonic`. "" where it is not known."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def process_seconds() -> float:
    """For how long this process has been there, from its fork on, to a hundredth of a second; 0.0 where that is not known."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[_STARTED_FIELD])
    except (OSError, IndexError, ValueError):
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
