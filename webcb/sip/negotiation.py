"""The peer's offers inside one answered dialog: re-INVITE and UPDATE, seen from the side that answers.

RFC 3261, 14.2 and 13.3.1.4; RFC 3311, 5.2. One offer at a time: it waits here until the owner accepts or rejects it, and a 200
to a re-INVITE is repeated until its ACK comes.
"""

from collections.abc import Callable
from typing import Final

from webcb.sip.dialog import Dialog
from webcb.sip.events import Moved, OfferAnswered, Offered, SessionId
from webcb.sip.message import Request, Response
from webcb.sip.refresh import Refresh
from webcb.sip.stack import ALLOW, SDP, SUPPORTED, Stack, body_of_type
from webcb.sip.timers import T1, T2, TIMEOUT
from webcb.sip.transaction import ServerTransaction

RETRY_AFTER_SECONDS: Final = 11  # of a second offer while one waits: 0 to 10 s, by chance (RFC 3261, 14.2)
REPEAT_ANSWER: Final = "repeat the 200"
UNACKNOWLEDGED: Final = "no ACK came"


class Negotiation:
    """The offer that waits, and the 200 that waits for its ACK. `is_inviting` tells whether a re-INVITE of ours is open;
    `on_accepted` is called where an offer was accepted, `on_unacknowledged` with the reason if no ACK comes."""

    __slots__ = (
        "_accepted", "_interval", "_is_inviting", "_on_accepted", "_on_unacknowledged", "_refresh", "_session", "_stack", "_waiting",
        "deadlines", "dialog",
    )  # fmt: skip

    def __init__(
        self,
        stack: Stack,
        session: SessionId,
        dialog: Dialog,
        refresh: Refresh,
        is_inviting: Callable[[], bool],
        on_accepted: Callable[[float], None],
        on_unacknowledged: Callable[[str, float], None],
    ) -> None:
        self._stack = stack
        self._session = session
        self.dialog = dialog
        self._refresh = refresh
        self._is_inviting = is_inviting
        self._on_accepted = on_accepted
        self._on_unacknowledged = on_unacknowledged
        self._waiting: ServerTransaction | None = None
        self._accepted: tuple[ServerTransaction, Response] | None = None
        self._interval = T1
        self.deadlines: dict[str, float] = {}

    @property
    def is_busy(self) -> bool:
        """Whether an offer of the peer, or our 200 to it, still waits."""
        return self._waiting is not None or self._accepted is not None

    def receive(self, server: ServerTransaction, now: float) -> None:
        """A re-INVITE or UPDATE of the peer."""
        request = server.request
        sdp = body_of_type(request, SDP)
        if request.body and not sdp:
            server.reply(self._stack.answer(request, 415, {"Accept": [SDP]}), now)
            return
        too_short = self._refresh.too_short(request)
        if too_short:
            server.reply(self._stack.answer(request, 422, too_short), now)
            return
        if request.method == "UPDATE" and not sdp:  # it only refreshes the target (RFC 3311, 5.2) or a session timer
            self.dialog.take_target(request.first("Contact"))
            server.reply(self._answer(request, b"", now), now)
            if self.dialog.is_written:
                self._stack.tell(Moved(self._session))
            return
        if self._is_inviting():
            server.reply(self._stack.answer(request, 491), now)  # ours came first (RFC 3261, 14.2; RFC 3311, 5.2)
            return
        if self._waiting:
            seconds = self._stack.entropy(1)[0] % RETRY_AFTER_SECONDS
            server.reply(self._stack.answer(request, 500, {"Retry-After": [str(seconds)]}), now)
            return
        if request.method == "INVITE":
            self._stop_repeating()  # a new INVITE comes after the ACK of the last, even where it overtook it
            server.reply(self._stack.answer(request, 100), now)
        self._waiting = server
        self._stack.tell(Offered(self._session, sdp))

    def accept(self, sdp: bytes, now: float) -> None:
        """Answer the waiting offer with `sdp`, or make the offer it asked for; nothing waits, nothing happens."""
        server, self._waiting = self._waiting, None
        if server is None:
            return
        self.dialog.take_target(server.request.first("Contact"))
        self._refresh.describe(sdp, body_of_type(server.request, SDP))
        response = self._answer(server.request, sdp, now)
        server.reply(response, now)
        if server.request.method == "INVITE":
            self._accepted = (server, response)
            self._interval = T1
            self._stack.layer.timers.start(self, REPEAT_ANSWER, now + T1)
            self._stack.layer.timers.start(self, UNACKNOWLEDGED, now + TIMEOUT)
        self._on_accepted(now)

    def reject(self, status: int, now: float) -> None:
        """Refuse the waiting offer; the session goes on as it was."""
        server, self._waiting = self._waiting, None
        if server:
            server.reply(self._stack.answer(server.request, status), now)

    def cancel(self, request: Request, now: float) -> None:
        """The peer cancels the INVITE that `request`, a CANCEL, names."""
        waiting = self._waiting
        if waiting and waiting.request.method == "INVITE" and waiting.request.cseq == request.cseq:
            self.reject(487, now)

    def acknowledge(self, ack: Request) -> None:
        """The ACK of a 200; where the 200 carried our offer, this carries the answer (RFC 3261, 13.2.2.4)."""
        if self._accepted is None or self._accepted[0].request.cseq != ack.cseq:
            return
        offer = b"" if self._accepted[0].request.body else self._accepted[1].body
        self._stop_repeating()
        sdp = body_of_type(ack, SDP)
        if offer and sdp:
            self._refresh.describe(offer, sdp)
            self._stack.tell(OfferAnswered(self._session, offer, sdp))

    def end(self, now: float) -> None:
        """The session is over: what waits is told so (RFC 3261, 15.1.2)."""
        self._stop_repeating()
        self.reject(487, now)

    def on_timer(self, timer: str, now: float) -> None:
        """A deadline of the 200 has come."""
        if timer == UNACKNOWLEDGED:
            self._stop_repeating()
            self._on_unacknowledged("no ACK", now)
        elif self._accepted:
            server, response = self._accepted
            server.reply(response, now)
            self._interval = min(2 * self._interval, T2)
            self._stack.layer.timers.start(self, REPEAT_ANSWER, now + self._interval)

    def _stop_repeating(self) -> None:
        self._accepted = None
        self.deadlines.clear()

    def _answer(self, request: Request, sdp: bytes, now: float) -> Response:
        fields = {"Contact": [self.dialog.contact], "Allow": [ALLOW], "Supported": [SUPPORTED]}
        fields |= self._refresh.accept(request, now)
        if sdp:
            fields["Content-Type"] = [SDP]
        return self._stack.answer(request, 200, fields, sdp)
