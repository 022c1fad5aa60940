"""Session timers as either refresher, and our own re-INVITE and UPDATE with their collisions (RFC 4028; RFC 3261, 14.1)."""

import pytest

from tests.sip.wire import ALICE, OFFER, SDP, Wire
from webcb.sip.events import Answered, Cause, Closed, Failed, HungUp, OfferAnswered, Offered

OTHER_SDP = SDP.replace(b"30000", b"30002")
WITH_UPDATE = "INVITE, ACK, BYE, CANCEL, UPDATE"


def up(expires: str, allow: str = WITH_UPDATE, **changes) -> tuple[Wire, int]:
    """A call whose 200 agreed to a session timer."""
    wire = Wire()
    session = wire.invite(**changes)
    wire.answer(200, sdp=SDP, Session_Expires=expires, Require="timer" if expires else "", Allow=allow)
    wire.forget()
    return wire, session


def test_invite_asks_for_a_timer():
    wire = Wire()
    wire.invite()
    invite = wire.last("INVITE")
    assert "timer" in invite.values("Supported")
    assert (invite.first("Session-Expires"), invite.first("Min-SE")) == ("1800", "")


def test_longer_session_is_asked_for_after_422():
    wire = Wire()
    session = wire.invite()
    wire.answer(422, Min_SE="3600")
    wire.answer(422, Min_SE="7200;x=y", to=wire.last("INVITE"))
    wire.expect("INVITE ->", "<- 422", "ACK ->", "INVITE ->", "<- 422", "ACK ->", "INVITE ->")
    again = wire.last("INVITE")
    assert (again.cseq, again.first("Session-Expires"), again.first("Min-SE"), again.body) == (3, "7200", "7200", OFFER)
    wire.answer(200, to=again, sdp=SDP)
    assert wire.events()[-1].session == session


@pytest.mark.parametrize("min_se", ["", "90", "1800", "soon"])
def test_422_that_asks_for_nothing_longer_is_a_failure(min_se):
    wire = Wire()
    session = wire.invite()
    wire.answer(422, Min_SE=min_se)
    failed, closed = wire.events()
    assert (failed.cause.status, closed) == (422, Closed(session))


def test_422_has_an_end():
    wire = Wire()
    wire.invite()
    for longer in range(10):
        wire.answer(422, to=wire.last("INVITE"), Min_SE=str(2000 + longer))
    assert len(wire.all("INVITE")) == 5
    assert isinstance(wire.events()[0], Failed)


@pytest.mark.parametrize(("allow", "method"), [(WITH_UPDATE, "UPDATE"), ("INVITE, ACK, BYE", "INVITE"), ("", "INVITE")])
def test_we_refresh_at_half_the_interval(allow, method):
    wire, session = up("1800;refresher=uac", allow)
    start = wire.now
    wire.pass_seconds(900)
    request = wire.last(method)
    assert wire.times[-1] - start == pytest.approx(900, abs=0.01)
    assert request.first("Session-Expires") == "1800;refresher=uac"
    assert (request.cseq, request.body) == (2, OFFER if method == "INVITE" else b"")
    wire.answer(200, to=request, sdp=SDP if method == "INVITE" else b"", Session_Expires="1800;refresher=uac")
    ack = ["ACK ->"] if method == "INVITE" else []
    wire.expect(f"{method} ->", "<- 200", *ack)
    wire.pass_seconds(899.9)
    wire.expect()
    wire.pass_seconds(0.2)
    wire.expect(f"{method} ->")
    assert wire.events() == []
    wire.hang_up(session)
    assert wire.last("BYE").cseq == 4


@pytest.mark.parametrize(("seconds", "ends_after"), [(1800, 1768), (90, 60), (96, 64)])
def test_call_that_the_peer_does_not_refresh_is_ended_in_time(seconds, ends_after):
    wire, session = up(f"{seconds};refresher=uas")
    wire.pass_seconds(ends_after - 0.1)
    wire.expect()
    wire.pass_seconds(0.2)
    wire.expect("BYE ->")
    assert wire.events() == [HungUp(session, Cause(408, 102, "the session was not refreshed"))]
    wire.answer(200)
    assert wire.events() == [Closed(session)]


