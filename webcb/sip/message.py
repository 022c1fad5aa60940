"""SIP messages: reading what came, printing what goes (RFC 3261, 7, 8.1.1 and 20). No state, no answers: see `useragent`.

`split_message` cuts a datagram into start line, header fields and body. `read_message` then checks what every element must
be able to rely on (Via, From, To, Call-ID, CSeq, Content-Length) and keeps it on the message.
"""

from typing import Final, NamedTuple

from webcb.sip.grammar import (
    BLANK,
    TOKEN,
    ProtocolError,
    is_token,
    parse_host_port,
    parse_number,
    parse_parameters,
    print_host_port,
    print_parameters,
    split_outside_quotes,
)
from webcb.sip.uri import NameAddress, parse_name_address

MESSAGE_BYTES_MAX: Final = 65_535
HEADERS_MAX: Final = 256
CSEQ_MAX: Final = 2**31 - 1  # RFC 3261, 8.1.1.5
MAGIC_COOKIE: Final = "z9hG4bK"  # RFC 3261, 8.1.1.7
VERSION: Final = "SIP/2.0"

# Compact forms (RFC 3261, 7.3.3 and the registrations since).
_COMPACT: Final = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "e": "Content-Encoding", "f": "From",
    "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length", "m": "Contact",
    "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires",
}  # fmt: skip
_NAMES: Final = (
    "Accept", "Alert-Info", "Allow", "Authorization", "Authentication-Info", "CSeq", "Content-Disposition", "Date",
    "Diversion", "Error-Info", "Expires", "Info-Package", "MIME-Version", "Max-Forwards", "Min-SE", "Min-Expires",
    "Organization",
    "P-Asserted-Identity", "P-Preferred-Identity", "Privacy", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require",
    "RAck", "RSeq", "Reason", "Record-Route", "Recv-Info", "Remote-Party-ID", "Require", "Retry-After", "Route", "Server",
    "Service-Route", "Timestamp", "Unsupported", "User-Agent", "WWW-Authenticate", "Warning", *_COMPACT.values(),
)  # fmt: skip
# As it is usually written first, so that the usual spelling costs one look-up.
CANONICAL: Final[dict[str, str]] = {name: name for name in _NAMES} | {name.lower(): name for name in _NAMES} | _COMPACT

# Headers of which a second one makes the message mean two things (RFC 4475, 3.3.8 and 3.3.9).
SINGLE: Final = ("Call-ID", "From", "To", "CSeq", "Content-Length", "Max-Forwards", "Content-Type")

Fields = dict[str, list[str]]


class Via(NamedTuple):
    """One Via value: transport in capitals, sent-by, parameters (RFC 3261, 20.42)."""

    transport: str
    host: str
    port: int | None
    parameters: dict[str, str]

    @property
    def branch(self) -> str:
        """The branch, "" where an old peer gave none."""
        return self.parameters.get("branch", "")

    def __str__(self) -> str:
        return f"{VERSION}/{self.transport} {print_host_port(self.host, self.port)}{print_parameters(self.parameters)}"


