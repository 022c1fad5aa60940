"""The deadlines of everything in the stack, one heap for all: the next is known at once, however many calls there are.

Values in seconds of the clock that the owner hands in; nothing here reads one.
"""

from heapq import heappop, heappush
from itertools import count
from typing import Final, Protocol

T1: Final = 0.5  # seconds, RFC 3261, 17.1.1.1 and the table in its appendix A
T2: Final = 4.0
T4: Final = 5.0
TIMEOUT: Final = 64 * T1  # timers B, D, F, H, J, L, M: 32 s


class Timed(Protocol):
    """Whoever has deadlines: `deadlines` by the timer's name is the truth, the heap only the order."""

    deadlines: dict[str, float]

    def on_timer(self, timer: str, now: float) -> None:
        """A deadline has come; it is no longer among `deadlines`."""


class Timers:
    """All deadlines in order. A deadline stopped or started anew leaves its old entry in the heap until its time comes."""

    __slots__ = ("_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed, str]] = []
        self._order = count()  # so that two deadlines of one moment come in the order they were set

    def start(self, owner: Timed, timer: str, at: float) -> None:
        """Set a timer of `owner`, whatever it was before."""
        owner.deadlines[timer] = at
        heappush(self._heap, (at, next(self._order), owner, timer))

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
