"""Somebody sprays every port of the range, before a call, while it is set up, during it and after it: the RTP bleed of others."""

import select
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from rtpbridge import Bridge, Port
from tests.rtpbridge.conftest import PORT_MAX, PORT_MIN
from tests.rtpbridge.phone import Phone, until, voice
from tests.rtpbridge.test_latch import kept_away

FRAMES = 5  # of each side, between two sprays
SSRC = {"a": 0xA, "b": 0xB}
GOODBYE = struct.pack("!BBHI", 0x81, 203, 1, SSRC["a"])


class Sprayer:
    """Sends to every port there is what a far side could have sent, down to its SSRC and the next number."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.laps = 0
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0) if ":" in host else ("127.0.0.2", 0))

    def spray(self, number: int) -> None:
        rtp = [voice(number, ssrc).pack() for ssrc in SSRC.values()]
        for port in range(PORT_MIN, PORT_MAX + 1):
            for packet in (*rtp, GOODBYE):
                self.socket.sendto(packet, (self.host, port))
        self.laps += 1

    def heard(self) -> int:
        """Datagrams that came back to him."""
        count = 0
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(2048)
            count += 1
        return count


@pytest.fixture
def sprayer(host: str) -> Iterator[Sprayer]:
    sprayer = Sprayer(host)
    yield sprayer
    sprayer.socket.close()


def test_no_packet_goes_to_who_sprays_and_none_of_his_to_a_leg(
    bridge: Bridge, new_phone: Callable[[], Phone], sprayer: Sprayer
) -> None:
    def talk(first: int, ports: tuple[Port, Port]) -> None:
        """Both hear what the other says, frame by frame, and nothing else."""
        for number in range(first, first + FRAMES):
            for port, speaker, listener in ((ports[0], a, b), (ports[1], b, a)):
                said = voice(number, SSRC["a" if speaker is a else "b"])
                speaker.say(port, said)
                assert listener.hear()[0].payload == said.payload
        assert not select.select([a.rtp, b.rtp], [], [], 0)[0]

    sprayer.spray(0)
    ports = bridge.open_port(), bridge.open_port()
    sprayer.spray(0)
    a, b = new_phone(), new_phone()
    for port, phone in zip(ports, (a, b), strict=True):
        port.connect(phone.host, phone.port, {"PCMU/8000": 0})
    sprayer.spray(0)
    bridge.join(*ports)
    sprayer.spray(0)
    for first in (0, FRAMES, 2 * FRAMES):
        talk(first, ports)
        sprayer.spray(first + FRAMES)
    talk(3 * FRAMES, ports)
    laps_of_the_call = sprayer.laps - 1
    for port in ports:
        # Three packets to its RTP port and three to its RTCP port a lap.
        until(lambda port=port: kept_away(port) == 6 * laps_of_the_call)
        counters = port.counters()
        assert (counters.received_packets, counters.received_rtcp) == (4 * FRAMES, 0)
        port.close()
    sprayer.spray(4 * FRAMES)
    assert not select.select([a.rtp, b.rtp], [], [], 0)[0]
    assert sprayer.heard() == 0
