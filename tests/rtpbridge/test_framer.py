"""Frames of another length: every octet once and at its time, losses as losses, pauses as pauses."""

import random
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType

import pytest

from tests.rtpbridge.phone import Rtp

ROOM = 1_600
PACKETS_MAX = 6
FIXED = 12


def stream(frame_ms: int, seconds: int = 2, *, sequence: int = 65_500, timestamp: int = 2**32 - 4_000) -> list[Rtp]:
    """Frames whose octets are all different as far as octets can be."""
    ticks = 8 * frame_ms
    octets = random.Random(frame_ms).randbytes(8_000 * seconds)
    return [
        Rtp(octets[n * ticks : (n + 1) * ticks], (sequence + n) % 2**16, (timestamp + n * ticks) % 2**32, marker=n == 0)
        for n in range(len(octets) // ticks)
    ]


@dataclass
class Framer:
    pure: ModuleType
    frame_ms: int

    def __post_init__(self) -> None:
        self.state = self.pure.ffi.new("struct framer *")
        self.pure.lib.framer_begin(self.state, 8 * self.frame_ms)

    def turn(self, packet: Rtp, *, voice: bool = True) -> list[Rtp]:
        ffi = self.pure.ffi
        packets = ffi.new("struct packet[]", PACKETS_MAX)
        rooms = [ffi.new("uint8_t[]", ROOM) for _ in range(PACKETS_MAX)]
        for place, room in enumerate(rooms):
            packets[place].octets = room
        octets = packet.pack()
        rooms[0][0 : len(octets)] = octets
        header = packets[0].header
        header.marker, header.sequence, header.timestamp = packet.marker, packet.sequence, packet.timestamp
        header.ssrc, header.payload_begin, header.payload_bytes = packet.ssrc, FIXED, len(packet.payload)
        packets[0].bytes = len(octets)
        count = (
            self.pure.lib.framer_turn(self.state, packets, PACKETS_MAX)
            if voice
            else self.pure.lib.framer_pass(self.state, packets)
        )
        made = []
        for one in packets[0:count]:
            assert one.bytes == one.header.payload_begin + one.header.payload_bytes
            payload = bytes(ffi.buffer(one.octets + one.header.payload_begin, one.header.payload_bytes))
            made.append(
                Rtp(payload, one.header.sequence, one.header.timestamp, one.header.ssrc, marker=bool(one.header.marker))
            )
        return made


def steps(packets: list[Rtp]) -> list[int]:
    return [(b.sequence - a.sequence) % 2**16 for a, b in pairwise(packets)]


@pytest.mark.parametrize("target_ms", [10, 20, 30, 40, 60, 120])
@pytest.mark.parametrize("source_ms", [5, 10, 20, 30, 40, 60])
def test_every_octet_once_and_at_its_time(pure: ModuleType, source_ms: int, target_ms: int) -> None:
    framer = Framer(pure, target_ms)
    said = stream(source_ms)
    heard = [made for packet in said for made in framer.turn(packet)]
    octets = b"".join(packet.payload for packet in said)
    again = b"".join(packet.payload for packet in heard)
    assert octets.startswith(again) and len(octets) - len(again) < 8 * target_ms
    assert {len(packet.payload) for packet in heard} == {8 * target_ms}
    assert set(steps(heard)) == {1}
    assert [(packet.timestamp - said[0].timestamp) % 2**32 for packet in heard] == [
        8 * target_ms * n for n in range(len(heard))
    ]
    assert [packet.marker for packet in heard] == [True] + [False] * (len(heard) - 1)


def test_frames_of_the_right_length_are_left_alone(pure: ModuleType) -> None:
    framer = Framer(pure, 20)
    for packet in reversed(stream(20)):  # whatever their order
        assert framer.turn(packet) == [packet]
    assert not framer.state.active


def test_what_was_lost_stays_lost(pure: ModuleType) -> None:
    """Of frames of 30 ms each tenth is lost: the listener's sequence says how much."""
    framer = Framer(pure, 20)
    said = [packet for n, packet in enumerate(stream(30, 3)) if n % 10 != 5]
    heard = [made for packet in said for made in framer.turn(packet)]
    assert sum(step - 1 for step in steps(heard)) == pytest.approx(10 * 30 / 20, abs=6)
    whole = b"".join(packet.payload for packet in stream(30, 3))
    begin = stream(30)[0].timestamp
    for packet in heard:
        at = (packet.timestamp - begin) % 2**32
        assert packet.payload == whole[at : at + len(packet.payload)]
    assert sum(len(packet.payload) for packet in heard) > sum(len(packet.payload) for packet in said) - 160


def test_a_pause_of_the_speaker_is_no_loss(pure: ModuleType) -> None:
    framer = Framer(pure, 20)
    before, after = stream(30)[:3], stream(30, sequence=65_503, timestamp=50_000)[:3]
    heard = [made for packet in before + after for made in framer.turn(packet)]
    assert set(steps(heard)) == {1}
    assert [packet.timestamp for packet in heard][-4:] == [50_000 + 160 * n for n in range(4)]
    assert [len(packet.payload) for packet in heard] == [160] * 4 + [80] + [160] * 4
    assert [packet.marker for packet in heard] == [True] + [False] * 4 + [True] + [False] * 3


def test_late_and_repeated_frames_make_none(pure: ModuleType) -> None:
    framer = Framer(pure, 20)
    said = stream(40)
    assert len(framer.turn(said[0])) == 2
    assert len(framer.turn(said[2])) == 2
    assert framer.turn(said[1]) == framer.turn(said[2]) == []


def test_events_go_among_the_frames(pure: ModuleType) -> None:
    framer = Framer(pure, 40)
    said = stream(20)
    event = Rtp(b"\x05\x8a\x03\x20", said[4].sequence, said[4].timestamp)
    heard = [made for packet in said[:4] for made in framer.turn(packet)]
    heard += framer.turn(event, voice=False)
    for packet in said[5:9]:
        heard += framer.turn(Rtp(packet.payload, packet.sequence, packet.timestamp))
    assert [len(packet.payload) for packet in heard] == [320, 320, 4, 320, 320]
    assert steps(heard) == [1, 1, 1, 1]


def test_another_source_begins_anew(pure: ModuleType) -> None:
    framer = Framer(pure, 40)
    framer.turn(stream(30)[0])
    other = Rtp(bytes(320), 7, 1_000, ssrc=9)
    assert framer.turn(other) == [other]
