"""Our own offers inside one answered dialog: a re-INVITE that wants another description (RFC 3261, 14.1; RFC 3264, 8).

One at a time, and never while another INVITE or an offer of the peer is open. Until it is answered, and where it is refused,
the descriptions in force stay. A re-INVITE refreshes the session too (RFC 4028, 7.4), which is `refresh`'s to say.
"""

from collections.abc import Callable
from typing import Final

from webcb.sip.causes import cause_of_response, retry_after
from webcb.sip.events import Cause, OfferAnswered, OfferRefused, SessionId
from webcb.sip.indialog import DialogRequests
from webcb.sip.message import Response
from webcb.sip.refresh import GLARE_MS_MIN, GLARE_STEP_MS, GLARE_STEPS, Refresh
from webcb.sip.stack import SDP, Stack, body_of_type
from webcb.sip.timers import TIMEOUT

SENT_MAX: Final = 2  # of one offer: what collides twice is given up
RETRY_AFTER_SECONDS_MAX: Final = 10  # the longest that a UAS in the midst of another INVITE asks for (RFC 3261, 14.2)
SUPERSEDED: Final = Cause(0, 0, "the peer made an offer of its own meanwhile")
UNANSWERED: Final = Cause(488, 0, "a 200 without an answer")
OPEN_ALREADY: Final = Cause(491, 0, "an offer of ours is open")

# States
IDLE: Final = "idle"
WAITING: Final = "waiting"  # for other offers to end
OPEN: Final = "open"  # on the wire
CANCELLING: Final = "cancelling"

# Happenings
FREE: Final = "it may be sent"
BUSY: Final = "another offer is open"
AGREED: Final = "2xx"
COLLIDED: Final = "491, or 500 with Retry-After"
TOO_SHORT: Final = "422"
REFUSED: Final = "300-699"
GONE: Final = "481, 408, no answer"
OVERDUE: Final = "a provisional answer and no final one"
OUTRUN: Final = "an offer of the peer was accepted"

# Timers
DUE: Final = "time to try"
GUARD: Final = "time to end it"


