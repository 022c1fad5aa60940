"""The small grammar that SIP headers share (RFC 3261, 25.1): tokens, quoted strings, lists, parameters, numbers, hosts.

Values in, values out; nothing here knows what a header means. What is wrong is told by `ProtocolError`.
"""

from ipaddress import AddressValueError, IPv6Address
from typing import Final

DIGITS: Final = "0123456789"
ALPHANUMERIC: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + DIGITS
TOKEN: Final = ALPHANUMERIC + "-.!%*_+`'~"
HOSTNAME: Final = ALPHANUMERIC + "-._"  # the underscore is not in the grammar, but it is in carriers' names
BLANK: Final = " \t"

# Parameters as they are usually spelled, so that the usual spelling costs one look-up.
_PARAMETERS: Final = {
    name: name for name in ("branch", "lr", "maddr", "q", "received", "rport", "tag", "transport", "ttl", "user")
}

PORT_MAX: Final = 65535
PARAMETERS_MAX: Final = 64


class ProtocolError(ValueError):
    """The peer's fault: what it sent is not what the RFC allows. `status` is the answer a request deserves."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def is_token(text: str) -> bool:
    """Whether `text` is a token (RFC 3261, 25.1): one or more of its characters, none other."""
    return bool(text) and not text.strip(TOKEN)


def parse_number(text: str, most: int, what: str) -> int:
    """A whole number in plain digits, 0 to `most`; ProtocolError names `what` was wrong."""
    # The length is looked at first: int() of a kilometre of digits would take its time. Only ASCII digits are digits here.
    if len(text) > 20 or not (text.isdecimal() and text.isascii()) or (number := int(text)) > most:
        raise ProtocolError(f"{what} is not a number from 0 to {most}")
    return number


def quote(text: str) -> str:
    """A quoted string holding `text` (RFC 3261, 25.1); control characters, which nobody should see, become blanks."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """The content of a quoted string; text without quotes comes back as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inside = text[1:-1]
    if "\\" not in inside:
        return inside
    letters = []
    escaped = False
    for letter in inside:
        if letter == "\\" and not escaped:
            escaped = True
        else:
            letters.append(letter)
            escaped = False
    return "".join(letters)


def end_of_quoted(text: str, start: int = 0) -> int:
    """Where the quoted string that opens at `start` ends: the index after its closing quote. ProtocolError: never closed."""
    at = start + 1
    while True:
        closing = text.find('"', at)
        if closing < 0:
            raise ProtocolError("a quoted string is not closed")
        backslash = text.find("\\", at, closing)
        if backslash < 0:
            return closing + 1
        at = backslash + 2


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """`text` cut at each `separator` (one character) that stands outside quotes and angle brackets; pieces are stripped."""
    if '"' not in text and "<" not in text:
        return [piece.strip() for piece in text.split(separator)]
    pieces = []
    start = at = 0
    while at < len(text):
        letter = text[at]
        if letter == '"':
            at = end_of_quoted(text, at)
        elif letter == "<":
            closing = text.find(">", at)
            if closing < 0:
                raise ProtocolError("an angle bracket is not closed")
            at = closing + 1
        else:
            if letter == separator:
                pieces.append(text[start:at].strip())
                start = at + 1
            at += 1
    pieces.append(text[start:].strip())
    return pieces


def parse_parameters(text: str) -> dict[str, str]:
    """`a=1;b;c="x"` as {"a": "1", "b": "", "c": '"x"'}: names in lower case, quotes kept; the leading semicolon is gone.

    ProtocolError: a name that is no token, a name given twice, a value with a blank in it, more than PARAMETERS_MAX.
    """
    parameters: dict[str, str] = {}
    usual = _PARAMETERS
    for piece in text.split(";") if '"' not in text else split_outside_quotes(text, ";"):
        written, _, value = piece.partition("=")
        value = value.strip()
        name = usual.get(written)
        if name is None:
            name = written.strip().lower()
            if not name or name.strip(TOKEN):
                raise ProtocolError("a parameter has no proper name")
        if name in parameters:
            raise ProtocolError(f"the parameter {name[:32]} comes twice")
        if " " in value and value[0] != '"':
            raise ProtocolError(f"the parameter {name[:32]} has a blank in its value")
        parameters[name] = value
    if len(parameters) > PARAMETERS_MAX:
        raise ProtocolError(f"more than {PARAMETERS_MAX} parameters")
    return parameters


def print_parameters(parameters: dict[str, str]) -> str:
    """What `parse_parameters` read, with the leading semicolon of each."""
    return "".join([f";{name}={value}" if value else f";{name}" for name, value in parameters.items()])


def parse_host_port(text: str) -> tuple[str, int | None]:
    """`host[:port]` as (host, port or None); an IPv6 address loses its brackets (RFC 3261, 25.1; RFC 5118).

    ProtocolError: an empty host, a character no host has, a port outside 1 to PORT_MAX.
    """
    if text[:1] == "[":
        host, bracket, rest = text[1:].partition("]")
        try:
            IPv6Address(host)
        except AddressValueError:
            raise ProtocolError("an IPv6 address is malformed") from None
        rest = rest.strip()
        if not bracket or (rest and rest[0] != ":"):
            raise ProtocolError("an IPv6 address is malformed")
        colon, port_text = rest[:1], rest[1:]
    else:
        host, colon, port_text = text.partition(":")
        host = host.rstrip()
        if not host or host.strip(HOSTNAME):
            raise ProtocolError("a host is malformed")
    if not colon:
        return host, None
    port = parse_number(port_text.strip(), PORT_MAX, "a port")
    if not port:
        raise ProtocolError("a port is 0")
    return host, port


def print_host_port(host: str, port: int | None) -> str:
    """`host[:port]`, an IPv6 address in brackets."""
    host = f"[{host}]" if ":" in host else host
    return host if port is None else f"{host}:{port}"
