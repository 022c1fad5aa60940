"""One call at one phone of the demo carrier: the callee's side of an INVITE, a table of states. Pure: time is handed in.

Repeats and acknowledgements of refusals are the transaction's; this is what a phone does: ring, answer, refuse, press keys, hang up.
"""

from collections.abc import Callable
from typing import Final, Protocol

from webcb.demo.melody import FRAME_MS
from webcb.demo.phones import KEY_MS, OK, PAUSE_MS, Phone
from webcb.sip import keypad
from webcb.sip.dialog import Dialog, read_target
from webcb.sip.events import Address
from webcb.sip.grammar import ProtocolError
from webcb.sip.message import Fields, Response
from webcb.sip.offer_answer import Codec, Stream, make_answer, read_offer
from webcb.sip.stack import ALLOW, TAG_BYTES, Stack
from webcb.sip.timers import T1, T2, TIMEOUT
from webcb.sip.transaction import ClientTransaction, ServerTransaction

# States.
RINGING: Final = "ringing"
ANSWERED: Final = "answered"  # the 200 waits for its ACK
TALKING: Final = "talking"
HANGING_UP: Final = "hanging up"
OVER: Final = "over"

# Happenings: deadlines of the phone, requests of the caller.
ANSWERS: Final = "answers"
REFUSES: Final = "refuses"
REPEATS: Final = "repeats its 200"
UNACKNOWLEDGED: Final = "no ACK came"
HANGS_UP: Final = "hangs up"
PRESSES: Final = "presses a key"
ACK: Final = "ACK"
BYE: Final = "BYE"
CANCEL: Final = "CANCEL"
DONE: Final = "its BYE is done"

REASONS: Final = {200: "OK", 180: "Ringing", 404: "Not Found", 486: "Busy Here", 603: "Decline"}
CODECS: Final = (Codec("PCMU", 0, 8000), Codec("PCMA", 8, 8000), Codec("telephone-event", 101, 8000, "0-16"))


class Line(Protocol):
    """The voice side of a call: an RTP port that talks once it knows with whom."""

    rtp_port: int

    def talk(self, stream: Stream) -> None:
        """Begin to say what this phone says, to the far side that `stream` names."""

    def close(self) -> None:
        """Stop, and give the port back."""


class Exchange(Protocol):
    """Where the phones are: hears in words what happens at them, and when a call is over."""

    def tell(self, phone: Phone, what: str) -> None:
        """Something happened: `rings`, `answers`, `hangs up`."""

    def forget(self, call: "PhoneCall") -> None:
        """Nothing of the call is left."""


class PhoneCall:
    """A call at `phone`, from the transaction of its INVITE until nothing of it is left."""

    def __init__(
        self,
        exchange: Exchange,
        stack: Stack,
        phone: Phone,
        server: ServerTransaction,
        source: Address,
        line: Line,
        now: float,
    ) -> None:
        self.state = RINGING
        self.deadlines: dict[str, float] = {}
        self.server = server
        self.exchange = exchange
        self.stack = stack
        self.phone = phone
        self.line = line
        self.tag = stack.token(TAG_BYTES)
        self.ok = Response(OK, REASONS[OK], {})  # as it goes out once the phone has answered
        self.interval = T1
        self.keys = list(phone.keys)
        invite = server.request
        self.dialog = Dialog(
            call_id=invite.call_id,
            local=f"{invite.first('To')};tag={self.tag}",
            remote=invite.first("From"),
            local_tag=self.tag,
            remote_tag=invite.from_tag,
            target=read_target(invite.first("Contact")),
            contact=stack.contact(phone.number),
            routes=[value.partition("<")[2].partition(">")[0] for value in invite.values("Record-Route")],
            local_cseq=0,
            invite_cseq=invite.cseq,
            next_hop=source,
        )
        self._start(now)

    @property
    def key(self) -> tuple[str, str]:
        """What the caller's requests inside this call have in common: Call-ID and our tag."""
        return self.dialog.call_id, self.tag

    def _start(self, now: float) -> None:
        if self.phone.rings:
            self._tell("rings")
            self._reply(180, now)
        if self.phone.decides_ms is not None:
            decision = ANSWERS if self.phone.decision == OK else REFUSES
            self.stack.layer.timers.start(self, decision, now + self.phone.decides_ms / 1000)

    def on_timer(self, timer: str, now: float) -> None:
        """A deadline of this phone has come."""
        self._step(timer, now)

    def on_request(self, server: ServerTransaction, now: float) -> None:
        """A request of the caller inside this call: BYE ends it; an offer is declined, the voice stays as it is."""
        if server.request.method == BYE:
            server.reply(self.stack.answer(server.request, OK), now)
            self._step(BYE, now)
        else:
            server.reply(self.stack.answer(server.request, 488 if server.request.method == "INVITE" else 405), now)

    def on_acknowledged(self, now: float) -> None:
        """The ACK of our 200."""
        self._step(ACK, now)

    def on_cancelled(self, now: float) -> None:
        """The caller gave up waiting."""
        self._step(CANCEL, now)

    def on_response(self, _transaction: ClientTransaction, response: Response, now: float) -> None:
        """The answer to our BYE."""
        if response.status >= OK:
            self._step(DONE, now)

    def on_silence(self, _transaction: ClientTransaction, _status: int, now: float) -> None:
        """Our BYE was never answered, or could not be sent."""
        self._step(DONE, now)

    def _step(self, happening: str, now: float) -> None:
        row = MACHINE.get((self.state, happening))
        if row is None:
            return
        self.state, actions = row
        for action in actions:
            action(self, now)

    def _tell(self, what: str) -> None:
        self.exchange.tell(self.phone, what)

    def _reply(self, status: int, now: float, fields: Fields | None = None, body: bytes = b"") -> Response:
        contact: Fields = {"Contact": [self.dialog.contact]} if status < 300 else {}
        routes = self.server.request.fields.get("Record-Route")
        if routes and status < 300:
            contact["Record-Route"] = routes
        response = self.stack.answer(self.server.request, status, contact | (fields or {}), body, to_tag=self.tag)
        response.reason = REASONS.get(status, response.reason)
        self.server.reply(response, now)
        return response


