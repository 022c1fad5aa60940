"""Our requests inside the dialogs of one call: sent, challenged, sent again, answered or not (RFC 3261, 12.2 and 22).

BYE and PRACK go this way, and what `refresh` and `proposal` send. When to send which is not decided here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from webcb.sip.causes import print_reason
from webcb.sip.dialog import Dialog
from webcb.sip.digest import CREDENTIAL_HEADERS, DigestClient
from webcb.sip.events import Address, Cause
from webcb.sip.message import Fields, Request, Response
from webcb.sip.stack import Stack
from webcb.sip.transaction import PROCEEDING, ClientTransaction

TRIES_MAX: Final = 5  # of one request, challenges included
HOSTS_MAX: Final = 4  # of one name that are tried for it

OnFinal = Callable[[int, Response | None, float], None]


@dataclass(slots=True, eq=False)
class Inquiry:
    """One request of ours, as often as it has to be sent, and the realms it has answered."""

    dialog: Dialog
    method: str
    fields: Fields
    body: bytes
    on_final: OnFinal | None
    tries: int = 1
    hosts: int = 1
    realms: set[tuple[bool, str]] = field(default_factory=set)


class DialogRequests:
    """All that wait for their answer. `on_idle` is called when the last of them was answered or timed out."""

    __slots__ = ("_digest", "_invited", "_on_idle", "_stack", "_waiting")

    def __init__(self, stack: Stack, digest: DigestClient, on_idle: Callable[[], None]) -> None:
        self._stack = stack
        self._digest = digest
        self._on_idle = on_idle
        self._waiting: dict[ClientTransaction, Inquiry] = {}
        self._invited: tuple[ClientTransaction, Dialog] | None = None  # the last re-INVITE: its 2xx may come again

    @property
    def is_idle(self) -> bool:
        """Whether every request of ours was answered, has timed out, or was dropped."""
        return not self._waiting

    @property
    def is_inviting(self) -> bool:
        """Whether a re-INVITE of ours waits for its answer: there may be one at a time (RFC 3261, 14.1)."""
        return any(inquiry.method == "INVITE" for inquiry in self._waiting.values())

    @property
    def is_undecided(self) -> bool:
        """Whether a re-INVITE of ours was answered provisionally, and waits: only such a one can be cancelled (RFC 3261, 9.1)."""
        return any(
            inquiry.method == "INVITE" and transaction.state == PROCEEDING
            for transaction, inquiry in self._waiting.items()
        )

    def send(
        self,
        dialog: Dialog,
        method: str,
        fields: Fields,
        now: float,
        on_final: OnFinal | None = None,
        body: bytes = b"",
    ) -> None:
        """Send a request. `on_final` gets its final status and response; 408 or 503 and None where there was none."""
        self._send(Inquiry(dialog, method, fields, body, on_final), now)

    def cancel_invite(self, now: float) -> None:
        """Ask the peer to end our re-INVITE that waits; it was answered provisionally."""
        for transaction, inquiry in self._waiting.items():
            if inquiry.method == "INVITE":
                self._stack.layer.request(*write_cancel(self._stack, transaction), _Unheard(), now)
                return

    def drop(self, now: float) -> None:
        """The call is over: nothing but its BYEs is waited for or sent again."""
        for transaction, inquiry in list(self._waiting.items()):
            if inquiry.method != "BYE":
                del self._waiting[transaction]
                transaction.abandon(now)

    def close(self) -> None:
        """Tell nobody any more when the last was answered."""
        self._on_idle = _nothing

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """An answer; a 2xx of a re-INVITE is acknowledged each time it comes, wanted or not (RFC 3261, 13.2.2.4)."""
        if response.status < 200:
            return
        if response.status < 300 and self._invited and self._invited[0] is transaction:
            self._acknowledge(transaction.request, response, self._invited[1])
        inquiry = self._waiting.pop(transaction, None)
        if inquiry is None:
            return
        may_retry = response.status in (401, 407) and inquiry.tries < TRIES_MAX
        if may_retry and self._digest.learn(response, inquiry.realms):
            inquiry.tries += 1
            self._send(inquiry, now)
        else:
            self._finish(inquiry, response.status, response, now)

    def on_silence(self, transaction: ClientTransaction, status: int, now: float) -> None:
        """None came in time, or it could not be sent: the name may have another host (RFC 3263, 4.3)."""
        inquiry = self._waiting.pop(transaction, None)
        if inquiry is None:
            return
        if inquiry.hosts < HOSTS_MAX and self._stack.elsewhere(transaction.address):
            inquiry.hosts += 1
            self._send(inquiry, now)
        else:
            self._finish(inquiry, status, None, now)

    def _finish(self, inquiry: Inquiry, status: int, response: Response | None, now: float) -> None:
        if inquiry.on_final:
            inquiry.on_final(status, response, now)
        if self.is_idle:
            self._on_idle()

    def _send(self, inquiry: Inquiry, now: float) -> None:
        dialog = inquiry.dialog
        request, address = dialog.request(inquiry.method, dialog.next_cseq(), inquiry.fields, inquiry.body)
        self._digest.authorize(request)
        self._stack.seal(request, address.transport)
        transaction = self._stack.layer.request(request, address, self, now)
        self._waiting[transaction] = inquiry
        if inquiry.method == "INVITE":
            self._invited = (transaction, dialog)

    def _acknowledge(self, invite: Request, response: Response, dialog: Dialog) -> None:
        """The 2xx refreshes the target first (RFC 3261, 12.2.1.2); the ACK has the INVITE's credentials (22.1)."""
        dialog.take_target(response.first("Contact"))
        fields = {name: invite.fields[name] for name in CREDENTIAL_HEADERS if name in invite.fields}
        ack, address = dialog.request("ACK", invite.cseq, fields)
        self._stack.layer.send(self._stack.seal(ack, address.transport).encode(), address)


class _Unheard:
    """Owns a CANCEL: its answer says nothing that the INVITE's will not."""

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        pass

    def on_silence(self, transaction: ClientTransaction, status: int, now: float) -> None:
        pass


def write_cancel(stack: Stack, invited: ClientTransaction, reason: Cause | None = None) -> tuple[Request, Address]:
    """CANCEL, with everything by which the peer finds the INVITE (RFC 3261, 9.1), and where it goes.

    The INVITE may have been too long for the transport of its next hop: `invited` knows where it really went.
    """
    invite, there = invited.request, invited.address
    fields: Fields = {name: invite.fields[name] for name in ("Via", "Max-Forwards", "From", "To", "Call-ID")}
    fields["CSeq"] = [f"{invite.cseq} CANCEL"]
    if "Route" in invite.fields:
        fields["Route"] = invite.fields["Route"]
    if reason:
        fields["Reason"] = print_reason(reason)
    return stack.seal(Request("CANCEL", invite.uri, fields), there.transport, invite.via.branch), there


def _nothing() -> None:
    return
