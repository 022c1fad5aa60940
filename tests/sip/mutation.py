"""Valid messages made wrong by rules of the grammar: a header left out, doubled, folded, reordered, its value taken from elsewhere.

Unlike bytes thrown at random, most of these get past the first look and reach the rules behind it. Seeded: the same seed
makes the same messages.
"""

import random
from collections.abc import Callable, Sequence

Lines = list[str]
Rule = Callable[[random.Random, Lines], None]

NUMBERS = ("0", "1", "-1", "00", "2147483647", "2147483648", "4294967296", "9" * 40, "1e3", "0x10", "", " ", "٣")
TOKENS = ("", "a", "z9hG4bK", "Z9HG4BK", "%00", "\x00", "é", "a b", "a,b", "a;b", '"', '"a', "<", ">", "*", "~" * 300)
PARAMETERS = (
    "tag",
    "branch",
    "rport",
    "received",
    "lr",
    "maddr",
    "ttl",
    "transport",
    "q",
    "expires",
    "method",
    "TAG",
    "",
)
URIS = (
    "sip:", "sips:a@b", "tel:+1", "sip:a@b:0", "sip:a@b:99999", "sip:[::1", "sip:a@[2001:db8::1]:5060", "sip:%6C%72@b",
    "sip:a@b;lr;lr", "sip:a@b?x=y", "sip:" + "a" * 2000 + "@b", "sip:a@b;transport=carrier-pigeon", "*", "urn:x", "sip:@b",
)  # fmt: skip
NAMES = (
    "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "Record-Route", "Max-Forwards", "Content-Length", "RSeq",
    "Content-Type", "Require", "Supported", "Session-Expires", "Min-SE", "RAck", "WWW-Authenticate", "Proxy-Authenticate",
    "Retry-After", "Reason", "Warning", "Expires", "Content-Encoding", "Proxy-Require", "v", "f", "t", "i", "m", "l", "k", "",
)  # fmt: skip
METHODS = (
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "UPDATE",
    "PRACK",
    "INFO",
    "OPTIONS",
    "REFER",
    "MESSAGE",
    "invite",
    "FOO",
    "",
)
STATUSES = ("100", "183", "200", "299", "300", "302", "401", "407", "408", "422", "481", "486", "491", "503", "603", "699",
            "099", "700", "20", "2000", "abc", "")  # fmt: skip


def mutated(draw: random.Random, message: bytes, others: Sequence[bytes]) -> bytes:
    """A message changed by one to four rules; `others` lend it their lines and bodies."""
    head, _, body = message.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    for _ in range(draw.randint(1, 4)):
        draw.choice(RULES)(draw, lines)
    if draw.random() < 0.15:
        lent = draw.choice(others).partition(b"\r\n\r\n")
        if draw.random() < 0.5:
            body = lent[2]
        else:
            lines.insert(
                draw.randint(1, len(lines)), draw.choice(lent[0].decode("utf-8", "surrogateescape").split("\r\n"))
            )
    if body and draw.random() < 0.3:
        body = _wrong_body(draw, body)
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def _wrong_body(draw: random.Random, body: bytes) -> bytes:
    lines = body.split(b"\r\n")
    at = draw.randrange(len(lines))
    way = draw.randrange(5)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(at, lines[draw.randrange(len(lines))])
    elif way == 2:
        words = lines[at].split(b" ")
        words[draw.randrange(len(words))] = draw.choice((*NUMBERS, *TOKENS)).encode()
        lines[at] = b" ".join(words)
    elif way == 3:
        draw.shuffle(lines)
    else:
        return body[: draw.randrange(len(body))]
    return b"\r\n".join(lines)


def _some_header(draw: random.Random, lines: Lines) -> int:
    return draw.randrange(1, len(lines)) if len(lines) > 1 else 0


def _leave_out(draw: random.Random, lines: Lines) -> None:
    if len(lines) > 1:
        del lines[_some_header(draw, lines)]


def _double(draw: random.Random, lines: Lines) -> None:
    lines.insert(draw.randint(1, len(lines)), lines[_some_header(draw, lines)])


def _swap(draw: random.Random, lines: Lines) -> None:
    one, other = _some_header(draw, lines), _some_header(draw, lines)
    lines[one], lines[other] = lines[other], lines[one]


