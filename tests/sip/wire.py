"""A wire in virtual time: our user agent at one end, the test itself, message by message, at the other.

Every message leaves a line in the ladder, "INVITE ->" where we sent it and "<- 180" where it came; `expect` compares the ladder
since the last time. No test waits: `pass_seconds` lets the clock run over every deadline.
"""

import random
from collections import Counter

from webcb.sip.events import Address, Event, SessionId
from webcb.sip.message import Request, Response, split_message
from webcb.sip.offer_answer import Codec, make_offer
from webcb.sip.useragent import Call, Credentials, Identity, UserAgent

US = Address("192.0.2.1", 5060)
PEER = Address("198.51.100.7", 5060)
PCMU = Codec("PCMU", 0, 8000)
OFFER = make_offer("192.0.2.1", 20_000, (PCMU,), 1, 1)
SDP = make_offer("198.51.100.7", 30_000, (PCMU,), 9, 1)

Headers = dict[str, str]


def seeded(seed: int):
    """Bytes that look random and are the same in every run."""
    return random.Random(seed).randbytes


class Wire:
    """One user agent, one clock. `sent` are our messages since the last `expect` or `last`; `times` when each was sent."""

    def __init__(self, strangers: str = "403", seed: int = 1, contact: Address = US) -> None:
        self.hosts_left = 0  # of each name, beside the first
        self.us = UserAgent(Identity("test", contact, strangers), seeded(seed), self._elsewhere)
        self.now = 1000.0
        self.ladder: list[str] = []
        self.sent: list[Request | Response] = []
        self.addresses: list[Address] = []
        self.times: list[float] = []
        self.told: list[Event] = []
        self._to_lose = 0
        self._cseq = 100

    def _elsewhere(self, address: Address) -> bool:
        self.hosts_left -= 1
        return self.hosts_left >= 0

    # Our side

    def invite(self, **changes: object) -> SessionId:
        """Place a call to the peer."""
        call = {
            "uri": "sip:15551234567@carrier.example",
            "next_hop": PEER,
            "from_uri": "sip:5511999887766@webcb.example",
            "offer": OFFER,
        }
        session = self.us.invite(Call(**{**call, **changes}), self.now)
        self._collect()
        return session

    def answered_call(self, **changes: object) -> SessionId:
        """A call that is up; the ladder and the events begin after it."""
        session = self.invite(**changes)
        self.answer(200, sdp=SDP)
        self.forget()
        return session

    def hang_up(self, session: SessionId, cause=None) -> None:
        """Our owner hangs up."""
        self.us.hang_up(session, self.now, cause)
        self._collect()

    def offer(self, session: SessionId, sdp: bytes) -> Request:
        """Our owner makes an offer; the re-INVITE, or whatever was sent last where that waits."""
        self.us.offer(session, sdp, self.now)
        self._collect()
        return self.last("INVITE")

    def accept_offer(self, session: SessionId, sdp: bytes = OFFER) -> None:
        """Our owner accepts the peer's offer."""
        self.us.accept_offer(session, sdp, self.now)
        self._collect()

    def reject_offer(self, session: SessionId, status: int) -> None:
        """Our owner refuses the peer's offer."""
        self.us.reject_offer(session, status, self.now)
        self._collect()

    # The peer's side

    def answer(
        self, status: int, to: Request | None = None, tag: str = "peer", sdp: bytes = b"", **headers: str
    ) -> None:
        """The peer answers a request of ours, by default the last one that can be answered."""
        request = to or next(message for message in reversed(self.sent) if is_answerable(message))
        self.deliver(response_to(request, status, tag, sdp, **headers))

    def ask(self, method: str, like: Request, tag: str = "peer", **changes: object) -> Request:
        """The peer sends a request in the dialog whose INVITE of ours is `like`."""
        request = self.build(method, like, tag, **changes)
        self.deliver(request.encode())
        return request

    def build(
        self,
        method: str,
        like: Request,
        tag: str = "peer",
        cseq: int = 0,
        sdp: bytes = b"",
        branch: str = "",
        **headers: str,
    ) -> Request:
        """A request of the peer in the dialog of `like`, or outside any where tag is "" and the headers say so."""
        self._cseq = cseq or self._cseq + 1
        fields = {
            "Via": f"SIP/2.0/UDP {PEER.host}:{PEER.port};branch={branch or f'z9hG4bKpeer{self._cseq}{method}'}",
            "Max-Forwards": "70",
            "From": f"{like.first('To').partition(';')[0]};tag={tag}",
            "To": like.first("From"),
            "Call-ID": like.call_id,
            "CSeq": f"{self._cseq} {method}",
            "Contact": f"<sip:peer@{PEER.host}>",
        }
        if sdp:
            fields["Content-Type"] = "application/sdp"
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        return Request(method, f"sip:{US.host}", {name: [value] for name, value in fields.items() if value}, sdp)

    def deliver(self, data: bytes, source: Address = PEER) -> None:
        """A datagram comes from the peer."""
        self.ladder.append(f"<- {name_of(data)}")
        self.us.receive(data, source, self.now)
        self._collect()

    # The world

    def lose_next(self, count: int) -> None:
        """The next datagrams we send do not arrive."""
        self._to_lose = count

    def pass_seconds(self, seconds: float) -> None:
        """Let the clock run, waking our side at each of its deadlines."""
        until = self.now + seconds
        while (deadline := self.us.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.us.handle_deadline(self.now)
            self._collect()
        self.now = until
        self._collect()

    # What was seen

    def expect(self, *steps: str) -> None:
        """The ladder since the last `expect` or `forget`."""
        assert self.ladder == list(steps)
        self.ladder.clear()

    def forget(self) -> None:
        """Nothing of what was seen so far is looked at any more; the last INVITE stays in `sent` for answers to refer to."""
        self.ladder.clear()
        self.told.clear()

    def events(self) -> list[Event]:
        """What our owner was told since the last time."""
        told, self.told = self.told, []
        return told

    def last(self, name: str) -> Request | Response:
        """Our last message of this method or status."""
        return next(message for message in reversed(self.sent) if name in message.start_line.split(" ")[:2])

    def all(self, name: str) -> list[Request | Response]:
        """All our messages of this method or status."""
        return [message for message in self.sent if name in message.start_line.split(" ")[:2]]

    def times_of(self, name: str) -> list[float]:
        """When they were sent, in seconds since the first."""
        times = [
            time
            for time, message in zip(self.times, self.sent, strict=True)
            if name in message.start_line.split(" ")[:2]
        ]
        return [time - times[0] for time in times]

    def counts(self) -> Counter[str]:
        """How often each step is in the ladder."""
        return Counter(self.ladder)

    def _collect(self) -> None:
        for wire, address in self.us.to_send():
            # What we send can be relied on, save that an answer to what was malformed repeats it.
            message = split_message(wire)
            if not isinstance(message, Response) or message.status not in (400, 505):
                message.check()
            lost = " lost" if self._to_lose else ""
            self._to_lose = max(0, self._to_lose - 1)
            self.ladder.append(f"{name_of(wire)} ->{lost}")
            self.sent.append(message)
            self.times.append(self.now)
            self.addresses.append(address)
        self.told += self.us.events()


def is_answerable(message: Request | Response) -> bool:
    """Whether it is a request other than ACK."""
    return isinstance(message, Request) and message.method != "ACK"


def name_of(data: bytes) -> str:
    """A datagram in the ladder's words: its method, or its status."""
    first, _, rest = data.strip(b"\r\n").partition(b"\r\n")[0].partition(b" ")
    return (rest[:3] if first.startswith(b"SIP/") else first).decode("ascii", "replace")


def response_to(request: Request, status: int, tag: str = "peer", sdp: bytes = b"", **headers: str) -> bytes:
    """A peer's answer; a header given as "" is left out, Content_Type and the like with underscores."""
    to = request.first("To")
    fields = {
        "Via": request.first("Via"),
        "From": request.first("From"),
        "To": to if ";tag=" in to or status == 100 else f"{to};tag={tag}",
        "Call-ID": request.first("Call-ID"),
        "CSeq": request.first("CSeq"),
        "Contact": f"<sip:{tag}@{PEER.host}>",
    }
    if sdp:
        fields["Content-Type"] = "application/sdp"
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, "Reason", {name: [value] for name, value in fields.items() if value}, sdp).encode()


ALICE = Credentials("alice", "secret")
