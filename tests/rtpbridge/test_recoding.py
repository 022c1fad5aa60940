"""Two sides without a common codec, or with frames of another length: each hears the other as it can, and nothing else is touched."""

import math
import struct
from collections.abc import Callable
from types import ModuleType

import pytest

from rtpbridge import Bridge
from tests.rtpbridge import spandsp
from tests.rtpbridge.phone import Phone, Rtp
from tests.rtpbridge.test_tone import DECODE, level_dbm0

NewPhone = Callable[[], Phone]
EVERY_OCTET = bytes(range(256))


def is_near(sample: int, recoded: int) -> bool:
    """Half a step of the other law apart: G.711's steps are a sixteenth of the value, or 16 near zero."""
    return abs(recoded - sample) <= max(8, abs(sample) / 32)


@pytest.mark.parametrize(("law", "other"), [("pcmu", "pcma"), ("pcma", "pcmu")])
def test_an_octet_becomes_the_one_that_sounds_the_same(pure: ModuleType, law: str, other: str) -> None:
    recode = getattr(pure.lib, f"g711_{law}_to_{other}")
    decode, decode_other = DECODE[f"{law.upper()}/8000"], DECODE[f"{other.upper()}/8000"]
    octets = pure.ffi.new("uint8_t[]", list(EVERY_OCTET))
    recode(octets, len(octets))
    for octet, recoded in zip(EVERY_OCTET, octets, strict=True):
        assert is_near(decode(octet), decode_other(recoded)), octet
        assert getattr(pure.lib, f"g711_decode_{law}")(octet) == decode(octet)
        assert getattr(pure.lib, f"g711_encode_{other}")(decode(octet)) == recoded


def test_each_hears_the_other_in_its_own_law(bridge: Bridge, new_phone: NewPhone) -> None:
    a, b = new_phone(), new_phone()
    port_a = a.connected(bridge, {"PCMU/8000": 0, "telephone-event/8000": 101})
    port_b = b.connected(bridge, {"PCMA/8000": 8, "telephone-event/8000": 101})
    bridge.join(port_a, port_b)
    digit = struct.pack("!BBH", 5, 0x8A, 800)
    a.say(port_a, Rtp(EVERY_OCTET, 1, 160, payload_type=0), Rtp(digit, 2, 416, payload_type=101))
    heard = b.hear(2)
    assert [packet.payload_type for packet in heard] == [8, 101]
    assert heard[1].payload == digit
    said = [DECODE["PCMU/8000"](octet) for octet in EVERY_OCTET]
    assert all(map(is_near, said, (DECODE["PCMA/8000"](octet) for octet in heard[0].payload)))
    b.say(port_b, Rtp(EVERY_OCTET, 1, 160, payload_type=8))
    (answer,) = a.hear(1)
    assert answer.payload_type == 0
    said = [DECODE["PCMA/8000"](octet) for octet in EVERY_OCTET]
    assert all(map(is_near, said, (DECODE["PCMU/8000"](octet) for octet in answer.payload)))
    assert port_a.counters().dropped_payload == port_b.counters().dropped_payload == 0


def test_what_is_only_heard_is_understood_and_never_sent(bridge: Bridge, new_phone: NewPhone) -> None:
    """A spoke PCMU until it agreed to PCMA: what is still on the way is not lost, and from now on it gets PCMA alone."""
    a, b = new_phone(), new_phone()
    port_a, port_b = a.connected(bridge, {"PCMU/8000": 0}), b.connected(bridge, {"PCMA/8000": 8, "PCMU/8000": 0})
    bridge.join(port_a, port_b)
    port_a.connect(a.host, a.port, {"PCMA/8000": 8}, heard={"PCMU/8000": 0, "PCMA/8000": 8, "G722/8000": 9})
    a.say(port_a, Rtp(EVERY_OCTET, 1, 160, payload_type=0), Rtp(EVERY_OCTET, 2, 416, payload_type=8))
    a.say(port_a, Rtp(EVERY_OCTET, 3, 672, payload_type=9), Rtp(EVERY_OCTET, 4, 928, payload_type=3))
    heard = b.hear(3)
    assert [packet.payload_type for packet in heard] == [0, 8, 8]
    assert [heard[0].payload, heard[1].payload] == [EVERY_OCTET, EVERY_OCTET]
    b.say(port_b, Rtp(EVERY_OCTET, 1, 160, payload_type=0), Rtp(EVERY_OCTET, 2, 416, payload_type=8))
    answer = a.hear(2)
    assert [packet.payload_type for packet in answer] == [8, 8]
    assert answer[1].payload == EVERY_OCTET
    assert (port_a.counters().dropped_payload, port_b.counters().dropped_payload) == (1, 0)


