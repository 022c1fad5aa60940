"""A carrier full of phones in virtual time, and a bad network before it: what our user agent is put through by the thousand.

The phones are built of the same transactions as ours, seen from the other side; each follows a plan and says at the end how its
call ended.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from tests.sip.wire import PEER, SDP, US, response_to, seeded
from webcb.sip.events import Address, Event
from webcb.sip.message import Request, Response, read_message
from webcb.sip.stack import Identity, Stack
from webcb.sip.timers import T1, T2, TIMEOUT
from webcb.sip.transaction import ClientTransaction, ServerTransaction, TransactionLayer
from webcb.sip.useragent import UserAgent


@dataclass(frozen=True)
class Plan:
    """What a phone does: seconds until it rings, until its final `status`, and after its answer until it hangs up (None: never)."""

    ring: float = 0.2
    final: float | None = 5.0
    status: int = 200
    hang_up: float | None = None


@dataclass(eq=False)
class Phone:
    """One call as the phone sees it. `state`: new, ringing, up, over."""

    carrier: "Carrier"
    plan: Plan
    server: ServerTransaction
    state: str = "new"
    acknowledged: bool = False
    was_up: bool = False
    gave_up: bool = False
    deadlines: dict[str, float] = field(default_factory=dict)
    interval: float = T1

    @property
    def invite(self) -> Request:
        return self.server.request

    def start(self, now: float) -> None:
        self._reply(100, now)
        self._at("ring", now + self.plan.ring)
        if self.plan.final is not None:
            self._at("final", now + self.plan.final)

    def on_timer(self, timer: str, now: float) -> None:
        if timer == "ring":
            self.state = "ringing"
            self._reply(180, now)
        elif timer == "final" and self.plan.status != 200:
            self.state = "over"
            self._reply(self.plan.status, now)
        elif timer == "final":
            self.state, self.was_up = "up", True
            self._reply(200, now)
            self._at("repeat", now + T1)
            self._at("give up", now + TIMEOUT)
        elif timer == "repeat":
            self._reply(200, now)
            self.interval = min(2 * self.interval, T2)
            self._at("repeat", now + self.interval)
        elif timer == "give up":
            self.gave_up = True
            self._bye(now)
        elif timer == "hang up" and self.state == "up":
            self._bye(now)

    def on_request(self, server: ServerTransaction, now: float) -> None:
        method = server.request.method
        if method == "CANCEL":
            if not self.server.is_answered:
                self.state = "over"
                self.deadlines.clear()
                self._reply(487, now)
        elif method == "BYE":
            self.state = "over"
            self.deadlines.clear()

    def on_ack(self, now: float) -> None:
        if self.state == "up" and not self.acknowledged:
            self.acknowledged = True
            self.deadlines.clear()
            if self.plan.hang_up is not None:
                self._at("hang up", now + self.plan.hang_up)

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        pass

    def on_silence(self, transaction: ClientTransaction, status: int, now: float) -> None:
        self.carrier.unanswered_byes += 1

    def _bye(self, now: float) -> None:
        self.state = "over"
        self.deadlines.clear()
        invite = self.invite
        fields = {
            "Via": [],
            "Max-Forwards": ["70"],
            "From": [f"{invite.first('To')};tag=phone"],
            "To": [invite.first("From")],
            "Call-ID": [invite.call_id],
            "CSeq": ["1 BYE"],
        }
        bye = self.carrier.stack.seal(Request("BYE", f"sip:{self.carrier.caller.host}", fields), "udp")
        self.carrier.layer.request(bye, self.carrier.caller, self, now)

    def _reply(self, status: int, now: float) -> None:
        data = response_to(self.invite, status, "phone", self.carrier.sdp if status == 200 else b"")
        self.server.reply(read_message(data), now)

    def _at(self, timer: str, at: float) -> None:
        self.carrier.layer.timers.start(self, timer, at)


class Carrier:
    """The far end: every INVITE is a new phone, whose plan is found by the user part of the Request-URI."""

    def __init__(self, plans: dict[str, Plan], seed: int, caller: Address = US, sdp: bytes = SDP) -> None:
        self.caller = caller
        self.sdp = sdp
        self.layer = TransactionLayer()
        self.stack = Stack(Identity("phone", PEER), seeded(seed), self.layer, lambda event: None)
        self.plans = plans
        self.phones: dict[str, Phone] = {}  # by Call-ID
        self.numbers: dict[str, str] = {}
        self.unanswered_byes = 0

    def receive(self, data: bytes, source: Address, now: float) -> None:
        message = read_message(data)
        if isinstance(message, Response):
            client = self.layer.find_client(message)
            if client:
                client.on_response(message, now)
            return
        phone = self.phones.get(message.call_id)
        if message.method == "ACK":
            server = self.layer.find_server(message, "INVITE")
            if server:
                server.on_request("ACK", now)
            elif phone:
                phone.on_ack(now)
            return
        server = self.layer.find_server(message)
        if server:
            server.on_request(message.method, now)
            return
        server = self.layer.serve(message, source)
        if message.method == "INVITE":
            number = message.uri.removeprefix("sip:").partition("@")[0]
            self.phones[message.call_id] = Phone(self, self.plans[number], server)
            self.numbers[number] = message.call_id
            self.phones[message.call_id].start(now)
        else:
            server.reply(read_message(response_to(message, 200 if phone else 481, "phone")), now)
            if phone:
                phone.on_request(server, now)


class World:
    """Our user agent and a carrier, with a network between them that loses, doubles and delays, all drawn from one seed."""

    def __init__(
        self, plans: dict[str, Plan], seed: int, loss: float = 0.0, double: float = 0.0, delay: float = 0.02
    ) -> None:
        self.us = UserAgent(Identity("us", US), seeded(seed))
        self.carrier = Carrier(plans, seed + 1)
        self.now = 0.0
        self.told: list[tuple[float, Event]] = []
        self.on_event: Callable[[Event, float], None] = lambda event, now: None
        self._draw = random.Random(seed + 2)
        self._loss, self._double, self._delay = loss, double, delay
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, time: float, act: Callable[[], None]) -> None:
        """Something is to happen at a time."""
        heapq.heappush(self._queue, (time, next(self._order), act))

    def run(self, seconds_max: float = 600.0) -> None:
        """Until nothing is left to happen."""
        while True:
            times = [
                self._queue[0][0] if self._queue else None,
                self.us.next_deadline(),
                self.carrier.layer.timers.next_deadline(),
            ]
            due = min((time for time in times if time is not None), default=None)
            if due is None:
                return
            assert due < seconds_max, "something goes on for ever"
            self.now = max(self.now, due)
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            self.us.handle_deadline(self.now)
            self.carrier.layer.timers.fire(self.now)
            self._carry()

    def _carry(self) -> None:
        for event in self.us.events():
            self.told.append((self.now, event))
            self.on_event(event, self.now)
        for data, _ in self.us.to_send():
            self._throw(lambda data=data: self.carrier.receive(data, US, self.now))
        outbox, self.carrier.layer.outbox = self.carrier.layer.outbox, []
        for data, _ in outbox:
            self._throw(lambda data=data: self.us.receive(data, PEER, self.now))

    def _throw(self, arrive: Callable[[], None]) -> None:
        """A datagram goes: perhaps never to arrive, perhaps twice, perhaps after one that was sent later."""
        for _ in range(2 if self._draw.random() < self._double else 1):
            if self._draw.random() >= self._loss:
                self.at(self.now + self._draw.uniform(0.001, self._delay), arrive)
