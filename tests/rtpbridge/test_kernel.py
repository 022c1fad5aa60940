"""Voice through the kernel: when it takes the way there, what it gives back, and that nobody hears the difference."""

import struct
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from rtpbridge import Bridge, Counters, Direction, EventKind, Port, TimedTone, Tone
from tests.rtpbridge.conftest import PORT_MAX, PORT_MIN
from tests.rtpbridge.phone import Phone, Rtp, next_events, until, voice

NewPhone = Callable[[], Phone]
BURST = 50
DIGIT = struct.pack("!BBH", 5, 0x8A, 800)
RINGBACK = Tone((425.0,), (1000, 4000))


@pytest.fixture
def bridge(kernel_bridge: Bridge) -> Bridge:
    return kernel_bridge


@pytest.fixture
def a(new_phone: NewPhone) -> Phone:
    return new_phone()


@pytest.fixture
def b(new_phone: NewPhone) -> Phone:
    return new_phone()


def talking(bridge: Bridge, a: Phone, b: Phone) -> tuple[Port, Port]:
    """Two joined ports whose frames up to number 0 have come; from the next on the kernel has them."""
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    bridge.join(port_a, port_b)
    for sequence in (-1, 0):  # with the first of a nobody has heard b yet
        a.say(port_a, voice(0, ssrc=0xA, sequence=sequence))
        b.say(port_b, voice(0, ssrc=0xB, sequence=sequence))
        a.hear()
        b.hear()
    until(lambda: len(bridge.kernel_flows()) == 2)
    return port_a, port_b


def heard_since(before: Counters, after: Counters) -> tuple[int, int]:
    """How many packets came, and how many of them through the kernel."""
    return after.received_packets - before.received_packets, after.kernel_packets - before.kernel_packets


def strangers(port: Port) -> int:
    """Packets of whom nobody called: seen by the bridge, or kept away from its socket."""
    counters = port.counters()
    return counters.dropped_strangers + counters.dropped_by_system


def numbers(heard: list[Rtp]) -> list[int]:
    return [(packet.sequence - heard[0].sequence) % 2**16 for packet in heard]


