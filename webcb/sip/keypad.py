"""Digits in INFO: application/dtmf-relay and application/dtmf, as gateways send them (RFC 2976; RFC 6086 calls it legacy INFO use).

What becomes of a digit is the owner's matter; here a body is read and the answer to the request decided.
"""

from typing import Final, NamedTuple

from webcb.sip.grammar import DIGITS
from webcb.sip.message import Fields, Message

RELAY: Final = "application/dtmf-relay"
PLAIN: Final = "application/dtmf"
BODY_BYTES_MAX: Final = 256
DURATION_MS_MAX: Final = 10_000
# The events of RFC 4733 by number, as some write them; 16 and ! are the hook flash, which is no digit.
SIGNALS: Final = {digit: digit for digit in f"{DIGITS}*#ABCD"} | {
    "10": "*",
    "11": "#",
    "12": "A",
    "13": "B",
    "14": "C",
    "15": "D",
}
FLASH: Final = frozenset(("!", "16", "FLASH"))


class Pressed(NamedTuple):
    """What an INFO says: the status and headers of the answer, and the digit, "" where there is none; 0 ms: it does not say."""

    status: int
    fields: Fields
    digit: str = ""
    duration_ms: int = 0


def read_info(info: Message) -> Pressed:
    """The digit of an INFO: 200 with one or without, 400 a malformed body, 415 another type, 469 an Info Package (RFC 6086, 4.2)."""
    if "Info-Package" in info.fields:
        return Pressed(469, {"Recv-Info": [""]})  # we have named none that we would take
    if not info.body:
        return Pressed(200, {})  # a sign of life (RFC 2976, 2.4)
    kind = info.first("Content-Type").partition(";")[0].strip().lower()
    if kind not in (RELAY, PLAIN):
        return Pressed(415, {"Accept": [f"{RELAY}, {PLAIN}"]})
    text = info.body[: BODY_BYTES_MAX + 1].decode("ascii", "replace")
    signal, duration = _relayed(text) if kind == RELAY else (text.strip(), "")
    signal = signal.upper()
    if signal in FLASH:
        return Pressed(200, {})
    is_number = len(duration) <= 6 and duration.isdecimal() and duration.isascii()
    if len(text) > BODY_BYTES_MAX or signal not in SIGNALS or not (is_number or not duration):
        return Pressed(400, {})
    return Pressed(200, {}, SIGNALS[signal], min(int(duration or 0), DURATION_MS_MAX))


def _relayed(text: str) -> tuple[str, str]:
    """Signal and Duration of `Signal=5` and `Duration=160`, a line each, blanks as they come; "" for what is not there."""
    lines = [line.partition("=") for line in text.splitlines()]
    said = {name.strip().lower(): value.strip() for name, _, value in lines}
    return said.get("signal", ""), said.get("duration", "")
