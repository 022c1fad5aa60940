"""The two clocks: `monotonic` for deadlines and durations, `utc_now` for bills and pages. Nobody else reads the time."""

import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


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
