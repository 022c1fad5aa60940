"""An INVITE that waits for its answer, written down so that another process can take it back (RFC 3261, 9.1).

What a CANCEL has to repeat is here, and what the ACK and BYE of a late 2xx need. The body is not: it is never sent again.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from webcb.sip.events import Address
from webcb.sip.grammar import ProtocolError
from webcb.sip.message import Request, read_message
from webcb.sip.transaction import DATAGRAM_REQUEST_BYTES_MAX

INVITE_FORMAT: Final = 1
_BODY: Final = frozenset({"Content-Type", "Content-Length"})


@dataclass(frozen=True, slots=True)
class PendingInvite:
    """An INVITE on its way: the request without its body, where it went, and what its dialog would have of ours."""

    request: Request
    address: Address
    next_hop: Address
    contact: str

    @property
    def local_tag(self) -> str:
        """Our tag."""
        return self.request.from_tag


def print_invite(invite: Request, next_hop: Address, contact: str) -> str:
    """An INVITE that is about to be sent, as JSON text for `read_invite`."""
    is_long = next_hop.transport == "udp" and len(invite.encode()) > DATAGRAM_REQUEST_BYTES_MAX
    written = {
        "format": INVITE_FORMAT,
        "uri": invite.uri,
        "fields": {name: values for name, values in invite.fields.items() if name not in _BODY},
        "transport": "tcp" if is_long else next_hop.transport,  # RFC 3261, 18.1.1
        "next_hop": {name: getattr(next_hop, name) for name in next_hop.__slots__},
        "contact": contact,
    }
    return json.dumps(written, separators=(",", ":"))


def read_invite(text: str) -> PendingInvite:
    """What `print_invite` wrote. ValueError: the text is no INVITE of this format."""
    written: dict[str, Any] = json.loads(text)
    if not isinstance(written, dict) or written.get("format") != INVITE_FORMAT:
        raise ValueError(f"not an INVITE of format {INVITE_FORMAT}")
    try:
        request = read_message(Request("INVITE", written["uri"], written["fields"]).encode())
        next_hop = Address(**written["next_hop"])
        address = Address(next_hop.host, next_hop.port, written["transport"])
        contact = str(written["contact"])
    except (KeyError, TypeError, AttributeError, ProtocolError) as wrong:
        raise ValueError(f"not an INVITE of format {INVITE_FORMAT}: {wrong}") from None
    if not isinstance(request, Request):
        raise ValueError(f"not an INVITE of format {INVITE_FORMAT}")
    return PendingInvite(request, address, next_hop, contact)