def test_nothing_is_recoded_where_both_know_the_law(bridge: Bridge, new_phone: NewPhone) -> None:
    a, b = new_phone(), new_phone()
    port_a = a.connected(bridge, {"PCMU/8000": 0})
    port_b = b.connected(bridge, {"PCMA/8000": 8, "PCMU/8000": 0})
    bridge.join(port_a, port_b)
    a.say(port_a, Rtp(EVERY_OCTET, 1, 160, payload_type=0))
    (heard,) = b.hear(1)
    assert (heard.payload_type, heard.payload) == (0, EVERY_OCTET)


def law_of_sine(pure: ModuleType, law: str, frequency_hz: float, frames: int) -> list[bytes]:
    encode = getattr(pure.lib, f"g711_encode_{law.lower()}")
    turn = 2 * math.pi * frequency_hz / 8000
    octets = bytes(encode(round(8_000 * math.sin(turn * n))) for n in range(160 * frames))
    return [octets[at : at + 160] for at in range(0, len(octets), 160)]


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_a_phone_with_g722_alone_and_one_with_g711_alone_hear_each_other(
    pure: ModuleType, bridge: Bridge, new_phone: NewPhone, law: str
) -> None:
    a, b = new_phone(), new_phone()
    port_a = a.connected(bridge, {f"{law}/8000": 97})
    port_b = b.connected(bridge, {"G722/8000": 9, "telephone-event/8000": 101})
    bridge.join(port_a, port_b)
    frames = 20
    for n, payload in enumerate(law_of_sine(pure, law, 1_000, frames)):
        a.say(port_a, Rtp(payload, n, 160 * n, payload_type=97))
    heard = b.hear(frames)
    assert {(packet.payload_type, len(packet.payload)) for packet in heard} == {(9, 160)}
    assert [(packet.timestamp - heard[0].timestamp) % 2**32 for packet in heard] == [160 * n for n in range(frames)]
    wide = spandsp.g722_decode(b"".join(packet.payload for packet in heard))
    original = 20 * math.log10(8_000 / 32_635) + 3.14
    assert level_dbm0(wide[1_000:5_800], 500) == pytest.approx(original, abs=0.3)  # it counts 8,000 samples a second
    tone = [round(8_000 * math.sin(2 * math.pi * 700 * n / 16_000)) for n in range(320 * frames)]
    said = spandsp.g722_encode(tone)
    for n in range(frames):
        b.say(port_b, Rtp(said[160 * n : 160 * n + 160], n, 160 * n, payload_type=9))
    heard = a.hear(frames)
    assert {(packet.payload_type, len(packet.payload)) for packet in heard} == {(97, 160)}
    samples = [DECODE[f"{law}/8000"](octet) for packet in heard for octet in packet.payload]
    assert level_dbm0(samples[400:2_800], 700) == pytest.approx(original, abs=0.3)


@pytest.mark.parametrize(("a_ms", "b_ms"), [(20, 30), (30, 20), (40, 10), (60, 20)])
def test_each_hears_frames_of_the_length_it_asked_for(
    bridge: Bridge, new_phone: NewPhone, a_ms: int, b_ms: int
) -> None:
    a, b = new_phone(), new_phone()
    port_a, port_b = bridge.open_port(), bridge.open_port()
    port_a.connect(a.host, a.port, {"PCMU/8000": 0}, frame_ms=a_ms)
    port_b.connect(b.host, b.port, {"PCMU/8000": 0}, frame_ms=b_ms)
    bridge.join(port_a, port_b)
    octets = (EVERY_OCTET + EVERY_OCTET[::-1]) * 10
    for speaker, port, listener, from_ms, to_ms in [(a, port_a, b, a_ms, b_ms), (b, port_b, a, b_ms, a_ms)]:
        size = 8 * from_ms
        for n in range(len(octets) // size):
            speaker.say(port, Rtp(octets[n * size : (n + 1) * size], n, n * size))
        heard = listener.hear(len(octets) // size * size // (8 * to_ms))
        assert {len(packet.payload) for packet in heard} == {8 * to_ms}
        assert octets.startswith(b"".join(packet.payload for packet in heard))
        assert [(packet.sequence - heard[0].sequence) % 2**16 for packet in heard] == list(range(len(heard)))
    with pytest.raises(ValueError, match="out of its limits"):
        port_a.connect(a.host, a.port, {"PCMU/8000": 0}, frame_ms=130)
