"""Asking a peer whether it is there: one OPTIONS outside any dialog (RFC 3261, 11). What follows from the answer is the owner's."""

from webcb.sip.causes import cause_of_response, printable
from webcb.sip.events import Address, Cause, Closed, Probed, SessionId
from webcb.sip.message import Fields, Request, Response
from webcb.sip.stack import CALL_ID_BYTES, TAG_BYTES, Stack
from webcb.sip.transaction import ClientTransaction
from webcb.sip.uri import parse_uri


class Probe:
    """One question, told as `Probed` and `Closed`. A challenge is an answer like any other: who asks for a password is there."""

    __slots__ = ("_id", "_stack")

    def __init__(self, stack: Stack, number: SessionId) -> None:
        self._id = number
        self._stack = stack

    def send(self, uri: str, next_hop: Address, now: float) -> None:
        """Send the OPTIONS. ValueError: `uri` is no SIP URI."""
        parse_uri(uri)
        contact = self._stack.contact("", next_hop.transport)
        tag = self._stack.token(TAG_BYTES)
        fields: Fields = {
            "Via": [],
            "Max-Forwards": ["70"],
            "From": [f"{contact};tag={tag}"],
            "To": [f"<{uri}>"],
            "Call-ID": [self._stack.token(CALL_ID_BYTES)],
            "CSeq": ["1 OPTIONS"],
            "Contact": [contact],
            "Accept": ["application/sdp"],
        }
        request = self._stack.seal(Request("OPTIONS", uri, fields), next_hop.transport)
        request.from_tag = tag
        self._stack.layer.request(request, next_hop, self, now)

    def on_response(self, _transaction: ClientTransaction, response: Response, _now: float) -> None:
        """A final answer."""
        self._tell(cause_of_response(response))

    def on_silence(self, transaction: ClientTransaction, status: int, _now: float) -> None:
        """None will come."""
        self._tell(Cause(status, 41, printable(transaction.trouble or "no answer")))

    def _tell(self, cause: Cause) -> None:
        self._stack.tell(Probed(self._id, cause))
        self._stack.tell(Closed(self._id))
