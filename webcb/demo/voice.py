"""The voices of the demo's phones on real RTP sockets, paced every 20 ms by one clock for all. What they play: `melody`.

An echo needs no clock: it says back every packet in the moment it comes.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Sequence

from webcb import clock
from webcb.demo.melody import FRAME_MS, FRAME_SAMPLES, frames
from webcb.demo.phones import Voice
from webcb.sip.offer_answer import Stream

RTP_HEADER = struct.Struct("!BBHII")  # version, marker and payload number, sequence, timestamp, SSRC (RFC 3550, 5.1)
RTP_VERSION = 0x80
MARKER = 0x80
PACKET_BYTES_MAX = 2048
PORT_TRIES_MAX = 100
PACKETS_READ_MAX = 16  # of one line before the others get their turn


class NoPortsLeft(RuntimeError):
    """No pair of neighbouring UDP ports could be had."""


def open_ports(host: str) -> tuple[socket.socket, socket.socket]:
    """An even RTP port and its RTCP neighbour, bound and non-blocking. Raises NoPortsLeft."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(PORT_TRIES_MAX):
        rtp, rtcp = (socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for _ in range(2))
        try:
            rtp.bind((host, 0))
            port = rtp.getsockname()[1]
            if port % 2 == 0:
                rtcp.bind((host, port + 1))
                return rtp, rtcp
        except OSError:
            pass  # the neighbour is somebody else's: draw again
        rtp.close()
        rtcp.close()
    raise NoPortsLeft(f"no two neighbouring UDP ports are free on {host}")


class VoiceLine:
    """One phone's RTP port: plays its tune, or echoes, to the far side its call named; see `phone.Line`."""

    def __init__(self, choir: "Choir", voice: Voice, host: str) -> None:
        self._choir = choir
        self._voice = voice
        self._rtp, self._rtcp = open_ports(host)
        self.rtp_port: int = self._rtp.getsockname()[1]
        self._far = ("", 0)
        self._payload_type = 0
        self._frames: Sequence[bytes] = ()
        self._spoken = 0  # frames
        sequence, self._timestamp, self._ssrc = struct.unpack("!HII", os.urandom(10))
        self._sequence = sequence
        choir.loop.add_reader(self._rtp, self._hear)
        choir.loop.add_reader(self._rtcp, self._overhear)

    def talk(self, stream: Stream) -> None:
        """Say what this phone says to the far side, in the first of its codecs that is G.711."""
        codec = next((codec for codec in stream.codecs if codec.name in ("PCMU", "PCMA")), None)
        if codec is None:
            return
        self._far = (stream.host, stream.port)
        self._payload_type = codec.payload_type
        self._frames = frames(self._voice, codec.name)
        if self._frames:
            self._choir.enter(self)

    def close(self) -> None:
        """Fall silent and give the ports back; a second time does nothing."""
        self._choir.leave(self)
        for port in (self._rtp, self._rtcp):
            if port.fileno() >= 0:
                self._choir.loop.remove_reader(port)
                port.close()

    def speak(self) -> None:
        """Send the next frame of the tune."""
        self._send(self._frames[self._spoken % len(self._frames)], is_first=self._spoken == 0)
        self._spoken += 1

    def _send(self, payload: bytes, *, is_first: bool = False) -> None:
        marker = MARKER if is_first else 0
        header = RTP_HEADER.pack(RTP_VERSION, marker | self._payload_type, self._sequence, self._timestamp, self._ssrc)
        self._sequence = self._sequence + 1 & 0xFFFF
        self._timestamp = self._timestamp + FRAME_SAMPLES & 0xFFFFFFFF
        try:
            self._rtp.sendto(header + payload, self._far)
        except OSError:
            return  # a full buffer or a far side that is gone: voice is not sent twice

    def _hear(self) -> None:
        for _ in range(PACKETS_READ_MAX):
            try:
                packet, source = self._rtp.recvfrom(PACKET_BYTES_MAX)
            except OSError:
                return  # nothing more, or the far side's port unreachable
            is_voice = len(packet) > RTP_HEADER.size and packet[1] & 0x7F == self._payload_type
            if self._voice is Voice.ECHO and is_voice and source[:2] == self._far:
                self._send(packet[RTP_HEADER.size :])

    def _overhear(self) -> None:
        """Take RTCP off the socket; the phones make nothing of it."""
        try:
            self._rtcp.recv(PACKET_BYTES_MAX)
        except OSError:
            return


class Choir:
    """All lines that are playing, given their beat every 20 ms by one deadline that does not drift."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._singing: dict[VoiceLine, None] = {}  # in the order they came in
        self._is_beating = False

    def enter(self, line: VoiceLine) -> None:
        """Let a line play, from the next beat on where others play already."""
        self._singing[line] = None
        if not self._is_beating:
            self._is_beating = True
            self._beat(clock.monotonic())

    def leave(self, line: VoiceLine) -> None:
        """Let a line stop."""
        self._singing.pop(line, None)

    def _beat(self, at: float) -> None:
        for line in self._singing:
            line.speak()
        self._is_beating = bool(self._singing)
        if self._is_beating:
            # From the last beat, not from now; but a host that slept is not made up for with a burst.
            following = max(at + FRAME_MS / 1000, clock.monotonic() - FRAME_MS / 1000)
            self.loop.call_at(following, self._beat, following)
