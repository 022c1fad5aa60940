"""What a phone says: a pcap of G.711 packets in which every payload is unlike every other, of this call and of the other side."""

import random
import struct
from pathlib import Path

PACKET_MS = 20
SAMPLES = 160  # of 8 kHz in a packet
LINKTYPE_ETHERNET = 1
PCMU, PCMA = 0, 8

Timed = tuple[int, int, bytes]  # at which millisecond, RTP timestamp, payload


def payloads(speaker: str, count: int) -> list[bytes]:
    """`count` payloads of 20 ms: the speaker's letter, the packet's number, and noise of its own."""
    noise = random.Random(speaker)
    return [
        speaker.encode() + struct.pack("!I", number) + noise.randbytes(SAMPLES - len(speaker) - 4)
        for number in range(count)
    ]


def pressed(key: int, packets: int) -> list[bytes]:
    """A key held for `packets` packets (RFC 4733, 2.3): event, volume, duration; the last three say that it ended."""
    return [
        struct.pack("!BBH", key, 0x8A if number >= packets - 3 else 0x0A, (number + 1) * SAMPLES)
        for number in range(packets)
    ]


def write_pcap(path: Path, spoken: list[bytes], payload_type: int = PCMU) -> None:
    """Write payloads as an RTP stream of one packet every 20 ms; sipp puts its own addresses and ports into it."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, LINKTYPE_ETHERNET))
        for number, payload in enumerate(spoken):
            frame = _frame(number, payload, payload_type)
            seconds, microseconds = divmod(number * PACKET_MS * 1000, 1_000_000)
            file.write(struct.pack("<IIII", seconds, microseconds, len(frame), len(frame)) + frame)


def write_timed_pcap(path: Path, spoken: list[Timed], payload_type: int) -> None:
    """Write payloads as an RTP stream, each at its millisecond and with its RTP timestamp."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, LINKTYPE_ETHERNET))
        for number, (at_ms, timestamp, payload) in enumerate(spoken):
            frame = _frame(number, payload, payload_type, timestamp)
            seconds, milliseconds = divmod(at_ms, 1000)
            file.write(struct.pack("<IIII", seconds, milliseconds * 1000, len(frame), len(frame)) + frame)


def _frame(number: int, payload: bytes, payload_type: int, timestamp: int | None = None) -> bytes:
    marker = 0x80 if number == 0 else 0
    ticks = 90_000 + (number * SAMPLES if timestamp is None else timestamp)
    rtp = struct.pack("!BBHII", 0x80, marker | payload_type, 7_000 + number, ticks, 0x0DDC0FFE) + payload
    udp = struct.pack("!HHHH", 4_000, 4_002, 8 + len(rtp), 0) + rtp
    local = bytes([127, 0, 0, 1])
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, local, local)
    return bytes(12) + struct.pack("!H", 0x0800) + ip + udp
