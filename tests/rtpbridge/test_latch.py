"""Whom a port believes: the SDP's address, another only after its silence, strangers never (CVE-2017-14099)."""

import select
import time
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpbridge import Bridge, Direction, Port
from tests.rtpbridge.conftest import PORT_MAX, PORT_MIN
from tests.rtpbridge.phone import PATIENCE_S, PCMU, Phone, Rtp, until, voice

NewPhone = Callable[[], Phone]
S = 1_000_000_000
PATIENCE_NS = 3 * S
RELEARN_NS = 10 * S
NAMED, NATTED, STRANGER, NEWLY_NAMED = "192.0.2.1:4000", "203.0.113.9:31000", "198.51.100.66:6666", "192.0.2.1:5000"
REBOUND, NEIGHBOUR = "203.0.113.9:31999", "192.0.2.77:4000"
JUNK, RTCP = b"junk", b"\x80\xc8\0\x06" + b"\0" * 24


class Latch:
    """struct latch with addresses as text and packets of one SSRC; 'no', 'yes' and 'moved' for the verdicts."""

    def __init__(self, pure: ModuleType) -> None:
        self.ffi, self.lib = pure.ffi, pure.lib
        self.latch = self.ffi.new("struct latch *")
        self.rules = self.ffi.new("struct latch_rules *", {"patience_ns": PATIENCE_NS, "relearn_ns": RELEARN_NS})

    def address(self, text: str) -> object:
        host, port = text.rsplit(":", 1)
        address = self.ffi.new("union address *")
        assert self.lib.address_read(address, host.encode(), int(port)) == 0
        return address

    def name(self, address: str, at_ns: int) -> None:
        self.lib.latch_name(self.latch, self.address(address), at_ns)

    def judge(self, address: str, at_ns: int, packet: bytes | int = 7) -> str:
        octets = voice(1, ssrc=packet).pack() if isinstance(packet, int) else packet
        source = self.address(address)
        considered = self.lib.latch_considers(self.latch, source, at_ns, self.rules)
        verdict = self.lib.latch_judge(self.latch, source, octets, len(octets), at_ns, self.rules)
        assert considered or verdict == self.lib.LATCH_STRANGER
        return {
            self.lib.LATCH_STRANGER: "no",
            self.lib.LATCH_ACCEPTED: "yes",
            self.lib.LATCH_MOVED: "moved",
        }[verdict]

    def sends_to(self, address: str) -> bool:
        return bool(self.lib.address_equal(self.lib.latch_destination(self.latch), self.address(address)))


@pytest.fixture
def latch(pure: ModuleType) -> Latch:
    return Latch(pure)