@pytest.mark.parametrize(("method", "body"), [("UPDATE", b""), ("INVITE", SDP)])
def test_peer_refreshes(method, body):
    wire, session = up("90;refresher=uas")
    for cseq in (7, 8, 9):
        wire.pass_seconds(45)
        request = {"Session_Expires": "90;refresher=uac", "Supported": "timer", "sdp": body}
        wire.ask(method, wire.all("INVITE")[0], cseq=cseq, **request)
        if body:
            wire.accept_offer(session)
            wire.ask("ACK", wire.all("INVITE")[0], cseq=cseq)
        ok = wire.last("200")
        assert (ok.first("Session-Expires"), ok.first("Require")) == ("90;refresher=uac", "timer")
    wire.forget()
    wire.pass_seconds(59.9)
    wire.expect()
    wire.pass_seconds(0.2)
    wire.expect("BYE ->")


@pytest.mark.parametrize(
    ("expires", "supported", "agreed", "require"),
    [
        ("600;refresher=uac", "timer", "600;refresher=uac", "timer"),
        ("600;refresher=uas", "timer", "600;refresher=uas", "timer"),
        ("600", "timer", "600;refresher=uac", "timer"),
        ("600", "", "600;refresher=uas", ""),
        ("", "timer", "", ""),
        ("never", "timer", "", ""),
    ],
)
def test_who_refreshes_after_the_peer_asked(expires, supported, agreed, require):
    """RFC 4028, table 2."""
    wire, _ = up("")
    wire.ask("UPDATE", wire.last("INVITE"), Session_Expires=expires, Supported=supported, Allow=WITH_UPDATE)
    ok = wire.last("200")
    assert (ok.first("Session-Expires"), ok.first("Require")) == (agreed, require)
    wire.forget()
    wire.pass_seconds(300.1)
    wire.expect(*(["UPDATE ->"] if agreed.endswith("uas") else []))


def test_request_that_does_not_ask_leaves_our_refreshing_as_it_was():
    wire, _ = up("600;refresher=uac")
    wire.ask("UPDATE", wire.last("INVITE"), Supported="timer", Allow=WITH_UPDATE)
    assert wire.last("200").first("Session-Expires") == "600;refresher=uas"
    wire.forget()
    wire.pass_seconds(300.1)
    wire.expect("UPDATE ->")


def test_too_short_a_session_is_refused():
    wire, session = up("")
    wire.ask("INVITE", wire.last("INVITE"), sdp=SDP, Session_Expires="60", Supported="timer")
    assert wire.last("422").first("Min-SE") == "90"
    assert wire.events() == []
    assert session


def test_refresh_without_timer_in_its_answer_ends_the_timer():
    wire, _ = up("90;refresher=uac")
    wire.pass_seconds(45)
    wire.answer(200, to=wire.last("UPDATE"))
    wire.forget()
    wire.pass_seconds(1000)
    wire.expect()


@pytest.mark.parametrize(
    "expires", ["", "0;refresher=uac", "1;refresher=uac", "x;refresher=uac", '90;"', "99999999999"]
)
def test_answer_that_agrees_to_no_sensible_timer_has_none(expires):
    wire, _ = up(expires)
    wire.pass_seconds(4000)
    wire.expect()
    assert wire.events() == []


def test_refresh_is_asked_to_be_longer():
    wire, _ = up("90;refresher=uac")
    wire.pass_seconds(45)
    wire.answer(422, to=wire.last("UPDATE"), Min_SE="300")
    again = wire.last("UPDATE")
    assert (again.first("Session-Expires"), again.first("Min-SE")) == ("300;refresher=uac", "300")
    wire.answer(422, to=again, Min_SE="301")
    wire.expect("UPDATE ->", "<- 422", "UPDATE ->", "<- 422")
    wire.pass_seconds(7.6)  # half of what is left until 60 s
    wire.expect("UPDATE ->")


@pytest.mark.parametrize("status", [405, 501])
def test_update_that_is_not_known_after_all_becomes_a_reinvite(status):
    wire, _ = up("90;refresher=uac")
    wire.pass_seconds(45)
    wire.answer(status, to=wire.last("UPDATE"))
    wire.expect("UPDATE ->", f"<- {status}", "INVITE ->")