def _rename(draw: random.Random, lines: Lines) -> None:
    at = _some_header(draw, lines)
    lines[at] = draw.choice(NAMES) + draw.choice((":", " :", ": ", "")) + lines[at].partition(":")[2]


def _change_case(draw: random.Random, lines: Lines) -> None:
    at = _some_header(draw, lines)
    lines[at] = draw.choice((lines[at].upper(), lines[at].lower(), lines[at].swapcase()))


def _fold(draw: random.Random, lines: Lines) -> None:
    at = _some_header(draw, lines)
    cut = draw.randint(0, len(lines[at]))
    lines[at] = lines[at][:cut] + draw.choice(("\r\n ", "\r\n\t", "\r\n", "\r", "\n")) + lines[at][cut:]


def _list(draw: random.Random, lines: Lines) -> None:
    """A second value after a comma, or an empty one."""
    at = _some_header(draw, lines)
    lines[at] += draw.choice((", ", ",", ",,")) + draw.choice((lines[at].partition(":")[2], ""))


def _add_parameter(draw: random.Random, lines: Lines) -> None:
    at = _some_header(draw, lines)
    value = draw.choice((*TOKENS, *NUMBERS))
    lines[at] += f";{draw.choice(PARAMETERS)}{draw.choice(('=', '', ' = '))}{value}"


def _cut_parameters(draw: random.Random, lines: Lines) -> None:
    at = _some_header(draw, lines)
    lines[at] = lines[at].rpartition(";")[0] or lines[at]


def _replace_uri(draw: random.Random, lines: Lines) -> None:
    at = draw.randrange(len(lines))
    before, bracket, after = lines[at].partition("<")
    if bracket:
        lines[at] = f"{before}<{draw.choice(URIS)}>{after.partition('>')[2]}"
    elif at == 0:
        words = lines[0].split(" ")
        words[1 % len(words)] = draw.choice(URIS)
        lines[0] = " ".join(words)


def _replace_number(draw: random.Random, lines: Lines) -> None:
    """A run of digits, wherever it is."""
    at = draw.randrange(len(lines))
    digits = [place for place, letter in enumerate(lines[at]) if letter.isdecimal()]
    if digits:
        start = end = draw.choice(digits)
        while end < len(lines[at]) and lines[at][end].isdecimal():
            end += 1
        lines[at] = lines[at][:start] + draw.choice(NUMBERS) + lines[at][end:]


def _replace_value(draw: random.Random, lines: Lines) -> None:
    at = _some_header(draw, lines)
    lines[at] = lines[at].partition(":")[0] + ": " + draw.choice((*TOKENS, *NUMBERS, *URIS, *METHODS))


def _require(draw: random.Random, lines: Lines) -> None:
    """Ask for an extension, known or not."""
    lines.append(
        f"{draw.choice(('Require', 'Supported', 'Proxy-Require'))}: {draw.choice(('100rel', 'timer', 'foo', ',', ''))}"
    )
    if draw.random() < 0.5:
        lines.append(f"RSeq: {draw.choice(NUMBERS)}")


def _change_start(draw: random.Random, lines: Lines) -> None:
    """Another status or method; sometimes the CSeq goes along."""
    words = lines[0].split(" ")
    if words[0] == "SIP/2.0" and len(words) > 1:
        words[1] = draw.choice(STATUSES)
    else:
        method = words[0]
        words[0] = draw.choice(METHODS)
        if method and draw.random() < 0.7:
            lines[1:] = [line.replace(method, words[0]) if line.startswith("CSeq") else line for line in lines[1:]]
    lines[0] = " ".join(words)


def _change_version(draw: random.Random, lines: Lines) -> None:
    lines[0] = lines[0].replace("SIP/2.0", draw.choice(("SIP/1.0", "SIP/7.0", "sip/2.0", "HTTP/1.1", "SIP/2.0 ", "")))


RULES: tuple[Rule, ...] = (
    _leave_out, _double, _swap, _rename, _change_case, _fold, _list, _add_parameter, _cut_parameters, _replace_uri,
    _replace_number, _replace_value, _require, _change_start, _change_version,
)  # fmt: skip