LADDERS: dict[str, list[tuple[float, str, bytes | int, str]]] = {
    "the named address is believed at once, nobody else after it": [
        (0.1, NAMED, 7, "moved"),
        (0.2, STRANGER, 7, "no"),
        *[(4 + n / 50, STRANGER, 7, "no") for n in range(100)],
        (9, NAMED, 7, "yes"),
        (9.1, NAMED, 8, "yes"),
    ],
    "a phone behind NAT is believed at three seconds": [
        *[(n / 50, NATTED, 7, "no") for n in range(150)],
        (3.0, NATTED, 7, "moved"),
        (3.1, NATTED, 7, "yes"),
        *[(10 + n / 50, STRANGER, 7, "no") for n in range(200)],
    ],
    "four packets are needed": [
        (5.00, NATTED, 7, "no"),
        (5.02, NATTED, 7, "no"),
        (5.04, NATTED, 7, "no"),
        (5.06, NATTED, 7, "moved"),
    ],
    "in a row from one address": [
        *[(5 + n / 50, (NATTED, STRANGER)[n % 4 == 3], 7, "no") for n in range(50)],
    ],
    "and of one SSRC": [
        *[(5 + n / 50, NATTED, n // 3, "no") for n in range(50)],
    ],
    "junk persuades nobody": [*[(5 + n / 50, STRANGER, JUNK, "no") for n in range(50)]],
    "nor does RTCP": [*[(5 + n / 50, STRANGER, RTCP, "no") for n in range(50)]],
    "junk between breaks the row": [
        *[(5 + n / 50, NATTED, (7, 7, 7, JUNK)[n % 4], "no") for n in range(50)],
    ],
    "the named address outranks the one that was latched": [
        *[(3.01 + n / 50, STRANGER, 7, "no") for n in range(3)],
        (3.2, STRANGER, 7, "moved"),
        (3.3, NAMED, 7, "moved"),
        (3.4, STRANGER, 7, "no"),
        *[(60 + n / 50, STRANGER, 7, "no") for n in range(200)],
    ],
    "a NAT that forgot its binding is learned again after ten seconds": [
        *[(4 + n / 50, NATTED, 7, "no") for n in range(3)],
        (4.06, NATTED, 7, "moved"),
        *[(5 + n / 50, REBOUND, 7, "no") for n in range(453)],
        *[(14.07 + n / 50, REBOUND, 7, "no") for n in range(3)],
        (14.13, REBOUND, 7, "moved"),
        (14.2, NATTED, 7, "no"),
    ],
    "another network after twenty": [
        *[(4 + n / 50, NATTED, 7, "no") for n in range(3)],
        (4.06, NATTED, 7, "moved"),
        *[(5 + n / 50, STRANGER, 7, "no") for n in range(953)],
        *[(24.07 + n / 50, STRANGER, 7, "no") for n in range(3)],
        (24.13, STRANGER, 7, "moved"),
    ],
    "the neighbour of an SDP's address that was heard, but nobody from elsewhere": [
        (0.1, NAMED, 7, "moved"),
        *[(10 + n / 100, NEIGHBOUR, 7, "no") for n in range(10)],
        *[(50 + n / 50, STRANGER, 7, "no") for n in range(50)],
        *[(60 + n / 50, NEIGHBOUR, 7, "no") for n in range(3)],
        (60.06, NEIGHBOUR, 7, "moved"),
        (60.1, NAMED, 7, "moved"),
    ],
}


@pytest.mark.parametrize("ladder", LADDERS.values(), ids=LADDERS.keys())
def test_ladder(latch: Latch, ladder: list[tuple[float, str, bytes | int, str]]) -> None:
    latch.name(NAMED, 0)
    for at_s, source, packet, verdict in ladder:
        assert latch.judge(source, int(at_s * S), packet) == verdict, (at_s, source)


def test_nobody_is_believed_without_an_sdp(latch: Latch) -> None:
    assert latch.lib.latch_destination(latch.latch) == latch.ffi.NULL
    assert [latch.judge(STRANGER, n * S) for n in range(20)] == ["no"] * 20


def test_sends_to_the_named_address_until_another_is_agreed(latch: Latch) -> None:
    latch.name(NAMED, 0)
    assert latch.sends_to(NAMED)
    for n in range(4):
        latch.judge(NATTED, 4 * S + n)
    assert latch.sends_to(NATTED)


def test_a_reinvite_with_the_same_address_keeps_what_was_agreed_and_listens_again(latch: Latch) -> None:
    latch.name(NAMED, 0)
    for n in range(4):
        latch.judge(NATTED, 4 * S + n)
    latch.name(NAMED, 100 * S)
    assert latch.sends_to(NATTED)
    assert latch.judge(NATTED, 100 * S + 1) == "yes"
    assert [latch.judge(STRANGER, 109 * S + n) for n in range(9)] == ["no"] * 9
    latch.name(NAMED, 300 * S)  # its NAT has forgotten it: silent, and then from elsewhere
    assert [latch.judge(REBOUND, 302 * S + n) for n in range(4)] == ["no"] * 4
    assert latch.judge(REBOUND, 303 * S) == "moved"
    assert latch.judge(NATTED, 304 * S) == "no"


def test_a_reinvite_with_another_address_drops_the_old_one(latch: Latch) -> None:
    latch.name(NAMED, 0)
    latch.judge(NAMED, 1)
    latch.name(NEWLY_NAMED, 10 * S)
    assert latch.sends_to(NEWLY_NAMED)
    assert latch.judge(NAMED, 10 * S + 1) == "no"
    assert latch.judge(NEWLY_NAMED, 10 * S + 2) == "moved"


@pytest.mark.parametrize(
    ("neighbour", "same"),
    [("2001:db8:0:1:ffff::9", True), ("2001:db8:0:2::1", False), ("192.0.2.1", False)],
)
def test_a_network_of_ipv6_is_a_64(pure: ModuleType, neighbour: str, same: bool) -> None:
    addresses = pure.ffi.new("union address[2]")
    assert pure.lib.address_read(addresses + 0, b"2001:db8:0:1::1", 4000) == 0
    assert pure.lib.address_read(addresses + 1, neighbour.encode(), 5000) == 0
    assert bool(pure.lib.address_same_network(addresses + 0, addresses + 1)) is same


PACKETS = st.lists(
    st.tuples(st.integers(0, 2 * S), st.sampled_from([NAMED, NATTED, STRANGER]), st.sampled_from([1, 2, JUNK, RTCP])),
    max_size=60,
)


@settings(max_examples=300)
@given(packets=PACKETS)
def test_no_order_of_packets_lets_a_stranger_in_once_the_named_address_spoke(
    pure: ModuleType, packets: list[tuple[int, str, bytes | int]]
) -> None:
    latch = Latch(pure)
    latch.name(NAMED, 0)
    now_ns, named_spoke, rows = 0, False, dict.fromkeys([NATTED, STRANGER], 0)
    for pause_ns, source, packet in packets:
        now_ns += pause_ns
        verdict = latch.judge(source, now_ns, packet)
        named_spoke = named_spoke or source == NAMED
        if source == NAMED:
            assert verdict != "no"
            continue
        rows = {other: rows[other] + 1 if other == source else 0 for other in rows}
        if named_spoke:
            assert verdict == "no"
        if verdict == "moved":
            assert now_ns >= PATIENCE_NS and rows[source] >= 4 and isinstance(packet, int)


def kept_away(port: Port) -> int:
    """Datagrams of strangers, whoever dropped them."""
    counters = port.counters()
    return counters.dropped_strangers + counters.dropped_by_system


def test_a_sprayer_reaches_nobody_and_hears_nothing(bridge: Bridge, new_phone: NewPhone) -> None:
    a, b, sprayer = new_phone(), new_phone(), new_phone()
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    sprayer.say(port_a, *[voice(number, ssrc=0xBAD) for number in range(20)])
    bridge.join(port_a, port_b)
    sprayer.say(port_a, *[voice(number, ssrc=0xBAD) for number in range(20)])
    assert b.hears_nothing_before(a, port_a, 1)
    sprayer.say(port_a, *[voice(number, ssrc=0xBAD) for number in range(20)])
    sprayer.rtcp.sendto(RTCP, (a.host, port_a.rtp_port + 1))
    assert a.hears_nothing_before(b, port_b, 1)
    assert b.hears_nothing_before(a, port_a, 2)
    assert not select.select([sprayer.rtp, sprayer.rtcp], [], [], 0)[0]
    until(lambda: kept_away(port_a) == 61)
    assert (port_a.counters().received_packets, port_a.counters().received_rtcp) == (2, 0)


def test_a_phone_behind_nat_is_heard_and_answered_at_its_real_address(host: str, new_phone: NewPhone) -> None:
    private, a, b = new_phone(), new_phone(), new_phone()
    with Bridge(host, PORT_MIN, PORT_MAX, latch_ms=1) as bridge:
        port_a, port_b = bridge.open_port(), b.connected(bridge)
        port_a.connect(private.host, private.port, PCMU)
        bridge.join(port_a, port_b)
        heard: list[Rtp] = []
        for number in range(int(PATIENCE_S * 1000)):
            a.say(port_a, voice(number))
            if select.select([b.rtp], [], [], 0.001)[0]:
                heard = b.hear()
                break
        assert heard[0].payload in [voice(said).payload for said in range(3, number + 1)]
        b.say(port_b, voice(0, ssrc=0xB))
        assert a.hear()[0].payload == voice(0, ssrc=0xB).payload
        assert port_a.counters().dropped_strangers >= 3


def fence(sprayer: Phone, port: Port) -> None:
    """Until the system keeps the sprayer away from the port's sockets, and what came before that was dropped by us."""
    sprayed = 0
    while port.counters().dropped_by_system < 2:
        sprayer.say(port, voice(0, ssrc=0xBAD))
        sprayer.rtcp.sendto(RTCP, (sprayer.host, port.rtp_port + 1))
        sprayed += 2
    until(lambda: kept_away(port) == sprayed)


def test_of_many_that_begin_at_once_every_one_is_fenced_in_the_end(new_phone: NewPhone) -> None:
    """More than are fenced in one turn of the bridge."""
    phones, sprayer = [new_phone() for _ in range(40)], new_phone()
    with Bridge(phones[0].host, PORT_MIN, PORT_MAX) as bridge:
        ports = [phone.connected(bridge) for phone in phones]
        for phone, port in zip(phones, ports, strict=True):
            phone.say(port, voice(0))
        for port in ports:
            fence(sprayer, port)


def test_the_system_keeps_strangers_away_once_the_far_side_was_heard(
    host: str, bridge: Bridge, new_phone: NewPhone
) -> None:
    a, b, sprayer = new_phone(), new_phone(), new_phone()
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    bridge.join(port_a, port_b)
    a.say(port_a, voice(0))
    b.hear()
    fence(sprayer, port_a)
    before = port_a.counters()
    sprayer.say(port_a, *[voice(number, ssrc=0xBAD) for number in range(50)])
    assert b.hears_nothing_before(a, port_a, 1)
    after = port_a.counters()
    assert after.dropped_by_system - before.dropped_by_system == 50
    assert after.dropped_strangers == before.dropped_strangers
    a.rtcp.sendto(RTCP, (host, port_a.rtp_port + 1))
    until(lambda: port_a.counters().received_rtcp == 1)
    moved = new_phone()
    port_a.connect(moved.host, moved.port, PCMU)  # a re-INVITE: its first packet is heard
    assert b.hears_nothing_before(moved, port_a, 2)
    a.say(port_a, voice(3))
    assert b.hears_nothing_before(moved, port_a, 4)


def test_a_binding_that_nat_forgot_is_learned_again_but_not_while_the_leg_is_held(
    host: str, new_phone: NewPhone
) -> None:
    a, again, b = new_phone(), new_phone(), new_phone()
    with Bridge(host, PORT_MIN, PORT_MAX, relearn_ms=200) as bridge:
        port_a, port_b = a.connected(bridge), b.connected(bridge)
        bridge.join(port_a, port_b)
        a.say(port_a, voice(0))
        b.hear()
        fence(again, port_a)
        port_a.hold(Direction.INACTIVE)
        give_up = time.monotonic() + 0.5
        while time.monotonic() < give_up:
            again.say(port_a, voice(1))
            assert not select.select([b.rtp], [], [], 0.01)[0]
        began = time.monotonic()  # before: on a busy machine the call returns after the waiting has begun
        port_a.hold(Direction.SENDRECV)

        def is_heard() -> bool:
            again.say(port_a, voice(2))
            return bool(select.select([b.rtp], [], [], 0.01)[0])

        until(is_heard)
        assert time.monotonic() - began > 0.15
        b.say(port_b, voice(0, ssrc=0xB))
        assert again.hear()[0].payload == voice(0, ssrc=0xB).payload