def test_both_ways_bit_exact_and_in_order(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, port_b = talking(bridge, a, b)
    before = port_a.counters(), port_b.counters()
    said_a = [voice(number, ssrc=0xA) for number in range(1, 2001)]
    said_b = [voice(number, ssrc=0xB) for number in range(1, 2001)]
    heard_a: list[Rtp] = []
    heard_b: list[Rtp] = []
    for start in range(0, 2000, BURST):
        a.say(port_a, *said_a[start : start + BURST])
        b.say(port_b, *said_b[start : start + BURST])
        heard_b += b.hear(BURST)
        heard_a += a.hear(BURST)
    assert [packet.payload for packet in heard_b] == [packet.payload for packet in said_a]
    assert [packet.payload for packet in heard_a] == [packet.payload for packet in said_b]
    for heard in (heard_a, heard_b):
        assert len({packet.ssrc for packet in heard}) == 1
        assert numbers(heard) == list(range(2000))
        assert {(later.timestamp - sooner.timestamp) % 2**32 for sooner, later in pairwise(heard)} == {160}
    for port, then in zip((port_a, port_b), before, strict=True):
        counters = port.counters()
        assert heard_since(then, counters) == (2000, 2000)
        assert counters.sent_packets - then.sent_packets == 2000
        assert counters.sent_octets - then.sent_octets == counters.received_octets - then.received_octets == 320_000
        assert counters.lost_packets == 0


def test_the_first_burst_of_all_comes_in_order(bridge: Bridge, a: Phone, b: Phone) -> None:
    """The kernel takes over while packets are still in the bridge's hands, and overtakes none of them."""
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    bridge.join(port_a, port_b)
    b.say(port_b, voice(0, ssrc=0xB))
    a.hear()
    said = [voice(number, ssrc=0xA) for number in range(150)]
    a.say(port_a, *said)
    assert [packet.payload for packet in b.hear(150)] == [packet.payload for packet in said]


def test_digits_go_through_the_bridge_and_nothing_overtakes_them(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, _port_b = talking(bridge, a, b)
    said: list[Rtp] = []
    for number in range(1, 401):
        payload = DIGIT if number % 40 == 20 else voice(number).payload
        said.append(Rtp(payload, number, 160 * number, 0xA, 101 if payload == DIGIT else 0))
    before = port_a.counters()
    for start in range(0, 400, 8):
        a.say(port_a, *said[start : start + 8])
        assert [packet.payload for packet in b.hear(8)] == [packet.payload for packet in said[start : start + 8]]
    came, by_kernel = heard_since(before, port_a.counters())
    assert came == 400
    assert 200 <= by_kernel <= 390
    assert port_a.counters().lost_packets == 0


def test_another_source_is_taken_up_like_any_other(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, _port_b = talking(bridge, a, b)
    a.say(port_a, voice(1, ssrc=0xA))
    first = b.hear()[0]
    a.say(port_a, voice(7, ssrc=0xC))
    second = b.hear()[0]
    assert (second.sequence - first.sequence) % 2**16 == 1
    assert (second.ssrc, second.marker) == (first.ssrc, True)
    before = port_a.counters()
    a.say(port_a, voice(8, ssrc=0xC))
    assert (b.hear()[0].sequence - second.sequence) % 2**16 == 1
    until(lambda: heard_since(before, port_a.counters()) == (1, 1))


def test_loss_is_counted_and_handed_on(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, port_b = talking(bridge, a, b)
    for number in (1, 2, 5, 6, 9):
        a.say(port_a, voice(number, ssrc=0xA))
    assert numbers(b.hear(5)) == [0, 1, 4, 5, 8]
    counters = port_a.counters()
    assert (counters.lost_packets, counters.burst_lost_packets) == (4, 4)
    a.say(port_a, voice(8, ssrc=0xA), voice(9, ssrc=0xA))
    assert numbers(b.hear(2)) == [0, 1]  # one late, the other twice
    a.say(port_a, voice(10, ssrc=0xA))
    b.hear()
    counters = port_a.counters()
    assert (counters.lost_packets, counters.reordered_packets, counters.duplicate_packets) == (2, 1, 1)
    assert port_b.counters().lost_packets == 0


def test_the_bridge_goes_on_where_the_kernel_stopped(bridge: Bridge, a: Phone, b: Phone) -> None:
    """A split, a tone, a join: one stream with one run of numbers, and timestamps that never turn back."""
    port_a, port_b = talking(bridge, a, b)
    b.say(port_b, *[voice(number, ssrc=0xB) for number in range(1, 20)])
    heard = a.hear(19)
    bridge.split(port_a, port_b)
    assert bridge.kernel_flows() == []
    port_a.play(RINGBACK)
    heard += a.hear(4)
    bridge.join(port_a, port_b)
    b.say(port_b, *[voice(number, ssrc=0xB) for number in range(50, 60)])
    while heard[-1].payload != voice(59, ssrc=0xB).payload:
        heard += a.hear()
    assert len({packet.ssrc for packet in heard}) == 1
    assert numbers(heard) == list(range(len(heard)))
    assert all(160 <= (later.timestamp - sooner.timestamp) % 2**32 < 8000 for sooner, later in pairwise(heard))


def test_what_is_said_to_a_leg_that_the_kernel_serves_begins_with_the_next_frame(
    bridge: Bridge, a: Phone, b: Phone
) -> None:
    """The bridge looks after such a leg less often, and must not be late then; by its own clock, which no test keeps waiting."""
    port_a, port_b = talking(bridge, a, b)
    bridge.events()
    for number in range(1, 6):
        until(lambda: len(bridge.kernel_flows()) == 2)
        time.sleep(0.05)  # for two ticks: by then it is looked after as one that the kernel serves
        begun_ns = time.monotonic_ns()
        port_a.play_prompts([TimedTone(RINGBACK, 20)])
        (told,) = next_events(bridge)
        assert told.kind is EventKind.PLAYED
        assert told.at_ns - begun_ns < 60_000_000
        b.say(port_b, voice(number, ssrc=0xB))
        a.say(port_a, voice(number, ssrc=0xA))


def test_a_reinvite_takes_effect_with_the_next_packet(bridge: Bridge, a: Phone, b: Phone, new_phone: NewPhone) -> None:
    port_a, port_b = talking(bridge, a, b)
    a.say(port_a, *[voice(number, ssrc=0xA) for number in range(1, 10)])
    last = b.hear(9)[-1]
    moved = new_phone()
    port_b.connect(moved.host, moved.port, {"PCMU/8000": 98})
    a.say(port_a, voice(10, ssrc=0xA))
    first = moved.hear()[0]
    assert (first.payload, first.payload_type) == (voice(10, ssrc=0xA).payload, 98)
    assert (first.sequence - last.sequence) % 2**16 == 1
    assert (first.timestamp - last.timestamp) % 2**32 == 160
    moved.say(port_b, voice(1, ssrc=0xB, payload_type=98))
    assert a.hear()[0].payload_type == 0
    a.say(port_a, voice(11, ssrc=0xA), voice(12, ssrc=0xA))
    moved.hear(2)
    until(lambda: len(bridge.kernel_flows()) == 2)
    before = port_a.counters()
    a.say(port_a, voice(13, ssrc=0xA))
    assert moved.hear()[0].payload_type == 98
    assert heard_since(before, port_a.counters()) == (1, 1)


def test_on_hold_nothing_is_sent_by_the_kernel_either(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, port_b = talking(bridge, a, b)
    port_b.hold(Direction.SENDONLY)
    before = port_a.counters()
    a.say(port_a, *[voice(number, ssrc=0xA) for number in range(1, 5)])
    until(lambda: heard_since(before, port_a.counters()) == (4, 0))
    port_b.hold(Direction.SENDRECV)
    assert b.hears_nothing_before(a, port_a, 9)


def test_strangers_reach_nobody(bridge: Bridge, a: Phone, b: Phone, new_phone: NewPhone) -> None:
    """The right SSRC and the next numbers, from another port: neither way through, and no answer."""
    port_a, port_b = talking(bridge, a, b)
    stranger = new_phone()
    for number in range(1, 201):
        stranger.say(port_a, voice(number, ssrc=0xA))
        stranger.say(port_b, voice(number, ssrc=0xB))
        if number % 20 == 0:
            a.say(port_a, voice(number, ssrc=0xA, sequence=-1))
            b.say(port_b, voice(number, ssrc=0xB, sequence=-1))
    assert [packet.payload for packet in b.hear(10)] == [voice(n, ssrc=0xA).payload for n in range(20, 201, 20)]
    assert [packet.payload for packet in a.hear(10)] == [voice(n, ssrc=0xB).payload for n in range(20, 201, 20)]
    until(lambda: [strangers(port) for port in (port_a, port_b)] == [200, 200])
    stranger.rtp.setblocking(False)
    with pytest.raises(BlockingIOError):
        stranger.rtp.recv(1)


def test_who_talks_through_the_kernel_is_not_called_silent(host: str, a: Phone, b: Phone) -> None:
    with Bridge(host, PORT_MIN, PORT_MAX, kernel=True, silence_ms=200) as bridge:
        port_a, _port_b = talking(bridge, a, b)
        for number in range(1, 26):
            a.say(port_a, voice(number, ssrc=0xA))
            time.sleep(0.02)  # half a second of voice, the pace it is about
        events = bridge.events()
        assert [event.kind for event in events if event.port == port_a.id] == [EventKind.MEDIA_BEGAN]
        assert port_a.counters().kernel_packets >= 25
        assert (next_events(bridge)[0].port, port_a.counters().received_packets) == (port_a.id, 27)
        a.say(port_a, voice(27, ssrc=0xA))
        assert next_events(bridge)[0].kind is EventKind.RESUMED


def test_a_deadline_stops_both_paths(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, port_b = talking(bridge, a, b)
    bridge.set_deadline(port_a, port_b, time.monotonic_ns())
    a.say(port_a, voice(1, ssrc=0xA))
    until(lambda: port_a.counters().dropped_deadline == 1)
    bridge.set_deadline(port_a, port_b, time.monotonic_ns() + 10**11)
    assert b.hears_nothing_before(a, port_a, 2)


def test_what_must_be_recoded_stays_with_the_bridge(bridge: Bridge, a: Phone, b: Phone) -> None:
    port_a, port_b = a.connected(bridge), b.connected(bridge, {"PCMA/8000": 8})
    bridge.join(port_a, port_b)
    for number in range(5):
        a.say(port_a, voice(number, ssrc=0xA))
        b.say(port_b, voice(number, ssrc=0xB, payload_type=8))
        assert (a.hear()[0].payload_type, b.hear()[0].payload_type) == (0, 8)
    assert port_a.counters().kernel_packets == port_b.counters().kernel_packets == 0


def test_the_kernel_takes_a_call_that_need_not_be_recoded_any_more(bridge: Bridge, a: Phone, b: Phone) -> None:
    """A agreed to the codec of B in mid-call; what it may still say in its old one is understood, by the bridge."""
    port_a, port_b = a.connected(bridge), b.connected(bridge, {"PCMA/8000": 8})
    bridge.join(port_a, port_b)
    a.say(port_a, voice(0, ssrc=0xA))
    b.say(port_b, voice(0, ssrc=0xB, payload_type=8))
    assert (a.hear()[0].payload_type, b.hear()[0].payload_type) == (0, 8)
    port_a.connect(a.host, a.port, {"PCMA/8000": 8}, heard={"PCMU/8000": 0})
    for number in range(1, 30):
        a.say(port_a, voice(number, ssrc=0xA, payload_type=8))
        b.say(port_b, voice(number, ssrc=0xB, payload_type=8))
        assert (a.hear()[0].payload_type, b.hear()[0].payload_type) == (8, 8)
    by_kernel = port_a.counters().kernel_packets, port_b.counters().kernel_packets
    assert min(by_kernel) > 20
    a.say(port_a, voice(30, ssrc=0xA), voice(31, ssrc=0xA, payload_type=8))
    assert [packet.payload_type for packet in b.hear(2)] == [8, 8]


def test_reports_tell_what_the_kernel_did(host: str, a: Phone, b: Phone) -> None:
    """The sender report counts what was sent there (RFC 3550, 6.4.1), the report block what was lost before it came."""
    with Bridge(host, PORT_MIN, PORT_MAX, kernel=True, report_ms=100) as bridge:
        port_a, port_b = talking(bridge, a, b)
        a.say(port_a, *[voice(number, ssrc=0xA) for number in range(1, 40)])
        b.say(port_b, *[voice(number, ssrc=0xB) for number in (5, 6, 7)])
        b.hear(39)
        report = b.rtcp.recv(2048)
        while struct.unpack_from("!I", report, 20)[0] < 41:
            report = b.rtcp.recv(2048)
        kind, packets, octets = report[1], *struct.unpack_from("!II", report, 20)
        lost, highest = int.from_bytes(report[33:36]), struct.unpack_from("!I", report, 36)[0]
        assert (kind, packets, octets) == (200, 41, 41 * 160)
        assert (lost, highest % 2**16) == (4, 7)
