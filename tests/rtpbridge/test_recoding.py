"""One side has only PCMU, the other only PCMA: each hears the other in the law it knows, and nothing else is touched."""

import struct
from collections.abc import Callable
from types import ModuleType

import pytest

from rtpbridge import Bridge
from tests.rtpbridge.phone import Phone, Rtp
from tests.rtpbridge.test_tone import DECODE

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


def test_nothing_is_recoded_where_both_know_the_law(bridge: Bridge, new_phone: NewPhone) -> None:
    a, b = new_phone(), new_phone()
    port_a = a.connected(bridge, {"PCMU/8000": 0})
    port_b = b.connected(bridge, {"PCMA/8000": 8, "PCMU/8000": 0})
    bridge.join(port_a, port_b)
    a.say(port_a, Rtp(EVERY_OCTET, 1, 160, payload_type=0))
    (heard,) = b.hear(1)
    assert (heard.payload_type, heard.payload) == (0, EVERY_OCTET)
