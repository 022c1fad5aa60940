"""Our own offers in mid-call: accepted, refused, crossing the peer's, unanswered, outlived by their process (RFC 3261, 14)."""

import pytest

from tests.sip.wire import ALICE, OFFER, PCMU, SDP, US, Wire
from webcb.sip import proposal
from webcb.sip.events import Answered, Cause, Closed, HungUp, OfferAnswered, Offered, OfferRefused
from webcb.sip.offer_answer import Codec, make_offer

PCMA = Codec("PCMA", 8, 8000)
OURS = make_offer(US.host, 20_000, (PCMA,), 1, 2)
THEIRS = make_offer("198.51.100.7", 30_000, (PCMA,), 9, 2)
NEWER = make_offer(US.host, 20_000, (PCMU, PCMA), 1, 3)


def up(**headers: str) -> tuple[Wire, int]:
    wire = Wire()
    session = wire.invite(credentials=ALICE)
    wire.answer(200, sdp=SDP, **headers)
    wire.forget()
    return wire, session


def test_accepted_offer_is_acknowledged_and_told():
    wire, session = up()
    reinvite = wire.offer(session, OURS)
    assert (reinvite.body, reinvite.cseq, reinvite.first("Content-Type")) == (OURS, 2, "application/sdp")
    assert "tag=peer" in reinvite.first("To")
    assert reinvite.values("Supported") == ["timer"]  # a reliable 1xx would have to be acknowledged
    assert "Session-Expires" not in reinvite.fields  # the carrier wanted no timer, and gets none now
    wire.answer(100, to=reinvite)
    wire.answer(200, to=reinvite, sdp=THEIRS, Contact="<sip:new@203.0.113.9>")
    wire.answer(200, to=reinvite, sdp=THEIRS)  # our ACK was lost
    wire.expect("INVITE ->", "<- 100", "<- 200", "ACK ->", "<- 200", "ACK ->")
    assert wire.last("ACK").cseq == 2
    assert wire.events() == [OfferAnswered(session, OURS, THEIRS)]
    wire.hang_up(session)
    assert wire.last("BYE").cseq == 3
    wire.pass_seconds(60)
    assert not [each for each in wire.ladder if "INVITE" in each]


@pytest.mark.parametrize("status", [488, 415, 403, 503, 606])
def test_refused_offer_leaves_the_session_as_it_was(status):
    wire, session = up(Session_Expires="90;refresher=uac", Allow="INVITE")
    reinvite = wire.offer(session, OURS)
    wire.answer(status, to=reinvite, Contact="<sip:elsewhere@203.0.113.9>")
    wire.expect("INVITE ->", f"<- {status}", "ACK ->")
    (refused,) = wire.events()
    assert (refused.session, refused.offer, refused.cause.status) == (session, OURS, status)
    wire.pass_seconds(45)
    assert wire.last("INVITE").body == OFFER  # the description in force is what the timer refreshes
    assert wire.last("INVITE").uri == reinvite.uri


def test_accepted_offer_refreshes_the_session_and_is_what_is_refreshed_from_then_on():
    wire, session = up(Session_Expires="90;refresher=uac", Allow="INVITE")
    wire.pass_seconds(40)
    reinvite = wire.offer(session, OURS)
    assert reinvite.first("Session-Expires") == "90;refresher=uac"
    wire.answer(200, to=reinvite, sdp=THEIRS, Session_Expires="90;refresher=uac")
    wire.forget()
    wire.pass_seconds(44.9)
    wire.expect()
    wire.pass_seconds(0.2)
    wire.expect("INVITE ->")
    assert wire.last("INVITE").body == OURS
    wire.answer(200, to=wire.last("INVITE"), sdp=THEIRS)
    assert wire.events() == []  # nothing is new


def test_offer_of_ours_leaves_the_refreshing_to_whom_it_belongs():
    wire, session = up(Session_Expires="90;refresher=uas")
    assert wire.offer(session, OURS).first("Session-Expires") == "90;refresher=uas"
    wire.answer(200, to=wire.last("INVITE"), sdp=THEIRS, Session_Expires="90;refresher=uas")
    wire.forget()
    wire.pass_seconds(59.9)
    wire.expect()
    wire.pass_seconds(0.2)
    wire.expect("BYE ->")


def test_offer_for_a_longer_session_goes_once_more():
    wire, session = up(Session_Expires="90;refresher=uac")
    wire.answer(422, to=wire.offer(session, OURS), Min_SE="300")
    again = wire.last("INVITE")
    assert (again.body, again.first("Session-Expires"), again.first("Min-SE")) == (OURS, "300;refresher=uac", "300")
    wire.answer(422, to=again, Min_SE="400")
    assert [type(event) for event in wire.events()] == [OfferRefused]


def test_challenged_offer_goes_with_credentials():
    wire, session = up()
    wire.answer(407, to=wire.offer(session, OURS), Proxy_Authenticate='Digest realm="x", nonce="y"')
    again = wire.last("INVITE")
    assert "Proxy-Authorization" in again.fields
    wire.answer(200, to=again, sdp=THEIRS)
    assert wire.events() == [OfferAnswered(session, OURS, THEIRS)]
    assert "Proxy-Authorization" in wire.last("ACK").fields


