"""Following a callback live: server-sent events, each the whole view at a moment, and how many may follow at once.

Knows nothing of callbacks or Flask: what is looked at, how it is written and how to wait are handed in. A stream is short and
the browser comes back for the next one by itself, so that no thread of a worker is held for as long as somebody talks, and
a worker asked to stop has none of them to wait for.
"""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

POLL_SECONDS = 0.3
STREAM_SECONDS_MAX = 8.0
RECONNECT_MS = 200
# Of a worker's threads this share may hold a stream; the others stay free for everything else.
VIEWERS_SHARE = 0.75


class Seen(Protocol):
    """One look at what is followed; looks are compared to find out whether anything changed."""

    @property
    def is_ended(self) -> bool: ...


T = TypeVar("T", bound=Seen)


class Viewers:
    """Counts the streams of this process and admits no more than `viewers_max`."""

    def __init__(self, viewers_max: int) -> None:
        self._places = threading.BoundedSemaphore(viewers_max)

    def enter(self) -> bool:
        """Take a place; False when all are taken."""
        return self._places.acquire(blocking=False)

    def leave(self) -> None:
        """Give the place back."""
        self._places.release()


def viewers_max(threads: int) -> int:
    """How many may follow in a worker of so many threads: one at least, and never all threads."""
    return max(1, min(threads - 1, int(threads * VIEWERS_SHARE)))


def stream(look: Callable[[], T], write: Callable[[T], Any], pause: Callable[[float], Any]) -> Iterator[str]:
    """The events of one stream: the view at once, then whenever it changed, until it has ended or the stream is old."""
    yield f"retry: {RECONNECT_MS}\n\n"
    shown: T | None = None
    watched_seconds = 0.0
    while watched_seconds < STREAM_SECONDS_MAX:
        seen = look()
        if seen != shown:
            yield f"data: {json.dumps(write(seen))}\n\n"
            shown = seen
        if seen.is_ended:
            return
        pause(POLL_SECONDS)
        watched_seconds += POLL_SECONDS
