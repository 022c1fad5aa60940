"""Dialogs (RFC 3261, 12): what two ends have agreed to call their call, and how a request travels inside it.

A dialog can be written down as JSON text and taken up by another process. It knows no transaction and no call state.
"""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from webcb.sip.events import Address
from webcb.sip.grammar import ProtocolError, split_outside_quotes
from webcb.sip.message import Fields, Request, Response
from webcb.sip.uri import Uri, parse_name_address, parse_uri

ROUTES_MAX: Final = 32
SOURCES_MAX: Final = 8
LITERALS_KNOWN_MAX: Final = 4096
DIALOG_FORMAT: Final = 1
_print_json: Final = json.JSONEncoder(separators=(",", ":")).encode
# What a process that died may have sent after it last wrote the dialog down; a gap in CSeq is allowed (RFC 3261, 12.2.1.1).
ADOPTION_CSEQ_GAP: Final = 16


@dataclass(slots=True)
class Dialog:
    """One dialog, seen from our side: `local` is us, `remote` the peer.

    `local` and `remote` are From and To as our requests carry them, tags included. `routes` are URIs in the order a request of
    ours passes them. `invite_cseq` is the number of the INVITE that was answered: its ACK has the same.
    `sources` are the hosts that its answers came from. `session_seconds`, `is_refresher` and `may_update` are what was agreed on
    its session timer: 0 for none, whether we refresh, whether by UPDATE (RFC 4028). `is_written`: the owner keeps it written
    down, and is told when it moves.
    """

    call_id: str
    local: str
    remote: str
    local_tag: str
    remote_tag: str
    target: str
    contact: str
    routes: list[str]
    local_cseq: int
    invite_cseq: int
    next_hop: Address  # where a request goes whose target is no SIP URI we can read
    remote_cseq: int | None = None
    sources: list[str] = field(default_factory=list)
    session_seconds: int = 0
    is_refresher: bool = False
    may_update: bool = False
    is_written: bool = False

    def take_target(self, contact: str) -> None:
        """The peer's Contact, from a request or response that refreshes the target (RFC 3261, 12.2); unreadable, it is left."""
        target = read_target(contact)
        if target:
            self.target = target

    def note_source(self, host: str) -> None:
        """An answer to the INVITE came from this host."""
        if host and host not in self.sources and len(self.sources) < SOURCES_MAX:
            self.sources.append(host)

    def may_come_from(self, host: str) -> bool:
        """Whether the peer's requests can come from this host: one that answered the INVITE, or a hop of ours on the way back.

        Where the hop next to us is a name, any host may be behind it, and the tags alone have to tell.
        """
        hops = [uri.address.host for uri in map(_read_uri, [*self.routes, self.target]) if uri]
        if not hops or _literal(hops[0]) is None:
            return True
        return _literal(host) in {_literal(known) for known in (*hops, *self.sources, self.next_hop.host)}

    def next_cseq(self) -> int:
        """The number of our next request; never one used before."""
        self.local_cseq += 1
        return self.local_cseq

    def request(self, method: str, cseq: int, fields: Fields, body: bytes = b"") -> tuple[Request, Address]:
        """A request inside the dialog and where it goes (RFC 3261, 12.2.1.1): to the first route, else to the target.

        A first route without lr is a strict router: it becomes the Request-URI and the target goes last (16.12.1.2).
        `fields` come after what the dialog itself writes; Via is still missing: see `Session`.
        """
        uri, routes = self.target, self.routes
        hop = _read_uri(routes[0]) if routes else None
        if hop and not hop.is_loose_router:
            uri, routes = routes[0], [*routes[1:], self.target]
        hop = hop or _read_uri(self.target)
        own: Fields = {
            "Via": [],
            "Max-Forwards": ["70"],
            "From": [self.local],
            "To": [self.remote],
            "Call-ID": [self.call_id],
            "CSeq": [f"{cseq} {method}"],
        }
        if routes:
            own["Route"] = [f"<{route}>" for route in routes]
        return Request(method, uri, own | fields, body), hop.address if hop else self.next_hop

    def print(self) -> str:
        """The dialog as JSON text, for `read_dialog`."""
        written = {name: getattr(self, name) for name in self.__slots__}
        hop = {name: getattr(self.next_hop, name) for name in self.next_hop.__slots__}
        return _print_json({"format": DIALOG_FORMAT} | written | {"next_hop": hop})


def dialog_of_answer(invite: Request, response: Response, contact: str, next_hop: Address) -> Dialog:
    """The dialog that an answer with a To tag makes on the caller's side (RFC 3261, 12.1.2 and 13.2.2.4).

    What a peer garbled is done without: an unreadable Contact leaves the Request-URI as target, an unreadable Record-Route
    no routes; a call that was answered can be ended that way, and dropping the answer would leave it up.
    """
    try:
        routes = [parse_name_address(value).uri for value in reversed(response.values("Record-Route"))]
        for route in routes:
            parse_uri(route)
    except ProtocolError:
        routes = []
    return Dialog(
        call_id=invite.call_id,
        local=invite.first("From"),
        remote=response.first("To"),
        local_tag=invite.from_tag,
        remote_tag=response.to_tag,
        target=read_target(response.first("Contact")) or invite.uri,
        contact=contact,
        routes=routes[:ROUTES_MAX],
        local_cseq=invite.cseq,
        invite_cseq=invite.cseq,
        next_hop=next_hop,
    )


def read_dialog(text: str) -> Dialog:
    """What `Dialog.print` wrote, taken up by another process: its next CSeq leaves a gap for what the first one still sent.

    ValueError: the text is no dialog of this format.
    """
    written: dict[str, Any] = json.loads(text)
    if not isinstance(written, dict) or written.pop("format", None) != DIALOG_FORMAT:
        raise ValueError(f"not a dialog of format {DIALOG_FORMAT}")
    try:
        dialog = Dialog(**{**written, "next_hop": Address(**written["next_hop"])})
    except (KeyError, TypeError) as wrong:
        raise ValueError(f"not a dialog of format {DIALOG_FORMAT}: {wrong}") from None
    dialog.local_cseq += ADOPTION_CSEQ_GAP
    return dialog


def read_target(contact: str) -> str:
    """The URI of a Contact value that requests can go to, "" where there is none."""
    try:
        uri = parse_name_address(split_outside_quotes(contact, ",")[0]).uri
        parse_uri(uri)
    except ProtocolError:
        return ""
    return uri


@lru_cache(maxsize=LITERALS_KNOWN_MAX)
def _literal(host: str) -> str | None:
    """An address in its one spelling, None for a name."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _read_uri(text: str) -> Uri | None:
    try:
        return parse_uri(text)
    except ProtocolError:
        return None
