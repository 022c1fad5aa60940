"""Whose INVITE may go now: the gates of all connections, kept on the clock, and those who wait told their place.

The rule of one gate is shaping.py's; which leg waits for which route is calls.py's.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from webcb.billing.routing import RouteChoice
from webcb.engine.lease import TakenOver
from webcb.engine.line import Alarm, Timekeeper
from webcb.engine.shaping import SECOND_US, Gate
from webcb.engine.shares import Share, Use
from webcb.engine.turns import Turn, Turns

log = logging.getLogger(__name__)

WHOLE: Final = Share(None, None)
NONE_YET: Final = Share(None, 0)  # of a connection that is new, where others may use it too: the next look says more
BOOK_AGAIN_SECONDS: Final = 1.0  # after turns could not be booked for a reason that is not the database's
TELL_SECONDS: Final = 1.0  # who has been told his place on coming is told of changes no more often


@dataclass(eq=False, slots=True)
class Ticket:
    """One leg at a connection's gate, until `Starts.leave`.

    `start` is its turn, `give_up` comes when it has waited its time, `tell` says its place in the queue (1: the next).
    """

    connection_id: int
    start: Callable[[], None]
    give_up: Callable[[], None]
    tell: Callable[[int], None]
    is_in: bool = False
    is_over: bool = False
    place: int = 0
    until_us: int | None = None  # goes the turn by which it was let in; None once its INVITE has left
    sessions: int = 0  # of the leg that are still on the wire


class Starts:
    """The gates. A leg asks by `enter` or `enter_unasked`; it takes its place until it leaves, also while it only waits.

    With `turns` the pace of a connection is that of all nodes together, to the INVITE as it leaves (`send`).
    """

    def __init__(self, timekeeper: Timekeeper) -> None:
        self._timekeeper = timekeeper
        self._gates: defaultdict[int, Gate[Ticket]] = defaultdict(Gate)
        self._alarms: dict[int, Alarm] = {}
        self._telling: set[int] = set()  # connections for whose queue an alarm to tell the places is set
        self._told_at: dict[int, float] = {}
        self._shares: dict[int, Share] = {}
        self.turns: Turns | None = None
        self._booking: set[int] = set()  # connections for which turns are asked for just now

    def uses(self) -> dict[int, Use]:
        """What this engine uses of each connection, by its id."""
        return {each: Use(gate.calls, len(gate.waiting)) for each, gate in self._gates.items()}

    def share(self, shares: Mapping[int, Share]) -> None:
        """What this engine may use of each limited connection from now on: who waits may get his turn by it."""
        self._shares = dict(shares)
        for connection_id, gate in self._gates.items():
            had = gate.share, gate.capacity
            self._limit(connection_id, gate)
            if connection_id in shares:
                gate.capacity = shares[connection_id].capacity
            if (gate.share, gate.capacity) != had:
                self._watch(connection_id)

    def is_full(self, route: RouteChoice) -> bool:
        """Whether the connection has no room for one more, those who wait for it included."""
        return self._gate(route).is_full

    def enter(self, route: RouteChoice, ticket: Ticket, until: float, is_first: bool) -> bool:
        """Ask for a turn: now, which `ticket.is_in` says and no call of `start`, or later; False where the queue is full."""
        gate = self._gate(route)
        if not gate.join(ticket, int(until * SECOND_US), is_first):
            return False
        for other in self._let_in(gate):
            if other is not ticket:  # there is more room than before, and it stood before us
                self._timekeeper.call_at(self._timekeeper.time(), self._begin, other)
        if not ticket.is_in:
            self._tell(ticket, gate.waiting.index(ticket) + 1)
        self._watch(route.connection_id)
        return True

    def enter_unasked(self, ticket: Ticket) -> None:
        """Take a place whatever the limits are."""
        self._gates[ticket.connection_id].add()
        ticket.is_in = True

    def leave(self, ticket: Ticket) -> None:
        """Give back the place, in the queue or beyond; somebody else's turn may come by it, in the next round of the loop."""
        if ticket.is_over:
            return
        ticket.is_over = True
        ticket.start = ticket.give_up = ticket.tell = _nothing  # who is told has it in turn: both may go at once
        gate = self._gates[ticket.connection_id]
        if ticket.is_in:
            gate.end()
        else:
            gate.leave(ticket)
        self._watch(ticket.connection_id)

    # Turns

    def send(self, ticket: Ticket, send: Callable[[], None]) -> None:
        """Let an INVITE of the ticket leave: now, or by another turn where its own has passed, or served for one before."""
        gate, until_us = self._gates[ticket.connection_id], ticket.until_us
        ticket.until_us = None
        if self.turns is None or gate.calls_per_second is None or (until_us is not None and self._now_us() <= until_us):
            send()
        elif not ticket.is_over:
            again = partial(self._send_later, ticket, send)
            self.turns.book(ticket.connection_id, gate.calls_per_second, 1, again)

    def _send_later(self, ticket: Ticket, send: Callable[[], None], booked: list[Turn] | Exception) -> None:
        if isinstance(booked, Exception):
            log.error("no turn could be booked", exc_info=booked)
            send()
            return
        (turn,) = booked
        ticket.until_us = turn.until_us
        at = max(self._timekeeper.time(), (turn.from_us + 1) / SECOND_US)
        self._timekeeper.call_at(at, self.send, ticket, send)

    def _book(self, connection_id: int, gate: Gate[Ticket]) -> None:
        """Ask for the turns that those who wait lack."""
        wanted = gate.turns_wanted
        if self.turns is None or wanted <= 0 or gate.calls_per_second is None or connection_id in self._booking:
            return
        self._booking.add(connection_id)
        self.turns.book(connection_id, gate.calls_per_second, wanted, partial(self._booked, connection_id))

    def _booked(self, connection_id: int, booked: list[Turn] | Exception) -> None:
        self._booking.discard(connection_id)
        if isinstance(booked, Exception):
            log.error("turns could not be booked", exc_info=booked)
            self._timekeeper.call_at(self._timekeeper.time() + BOOK_AGAIN_SECONDS, self._watch, connection_id)
            return
        self._gates[connection_id].book(booked)
        self._look(connection_id)

    # Time

    def _gate(self, route: RouteChoice) -> Gate[Ticket]:
        """The connection's gate, with the limits as they were last read."""
        gate = self._gates[route.connection_id]
        gate.capacity, gate.calls_per_second = route.capacity, route.calls_per_second
        gate.are_booked = self.turns is not None
        self._limit(route.connection_id, gate)
        return gate

    def _limit(self, connection_id: int, gate: Gate[Ticket]) -> None:
        is_alone = all(share.nodes == 1 for share in self._shares.values())
        share = self._shares.get(connection_id, WHOLE if is_alone or gate.capacity is None else NONE_YET)
        gate.share, gate.elsewhere, gate.nodes = share.legs, share.elsewhere, share.nodes

    def _now_us(self) -> int:
        return int(self._timekeeper.time() * SECOND_US)

    def _let_in(self, gate: Gate[Ticket]) -> list[Ticket]:
        admitted = gate.admit(self._now_us())
        for ticket in admitted:
            ticket.is_in, ticket.until_us = True, gate.turn(ticket)
        return admitted

    def _watch(self, connection_id: int) -> None:
        """Set the alarm of a gate for whatever comes next there, and one to tell those who have moved up."""
        gate, now = self._gates[connection_id], self._timekeeper.time()
        alarm = self._alarms.pop(connection_id, None)
        if alarm is not None:
            alarm.cancel()
        self._book(connection_id, gate)
        next_us = gate.next_us()
        if next_us is not None:
            # + 1: never a hair too early, by the rounding of time()
            at = now if next_us <= self._now_us() else (next_us + 1) / SECOND_US
            self._alarms[connection_id] = self._timekeeper.call_at(at, self._look, connection_id)
        if connection_id not in self._telling and self._moved(gate):
            self._telling.add(connection_id)
            at = max(now, self._told_at.get(connection_id, 0.0) + TELL_SECONDS)
            self._timekeeper.call_at(at, self._tell_all, connection_id)

    def _look(self, connection_id: int) -> None:
        self._alarms.pop(connection_id, None)
        gate = self._gates[connection_id]
        admitted, late = self._let_in(gate), gate.expire(self._now_us())
        self._watch(connection_id)
        for ticket in admitted:
            if not ticket.is_over:  # what was done for one before may have ended another
                ticket.start()
        for ticket in late:
            if not ticket.is_over:
                ticket.give_up()

    def _begin(self, ticket: Ticket) -> None:
        if not ticket.is_over:
            ticket.start()

    def _tell_all(self, connection_id: int) -> None:
        self._telling.discard(connection_id)
        self._told_at[connection_id] = self._timekeeper.time()
        for place, ticket in self._moved(self._gates[connection_id]):
            if not ticket.is_over:
                self._tell(ticket, place)

    def _moved(self, gate: Gate[Ticket]) -> list[tuple[int, Ticket]]:
        """Who stands somewhere else than he was told, and where."""
        return [(place, ticket) for place, ticket in enumerate(gate.waiting, 1) if place != ticket.place]

    def _tell(self, ticket: Ticket, place: int) -> None:
        ticket.place = place
        ticket.tell(place)


def let_go(waiting: Sequence[Callable[[], None]], written: Any) -> None:
    """The rows are written, or cannot be for a reason of ours (which is in the log): in either case the call goes on.

    Not where it is ours no more: nobody would know of it.
    """
    if isinstance(written, TakenOver):
        log.warning("callback %s was taken over before its call could leave", written)
        return
    if isinstance(written, Exception):
        log.error("the rows of a call could not be written", exc_info=written)
    for send in waiting:
        send()


def _nothing(*_: Any) -> None:
    return