class Message:
    """What requests and responses share: header fields by canonical name, in order, and the body.

    `source` is the host a message came from, "" for one of ours.
    The attributes from `via` on are there after `read_message` or `check` only.
    """

    __slots__ = (
        "body",
        "call_id",
        "cseq",
        "cseq_method",
        "fields",
        "from_",
        "from_tag",
        "source",
        "to",
        "to_tag",
        "via",
    )

    via: Via
    call_id: str
    cseq: int
    cseq_method: str
    from_: NameAddress
    from_tag: str
    to: NameAddress
    to_tag: str

    def __init__(self, fields: Fields, body: bytes = b"") -> None:
        self.fields = fields
        self.body = body
        self.source = ""

    @property
    def start_line(self) -> str:
        """The first line, without its end."""
        raise NotImplementedError

    def first(self, name: str) -> str:
        """The first value of a header by its canonical name, "" where there is none."""
        values = self.fields.get(name)
        return values[0] if values else ""

    def values(self, name: str) -> list[str]:
        """Every value of a header whose lines may hold comma-separated lists, in order (RFC 3261, 7.3.1)."""
        lines = self.fields.get(name, ())
        return [value for line in lines for value in split_outside_quotes(line, ",") if value]

    def encode(self) -> bytes:
        """The message as it goes out; Content-Length is written here and nowhere else."""
        fields = self.fields
        lines = [f"{name}: {value}" for name in fields if name != "Content-Length" for value in fields[name]]
        head = "\r\n".join([self.start_line, *lines, f"Content-Length: {len(self.body)}\r\n\r\n"])
        return head.encode("utf-8", "surrogateescape") + self.body

    def check(self) -> None:
        """Read what everything else relies on, and cut the body as Content-Length says. ProtocolError: it cannot be relied on."""
        fields = self.fields
        for name in SINGLE:
            if name in fields and len(fields[name]) > 1:
                raise ProtocolError(f"{name} comes more than once")
        self.via = top_via(self)
        if self.via.branch == MAGIC_COOKIE:
            raise ProtocolError("a branch is the magic cookie and nothing else")  # RFC 4475, 3.2.1
        self.call_id = _required(self, "Call-ID")
        number, _, method = _required(self, "CSeq").partition(" ")
        self.cseq = parse_number(number, CSEQ_MAX, "CSeq")
        self.cseq_method = method.strip(BLANK)
        if not is_token(self.cseq_method):
            raise ProtocolError("CSeq has no method")
        self.from_ = parse_name_address(_required(self, "From"))
        self.from_tag = self.from_.parameters.get("tag", "")
        self.to = parse_name_address(_required(self, "To"))
        self.to_tag = self.to.parameters.get("tag", "")
        if "Content-Length" in fields:
            body_bytes = parse_number(fields["Content-Length"][0], MESSAGE_BYTES_MAX, "Content-Length")
            # In a datagram, more is cut off and less is an error (RFC 3261, 18.3).
            if body_bytes > len(self.body):
                raise ProtocolError("the body is shorter than Content-Length says")
            if body_bytes < len(self.body):
                self.body = self.body[:body_bytes]


class Request(Message):
    """A request: method and Request-URI as written."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: str, fields: Fields, body: bytes = b"") -> None:
        super().__init__(fields, body)
        self.method = method
        self.uri = uri

    @property
    def start_line(self) -> str:
        """`INVITE sip:bob@example.com SIP/2.0`."""
        return f"{self.method} {self.uri} {VERSION}"

    def check(self) -> None:
        """As every message; and the method of CSeq is the request's (RFC 3261, 8.1.1.5), the URI is one word."""
        super().check()
        if self.cseq_method != self.method:
            raise ProtocolError("CSeq has another method than the request")
        if not self.uri or " " in self.uri or self.uri[0] == "<":
            raise ProtocolError("the Request-URI is malformed")


class Response(Message):
    """A response: status 100 to 699 and the reason as written."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, fields: Fields, body: bytes = b"") -> None:
        super().__init__(fields, body)
        self.status = status
        self.reason = reason

    @property
    def start_line(self) -> str:
        """`SIP/2.0 180 Ringing`."""
        return f"{VERSION} {self.status} {self.reason}"


class BadMessage(ProtocolError):
    """A message whose fields were legible but cannot be relied on; `message` is what could be read, to answer from."""

    def __init__(self, wrong: ProtocolError, message: Message) -> None:
        super().__init__(str(wrong), wrong.status)
        self.message = message


def split_message(data: bytes) -> Request | Response:
    """Cut a datagram into start line, header fields and body; what the fields mean is not looked at.

    ProtocolError: too long, no SIP start line, a line that is no header, more than HEADERS_MAX lines. Source: RFC 3261, 7.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise ProtocolError("a message is too long", 513)
    if data[:1] in b"\r\n":
        data = data.lstrip(b"\r\n")  # RFC 3261, 7.5
    head_bytes, _, body = data.partition(b"\r\n\r\n")
    # What is not UTF-8 goes through unharmed and comes out again as it came in.
    head = head_bytes.decode("utf-8", "surrogateescape")
    lines = head.split("\r\n")
    if len(lines) > HEADERS_MAX:
        raise ProtocolError(f"more than {HEADERS_MAX} header lines", 513)
    # A lone CR or LF would become a header of its own in whatever element repeats it.
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ProtocolError("a line ends with a lone CR or LF")
    if not lines[-1]:
        lines.pop()  # a head that ends the datagram with one CRLF only
    return _start(lines[0] if lines else "", _read_fields(lines[1:]), body)


