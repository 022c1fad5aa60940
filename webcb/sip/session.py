"""One call that we place: INVITE, challenge, ringing, CANCEL, answer or failure (RFC 3261, 9 and 13), as two tables.

What follows the answer inside the dialogs is `conversation`'s. The only deadline here is the one after CANCEL.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from webcb.sip.causes import cause_of_response, printable, retry_after
from webcb.sip.conversation import Conversation
from webcb.sip.dialog import Dialog, read_dialog
from webcb.sip.digest import CREDENTIAL_HEADERS, Credentials, DigestClient
from webcb.sip.events import Address, Answered, Cause, Closed, Failed, HungUp, Inviting, Progress, SessionId, Trying
from webcb.sip.grammar import is_token, quote
from webcb.sip.indialog import TRIES_MAX, write_cancel
from webcb.sip.message import CANONICAL, Fields, Request, Response
from webcb.sip.pending import print_invite, read_invite
from webcb.sip.redirection import read_targets
from webcb.sip.refresh import SESSION_SECONDS, ask_for_session, read_min_se
from webcb.sip.stack import ALLOW, CALL_ID_BYTES, SDP, SUPPORTED, TAG_BYTES, Stack, body_of_type
from webcb.sip.timers import TIMEOUT
from webcb.sip.transaction import ClientTransaction
from webcb.sip.uri import parse_uri

CANCEL_GUARD: Final = "no final answer after CANCEL"

# States
CALLING: Final = "calling"  # nothing heard yet
PROCEEDING: Final = "proceeding"  # a 1xx was heard
QUITTING: Final = "quitting"  # to be cancelled, but no 1xx yet, and so no CANCEL (RFC 3261, 9.1)
CANCELLING: Final = "cancelling"
ANSWERED: Final = "answered"
OVER: Final = "over"

# What is heard: the class of an answer to the INVITE
PROVISIONAL: Final = "1xx"
SUCCESS: Final = "2xx"
ANEW: Final = "401, 407, 422 that we can answer"
FAILURE: Final = "300-699"

# What is told by the owner, a timer, the conversation
HANG_UP: Final = "hang up"
TIMED_OUT: Final = "timed out"
UNREACHABLE: Final = "nothing can be sent"
ENDED: Final = "ended by the peer"


@dataclass(frozen=True, slots=True)
class Call:
    """A call to place: where to, from whom, with which offer.

    `uri` is the Request-URI and To; `next_hop` where the INVITE goes; `offer` SDP; `headers` further ones, name and value;
    `routes` the Route values of the INVITE, which go to `next_hop` all the same (RFC 3608, 5). `is_written_ahead`: INVITE and ACK
    wait until the owner has written down what was told of them, and says so by `confirm`.
    """

    uri: str
    next_hop: Address
    from_uri: str
    from_name: str = ""
    offer: bytes = b""
    credentials: Credentials | None = None
    headers: tuple[tuple[str, str], ...] = ()
    routes: tuple[str, ...] = ()
    is_written_ahead: bool = False


class Heard(NamedTuple):
    """An answer, the INVITE it answers, and when."""

    transaction: ClientTransaction
    response: Response
    now: float


class Session:
    """One call leg. Its life is the tables HEARD and TOLD below; `on_closed` is called at its end."""

    __slots__ = (
        "_cancel", "_cause", "_closed", "_contact", "_digest", "_min_se", "_next_hop", "_on_closed", "_pending", "_realms", "_stack",
        "_transaction", "_tries", "_writes_ahead", "call_id", "conversation", "deadlines", "id", "local_tag", "state",
    )  # fmt: skip

    # That of the INVITE. An adopted session never had one, and is in no state that asks for it.
    _transaction: ClientTransaction

    def __init__(
        self, stack: Stack, number: SessionId, credentials: Credentials | None, on_closed: Callable[["Session"], None]
    ) -> None:
        self.id = number
        self.state = CALLING
        self.deadlines: dict[str, float] = {}
        self.call_id = self.local_tag = self._contact = ""
        self._stack = stack
        self._on_closed = on_closed
        self._digest = DigestClient(credentials, stack.entropy)
        self.conversation = Conversation(stack, number, self._digest, self._settle, self._on_end)
        self._next_hop = stack.identity.contact
        self._realms: set[tuple[bool, str]] = set()
        self._tries = 0
        self._min_se = 0  # the longest that a 422 asked for
        self._cancel: ClientTransaction | None = None
        self._cause: Cause | None = None  # why we hang up, for the Reason header
        self._closed = False
        self._writes_ahead = False
        self._pending: Request | None = None  # an INVITE that waits to be written

    def place(self, call: Call, now: float) -> None:
        """Send the INVITE. ValueError: a URI or header of `call` could not stand in it, or is one that we write ourselves."""
        parse_uri(call.uri)
        user = parse_uri(call.from_uri).user
        self.call_id = self._stack.token(CALL_ID_BYTES)
        self.local_tag = self._stack.token(TAG_BYTES)
        self._contact = self._stack.contact(user, call.next_hop.transport)
        self._next_hop = call.next_hop
        self._writes_ahead = call.is_written_ahead
        shown = f"{quote(call.from_name)} " if call.from_name else ""
        fields: Fields = {
            "Via": [],
            "Max-Forwards": ["70"],
            "From": [f"{shown}<{call.from_uri}>;tag={self.local_tag}"],
            "To": [f"<{call.uri}>"],
            "Call-ID": [self.call_id],
            "CSeq": ["1 INVITE"],
            "Contact": [self._contact],
            "Allow": [ALLOW],
            "Accept": [SDP],
            "Supported": [SUPPORTED],
            **ask_for_session(SESSION_SECONDS, 0),
        }
        if call.routes:
            fields["Route"] = list(call.routes)
        if call.offer:
            fields["Content-Type"] = [SDP]
        else:  # a reliable 1xx would bring the peer's offer, to be answered in PRACK (RFC 3262, 5)
            fields["Supported"] = ["timer"]
        own = frozenset(fields)
        for name, value in call.headers:
            spelled = CANONICAL.get(name.lower(), name)
            if not is_token(name) or "\r" in value or "\n" in value or spelled in own:
                raise ValueError(f"the header {name!r} cannot be added")
            fields.setdefault(spelled, []).append(value)
        self._send_invite(Request("INVITE", call.uri, fields, call.offer), now)

    def adopt(self, text: str, now: float, local: bytes = b"", remote: bytes = b"") -> None:
        """Go on with a dialog that another process began. ValueError: `text` is not one."""
        dialog = read_dialog(text)
        self.state = ANSWERED
        self.call_id, self.local_tag, self._contact = dialog.call_id, dialog.local_tag, dialog.contact
        self.conversation.resume(dialog, local, remote, now)

    def take_back(self, text: str, now: float, cause: Cause | None) -> None:
        """CANCEL an INVITE that another process sent; a 2xx of it is acknowledged and ended. ValueError: `text` is none."""
        pending = read_invite(text)
        self.call_id, self.local_tag = pending.request.call_id, pending.local_tag
        self._contact, self._next_hop, self._cause = pending.contact, pending.next_hop, cause
        self._transaction = self._stack.layer.take_up(pending.request, pending.address, self)
        # Whether a 1xx came is not known; what was not heard of is answered 481.
        self.state = CANCELLING
        self._send_cancel(now)

    def confirm(self, now: float) -> None:
        """What was told last is written: the INVITE or ACK that waits for it leaves."""
        invite, self._pending = self._pending, None
        if invite:
            self._transaction = self._stack.layer.request(invite, self._next_hop, self, now)
        else:
            self.conversation.release_ack()

    def hang_up(self, now: float, cause: Cause | None = None) -> None:
        """End the call, whatever its moment; a second time changes nothing."""
        if self._pending:
            self._pending, self.state = None, OVER  # nothing is on the wire
            self._stack.tell(Failed(self.id, cause or Cause(487, 16, "cancelled"), local=True))
            self._settle()
        else:
            self._told(HANG_UP, now, cause)

    # What comes

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """An answer to the INVITE or CANCEL."""
        if transaction.request.method == "CANCEL":
            return  # it says nothing that the INVITE's answer will not
        if response.status < 200:
            happening = PROVISIONAL
        elif response.status < 300:
            happening = SUCCESS
        else:
            happening = ANEW if self._may_retry(response) else FAILURE
        row = HEARD.get((self.state, happening))
        # Of an INVITE that was challenged and sent anew, only a 2xx still counts.
        if row and (transaction is self._transaction or happening == SUCCESS):
            self.state, action = row
            action(self, Heard(transaction, response, now))
            self._settle()

    def on_silence(self, transaction: ClientTransaction, status: int, now: float) -> None:
        """No final answer came to the INVITE, or none to the CANCEL, after which its guard has the word."""
        if transaction is self._transaction:
            self._told(UNREACHABLE if status == 503 else TIMED_OUT, now)

    def on_timer(self, _timer: str, now: float) -> None:
        """The peer has not ended its INVITE long after our CANCEL (RFC 3261, 9.1)."""
        self._told(TIMED_OUT, now)

    def _on_end(self, cause: Cause, now: float) -> None:
        self._told(ENDED, now, cause)

    def _told(self, happening: str, now: float, cause: Cause | None = None) -> None:
        row = TOLD.get((self.state, happening))
        if row:
            self._cause = cause or self._cause
            self.state, action = row
            action(self, now)
            self._settle()

    def _settle(self) -> None:
        """Say Closed once nothing that we sent waits for an answer any more."""
        if self.state == OVER and self.conversation.is_idle and not self._closed:
            self._closed = True
            self._on_closed(self)
            self._stack.tell(Closed(self.id))

    # INVITE

    def _send_invite(self, invite: Request, now: float) -> None:
        self._stack.seal(invite, self._next_hop.transport)
        invite.from_tag = self.local_tag
        self._tries += 1
        if self._writes_ahead:
            self._pending = invite
            self._stack.tell(Inviting(self.id, print_invite(invite, self._next_hop, self._contact)))
            return
        self._transaction = self._stack.layer.request(invite, self._next_hop, self, now)

    def _may_retry(self, response: Response) -> bool:
        if self.state not in (CALLING, PROCEEDING) or self._tries >= TRIES_MAX:
            return False
        if response.status == 422:  # a proxy or the peer wants longer sessions (RFC 4028, 7.3)
            is_longer = read_min_se(response) > max(self._min_se, SESSION_SECONDS)
            self._min_se = max(self._min_se, read_min_se(response))
            return is_longer
        return response.status in (401, 407) and self._digest.learn(response, self._realms)

    def _retry(self, heard: Heard) -> None:
        """The INVITE again, with credentials or for a longer session: same Call-ID and From, next CSeq, new branch (RFC 3261, 22.2)."""
        refused = heard.transaction.request
        fields = {name: values for name, values in refused.fields.items() if name not in CREDENTIAL_HEADERS}
        fields["CSeq"] = [f"{max(refused.cseq, self.conversation.cseq_max) + 1} INVITE"]
        invite = Request("INVITE", refused.uri, fields, refused.body)
        if self._min_se:
            fields |= ask_for_session(max(self._min_se, SESSION_SECONDS), self._min_se)
        self._digest.authorize(invite)
        self.conversation.forget_early()
        self._send_invite(invite, heard.now)

    def _progress(self, heard: Heard) -> None:
        response = heard.response
        if response.status == 100:
            self._stack.tell(Trying(self.id))
            return
        invite = heard.transaction.request
        if self.conversation.take_provisional(invite, response, self._contact, self._next_hop, heard.now):
            sdp = body_of_type(response, SDP)
            self._stack.tell(Progress(self.id, response.status, printable(response.reason), sdp))

    def _answer(self, heard: Heard) -> None:
        """The first 2xx: this is the call."""
        dialog = self._take(heard, holds_ack=self._writes_ahead)
        if dialog:
            dialog.is_written = self._writes_ahead
            sdp = body_of_type(heard.response, SDP) or self.conversation.early_answer(dialog.remote_tag)
            self.conversation.choose(dialog)
            if self.conversation.refresh:
                self.conversation.refresh.begin(heard.response, heard.transaction.request.body, sdp, heard.now)
            self._stack.tell(Answered(self.id, sdp, dialog.print()))

    def _answer_again(self, heard: Heard) -> None:
        """A repeated 200 gets its ACK again, that of another fork ACK and BYE at once (RFC 3261, 13.2.2.4)."""
        dialog = self._take(heard)
        if dialog:
            self.conversation.bye(dialog, heard.now, self._cause)

    def _answer_too_late(self, heard: Heard) -> None:
        """The 200 crossed our CANCEL, or came before we could send one."""
        self._answer_again(heard)
        self._fail_cancelled(heard.now)

    def _take(self, heard: Heard, holds_ack: bool = False) -> Dialog | None:
        invite = heard.transaction.request
        return self.conversation.answered(invite, heard.response, self._contact, self._next_hop, holds_ack)

    def _fail(self, heard: Heard) -> None:
        """The peer refused."""
        self._leave_cancel(heard.now)
        self.conversation.drop(heard.now)
        cause = cause_of_response(heard.response)
        seconds, targets = retry_after(heard.response), read_targets(heard.response)
        self._stack.tell(Failed(self.id, cause, local=False, retry_after=seconds, targets=targets))

    def _fail_after_cancel(self, heard: Heard) -> None:
        """Who asks for a password for what he was told to forget has not refused: the call ended because we wanted it."""
        if heard.response.status in (401, 407):
            self._fail_cancelled(heard.now)
        else:
            self._fail(heard)

    def _fail_timed_out(self, _now: float) -> None:
        self._stack.tell(Failed(self.id, Cause(408, 102, "no answer to the INVITE"), local=True))

    def _fail_unreachable(self, _now: float) -> None:
        self._stack.tell(
            Failed(self.id, Cause(503, 41, printable(self._transaction.trouble or "unreachable")), local=True)
        )

    def _fail_cancelled(self, now: float) -> None:
        """We hung up, and the peer said nothing about it, or too late."""
        self._leave_cancel(now)
        self.conversation.drop(now)
        self._transaction.abandon(now)
        q850 = self._cause.q850 if self._cause else 16
        self._stack.tell(Failed(self.id, Cause(487, q850, "cancelled"), local=True))

    # CANCEL

    def _wait_to_cancel(self, _now: float) -> None:
        """Nothing is sent: a CANCEL could arrive before its INVITE (RFC 3261, 9.1)."""

    def _cancel_at_last(self, heard: Heard) -> None:
        self._send_cancel(heard.now)

    def _send_cancel(self, now: float) -> None:
        """CANCEL, and the wait for the end of the INVITE."""
        self._cancel = self._stack.layer.request(*write_cancel(self._stack, self._transaction, self._cause), self, now)
        self._stack.layer.timers.start(self, CANCEL_GUARD, now + TIMEOUT)

    def _leave_cancel(self, now: float) -> None:
        self.deadlines.clear()
        if self._cancel:
            self._cancel.abandon(now)

    # The end of an answered call

    def _hang_up_answered(self, now: float) -> None:
        self.conversation.hang_up(now, self._cause)

    def _say_hung_up(self, now: float) -> None:
        self.conversation.drop(now)
        if self._cause:
            self._stack.tell(HungUp(self.id, self._cause))
        if self.conversation.negotiation:
            self.conversation.negotiation.end(now)


# State and what the INVITE was answered; the state that follows and what is done. What is not here is without effect.
HEARD: Final[dict[tuple[str, str], tuple[str, Callable[[Session, Heard], None]]]] = {
    (CALLING, PROVISIONAL): (PROCEEDING, Session._progress),
    (CALLING, SUCCESS): (ANSWERED, Session._answer),
    (CALLING, ANEW): (CALLING, Session._retry),
    (CALLING, FAILURE): (OVER, Session._fail),
    (PROCEEDING, PROVISIONAL): (PROCEEDING, Session._progress),
    (PROCEEDING, SUCCESS): (ANSWERED, Session._answer),
    (PROCEEDING, ANEW): (CALLING, Session._retry),
    (PROCEEDING, FAILURE): (OVER, Session._fail),
    (QUITTING, PROVISIONAL): (CANCELLING, Session._cancel_at_last),
    (QUITTING, SUCCESS): (OVER, Session._answer_too_late),
    (QUITTING, FAILURE): (OVER, Session._fail_after_cancel),
    (CANCELLING, SUCCESS): (OVER, Session._answer_too_late),
    (CANCELLING, FAILURE): (OVER, Session._fail_after_cancel),
    (ANSWERED, SUCCESS): (ANSWERED, Session._answer_again),
    (OVER, SUCCESS): (OVER, Session._answer_again),
}

# The same for what the owner, a timer, or the dialog told.
TOLD: Final[dict[tuple[str, str], tuple[str, Callable[[Session, float], None]]]] = {
    (CALLING, HANG_UP): (QUITTING, Session._wait_to_cancel),
    (CALLING, TIMED_OUT): (OVER, Session._fail_timed_out),
    (CALLING, UNREACHABLE): (OVER, Session._fail_unreachable),
    (PROCEEDING, HANG_UP): (CANCELLING, Session._send_cancel),
    (QUITTING, TIMED_OUT): (OVER, Session._fail_cancelled),
    (QUITTING, UNREACHABLE): (OVER, Session._fail_cancelled),
    (CANCELLING, TIMED_OUT): (OVER, Session._fail_cancelled),
    (ANSWERED, HANG_UP): (OVER, Session._hang_up_answered),
    (ANSWERED, ENDED): (OVER, Session._say_hung_up),
}
