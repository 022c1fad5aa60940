"""RTCP: what a port reports of its own leg, to whom, and how little it believes of what it is sent."""

import select
import struct
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpbridge import Bridge
from tests.rtpbridge.conftest import PORT_MAX, PORT_MIN
from tests.rtpbridge.phone import PCMU, Phone, until, voice

NewPhone = Callable[[], Phone]
SR, RR, SDES, BYE = 200, 201, 202, 203
SENDER_REPORT = struct.pack("!BBHIQIII", 0x80, SR, 6, 0x5EED, 0x1111_2222_3333_4444, 160, 1, 160)
RECEIVER_REPORT = struct.pack("!BBHI", 0x80, RR, 1, 0x5EED)


def split_compound(packet: bytes) -> dict[int, bytes]:
    """The packets of a compound one by type; its lengths must add up (RFC 3550, 6.1)."""
    parts, at = {}, 0
    while at < len(packet):
        first, kind, words = struct.unpack_from("!BBH", packet, at)
        assert first >> 6 == 2 and first & 0x20 == 0
        parts[kind] = packet[at : at + 4 * (words + 1)]
        at += 4 * (words + 1)
    assert at == len(packet)
    return parts


@pytest.mark.parametrize(
    ("packet", "good"),
    [
        (SENDER_REPORT, True),
        (RECEIVER_REPORT, True),
        (RECEIVER_REPORT + SENDER_REPORT, True),
        (SENDER_REPORT + struct.pack("!BBHI", 0x81, BYE, 1, 0x5EED), True),
        (b"", False),
        (SENDER_REPORT[:7], False),
        (SENDER_REPORT[:-4], False),
        (SENDER_REPORT + b"\0" * 4, False),
        (SENDER_REPORT + b"\x80", False),
        (struct.pack("!BBHI", 0x80, BYE, 1, 0x5EED), False),
        (struct.pack("!BBHI", 0x40, RR, 1, 0x5EED), False),
        (struct.pack("!BBHI", 0xA0, RR, 1, 0x5EED), False),
        (struct.pack("!BBHI", 0x80, RR, 0xFFFF, 0x5EED), False),
        (struct.pack("!BBHI", 0x80, SR, 1, 0x5EED), False),
    ],
)
def test_only_a_well_formed_compound_is_read(pure: ModuleType, packet: bytes, good: bool) -> None:
    heard = pure.ffi.new("struct rtcp_heard *")
    assert (pure.lib.rtcp_read(heard, packet, len(packet), 5) == 0) is good
    if not good:
        assert not heard.begun


@given(
    packet=st.one_of(
        st.binary(max_size=80),
        st.binary(max_size=80).map(lambda tail: SENDER_REPORT + tail),
        st.binary(max_size=80).map(lambda tail: b"\x80\xc8" + tail),
    )
)
def test_no_octets_break_the_readers(pure: ModuleType, packet: bytes) -> None:
    """Each in a buffer of its exact size, under the sanitizer of undefined behaviour."""
    exact = pure.ffi.new("uint8_t[]", packet) if packet else pure.ffi.new("uint8_t[]", 1)
    pure.lib.rtcp_read(pure.ffi.new("struct rtcp_heard *"), exact, len(packet), 5)
    header = pure.ffi.new("struct rtp_header *")
    if pure.lib.rtp_read(header, exact, len(packet)) == 0:
        assert header.payload_begin + header.payload_bytes <= len(packet)


def write(pure: ModuleType, receiver: Any, heard: Any, now_ns: int, **report: Any) -> bytes:
    cname = pure.ffi.new("char[]", b"abcdefghijklmnop")
    packet = pure.ffi.new("uint8_t[]", pure.lib.RTCP_REPORT_BYTES_MAX)
    what = pure.ffi.new("struct rtcp_report *", {"ssrc": 0xCAFE, "cname": cname, **report})
    size = pure.lib.rtcp_write(packet, what, receiver, heard, now_ns)
    return bytes(pure.ffi.buffer(packet, size))


