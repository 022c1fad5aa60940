"""A far side for the tests: two real sockets that send RTP as they are told and keep what comes."""

import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from rtpbridge import Bridge, Event, Port

PATIENCE_S = 5.0  # a packet on loopback takes microseconds; this is for a machine with other work
PCMU = {"PCMU/8000": 0, "telephone-event/8000": 101}
PAIRS_TRIED_MAX = 100


@dataclass(frozen=True)
class Rtp:
    """One RTP packet as RFC 3550, 5.1 has it; no CSRC, extension or padding."""

    payload: bytes
    sequence: int = 0
    timestamp: int = 0
    ssrc: int = 0x5EED
    payload_type: int = 0
    marker: bool = False

    def pack(self) -> bytes:
        second = self.marker << 7 | self.payload_type
        fixed = struct.pack("!BBHII", 0x80, second, self.sequence % 2**16, self.timestamp % 2**32, self.ssrc)
        return fixed + self.payload

    @classmethod
    def read(cls, packet: bytes) -> Self:
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", packet)
        assert first == 0x80
        return cls(packet[12:], sequence, timestamp, ssrc, second & 0x7F, bool(second >> 7))


def voice(number: int, ssrc: int = 0x5EED, payload_type: int = 0, sequence: int = 0) -> Rtp:
    """The frame of that number in a stream that began at `sequence`; its payload tells it from every other."""
    payload = struct.pack("!II", ssrc, number) * 20
    return Rtp(payload, sequence + number, 160 * number, ssrc, payload_type)


@dataclass
class Phone:
    host: str
    rtp: socket.socket = field(init=False)
    rtcp: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        for _ in range(PAIRS_TRIED_MAX):
            self.rtp = socket.socket(family, socket.SOCK_DGRAM)
            self.rtcp = socket.socket(family, socket.SOCK_DGRAM)
            try:
                self.rtp.bind((self.host, 0))
                self.rtcp.bind((self.host, self.port + 1))
            except (OSError, OverflowError):
                self.close()
                continue
            for endpoint in (self.rtp, self.rtcp):
                endpoint.settimeout(PATIENCE_S)
                endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            return
        raise OSError("no pair of ports for a phone")

    @property
    def port(self) -> int:
        return int(self.rtp.getsockname()[1])

    def connected(self, bridge: Bridge, payloads: dict[str, int] | None = None) -> Port:
        """A new port of the bridge that has this phone as its far side."""
        port = bridge.open_port()
        port.connect(self.host, self.port, payloads or PCMU)
        return port

    def say(self, port: Port, *packets: Rtp | bytes) -> None:
        for packet in packets:
            self.rtp.sendto(packet.pack() if isinstance(packet, Rtp) else packet, (self.host, port.rtp_port))

    def hear(self, count: int = 1) -> list[Rtp]:
        return [Rtp.read(self.rtp.recv(2048)) for _ in range(count)]

    def hears_nothing_before(self, other: "Phone", port: Port, number: int) -> bool:
        """True when nothing came but the one frame that `other` now says through `port`, which is joined to ours."""
        other.say(port, voice(number))
        return self.hear()[0].payload == voice(number).payload and not select.select([self.rtp], [], [], 0)[0]

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


def until(true: Callable[[], bool]) -> None:
    """Waits for what the media thread is about to do; a condition that stays false is a failure."""
    give_up = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up, "it did not come true"


def next_events(bridge: Bridge) -> list[Event]:
    """What events() has, once the file descriptor says that there is something."""
    assert select.select([bridge], [], [], PATIENCE_S)[0], "no event came"
    return bridge.events()
