"""A callback's messages as a ladder: A's carrier, webcb and B's carrier side by side, time running down. Pure, text only.

Where the messages come from is the reader's affair: the table `message`, see engine/archive.py.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

RUNG_WIDTH: Final = 34  # between two uprights
TIME_WIDTH: Final = 15
LABEL_MAX: Final = RUNG_WIDTH - 6

_CSEQ: Final = re.compile(r"^cseq[ \t]*:\s*\d+\s+(\w+)", re.IGNORECASE | re.MULTILINE)
_SDP: Final = re.compile(r"^(?:content-type|c)[ \t]*:\s*application/sdp", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of leg A or B, `sent` by us or heard. `octets` as it was on the wire; `text` may be cut and is masked."""

    position: int
    leg: Literal["A", "B"]
    at: datetime
    sent: bool
    local_host: str
    local_port: int
    remote_host: str
    remote_port: int
    transport: str
    octets: int
    text: str


def label(text: str) -> str:
    """What a message is, in few words: `INVITE sdp`, `486 Busy Here (INVITE)`."""
    first = text.partition("\n")[0].strip()
    words = first.split(" ", 2)
    with_sdp = " sdp" if _SDP.search(text) else ""
    if words[0] != "SIP/2.0" or len(words) < 2:
        return printable(words[0])[:LABEL_MAX] + with_sdp
    method = _CSEQ.search(text)
    of = f" ({method[1]})" if method else ""
    room = LABEL_MAX - len(of) - len(with_sdp)
    return printable(" ".join(words[1:]))[:room].rstrip() + of + with_sdp


def printable(text: str) -> str:
    """Text of a peer as it may go to a terminal or a page: every character that is no print becomes a question mark."""
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text.replace("\r\n", "\n"))


def ladder(messages: Sequence[Message], full: bool = False) -> str:
    """The messages in their order, a rung each; `full` puts each message's text below its rung. Times are UTC."""
    if not messages:
        return ""
    lines = [_heads(), f"{messages[0].at:%Y-%m-%d} UTC".ljust(TIME_WIDTH) + _uprights("", "")]
    peers: dict[str, str] = {}
    expected = messages[0].position
    for message in messages:
        peer = f"{message.remote_host} port {message.remote_port} {message.transport}"
        if message.position > expected:
            lines.append(" " * TIME_WIDTH + f"  ... {message.position - expected} messages are not kept")
        if peers.get(message.leg) != peer:
            peers[message.leg] = peer
            lines.append(" " * TIME_WIDTH + _beside(message.leg, peer.center(RUNG_WIDTH)))
        lines.append(f"{message.at:%H:%M:%S.%f}".ljust(TIME_WIDTH) + _beside(message.leg, _arrow(message)))
        if full:
            lines += ["", *(f"    {line}".rstrip() for line in printable(message.text).rstrip("\n").split("\n")), ""]
        expected = message.position + 1
    return "\n".join(line.rstrip() for line in lines)


def _heads() -> str:
    heads = ("A's carrier", "webcb", "B's carrier")
    middles = (TIME_WIDTH, TIME_WIDTH + RUNG_WIDTH + 1, TIME_WIDTH + 2 * (RUNG_WIDTH + 1))
    line = ""
    for head, middle in zip(heads, middles, strict=True):
        line = line.ljust(max(0, middle - len(head) // 2)) + head
    return line


def _uprights(left: str, right: str) -> str:
    return f"|{left:{RUNG_WIDTH}}|{right:{RUNG_WIDTH}}|"


def _beside(leg: str, drawn: str) -> str:
    return _uprights(drawn, "") if leg == "A" else _uprights("", drawn)


def _arrow(message: Message) -> str:
    """Away from webcb, in the middle, where we sent it."""
    to_the_right = message.sent == (message.leg == "B")
    words = f" {label(message.text)} ".center(RUNG_WIDTH - 2, "-")
    return f"-{words}>" if to_the_right else f"<{words}-"
