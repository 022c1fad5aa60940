"""The demo carrier's switch: which number is which phone, and what comes to nobody. Pure, behind five doors like the user agent.

Phones behind the gate are challenged first; softphones are reached through the proxy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from webcb.demo.gate import Gate, Verdict
from webcb.demo.phone import Line, PhoneCall
from webcb.demo.phones import NOT_FOUND, OK, Phone
from webcb.demo.proxy import Proxy, Softphone
from webcb.sip.digest import Credentials
from webcb.sip.events import Address, Event
from webcb.sip.grammar import ProtocolError
from webcb.sip.message import Request, Response, read_message
from webcb.sip.stack import ALLOW, Identity, Stack, note_source
from webcb.sip.transaction import ServerKey, ServerTransaction, TransactionLayer
from webcb.sip.uri import parse_uri

CALLS_MAX = 5000
SECRET_BYTES = 16
PRODUCT = "webcb demo carrier"


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened at a number, in words for a person: `rings`, `answers`, `hangs up`."""

    number: str
    what: str


class Switch:
    """Every phone of the carrier at one address. `open_line` gives an RTP port for a phone; `entropy` random bytes."""

    def __init__(
        self,
        address: Address,
        phones: Mapping[str, Phone],
        softphones: Mapping[str, Softphone],
        credentials: Credentials,
        open_line: Callable[[Phone], Line],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._phones = phones
        self._softphones = softphones
        self._open_line = open_line
        self._layer = TransactionLayer()
        self._stack = Stack(Identity(PRODUCT, address), entropy, self._layer, _no_event)
        self._gate = Gate(credentials, entropy(SECRET_BYTES))
        self._proxy = Proxy(address, entropy(SECRET_BYTES))
        self._calls: dict[tuple[str, str], PhoneCall] = {}
        self._invites: dict[ServerKey, PhoneCall] = {}  # the same calls, by what a CANCEL knows of them
        self._told: list[Told] = []

    # The five doors ----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram; what is no SIP message is dropped."""
        try:
            message = read_message(data)
            if isinstance(message, Response):
                self._receive_response(message, now)
            else:
                note_source(message, source)
                self._receive_request(message, source, now)
        except ProtocolError:
            return

    def to_send(self) -> list[tuple[bytes, Address]]:
        """The datagrams that wait, with their addresses."""
        waiting, self._layer.outbox = self._layer.outbox, []
        return waiting

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is due."""
        return self._layer.timers.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Do what is due."""
        self._layer.timers.fire(now)

    def told(self) -> list[Told]:
        """What happened at the phones since the last look."""
        happened, self._told = self._told, []
        return happened

    def __len__(self) -> int:
        return len(self._calls)

    # What the phones say -----------------------------------------------------------------------------------------------

    def tell(self, phone: Phone, what: str) -> None:
        """Something happened at a phone."""
        self._told.append(Told(phone.number, what))

    def forget(self, call: PhoneCall) -> None:
        """A call is over."""
        del self._calls[call.key]
        del self._invites[call.server.key]

    # What came ---------------------------------------------------------------------------------------------------------

    def _receive_response(self, response: Response, now: float) -> None:
        client = self._layer.find_client(response)
        if client:
            client.on_response(response, now)
        elif back := self._proxy.send_back(response):
            self._layer.send(back[0].encode(), back[1])

    def _receive_request(self, request: Request, source: Address, now: float) -> None:
        number = parse_uri(request.uri).username.removeprefix("+")
        softphone = self._softphones.get(number)
        if softphone:
            self._pass_on(request, softphone)
            return
        known = self._layer.find_server(request)
        if known:
            known.on_request(request.method, now)
        elif request.method == "ACK":
            self._acknowledge(request, now)
        elif server := self._layer.serve(request, source):
            if request.method == "CANCEL":
                self._cancel(server, now)
            elif request.to_tag:
                self._inside(server, now)
            elif request.method == "INVITE":
                self._call(server, number, source, now)
            else:
                status = OK if request.method == "OPTIONS" else 405
                server.reply(self._stack.answer(request, status, {"Allow": [ALLOW]}), now)

    def _pass_on(self, request: Request, softphone: Softphone) -> None:
        forwarded = self._proxy.forward(request, softphone)
        if forwarded:
            if request.method == "INVITE":
                self._told.append(Told(softphone.number, f"is called at {softphone.uri}"))
            self._layer.send(forwarded.encode(), softphone.address)

    def _acknowledge(self, ack: Request, now: float) -> None:
        refused = self._layer.find_server(ack, "INVITE")
        if refused:
            refused.on_request("ACK", now)
        elif call := self._calls.get((ack.call_id, ack.to_tag)):
            call.on_acknowledged(now)

    def _cancel(self, server: ServerTransaction, now: float) -> None:
        invite = self._layer.find_server(server.request, "INVITE")
        server.reply(self._stack.answer(server.request, OK if invite else 481), now)
        if invite and (call := self._invites.get(invite.key)):
            call.on_cancelled(now)

    def _inside(self, server: ServerTransaction, now: float) -> None:
        call = self._calls.get((server.request.call_id, server.request.to_tag))
        if call:
            call.on_request(server, now)
        else:
            server.reply(self._stack.answer(server.request, 481), now)

    def _call(self, server: ServerTransaction, number: str, source: Address, now: float) -> None:
        phone = self._phones.get(number)
        if phone is None or len(self._calls) >= CALLS_MAX:
            server.reply(self._stack.answer(server.request, NOT_FOUND if phone is None else 503), now)
            return
        if phone.algorithm and not self._admit(server, phone, now):
            return
        server.reply(self._stack.answer(server.request, 100), now)
        call = PhoneCall(self, self._stack, phone, server, source, self._open_line(phone), now)
        self._calls[call.key] = call
        self._invites[server.key] = call

    def _admit(self, server: ServerTransaction, phone: Phone, now: float) -> bool:
        verdict = self._gate.verdict(server.request, phone.algorithm, now)
        if verdict is Verdict.WRONG:
            server.reply(self._stack.answer(server.request, 403), now)
        elif verdict is not Verdict.PASS:
            value = self._gate.challenge(phone.algorithm, now, stale=verdict is Verdict.STALE)
            response = self._stack.answer(server.request, 407, {"Proxy-Authenticate": [value]})
            response.reason = "Proxy Authentication Required"
            server.reply(response, now)
            self.tell(phone, f"asks for credentials, {phone.algorithm}")
        return verdict is Verdict.PASS


def _no_event(event: Event) -> None:
    raise AssertionError(f"a phone of the carrier has no owner to tell {event}")
