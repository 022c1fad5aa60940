"""The deadlines of everything in the stack, one heap for all: the next is known at once, however many calls there are.

Values in seconds of the clock that the owner hands in; nothing here reads one.
"""

from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, Protocol

T1: Final = 0.5  # seconds, RFC 3261, 17.1.1.1 and the table in its appendix A
T2: Final = 4.0
T4: Final = 5.0
TIMEOUT: Final = 64 * T1  # timers B, D, F, H, J, L, M: 32 s
STALE_MIN: Final = 256  # entries, below which nobody looks for those that are stopped


class Timed(Protocol):
    """Whoever has deadlines: `deadlines` by the timer's name is the truth, the heap only the order."""

    deadlines: dict[str, float]

    def on_timer(self, timer: str, now: float) -> None:
        """A deadline has come; it is no longer among `deadlines`."""


class Timers:
    """All deadlines in order. A deadline stopped or started anew leaves its old entry in the heap until its time comes.

    Not for ever: a session timer comes half an hour after its call has ended, and who has it has all of the call. As soon as there
    are twice as many entries as were in force, those that are not are thrown out.
    """

    __slots__ = ("_heap", "_order", "_size_max")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed, str]] = []
        self._size_max = STALE_MIN
        self._order = count()  # so that two deadlines of one moment come in the order they were set

    def start(self, owner: Timed, timer: str, at: float) -> None:
        """Set a timer of `owner`, whatever it was before."""
        owner.deadlines[timer] = at
        heappush(self._heap, (at, next(self._order), owner, timer))
        if len(self._heap) > self._size_max:
            self._throw_out()

    def next_deadline(self) -> float | None:
        """When the next timer fires, None when none will."""
        heap = self._heap
        while heap:
            at, _, owner, timer = heap[0]
            if owner.deadlines.get(timer) == at:
                return at
            heappop(heap)
        return None

    def fire(self, now: float) -> None:
        """Tell everyone whose deadline has come, in order."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, _, owner, timer = heappop(heap)
            if owner.deadlines.get(timer) == at:
                del owner.deadlines[timer]
                owner.on_timer(timer, now)

    def _throw_out(self) -> None:
        """Keep what is in force. The list stays the same one: somebody may be going through it."""
        self._heap[:] = [entry for entry in self._heap if entry[2].deadlines.get(entry[3]) == entry[0]]
        heapify(self._heap)
        self._size_max = max(STALE_MIN, 2 * len(self._heap))
