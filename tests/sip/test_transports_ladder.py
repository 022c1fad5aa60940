"""What changes over TCP and TLS, and when a request leaves UDP because it is too long (RFC 3261, 18.1.1)."""

import pytest

from tests.sip.wire import PEER, SDP, Wire
from webcb.sip.events import Address, Answered, Cause, Closed, Failed, Progress, SessionId
from webcb.sip.transaction import DATAGRAM_REQUEST_BYTES_MAX

TCP = Address(PEER.host, PEER.port, "tcp")
TLS = Address("198.51.100.7", 5061, "tls")
LONG = SDP + b"a=x:" + b"y" * 1000 + b"\r\n"


def long_invite(wire: Wire) -> SessionId:
    session = wire.invite(offer=LONG)
    assert len(wire.last("INVITE").encode()) > DATAGRAM_REQUEST_BYTES_MAX
    return session


@pytest.mark.parametrize("hop", [TCP, TLS], ids=lambda hop: hop.transport)
def test_a_reliable_transport_repeats_nothing_and_is_said_in_via_and_contact(hop: Address) -> None:
    wire = Wire()
    session = wire.invite(next_hop=hop)
    invite = wire.last("INVITE")
    assert invite.via.transport == hop.transport.upper()
    assert invite.first("Contact").endswith(f";transport={hop.transport}>")
    assert wire.addresses == [hop]
    wire.pass_seconds(31.99)
    wire.expect("INVITE ->")
    wire.pass_seconds(0.02)
    failed, closed = wire.events()
    assert (failed.cause.status, closed) == (408, Closed(session))


def test_a_bye_over_tcp_goes_to_the_contact_and_ends_at_once_when_answered() -> None:
    wire = Wire()
    session = wire.invite(next_hop=TCP)
    wire.answer(200, sdp=SDP, Contact=f"<sip:peer@{PEER.host}:5080;transport=tcp>")
    wire.hang_up(session)
    assert wire.last("BYE").via.transport == "TCP"
    assert wire.addresses[-1] == Address(PEER.host, 5080, "tcp")
    wire.answer(200, to=wire.last("BYE"))
    assert wire.events()[-1] == Closed(session)
    wire.pass_seconds(32.1)
    assert wire.us.next_deadline() is None


def test_a_long_invite_goes_over_tcp_and_so_does_its_cancel() -> None:
    wire = Wire()
    session = long_invite(wire)
    assert wire.last("INVITE").via.transport == "TCP"
    wire.answer(180)
    wire.hang_up(session)
    assert wire.last("CANCEL").via == wire.last("INVITE").via
    assert wire.addresses == [TCP, TCP]


def test_a_long_invite_goes_in_a_datagram_where_there_is_no_tcp() -> None:
    wire = Wire()
    long_invite(wire)
    over_tcp = wire.last("INVITE")
    wire.us.undeliverable(TCP, wire.now, "connection refused")
    wire.pass_seconds(0.6)
    again = wire.last("INVITE")
    assert wire.addresses == [TCP, PEER, PEER]
    assert again.via.transport == "UDP"
    assert (again.via.branch, again.cseq, again.body) == (over_tcp.via.branch, over_tcp.cseq, over_tcp.body)
    assert wire.events() == []
    wire.us.undeliverable(PEER, wire.now)
    wire.pass_seconds(0)
    assert [type(event) for event in wire.events()] == [Failed, Closed]


def test_a_short_invite_stays_where_it_was() -> None:
    wire = Wire()
    wire.invite()
    assert wire.addresses == [PEER]
    assert wire.last("INVITE").first("Contact").endswith(":5060>")


def test_why_nothing_could_be_sent_is_told() -> None:
    wire = Wire()
    session = wire.invite(next_hop=TLS)
    wire.us.undeliverable(TLS, wire.now, "the certificate is not for sbc.example")
    wire.pass_seconds(0)
    failed, closed = wire.events()
    assert (failed.cause.status, failed.cause.text) == (503, "the certificate is not for sbc.example")
    assert closed == Closed(session)


def test_a_connection_that_breaks_carries_the_request_once_more_and_then_it_fails() -> None:
    wire = Wire()
    session = wire.invite(next_hop=TCP)
    wire.us.disconnected(TCP, wire.now)
    wire.pass_seconds(1)
    wire.expect("INVITE ->", "INVITE ->")
    assert len({invite.via.branch for invite in wire.all("INVITE")}) == 1
    wire.us.disconnected(TCP, wire.now)
    wire.pass_seconds(0)
    failed, closed = wire.events()
    assert (failed.cause, closed) == (Cause(503, 41, "the connection breaks"), Closed(session))


def test_a_call_that_rings_outlives_its_connection() -> None:
    wire = Wire()
    wire.invite(next_hop=TCP)
    wire.answer(180)
    wire.us.disconnected(TCP, wire.now)
    wire.pass_seconds(1)
    wire.expect("INVITE ->", "<- 180")
    wire.answer(200, to=wire.last("INVITE"), sdp=SDP)
    assert [type(event) for event in wire.events()] == [Progress, Answered]
