"""A ladder as it is printed, and the packets that others read of it."""

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from webcb.capture import PACKET_BYTES_MAX, pcap
from webcb.ladder import Message, label, ladder

NOON = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)
INVITE = "INVITE sip:551130001000@192.0.2.10 SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"
BUSY = "SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n"


def message(position: int, leg: str, sent: bool, text: str, after_ms: int = 0, **fields: object) -> Message:
    said = Message(
        position, leg, NOON + timedelta(milliseconds=after_ms), sent, "192.0.2.1", 5060,  # type: ignore[arg-type]
        "192.0.2.10" if leg == "A" else "192.0.2.20", 5060, "udp", len(text), text,
    )  # fmt: skip
    return replace(said, **fields)  # type: ignore[arg-type]


def test_a_ladder() -> None:
    said = [
        message(1, "A", True, INVITE),
        message(2, "A", False, "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n", 5),
        message(3, "B", True, INVITE, 6),
        message(6, "B", False, BUSY, 2000),
    ]
    assert ladder(said).split("\n") == [
        "          A's carrier                           webcb                           B's carrier",
        "2026-03-01 UTC |                                  |                                  |",
        "               |     192.0.2.10 port 5060 udp     |                                  |",
        "12:00:00.000250|<---------- INVITE sdp -----------|                                  |",
        "12:00:00.005250|-------- 200 OK (INVITE) -------->|                                  |",
        "               |                                  |     192.0.2.20 port 5060 udp     |",
        "12:00:00.006250|                                  |----------- INVITE sdp ---------->|",
        "                 ... 2 messages are not kept",
        "12:00:02.000250|                                  |<---- 486 Busy Here (INVITE) -----|",
    ]
    assert "    CSeq: 1 INVITE" in ladder(said, full=True).split("\n")
    assert ladder([]) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (INVITE, "INVITE sdp"),
        (BUSY, "486 Busy Here (INVITE)"),
        ("SIP/2.0 480 " + "x" * 99 + "\r\nCSeq: 7 BYE\r\n\r\n", "480 xxxxxxxxxxxxxxxxxx (BYE)"),
        ("\x1b[31mEVIL x\r\n\r\n", "?[31mEVIL"),
        ("SIP/2.0", "SIP/2.0"),
        ("", ""),
    ],
)
def test_a_message_in_few_words(text: str, said: str) -> None:
    assert label(text) == said


def test_what_a_peer_wrote_cannot_steer_a_terminal() -> None:
    assert "\x1b" not in ladder([message(1, "A", False, "BYE a SIP/2.0\r\nX: \x1b]0;owned\x07\r\n\r\n")], full=True)


def packets(file: bytes) -> list[tuple[int, int, bytes]]:
    """Microseconds, length on the wire, and octets of each packet."""
    assert struct.unpack("<IHHiIII", file[:24]) == (0xA1B2C3D4, 2, 4, 0, 0, PACKET_BYTES_MAX, 101)
    found, at = [], 24
    while at < len(file):
        seconds, micros, kept, whole = struct.unpack("<IIII", file[at : at + 16])
        found.append((seconds * 1_000_000 + micros, whole, file[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return found


def folded(content: bytes) -> int:
    """The ones' complement sum, without the complement."""
    total = sum(octet << (0 if place % 2 else 8) for place, octet in enumerate(content))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_packets_over_ipv4() -> None:
    ((at_us, whole, packet),) = packets(pcap([message(1, "A", False, BUSY)]))
    assert at_us == int(NOON.timestamp()) * 1_000_000 + 250
    assert whole == len(packet) == 28 + len(BUSY)
    assert folded(packet[:20]) == 0xFFFF
    assert packet[12:20] == bytes([192, 0, 2, 10, 192, 0, 2, 1])  # heard: from the carrier to us
    assert packet[28:] == BUSY.encode()


def test_packets_over_ipv6_carry_a_checksum() -> None:
    said = message(1, "A", True, "odd", local_host="2001:db8::1", remote_host="2001:db8::2")
    ((_, _, packet),) = packets(pcap([said]))
    datagram = packet[40:]
    assert folded(packet[8:40] + struct.pack("!II", len(datagram), 17) + datagram) == 0xFFFF


def test_what_was_cut_is_marked_and_a_name_has_no_address() -> None:
    said = message(1, "A", True, "short", remote_host="sbc.example", octets=9000)
    ((_, whole, packet),) = packets(pcap([said]))
    assert (whole, len(packet)) == (28 + 9000, 28 + 5)
    assert packet[16:20] == bytes(4)
    ((_, whole, _),) = packets(pcap([message(1, "A", True, "x", octets=10**6)]))
    assert whole == PACKET_BYTES_MAX
