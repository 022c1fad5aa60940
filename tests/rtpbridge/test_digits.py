"""Digits on their way through the bridge: told to the host program while joined or not, and heard by a peer without events."""

import math
import struct
from collections.abc import Callable

import pytest

from rtpbridge import Bridge, EventKind, Port
from tests.rtpbridge.phone import Phone, Rtp, next_events, voice
from tests.rtpbridge.test_tone import DECODE, level_dbm0

NewPhone = Callable[[], Phone]
LOW_HZ, HIGH_HZ = 852, 1477  # 9


def press(event: int, timestamp: int, sequence: int, *, ends: int = 3) -> list[Rtp]:
    """A digit of 60 ms, with so many of its last three packets."""
    told = [(10, 160), (10, 320), *[(0x8A, 480)] * ends]
    return [
        Rtp(struct.pack("!BBH", event, *one), sequence + n, timestamp, payload_type=101, marker=n == 0)
        for n, one in enumerate(told)
    ]


def keys(bridge: Bridge, port: Port, count: int = 1) -> list[tuple[str, int]]:
    heard: list[tuple[str, int]] = []
    while len(heard) < count:
        heard += [
            (event.digit, event.duration_ms)
            for event in next_events(bridge)
            if event.kind is EventKind.DIGIT and event.port == port.id
        ]
    return heard


def test_a_digit_is_told_once(bridge: Bridge, new_phone: NewPhone) -> None:
    phone = new_phone()
    port = phone.connected(bridge)
    phone.say(port, *press(12, 800, 1))
    assert keys(bridge, port) == [("A", 60)]
    phone.say(port, *press(3, 8_000, 10), *press(3, 16_000, 20, ends=1))
    assert keys(bridge, port, 2) == [("3", 60), ("3", 60)]


def test_digits_are_told_while_joined_and_go_on_to_the_peer(bridge: Bridge, new_phone: NewPhone) -> None:
    a, b = new_phone(), new_phone()
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    bridge.join(port_a, port_b)
    a.say(port_a, *press(10, 800, 1), *press(10, 8_000, 10))
    assert keys(bridge, port_a, 2) == [("*", 60), ("*", 60)]
    assert [packet.payload[0] for packet in b.hear(10)] == [10] * 10


def test_a_digit_whose_end_is_lost_is_told_a_moment_later(bridge: Bridge, new_phone: NewPhone) -> None:
    phone = new_phone()
    port = phone.connected(bridge)
    phone.say(port, *press(5, 800, 1, ends=0))
    assert keys(bridge, port) == [("5", 40)]


def test_a_peer_without_events_hears_the_key(bridge: Bridge, new_phone: NewPhone) -> None:
    """Its tone replaces the voice for as long as the key is pressed, 60 ms at least."""
    a, b = new_phone(), new_phone()
    port_a, port_b = a.connected(bridge), b.connected(bridge, {"PCMA/8000": 8})
    bridge.join(port_a, port_b)
    a.say(port_a, voice(0), *press(9, 160, 1))
    first, *tone = b.hear(4)
    assert len(first.payload) == 160
    samples = [DECODE["PCMA/8000"](octet) for packet in tone for octet in packet.payload]
    for hz in (LOW_HZ, HIGH_HZ):
        assert level_dbm0(samples, hz) == pytest.approx(-10, abs=0.5)
    assert keys(bridge, port_a) == [("9", 60)]
    a.say(port_a, voice(50))
    (after,) = b.hear()
    assert after.sequence == (tone[-1].sequence + 1) % 2**16


def tones(law_octet: Callable[[int], int], frames: int, *, on: bool) -> list[bytes]:
    samples = [
        round(on * sum(5_000 * math.sin(2 * math.pi * hz * n / 8_000) for hz in (LOW_HZ, HIGH_HZ)))
        for n in range(160 * frames)
    ]
    octets = bytes(law_octet(sample) for sample in samples)
    return [octets[at : at + 160] for at in range(0, len(octets), 160)]


def nearest_pcmu(sample: int) -> int:
    return min(range(256), key=lambda octet: abs(DECODE["PCMU/8000"](octet) - sample))


def say_frames(phone: Phone, port: Port, frames: list[bytes], begin: int) -> None:
    phone.say(port, *(Rtp(frame, begin + n, 160 * (begin + n)) for n, frame in enumerate(frames)))


def test_tones_are_digits_where_that_is_asked_for(bridge: Bridge, new_phone: NewPhone) -> None:
    phone = new_phone()
    port = phone.connected(bridge)
    on, off = tones(nearest_pcmu, 4, on=True), tones(nearest_pcmu, 4, on=False)
    say_frames(phone, port, off + on + off, 0)
    phone.say(port, *press(1, 160 * 12, 12))
    assert keys(bridge, port) == [("1", 60)]  # and nothing before

    other = new_phone()
    port = other.connected(bridge)
    port.detect_inband(True)
    say_frames(other, port, off + on + off, 0)
    ((digit, duration_ms),) = keys(bridge, port)
    assert digit == "9" and duration_ms == pytest.approx(80, abs=16)
    other.say(port, *press(2, 160 * 12, 12))
    assert keys(bridge, port)[0][0] == "2"
    say_frames(other, port, on + off, 20)  # who sends events may send tones along
    other.say(port, *press(3, 160 * 40, 40))
    assert keys(bridge, port)[0][0] == "3"
