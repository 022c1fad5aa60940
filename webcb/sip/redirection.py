"""Where a 3xx points to (RFC 3261, 8.1.3.4 and 21.3): its Contacts in the order of their q. Whether to go there is not decided here."""

from typing import Final

from webcb.sip.grammar import ProtocolError
from webcb.sip.message import Response
from webcb.sip.uri import parse_name_address, parse_uri

TARGETS_MAX: Final = 8


def read_targets(response: Response) -> tuple[str, ...]:
    """The URIs of a 3xx that an INVITE can go to, best first, TARGETS_MAX at most; none of any other response.

    What is malformed, of another scheme than sip, or would put headers of the peer's into our request is left out.
    """
    if not 300 <= response.status < 400:
        return ()
    try:
        contacts = response.values("Contact")
    except ProtocolError:
        return ()
    found: list[tuple[float, str]] = []
    for contact in contacts[:TARGETS_MAX]:
        try:
            address = parse_name_address(contact)
            if not parse_uri(address.uri).headers:
                found.append((_preference(address.parameters.get("q", "")), address.uri))
        except ProtocolError:
            continue
    found.sort(key=lambda each: -each[0])  # stable: equals stay in their order
    return tuple(uri for _, uri in found)


def is_same_number_elsewhere(target: str, uri: str) -> bool:
    """Whether `target` is the number of `uri` at another host or port over the same transport. ProtocolError: neither is parsed."""
    there, here = parse_uri(target), parse_uri(uri)
    if there.user.removeprefix("+") != here.user.removeprefix("+") or there.address.transport != here.address.transport:
        return False
    return (there.address.host.lower(), there.address.port) != (here.address.host.lower(), here.address.port)


def _preference(q: str) -> float:
    """0 to 1; what is missing or malformed is 1 (RFC 3261, 20.10)."""
    if len(q) > 5 or q.count(".") > 1 or not q.strip(".") or q.strip("0123456789."):
        return 1.0
    return float(q)
