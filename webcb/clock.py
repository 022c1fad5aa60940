"""The two clocks: `monotonic` for deadlines and durations, `utc_now` for bills and pages. Nobody else reads the time."""

import time
from datetime import UTC, datetime


def monotonic() -> float:
    """Seconds on a clock that never jumps; comparable only within one machine's uptime."""
    return time.monotonic()


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)
