"""CANCEL and its races: whatever crosses, the call ends and is told as an end that costs nothing (RFC 3261, 9.1; RFC 5407)."""

import pytest

from tests.sip.wire import SDP, Wire, response_to
from webcb.sip.events import Answered, Cause, Closed, Failed

CANCELLED = Cause(487, 16, "cancelled")


def ringing() -> tuple[Wire, int]:
    wire = Wire()
    session = wire.invite()
    wire.answer(180)
    wire.forget()
    return wire, session


def test_cancel_while_it_rings():
    wire, session = ringing()
    wire.hang_up(session, Cause(0, 31, "no answer"))
    invite, cancel = wire.last("INVITE"), wire.last("CANCEL")
    assert cancel.via.branch == invite.via.branch
    assert (cancel.cseq, cancel.uri, cancel.call_id, cancel.to_tag) == (1, invite.uri, invite.call_id, "")
    assert cancel.first("Reason") == 'Q.850;cause=31;text="no answer"'
    wire.answer(200, to=cancel)
    assert wire.events() == []
    wire.answer(487, to=invite)
    wire.expect("CANCEL ->", "<- 200", "<- 487", "ACK ->")
    assert wire.events() == [Failed(session, Cause(487, 16, "Reason"), local=False), Closed(session)]


def test_no_cancel_before_a_provisional():
    wire = Wire()
    session = wire.invite()
    wire.hang_up(session)
    wire.pass_seconds(0.5)
    wire.expect("INVITE ->", "INVITE ->")
    wire.answer(100)
    wire.expect("<- 100", "CANCEL ->")
    wire.answer(180, to=wire.last("INVITE"))
    wire.answer(487, to=wire.last("INVITE"))
    wire.expect("<- 180", "<- 487", "ACK ->")
    assert [type(event) for event in wire.events()] == [Failed, Closed]
    wire.pass_seconds(100)
    wire.expect()  # the CANCEL, though never answered, is not repeated after the INVITE's end


def test_hung_up_before_anything_was_heard_and_nothing_ever_is():
    wire = Wire()
    session = wire.invite()
    wire.hang_up(session)
    wire.pass_seconds(33)
    assert wire.counts() == {"INVITE ->": 7}
    assert wire.events() == [Failed(session, CANCELLED, local=True), Closed(session)]


def test_200_crosses_the_cancel():
    wire, session = ringing()
    wire.hang_up(session)
    invite = wire.last("INVITE")
    wire.answer(200, to=invite, sdp=SDP)
    wire.expect("CANCEL ->", "<- 200", "ACK ->", "BYE ->")
    assert wire.events() == [Failed(session, CANCELLED, local=True)]
    wire.answer(481, to=wire.last("CANCEL"))
    wire.deliver(response_to(invite, 200, sdp=SDP))
    wire.answer(200, to=wire.last("BYE"))
    wire.expect("<- 481", "<- 200", "ACK ->", "<- 200")
    assert wire.events() == [Closed(session)]


def test_200_comes_before_the_cancel_could_be_sent():
    wire = Wire()
    session = wire.invite()
    wire.hang_up(session)
    wire.answer(200, sdp=SDP)
    wire.expect("INVITE ->", "<- 200", "ACK ->", "BYE ->")
    wire.answer(200)
    assert wire.events() == [Failed(session, CANCELLED, local=True), Closed(session)]


def test_peer_never_ends_its_invite_after_cancel():
    wire, session = ringing()
    wire.hang_up(session)
    wire.answer(200)
    wire.pass_seconds(31.99)
    assert wire.events() == []
    wire.pass_seconds(0.02)
    assert wire.events() == [Failed(session, CANCELLED, local=True), Closed(session)]
    wire.forget()
    # Even then a 200 is not left hanging: the far end would talk to nobody.
    wire.pass_seconds(20)
    wire.deliver(response_to(wire.last("INVITE"), 200, sdp=SDP))
    wire.expect("<- 200", "ACK ->", "BYE ->")
    wire.answer(200)
    assert wire.events() == []


def test_cancel_that_nobody_answers_is_repeated():
    wire, session = ringing()
    wire.hang_up(session)
    wire.pass_seconds(40)
    assert wire.times_of("CANCEL") == pytest.approx(
        [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5], abs=0.01
    )
    assert wire.events() == [Failed(session, CANCELLED, local=True), Closed(session)]


@pytest.mark.parametrize(("status", "told"), [(486, 486), (603, 603), (404, 404), (401, 487), (407, 487)])
def test_refusal_crosses_the_cancel(status, told):
    wire, session = ringing()
    wire.hang_up(session)
    wire.answer(status, to=wire.last("INVITE"))
    failed, closed = wire.events()
    assert failed.cause.status == told
    assert closed == Closed(session)
    wire.expect("CANCEL ->", f"<- {status}", "ACK ->")


def test_hanging_up_twice_is_once():
    for setup in (lambda wire: wire.invite(), lambda wire: wire.answered_call()):
        wire = Wire()
        session = setup(wire)
        if wire.sent[-1].start_line.startswith("INVITE"):
            wire.answer(180)
        wire.forget()
        wire.hang_up(session)
        wire.hang_up(session)
        assert len(wire.ladder) == 1
    wire.answer(200)
    wire.hang_up(session)
    assert wire.counts() == {"BYE ->": 1, "<- 200": 1}


def test_bye_and_bye_cross():
    wire = Wire()
    session = wire.answered_call()
    wire.hang_up(session)
    bye = wire.last("BYE")
    wire.ask("BYE", wire.last("INVITE"))
    assert wire.events() == []  # not HungUp: we did
    wire.answer(481, to=bye)
    wire.expect("BYE ->", "<- BYE", "200 ->", "<- 481")
    assert wire.events() == [Closed(session)]


def test_forks_that_answer_too_are_ended():
    wire = Wire()
    session = wire.invite()
    invite = wire.last("INVITE")
    wire.answer(180, tag="one")
    wire.answer(180, tag="two", to=invite)
    wire.answer(200, tag="two", to=invite, sdp=SDP)
    wire.deliver(response_to(invite, 200, tag="one", sdp=SDP))
    assert wire.ladder[-3:] == ["<- 200", "ACK ->", "BYE ->"]
    assert (wire.sent[-2].to_tag, wire.sent[-1].to_tag) == ("one", "one")
    wire.answer(200)
    wire.deliver(response_to(invite, 200, tag="one", sdp=SDP))
    assert wire.ladder[-2:] == ["<- 200", "ACK ->"]
    answered = [event for event in wire.events() if isinstance(event, Answered)]
    assert len(answered) == 1
    assert '"remote_tag":"two"' in answered[0].dialog
    wire.ask("BYE", invite, tag="one")
    assert wire.events() == []  # the end of a fork is not the end of the call
    wire.ask("BYE", invite, tag="two")
    assert [type(event).__name__ for event in wire.events()] == ["HungUp", "Closed"]
    assert session


def test_forks_have_a_limit():
    wire = Wire()
    wire.invite()
    invite = wire.last("INVITE")
    for number in range(40):
        wire.deliver(response_to(invite, 200, tag=f"fork{number}", sdp=SDP))
    assert wire.counts()["ACK ->"] == 16
