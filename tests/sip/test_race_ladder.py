"""Messages that cross on the wire, as the caller sees them: the races of RFC 5407, and what arrives in another order than sent."""

import pytest

from tests.sip.wire import SDP, Wire
from webcb.sip.events import Answered, Closed, Failed, HungUp, Offered


def up() -> tuple[Wire, int]:
    wire = Wire()
    session = wire.answered_call()
    return wire, session


def refreshing() -> tuple[Wire, int]:
    """A call whose refresh by re-INVITE has just gone out."""
    wire = Wire()
    session = wire.invite()
    wire.answer(200, sdp=SDP, Session_Expires="90;refresher=uac")
    wire.pass_seconds(45)
    wire.forget()
    return wire, session


def test_lost_ack_and_a_bye_behind_it():
    """3.1.6: the callee still waits for its ACK; its 200 comes again after our BYE."""
    wire = Wire()
    session = wire.invite()
    invite = wire.last("INVITE")
    wire.lose_next(1)
    wire.answer(200, to=invite, sdp=SDP)
    wire.hang_up(session)
    wire.answer(200, to=invite, sdp=SDP)
    wire.answer(200, to=wire.last("BYE"))
    wire.expect("INVITE ->", "<- 200", "ACK -> lost", "BYE ->", "<- 200", "ACK ->", "<- 200")
    assert [type(event) for event in wire.events()] == [Answered, Closed]


@pytest.mark.parametrize("theirs_first", [True, False])
def test_bye_crosses_bye(theirs_first):
    """3.2.1: each is answered, nobody has hung up on the other."""
    wire, session = up()
    invite = wire.last("INVITE")
    wire.hang_up(session)
    ours = wire.last("BYE")
    if theirs_first:
        wire.ask("BYE", invite)
        wire.answer(481, to=ours)
        wire.expect("BYE ->", "<- BYE", "200 ->", "<- 481")
    else:
        wire.answer(200, to=ours)
        wire.ask("BYE", invite)
        wire.expect("BYE ->", "<- 200", "<- BYE", "481 ->")
    assert wire.events() == [Closed(session)]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "REFER", "INFO"])
def test_request_that_crosses_our_bye(method):
    """3.2.2 and 3.3.3: the dialog is over for us."""
    wire, session = up()
    wire.hang_up(session)
    wire.ask(method, wire.last("INVITE"), sdp=SDP if method in ("INVITE", "UPDATE") else b"")
    wire.expect("BYE ->", f"<- {method}", "481 ->")
    assert wire.events() == []


def test_answer_of_our_reinvite_crosses_the_bye_of_the_peer():
    """3.2.3: the 200 is acknowledged all the same."""
    wire, session = refreshing()
    reinvite = wire.last("INVITE")
    wire.ask("BYE", reinvite)
    wire.answer(200, to=reinvite, sdp=SDP)
    wire.expect("<- BYE", "200 ->", "<- 200", "ACK ->")
    assert [type(event) for event in wire.events()] == [HungUp, Closed]
    wire.pass_seconds(100)
    wire.expect()
    assert session


def test_ack_crosses_our_bye():
    """3.2.4: the ACK of our 200 comes when we have hung up."""
    wire, session = up()
    invite = wire.last("INVITE")
    wire.ask("INVITE", invite, sdp=SDP, cseq=7)
    wire.accept_offer(session)
    wire.hang_up(session)
    wire.ask("ACK", invite, cseq=7)
    wire.answer(200, to=wire.last("BYE"))
    wire.expect("<- INVITE", "100 ->", "200 ->", "BYE ->", "<- ACK", "<- 200")
    wire.pass_seconds(100)
    wire.expect()
    assert wire.events() == [Offered(session, SDP), Closed(session)]


def test_reinvite_crosses_reinvite():
    """3.3.1: both are put off; the peer, whose Call-ID it is not, comes first, and ours after it."""
    wire, session = refreshing()
    invite = wire.last("INVITE")
    wire.ask("INVITE", invite, sdp=SDP, cseq=7, branch="z9hG4bKtheirs")
    wire.answer(491, to=invite)
    wire.ask("ACK", invite, cseq=7, branch="z9hG4bKtheirs")
    wire.expect("<- INVITE", "491 ->", "<- 491", "ACK ->", "<- ACK")
    wire.pass_seconds(1)
    wire.ask("INVITE", invite, sdp=SDP, cseq=8)
    wire.pass_seconds(4)
    wire.expect("<- INVITE", "100 ->")  # ours waits until theirs is through
    wire.accept_offer(session)
    wire.ask("ACK", invite, cseq=8)
    wire.forget()
    wire.pass_seconds(45.1)
    wire.expect("INVITE ->")
    assert wire.last("INVITE").cseq == invite.cseq + 1


def test_update_crosses_our_reinvite():
    """3.3.2: the offer of the UPDATE is put off, the re-INVITE goes on."""
    wire, session = refreshing()
    reinvite = wire.last("INVITE")
    wire.ask("UPDATE", reinvite, sdp=SDP)
    wire.answer(200, to=reinvite, sdp=SDP, Session_Expires="90;refresher=uac")
    wire.ask("UPDATE", reinvite, sdp=SDP)
    wire.expect("<- UPDATE", "491 ->", "<- 200", "ACK ->", "<- UPDATE")
    assert wire.events() == [Offered(session, SDP)]


def test_ringing_that_was_overtaken_by_its_answer():
    wire = Wire()
    wire.invite()
    invite = wire.last("INVITE")
    wire.answer(200, to=invite, sdp=SDP)
    wire.answer(180, to=invite)
    wire.answer(183, to=invite, Require="100rel", RSeq="1")
    wire.expect("INVITE ->", "<- 200", "ACK ->", "<- 180", "<- 183")
    assert [type(event) for event in wire.events()] == [Answered]


def test_bye_that_overtook_the_200():
    """The callee gave up waiting for our ACK; without a 200 there is nothing to end yet, and its 200 ends by our ACK."""
    wire = Wire()
    session = wire.invite()
    invite = wire.last("INVITE")
    wire.answer(180, to=invite)
    wire.ask("BYE", invite)
    wire.answer(200, to=invite, sdp=SDP)
    wire.expect("INVITE ->", "<- 180", "<- BYE", "481 ->", "<- 200", "ACK ->")
    wire.hang_up(session)
    assert wire.ladder == ["BYE ->"]


def test_refusal_crosses_our_cancel():
    wire = Wire()
    session = wire.invite()
    invite = wire.last("INVITE")
    wire.answer(180, to=invite)
    wire.hang_up(session)
    wire.answer(486, to=invite)
    wire.answer(481, to=wire.last("CANCEL"))
    wire.expect("INVITE ->", "<- 180", "CANCEL ->", "<- 486", "ACK ->", "<- 481")
    assert [type(event) for event in wire.events()][1:] == [Failed, Closed]
