"""What travels on loopback between the engine and the phones, as the kernel saw it: the witness neither of them can influence.

A raw packet socket (CAP_NET_RAW, which sipp needs as well to play a pcap) with a filter for the ports of one test.
"""

import ctypes
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ETH_P_IP = 0x0800
SO_ATTACH_FILTER = 26
SO_TIMESTAMPNS = 35
RECEIVE_BUFFER_BYTES = 16 * 1024 * 1024
DATAGRAM_BYTES_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram: `at` in seconds since 1970 by the kernel's stamp, the ports, what it carried."""

    at: float
    source: int
    target: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message: `name` is its method or status, `method` that of its CSeq."""

    at: float
    source: int
    target: int
    name: str
    method: str
    text: str

    def header(self, name: str) -> str:
        found = re.search(rf"^{name}\s*:\s*(.*?)\r?$", self.text, re.MULTILINE | re.IGNORECASE)
        assert found, f"no {name} in\n{self.text}"
        return found[1]


@dataclass(frozen=True, slots=True)
class Rtp:
    """One RTP packet without CSRC or extension, which nobody here sends."""

    at: float
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def _filter(first_port: int, last_port: int) -> bytes:
    """Classic BPF: UDP with source or target port in the range. Offsets count from the IP header."""
    program = [
        (0x30, 0, 0, 9),  # A = protocol
        (0x15, 0, 8, socket.IPPROTO_UDP),  # another: drop
        (0xB1, 0, 0, 0),  # X = length of the IP header
        (0x48, 0, 0, 0),  # A = source port
        (0x35, 0, 1, first_port),
        (0x25, 0, 3, last_port),  # not above: keep
        (0x48, 0, 0, 2),  # A = target port
        (0x35, 0, 2, first_port),
        (0x25, 1, 0, last_port),
        (0x06, 0, 0, 0xFFFFFFFF),  # keep
        (0x06, 0, 0, 0),  # drop
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


class Wire:
    """Listens from `__init__` to `close`; everything seen so far may be asked for at any time."""

    def __init__(self, first_port: int, last_port: int) -> None:
        self._seen: list[Datagram] = []
        self._arrived = threading.Condition()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        instructions = ctypes.create_string_buffer(_filter(first_port, last_port))
        count = (len(instructions) - 1) // 8
        fprog = struct.pack("HL", count, ctypes.addressof(instructions))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
        self._socket.bind(("lo", ETH_P_IP))
        self._socket.settimeout(0.2)
        self._open = True
        self._thread = threading.Thread(target=self._listen, name="wire")
        self._thread.start()

    def close(self) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while self._open:
            try:
                packet, ancillary, _, _ = self._socket.recvmsg(DATAGRAM_BYTES_MAX, 64)
            except TimeoutError:
                continue
            seconds, nanoseconds = struct.unpack("ll", ancillary[0][2])
            header_bytes = (packet[0] & 0x0F) * 4
            source, target = struct.unpack_from("!HH", packet, header_bytes)
            datagram = Datagram(seconds + nanoseconds / 1e9, source, target, packet[header_bytes + 8 :])
            with self._arrived:
                self._seen.append(datagram)
                self._arrived.notify_all()

    def wait(self, condition: Callable[[], bool], seconds_max: float, what: str) -> None:
        """Return as soon as the condition holds; looks at every packet and now and then between."""
        deadline = time.monotonic() + seconds_max
        with self._arrived:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, f"not within {seconds_max} s: {what}"
                self._arrived.wait(min(left, 0.05))

    def wait_for_silence(self, ports: set[int], quiet_seconds: float, seconds_max: float) -> None:
        """Return once no datagram came from or went to any of the ports for a while; fails where one keeps coming."""
        since = time.monotonic()
        count = -1

        def is_quiet() -> bool:
            nonlocal since, count
            now_count = sum(1 for each in self._seen if {each.source, each.target} & ports)
            if now_count != count:
                since, count = time.monotonic(), now_count
            return time.monotonic() - since >= quiet_seconds

        self.wait(is_quiet, seconds_max, f"silence on {sorted(ports)}")

    def datagrams(self) -> list[Datagram]:
        with self._arrived:
            return list(self._seen)

    def messages(self, port: int) -> list[Message]:
        """The SIP messages from and to a port, in order."""
        return [
            message for each in self.datagrams() if port in (each.source, each.target) for message in _message(each)
        ]

    def rtp_from(self, port: int) -> list[Rtp]:
        return [_rtp(each) for each in self.datagrams() if each.source == port]

    def rtp_to(self, port: int) -> list[Rtp]:
        return [_rtp(each) for each in self.datagrams() if each.target == port]


def _message(datagram: Datagram) -> Iterator[Message]:
    text = datagram.payload.decode("utf-8", "replace")
    first = text.split("\r\n", 1)[0].split(" ")
    cseq = re.search(r"^CSeq\s*:\s*\d+\s+(\w+)", text, re.MULTILINE | re.IGNORECASE)
    if cseq:
        name = first[1] if first[0] == "SIP/2.0" else first[0]
        yield Message(datagram.at, datagram.source, datagram.target, name, cseq[1], text)


def _rtp(datagram: Datagram) -> Rtp:
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", datagram.payload)
    assert first == 0x80, "RTP version 2 and nothing optional"
    return Rtp(datagram.at, second & 0x7F, sequence, timestamp, ssrc, datagram.payload[12:])