def _answer(call: PhoneCall, now: float) -> None:
    offer = call.server.request.body
    stack = call.stack
    try:
        stream = read_offer(offer)
        host = stack.identity.contact.host
        answer = make_answer(offer, host, call.line.rtp_port, CODECS, session_id=int(stack.token(4), 16), version=1)
    except ProtocolError:
        call.state = OVER
        call._reply(488, now)
        _leave(call, now)
        _end(call, now)
        return
    call.ok = call._reply(OK, now, {"Content-Type": ["application/sdp"], "Allow": [ALLOW]}, answer)
    call._tell("answers")
    call.line.talk(stream)
    stack.layer.timers.start(call, REPEATS, now + T1)
    stack.layer.timers.start(call, UNACKNOWLEDGED, now + TIMEOUT)
    if call.phone.hangs_up_ms is not None:
        stack.layer.timers.start(call, HANGS_UP, now + call.phone.hangs_up_ms / 1000)
    _wait_to_press(call, now)


def _repeat(call: PhoneCall, now: float) -> None:
    """A 200 goes again until its ACK comes, and not by the transaction (RFC 3261, 13.3.1.4)."""
    call.server.reply(call.ok, now)
    call.interval = min(2 * call.interval, T2)
    call.stack.layer.timers.start(call, REPEATS, now + call.interval)


def _wait_for_ack(call: PhoneCall, now: float) -> None:
    """Nobody may hang up before the ACK of his 200 has come (RFC 3261, 15)."""
    call.stack.layer.timers.start(call, HANGS_UP, now + FRAME_MS / 1000)


def _settle_in(call: PhoneCall, _now: float) -> None:
    call.deadlines.pop(REPEATS, None)
    call.deadlines.pop(UNACKNOWLEDGED, None)


def _refuse(call: PhoneCall, now: float) -> None:
    call._reply(call.phone.decision, now)
    call._tell(f"refuses: {call.phone.decision} {REASONS[call.phone.decision]}")


def _terminate(call: PhoneCall, now: float) -> None:
    call._reply(487, now)
    call._tell("rings no longer, the caller gave up")


def _hang_up(call: PhoneCall, now: float) -> None:
    call._tell("hangs up")
    request, address = call.dialog.request(BYE, call.dialog.next_cseq(), {})
    call.stack.layer.request(call.stack.seal(request, address.transport), address, call, now)


def _wait_to_press(call: PhoneCall, now: float) -> None:
    """When the next key is due, if there is one."""
    if call.keys:
        call.stack.layer.timers.start(call, PRESSES, now + (PAUSE_MS if call.keys[0] == " " else KEY_MS) / 1000)


def _press(call: PhoneCall, now: float) -> None:
    """The next key, by INFO: what this phone says is a tune, in which there are no keys."""
    key = call.keys.pop(0)
    if key != " ":
        call._tell(f"presses {key}")
        body = f"Signal={key}\r\nDuration=160\r\n".encode()
        request, address = call.dialog.request("INFO", call.dialog.next_cseq(), {"Content-Type": [keypad.RELAY]}, body)
        call.stack.layer.request(call.stack.seal(request, address.transport), address, call, now)
    _wait_to_press(call, now)


def _told(call: PhoneCall, _now: float) -> None:
    call._tell("was hung up on by the other side")


def _leave(call: PhoneCall, _now: float) -> None:
    call.deadlines.clear()
    call.line.close()


def _end(call: PhoneCall, _now: float) -> None:
    call.exchange.forget(call)


_Action = Callable[[PhoneCall, float], None]

MACHINE: Final[dict[tuple[str, str], tuple[str, tuple[_Action, ...]]]] = {
    (RINGING, ANSWERS): (ANSWERED, (_answer,)),
    (RINGING, REFUSES): (OVER, (_refuse, _leave, _end)),
    (RINGING, CANCEL): (OVER, (_terminate, _leave, _end)),
    (RINGING, BYE): (OVER, (_terminate, _leave, _end)),  # of the early dialog (RFC 3261, 15)
    (ANSWERED, REPEATS): (ANSWERED, (_repeat,)),
    (ANSWERED, HANGS_UP): (ANSWERED, (_wait_for_ack,)),
    (ANSWERED, PRESSES): (ANSWERED, (_wait_to_press,)),
    (ANSWERED, ACK): (TALKING, (_settle_in,)),
    (ANSWERED, UNACKNOWLEDGED): (HANGING_UP, (_leave, _hang_up)),
    (ANSWERED, BYE): (OVER, (_told, _leave, _end)),
    (TALKING, PRESSES): (TALKING, (_press,)),
    (TALKING, HANGS_UP): (HANGING_UP, (_leave, _hang_up)),
    (TALKING, BYE): (OVER, (_told, _leave, _end)),
    (HANGING_UP, DONE): (OVER, (_end,)),
}
