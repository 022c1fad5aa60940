"""The lookout: looks at the rows whenever the doorbell rings and every little while, and hands on what it finds.

It finds requests to claim, releases somebody asked for, accounts that were blocked, funds that came, and callbacks of this
node that nobody runs (recovery.py); and gives the node's sign of life. Nothing here waits; the jobs themselves stand in rows.py
and recovery.py.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from webcb.engine import doubt, neighbours, recovery, rows, shares
from webcb.engine.addresses import family_of
from webcb.engine.causes import Q850, Ending
from webcb.engine.exchange import Exchange, Journal
from webcb.engine.lease import Node
from webcb.engine.line import Alarm, Line, Timekeeper
from webcb.engine.neighbours import Neighbours
from webcb.engine.recovery import OpenLeg, Watched
from webcb.engine.resumption import Resumable
from webcb.engine.rows import Claimed
from webcb.engine.shares import Share
from webcb.sip.dialog import read_dialog
from webcb.sip.events import Cause
from webcb.sip.pending import read_invite

log = logging.getLogger(__name__)

CAUSE: Final = Cause(0, Q850.TEMPORARY_FAILURE)  # with which what is left up is ended
RESUME_SECONDS_MAX: Final = (
    5.0  # for the ports of who died to be free: the kernel takes its time to end what it did for it
)
RESUME_AGAIN_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 1.0  # between looks when no doorbell rings; also the node's sign of life
# A whole look reads every callback in progress: of MANY that costs more than the one that was rung for, and is not done at each of many
# rings in a row, but after so long. Who is requested is claimed at once all the same, and who is to be released is released.
MANY: Final = 50
WHOLE_GAP_SECONDS: Final = 0.2
RING_GAP_SECONDS: Final = 0.02  # between looks that are rung for from afar: what is asked of all engines rings at each
BLOCKED_SECONDS_MAX: Final = 0.1  # nothing in the loop may take so long: deadlines and BYEs would be late


class Lookout:
    """One look at a time: so what is unknown to the exchange when a look begins is run by nobody.

    `adopted` is called once the first look has found which calls of an engine before this one go on.
    """

    def __init__(
        self,
        timekeeper: Timekeeper,
        utc_now: Callable[[], datetime],
        lines: Mapping[int, Line],
        journal: Journal,
        exchange: Exchange,
        node: Node,
        adopted: Callable[[], None],
    ) -> None:
        self._timekeeper = timekeeper
        self._utc_now = utc_now
        self._lines = lines
        self._journal = journal
        self._exchange = exchange
        self._node = node
        self._adopted = adopted
        self._neighbours = Neighbours(node.id)
        # The last proof that whoever ran this node's open callbacks lived: at first of an engine before this one.
        self._lived_until = node.heard_at or utc_now()
        self._may_resume = True  # until a look has found what an engine before this one left, and its ports were free
        self._resume_until = timekeeper.time() + RESUME_SECONDS_MAX
        self._is_looking = False
        self._look_again = False
        self._claims = True
        self._is_closed = False
        self._alarm: Alarm | None = None
        self._alarm_at = 0.0
        self._looked_at = 0.0
        self._whole_at: float | None = None  # of the last whole look
        self._is_whole_due = False
        self._is_rung = False

    @property
    def is_looking(self) -> bool:
        """Whether a look is on its way, and may still bring callbacks."""
        return self._is_looking

    def look(self, is_whole: bool = False) -> None:
        """Look at the rows now, or again as soon as the look on its way is done.

        Where MANY are in progress, and unless it must be a whole one, it is within WHOLE_GAP_SECONDS of the last of these for releases
        that were asked for and for requests alone, and the rest follows after that.
        """
        if self._is_looking:
            self._look_again = True
            return
        self._is_looking, self._look_again = True, False
        now = self._looked_at = self._timekeeper.time()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        is_soon = self._whole_at is not None and now - self._whole_at < WHOLE_GAP_SECONDS
        is_dear = self._exchange.running >= MANY and not self._may_resume
        self._is_whole_due = is_dear and is_soon and not is_whole
        if self._is_whole_due:
            self._journal.post(partial(recovery.asked_for, self._node.id, self._exchange.known), self._asked_for)
            self._claim()
            return
        self._whole_at = now
        at, at_us = self._utc_now(), int(self._timekeeper.time() * 1_000_000)
        self._journal.post(partial(self._neighbours.look, self._timekeeper.time()))
        self._journal.post(partial(shares.renew, self._node.id, self._exchange.starts.uses()), self._shared)
        if self._neighbours.has_others:
            known = tuple(self._exchange.known)
            self._journal.post(partial(neighbours.taken_from, self._node.id, known), self._taken)
        if heard := self._exchange.heard():  # in the transaction of the sign of life
            self._journal.post(partial(rows.write_scores, heard))
        if proven := self._exchange.proven():
            self._journal.post(partial(doubt.clear, proven))
        watch = partial(
            recovery.watch, self._node.id, self._exchange.known, self._lived_until, at, at_us, self._may_resume
        )
        self._journal.post(watch, self._watched)
        if not self._may_resume:  # else when those go on that talk: a new call must not get a port of theirs
            self._lived_until = at
            self._claim()

    def look_soon(self) -> None:
        """Look now, or a moment later where the last look began only just before."""
        if self._is_rung or self._is_closed:
            return
        self._is_rung = True
        at = max(self._timekeeper.time(), self._looked_at + RING_GAP_SECONDS)
        self._timekeeper.call_at(at, self._answer_ring)

    def _asked_for(self, result: Sequence[tuple[str, Ending]] | Exception) -> None:
        if isinstance(result, Exception):
            log.error("releases could not be looked for", exc_info=result)
            return
        for callback_id, ending in result:
            self._exchange.release(callback_id, ending)

    def _answer_ring(self) -> None:
        self._is_rung = False
        if not self._is_closed:
            self.look()

    def _claim(self) -> None:
        """The end of a look: what was requested, unless it is to be left to others, or ports are still waited for."""
        room = self._exchange.room if self._claims and not self._may_resume else 0
        at, at_us = self._utc_now(), int(self._timekeeper.time() * 1_000_000)
        self._journal.post(partial(rows.claim, self._node.id, room, at, at_us), self._claimed)

    def claim_no_more(self) -> None:
        """The engine is stopping: requests are left to others, those in progress looked after."""
        self._claims = False

    def close(self) -> None:
        """Look no more."""
        self._is_closed = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _watched(self, result: Watched | Exception) -> None:
        if isinstance(result, Exception):
            log.error("releases could not be looked for", exc_info=result)
            self._adopted()
            if self._may_resume:
                self._may_resume = False
                self._exchange.end_leftovers()
                self._claim()
            return
        for callback_id, ending in result.releases:
            self._exchange.release(callback_id, ending)
        for callback_id in result.funds_free:
            self._exchange.funds_free(callback_id)
        was_first = self._may_resume
        if was_first:
            resumed = [self._resume(resumable, result.left_up) for resumable in result.resumables]
            self._may_resume = not all(resumed) and self._timekeeper.time() < self._resume_until
            if not self._may_resume:  # one that failed is nobody's at the next look, and ended
                self._exchange.end_leftovers()
        for leg in result.open_legs:
            self._hang_up(leg)
        if not self._may_resume:
            self._adopted()
        for callback_id in result.lost:  # after its legs: who crashes in between must find them on its rows
            self._journal.post(partial(recovery.settle, callback_id, self._utc_now()))
        if was_first:
            self._claim()

    def _resume(self, resumable: Resumable, left_up: Mapping[str, OpenLeg]) -> bool:
        left = left_up.get(resumable.callback.plan.callback_id)
        return self._exchange.resume(resumable, _nothing if left is None else partial(self._hang_up, left))

    def _shared(self, result: dict[int, Share] | Exception) -> None:
        if isinstance(result, Exception):  # what was given before still holds: nobody else has it
            log.error("the shares of connections could not be settled", exc_info=result)
        else:
            self._exchange.starts.share(result)

    def _taken(self, result: list[str] | Exception) -> None:
        """Another node took us for dead while we were cut off, and ended these: nothing of them is ours any more."""
        for callback_id in () if isinstance(result, Exception) else result:
            log.warning("callback %s was taken over by another node while this one was cut off", callback_id)
            self._exchange.release(callback_id, Ending.ENGINE_STOPPED)

    def _hang_up(self, leg: OpenLeg) -> None:
        try:
            hop = read_dialog(leg.dialog).next_hop if leg.dialog else read_invite(leg.invite).next_hop
            line = self._lines.get(family_of(hop.host)) or next(iter(self._lines.values()))
            if leg.trust is not None:
                line.trust(hop.host, hop.port, leg.trust)
            if leg.dialog:
                line.end_dialog(leg.dialog, leg.credentials, CAUSE)
            else:
                line.end_invite(leg.invite, leg.credentials, CAUSE)
            line.flush()
        except ValueError as wrong:
            log.error("callback %s: a leg left up cannot be hung up: %s", leg.callback_id, wrong)

    def _claimed(self, result: Claimed | Exception) -> None:
        self._is_looking = False
        if isinstance(result, Exception):
            log.error("requests could not be looked for", exc_info=result)
        else:
            for plan in result.plans:
                self._exchange.begin(plan)
            self._look_again |= result.more and self._claims and self._exchange.room > 0
        if self._is_closed:
            return
        if self._look_again:
            self.look()
        else:
            seconds = RESUME_AGAIN_SECONDS if self._may_resume else LOOK_SECONDS
            self._alarm_at = self._timekeeper.time() + seconds
            if self._is_whole_due and self._whole_at is not None:
                self._alarm_at = max(self._timekeeper.time(), self._whole_at + WHOLE_GAP_SECONDS)
            self._alarm = self._timekeeper.call_at(self._alarm_at, self._look_in_time)

    def _look_in_time(self) -> None:
        late_seconds = self._timekeeper.time() - self._alarm_at
        if late_seconds > BLOCKED_SECONDS_MAX:
            log.warning("the engine was held up for %d ms; deadlines were late by as much", late_seconds * 1000)
        self.look(is_whole=True)


def _nothing() -> None:
    return
