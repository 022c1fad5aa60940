"""A caller and the demo carrier's switch on one wire in virtual time: our own user agent calls, the phones answer."""

import random
from collections.abc import Sequence

from webcb.demo.carrier import CREDENTIALS
from webcb.demo.phones import PHONES, Phone
from webcb.demo.switch import Switch
from webcb.sip.digest import Credentials
from webcb.sip.events import Address, Event, SessionId
from webcb.sip.offer_answer import Codec, Stream, make_offer
from webcb.sip.useragent import Call, Identity, UserAgent

CALLER = Address("192.0.2.1", 5070)
CARRIER = Address("192.0.2.9", 5080)
OFFER = make_offer("192.0.2.1", 20000, (Codec("PCMU", 0, 8000), Codec("PCMA", 8, 8000)), session_id=1, version=1)


class Line:
    """The voice side of a call, noted instead of sounded."""

    def __init__(self, rtp_port: int) -> None:
        self.rtp_port = rtp_port
        self.stream: Stream | None = None
        self.is_open = True

    def talk(self, stream: Stream) -> None:
        self.stream = stream

    def close(self) -> None:
        self.is_open = False


class Ladder:
    """What is said between caller and carrier, as lines such as `INVITE ->`, `<- 180`, with `lost` where the wire lost it."""

    def __init__(self, phones: Sequence[Phone] = PHONES, seed: int = 1) -> None:
        self._draw = random.Random(seed)
        self.lose_share = 0.0
        self.now = 0.0
        self.said: list[str] = []
        self.events: list[Event] = []
        self.told: list[str] = []
        self.lines: list[Line] = []
        self._to_lose = 0
        self.us = UserAgent(Identity("test", CALLER), self._draw.randbytes)
        self.switch = Switch(
            CARRIER, {phone.number: phone for phone in phones}, {}, CREDENTIALS, self._open_line, self._draw.randbytes
        )

    def _open_line(self, _phone: Phone) -> Line:
        self.lines.append(Line(30000 + 2 * len(self.lines)))
        return self.lines[-1]

    def call(self, phone: Phone, credentials: Credentials | None = CREDENTIALS) -> SessionId:
        """Dial a phone."""
        session = self.us.invite(
            Call(
                uri=f"sip:{phone.number}@{CARRIER.host}:{CARRIER.port}",
                next_hop=CARRIER,
                from_uri=f"sip:551155550100@{CALLER.host}",
                offer=OFFER,
                credentials=credentials,
            ),
            self.now,
        )
        self.flow()
        return session

    def hang_up(self, session: SessionId) -> None:
        """The caller hangs up."""
        self.us.hang_up(session, self.now)
        self.flow()

    def lose_next(self, count: int) -> None:
        """Let the wire lose the next datagrams."""
        self._to_lose = count

    def flow(self) -> None:
        """Carry what waits to its other end until nothing waits."""
        while True:
            from_us, from_them = self.us.to_send(), self.switch.to_send()
            if not from_us and not from_them:
                break
            for data, _ in from_us:
                if self._arrives(data, "{} ->"):
                    self.switch.receive(data, CALLER, self.now)
            for data, _ in from_them:
                if self._arrives(data, "<- {}"):
                    self.us.receive(data, CARRIER, self.now)
        self.events += self.us.events()
        self.told += [told.what for told in self.switch.told()]

    def _arrives(self, data: bytes, shape: str) -> bool:
        words = data.split(b" ", 2)
        name = (words[1] if words[0] == b"SIP/2.0" else words[0]).decode()
        counted = self._to_lose > 0
        self._to_lose -= counted
        lost = counted or self._draw.random() < self.lose_share
        self.said.append(shape.format(name) + (" lost" if lost else ""))
        return not lost

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass, every deadline of either side in its moment."""
        end = self.now + seconds
        while True:
            due = [at for at in (self.us.next_deadline(), self.switch.next_deadline()) if at is not None and at <= end]
            if not due:
                break
            self.now = max(self.now, min(due))
            self.us.handle_deadline(self.now)
            self.switch.handle_deadline(self.now)
            self.flow()
        self.now = end

    def take_said(self) -> list[str]:
        """The lines since the last look."""
        said, self.said = self.said, []
        return said