def test_a_report_says_what_was_sent_and_received(pure: ModuleType) -> None:
    ffi, lib = pure.ffi, pure.lib
    receiver, heard = ffi.new("struct rtp_receiver *"), ffi.new("struct rtcp_heard *")
    for number in (65_534, 65_535, 65_537, 65_539):
        header = ffi.new("struct rtp_header *", {"sequence": number % 2**16, "timestamp": 160 * number, "ssrc": 0x5EED})
        lib.rtp_receiver_note(receiver, header, 8000, number * 20_000_000)
    assert lib.rtcp_read(heard, SENDER_REPORT, len(SENDER_REPORT), 10**9) == 0
    sent = {"sender": True, "ntp": 0xAAAA_BBBB_CCCC_DDDD, "timestamp": 77, "sent_packets": 5, "sent_octets": 800}
    parts = split_compound(write(pure, receiver, heard, 3 * 10**9, goodbye=True, **sent))
    assert list(parts) == [SR, SDES, BYE]
    assert parts[SR][0] & 0x1F == 1
    assert struct.unpack_from("!IQIII", parts[SR], 4) == (0xCAFE, 0xAAAA_BBBB_CCCC_DDDD, 77, 5, 800)
    ssrc, fraction_lost, highest, _jitter, last_report, delay = struct.unpack_from("!IIIIII", parts[SR], 28)
    assert (ssrc, fraction_lost, highest) == (0x5EED, (2 * 255 // 6) << 24 | 2, 65_539)
    assert (last_report, delay) == (0x2222_3333, 2 * 65_536)
    assert struct.unpack_from("!IBB16sB", parts[SDES], 4) == (0xCAFE, 1, 16, b"abcdefghijklmnop", 0)
    assert parts[BYE][4:] == struct.pack("!I", 0xCAFE)


def test_a_report_of_a_port_that_neither_sent_nor_received(pure: ModuleType) -> None:
    receiver, heard = pure.ffi.new("struct rtp_receiver *"), pure.ffi.new("struct rtcp_heard *")
    parts = split_compound(write(pure, receiver, heard, 0))
    assert list(parts) == [RR, SDES]
    assert len(parts[RR]) == 8


def view(pure: ModuleType, **of: Any) -> Any:
    return pure.ffi.new("struct rtcp_view *", {"begun": True, **of})


@pytest.mark.parametrize(
    ("ours", "behind_us", "said"),
    [(0, 0, 0), (64, 0, 64), (0, 64, 64), (64, 64, 112), (255, 255, 255), (128, 128, 192), (1, 255, 255)],
)
def test_the_fraction_lost_is_that_of_the_whole_way(pure: ModuleType, ours: int, behind_us: int, said: int) -> None:
    """In 1/256: what passes the first part of the way, less what is lost in the second."""
    receiver = pure.ffi.new(
        "struct rtp_receiver *", {"begun": True, "ssrc": 0x5EED, "sequence_highest": 254, "received": 255 - ours}
    )
    beyond = {"ssrc": 0x5EED, "lost": 3, "fraction_lost": behind_us}
    parts = split_compound(write(pure, receiver, pure.ffi.new("struct rtcp_heard *"), 0, beyond=beyond))
    assert struct.unpack_from("!II", parts[RR], 8) == (0x5EED, said << 24 | ours + 3)


def test_what_is_lost_behind_us_is_relayed_once_and_of_one_stream(pure: ModuleType) -> None:
    beyond, said = pure.ffi.new("struct rtcp_beyond *"), view(pure, lost=5, fraction_lost=20)

    def relayed(ssrc: int = 1) -> tuple[int, int]:
        pure.lib.rtcp_look_beyond(beyond, said, ssrc)
        return beyond.lost, beyond.fraction_lost

    assert relayed() == (5, 20)
    assert relayed() == (5, 0)  # no report has come since
    said.lost, said.fraction_lost, said.relayed = 9, 30, False
    assert relayed() == (9, 30)
    said.lost, said.fraction_lost, said.relayed = 2, 0, False  # the far side began to count anew
    assert relayed() == (9, 0)
    said.lost, said.relayed = 3, False
    assert relayed() == (10, 0)
    pure.lib.rtcp_look_beyond(beyond, pure.ffi.NULL, 1)  # nobody is joined any more
    assert (beyond.lost, beyond.fraction_lost) == (10, 0)
    assert relayed(2) == (0, 0)  # another stream lost nothing yet
    said.lost, said.fraction_lost, said.relayed = 7, 40, False
    pure.lib.rtcp_begin_anew(said)  # of what was played before
    assert relayed(2) == (0, 0)


@given(st.lists(st.integers(-(2**23), 2**23 - 1), max_size=30))
def test_a_far_side_that_lies_breaks_nothing(pure: ModuleType, told: list[int]) -> None:
    beyond, said = pure.ffi.new("struct rtcp_beyond *"), view(pure)
    for lost in told:
        said.lost, before = lost, beyond.lost
        pure.lib.rtcp_look_beyond(beyond, said, 1)
        assert before <= beyond.lost <= 2**23 - 1


def test_each_leg_is_reported_under_the_ssrc_it_hears_and_ends_with_bye(host: str, new_phone: NewPhone) -> None:
    a, b = new_phone(), new_phone()
    with Bridge(host, PORT_MIN, PORT_MAX, report_ms=60) as bridge:
        port_a, port_b = a.connected(bridge), b.connected(bridge)
        bridge.join(port_a, port_b)
        a.say(port_a, *[voice(number) for number in range(10) if number != 5])
        heard = b.hear(9)
        to_b = split_compound(b.rtcp.recv(2048))
        while SR not in to_b:
            to_b = split_compound(b.rtcp.recv(2048))
        assert struct.unpack_from("!I", to_b[SR], 4)[0] == heard[0].ssrc
        assert struct.unpack_from("!II", to_b[SR], 20) == (9, 9 * 160)
        a.rtcp.sendto(SENDER_REPORT, (host, port_a.rtp_port + 1))
        until(lambda: port_a.counters().received_rtcp == 1)
        to_a = split_compound(a.rtcp.recv(2048))
        while struct.unpack_from("!I", to_a[RR], 24)[0] != 0x2222_3333:
            to_a = split_compound(a.rtcp.recv(2048))
        ssrc, lost = struct.unpack_from("!II", to_a[RR], 8)
        assert (ssrc, lost & 0xFFFFFF) == (0x5EED, 1)
        assert not select.select([b.rtp], [], [], 0)[0]  # nothing of A's RTCP comes to B as RTP
        b_says = struct.pack("!BBHIIIIIII", 0x81, RR, 7, 0xB0B, heard[0].ssrc, 64 << 24 | 3, 0, 0, 0, 0)
        b.rtcp.sendto(b_says, (host, port_b.rtp_port + 1))
        while struct.unpack_from("!I", split_compound(a.rtcp.recv(2048))[RR], 12)[0] != 64 << 24 | 1 + 3:
            pass  # A is told once what share was lost in the meantime,
        assert (
            struct.unpack_from("!I", split_compound(a.rtcp.recv(2048))[RR], 12)[0] == 1 + 3
        )  # and how many are lost in all
        port_b.close()
        while BYE not in split_compound(b.rtcp.recv(2048)):
            pass
        while select.select([a.rtcp], [], [], 0)[0]:
            a.rtcp.recv(2048)
        for _ in range(2):  # reports since nobody is joined: what was lost stays lost
            assert struct.unpack_from("!I", split_compound(a.rtcp.recv(2048))[RR], 12)[0] == 1 + 3


def test_rtcp_on_the_rtp_port_is_taken_and_answered_there(host: str, new_phone: NewPhone) -> None:
    phone = new_phone()
    with Bridge(host, PORT_MIN, PORT_MAX, report_ms=40) as bridge:
        port = phone.connected(bridge)
        phone.say(port, SENDER_REPORT)
        until(lambda: port.counters().received_rtcp == 1)
        while split_compound(phone.rtp.recv(2048)).keys() != {RR, SDES}:
            pass
        assert port.counters().received_packets == 0


def test_reports_go_to_the_rtcp_port_of_the_sdp_and_to_no_other_that_speaks(host: str, new_phone: NewPhone) -> None:
    phone, elsewhere, stranger = new_phone(), new_phone(), new_phone()
    with Bridge(host, PORT_MIN, PORT_MAX, report_ms=40) as bridge:
        port = bridge.open_port()
        port.connect(host, phone.port, PCMU, rtcp_port=elsewhere.port)
        stranger.rtcp.sendto(SENDER_REPORT, (host, port.rtp_port + 1))
        assert split_compound(elsewhere.rtp.recv(2048))
        assert split_compound(elsewhere.rtp.recv(2048))
        assert not select.select([stranger.rtp, stranger.rtcp, phone.rtcp], [], [], 0)[0]
        assert (port.counters().dropped_strangers, port.counters().received_rtcp) == (1, 0)
