"""A leg over SRTP beside one in the clear: the phone behind it is libsrtp2."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from rtpbridge import Bridge, Port, SrtpKey, SrtpSuite, Tone
from tests.rtpbridge import libsrtp
from tests.rtpbridge.phone import Phone, Rtp, until, voice

NewPhone = Callable[[], Phone]
SEEDS = random.Random(4568)


def new_key(suite: SrtpSuite, mki: bytes = b"") -> SrtpKey:
    return SrtpKey(suite, SEEDS.randbytes(suite.master_bytes), mki)


@dataclass
class SecurePhone:
    """A phone that speaks SRTP alone."""

    phone: Phone
    ours: SrtpKey  # the bridge's
    theirs: SrtpKey
    ear: libsrtp.Session = field(init=False)
    mouth: libsrtp.Session = field(init=False)

    def __post_init__(self) -> None:
        self.ear = libsrtp.Session(self.ours.suite.name, self.ours.master, sends=False, mki=self.ours.mki)
        self.mouth = libsrtp.Session(self.theirs.suite.name, self.theirs.master, sends=True, mki=self.theirs.mki)

    @classmethod
    def of(cls, phone: Phone, suite: SrtpSuite, mki: bytes = b"") -> "SecurePhone":
        return cls(phone, new_key(suite, mki), new_key(suite, mki))

    def connected(self, bridge: Bridge) -> Port:
        port = self.phone.connected(bridge)
        port.secure(self.ours, self.theirs)
        return port

    def say(self, port: Port, *packets: Rtp) -> None:
        self.phone.say(port, *(self.mouth.protect(packet.pack()) for packet in packets))

    def hear(self, count: int) -> list[Rtp]:
        heard = []
        for _ in range(count):
            opened = self.ear.unprotect(self.phone.rtp.recv(2048))
            assert opened is not None, "the bridge sent what libsrtp cannot open"
            heard.append(Rtp.read(opened))
        return heard


@pytest.mark.parametrize("mki", [b"", b"\x01"], ids=["no MKI", "MKI"])
@pytest.mark.parametrize("suite", SrtpSuite)
def test_a_secure_leg_and_a_plain_one_hear_each_other(
    bridge: Bridge, new_phone: NewPhone, suite: SrtpSuite, mki: bytes
) -> None:
    a, b = SecurePhone.of(new_phone(), suite, mki), new_phone()
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    bridge.join(port_a, port_b)
    said = [voice(number, sequence=65_530) for number in range(12)]
    a.say(port_a, *said)
    assert [packet.payload for packet in b.hear(12)] == [packet.payload for packet in said]
    b.say(port_b, *said)
    assert [packet.payload for packet in a.hear(12)] == [packet.payload for packet in said]
    counters = port_a.counters()
    assert (counters.received_packets, counters.received_octets, counters.sent_octets) == (12, 12 * 160, 12 * 160)
    assert counters.dropped_unauthentic == 0


def test_two_secure_legs_have_keys_of_their_own(bridge: Bridge, new_phone: NewPhone) -> None:
    a, b = (
        SecurePhone.of(new_phone(), SrtpSuite.AES_CM_128_HMAC_SHA1_32),
        SecurePhone.of(new_phone(), SrtpSuite.AEAD_AES_256_GCM),
    )
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    bridge.join(port_a, port_b)
    a.say(port_a, voice(1))
    b.say(port_b, voice(2))
    assert (b.hear(1)[0].payload, a.hear(1)[0].payload) == (voice(1).payload, voice(2).payload)


def test_what_is_not_sealed_is_not_heard(bridge: Bridge, new_phone: NewPhone) -> None:
    a, b = SecurePhone.of(new_phone(), SrtpSuite.AES_CM_128_HMAC_SHA1_80), new_phone()
    port_a = a.connected(bridge)
    bridge.join(port_a, b.connected(bridge))
    first = a.mouth.protect(voice(1).pack())
    changed = first[:20] + bytes([first[20] ^ 1]) + first[21:]
    a.phone.say(port_a, voice(0), changed, first, first)
    until(lambda: port_a.counters().dropped_unauthentic == 3)
    assert [packet.payload for packet in b.hear(1)] == [voice(1).payload]
    assert port_a.counters().received_packets == 1


def test_a_tone_is_sealed_too(bridge: Bridge, new_phone: NewPhone) -> None:
    a = SecurePhone.of(new_phone(), SrtpSuite.AEAD_AES_128_GCM)
    a.connected(bridge).play(Tone((425.0,)))
    assert {len(packet.payload) for packet in a.hear(4)} == {160}


def test_rtcp_goes_sealed_and_comes_sealed(host: str, new_phone: NewPhone) -> None:
    with Bridge(host, 20_000, 20_999, report_ms=40) as bridge:
        a = SecurePhone.of(new_phone(), SrtpSuite.AES_CM_128_HMAC_SHA1_80)
        port = a.connected(bridge)
        a.say(port, voice(1))
        report = a.ear.unprotect(a.phone.rtcp.recv(2048), rtcp=True)
        assert report is not None and report[1] == 201
        at_bridge = (a.phone.host, port.rtp_port + 1)
        a.phone.rtcp.sendto(report, at_bridge)
        until(lambda: port.counters().dropped_unauthentic == 1)
        a.phone.rtcp.sendto(a.mouth.protect(report, rtcp=True), at_bridge)
        until(lambda: port.counters().received_rtcp == 1)
        port.close()
        goodbye = b""
        while b"\x81\xcb" not in goodbye:
            goodbye = a.ear.unprotect(a.phone.rtcp.recv(2048), rtcp=True) or b""


def test_other_keys_take_over_and_the_same_ones_change_nothing(bridge: Bridge, new_phone: NewPhone) -> None:
    suite = SrtpSuite.AES_CM_128_HMAC_SHA1_80
    a, b = SecurePhone.of(new_phone(), suite), new_phone()
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    bridge.join(port_a, port_b)
    a.say(port_a, voice(1))
    port_a.secure(a.ours, a.theirs)
    a.say(port_a, voice(2))
    replayed = a.mouth.protect(voice(3).pack())
    a.phone.say(port_a, replayed)
    assert len(b.hear(3)) == 3
    port_a.secure(a.ours, a.theirs)
    a.phone.say(port_a, replayed)
    until(lambda: port_a.counters().dropped_unauthentic == 1)

    later = SecurePhone(a.phone, new_key(suite), new_key(suite))
    port_a.secure(later.ours, later.theirs)
    a.say(port_a, voice(4))  # was on its way
    later.say(port_a, voice(5))
    assert [packet.payload for packet in b.hear(2)] == [voice(4).payload, voice(5).payload]
    b.say(port_b, voice(6))
    assert later.hear(1)[0].payload == voice(6).payload
    port_a.secure(None, None)
    a.phone.say(port_a, voice(7))
    assert b.hear(1)[0].payload == voice(7).payload


def test_a_key_out_of_its_limits_is_refused(bridge: Bridge, new_phone: NewPhone) -> None:
    suite = SrtpSuite.AEAD_AES_256_GCM
    with pytest.raises(ValueError, match="key and salt of 30 octets"):
        SrtpKey(suite, bytes(30))
    with pytest.raises(ValueError, match="MKI"):
        SrtpKey(suite, bytes(44), bytes(17))
    port = new_phone().connected(bridge)
    with pytest.raises(ValueError, match="out of its limits"):
        port.secure(new_key(suite), None)
    assert "master" not in repr(new_key(suite))
