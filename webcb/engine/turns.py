"""Turns to start a call, where several nodes share a connection's calls per second: booked in the database, one after the other.

All nodes book in one row, by the clock of the database: so turns are as far apart as the pace wants it, whoever has them, and first
come is first served. A node translates a turn to its own clock, as exactly as it knows the other one, and lets it lapse rather than
take it early or late. Jobs of a journal.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from webcb import clock
from webcb.billing import query

SECOND_US: Final = 1_000_000
LATE_US_MAX: Final = 30_000  # after its moment a turn is not taken any more
# Turns are a little further apart than the pace would have it: so no second, wherever it begins, sees more, though one is taken
# late and the next one in time, and one packet travels longer than another.
SPARE_US: Final = 60_000  # a second
AHEAD_US_MAX: Final = 60 * SECOND_US  # nobody books so far ahead: the clock of the database was set back
LOOK_BACK_US: Final = 10 * SECOND_US  # clocks drift: of what was seen before nothing is believed

_NOW: Final = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT"
_BOOK: Final = f"""
    INSERT INTO connection_pace AS pace (connection_id, next_at) VALUES (?, {_NOW} + ?)
        ON CONFLICT (connection_id) DO UPDATE
       SET next_at = ? + CASE WHEN pace.next_at > {_NOW} + {AHEAD_US_MAX} THEN {_NOW} ELSE GREATEST(pace.next_at, {_NOW}) END
    RETURNING next_at, {_NOW} AS now
"""  # noqa: S608  constants only


class Turn(NamedTuple):
    """From when to when a call may start, microseconds of the monotonic clock; never, where the other clock is known too badly."""

    from_us: int
    until_us: int


class FarClock:
    """What a moment of another host's clock is on ours: that lies between the question and the answer, whenever it was asked."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int, int]] = deque()  # when here, and between which bounds their clock is ahead

    def note(self, asked_us: int, answered_us: int, there_us: int) -> None:
        """Between these two moments of ours it was this one there."""
        self._seen.append((answered_us, there_us - answered_us, there_us - asked_us))
        while self._seen[0][0] < answered_us - LOOK_BACK_US:
            self._seen.popleft()
        least, most = self._bounds()
        if least > most:  # it was set
            last = self._seen[-1]
            self._seen.clear()
            self._seen.append(last)

    def here(self, there_us: int) -> tuple[int, int]:
        """Between which moments here it is a moment there; asked after `note`."""
        least, most = self._bounds()
        return there_us - most, there_us - least

    def _bounds(self) -> tuple[int, int]:
        return max(least for _, least, _ in self._seen), min(most for _, _, most in self._seen)


class Journal(Protocol):
    """A desk at the database: see journal.Journal."""

    def post(self, work: Callable[[], Any], done: Callable[[Any], None] | None = None) -> None: ...


class Turns:
    """Where turns are booked: by a journal of its own, for nothing else may stand between a question and its answer."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._clock = FarClock()

    def book(
        self, connection_id: int, calls_per_second: int, count: int, booked: Callable[[list[Turn] | Exception], None]
    ) -> None:
        """Book so many turns; `booked` gets them in order."""
        interval_us = -(-(SECOND_US + SPARE_US) // calls_per_second)
        self._journal.post(partial(self._book, connection_id, interval_us, count), booked)

    def _book(self, connection_id: int, interval_us: int, count: int) -> list[Turn]:
        query.change("SET LOCAL synchronous_commit = off")  # a power cut takes longer than any turn is ahead
        asked_us = _now_us()
        span_us = interval_us * count
        (row,) = query.rows(_BOOK, connection_id, span_us, span_us)
        self._clock.note(asked_us, _now_us(), row["now"])
        first_us = row["next_at"] - span_us
        bounds = (self._clock.here(first_us + number * interval_us) for number in range(count))
        return [Turn(latest, earliest + LATE_US_MAX) for earliest, latest in bounds]


def _now_us() -> int:
    return int(clock.monotonic() * SECOND_US)