def test_200_without_an_answer_changes_nothing():
    wire, session = up()
    wire.answer(200, to=wire.offer(session, OURS))
    wire.expect("INVITE ->", "<- 200", "ACK ->")
    assert wire.events() == [OfferRefused(session, OURS, proposal.UNANSWERED)]


# Both at once


@pytest.mark.parametrize(("status", "headers", "least"), [(491, {}, 2.1), (500, {"Retry_After": "7"}, 7.0)])
def test_collision_is_tried_again_once(status, headers, least):
    wire, session = up()
    wire.answer(status, to=wire.offer(session, OURS), **headers)
    wire.pass_seconds(least - 0.01)
    wire.expect("INVITE ->", f"<- {status}", "ACK ->")
    wire.pass_seconds(2)
    assert set(wire.ladder) == {"INVITE ->"}
    again = wire.last("INVITE")
    assert (again.body, again.cseq) == (OURS, 3)
    wire.answer(status, to=again, **headers)
    assert [(type(event), event.cause.status) for event in wire.events()] == [(OfferRefused, status)]
    wire.forget()
    wire.pass_seconds(100)
    wire.expect()


def test_wait_after_a_collision_is_by_chance():
    """2.1 to 4.0 s in steps of 10 ms, as the Call-ID is ours (RFC 3261, 14.1)."""
    waits = set()
    for seed in range(40):
        wire = Wire(seed=seed)
        session = wire.answered_call()
        wire.answer(491, to=wire.offer(session, OURS))
        wire.pass_seconds(4.001)
        first, again = wire.times_of("INVITE")[1:3]
        waits.add(round((again - first) * 1000))
    assert 2100 <= min(waits) <= max(waits) <= 4000
    assert all(wait % 10 == 0 for wait in waits)
    assert len(waits) > 20


def test_offer_of_the_peer_waits_for_ours():
    wire, session = up()
    invite = wire.last("INVITE")
    reinvite = wire.offer(session, OURS)
    wire.ask("INVITE", invite, sdp=SDP)
    wire.ask("UPDATE", invite, sdp=SDP)
    wire.expect("INVITE ->", "<- INVITE", "491 ->", "<- UPDATE", "491 ->")
    wire.answer(200, to=reinvite, sdp=THEIRS)
    wire.events()
    wire.ask("UPDATE", invite, sdp=SDP)
    assert wire.events() == [Offered(session, SDP)]


def test_ours_waits_for_the_offer_of_the_peer_and_gives_way_to_it():
    """What we wanted to offer was about a description that is no longer in force."""
    wire, session = up()
    wire.ask("INVITE", wire.last("INVITE"), cseq=7, sdp=THEIRS)
    wire.offer(session, OURS)
    wire.expect("<- INVITE", "100 ->")
    wire.accept_offer(session, OURS)
    assert wire.events() == [Offered(session, THEIRS), OfferRefused(session, OURS, proposal.SUPERSEDED)]
    wire.ask("ACK", wire.last("INVITE"), cseq=7)
    wire.forget()
    wire.pass_seconds(100)
    wire.expect()


def test_ours_goes_when_the_offer_of_the_peer_was_refused():
    wire, session = up()
    wire.ask("INVITE", wire.last("INVITE"), cseq=7, sdp=THEIRS)
    wire.offer(session, OURS)
    wire.reject_offer(session, 488)
    wire.ask("ACK", wire.last("INVITE"), cseq=7, branch="z9hG4bKpeer7INVITE")
    wire.forget()
    wire.pass_seconds(4)
    assert set(wire.ladder) == {"INVITE ->"}
    assert wire.last("INVITE").body == OURS


def test_ours_waits_for_our_refresh():
    wire, session = up(Session_Expires="90;refresher=uac", Allow="INVITE")
    wire.pass_seconds(45)
    refreshing = wire.last("INVITE")
    wire.offer(session, OURS)
    assert wire.last("INVITE") is refreshing
    wire.answer(200, to=refreshing, sdp=SDP, Session_Expires="90;refresher=uac")
    wire.forget()
    wire.pass_seconds(4)
    assert set(wire.ladder) == {"INVITE ->"}
    assert wire.last("INVITE").body == OURS


def test_second_offer_of_ours_while_one_is_open_is_refused_here():
    wire, session = up()
    wire.offer(session, OURS)
    wire.offer(session, NEWER)
    wire.expect("INVITE ->")
    assert wire.events() == [OfferRefused(session, NEWER, proposal.OPEN_ALREADY)]


# The end of the call


@pytest.mark.parametrize(
    ("status", "why"), [(481, "the peer knows this call no longer"), (408, "the peer does not answer")]
)
def test_peer_that_knows_the_call_no_longer_ends_it(status, why):
    wire, session = up()
    wire.answer(status, to=wire.offer(session, OURS))
    wire.expect("INVITE ->", f"<- {status}", "ACK ->", "BYE ->")
    assert wire.events() == [HungUp(session, Cause(408, 102, why))]


