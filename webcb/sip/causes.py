"""Why calls end: SIP statuses in words and as Q.850 causes (RFC 3398, 8.2.6.1), and the Reason header (RFC 3326)."""

from typing import Final

from webcb.sip.events import Cause
from webcb.sip.grammar import ProtocolError, parse_number, parse_parameters, quote, unquote
from webcb.sip.message import Response

CAUSE_TEXT_MAX: Final = 80
RETRY_AFTER_SECONDS_MAX: Final = 300  # a route is never out of use for longer because one header said so
NORMAL_CLEARING: Final = 16

# RFC 3398, 8.2.6.1. Its second "504" is 505 by its name; 487 and 488, to which it gives no single number, are
# 16 (somebody on this side hung up) and 65 (the way back in 7.2.4.1).
Q850_OF_STATUS: Final = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127, 414: 127,
    415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 480: 18, 481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17,
    487: 16, 488: 65, 500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127, 600: 17, 603: 21, 604: 1,
}  # fmt: skip
# An unknown status means what the x00 of its class means (RFC 3261, 8.1.3.2).
_Q850_OF_CLASS: Final = {3: 23, 4: 41, 5: 41, 6: 17}


def q850_of_status(status: int) -> int:
    """The Q.850 cause of a final status that came without a Reason header."""
    return Q850_OF_STATUS.get(status) or _Q850_OF_CLASS.get(status // 100, NORMAL_CLEARING)


def printable(text: str) -> str:
    """The peer's words as they may be shown: printable characters only, CAUSE_TEXT_MAX at most."""
    return "".join([letter for letter in text[: 2 * CAUSE_TEXT_MAX] if letter.isprintable()])[:CAUSE_TEXT_MAX]


def read_reason(values: list[str], status: int, text: str) -> Cause:
    """A cause from the Reason values of a message, and its `status` and `text` where they say nothing (RFC 3326).

    `status` is 0 for a BYE. A malformed value is passed over.
    """
    q850 = 0
    for value in values:
        protocol, _, rest = value.partition(";")
        try:
            parameters = parse_parameters(rest)
            number = parse_number(parameters.get("cause", ""), 699, "cause")
        except ProtocolError:
            continue
        words = unquote(parameters.get("text", ""))
        kind = protocol.strip().upper()
        if kind == "Q.850" and 0 < number < 128:
            q850, text = number, words or text
        elif kind == "SIP" and not status:
            status, text = number, words or text
    return Cause(status, q850 or (q850_of_status(status) if status else NORMAL_CLEARING), printable(text))


def cause_of_response(response: Response) -> Cause:
    """Why a final response refused."""
    try:
        values = response.values("Reason")
    except ProtocolError:
        values = []
    return read_reason(values, response.status, response.reason)


def print_reason(cause: Cause) -> list[str]:
    """The Reason values that tell a peer why we end a call: SIP where there is a status, Q.850 always (RFC 3326, 2)."""
    words = f";text={quote(cause.text)}" if cause.text else ""
    values = [f"Q.850;cause={cause.q850}{words}"]
    return [f"SIP;cause={cause.status}{words}", *values] if cause.status else values


def retry_after(response: Response) -> int | None:
    """The seconds of Retry-After, RETRY_AFTER_SECONDS_MAX at most; None where it is missing or malformed (RFC 3261, 20.33)."""
    number = response.first("Retry-After").partition(";")[0].partition("(")[0].strip()
    if not number or number.strip("0123456789"):
        return None
    return min(int(number), RETRY_AFTER_SECONDS_MAX) if len(number) < 10 else RETRY_AFTER_SECONDS_MAX
