"""The peer of bench/sip.py: Sippy's Python stack (the one under its B2BUA), in process, its datagrams carried by a list.

Only the sockets are left out: messages, transactions and calls take Sippy's own way through SipTransactionManager and UA.
"""

from collections import deque
from typing import Any

from sippy.CCEvents import CCEventConnect, CCEventDisconnect, CCEventRing, CCEventTry
from sippy.Core.EventDispatcher import ED2
from sippy.MsgBody import MsgBody
from sippy.Network_server import Network_server, Network_server_opts, Remote_address
from sippy.SipRequest import SipRequest
from sippy.SipResponse import SipResponse
from sippy.SipTransactionManager import SipTransactionManager
from sippy.Time.MonoTime import MonoTime
from sippy.UA import UA

CALLER, CALLEE = ("192.0.2.1", 5060), ("198.51.100.7", 5060)
Waiting = deque[tuple["Port", bytes, tuple[str, int]]]


class Silence:
    """A log that nobody reads: what it would cost to write is not measured."""

    def write(self, *_lines: object, **_times: object) -> None:
        """Nothing."""


class Port(Network_server):
    """Where a transaction manager sends: onto a list in place of a socket."""

    transport = "udp"

    def __init__(self, configuration: dict[str, Any], options: Network_server_opts) -> None:
        super().__init__(options)
        self.waiting: Waiting = configuration["waiting"]

    def send_to(self, data: bytes | str, address: tuple[str, int], _delayed: bool = False) -> None:
        """Carried later, by `deliver`."""
        self.waiting.append((self, data.encode() if isinstance(data, str) else data, address))

    def join(self) -> None:
        """There is no thread to wait for."""


class Transactions(SipTransactionManager):
    """Sippy's transactions without sockets."""

    model_udp_server = (Port, Network_server_opts)


class Pair:
    """Two of Sippy's stacks that call each other; `parties` are the calls that the callee takes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer.decode()
        self._waiting: Waiting = deque()
        self._caller = self._open(CALLER)
        self._callee = self._open(CALLEE)
        self._callee["_sip_tm"].req_cb = self._on_request
        self._calls_answered = self._calls_ended = self._requests_answered = 0

    def _open(self, address: tuple[str, int]) -> dict[str, Any]:
        configuration: dict[str, Any] = {
            "_sip_address": address[0],
            "_sip_port": address[1],
            "_sip_logger": Silence(),
            "waiting": self._waiting,
        }
        configuration["_sip_tm"] = Transactions(configuration)
        return configuration

    def close(self) -> None:
        """Forget every transaction and timer, so that the next round starts as this one did."""
        for configuration in (self._caller, self._callee):
            configuration["_sip_tm"].shutdown()
        ED2.tlisteners.clear()
        ED2.twasted = 0

    # Transactions

    def transactions(self, request: bytes, count: int) -> None:
        """`count` OPTIONS, each answered 200, one after the other; each has a Call-ID and branch of its own."""
        manager = self._caller["_sip_tm"]
        text = request.decode()
        self._requests_answered = 0
        for number in range(count):
            options = SipRequest(text.replace("NUMBER", str(number)))
            options.setTarget((CALLEE, "udp"))
            manager.newTransaction(options, resp_cb=self._on_answer)
            self.deliver()
        assert self._requests_answered == count

    def _on_answer(self, response: SipResponse) -> None:
        self._requests_answered += response.getSCode()[0] == 200

    # Calls

    def two_leg_calls(self, offer: bytes, count: int) -> None:
        """`count` times: call A, when it has answered call B, then hang up on both; every leg rings, answers and ends by BYE."""
        self._calls_answered = self._calls_ended = 0
        for _ in range(count):
            legs = [self._call(number, offer.decode()) for number in ("12065550142", "5511999887766")]
            for leg in legs:
                leg.recvEvent(CCEventDisconnect())
                self.deliver()
        assert self._calls_answered == self._calls_ended == 2 * count

    def _call(self, number: str, offer: str) -> UA:
        leg = UA(self._caller, event_cb=self._on_event, nh_address=CALLEE, nh_transport="udp")
        leg.recvEvent(CCEventTry((None, "5511999887766", number, MsgBody(offer), None, None)))
        self.deliver()
        return leg

    def _on_event(self, event: object, _leg: UA) -> None:
        self._calls_answered += isinstance(event, CCEventConnect)

    def _on_request(self, request: SipRequest, transaction: object) -> Any:
        if request.getMethod() == "OPTIONS":
            return request.genResponse(200, "OK"), None, None
        phone = UA(self._callee, event_cb=self._on_phone_event, disc_cbs=(self._on_phone_hung_up,))
        return phone.recvRequest(request, transaction)

    def _on_phone_event(self, event: object, phone: UA) -> None:
        if isinstance(event, CCEventTry):
            phone.recvEvent(CCEventRing((180, "Ringing", None)))
            phone.recvEvent(CCEventConnect((200, "OK", MsgBody(self._answer))))

    def _on_phone_hung_up(self, *_details: object) -> None:
        self._calls_ended += 1

    def deliver(self) -> None:
        """Carry what waits from one to the other until neither has more to say, then let Sippy tidy its timers as its loop does."""
        while self._waiting:
            sender, data, _ = self._waiting.popleft()
            is_caller = sender.uopts.laddress == CALLER
            receiver = (self._callee if is_caller else self._caller)["_sip_tm"]
            port = receiver.l4r.getServer(CALLER if is_caller else CALLEE)
            source = Remote_address(CALLER if is_caller else CALLEE, "udp")
            port.handle_read(data, source, MonoTime())
        if ED2.twasted * 2 > len(ED2.tlisteners):
            ED2.tlisteners = [timer for timer in ED2.tlisteners if timer.cb_func is not None]
            ED2.twasted = 0


def parse(data: bytes) -> SipRequest | SipResponse:
    """What Sippy does with every datagram before anything is decided: read it and find the transaction's identifiers."""
    text = data.decode()
    if text.startswith("SIP/2.0 "):
        response = SipResponse(text)
        response.getTId(True, True)
        return response
    request = SipRequest(text)
    request.getTIds()
    return request


def print_message(message: SipRequest | SipResponse) -> bytes:
    """What Sippy does before it sends."""
    text: str = message.localStr((CALLER, "udp"))
    return text.encode()