def _read_fields(lines: list[str]) -> Fields:
    """The header fields of the lines after the first. ProtocolError: a line that is none."""
    fields: Fields = {}
    canonical = CANONICAL
    key = ""
    for line in lines:
        name, colon, value = line.partition(":")
        try:
            key = canonical[name]
        except KeyError:
            if key and line.startswith((" ", "\t")):  # it continues the line before (RFC 3261, 7.3.1)
                fields[key][-1] = f"{fields[key][-1]} {line.strip()}".strip()
                continue
            key = _canonical_name(name)
        if not colon:
            raise ProtocolError("a header line has no colon")
        if key in fields:
            fields[key].append(value.strip())
        else:
            fields[key] = [value.strip()]
    return fields


def read_message(data: bytes) -> Request | Response:
    """One datagram as a message that can be relied on. ProtocolError, or BadMessage where there is something to answer."""
    message = split_message(data)
    try:
        message.check()
    except ProtocolError as wrong:
        raise BadMessage(wrong, message) from None
    return message


def parse_via(value: str) -> Via:
    """One Via value. ProtocolError: malformed."""
    if value[:8] == "SIP/2.0/":
        rest = value[8:]
    else:  # blanks are allowed around the slashes, and nobody writes them
        name, version, rest = value.split("/", 2) if value.count("/") >= 2 else ("", "", "")
        if name.strip().upper() != "SIP" or version.strip() != "2.0":
            raise ProtocolError("Via is malformed")
    parts = rest.split(None, 1)
    if len(parts) != 2 or parts[0].strip(TOKEN):
        raise ProtocolError("Via is malformed")
    sent_by, semicolon, parameters_text = parts[1].partition(";")
    host, port = parse_host_port(sent_by.strip())
    return Via(parts[0].upper(), host, port, parse_parameters(parameters_text) if semicolon else {})


def top_via(message: Message) -> Via:
    """The first Via value of a message. ProtocolError: there is none, or it is malformed."""
    line = _required(message, "Via")
    return parse_via(split_outside_quotes(line, ",")[0] if "," in line else line)


def _start(line: str, fields: Fields, body: bytes) -> Request | Response:
    """The message a start line begins. A request line that is wrong in its middle can still be answered: see `BadMessage`."""
    first, _, rest = line.partition(" ")
    if first == VERSION or first.upper() == VERSION:
        status, _, reason = rest.partition(" ")
        if len(status) != 3 or not "100" <= status <= "699" or status.strip("0123456789"):
            raise ProtocolError("a status is not 100 to 699")
        return Response(int(status), reason, fields, body)
    uri, _, version = rest.rpartition(" ")
    if not is_token(first):
        raise ProtocolError("a start line is neither of a request nor of a response")
    if version != VERSION and version.upper() != VERSION:
        wrong = ProtocolError("the version is not SIP/2.0", 505 if version[:4].upper() == "SIP/" else 400)
        raise BadMessage(wrong, Request(first, uri, fields, body))
    return Request(first, uri, fields, body)


def _required(message: Message, name: str) -> str:
    value = message.first(name)
    if not value:
        raise ProtocolError(f"{name} is missing")
    return value


def _canonical_name(name: str) -> str:
    """A header name as everybody writes it; one that is not known, in small letters. ProtocolError: no name at all."""
    small = name.rstrip(BLANK).lower()
    if not small or small.strip(TOKEN):
        raise ProtocolError("a header name is malformed")
    return CANONICAL.get(small, small)