@pytest.mark.parametrize("allow", [WITH_UPDATE, ""])
def test_dialog_that_the_peer_does_not_know_is_over(allow):
    wire, session = up("90;refresher=uac", allow)
    wire.pass_seconds(45)
    wire.answer(481)
    assert wire.ladder[-1] == "BYE ->"
    assert wire.events() == [HungUp(session, Cause(408, 102, "the peer knows this call no longer"))]


def test_refresh_that_nobody_answers_ends_the_call():
    wire, session = up("1800;refresher=uac")
    wire.pass_seconds(900 + 32)
    assert wire.counts() == {"UPDATE ->": 11, "BYE ->": 1}
    assert [type(event) for event in wire.events()] == [HungUp]
    wire.pass_seconds(33)
    assert wire.events() == [Closed(session)]


def test_refused_refresh_is_tried_again_half_way_until_the_session_expires():
    wire, _ = up("1800;refresher=uac")
    for at, again in ((900, 1334), (1334, 1551), (1551, 1659.5)):
        wire.pass_seconds(at - (wire.now - 1000))
        wire.answer(500, to=wire.last("UPDATE"))
        wire.expect("UPDATE ->", "<- 500")
        wire.pass_seconds(again - at - 0.1)
        wire.expect()
    wire.pass_seconds(0.2)
    wire.answer(503, to=wire.last("UPDATE"), Retry_After="300")  # longer than the session lives
    wire.expect("UPDATE ->", "<- 503")
    wire.pass_seconds(1767.9 - (wire.now - 1000))
    wire.expect()
    wire.pass_seconds(0.2)
    wire.expect("BYE ->")


def test_challenged_refresh_is_sent_again():
    wire, _ = up("90;refresher=uac", credentials=ALICE)
    wire.pass_seconds(45)
    wire.answer(407, to=wire.last("UPDATE"), Proxy_Authenticate='Digest realm="x", nonce="y"')
    wire.expect("UPDATE ->", "<- 407", "UPDATE ->")
    assert "Proxy-Authorization" in wire.last("UPDATE").fields


def test_answer_of_the_refresh_that_is_another_is_told():
    wire, session = up("90;refresher=uac", "")
    wire.pass_seconds(45)
    reinvite = wire.last("INVITE")
    ok = {"Session_Expires": "90;refresher=uac", "Contact": "<sip:new@203.0.113.9:5071>"}
    wire.answer(200, to=reinvite, sdp=OTHER_SDP, **ok)
    wire.answer(200, to=reinvite, sdp=OTHER_SDP, **ok)  # its ACK was lost
    wire.expect("INVITE ->", "<- 200", "ACK ->", "<- 200", "ACK ->")
    for ack in wire.all("ACK")[-2:]:
        assert (ack.cseq, ack.uri) == (reinvite.cseq, "sip:new@203.0.113.9:5071")
    assert wire.events() == [OfferAnswered(session, OFFER, OTHER_SDP)]
    wire.hang_up(session)
    assert wire.last("BYE").uri == "sip:new@203.0.113.9:5071"


def test_reinvite_offers_what_was_agreed_last():
    wire, session = up("90;refresher=uac", "")
    wire.ask("UPDATE", wire.last("INVITE"), sdp=OTHER_SDP)
    wire.accept_offer(session, SDP)
    wire.pass_seconds(45)
    assert wire.last("INVITE").body == SDP


def test_reinvite_offers_what_the_peer_had_asked_for_and_answered():
    wire, session = up("90;refresher=uac", "")
    invite = wire.last("INVITE")
    wire.ask("INVITE", invite, cseq=7)
    wire.accept_offer(session, SDP)
    wire.ask("ACK", invite, cseq=7, sdp=OTHER_SDP)
    wire.pass_seconds(45)
    wire.events()
    assert wire.last("INVITE").body == SDP
    wire.answer(200, to=wire.last("INVITE"), sdp=OTHER_SDP, Session_Expires="90;refresher=uac")
    assert wire.events() == []  # nothing has changed


def test_refresh_names_the_minimum_that_the_peer_has_named():
    wire, _ = up("90;refresher=uac")
    wire.ask("UPDATE", wire.last("INVITE"), Min_SE="240", Allow=WITH_UPDATE)
    wire.pass_seconds(45)
    update = wire.last("UPDATE")
    assert (update.first("Session-Expires"), update.first("Min-SE")) == ("240;refresher=uac", "240")


