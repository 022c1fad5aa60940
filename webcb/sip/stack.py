"""What every session of one user agent shares: who we are, the transactions, the way to the owner; and the answers we write.

No rule about when to answer what: see `admission` (outside dialogs) and `session`, `negotiation` (inside).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from webcb.sip.events import Address, Event
from webcb.sip.grammar import ProtocolError, print_host_port, split_outside_quotes
from webcb.sip.message import MAGIC_COOKIE, Fields, Message, Request, Response, Via
from webcb.sip.transaction import TransactionLayer
from webcb.sip.uri import parse_name_address

TAG_BYTES: Final = 6
BRANCH_BYTES: Final = 9
CALL_ID_BYTES: Final = 12
ALLOW: Final = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"
SUPPORTED: Final = "100rel, timer"
SDP: Final = "application/sdp"

# The statuses we give ourselves (RFC 3261, 21).
REASONS: Final = {
    100: "Trying", 200: "OK", 400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed", 406: "Not Acceptable",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
    422: "Session Interval Too Small", 469: "Bad Info Package",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 487: "Request Terminated", 488: "Not Acceptable Here",
    491: "Request Pending", 500: "Server Internal Error", 501: "Not Implemented", 505: "Version Not Supported",
    513: "Message Too Large", 603: "Decline",
}  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """Who we are on the wire: product (User-Agent and Server header), the address we advertise, and what strangers who send us
    an INVITE get: 403, or silence."""

    product: str
    contact: Address
    strangers: Literal["403", "silent"] = "403"


@dataclass(frozen=True, slots=True)
class Stack:
    """The common ground of all sessions. `entropy(n)` gives n random bytes; `tell` takes an event for the owner.

    `elsewhere` says of an address by name at which nobody answers whether what is sent there from now on goes to another host.
    """

    identity: Identity
    entropy: Callable[[int], bytes]
    layer: TransactionLayer
    tell: Callable[[Event], None]
    elsewhere: Callable[[Address], bool] = lambda _: False

    def token(self, count: int) -> str:
        """`count` bytes that nobody guesses, as hexadecimal digits."""
        return self.entropy(count).hex()

    def via(self, transport: str, branch: str = "") -> Via:
        """Our Via with a branch of its own, asking for the answer to come where the request came from (RFC 3581)."""
        contact = self.identity.contact
        parameters = {"branch": branch or MAGIC_COOKIE + self.token(BRANCH_BYTES), "rport": ""}
        return Via(transport.upper(), contact.host, contact.port, parameters)

    def contact(self, user: str, transport: str = "udp") -> str:
        """Our Contact value: where and over what requests inside a dialog are to come."""
        address = self.identity.contact
        transport = f";transport={transport}" if transport != "udp" else ""
        at = f"{user}@" if user else ""
        return f"<sip:{at}{print_host_port(address.host, address.port)}{transport}>"

    def seal(self, request: Request, transport: str, branch: str = "") -> Request:
        """Put Via and User-Agent on a request of ours and fill in what `Message.check` would have read of it."""
        request.via = self.via(transport, branch)
        request.fields["Via"] = [str(request.via)]
        request.fields["User-Agent"] = [self.identity.product]
        request.call_id = request.first("Call-ID")
        number, _, request.cseq_method = request.first("CSeq").partition(" ")
        request.cseq = int(number)
        return request

    def answer(
        self, request: Request, status: int, fields: Fields | None = None, body: bytes = b"", to_tag: str = ""
    ) -> Response:
        """An answer to a request that came in (RFC 3261, 8.2.6): its To gets a tag where it had none, save in a 100."""
        own: Fields = {
            name: request.fields[name] for name in ("Via", "From", "To", "Call-ID", "CSeq") if name in request.fields
        }
        to = request.first("To")
        if to and status > 100 and not _has_tag(to):
            own["To"] = [f"{to};tag={to_tag or self.token(TAG_BYTES)}"]
        own["Server"] = [self.identity.product]
        return Response(status, REASONS.get(status, "Refused"), own | (fields or {}), body)


def note_source(request: Request, source: Address) -> None:
    """Write onto the topmost Via where the request really came from, and its port where asked for (RFC 3261, 18.2.1; RFC 3581)."""
    via = request.via
    if "rport" in via.parameters:
        via.parameters["rport"] = str(source.port)
    elif via.host == source.host:
        return
    via.parameters["received"] = source.host
    line = request.fields["Via"][0]
    others = split_outside_quotes(line, ",")[1:] if "," in line else []
    request.fields["Via"][0] = ", ".join([str(via), *others])


def body_of_type(message: Message, kind: str) -> bytes:
    """The body if Content-Type is `kind`, else b""."""
    return message.body if message.first("Content-Type").partition(";")[0].strip().lower() == kind else b""


def option_tags(message: Message, header: str) -> frozenset[str]:
    """The words of Require, Supported or Allow in small letters; none where the header is malformed."""
    try:
        return frozenset(tag.lower() for tag in message.values(header))
    except ProtocolError:
        return frozenset()


def _has_tag(to: str) -> bool:
    try:
        return "tag" in parse_name_address(to).parameters
    except ProtocolError:  # the request is answered all the same, by its text
        return ";tag" in to.lower()
