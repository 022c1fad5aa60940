"""The gate of one connection: how many calls it has, how fast they may start, and who waits for a turn. Pure.

Moments are microseconds of the monotonic clock, handed in. Here is nothing of SIP, legs or rows: a ticket is whatever the
caller tells its calls apart by. What is done when a turn comes stands in starts.py.
"""

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Final, Generic, TypeVar

QUEUE_LENGTH_MAX: Final = 100  # who would stand behind so many is sent on at once

SECOND_US: Final = 1_000_000

T = TypeVar("T", bound=Hashable)


class Gate(Generic[T]):
    """Calls over one connection: `capacity` at once, `calls_per_second` started; None is no limit of that kind.

    Starts are spread evenly, one every 1/calls_per_second: so no second, wherever it begins, sees more than allowed. Who cannot
    start stands in a queue in order of arrival; only those of `is_first` stand before all others. Where starts `are_booked`
    (turns.py) each takes one of the turns that came: from when to when.
    """

    def __init__(self) -> None:
        self.capacity: int | None = None
        self.calls_per_second: int | None = None
        # Where several nodes share the connection: what is ours of the capacity, what the others want, by how many the pace is divided.
        self.share: int | None = None
        self.elsewhere = 0
        self.nodes = 1
        self.are_booked = False
        self._turns: deque[tuple[int, int]] = deque()
        self._taken: dict[T, int] = {}  # until when the turn goes by which somebody was let in, until he is told
        self._calls = 0
        self._open_us = 0  # the pace allows no start before
        self._first: dict[T, int] = {}  # until when each waits, in order of arrival
        self._others: dict[T, int] = {}

    @property
    def waiting(self) -> tuple[T, ...]:
        """Who waits, the next one first."""
        return (*self._first, *self._others)

    @property
    def is_full(self) -> bool:
        """Whether those who are up and those who wait take all that the connection can carry."""
        return self.capacity is not None and self._calls + len(self.waiting) + self.elsewhere >= self.capacity

    def join(self, ticket: T, until_us: int, is_first: bool = False) -> bool:
        """Stand in the queue until a moment. `admit` says whether a turn has come, even at once.

        False where the queue is full, or where the pace alone would let that moment pass.
        """
        before = len(self._first) if is_first else len(self.waiting)
        if len(self.waiting) >= QUEUE_LENGTH_MAX or self._open_us + before * self._interval_us > until_us:
            return False
        (self._first if is_first else self._others)[ticket] = until_us
        return True

    def leave(self, ticket: T) -> None:
        """Wait no longer; who does not wait is not missed."""
        self._first.pop(ticket, None)
        self._others.pop(ticket, None)

    def admit(self, now_us: int) -> list[T]:
        """Those whose turn it is: each leaves the queue and counts as a call until `end`."""
        admitted = []
        self._lapse(now_us)
        for ticket in self.waiting:
            if not self._has_room or not self._is_open(now_us):
                break
            self.leave(ticket)
            self.add()
            admitted.append(ticket)
            if self._goes_by_turns:
                self._taken[ticket] = self._turns.popleft()[1]
            else:
                self._open_us = now_us + self._interval_us
        return admitted

    # Turns

    def book(self, turns: Iterable[tuple[int, int]]) -> None:
        """Turns have come, later than those that came before: from when to when each goes."""
        self._turns.extend(turns)
        if self._turns:
            self._open_us = self._turns[-1][0] + self._interval_us

    @property
    def turns_wanted(self) -> int:
        """How many turns more are wanted for those who wait, a second of them at most: more are soon worth nothing."""
        if not self._goes_by_turns:
            return 0
        limits = [each for each in (self.capacity, self.share) if each is not None]
        room = min(limits) - self._calls if limits else QUEUE_LENGTH_MAX
        return min(len(self.waiting), room, self.calls_per_second or 0) - len(self._turns)

    def turn(self, ticket: T) -> int | None:
        """Until when the turn goes by which somebody was admitted; None: by none."""
        return self._taken.pop(ticket, None)

    @property
    def _goes_by_turns(self) -> bool:
        return self.are_booked and self.calls_per_second is not None

    def _is_open(self, now_us: int) -> bool:
        if self._goes_by_turns:
            return bool(self._turns) and self._turns[0][0] <= now_us
        return now_us >= self._open_us

    def _lapse(self, now_us: int) -> None:
        while self._turns and self._turns[0][1] < max(now_us, self._turns[0][0]):
            self._turns.popleft()

    def expire(self, now_us: int) -> list[T]:
        """Those who have waited their time: they leave the queue. Ask after `admit`: a turn that comes at last is taken."""
        late = [ticket for ticket, until_us in self._waits if until_us <= now_us]
        for ticket in late:
            self.leave(ticket)
        return late

    @property
    def calls(self) -> int:
        """How many calls there are."""
        return self._calls

    def add(self) -> None:
        """Count a call that stood in no queue."""
        self._calls += 1

    def end(self) -> None:
        """A call that was counted is over."""
        self._calls -= 1

    def next_us(self) -> int | None:
        """When `admit` or `expire` may have somebody to tell, if nothing else happens; None: never."""
        moments = [until_us for _, until_us in self._waits]
        if moments and self._has_room:
            moments += [self._open_us] if not self._goes_by_turns else [from_us for from_us, _ in list(self._turns)[:1]]
        return min(moments, default=None)

    @property
    def _interval_us(self) -> int:
        return 0 if self.calls_per_second is None else -(-SECOND_US * self.nodes // self.calls_per_second)

    @property
    def _has_room(self) -> bool:
        limits = [each for each in (self.capacity, self.share) if each is not None]
        return not limits or self._calls < min(limits)

    @property
    def _waits(self) -> Iterable[tuple[T, int]]:
        return (*self._first.items(), *self._others.items())