class Proposal:
    """The offer in hand. `is_busy` tells whether an INVITE of ours or an offer of the peer is open; `on_lost` is called with the
    reason when the peer is gone."""

    __slots__ = (
        "_is_busy", "_offer", "_on_lost", "_refresh", "_requests", "_sent", "_session", "_stack", "_state", "deadlines",
    )  # fmt: skip

    def __init__(
        self,
        stack: Stack,
        session: SessionId,
        refresh: Refresh,
        requests: DialogRequests,
        is_busy: Callable[[], bool],
        on_lost: Callable[[str, float], None],
    ) -> None:
        self._stack = stack
        self._session = session
        self._refresh = refresh
        self._requests = requests
        self._is_busy = is_busy
        self._on_lost = on_lost
        self._state = IDLE
        self._offer = b""
        self._sent = 0
        self.deadlines: dict[str, float] = {}

    def make(self, sdp: bytes, now: float) -> None:
        """Offer `sdp`; OfferAnswered or OfferRefused follows, or the end of the call."""
        if self._state != IDLE:
            self._stack.tell(OfferRefused(self._session, sdp, OPEN_ALREADY))
            return
        self._offer, self._sent = sdp, 0
        self._try(now)

    def outrun(self, now: float) -> None:
        """An offer of the peer was accepted: what still waits was about a description that is no longer in force."""
        self._step(OUTRUN, now, None)

    def stop(self) -> None:
        """The session is over."""
        self._state = IDLE
        self.deadlines.clear()

    def on_timer(self, timer: str, now: float) -> None:
        """Time to try, or to wait no longer for an answer."""
        if timer == DUE:
            self._try(now)
        elif self._state == OPEN and not self._requests.is_undecided:  # another host has it since, and its own time
            self._stack.layer.timers.start(self, GUARD, now + TIMEOUT)
        else:
            self._step(OVERDUE, now, None)

    def _try(self, now: float) -> None:
        self._step(BUSY if self._is_busy() else FREE, now, None)

    def _on_answer(self, status: int, response: Response | None, now: float) -> None:
        self._step(self._happening(status, response), now, response)

    def _happening(self, status: int, response: Response | None) -> str:
        if status in (408, 481):
            return GONE
        if response is None:
            return REFUSED
        if status < 300:
            return AGREED
        if self._sent < SENT_MAX:
            seconds = retry_after(response)
            if status == 491 or (status == 500 and seconds is not None and seconds <= RETRY_AFTER_SECONDS_MAX):
                return COLLIDED
            if status == 422 and self._refresh.is_longer(response):
                return TOO_SHORT
        return REFUSED

    def _step(self, happening: str, now: float, response: Response | None) -> None:
        row = TABLE.get((self._state, happening))
        if row:
            self._state, action = row
            self.deadlines.clear()
            action(self, now, response)

    def _send(self, now: float, _: Response | None) -> None:
        self._sent += 1
        self._stack.layer.timers.start(self, GUARD, now + TIMEOUT)
        self._refresh.reinvite(self._offer, now, self._on_answer)

    def _wait(self, now: float, response: Response | None) -> None:
        """Both sides began at once: wait by chance. The Call-ID is always ours (RFC 3261, 14.1)."""
        steps = int.from_bytes(self._stack.entropy(2)) % GLARE_STEPS
        seconds = (GLARE_MS_MIN + steps * GLARE_STEP_MS) / 1000
        asked_seconds = (retry_after(response) or 0) if response else 0
        self._stack.layer.timers.start(self, DUE, now + max(seconds, asked_seconds))

    def _agree(self, now: float, response: Response | None) -> None:
        assert response is not None  # noqa: S101 - the table calls this on responses only
        sdp = body_of_type(response, SDP)
        self._refresh.agree(response, now)
        if sdp:
            self._refresh.describe(self._offer, sdp)
            self._stack.tell(OfferAnswered(self._session, self._offer, sdp))
        else:
            self._stack.tell(OfferRefused(self._session, self._offer, UNANSWERED))

    def _refuse(self, _now: float, response: Response | None) -> None:
        cause = cause_of_response(response) if response else Cause(503, 41, "nothing can be sent")
        self._stack.tell(OfferRefused(self._session, self._offer, cause))

    def _give_way(self, _now: float, _: Response | None) -> None:
        self._stack.tell(OfferRefused(self._session, self._offer, SUPERSEDED))

    def _lose(self, now: float, response: Response | None) -> None:
        is_unknown = response is not None and response.status == 481
        self._on_lost("the peer knows this call no longer" if is_unknown else "the peer does not answer", now)

    def _cancel(self, now: float, _: Response | None) -> None:
        """It rings, as it were, and nobody says yes or no: the peer is to end it (RFC 3261, 9.1)."""
        self._stack.layer.timers.start(self, GUARD, now + TIMEOUT)
        self._requests.cancel_invite(now)


# State and what happened; the state that follows and what is done. What is not here is without effect.
TABLE: Final[dict[tuple[str, str], tuple[str, Callable[[Proposal, float, Response | None], None]]]] = {
    (IDLE, FREE): (OPEN, Proposal._send),
    (IDLE, BUSY): (WAITING, Proposal._wait),
    (WAITING, FREE): (OPEN, Proposal._send),
    (WAITING, BUSY): (WAITING, Proposal._wait),
    (WAITING, OUTRUN): (IDLE, Proposal._give_way),
    (OPEN, AGREED): (IDLE, Proposal._agree),
    (OPEN, COLLIDED): (WAITING, Proposal._wait),
    (OPEN, TOO_SHORT): (OPEN, Proposal._send),
    (OPEN, REFUSED): (IDLE, Proposal._refuse),
    (OPEN, GONE): (IDLE, Proposal._lose),
    (OPEN, OVERDUE): (CANCELLING, Proposal._cancel),
    (CANCELLING, AGREED): (IDLE, Proposal._agree),  # the 200 crossed our CANCEL
    (CANCELLING, COLLIDED): (IDLE, Proposal._refuse),
    (CANCELLING, TOO_SHORT): (IDLE, Proposal._refuse),
    (CANCELLING, REFUSED): (IDLE, Proposal._refuse),
    (CANCELLING, GONE): (IDLE, Proposal._lose),
    (CANCELLING, OVERDUE): (IDLE, Proposal._lose),
}