def test_glare_waits_by_chance():
    """491: 2.1 to 4.0 s in steps of 10 ms, since the Call-ID is ours (RFC 3261, 14.1)."""
    waits = set()
    for seed in range(40):
        wire = Wire(seed=seed)
        wire.invite()
        wire.answer(200, sdp=SDP, Session_Expires="90;refresher=uac")
        wire.pass_seconds(45)
        reinvite = wire.last("INVITE")
        wire.answer(491, to=reinvite)
        wire.pass_seconds(4.001)
        first, again = wire.times_of("INVITE")[1:3]
        assert wire.last("INVITE").cseq == reinvite.cseq + 1
        waits.add(round((again - first) * 1000))
    assert min(waits) >= 2100
    assert max(waits) <= 4000
    assert all(wait % 10 == 0 for wait in waits)
    assert len(waits) > 20


def test_offer_of_the_peer_that_crosses_ours_is_put_off():
    wire, session = up("90;refresher=uac", "")
    invite = wire.last("INVITE")
    wire.pass_seconds(45)
    wire.ask("INVITE", invite, sdp=SDP)
    wire.ask("UPDATE", invite, sdp=SDP)
    wire.ask("UPDATE", invite)
    wire.expect("INVITE ->", "<- INVITE", "491 ->", "<- UPDATE", "491 ->", "<- UPDATE", "200 ->")
    wire.answer(200, to=wire.last("INVITE"), sdp=SDP)
    wire.ask("INVITE", invite, sdp=SDP)
    assert wire.events() == [Offered(session, SDP)]


def test_ours_waits_while_an_offer_of_the_peer_is_open():
    wire, session = up("90;refresher=uac")
    wire.pass_seconds(44)
    wire.ask("INVITE", wire.last("INVITE"), sdp=SDP, cseq=7)
    wire.pass_seconds(2)
    wire.expect("<- INVITE", "100 ->")
    wire.accept_offer(session)
    wire.ask("ACK", wire.last("INVITE"), cseq=7)
    wire.forget()
    wire.pass_seconds(44)
    wire.expect()  # the peer's request went on with our timer, from its 200
    wire.pass_seconds(1.1)
    wire.expect("UPDATE ->")


def test_ours_waits_for_the_ack_of_theirs():
    wire, session = up("")
    wire.ask("INVITE", wire.last("INVITE"), sdp=SDP, Session_Expires="40")
    wire.accept_offer(session)
    wire.forget()
    wire.pass_seconds(26)  # ours is due at 20 s
    assert set(wire.ladder) == {"200 ->"}


@pytest.mark.parametrize("heard", [False, True])
def test_hanging_up_while_a_reinvite_is_open(heard):
    wire, session = up("90;refresher=uac", "")
    wire.pass_seconds(45)
    reinvite = wire.last("INVITE")
    if heard:
        wire.answer(100, to=reinvite)
    wire.hang_up(session)
    wire.answer(200, to=wire.last("BYE"))
    assert wire.events() == [Closed(session)]
    wire.forget()
    wire.pass_seconds(3)
    wire.expect()
    wire.answer(487, to=reinvite)
    wire.answer(487, to=reinvite)
    wire.pass_seconds(100)
    wire.expect("<- 487", "ACK ->", "<- 487", "ACK ->")
    assert wire.us.next_deadline() is None


def test_peer_that_hangs_up_while_our_update_is_open():
    wire, session = up("90;refresher=uac")
    wire.pass_seconds(45)
    wire.ask("BYE", wire.last("INVITE"))
    wire.pass_seconds(40)
    wire.expect("UPDATE ->", "<- BYE", "200 ->")
    assert [type(event) for event in wire.events()] == [HungUp, Closed]
    assert session


def test_update_in_the_early_dialog_refreshes_its_target():
    wire = Wire()
    session = wire.invite()
    invite = wire.last("INVITE")
    wire.answer(183, sdp=SDP)
    wire.ask("UPDATE", invite)
    wire.expect("INVITE ->", "<- 183", "<- UPDATE", "200 ->")
    wire.answer(200, to=invite)
    assert isinstance(wire.events()[-1], Answered)
    assert session