def test_offer_that_nobody_answers_ends_the_call():
    wire, session = up()
    wire.offer(session, OURS)
    wire.pass_seconds(31.9)
    assert wire.counts() == {"INVITE ->": 7}
    wire.pass_seconds(0.2)
    assert wire.ladder[-1] == "BYE ->"
    assert wire.events() == [HungUp(session, Cause(408, 102, "the peer does not answer"))]


def test_offer_that_cannot_be_sent_is_refused():
    wire, session = up()
    wire.offer(session, OURS)
    wire.us.undeliverable(wire.addresses[-1], wire.now)
    wire.pass_seconds(0)
    assert [event.cause.status for event in wire.events()] == [503]


@pytest.mark.parametrize(
    ("final", "told"),
    [(487, OfferRefused), (200, OfferAnswered), (491, OfferRefused), (422, OfferRefused), (481, HungUp)],
)
def test_offer_that_stays_undecided_is_cancelled(final, told):
    wire, session = up()
    reinvite = wire.offer(session, OURS)
    wire.answer(180, to=reinvite)
    wire.pass_seconds(32)
    wire.expect("INVITE ->", "<- 180", "CANCEL ->")
    cancel = wire.last("CANCEL")
    assert (cancel.via.branch, cancel.cseq, cancel.first("To")) == (reinvite.via.branch, 2, reinvite.first("To"))
    wire.answer(200, to=cancel)
    wire.answer(final, to=reinvite, sdp=THEIRS if final == 200 else b"", Min_SE="3600")
    assert [type(event) for event in wire.events()] == [told]
    wire.forget()
    wire.pass_seconds(60)
    assert not [each for each in wire.ladder if each != "BYE ->"]


def test_cancelled_offer_that_is_never_decided_ends_the_call():
    wire, session = up()
    wire.answer(100, to=wire.offer(session, OURS))
    wire.pass_seconds(64)
    assert [type(event) for event in wire.events()] == [HungUp]
    wire.answer(200, to=wire.last("BYE"))
    wire.pass_seconds(33)
    assert wire.events() == [Closed(session)]


def test_call_that_ends_forgets_its_offer():
    """Ours is answered after our BYE: acknowledged, and no news; what waits after a collision is not sent."""
    wire, session = up()
    reinvite = wire.offer(session, OURS)
    wire.hang_up(session)
    wire.answer(200, to=reinvite, sdp=THEIRS)
    wire.expect("INVITE ->", "BYE ->", "<- 200", "ACK ->")
    assert wire.events() == []
    wire, session = up()
    wire.answer(491, to=wire.offer(session, OURS))
    wire.ask("BYE", wire.all("INVITE")[0])
    wire.forget()
    wire.pass_seconds(60)
    wire.expect()


def test_bye_of_the_peer_crosses_our_offer():
    wire, session = up()
    reinvite = wire.offer(session, OURS)
    wire.ask("BYE", wire.all("INVITE")[0])
    wire.answer(481, to=reinvite)
    wire.expect("INVITE ->", "<- BYE", "200 ->", "<- 481", "ACK ->")
    assert wire.events() == [HungUp(session, Cause(0, 16, "")), Closed(session)]


def test_nothing_is_offered_before_the_answer_and_after_the_end():
    wire = Wire()
    session = wire.invite()
    wire.us.offer(session, OURS, wire.now)
    wire.answer(200, sdp=SDP)
    wire.hang_up(session)
    wire.us.offer(session, OURS, wire.now)
    wire.pass_seconds(0)
    wire.expect("INVITE ->", "<- 200", "ACK ->", "BYE ->")


# After a crash


def test_next_process_acknowledges_what_was_answered_before_it_and_offers_the_same_again():
    """The 200 goes on until an ACK comes; what we offer again has a CSeq never used before."""
    wire = Wire()
    wire.invite()
    wire.answer(200, sdp=SDP)
    answered = next(event for event in wire.events() if isinstance(event, Answered))
    reinvite = wire.offer(answered.session, OURS)
    after = Wire(seed=2)
    session = after.us.adopt(answered.dialog, after.now, ALICE, OFFER, SDP)
    after.answer(200, to=reinvite, sdp=THEIRS)
    after.expect("<- 200", "ACK ->")
    assert (after.last("ACK").cseq, after.last("ACK").call_id) == (reinvite.cseq, reinvite.call_id)
    again = after.offer(session, OURS)
    assert again.cseq > reinvite.cseq
    after.answer(200, to=again, sdp=THEIRS)
    assert after.events() == [OfferAnswered(session, OURS, THEIRS)]


@pytest.mark.parametrize("cseq", [1000, 0])
def test_200_of_an_invite_that_nobody_of_us_can_have_sent_is_not_acknowledged(cseq):
    wire = Wire()
    wire.invite()
    wire.answer(200, sdp=SDP)
    answered = next(event for event in wire.events() if isinstance(event, Answered))
    after = Wire(seed=2)
    after.us.adopt(answered.dialog, after.now)
    after.answer(200, to=wire.last("INVITE"), sdp=SDP, CSeq=f"{cseq} INVITE")
    after.expect("<- 200")
