"""The dialogs of one call: early ones, the one that counts, the forks that were answered too and are ended (RFC 3261, 13 to 15).

ACK and BYE are sent here, and what the peer asks inside a dialog is answered here, its offers by `negotiation`. Whether the call
is being set up, cancelled or over is `session`'s matter, which is told by two callbacks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from webcb.sip.causes import print_reason, read_reason
from webcb.sip.dialog import Dialog, dialog_of_answer
from webcb.sip.digest import CREDENTIAL_HEADERS, DigestClient
from webcb.sip.events import Address, Cause, SessionId
from webcb.sip.grammar import ProtocolError
from webcb.sip.message import Fields, Request, Response
from webcb.sip.negotiation import Negotiation
from webcb.sip.stack import Stack
from webcb.sip.transaction import ClientTransaction, ServerTransaction

FORKS_MAX: Final = 16  # dialogs of one INVITE that we keep apart
TRIES_MAX: Final = 5  # of one request, challenges included


@dataclass(slots=True, eq=False)
class Exchange:
    """A BYE of ours, as often as it has to be sent, and the realms it has answered."""

    dialog: Dialog
    fields: Fields
    tries: int = 1
    realms: set[tuple[bool, str]] = field(default_factory=set)


class Conversation:
    """All dialogs of one call by the peer's tag. `on_idle` is called when the last request of ours was answered or timed out,
    `on_end` with the cause and the time when the peer ended the dialog that counts, or is gone."""

    __slots__ = (
        "_acks",
        "_dialogs",
        "_digest",
        "_exchanges",
        "_on_end",
        "_on_idle",
        "_session",
        "_stack",
        "negotiation",
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
        self._digest = digest
        self._on_idle = on_idle
        self._on_end = on_end
        self._dialogs: dict[str, Dialog] = {}
        self._acks: dict[str, tuple[bytes, Address]] = {}
        self._exchanges: dict[ClientTransaction, Exchange] = {}
        self.negotiation: Negotiation | None = None  # of the dialog that counts

    @property
    def dialog(self) -> Dialog | None:
        """The dialog that counts."""
        return self.negotiation.dialog if self.negotiation else None

    @property
    def is_idle(self) -> bool:
        """Whether every request of ours was answered or has timed out."""
        return not self._exchanges

    def knows(self, remote_tag: str) -> bool:
        """Whether a dialog of this call has this tag of the peer's."""
        return remote_tag in self._dialogs

    def note_early(self, dialog: Dialog) -> None:
        """A provisional answer with a tag began this dialog."""
        if len(self._dialogs) < FORKS_MAX:
            self._dialogs.setdefault(dialog.remote_tag, dialog)

    def forget_early(self) -> None:
        """The INVITE was challenged: what its provisional answers began is void."""
        self._dialogs.clear()

    def choose(self, dialog: Dialog) -> None:
        """This dialog is the call."""
        self._dialogs[dialog.remote_tag] = dialog
        self.negotiation = Negotiation(self._stack, self._session, dialog, self._on_unacknowledged)

    def answered(self, invite: Request, response: Response, contact: str, next_hop: Address) -> Dialog | None:
        """A 2xx: acknowledged, each time it comes; its dialog when it came for the first time (RFC 3261, 13.2.2.4).

        The routes of the 2xx replace those of the early dialog. None beyond FORKS_MAX, too.
        """
        tag = response.to_tag
        if tag in self._acks:
            self._stack.layer.send(*self._acks[tag])
            return None
        if len(self._acks) >= FORKS_MAX:
            return None
        dialog = dialog_of_answer(invite, response, contact, next_hop)
        if tag in self._dialogs:
            dialog.remote_cseq = self._dialogs[tag].remote_cseq
        self._dialogs[tag] = dialog
        # The ACK has the INVITE's CSeq and credentials, and a branch of its own (RFC 3261, 13.2.2.4 and 22.1).
        fields = {name: invite.fields[name] for name in CREDENTIAL_HEADERS if name in invite.fields}
        self._acknowledge(dialog, fields)
        return dialog

    def answered_before_us(self, response: Response) -> None:
        """A 2xx again, of the INVITE of an adopted dialog: the process that placed it died before its ACK arrived."""
        dialog = self._dialogs.get(response.to_tag)
        if dialog and dialog.invite_cseq == response.cseq:
            self._acknowledge(dialog, {})

    def hang_up(self, now: float, cause: Cause | None) -> None:
        """End the dialog that counts."""
        if self.negotiation:
            self.negotiation.end(now)
            self.bye(self.negotiation.dialog, now, cause)

    def bye(self, dialog: Dialog, now: float, cause: Cause | None = None) -> None:
        """Send BYE, with its Reason where there is one (RFC 3261, 15.1.1; RFC 3326)."""
        self._send(Exchange(dialog, {"Reason": print_reason(cause)} if cause else {}), now)

    # Answers to our BYEs

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A BYE was answered: whatever the answer, the dialog is over (RFC 3261, 15.1.1), unless it asks who we are."""
        exchange = self._exchanges.pop(transaction)
        may_retry = response.status in (401, 407) and exchange.tries < TRIES_MAX
        if may_retry and self._digest.learn(response, exchange.realms):
            exchange.tries += 1
            self._send(exchange, now)
        elif self.is_idle:
            self._on_idle()

    def on_silence(self, transaction: ClientTransaction, _status: int, _now: float) -> None:
        """A BYE was not answered: the dialog is over all the same (RFC 3261, 15.1.1)."""
        del self._exchanges[transaction]
        if self.is_idle:
            self._on_idle()

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
        else:
            self._reply(server, 603 if request.method == "REFER" else 200, now)

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
            try:
                values = server.request.values("Reason")
            except ProtocolError:
                values = []
            self._on_end(read_reason(values, 0, ""), now)

    def _on_unacknowledged(self, now: float) -> None:
        """No ACK came for our 200: the peer is gone, and is told BYE in case it listens (RFC 3261, 13.3.1.4)."""
        cause = Cause(408, 102, "no ACK")
        self.hang_up(now, cause)
        self._on_end(cause, now)

    def _on_offer(self, server: ServerTransaction, dialog: Dialog, is_up: bool, now: float) -> None:
        if self.negotiation is None:
            self._reply(server, 491, now)  # our own offer is not answered for good yet (RFC 3261, 14.2; RFC 3311, 5.2)
        elif is_up and dialog is self.negotiation.dialog:
            self.negotiation.receive(server, now)
        else:
            self._reply(server, 481, now)

    def _reply(self, server: ServerTransaction, status: int, now: float) -> None:
        server.reply(self._stack.answer(server.request, status), now)

    def _acknowledge(self, dialog: Dialog, fields: Fields) -> None:
        ack, address = dialog.request("ACK", dialog.invite_cseq, fields)
        wire = self._stack.seal(ack, address.transport).encode()
        self._acks[dialog.remote_tag] = (wire, address)
        self._stack.layer.send(wire, address)

    def _send(self, exchange: Exchange, now: float) -> None:
        dialog = exchange.dialog
        request, address = dialog.request("BYE", dialog.next_cseq(), exchange.fields)
        self._digest.authorize(request)
        self._stack.seal(request, address.transport)
        self._exchanges[self._stack.layer.request(request, address, self, now)] = exchange
