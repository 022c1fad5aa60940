"""The dialogs of one call: early ones, the one that counts, the forks that were answered too and are ended (RFC 3261, 13 to 15).

ACK, PRACK and BYE are sent here, our offers by `proposal`; what the peer asks inside a dialog is answered here, its offers by
`negotiation`. Whether
the call is being set up, cancelled or over is `session`'s matter, which is told by two callbacks.
"""

from collections.abc import Callable
from typing import Final

from webcb.sip.causes import print_reason, read_reason
from webcb.sip.dialog import Dialog, dialog_of_answer
from webcb.sip.digest import CREDENTIAL_HEADERS, DigestClient
from webcb.sip.events import Address, Alive, Cause, Digit, SessionId
from webcb.sip.grammar import ProtocolError, parse_number
from webcb.sip.indialog import DialogRequests
from webcb.sip.keypad import read_info
from webcb.sip.message import Fields, Request, Response
from webcb.sip.negotiation import Negotiation
from webcb.sip.proposal import Proposal
from webcb.sip.refresh import Refresh
from webcb.sip.stack import SDP, Stack, body_of_type, option_tags
from webcb.sip.transaction import ServerTransaction

FORKS_MAX: Final = 16  # dialogs of one INVITE that we keep apart
IN_DIALOG: Final = {"REFER": 603, "PRACK": 481}  # no provisional answer of ours is reliable (RFC 3262, 3)
RSEQ_MAX: Final = 2**32 - 1  # RFC 3262, 7.1


