"""Where the requests of a dialog may come from: one with Call-ID and tags overheard, from anywhere else, does nothing."""

import pytest

from tests.sip.test_dialog_ladder import up
from tests.sip.wire import PEER, SDP, Wire, response_to
from webcb.sip.events import Address, Cause, Closed, HungUp

STRANGER = Address("203.0.113.66", 5060)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO"])
def test_request_from_a_foreign_source_does_nothing(method):
    """Call-ID and both tags were overheard."""
    wire, session = up()
    request = wire.build(method, wire.last("INVITE"), sdp=SDP if method in ("INVITE", "UPDATE") else b"", cseq=900)
    wire.deliver(request.encode(), STRANGER)
    wire.expect(f"<- {method}", "481 ->")
    assert wire.events() == []
    wire.ask("BYE", wire.last("INVITE"), cseq=7)  # nor was the foreign CSeq believed
    wire.expect("<- BYE", "200 ->")
    assert wire.events() == [HungUp(session, Cause(0, 16, "")), Closed(session)]


@pytest.mark.parametrize(
    ("headers", "source", "known"),
    [
        ({"Contact": "<sip:gw@10.0.0.9>"}, "10.0.0.9", True),
        ({"Contact": "<sip:gw@10.0.0.9>"}, "10.0.0.10", False),
        ({"Contact": "<sip:gw@10.0.0.9>"}, PEER.host, True),  # whence the answer came: behind a translator
        ({"Contact": "<sip:gw@10.0.0.9>", "Record_Route": "<sip:10.0.0.20;lr>"}, "10.0.0.20", True),
        ({"Contact": "<sip:gw@10.0.0.9>", "Record_Route": "<sip:10.0.0.20;lr>"}, "10.0.0.21", False),
        ({"Contact": "<sip:gw@10.0.0.9>", "Record_Route": "<sip:proxy.example;lr>"}, "10.0.0.21", True),  # who knows
        ({"Contact": "<sip:gw@gw.example>"}, "10.0.0.21", True),
        ({"Contact": "<sip:gw@[2001:DB8::0:1]>"}, "2001:db8::1", True),
        ({"Contact": "<sip:gw@[2001:db8::1]>"}, "2001:db8::2", False),
        ({"Contact": "<sip:gw@10.0.0.9>"}, "::ffff:10.0.0.9", True),
    ],
)
def test_where_the_requests_of_a_peer_come_from(headers, source, known):
    wire, _ = up(**headers)
    wire.deliver(wire.build("BYE", wire.last("INVITE")).encode(), Address(source, 5099))
    wire.expect("<- BYE", "200 ->" if known else "481 ->")


def test_requests_may_come_from_where_the_answers_came_from():
    """The INVITE went to one of the peer's hosts, and another, whose Contact names neither, has answered."""
    for status in (180, 200):
        wire = Wire()
        wire.invite()
        invite = wire.last("INVITE")
        contact = {"Contact": "<sip:gw@10.0.0.9>"}
        wire.deliver(response_to(invite, status, sdp=SDP, **contact), STRANGER)
        if status == 180:
            wire.answer(200, to=invite, sdp=SDP, **contact)
        wire.forget()
        wire.deliver(wire.build("BYE", invite).encode(), STRANGER)
        wire.expect("<- BYE", "200 ->")


def test_adopted_dialog_knows_where_its_peer_is():
    wire, session = up(Contact="<sip:gw@10.0.0.9>")
    other = Wire(seed=2)
    other.us.adopt(wire.us.dialog(session), other.now)
    bye = wire.build("BYE", wire.last("INVITE")).encode()
    other.deliver(bye, STRANGER)
    other.deliver(bye.replace(b"z9hG4bK", b"z9hG4bKx"), PEER)
    other.expect("<- BYE", "481 ->", "<- BYE", "200 ->")
