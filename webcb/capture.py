"""A callback's messages as a .pcap file, which Wireshark and tcpdump read: raw IP packets with UDP, whatever carried them. Pure.

Addresses are those of the trace; a name, which has none, becomes the unspecified address. What the trace cut is marked as cut.
"""

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from webcb.ladder import Message

MAGIC: Final = 0xA1B2C3D4  # of times in microseconds
LINKTYPE_RAW: Final = 101  # a packet begins with its IP header, of either version
PACKET_BYTES_MAX: Final = 65_535
UDP: Final = 17
UDP_HEADER_BYTES: Final = 8
HOPS: Final = 64

Literal = IPv4Address | IPv6Address


def pcap(messages: Sequence[Message]) -> bytes:
    """The file: its header, then a packet a message."""
    header = struct.pack("<IHHiIII", MAGIC, 2, 4, 0, 0, PACKET_BYTES_MAX, LINKTYPE_RAW)
    return header + b"".join(map(_record, messages))


def _record(message: Message) -> bytes:
    local, remote = _literals(message.local_host, message.remote_host)
    ours, theirs = (local, message.local_port), (remote, message.remote_port)
    (source, source_port), (target, target_port) = (ours, theirs) if message.sent else (theirs, ours)
    header_bytes = (20 if source.version == 4 else 40) + UDP_HEADER_BYTES
    payload = message.text.encode()[: PACKET_BYTES_MAX - header_bytes]
    whole_bytes = min(max(len(payload), message.octets), PACKET_BYTES_MAX - header_bytes)
    datagram = struct.pack("!HHHH", source_port, target_port, UDP_HEADER_BYTES + whole_bytes, 0) + payload
    if source.version == 4:
        packet = _ipv4(source, target, UDP_HEADER_BYTES + whole_bytes) + datagram
    else:
        packet = _ipv6(source, target, UDP_HEADER_BYTES + whole_bytes) + _with_checksum(source, target, datagram)
    at_us = int(message.at.timestamp()) * 1_000_000 + message.at.microsecond
    return struct.pack("<IIII", *divmod(at_us, 1_000_000), len(packet), header_bytes + whole_bytes) + packet


def _literals(local: str, remote: str) -> tuple[Literal, Literal]:
    """Both addresses, of one family."""
    found = [_literal(local), _literal(remote)]
    version = next((each.version for each in found if each is not None), 4)
    unspecified = IPv4Address(0) if version == 4 else IPv6Address(0)
    first, second = (each if each is not None and each.version == version else unspecified for each in found)
    return first, second


def _literal(host: str) -> Literal | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _ipv4(source: Literal, target: Literal, content_bytes: int) -> bytes:
    before = struct.pack("!BBHHHBB", 0x45, 0, 20 + content_bytes, 0, 0, HOPS, UDP)
    after = source.packed + target.packed
    return before + struct.pack("!H", _checksum(before + after)) + after


def _ipv6(source: Literal, target: Literal, content_bytes: int) -> bytes:
    return struct.pack("!IHBB", 6 << 28, content_bytes, UDP, HOPS) + source.packed + target.packed


def _with_checksum(source: Literal, target: Literal, datagram: bytes) -> bytes:
    """UDP may go without a checksum over IPv4 only (RFC 8200, 8.1)."""
    pseudo = source.packed + target.packed + struct.pack("!II", len(datagram), UDP)
    return datagram[:6] + struct.pack("!H", _checksum(pseudo + datagram) or 0xFFFF) + datagram[8:]


def _checksum(content: bytes) -> int:
    """The ones' complement sum (RFC 1071)."""
    padded = content + b"\0" * (len(content) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
