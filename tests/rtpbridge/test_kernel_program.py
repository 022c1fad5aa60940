"""The kernel program packet by packet: what it makes of a flow's voice, what it leaves alone, and that the header is its object."""

import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from rtpbridge.build_program import HEADER, compile_program, read_header
from tests.rtpbridge.kernel_run import NEXT, PORT_FIRST, REDIRECT, Datagram, LoadedProgram
from tests.rtpbridge.phone import Rtp

ARMED, RUNNING = 1, 2
STAYS = 255
NEVER_NS = 2**63 - 1
# The far side, our address for it, our address for the peer's far side, and that one.
FAR = {
    4: ("192.0.2.9", "198.51.100.1", "198.51.100.2", "203.0.113.5"),
    6: ("2001:db8::9", "2001:db8:1::1", "2001:db8:1::2", "2001:db8:2::5"),
}
VOICE = Rtp(b"voice" * 32, 101, 16_160, ssrc=0xFA12, payload_type=8)
DIGIT = Rtp(struct.pack("!BBH", 5, 10, 800), 101, 16_160, ssrc=0xFA12, payload_type=101, marker=True)


@pytest.fixture(scope="module")
def kept() -> Iterator[LoadedProgram]:
    loaded = LoadedProgram(read_header(HEADER.read_text()))
    yield loaded
    loaded.close()


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def words_of(host: str) -> list[int]:
    packed = ip_address(host).packed
    return list(struct.unpack(f"={len(packed) // 4}I", packed)) + [0] * (4 - len(packed) // 4)


def in_network_order(number: int, kind: str) -> int:
    return int(struct.unpack("=" + kind, struct.pack("!" + kind, number))[0])


def lay(loaded: LoadedProgram, version: int, state: int = RUNNING, device: int = 1) -> None:
    """A flow whose newest packet has number 100 and timestamp 16,000; it came 20 ms ago."""
    far, near, source, to = FAR[version]
    flow, more = loaded.flow, loaded.more
    for name, host in {"far": far, "near": near, "from": source, "to": to}.items():
        if version == 6:
            setattr(more, name, words_of(host))
        else:
            setattr(flow, f"{name}_v4", words_of(host)[0])
    flow.far_port, flow.to_port = in_network_order(4000, "H"), in_network_order(6000, "H")
    flow.from_port = in_network_order(20_050, "H")
    flow.sequence_offset, flow.timestamp_offset = 65_500, 2**32 - 16_100
    flow.far_ssrc, flow.our_ssrc = in_network_order(0xFA12, "I"), in_network_order(0x0A0B0C0D, "I")
    flow.to_device, flow.tick_ns, flow.family = device, 125_000, {4: 2, 6: 10}[version]
    flow.payloads = [8, 97] + [STAYS] * 14
    flow.packets = flow.octets = flow.jitter_ns = 0
    more.gaps = more.gap_packets = more.burst_packets = more.lost_alone = more.first_ns = more.silent_ns = 0
    flow.came = 2**64 - 1
    flow.last_ns = flow.armed_ns = time.monotonic_ns() - 20_000_000
    flow.deadline_ns = NEVER_NS
    flow.claim = state << 48 | 100 << 32 | 16_000


def came(version: int, rtp: Rtp | bytes = VOICE) -> Datagram:
    far, near, _source, _to = FAR[version]
    return Datagram(far, 4000, near, PORT_FIRST, rtp.pack() if isinstance(rtp, Rtp) else rtp)


def goes(version: int, rtp: Rtp) -> Datagram:
    """What the far side of the peer is to get: as the bridge's own socket would have sent it."""
    _far, _near, source, to = FAR[version]
    sent = replace(rtp, sequence=rtp.sequence - 36, timestamp=rtp.timestamp - 16_100, ssrc=0x0A0B0C0D, payload_type=97)
    return Datagram(source, 20_050, to, 6000, sent.pack(), traffic=0xB8, ttl=64, fragment=0x4000)


def test_voice_goes_on_as_the_bridge_would_send_it(kept: LoadedProgram, version: int) -> None:
    """Every octet, with both checksums: addresses, ports, hop limit, traffic class, and the RTP header."""
    lay(kept, version)
    assert kept.run(came(version).pack()) == (REDIRECT, goes(version, VOICE).pack())
    marked = replace(VOICE, sequence=102, timestamp=16_320, marker=True, payload=b"odd" * 7)
    assert kept.run(came(version, marked).pack()) == (REDIRECT, goes(version, marked).pack())
    assert kept.flow.claim == RUNNING << 48 | 102 << 32 | 16_320
    assert (kept.flow.packets, kept.flow.octets, kept.more.gaps) == (2, 181, 0)


def test_without_a_device_it_goes_on_up_the_stack(kept: LoadedProgram, version: int) -> None:
    lay(kept, version, device=0)
    assert kept.run(came(version).pack()) == (NEXT, goes(version, VOICE).pack())


def test_ipv4_without_a_checksum_stays_without(kept: LoadedProgram) -> None:
    lay(kept, 4)
    assert kept.run(replace(came(4), summed=False).pack()) == (REDIRECT, replace(goes(4, VOICE), summed=False).pack())


ODD = {
    "a digit": came(4, DIGIT),
    "another source": came(4, replace(VOICE, ssrc=0xBAD)),
    "a number seen": came(4, replace(VOICE, sequence=100)),
    "an older number": came(4, replace(VOICE, sequence=99)),
    "a number of a source begun anew": came(4, replace(VOICE, sequence=3100)),
    "RTCP": came(4, struct.pack("!BBHI", 0x80, 200, 6, 0xFA12) + bytes(20)),
    "padding": came(4, b"\xa0" + VOICE.pack()[1:]),
    "an extension": came(4, b"\x90" + VOICE.pack()[1:]),
    "a contributor": came(4, b"\x81" + VOICE.pack()[1:]),
    "version 1": came(4, b"\x40" + VOICE.pack()[1:]),
    "no payload": came(4, replace(VOICE, payload=b"")),
    "a packet longer than any voice": came(4, replace(VOICE, payload=bytes(1300))),
    "a fragment": replace(came(4), fragment=0x2000),
    "the end of a datagram in fragments": replace(came(4), fragment=10),
    "a stranger's port": replace(came(4), source_port=4001),
    "a stranger's address": replace(came(4), source="192.0.2.10"),
    "another address of ours": replace(came(4), destination="198.51.100.2"),
    "another port": replace(came(4), destination_port=PORT_FIRST + 2),
    "an RTCP port": replace(came(4), destination_port=PORT_FIRST + 1),
    "a port below": replace(came(4), destination_port=PORT_FIRST - 2),
    "a port above": replace(came(4), destination_port=PORT_FIRST + 100),
    "IPv6": came(6),
}


@pytest.mark.parametrize("what", ODD)
def test_everything_else_is_left_alone(kept: LoadedProgram, what: str) -> None:
    lay(kept, 4)
    packet = ODD[what].pack()
    assert kept.run(packet) == (NEXT, packet)
    assert kept.flow.packets == 0


@pytest.mark.parametrize(
    ("what", "at", "octets"),
    [
        ("options", 14, b"\x46"),
        ("TCP", 23, b"\x06"),
        ("a UDP length beyond the packet", 38, b"\x01\x00"),
        ("a UDP length short of the packet", 38, b"\x00\x20"),
        ("ARP", 12, b"\x08\x06"),
        ("another host's frame", 0, b"\x02\xff"),
        ("a broadcast", 0, b"\xff" * 6),
    ],
)
def test_what_only_looks_like_it_is_left_alone(kept: LoadedProgram, what: str, at: int, octets: bytes) -> None:
    lay(kept, 4)
    packet = came(4).pack()
    changed = packet[:at] + octets + packet[at + len(octets) :]
    assert kept.run(changed) == (NEXT, changed), what
    assert kept.run(packet[:50])[0] == NEXT  # cut in the RTP header


def test_nothing_passes_once_the_deadline_is_there(kept: LoadedProgram) -> None:
    lay(kept, 4)
    kept.flow.deadline_ns = time.monotonic_ns()
    assert kept.run(came(4).pack()) == (NEXT, came(4).pack())
    kept.flow.deadline_ns = time.monotonic_ns() + 10**10
    assert kept.run(came(4).pack())[0] == REDIRECT


def test_a_flow_taken_back_passes_nothing(kept: LoadedProgram) -> None:
    lay(kept, 4)
    kept.flow.claim = 0
    assert kept.run(came(4).pack()) == (NEXT, came(4).pack())


def test_behind_a_packet_for_the_bridge_the_others_wait_until_it_has_had_its_turn(kept: LoadedProgram) -> None:
    lay(kept, 4)
    kept.run(came(4, DIGIT).pack())
    assert kept.flow.claim >> 48 == ARMED
    voice = replace(VOICE, sequence=102)
    assert kept.run(came(4, voice).pack())[0] == NEXT
    kept.flow.claim = ARMED << 48 | 101 << 32 | 16_160  # the bridge has sent the digit
    assert kept.run(came(4, voice).pack())[0] == REDIRECT
    assert kept.flow.claim >> 48 == RUNNING


def test_a_dead_bridge_is_not_waited_for(kept: LoadedProgram) -> None:
    """The digit is lost with the process that would have sent it, but not the voice after it."""
    lay(kept, 4)
    kept.run(came(4, DIGIT).pack())
    kept.flow.armed_ns -= 20_000_000
    assert kept.run(came(4, replace(VOICE, sequence=102)).pack())[0] == REDIRECT
    assert (kept.more.gaps, kept.more.gap_packets) == (1, 1)


def test_gaps_times_and_jitter_are_counted(kept: LoadedProgram) -> None:
    """RFC 3550, A.8, in nanoseconds with 4 bits of fraction: a packet 30 ms late of its timestamp adds a sixteenth of that."""
    lay(kept, 4)
    kept.flow.last_ns = time.monotonic_ns() - 130_000_000
    kept.run(came(4, replace(VOICE, sequence=105, timestamp=16_000 + 800)).pack())
    assert (kept.more.gaps, kept.more.gap_packets, kept.flow.packets) == (1, 4, 1)
    assert kept.more.first_ns == kept.flow.last_ns
    assert abs(kept.flow.last_ns - time.monotonic_ns()) < 10**9
    assert (
        30_000_000 <= kept.flow.jitter_ns < 60_000_000
    )  # 16 times a sixteenth; what the machine was late comes on top


def test_losses_are_told_from_bursts_and_pauses_from_silence(kept: LoadedProgram) -> None:
    """RFC 3611, 4.7.2: a loss 16 packets and more from any other is none of a burst."""
    lay(kept, 4)
    for number in [
        102,
        *range(103, 119),
        120,
        122,
        *range(123, 150),
        153,
    ]:  # 101; 119 and 121 with one between; 150 to 152
        kept.run(came(4, replace(VOICE, sequence=number)).pack())
    assert (kept.more.gaps, kept.more.gap_packets, kept.more.burst_packets) == (4, 6, 5)
    assert kept.flow.came & 0xFF == 0b11110001
    kept.flow.last_ns -= 300_000_000
    kept.run(came(4, replace(VOICE, sequence=154, marker=True)).pack())
    assert kept.more.silent_ns == 0
    kept.flow.last_ns -= 300_000_000
    kept.run(came(4, replace(VOICE, sequence=155)).pack())
    assert 300_000_000 <= kept.more.silent_ns < 400_000_000


def test_numbers_and_timestamps_wrap(kept: LoadedProgram) -> None:
    lay(kept, 4)
    kept.flow.claim = RUNNING << 48 | 65_535 << 32 | (2**32 - 160)
    wrapped = replace(VOICE, sequence=0, timestamp=0)
    assert kept.run(came(4, wrapped).pack()) == (REDIRECT, goes(4, wrapped).pack())


def test_the_header_is_what_clang_makes_of_the_source(kept: LoadedProgram) -> None:
    """The same clang makes the same octets; another may order them otherwise, but they must do the same to every packet."""
    program, rebuilt = read_header(HEADER.read_text()), compile_program()
    if rebuilt.clang_version == program.clang_version:
        assert rebuilt == program, "run python -m rtpbridge.build_program"
    other = LoadedProgram(rebuilt)
    good = [came(4), came(6), replace(came(4), summed=False), came(4, replace(VOICE, sequence=140))]
    for datagram in good + list(ODD.values()):
        answers = []
        for loaded in (kept, other):
            lay(loaded, 6 if ":" in datagram.source else 4)
            answers.append(
                (loaded.run(datagram.pack()), loaded.flow.claim, loaded.flow.packets, loaded.more.gap_packets)
            )
        assert answers[0] == answers[1]
    other.close()
