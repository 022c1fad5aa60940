"""Session descriptions: reading and printing (RFC 8866). What an offer or an answer may say is `offer_answer`'s."""

from dataclasses import dataclass, field
from typing import Final

from webcb.sip.grammar import PORT_MAX, ProtocolError, is_token, parse_number

SDP_BYTES_MAX: Final = 16_384
LINES_MAX: Final = 512
MEDIA_MAX: Final = 16
FORMATS_MAX: Final = 64

Attributes = list[tuple[str, str]]


@dataclass(slots=True)
class Media:
    """One m= section: kind ("audio"), port (0: refused), protocol, formats, its c= host ("" where the session's holds) and a= lines."""

    kind: str
    port: int
    protocol: str
    formats: list[str]
    host: str = ""
    attributes: Attributes = field(default_factory=list)

    def first(self, name: str) -> str | None:
        """The first value of an attribute, "" for a flag, None where it is missing."""
        return next((value for known, value in self.attributes if known == name), None)

    def values(self, name: str) -> list[str]:
        """Every value of an attribute, in order."""
        return [value for known, value in self.attributes if known == name]


@dataclass(slots=True)
class Description:
    """A session description: o= without its host, the session's c= host ("" where only the media have one), t= lines, a= lines."""

    username: str
    session_id: str
    version: str
    host: str
    times: list[str] = field(default_factory=lambda: ["0 0"])
    name: str = "-"
    attributes: Attributes = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    origin_host: str = ""

    def host_of(self, media: Media) -> str:
        """The c= that holds for a media section (RFC 8866, 5.7)."""
        return media.host or self.host

    def attribute(self, media: Media, name: str) -> str | None:
        """An attribute of a media section, or the session's where the section has none."""
        found = media.first(name)
        if found is None:
            return next((value for known, value in self.attributes if known == name), None)
        return found

    def encode(self) -> bytes:
        """The description as it goes out, lines in the order of RFC 8866, 5."""
        origin = _print_host(self.origin_host or self.host)
        lines = ["v=0", f"o={self.username} {self.session_id} {self.version} {origin}", f"s={self.name}"]
        if self.host:
            lines.append(f"c={_print_host(self.host)}")
        lines += [f"t={time}" for time in self.times]
        lines += [_print_attribute(*attribute) for attribute in self.attributes]
        for media in self.media:
            lines.append(f"m={media.kind} {media.port} {media.protocol} {' '.join(media.formats)}")
            if media.host:
                lines.append(f"c={_print_host(media.host)}")
            lines += [_print_attribute(*attribute) for attribute in media.attributes]
        return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


def parse_sdp(data: bytes) -> Description:
    """Read a session description; lines we have no use for (i=, b=, k=, r= ...) are passed over.

    ProtocolError (488): too long, not type=value, no v=0 or o=, a media line that is malformed, media without c=.
    """
    session, *sections = _split(data)
    if session[0] != ("v", "0"):
        raise ProtocolError("a session description does not begin with v=0", 488)
    of_session = dict(session)
    origin = of_session.get("o", "").split(" ")
    if len(origin) != 6:
        raise ProtocolError("a session description lacks o=", 488)
    description = Description(
        username=origin[0],
        session_id=origin[1],
        version=origin[2],
        host=_parse_host(of_session["c"].split(" ")) if "c" in of_session else "",
        times=[value for kind, value in session if kind == "t"] or ["0 0"],
        name=of_session.get("s") or "-",
        attributes=_attributes(session),
        media=[_parse_media(section) for section in sections],
        origin_host=_parse_host(origin[3:]),
    )
    for media in description.media:
        if media.port and not description.host_of(media):
            raise ProtocolError("a media section has no connection address", 488)
    return description


def _split(data: bytes) -> list[list[tuple[str, str]]]:
    """The lines as (type, value): those of the session, then those of each media section."""
    if len(data) > SDP_BYTES_MAX:
        raise ProtocolError("a session description is too long", 488)
    # A lone LF is common and harmless here (RFC 8866, 5).
    lines = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > LINES_MAX:
        raise ProtocolError(f"more than {LINES_MAX} lines in a session description", 488)
    sections: list[list[tuple[str, str]]] = [[]]
    for line in lines:
        kind, equals, value = line[:1], line[1:2], line[2:]
        if equals != "=" or not kind.isalpha() or "\r" in value or "\0" in value:
            raise ProtocolError("a line of a session description is not type=value", 488)
        if kind == "m":
            sections.append([])
        sections[-1].append((kind, value))
    if len(sections) > MEDIA_MAX + 1 or not sections[0]:
        raise ProtocolError(f"no session, or more than {MEDIA_MAX} media sections", 488)
    return sections


def _attributes(section: list[tuple[str, str]]) -> Attributes:
    split = [value.partition(":") for kind, value in section if kind == "a"]
    return [(name, value) for name, _, value in split]


def _parse_media(section: list[tuple[str, str]]) -> Media:
    parts = section[0][1].split()
    if len(parts) < 4 or len(parts) > 3 + FORMATS_MAX or not is_token(parts[0]):
        raise ProtocolError("a media line is malformed", 488)
    port = parse_number(parts[1].partition("/")[0], PORT_MAX, "a media port")  # several ports are for layered coding
    hosts = [value for kind, value in section if kind == "c"]  # several are for multicast: the first
    host = _parse_host(hosts[0].split(" ")) if hosts else ""
    return Media(parts[0], port, parts[2], parts[3:], host, _attributes(section))


def _parse_host(parts: list[str]) -> str:
    """The host of `IN IP4 host`; a multicast host loses its TTL."""
    if len(parts) != 3 or parts[0] != "IN" or parts[1] not in ("IP4", "IP6") or not parts[2]:
        raise ProtocolError("a connection address is malformed", 488)
    return parts[2].partition("/")[0]


def _print_host(host: str) -> str:
    return f"IN {'IP6' if ':' in host else 'IP4'} {host}"


def _print_attribute(name: str, value: str) -> str:
    return f"a={name}:{value}" if value else f"a={name}"
