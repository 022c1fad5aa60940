"""Messages in a stream: where one ends and the next begins, over TCP and TLS (RFC 3261, 18.3), however the bytes were split.

What a message means is `message`'s. Blank lines between messages are keep-alives: two are a ping, one is its answer (RFC 5626, 3.5.1).
"""

import re
from typing import Final

from webcb.sip.grammar import ProtocolError
from webcb.sip.message import MESSAGE_BYTES_MAX

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"

_LENGTH: Final = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*:(?:[ \t]|\r\n[ \t])*([0-9]{1,10})(?=[ \t]*\r\n)", re.IGNORECASE
)


class Framer:
    """One direction of one connection. `pings` counts the keep-alives that wait for their answer; who answers sets it to 0."""

    __slots__ = ("_blank_lines", "_buffer", "_bytes_wanted", "_searched", "pings")

    def __init__(self) -> None:
        self.pings = 0
        self._buffer = bytearray()
        self._blank_lines = 0
        self._searched = 0  # up to here no head ends
        self._bytes_wanted = 0  # of the message whose head is here; 0: no head yet

    @property
    def is_between(self) -> bool:
        """Whether nothing of a message has come whose rest is still missing."""
        return not self._buffer

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now, in order. ProtocolError: no end can be found in this stream any more.

        A head without Content-Length, with two that differ, or longer than MESSAGE_BYTES_MAX with its body is such a case: close it.
        """
        self._buffer += data
        complete: list[bytes] = []
        while self._has_message():
            complete.append(bytes(self._buffer[: self._bytes_wanted]))
            del self._buffer[: self._bytes_wanted]
            self._bytes_wanted = self._searched = 0
        return complete

    def _has_message(self) -> bool:
        if not self._bytes_wanted:
            self._skip_blank_lines()
            end = self._buffer.find(b"\r\n\r\n", self._searched)
            if end < 0:
                self._searched = max(0, len(self._buffer) - 3)
                if len(self._buffer) > MESSAGE_BYTES_MAX:
                    raise ProtocolError("a head does not end", 513)
                return False
            self._bytes_wanted = end + 4 + self._body_bytes(end + 2)
            if self._bytes_wanted > MESSAGE_BYTES_MAX:
                raise ProtocolError("a message is too long", 513)
        return len(self._buffer) >= self._bytes_wanted

    def _skip_blank_lines(self) -> None:
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
            self._blank_lines += 1
            if self._blank_lines % 2 == 0:
                self.pings += 1
        if self._buffer and self._buffer != b"\r":
            self._blank_lines = 0

    def _body_bytes(self, head_bytes: int) -> int:
        lengths = {int(digits) for digits in _LENGTH.findall(self._buffer, 0, head_bytes)}
        if len(lengths) != 1:
            raise ProtocolError("a message in a stream has no Content-Length, or more than one")
        return lengths.pop()
