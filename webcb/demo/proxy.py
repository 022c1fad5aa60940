"""Passing calls on to a softphone: a stateless proxy (RFC 3261, 16.11), for requests outside dialogs.

It does not record itself into the route, so what comes after the answer goes between the two ends directly.
"""

import hmac
from dataclasses import dataclass

from webcb.sip.events import Address
from webcb.sip.message import MAGIC_COOKIE, Request, Response, Via, parse_via

BRANCH_DIGITS = 24


@dataclass(frozen=True)
class Softphone:
    """A real phone that stands in for a number: its URI as given, and the address that resolved to."""

    number: str
    uri: str
    address: Address


@dataclass(frozen=True)
class Proxy:
    """Forwards without memory: everything needed to bring the answer back stands in the Via headers."""

    own: Address
    secret: bytes

    def forward(self, request: Request, softphone: Softphone) -> Request | None:
        """The request as it goes on, aimed at the softphone; None where it has been through too many hands."""
        hops = request.first("Max-Forwards") or "70"
        if not hops.isdecimal() or int(hops) == 0:
            return None
        via = Via("UDP", self.own.host, self.own.port, {"branch": self._branch(request.via), "rport": ""})
        fields = dict(request.fields)
        fields["Via"] = [str(via), *fields["Via"]]
        fields["Max-Forwards"] = [str(int(hops) - 1)]
        return Request(request.method, softphone.uri, fields, request.body)

    def send_back(self, response: Response) -> tuple[Response, Address] | None:
        """The answer without our Via, and whom it goes to; None where the request never came through here."""
        vias = response.values("Via")
        if len(vias) < 2:
            return None
        asker = parse_via(vias[1])
        # Anybody could write a Via; only what we signed is sent on, so nobody is made to receive what he did not ask for.
        if not hmac.compare_digest(response.via.branch.encode(), self._branch(asker).encode()):
            return None
        port = asker.parameters.get("rport", "")
        host = asker.parameters.get("received", asker.host)
        address = Address(host, int(port) if port.isdecimal() else asker.port or 5060)
        fields = dict(response.fields)
        fields["Via"] = vias[1:]
        return Response(response.status, response.reason, fields, response.body), address

    def _branch(self, asker: Via) -> str:
        # One of the request's own branch alone, so that an ACK or CANCEL gets the branch of its INVITE.
        text = f"{asker.branch} {asker.host}:{asker.port}"
        return MAGIC_COOKIE + hmac.digest(self.secret, text.encode(), "sha256").hex()[:BRANCH_DIGITS]
