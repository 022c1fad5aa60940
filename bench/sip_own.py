"""Our side of bench/sip.py: the user agent against the demo carrier's switch, in process, its datagrams carried by hand."""

import os
import time

from webcb.demo.phones import Phone
from webcb.demo.switch import Switch
from webcb.sip.digest import Credentials
from webcb.sip.events import Address, Answered, Closed
from webcb.sip.message import Request, Response, read_message
from webcb.sip.offer_answer import Stream
from webcb.sip.transaction import ClientTransaction, TransactionLayer
from webcb.sip.useragent import Call, Identity, UserAgent

CALLER, CALLEE = Address("192.0.2.1", 5060), Address("198.51.100.7", 5060)
RING_MS = 1
PHONES = {number: Phone(number, "-", "answers", decides_ms=RING_MS) for number in ("12065550142", "5511999887766")}


class NoVoice:
    """A phone's line on which nothing is said."""

    rtp_port = 30_000

    def talk(self, _stream: Stream) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing was opened."""


class Asker:
    """Sends requests outside dialogs in transactions of their own, and counts what is answered 200."""

    def __init__(self) -> None:
        self.layer = TransactionLayer()
        self.answered = 0

    def ask(self, request: Request, now: float) -> None:
        """Send one."""
        self.layer.request(request, CALLEE, self, now)

    def receive(self, data: bytes, _source: Address, now: float) -> None:
        """Bring an answer to its transaction."""
        response = read_message(data)
        transaction = self.layer.find_client(response) if isinstance(response, Response) else None
        if transaction:
            transaction.on_response(response, now)

    def to_send(self) -> list[tuple[bytes, Address]]:
        """What waits to be sent."""
        waiting, self.layer.outbox = self.layer.outbox, []
        return waiting

    def next_deadline(self) -> float | None:
        """When its next timer fires."""
        return self.layer.timers.next_deadline()

    def on_response(self, _transaction: ClientTransaction, response: Response, _now: float) -> None:
        """An answer."""
        self.answered += response.status == 200

    def on_silence(self, _transaction: ClientTransaction, status: int, _now: float) -> None:
        """No answer, where nothing is lost."""
        raise AssertionError(status)


def deliver(caller: UserAgent | Asker, callee: UserAgent | Switch) -> None:
    """Carry what waits from one to the other until neither has more to say.

    The clock is read and deadlines are asked for as the engine does.
    """
    while (there := caller.to_send()) + (back := callee.to_send()):
        for data, _ in there:
            callee.receive(data, CALLER, time.monotonic())
        for data, _ in back:
            caller.receive(data, CALLEE, time.monotonic())
        caller.next_deadline()
        callee.next_deadline()


def transactions(request: bytes, count: int) -> None:
    """`count` OPTIONS, each answered 200, one after the other; each has a Call-ID and branch of its own."""
    asker = Asker()
    callee = UserAgent(Identity("bench", CALLEE), os.urandom)
    text = request.decode()
    for number in range(count):
        options = read_message(text.replace("NUMBER", str(number)).encode())
        assert isinstance(options, Request)
        asker.ask(options, time.monotonic())
        deliver(asker, callee)
    assert asker.answered == count


def two_leg_calls(offer: bytes, count: int) -> None:
    """`count` times: call A, when it has answered call B, then hang up on both; every leg rings, answers and ends by BYE."""
    agent = UserAgent(Identity("bench", CALLER), os.urandom)
    switch = Switch(CALLEE, PHONES, {}, Credentials("-", "-"), lambda _phone: NoVoice(), os.urandom)
    happened = []
    for _ in range(count):
        legs = []
        for number in PHONES:
            call = Call(f"sip:{number}@198.51.100.7", CALLEE, "sip:5511999887766@192.0.2.1", offer=offer)
            legs.append(agent.invite(call, time.monotonic()))
            deliver(agent, switch)
            switch.handle_deadline(time.monotonic() + RING_MS / 1000)
            deliver(agent, switch)
            happened += agent.events()
        for leg in legs:
            agent.hang_up(leg, time.monotonic())
            deliver(agent, switch)
            happened += agent.events()
        switch.told()
    assert sum(isinstance(event, Answered) for event in happened) == 2 * count
    assert sum(isinstance(event, Closed) for event in happened) == 2 * count