class Conversation:
    """All dialogs of one call by the peer's tag. `on_idle` is called when the last request of ours was answered or timed out,
    `on_end` with the cause and the time when the peer ended the dialog that counts, or is gone."""

    __slots__ = (
        "_acks",
        "_dialogs",
        "_early_answers",
        "_held_ack",
        "_on_end",
        "_proposal",
        "_requests",
        "_rseqs",
        "_session",
        "_stack",
        "negotiation",
        "refresh",
    )

    def __init__(
        self,
        stack: Stack,
        session: SessionId,
        digest: DigestClient,
        on_idle: Callable[[], None],
        on_end: Callable[[Cause, float], None],
    ) -> None:
        self._stack = stack
        self._session = session
        self._on_end = on_end
        self._dialogs: dict[str, Dialog] = {}
        self._acks: dict[str, tuple[bytes, Address]] = {}
        self._held_ack = ""  # the tag whose ACK waits until the dialog is written
        self._requests = DialogRequests(stack, digest, on_idle)
        self._rseqs: dict[str, int] = {}  # of the last reliable provisional answer
        self._early_answers: dict[str, bytes] = {}
        self.negotiation: Negotiation | None = None  # of the dialog that counts
        self.refresh: Refresh | None = None
        self._proposal: Proposal | None = None

    @property
    def dialog(self) -> Dialog | None:
        """The dialog that counts."""
        return self.negotiation.dialog if self.negotiation else None

    @property
    def is_idle(self) -> bool:
        """Whether every request of ours was answered or has timed out."""
        return self._requests.is_idle

    @property
    def cseq_max(self) -> int:
        """The highest number of a request that went inside a dialog of this call, 0 where there is none."""
        return max((dialog.local_cseq for dialog in self._dialogs.values()), default=0)

    def knows(self, request: Request) -> bool:
        """Whether a request is in a dialog of this call: it has the peer's tag, and comes from where the peer can be."""
        dialog = self._dialogs.get(request.from_tag)
        return dialog is not None and dialog.may_come_from(request.source)

    def take_provisional(
        self, invite: Request, response: Response, contact: str, next_hop: Address, now: float
    ) -> bool:
        """A provisional answer, whose tag begins a dialog; whether it is news.

        A reliable one is acknowledged by PRACK in the order of RSeq: what comes again or out of order is not (RFC 3262, 4).
        """
        tag = response.to_tag
        if tag and tag not in self._dialogs and len(self._dialogs) < FORKS_MAX:
            self._dialogs[tag] = dialog_of_answer(invite, response, contact, next_hop)
        dialog = self._dialogs.get(tag)
        if dialog is None:
            return True
        dialog.note_source(response.source)
        if "100rel" in option_tags(response, "Require") and "RSeq" in response.fields:
            try:
                rseq = parse_number(response.first("RSeq"), RSEQ_MAX, "RSeq")
            except ProtocolError:
                return False
            if rseq != self._rseqs.get(tag, rseq - 1) + 1:
                return False
            self._rseqs[tag] = rseq
            self._requests.send(dialog, "PRACK", {"RAck": [f"{rseq} {invite.cseq} INVITE"]}, now)
        sdp = body_of_type(response, SDP)
        if sdp:
            self._early_answers[tag] = sdp
        return True

    def early_answer(self, remote_tag: str) -> bytes:
        """The last SDP that provisional answers of this tag brought: a 2xx after it may have none (RFC 3261, 13.2.1)."""
        return self._early_answers.get(remote_tag, b"")

    def forget_early(self) -> None:
        """The INVITE was challenged: what its provisional answers began is void."""
        self._dialogs.clear()
        self._rseqs.clear()
        self._early_answers.clear()

    def choose(self, dialog: Dialog) -> None:
        """This dialog is the call."""
        self._dialogs[dialog.remote_tag] = dialog
        stack, session, requests = self._stack, self._session, self._requests
        refresh = Refresh(stack, session, dialog, requests, self._is_offering, self._lose)
        proposal = Proposal(stack, session, refresh, requests, self._is_offering, self._lose)
        self.negotiation = Negotiation(
            stack, session, dialog, refresh, lambda: requests.is_inviting, proposal.outrun, self._lose
        )
        self.refresh, self._proposal = refresh, proposal

    def offer(self, sdp: bytes, now: float) -> None:
        """Offer another description in the dialog that counts."""
        if self._proposal:
            self._proposal.make(sdp, now)

    def answered(
        self, invite: Request, response: Response, contact: str, next_hop: Address, holds_ack: bool = False
    ) -> Dialog | None:
        """A 2xx: acknowledged, each time it comes; its dialog when it came for the first time (RFC 3261, 13.2.2.4).

        The routes of the 2xx replace those of the early dialog. None beyond FORKS_MAX, too. `holds_ack`: its ACK leaves with
        `release_ack`, and until then the peer says it again, to whoever hears it.
        """
        tag = response.to_tag
        if tag in self._acks:
            if tag != self._held_ack:
                self._stack.layer.send(*self._acks[tag])
            return None
        if len(self._acks) >= FORKS_MAX:
            return None
        dialog = dialog_of_answer(invite, response, contact, next_hop)
        early = self._dialogs.setdefault(tag, dialog)
        early.routes, early.target = dialog.routes, dialog.target
        early.note_source(response.source)
        dialog = early
        # The ACK has the INVITE's CSeq and credentials, and a branch of its own (RFC 3261, 13.2.2.4 and 22.1).
        fields = {name: invite.fields[name] for name in CREDENTIAL_HEADERS if name in invite.fields}
        self._acks[tag] = self._write_ack(dialog, fields)
        self._held_ack = tag if holds_ack else ""
        if not holds_ack:
            self._stack.layer.send(*self._acks[tag])
        return dialog

    def release_ack(self) -> None:
        """Send the ACK that is held back, if one is."""
        tag, self._held_ack = self._held_ack, ""
        if tag:
            self._stack.layer.send(*self._acks[tag])

    def answered_before_us(self, response: Response) -> None:
        """A 2xx again, of the INVITE of an adopted dialog or of a re-INVITE in it: who sent that died before its ACK arrived.

        What a re-INVITE was answered the owner learns by offering the same once more.
        """
        dialog = self._dialogs.get(response.to_tag)
        if dialog and dialog.invite_cseq <= response.cseq <= dialog.local_cseq:
            self._stack.layer.send(*self._write_ack(dialog, {}, response.cseq))

    def resume(self, dialog: Dialog, local: bytes, remote: bytes, now: float) -> None:
        """Go on with a dialog that another process began; `local` and `remote` are the descriptions in force, b"" if unknown."""
        self.choose(dialog)
        if self.refresh:
            self.refresh.resume(local, remote, now)

    def inquire(self, now: float) -> None:
        """Ask the peer with OPTIONS whether it still knows the dialog that counts (RFC 3261, 11 and 12.2.1.2)."""
        if self.dialog:
            self._requests.send(self.dialog, "OPTIONS", {}, now, self._on_inquired)

    def _on_inquired(self, status: int, _response: Response | None, now: float) -> None:
        if status in (408, 481):
            self._lose("the peer knows this call no longer" if status == 481 else "the peer does not answer", now)
        elif status < 500 or status >= 600:
            self._stack.tell(Alive(self._session))

    def hang_up(self, now: float, cause: Cause | None) -> None:
        """End the dialog that counts."""
        if self.negotiation:
            self.release_ack()
            self.negotiation.end(now)
            self.drop(now)
            self.bye(self.negotiation.dialog, now, cause)

    def bye(self, dialog: Dialog, now: float, cause: Cause | None = None) -> None:
        """Send BYE, with its Reason where there is one (RFC 3261, 15.1.1; RFC 3326)."""
        self._requests.send(dialog, "BYE", {"Reason": print_reason(cause)} if cause else {}, now)

    def drop(self, now: float) -> None:
        """The call is over: of our requests only BYEs are waited for."""
        self._requests.drop(now)
        if self.refresh:
            self.refresh.stop()
        if self._proposal:
            self._proposal.stop()

    def close(self) -> None:
        """Nothing is told any more, and who knows each other here parts: what is left goes with the last who holds it.

        The answer of a fork that comes too late is acknowledged and ended all the same.
        """
        self._requests.close()
        self._on_end = _nothing
        self.negotiation = self.refresh = self._proposal = None

    # What the peer asks

    def on_request(self, server: ServerTransaction, is_up: bool, now: float) -> None:
        """A request of the peer inside a dialog that we know, its method one that we allow, or REFER.

        `is_up`: the call has been answered and neither side has hung up.
        """
        request = server.request
        dialog = self._dialogs[request.from_tag]
        if dialog.remote_cseq is not None and request.cseq < dialog.remote_cseq:
            self._reply(server, 500, now)  # out of order (RFC 3261, 12.2.2)
            return
        dialog.remote_cseq = request.cseq
        if request.method == "BYE":
            self._on_bye(server, dialog, now)
        elif request.method in ("INVITE", "UPDATE"):
            self._on_offer(server, dialog, is_up, now)
        elif self.negotiation and not is_up:
            self._reply(server, 481, now)  # our BYE is under way (RFC 5407, 3.2)
        elif request.method == "INFO":
            self._on_info(server, dialog, now)
        else:
            self._reply(server, IN_DIALOG.get(request.method, 200), now)

    def on_cancel(self, cancel: Request, now: float) -> None:
        """The peer cancels its re-INVITE."""
        if self.negotiation:
            self.negotiation.cancel(cancel, now)

    def on_ack(self, ack: Request) -> None:
        """The ACK of our 200 to a re-INVITE."""
        if self.negotiation and self.negotiation.dialog.remote_tag == ack.from_tag:
            self.negotiation.acknowledge(ack)

    def _on_bye(self, server: ServerTransaction, dialog: Dialog, now: float) -> None:
        counts = self.negotiation is not None and dialog is self.negotiation.dialog
        if not counts and dialog.remote_tag not in self._acks:
            self._reply(server, 481, now)  # only an answered call has a BYE (RFC 3261, 15)
            return
        self._reply(server, 200, now)
        if counts:
            self.release_ack()
            try:
                values = server.request.values("Reason")
            except ProtocolError:
                values = []
            self._on_end(read_reason(values, 0, ""), now)

    def _on_info(self, server: ServerTransaction, dialog: Dialog, now: float) -> None:
        """A digit counts in the call that was answered; before that, and in a fork that was not chosen, it is only read."""
        pressed = read_info(server.request)
        server.reply(self._stack.answer(server.request, pressed.status, pressed.fields), now)
        if pressed.digit and dialog is self.dialog:
            self._stack.tell(Digit(self._session, pressed.digit, pressed.duration_ms))

    def _is_offering(self) -> bool:
        """Whether an offer is open, whoever's: then there is no other (RFC 3261, 14.1)."""
        return self._requests.is_inviting or (self.negotiation is not None and self.negotiation.is_busy)

    def _lose(self, why: str, now: float) -> None:
        """The peer is gone: no ACK for our 200, no refresh. It is told BYE in case it listens (RFC 3261, 13.3.1.4; RFC 4028, 10)."""
        cause = Cause(408, 102, why)
        self.hang_up(now, cause)
        self._on_end(cause, now)

    def _on_offer(self, server: ServerTransaction, dialog: Dialog, is_up: bool, now: float) -> None:
        if self.negotiation is None and server.request.method == "UPDATE" and not server.request.body:
            dialog.take_target(server.request.first("Contact"))
            self._reply(server, 200, now)
        elif self.negotiation is None:
            self._reply(server, 491, now)  # our own offer is not answered for good yet (RFC 3261, 14.2; RFC 3311, 5.2)
        elif is_up and dialog is self.negotiation.dialog:
            self.negotiation.receive(server, now)
        else:
            self._reply(server, 481, now)

    def _reply(self, server: ServerTransaction, status: int, now: float) -> None:
        server.reply(self._stack.answer(server.request, status), now)

    def _write_ack(self, dialog: Dialog, fields: Fields, cseq: int = 0) -> tuple[bytes, Address]:
        ack, address = dialog.request("ACK", cseq or dialog.invite_cseq, fields)
        return self._stack.seal(ack, address.transport).encode(), address


def _nothing(_cause: Cause, _now: float) -> None:
    return
