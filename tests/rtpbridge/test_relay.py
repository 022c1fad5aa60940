"""What one phone says comes to the other: every payload, in order, with the numbers that the other one knows."""

import socket
import struct
from collections.abc import Callable
from itertools import pairwise

import pytest

from rtpbridge import Bridge, Direction, Port, Tone, Way
from tests.rtpbridge.conftest import PORT_MAX, PORT_MIN
from tests.rtpbridge.phone import PCMU, Phone, Rtp, until, voice

NewPhone = Callable[[], Phone]
BURST = 50
RINGBACK = Tone((425.0,), (1000, 4000))


@pytest.fixture
def a(new_phone: NewPhone) -> Phone:
    return new_phone()


@pytest.fixture
def b(new_phone: NewPhone) -> Phone:
    return new_phone()


def joined(bridge: Bridge, a: Phone, b: Phone) -> tuple[Port, Port]:
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    bridge.join(port_a, port_b)
    return port_a, port_b


def test_every_payload_both_ways_in_order_at_a_high_rate(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, port_b = joined(bridge, a, b)
    said_a = [voice(number, ssrc=0xA, sequence=65_000) for number in range(4000)]
    said_b = [voice(number, ssrc=0xB, sequence=7) for number in range(4000)]
    heard_a: list[Rtp] = []
    heard_b: list[Rtp] = []
    for start in range(0, 4000, BURST):
        a.say(port_a, *said_a[start : start + BURST])
        b.say(port_b, *said_b[start : start + BURST])
        heard_b += b.hear(BURST)
        heard_a += a.hear(BURST)
    assert [packet.payload for packet in heard_b] == [packet.payload for packet in said_a]
    assert [packet.payload for packet in heard_a] == [packet.payload for packet in said_b]
    for heard in (heard_a, heard_b):
        assert len({packet.ssrc for packet in heard}) == 1
        assert [(packet.sequence - heard[0].sequence) % 2**16 for packet in heard] == list(range(4000))
        assert [(packet.timestamp - heard[0].timestamp) % 2**32 for packet in heard] == list(range(0, 640_000, 160))
    counters = port_b.counters()
    assert (counters.received_packets, counters.received_octets) == (4000, 640_000)
    assert (counters.sent_packets, counters.sent_octets) == (4000, 640_000)
    assert counters.lost_packets == counters.dropped_unsent == counters.dropped_malformed == 0


@pytest.mark.parametrize("way", [Way.BEST, Way.EPOLL])
def test_every_port_of_many_is_served_by_either_way(way: Way, host: str) -> None:
    phones = [Phone(host) for _ in range(80)]
    with Bridge(host, PORT_MIN, PORT_MAX, way=way) as bridge:
        assert bridge.way is not Way.BEST
        ports = [phone.connected(bridge) for phone in phones]
        for port_a, port_b in zip(ports[::2], ports[1::2], strict=True):
            bridge.join(port_a, port_b)
        for number in range(5):
            for index, phone in enumerate(phones):
                phone.say(ports[index], voice(number, ssrc=index))
        for index, phone in enumerate(phones):
            assert [heard.payload for heard in phone.hear(5)] == [voice(n, ssrc=index ^ 1).payload for n in range(5)]
        assert {port.counters().sent_packets for port in ports} == {5}
        for port in ports[::2]:
            port.close()
        ports[1].close()
        assert bridge.open_port(ports[0].rtp_port).rtp_port == ports[0].rtp_port  # free again at once
    for phone in phones:
        phone.close()


@pytest.mark.parametrize("way", [Way.BEST, Way.EPOLL])
def test_a_packet_that_the_system_does_not_take_is_counted(way: Way) -> None:
    """Nobody can send from 127.0.0.1 to the world."""
    phone = Phone("127.0.0.1")
    with Bridge(phone.host, PORT_MIN, PORT_MAX, way=way) as bridge:
        port, lost = phone.connected(bridge), bridge.open_port()
        lost.connect("192.0.2.1", 4000, PCMU)
        bridge.join(port, lost)
        phone.say(port, voice(1), voice(2))
        until(lambda: lost.counters().dropped_unsent == 2)
        assert (lost.counters().sent_packets, lost.counters().sent_octets) == (0, 0)
    phone.close()


def test_ipv4_on_one_side_and_ipv6_on_the_other() -> None:
    old, new = Phone("127.0.0.1"), Phone("::1")
    with Bridge(("127.0.0.1", "::1"), PORT_MIN, PORT_MAX) as both:
        port_old, port_new = both.open_port(), both.open_port(host="::1")
        port_old.connect(old.host, old.port, PCMU)
        with pytest.raises(ValueError, match="family"):
            port_new.connect(old.host, old.port, PCMU)
        port_new.connect(new.host, new.port, PCMU)
        both.join(port_old, port_new)
        old.say(port_old, voice(1))
        new.say(port_new, voice(2))
        assert (new.hear()[0].payload, old.hear()[0].payload) == (voice(1).payload, voice(2).payload)
        with pytest.raises(ValueError, match="host"):
            both.open_port(host="192.0.2.1")
    old.close()
    new.close()


def test_payload_numbers_become_those_of_the_far_side(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a = a.connected(bridge, {"PCMA/8000": 8, "telephone-event/8000": 101, "opus/48000/2": 98})
    port_b = b.connected(bridge, {"TELEPHONE-EVENT/8000": 96, "pcma/8000": 110})
    bridge.join(port_a, port_b)
    event = struct.pack("!BBH", 5, 0x8A, 800)
    a.say(port_a, Rtp(b"v" * 160, 1, 160, payload_type=8), Rtp(event, 2, 320, payload_type=101, marker=True))
    a.say(port_a, Rtp(b"w" * 160, 3, 480, payload_type=98), Rtp(b"u", 4, 640, payload_type=77), Rtp(b"x", 5, 800, 1, 8))
    heard = b.hear(3)
    assert [(packet.payload_type, packet.payload) for packet in heard] == [(110, b"v" * 160), (96, event), (110, b"x")]
    assert [packet.marker for packet in heard] == [False, True, True]  # the last is of another SSRC: a new talkspurt
    assert port_a.counters().dropped_payload == 2
    b.say(port_b, Rtp(event, 1, 160, payload_type=96), Rtp(b"y" * 160, 2, 320, payload_type=110))
    assert [packet.payload_type for packet in a.hear(2)] == [101, 8]


def test_a_far_side_that_answers_its_own_numbers_sends_ours_and_gets_its(bridge: Bridge, a: Phone, b: Phone) -> None:
    """Each side says by which numbers it wants to receive (RFC 3264, 5.1 and 6.1); some phones send their own all the same."""
    offered = {"PCMU/8000": 0, "telephone-event/8000": 101}
    port_a, port_b = bridge.open_port(), b.connected(bridge, offered)
    port_a.connect(a.host, a.port, {"PCMU/8000": 0, "telephone-event/8000": 96}, ours=offered)
    bridge.join(port_a, port_b)
    digit = struct.pack("!BBH", 5, 0x8A, 800)
    a.say(port_a, Rtp(digit, 1, 160, payload_type=101), Rtp(digit, 2, 320, payload_type=96))
    assert [packet.payload_type for packet in b.hear(2)] == [101, 101]
    b.say(port_b, Rtp(digit, 1, 160, payload_type=101))
    assert a.hear()[0].payload_type == 96


def test_a_number_of_ours_is_never_read_as_theirs(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, port_b = bridge.open_port(), b.connected(bridge, {"PCMU/8000": 0, "PCMA/8000": 8})
    port_a.connect(a.host, a.port, {"PCMU/8000": 98, "PCMA/8000": 97}, ours={"PCMU/8000": 97, "PCMA/8000": 98})
    bridge.join(port_a, port_b)
    a.say(port_a, voice(0, payload_type=97))
    assert b.hear()[0].payload_type == 0


def test_a_reinvite_changes_numbers_and_address_in_the_middle_of_a_call(
    bridge: Bridge, a: Phone, b: Phone, new_phone: NewPhone
) -> None:
    port_a, port_b = joined(bridge, a, b)
    a.say(port_a, voice(0))
    first = b.hear()[0]
    moved = new_phone()
    port_b.connect(moved.host, moved.port, {"PCMU/8000": 98})
    a.say(port_a, voice(1))
    second = moved.hear()[0]
    assert (second.payload, second.payload_type) == (voice(1).payload, 98)
    assert (second.sequence, second.ssrc) == ((first.sequence + 1) % 2**16, first.ssrc)
    b.say(port_b, voice(0, payload_type=98))
    moved.say(port_b, voice(1, payload_type=98))
    assert [(packet.payload, packet.payload_type) for packet in a.hear()] == [(voice(1).payload, 0)]
    assert port_b.counters().dropped_strangers == 1


def test_extension_csrc_and_padding_pass_untouched(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, _port_b = joined(bridge, a, b)
    fixed = struct.pack("!BBHII", 0xB2, 0x80, 9, 160, 77)
    rest = b"CSR1CSR2" + struct.pack("!HH", 0xBEDE, 1) + b"\x10\x01\x00\x00" + b"voice" * 10 + b"\0\0\0\4"
    a.say(port_a, fixed + rest)
    heard = b.rtp.recv(2048)
    assert heard[:2] == fixed[:2]
    assert heard[12:] == rest
    assert port_a.counters().received_octets == 50


def test_what_is_no_rtp_is_counted_and_dropped(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, _port_b = joined(bridge, a, b)
    bad = [
        b"",
        b"\x80",
        b"\x80\0" + b"\0" * 9,
        b"\x40\0" + b"\0" * 20,  # version 1
        b"\x8f\0" + b"\0" * 20,  # CSRCs beyond the end
        b"\x90\0" + b"\0" * 10,  # no room for the extension's head
        b"\x90\0" + b"\0" * 10 + b"\0\0\xff\xff" + b"\0" * 40,  # an extension beyond the end
        b"\xa0\0" + b"\0" * 20,  # no octet of padding where padding is announced
        b"\xa0\0" + b"\0" * 19 + b"\x0b",  # padding beyond the payload
        b"\x80\xc9\0\x09" + b"\0" * 4,  # RTCP that is shorter than it says (CVE-2025-53399)
        b"\x80\0" + b"\0" * 1600,
    ]
    a.say(port_a, *bad)
    assert b.hears_nothing_before(a, port_a, 1)
    counters = port_a.counters()
    assert (counters.dropped_malformed, counters.received_packets) == (len(bad), 1)


def test_a_tone_and_then_the_join_are_one_stream(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    port_a.play(RINGBACK)
    ringing = a.hear(5)
    bridge.join(port_a, port_b)
    b.say(port_b, *[voice(number, ssrc=0xB, sequence=40_000) for number in range(10)])
    heard = ringing + a.hear(10)
    while heard[-1].payload != voice(9, ssrc=0xB).payload:
        heard += a.hear()  # frames of the tone that were on their way
    assert len({packet.ssrc for packet in heard}) == 1
    assert [(packet.sequence - heard[0].sequence) % 2**16 for packet in heard] == list(range(len(heard)))
    steps = [(later.timestamp - sooner.timestamp) % 2**32 for sooner, later in pairwise(heard)]
    taken_up = len(heard) - 10
    assert set(steps[: taken_up - 1] + steps[taken_up:]) == {160}
    assert 160 <= steps[taken_up - 1] < 8000
    assert [packet.marker for packet in heard] == [index in (0, taken_up) for index in range(len(heard))]


def test_a_join_ends_the_tone_and_a_split_the_relay(bridge: Bridge, a: Phone, b: Phone, new_phone: NewPhone) -> None:
    port_a, port_b, clock = a.connected(bridge), b.connected(bridge), new_phone()
    port_a.play(RINGBACK)
    assert a.hear()
    bridge.join(port_a, port_b)
    sent = port_a.counters().sent_packets
    clock.connected(bridge).play(RINGBACK)
    clock.hear(5)  # time for five frames
    assert port_a.counters().sent_packets == sent
    bridge.join(port_b, port_a)  # joined already: nothing changes
    with pytest.raises(ValueError, match="joined already"):
        port_a.play(RINGBACK)
    bridge.split(port_a, port_b)
    with pytest.raises(ValueError, match="not connected"):
        bridge.split(port_a, port_b)
    b.say(port_b, voice(1))
    port_a.play(RINGBACK)
    assert len(a.hear(3)) == 3
    assert voice(1).payload not in {packet.payload for packet in a.hear(3)}


def test_a_port_has_one_peer(bridge: Bridge, a: Phone, b: Phone, new_phone: NewPhone) -> None:
    port_a, port_b = joined(bridge, a, b)
    third = new_phone().connected(bridge)
    with pytest.raises(ValueError, match="joined already"):
        bridge.join(port_a, third)
    with pytest.raises(ValueError, match="limits"):
        bridge.join(third, third)
    port_b.close()
    bridge.join(port_a, third)


def test_a_far_side_on_hold_gets_nothing_and_sees_no_loss_afterwards(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, port_b = joined(bridge, a, b)
    a.say(port_a, voice(0))
    before = b.hear()[0]
    port_b.hold(Direction.SENDONLY)
    a.say(port_a, *[voice(number) for number in range(1, 20)])
    b.say(port_b, voice(3, ssrc=0xB))
    assert a.hear()[0].payload == voice(3, ssrc=0xB).payload
    until(lambda: port_a.counters().received_packets == 20)
    port_b.hold(Direction.SENDRECV)
    a.say(port_a, voice(20))
    after = b.hear()[0]
    assert after.payload == voice(20).payload
    assert (after.sequence - before.sequence) % 2**16 == 1
    assert after.marker


def test_loss_and_reordering_stay_visible_to_the_far_side(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, _port_b = joined(bridge, a, b)
    order = [0, 1, 2, 5, 4, 6, 6, 9]
    a.say(port_a, *[voice(number) for number in order])
    heard = b.hear(len(order))
    assert [(packet.sequence - heard[0].sequence) % 2**16 for packet in heard] == order
    assert [(packet.timestamp - heard[0].timestamp) % 2**32 for packet in heard] == [160 * n for n in order]


def test_voice_is_marked_for_expedited_forwarding(bridge: Bridge, a: Phone, b: Phone) -> None:
    v6 = ":" in a.host
    level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
    b.rtp.setsockopt(level, socket.IPV6_RECVTCLASS if v6 else socket.IP_RECVTOS, 1)
    port_a, _port_b = joined(bridge, a, b)
    a.say(port_a, voice(0))
    _packet, ancillary, _flags, _source = b.rtp.recvmsg(2048, 64)
    assert ancillary[0][2][0] == 0xB8


@pytest.mark.parametrize("wildcard", [False, True])
def test_no_far_side_is_one_of_our_own_ports(host: str, wildcard: bool) -> None:
    bound = ("::" if ":" in host else "0.0.0.0") if wildcard else host
    with Bridge(bound, PORT_MIN, PORT_MAX) as bridge:
        port_a, port_b = bridge.open_port(), bridge.open_port()
        for port, other in ((port_a, port_b), (port_b, port_a), (port_a, port_a)):
            with pytest.raises(ValueError, match="this bridge itself"):
                port.connect(host, other.rtp_port, PCMU)
        port_a.connect("2001:db8::1" if ":" in host else "192.0.2.1", port_b.rtp_port, PCMU)  # another host's


def test_a_port_that_is_not_connected_takes_nobody(bridge: Bridge, a: Phone, b: Phone) -> None:
    lonely, port_b = bridge.open_port(), b.connected(bridge)
    bridge.join(lonely, port_b)
    a.say(lonely, voice(0))
    until(lambda: lonely.counters().dropped_strangers == 1)
    lonely.connect(a.host, a.port, PCMU)
    assert b.hears_nothing_before(a, lonely, 1)
    assert lonely.counters().dropped_strangers == 1
