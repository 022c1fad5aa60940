"""The session timer of one answered dialog, and the re-INVITE or UPDATE that keeps it alive (RFC 4028; RFC 3261, 14.1; RFC 3311).

Either side may be the refresher. We refresh at half the interval; a session that nobody refreshed is ended before it expires.
What the peer offers is `negotiation`'s, what we offer anew `proposal`'s.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from webcb.sip.causes import retry_after
from webcb.sip.dialog import Dialog
from webcb.sip.events import Moved, OfferAnswered, SessionId
from webcb.sip.grammar import ProtocolError, parse_number, parse_parameters
from webcb.sip.indialog import DialogRequests, OnFinal
from webcb.sip.message import Fields, Message, Request, Response
from webcb.sip.stack import ALLOW, SDP, SUPPORTED, Stack, body_of_type, option_tags

SESSION_SECONDS: Final = 1800  # what we ask for (RFC 4028, 4)
MIN_SE_SECONDS: Final = 90  # the least that we accept, and what a missing Min-SE means (RFC 4028, 5)
AGREED_SECONDS_MIN: Final = 10  # an answer that says less is no timer but a flood
SECONDS_MAX: Final = 2**31
EARLY_SECONDS_MAX: Final = (
    32  # so long before its expiry an unrefreshed session is ended, a third of it at most (RFC 4028, 10)
)
# The Call-ID is always ours, so of the two waits after 491 this is the only one we need (RFC 3261, 14.1).
GLARE_MS_MIN: Final = 2100
GLARE_STEP_MS: Final = 10
GLARE_STEPS: Final = 191

# Without 100rel: what comes provisionally of a re-INVITE we need not hear, and so it need not be acknowledged (RFC 3262, 3).
REINVITE_SUPPORTED: Final = "timer"
RESUMED_STEP_MS: Final = 8  # 0 to 2 s after it was taken over a session is refreshed: not all of them at once

REFRESH: Final = "it is time to refresh"
EXPIRED: Final = "nobody has refreshed"


def read_session_expires(message: Message) -> tuple[int, str]:
    """Seconds and refresher ("uac", "uas" or "") of a Session-Expires; (0, "") where it is missing or malformed."""
    number, semicolon, rest = message.first("Session-Expires").partition(";")
    try:
        seconds = parse_number(number.strip(), SECONDS_MAX, "Session-Expires")
        refresher = parse_parameters(rest).get("refresher", "").lower() if semicolon else ""
    except ProtocolError:
        return 0, ""
    return seconds, refresher if refresher in ("uac", "uas") else ""


def read_min_se(message: Message) -> int:
    """The seconds of Min-SE, 0 where it is missing or malformed."""
    try:
        return parse_number(message.first("Min-SE").partition(";")[0].strip(), SECONDS_MAX, "Min-SE")
    except ProtocolError:
        return 0


def ask_for_session(seconds: int, min_se: int, refresher: str = "") -> Fields:
    """The headers by which a request of ours asks for a session of so long; `min_se` 0: nobody has named a minimum yet."""
    fields = {"Session-Expires": [f"{seconds};refresher={refresher}" if refresher else str(seconds)]}
    if min_se:
        fields["Min-SE"] = [str(min_se)]
    return fields


class Refresh:
    """The agreed interval and who refreshes. `is_busy` tells whether an INVITE of ours or an offer of the peer is open; `on_lost`
    is called with the reason when the session is dead."""

    __slots__ = (
        "_asked_longer", "_dialog", "_expires_at", "_is_busy", "_is_ours", "_local", "_may_update", "_min_se", "_on_lost", "_remote",
        "_requests", "_seconds", "_session", "_stack", "deadlines",
    )  # fmt: skip

    def __init__(
        self,
        stack: Stack,
        session: SessionId,
        dialog: Dialog,
        requests: DialogRequests,
        is_busy: Callable[[], bool],
        on_lost: Callable[[str, float], None],
    ) -> None:
        self._stack = stack
        self._session = session
        self._dialog = dialog
        self._requests = requests
        self._is_busy = is_busy
        self._on_lost = on_lost
        self._seconds = 0  # no session timer
        self._is_ours = False
        self._expires_at = 0.0
        self._min_se = 0
        self._asked_longer = False  # after a 422; a second one in a row is a refusal
        self._may_update = False
        self._local = b""  # the descriptions in force
        self._remote = b""
        self.deadlines: dict[str, float] = {}

    def begin(self, response: Response, local: bytes, remote: bytes, now: float) -> None:
        """The INVITE was answered; `local` and `remote` are its offer and answer."""
        self.describe(local, remote)
        self._note_methods(response)
        seconds, refresher = read_session_expires(response)
        self._agree(seconds, refresher != "uas", now)

    def resume(self, local: bytes, remote: bytes, now: float) -> None:
        """Go on with a dialog that another process began. When it was last refreshed is not known: what is ours is done soon."""
        self.describe(local, remote)
        self._may_update = self._dialog.may_update
        self._agree(self._dialog.session_seconds, self._dialog.is_refresher, now)
        if self._is_ours and (self._local or self._may_update):
            self._stack.layer.timers.start(self, REFRESH, now + self._stack.entropy(1)[0] * RESUMED_STEP_MS / 1000)

    def describe(self, local: bytes, remote: bytes) -> None:
        """These descriptions are in force now; b"" leaves one as it was."""
        self._local = local or self._local
        self._remote = remote or self._remote

    def stop(self) -> None:
        """The session is over."""
        self.deadlines.clear()

    # The peer's re-INVITE and UPDATE are refreshes too

    def too_short(self, request: Request) -> Fields | None:
        """What a 422 needs where the peer asks for a shorter session than we accept (RFC 4028, 9), None where it does not."""
        seconds, _ = read_session_expires(request)
        if 0 < seconds < MIN_SE_SECONDS and "timer" in option_tags(request, "Supported"):
            return {"Min-SE": [str(MIN_SE_SECONDS)]}
        return None

    def accept(self, request: Request, now: float) -> Fields:
        """Agree to what a request asks for, and the headers that its 2xx needs (RFC 4028, 9 and table 2).

        A request that does not ask goes on with our refreshing; where the peer was to refresh, it ends the timer (7.2).
        """
        self._note_methods(request)
        self._min_se = max(self._min_se, read_min_se(request))
        knows_timers = "timer" in option_tags(request, "Supported")
        seconds, refresher = read_session_expires(request)
        if not seconds and self._is_ours:
            seconds, refresher = self._seconds, "uas"
        elif not refresher:
            refresher = "uac" if knows_timers and not self._is_ours else "uas"
        self._agree(seconds, refresher == "uas", now)
        if not self._seconds:
            return {}
        fields: Fields = {"Session-Expires": [f"{seconds};refresher={refresher}"]}
        return fields | {"Require": ["timer"]} if knows_timers else fields

    # Ours

    def on_timer(self, timer: str, now: float) -> None:
        """Time to refresh, or too late."""
        if timer == EXPIRED:
            self._on_lost("the session was not refreshed", now)
        elif self._is_busy():  # one INVITE at a time, whoever's (RFC 3261, 14.1)
            self._try_later(now)
        else:
            self._refresh(now)

    def reinvite(self, sdp: bytes, now: float, on_answer: OnFinal) -> None:
        """A re-INVITE that offers `sdp`; by it the session is refreshed too, by whose turn it is (RFC 4028, 7.4)."""
        fields = self._fields() | {"Supported": [REINVITE_SUPPORTED], "Accept": [SDP], "Content-Type": [SDP]}
        self._requests.send(self._dialog, "INVITE", fields, now, on_answer, sdp)

    def is_longer(self, response: Response) -> bool:
        """Whether a 422 asks for a longer session than we asked for; the next request asks for that."""
        before = max(self._seconds, self._min_se)
        self._min_se = max(self._min_se, read_min_se(response))
        return self._min_se > before

    def agree(self, response: Response, now: float) -> None:
        """A re-INVITE or UPDATE of ours was accepted."""
        self._asked_longer = False
        self._note_methods(response)
        self._dialog.take_target(response.first("Contact"))
        seconds, refresher = read_session_expires(response)
        self._agree(seconds, refresher != "uas", now)

    def _refresh(self, now: float) -> None:
        if self._may_update:
            self._requests.send(self._dialog, "UPDATE", self._fields(), now, partial(self._on_answer, "UPDATE"))
        else:
            self.reinvite(self._local, now, partial(self._on_answer, "INVITE"))

    def _fields(self) -> Fields:
        fields: Fields = {"Contact": [self._dialog.contact], "Allow": [ALLOW], "Supported": [SUPPORTED]}
        if not self._seconds:
            return fields
        seconds = max(self._seconds, self._min_se)
        return fields | ask_for_session(seconds, self._min_se, "uac" if self._is_ours else "uas")

    def _on_answer(self, method: str, status: int, response: Response | None, now: float) -> None:
        if status in (408, 481):
            self._on_lost("the peer knows this call no longer" if status == 481 else "the peer does not answer", now)
        elif response is None:
            self._try_halfway(now)
        elif status < 300:
            self._refreshed(response, now)
        elif status == 422 and not self._asked_longer:
            self._asked_longer = True
            self._min_se = max(self._min_se, read_min_se(response))
            self._refresh(now)
        elif status in (405, 501) and method == "UPDATE":
            self._may_update = False
            self._refresh(now)
        elif status == 491:
            self._try_later(now)
        else:
            self._try_halfway(now, retry_after(response) or 0)

    def _refreshed(self, response: Response, now: float) -> None:
        sdp = body_of_type(response, SDP)
        if sdp and sdp != self._remote:
            self._remote = sdp
            self._stack.tell(OfferAnswered(self._session, self._local, sdp))
        self.agree(response, now)
        if self._dialog.is_written:
            self._stack.tell(Moved(self._session))

    def _agree(self, seconds: int, is_ours: bool, now: float) -> None:
        """Both sides have said so; too few `seconds`, 0 among them, mean that there is no timer (any more)."""
        self.deadlines.clear()
        self._seconds = seconds if seconds >= AGREED_SECONDS_MIN else 0
        self._is_ours = is_ours and self._seconds > 0
        self._dialog.session_seconds, self._dialog.is_refresher = self._seconds, self._is_ours
        if not self._seconds:
            return
        self._expires_at = now + seconds - min(EARLY_SECONDS_MAX, seconds / 3)
        self._stack.layer.timers.start(self, EXPIRED, self._expires_at)
        if is_ours:
            self._stack.layer.timers.start(self, REFRESH, now + seconds / 2)

    def _try_later(self, now: float) -> None:
        """Both sides began at once: wait by chance (RFC 3261, 14.1)."""
        steps = int.from_bytes(self._stack.entropy(2)) % GLARE_STEPS
        self._stack.layer.timers.start(self, REFRESH, now + (GLARE_MS_MIN + steps * GLARE_STEP_MS) / 1000)

    def _try_halfway(self, now: float, seconds: int = 0) -> None:
        """Refused, and perhaps not for ever: again in the middle of what is left, each wait half as long as the one before."""
        at = max((now + self._expires_at) / 2, now + seconds)
        if self._expires_at - at > GLARE_MS_MIN / 1000:
            self._stack.layer.timers.start(self, REFRESH, at)

    def _note_methods(self, message: Message) -> None:
        if "Allow" in message.fields:
            self._may_update = self._dialog.may_update = "update" in option_tags(message, "Allow")
