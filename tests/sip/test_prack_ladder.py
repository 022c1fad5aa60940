"""Reliable provisional answers: each in order is acknowledged by PRACK, once, and brings the answer to our offer (RFC 3262)."""

import pytest

from tests.sip.wire import ALICE, PEER, SDP, Wire
from webcb.sip.events import Address, Answered, Closed, Failed, Progress

OTHER_SDP = SDP.replace(b"30000", b"30002")


def ring(wire: Wire, rseq: int, status: int = 183, **more) -> None:
    """The peer's reliable provisional answer to the last INVITE."""
    headers = {"Require": "100rel", "RSeq": str(rseq)}
    wire.answer(status, to=wire.last("INVITE"), **{**headers, **more})


def test_invite_says_that_we_can():
    wire = Wire()
    wire.invite()
    assert "100rel" in wire.last("INVITE").values("Supported")


def test_invite_without_offer_does_not():
    """The reliable answer would bring the peer's offer, to be answered in the PRACK."""
    wire = Wire()
    wire.invite(offer=b"")
    assert "100rel" not in wire.last("INVITE").values("Supported")


def test_prack_names_the_answer_and_goes_inside_the_early_dialog():
    wire = Wire()
    session = wire.invite()
    invite = wire.last("INVITE")
    ring(wire, 776655, sdp=SDP, Contact="<sip:gw@203.0.113.5:5090>", Record_Route="<sip:p1.example.com;lr>")
    wire.expect("INVITE ->", "<- 183", "PRACK ->")
    prack = wire.last("PRACK")
    assert prack.first("RAck") == f"776655 {invite.cseq} INVITE"
    assert (prack.cseq, prack.call_id, prack.from_tag, prack.to_tag) == (2, invite.call_id, invite.from_tag, "peer")
    assert (prack.uri, prack.fields["Route"]) == ("sip:gw@203.0.113.5:5090", ["<sip:p1.example.com;lr>"])
    assert wire.addresses[-1] == Address("p1.example.com", 0)
    assert wire.events() == [Progress(session, 183, "Reason", SDP)]
    wire.answer(200, to=prack)
    wire.expect("<- 200")


def test_plain_provisional_answers_are_not_acknowledged():
    wire = Wire()
    wire.invite()
    wire.answer(180)
    wire.answer(183, to=wire.last("INVITE"), RSeq="7")  # reliable is what Require says
    wire.answer(183, to=wire.last("INVITE"), RSeq="8", Supported="100rel")
    wire.expect("INVITE ->", "<- 180", "<- 183", "<- 183")


def test_order_of_rseq():
    wire = Wire()
    wire.invite()
    for rseq, status in ((10, 183), (10, 183), (12, 180), (9, 180), (11, 180), (12, 181)):
        ring(wire, rseq, status)
    assert [prack.first("RAck") for prack in wire.all("PRACK")] == ["10 1 INVITE", "11 1 INVITE", "12 1 INVITE"]
    assert [prack.cseq for prack in wire.all("PRACK")] == [2, 3, 4]
    assert [event.status for event in wire.events()] == [183, 180, 181]


def test_prack_is_repeated_by_its_own_timer_only():
    wire = Wire()
    wire.invite()
    wire.lose_next(1)
    ring(wire, 1)
    ring(wire, 1)  # the peer's repeat brings no PRACK of its own
    wire.pass_seconds(0.6)
    wire.expect("INVITE ->", "<- 183", "PRACK -> lost", "<- 183", "PRACK ->")
    wire.answer(200, to=wire.last("PRACK"))
    wire.pass_seconds(10)
    wire.expect("<- 200")


def test_each_fork_counts_for_itself():
    wire = Wire()
    wire.invite()
    ring(wire, 5, tag="one")
    ring(wire, 900, tag="two")
    ring(wire, 6, tag="one")
    assert [(prack.to_tag, prack.first("RAck")) for prack in wire.all("PRACK")] == [
        ("one", "5 1 INVITE"),
        ("two", "900 1 INVITE"),
        ("one", "6 1 INVITE"),
    ]


def test_bye_and_reinvite_go_on_with_the_numbers_of_prack():
    wire = Wire()
    session = wire.invite()
    ring(wire, 1)
    wire.answer(200, to=wire.last("PRACK"))
    wire.answer(200, to=wire.last("INVITE"), sdp=SDP)
    assert wire.last("ACK").cseq == 1
    wire.hang_up(session)
    assert wire.last("BYE").cseq == 3


def test_answer_of_the_reliable_183_stands_where_the_200_has_none():
    wire = Wire()
    session = wire.invite()
    ring(wire, 1, sdp=OTHER_SDP, tag="one")
    ring(wire, 1, sdp=SDP, tag="two")
    wire.answer(200, to=wire.last("INVITE"), tag="one")
    answered = wire.events()[-1]
    assert isinstance(answered, Answered)
    assert (answered.session, answered.sdp) == (session, OTHER_SDP)


def test_prack_is_challenged():
    wire = Wire()
    wire.invite(credentials=ALICE)
    ring(wire, 1)
    wire.answer(401, to=wire.last("PRACK"), WWW_Authenticate='Digest realm="x", nonce="y"')
    first, again = wire.all("PRACK")
    assert (again.cseq, again.first("RAck")) == (first.cseq + 1, first.first("RAck"))
    assert 'realm="x"' in again.first("Authorization")


def test_challenge_after_prack_takes_a_number_of_its_own():
    wire = Wire()
    wire.invite(credentials=ALICE)
    ring(wire, 1)
    wire.answer(401, to=wire.last("INVITE"), WWW_Authenticate='Digest realm="x", nonce="y"')
    assert wire.last("INVITE").cseq == 3
    ring(wire, 1)  # the same phone, asked anew
    assert wire.last("PRACK").first("RAck") == "1 3 INVITE"


@pytest.mark.parametrize("status", [481, 500])
def test_refused_prack_leaves_the_call_to_its_invite(status):
    wire = Wire()
    wire.invite()
    ring(wire, 1)
    wire.events()
    wire.answer(status, to=wire.last("PRACK"))
    wire.answer(200, to=wire.last("INVITE"), sdp=SDP)
    assert [type(event) for event in wire.events()] == [Answered]


def test_prack_of_a_call_that_failed_is_waited_for_no_longer():
    wire = Wire()
    wire.invite()
    ring(wire, 1)
    wire.events()
    wire.answer(486, to=wire.last("INVITE"))
    assert [type(event) for event in wire.events()] == [Failed, Closed]
    wire.forget()
    wire.pass_seconds(40)
    wire.expect()


def test_cancel_after_prack_and_a_late_200():
    wire = Wire()
    session = wire.invite()
    ring(wire, 1)
    wire.hang_up(session)
    wire.answer(200, to=wire.last("INVITE"), sdp=SDP)
    wire.expect("INVITE ->", "<- 183", "PRACK ->", "CANCEL ->", "<- 200", "ACK ->", "BYE ->")
    assert wire.last("BYE").cseq == 3
    assert [event.cause.status for event in wire.events() if isinstance(event, Failed)] == [487]


@pytest.mark.parametrize("rseq", ["", "x", "-1", "4294967296"])
def test_malformed_rseq_is_not_acknowledged(rseq):
    wire = Wire()
    wire.invite()
    wire.answer(183, Require="100rel", RSeq=rseq, sdp=SDP)
    wire.expect("INVITE ->", "<- 183")
    wire.answer(200, to=wire.last("INVITE"), sdp=SDP)
    assert wire.addresses[-1] == PEER
    assert isinstance(wire.events()[-1], Answered)
