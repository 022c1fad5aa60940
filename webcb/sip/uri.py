"""SIP URIs, and the name-addr form in which headers carry them (RFC 3261, 19.1 and 20.10).

Other schemes (tel:, isbn:) are told from SIP by `scheme_of` and otherwise left alone.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote as unescape

from webcb.sip.events import Address
from webcb.sip.grammar import (
    ALPHANUMERIC,
    BLANK,
    TOKEN,
    ProtocolError,
    end_of_quoted,
    parse_host_port,
    parse_parameters,
    print_host_port,
    print_parameters,
    unquote,
)
from webcb.sip.location import NextHop, default_port, family_of

URI_CHARACTERS: Final = ALPHANUMERIC + "-_.!~*'()%&=+$,;?/:@[]#`{}|^\\"
# URIs and parties that need not be taken apart again: of calls being set up just now. What is kept for longer lies between what calls
# need for a moment, and a process grows with every hour; to read one anew takes 3 µs.
KNOWN_MAX: Final = 128
SCHEME: Final = ALPHANUMERIC + "+-."
DISPLAY_NAME: Final = TOKEN + BLANK


@dataclass(frozen=True, slots=True)
class Uri:
    """A sip: or sips: URI. `user` is as written (escapes kept, with its password); `headers` is what followed the "?"."""

    scheme: str
    user: str
    host: str
    port: int | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    headers: str = ""

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        headers = f"?{self.headers}" if self.headers else ""
        return (
            f"{self.scheme}:{user}{print_host_port(self.host, self.port)}{print_parameters(self.parameters)}{headers}"
        )

    @property
    def username(self) -> str:
        """The user without password and escapes: `j%40son:secret` is `j@son`. A NUL stays a NUL (RFC 4475, 3.1.1.4)."""
        return unescape(self.user.partition(":")[0])

    @property
    def is_loose_router(self) -> bool:
        """Whether the element this URI names routes loosely (RFC 3261, 16.12)."""
        return "lr" in self.parameters

    @property
    def address(self) -> Address:
        """Where a request to this URI goes, host as written: names are for the owner to resolve (RFC 3263).

        Port 0: a name without a port, which is part of what is to be found out.
        """
        secure = self.scheme == "sips"
        transport = self.parameters.get("transport", "").lower() or "udp"
        if secure:
            transport = "tls"
        host = self.parameters.get("maddr") or self.host
        return Address(host, self.port or (default_port(transport) if family_of(host) else 0), transport)

    @property
    def next_hop(self) -> NextHop:
        """Where to look for the addresses of this URI: what it says, and what it leaves open (RFC 3263, 4)."""
        transport = self.parameters.get("transport", "").lower()
        return NextHop(self.parameters.get("maddr") or self.host, self.port, transport, self.scheme == "sips")


class NameAddress(NamedTuple):
    """The value of From, To, Contact, Route: display name (without quotes), URI as written, header parameters."""

    name: str
    uri: str
    parameters: dict[str, str]


def scheme_of(text: str) -> str:
    """The scheme of a URI in lower case. ProtocolError: there is none."""
    scheme, colon, _ = text.partition(":")
    if not colon or not scheme or scheme.strip(SCHEME) or not scheme[0].isalpha():
        raise ProtocolError("a URI has no scheme")
    return scheme.lower()


@lru_cache(maxsize=KNOWN_MAX)
def parse_uri(text: str) -> Uri:
    """A sip: or sips: URI, not to be changed. ProtocolError: malformed (400), or of another scheme (416, RFC 3261, 21.4.14)."""
    scheme = scheme_of(text)
    if scheme not in ("sip", "sips"):
        raise ProtocolError("a URI is neither sip nor sips", 416)
    rest = text[len(scheme) + 1 :]
    if rest.strip(URI_CHARACTERS):
        raise ProtocolError("a URI has a character that no URI has")
    user, at, host_part = rest.partition("@")
    if not at:
        user, host_part = "", rest
    elif not user or "@" in host_part:
        raise ProtocolError("the user part of a URI is malformed")
    host_part, _, headers = host_part.partition("?")
    host_port, semicolon, parameters_text = host_part.partition(";")
    host, port = parse_host_port(host_port)
    # %6C%72 is lr (RFC 3261, 19.1.4); what an escape hides is never structure, so it is undone after the cutting.
    parameters = {}
    if semicolon:
        for name, value in parse_parameters(parameters_text).items():
            if "%" in name:
                name = unescape(name).lower()
                if not name or name.strip(TOKEN):
                    raise ProtocolError("a URI parameter has no proper name")
            parameters[name] = value
    return Uri(scheme, user, host, port, parameters, headers)


@lru_cache(maxsize=KNOWN_MAX)
def parse_name_address(value: str) -> NameAddress:
    """`"Bob" <sip:bob@example.com>;tag=x`, or the form without brackets whose parameters are the header's (RFC 3261, 20).

    Not to be changed: all messages of a dialog name the same parties, which are taken apart once.

    ProtocolError: a bracket or quote not closed, a display name that needed quotes, no scheme, "?" or "," without brackets.
    """
    if value[:1] == '"':
        end = end_of_quoted(value)
        name = unquote(value[:end])
        blank, bracket, rest = value[end:].partition("<")
        if not bracket or blank.strip(BLANK):
            raise ProtocolError("a display name has no URI in angle brackets")
    else:
        name, bracket, rest = value.partition("<")
        if name and bracket:
            name = name.rstrip()
            if name.strip(DISPLAY_NAME):
                raise ProtocolError("a display name should have been quoted")
    if bracket:
        uri, bracket, tail = rest.partition(">")
        if not bracket:
            raise ProtocolError("an angle bracket is not closed")
        tail = tail.lstrip()
        if tail and tail[0] != ";":
            raise ProtocolError("something follows a URI that is no parameter")
        parameters_text = tail[1:]
        has_parameters = bool(tail)
    else:
        uri, semicolon, parameters_text = value.partition(";")
        name, uri, has_parameters = "", uri.rstrip(), bool(semicolon)
        if "?" in uri or "," in uri:
            raise ProtocolError("a URI should have been in angle brackets")
    if not uri or " " in uri or "\t" in uri or "<" in uri or '"' in uri:
        raise ProtocolError("a URI is malformed")
    if uri[:4] != "sip:":
        scheme_of(uri)
    return NameAddress(name, uri, parse_parameters(parameters_text) if has_parameters else {})
