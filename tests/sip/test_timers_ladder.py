"""Every timer a transaction of ours has, to 10 ms, in virtual time (RFC 3261, 17; RFC 6026)."""

import pytest

from tests.sip.wire import OFFER, PEER, SDP, Wire, response_to
from webcb.sip.events import Address, Answered, Cause, Closed, Failed, HungUp, Progress, Trying

INVITE_SECONDS = [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
BYE_SECONDS = [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_invite_that_nobody_answers():
    wire = Wire()
    session = wire.invite()
    wire.pass_seconds(31.99)
    assert wire.times_of("INVITE") == pytest.approx(INVITE_SECONDS, abs=0.01)
    assert not wire.events()
    wire.pass_seconds(0.02)
    failed, closed = wire.events()
    assert isinstance(failed, Failed)
    assert (failed.cause.status, failed.cause.q850, failed.local) == (408, 102, True)
    assert closed == Closed(session)
    wire.pass_seconds(100)
    assert wire.times_of("INVITE") == pytest.approx(INVITE_SECONDS, abs=0.01)
    assert wire.us.next_deadline() is None


def test_invite_that_cannot_be_sent():
    wire = Wire()
    session = wire.invite()
    wire.us.undeliverable(Address("elsewhere.example", 5060), wire.now)
    wire.pass_seconds(0.1)
    assert wire.events() == []
    wire.us.undeliverable(PEER, wire.now)
    wire.pass_seconds(100)
    assert wire.events() == [Failed(session, Cause(503, 41, "unreachable"), local=True), Closed(session)]
    wire.expect("INVITE ->")


def test_invite_that_was_heard_does_not_fail_because_a_later_datagram_cannot_be_sent():
    wire = Wire()
    session = wire.invite()
    wire.answer(180)
    wire.us.undeliverable(PEER, wire.now)
    wire.answer(200, to=wire.last("INVITE"), sdp=SDP)
    wire.events()
    wire.hang_up(session)
    wire.us.undeliverable(PEER, wire.now)
    wire.pass_seconds(0)
    assert wire.events() == [Closed(session)]


def test_two_lost_invites():
    wire = Wire()
    wire.lose_next(2)
    wire.invite()
    wire.pass_seconds(1.5)
    wire.expect("INVITE -> lost", "INVITE -> lost", "INVITE ->")


def test_provisional_stops_the_repeats_and_timer_b():
    wire = Wire()
    wire.invite()
    wire.pass_seconds(0.6)
    wire.answer(100)
    assert wire.us.next_deadline() is None
    wire.pass_seconds(600)
    wire.expect("INVITE ->", "INVITE ->", "<- 100")
    assert [type(each) for each in wire.events()] == [Trying]  # no Progress for 100, no time-out


def test_bye_that_nobody_answers():
    wire = Wire()
    session = wire.answered_call()
    wire.hang_up(session)
    wire.pass_seconds(31.99)
    assert wire.times_of("BYE") == pytest.approx(BYE_SECONDS, abs=0.01)
    assert wire.events() == []
    wire.pass_seconds(0.02)
    assert wire.events() == [Closed(session)]


def test_bye_slows_down_after_a_provisional():
    wire = Wire()
    wire.hang_up(wire.answered_call())
    wire.answer(100)
    wire.pass_seconds(20)
    # The running timer E fires once more as set, then every T2 (RFC 3261, 17.1.2.2).
    assert wire.times_of("BYE") == pytest.approx([0, 0.5, 4.5, 8.5, 12.5, 16.5], abs=0.01)


@pytest.mark.parametrize("status", [481, 408, 500, 200])
def test_any_answer_to_bye_ends_the_dialog(status):
    wire = Wire()
    session = wire.answered_call()
    wire.hang_up(session)
    wire.answer(status)
    assert wire.events() == [Closed(session)]
    wire.pass_seconds(40)
    wire.expect("BYE ->", f"<- {status}")
    assert wire.us.next_deadline() is None


def test_refusal_is_acknowledged_with_the_branch_of_the_invite_each_time_it_comes():
    wire = Wire()
    session = wire.invite()
    invite = wire.last("INVITE")
    busy = response_to(invite, 486)
    for _ in range(4):
        wire.deliver(busy)
    wire.expect("INVITE ->", *["<- 486", "ACK ->"] * 4)
    failed, closed = wire.events()
    assert failed == Failed(session, Cause(486, 17, "Reason"), local=False)
    assert closed == Closed(session)
    for ack in wire.all("ACK"):
        assert ack.via.branch == invite.via.branch
        assert (ack.cseq, ack.cseq_method, ack.to_tag) == (1, "ACK", "peer")
    wire.pass_seconds(31.9)  # timer D
    wire.deliver(busy)
    wire.pass_seconds(0.2)
    wire.deliver(busy)
    wire.expect("<- 486", "ACK ->", "<- 486")


def test_repeated_200_is_acknowledged_each_time_and_told_once():
    wire = Wire()
    session = wire.invite()
    invite = wire.last("INVITE")
    ok = response_to(invite, 200, sdp=SDP)
    for seconds in (0, 0.5, 1, 2, 4, 4, 4, 4, 4, 4):
        wire.pass_seconds(seconds)
        wire.deliver(ok)
    wire.expect("INVITE ->", *["<- 200", "ACK ->"] * 10)
    (answered,) = wire.events()
    assert isinstance(answered, Answered)
    assert (answered.session, answered.sdp) == (session, SDP)
    assert {ack.via.branch for ack in wire.all("ACK")} != {invite.via.branch}
    assert {(ack.cseq, ack.cseq_method) for ack in wire.all("ACK")} == {(1, "ACK")}


def test_late_fork_is_heard_for_the_32_seconds_of_timer_m():
    wire = Wire()
    wire.invite()
    invite = wire.last("INVITE")
    wire.answer(200, tag="first", sdp=SDP)
    wire.pass_seconds(31.9)
    wire.deliver(response_to(invite, 200, tag="second", sdp=SDP))
    wire.expect("INVITE ->", "<- 200", "ACK ->", "<- 200", "ACK ->", "BYE ->")
    wire.answer(200)
    wire.pass_seconds(0.2)
    wire.forget()
    wire.deliver(response_to(invite, 200, tag="third", sdp=SDP))
    wire.expect("<- 200")


def test_progress_is_told_with_early_media():
    wire = Wire()
    session = wire.invite()
    wire.answer(180)
    wire.answer(183, to=wire.last("INVITE"), sdp=SDP)
    assert wire.events() == [Progress(session, 180, "Reason", b""), Progress(session, 183, "Reason", SDP)]
    wire.deliver(response_to(wire.last("INVITE"), 182).replace(b"Reason", b"\xffQueued\x1b[1m"))
    assert wire.events() == [Progress(session, 182, "Queued[1m", b"")]


def test_our_200_to_a_reinvite_is_repeated_until_its_ack():
    wire = Wire()
    session = wire.answered_call()
    reinvite = wire.ask("INVITE", wire.last("INVITE"), sdp=SDP)
    wire.accept_offer(session)
    wire.pass_seconds(4)
    assert wire.times_of("200") == pytest.approx([0, 0.5, 1.5, 3.5], abs=0.01)
    wire.ask("ACK", wire.last("INVITE"), cseq=int(reinvite.first("CSeq").split(" ")[0]))
    wire.pass_seconds(60)
    assert len(wire.all("200")) == 4
    assert wire.last("200").body == OFFER


def test_our_200_to_a_reinvite_that_is_never_acknowledged_ends_the_call():
    wire = Wire()
    session = wire.answered_call()
    wire.ask("INVITE", wire.last("INVITE"), sdp=SDP)
    wire.accept_offer(session)
    wire.events()
    wire.pass_seconds(31.99)
    assert not wire.events()
    assert wire.times_of("200") == pytest.approx([0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5], abs=0.01)
    wire.pass_seconds(0.02)
    assert wire.events() == [HungUp(session, Cause(408, 102, "no ACK"))]
    wire.answer(200, to=wire.last("BYE"))
    assert wire.events() == [Closed(session)]


def test_our_refusal_of_an_invite_is_repeated_until_its_ack():
    wire = Wire()
    wire.answered_call()
    like = wire.last("INVITE")
    stranger = wire.build("INVITE", like, To="<sip:us@192.0.2.1>", Call_ID="stranger@example.com", sdp=SDP)
    wire.deliver(stranger.encode())
    wire.pass_seconds(40)
    assert wire.times_of("403") == pytest.approx(BYE_SECONDS, abs=0.01)  # timers G and H
    assert wire.us.next_deadline() is None


def test_our_refusal_stops_at_its_ack():
    wire = Wire()
    wire.answered_call()
    like = wire.last("INVITE")
    stranger = wire.build(
        "INVITE", like, To="<sip:us@192.0.2.1>", Call_ID="stranger@example.com", branch="z9hG4bKx", cseq=5
    )
    wire.deliver(stranger.encode())
    to = wire.last("403").first("To")
    wire.deliver(stranger.encode())
    ack = wire.build("ACK", like, To=to, Call_ID="stranger@example.com", branch="z9hG4bKx", cseq=5)
    wire.deliver(ack.encode())
    wire.pass_seconds(4.9)  # timer I: repeats are absorbed
    wire.deliver(stranger.encode())
    wire.deliver(ack.encode())
    wire.expect("<- INVITE", "403 ->", "<- INVITE", "403 ->", "<- ACK", "<- INVITE", "<- ACK")


def test_repeated_request_gets_the_same_answer_for_the_32_seconds_of_timer_j():
    wire = Wire()
    session = wire.answered_call()
    bye = wire.ask("BYE", wire.last("INVITE")).encode()
    assert [type(event) for event in wire.events()] == [HungUp, Closed]
    wire.pass_seconds(31.9)
    wire.deliver(bye)
    wire.expect("<- BYE", "200 ->", "<- BYE", "200 ->")
    wire.pass_seconds(0.2)
    wire.deliver(bye)
    wire.expect("<- BYE", "481 ->")
    assert wire.events() == []
    assert session
