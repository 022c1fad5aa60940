"""The trace of one callback: every SIP message of its legs, within bounds, kept in memory until nothing more is said. Pure.

It is written by rows.py and read as a ladder. What a digest answer could be guessed from is masked before it is kept anywhere.
"""

import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from webcb.engine.causes import LegName
from webcb.sip.events import Address

FIRST_MAX: Final = 150  # messages kept from the beginning of a callback
LAST_MAX: Final = 50  # and from its end; a gap in the positions tells of what was between
MESSAGE_BYTES_MAX: Final = 8192  # of one; the rest is cut

# The scheme is left to read; its value, over all folded lines, becomes asterisks: as long as it was.
_CREDENTIALS: Final = re.compile(
    rb"^((?:proxy-)?authorization[ \t]*:[ \t]*(?:digest|basic|bearer)?)([^\n]*(?:\n[ \t][^\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
# The keys of SRTP are as good as the voice (RFC 4568, 9.1).
_KEYS: Final = re.compile(rb"(inline:)([A-Za-z0-9+/=]+)", re.IGNORECASE)
_HIDDEN: Final = re.compile(rb"[^\s]")
_USUAL: Final = b"\r\nCall-ID: "  # as nearly everybody writes it
_CALL_ID: Final = re.compile(rb"\n(?:call-id|i)[ \t]*:\s*(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Traced:
    """One message: `at_us` of the monotonic clock, `sent` by us or heard; `position` counts from 1."""

    position: int
    leg: LegName
    at_us: int
    sent: bool
    local: Address
    remote: Address
    message: bytes


class Trace:
    """The messages of one callback, the first and the last of them."""

    def __init__(self) -> None:
        self._first: list[Traced] = []
        self._last: deque[Traced] = deque(maxlen=LAST_MAX)
        self._count = 0

    def note(self, leg: LegName, at_us: int, sent: bool, local: Address, remote: Address, message: bytes) -> None:
        """Keep one message if it is among the first or the last."""
        self._count += 1
        traced = Traced(self._count, leg, at_us, sent, local, remote, message)
        if len(self._first) < FIRST_MAX:
            self._first.append(traced)
        else:
            self._last.append(traced)

    def take(self) -> list[Traced]:
        """The messages in their order; the trace is empty then."""
        taken = [*self._first, *self._last]
        self._first.clear()
        self._last.clear()
        return taken


def call_id(message: bytes) -> bytes:
    """The Call-ID of a message, b"" where it has none; read without the grammar, as this may be anything."""
    at = message.find(_USUAL)
    if at >= 0 and (end := message.find(b"\r\n", at + len(_USUAL))) >= 0:
        return message[at + len(_USUAL) : end].strip()
    found = _CALL_ID.search(message)
    return found[1] if found else b""


def readable(message: bytes) -> str:
    """A message as it is stored: masked, cut, and in characters that every database takes."""
    masked, lower = message, message.lower()
    for secret, sign in ((_CREDENTIALS, b"authorization"), (_KEYS, b"inline:")):
        if sign in lower:
            masked = secret.sub(lambda found: found[1] + _HIDDEN.sub(b"*", found[2]), masked)
    return masked[:MESSAGE_BYTES_MAX].decode(errors="replace").replace("\0", "\ufffd")
