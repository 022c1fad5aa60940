"""A call that is over is gone at once: who knew each other has parted, so that no collector of garbage has to find them.

It would find them a thousand calls later, and so much memory more would be in use for good.
"""

import gc
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.sip.wire import ALICE, PEER, SDP, Wire
from webcb.sip.conversation import Conversation
from webcb.sip.dialog import Dialog
from webcb.sip.events import Address, Closed
from webcb.sip.indialog import DialogRequests
from webcb.sip.negotiation import Negotiation
from webcb.sip.proposal import Proposal
from webcb.sip.refresh import Refresh
from webcb.sip.session import Session
from webcb.sip.timers import STALE_MIN, Timers
from webcb.sip.transaction import ClientTransaction, ServerTransaction

OF_A_CALL = (
    *(Session, Conversation, DialogRequests, Negotiation, Proposal, Refresh, Dialog),
    *(ClientTransaction, ServerTransaction),
)
LONGEST_SECONDS = 32 + 32  # the last transaction may begin as the first one ends
MD5 = 'Digest realm="carrier.example", nonce="n1", algorithm=MD5, qop="auth"'


@pytest.fixture(autouse=True)
def nobody_collects() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def there() -> Counter[str]:
    """How many there are of what a call has, of those that came since nobody collects."""
    return Counter(type(each).__name__ for each in gc.get_objects(generation=0) if isinstance(each, OF_A_CALL))


def we_hang_up(wire: Wire) -> None:
    session = wire.answered_call()
    wire.hang_up(session)
    wire.answer(200)


def the_peer_hangs_up(wire: Wire) -> None:
    wire.answered_call()
    wire.ask("BYE", wire.last("INVITE"))


def we_hang_up_over_tcp(wire: Wire) -> None:
    session = wire.invite(next_hop=Address(PEER.host, 5060, "tcp"))
    wire.answer(200, sdp=SDP, Contact=f"<sip:peer@{PEER.host};transport=tcp>")
    wire.hang_up(session)
    wire.answer(200, to=wire.last("BYE"))
    assert wire.events()[-1] == Closed(session)


def nobody_answers_our_bye(wire: Wire) -> None:
    wire.hang_up(wire.answered_call())


def the_peer_refuses(wire: Wire) -> None:
    wire.invite()
    wire.answer(486)


def nobody_answers(wire: Wire) -> None:
    wire.invite()


def nothing_can_be_sent(wire: Wire) -> None:
    wire.invite()
    wire.us.undeliverable(wire.addresses[-1], wire.now)
    wire.pass_seconds(0)


def we_cancel(wire: Wire) -> None:
    session = wire.invite()
    wire.answer(180)
    invite = wire.last("INVITE")
    wire.hang_up(session)
    wire.answer(200)
    wire.answer(487, to=invite)


def the_answer_crosses_our_cancel(wire: Wire) -> None:
    session = wire.invite()
    wire.answer(180)
    invite = wire.last("INVITE")
    wire.hang_up(session)
    wire.answer(200, to=invite, sdp=SDP)


def it_is_challenged(wire: Wire) -> None:
    wire.invite(credentials=ALICE)
    wire.answer(401, WWW_Authenticate=MD5)
    wire.answer(200, to=wire.last("INVITE"), sdp=SDP)
    wire.ask("BYE", wire.last("INVITE"))


def it_has_a_session_timer(wire: Wire) -> None:
    wire.invite()
    wire.answer(200, sdp=SDP, Session_Expires="1800;refresher=uac", Require="timer", Allow="INVITE, ACK, BYE, UPDATE")
    wire.pass_seconds(900)
    wire.answer(200, to=wire.last("UPDATE"), Session_Expires="1800;refresher=uac", Require="timer")
    wire.ask("BYE", wire.last("INVITE"))


def a_fork_answers_after_the_end(wire: Wire) -> None:
    wire.answered_call()
    invite = wire.last("INVITE")
    wire.ask("BYE", invite)
    wire.answer(200, to=invite, tag="fork", sdp=SDP)
    assert wire.last("BYE").to_tag == "fork"
    wire.answer(200, to=wire.last("BYE"), tag="fork")


def both_offer(wire: Wire) -> None:
    session = wire.answered_call()
    invite = wire.last("INVITE")
    wire.answer(200, to=wire.offer(session, SDP), sdp=SDP)
    wire.ask("INVITE", invite, sdp=SDP)
    wire.accept_offer(session)
    wire.ask("BYE", invite)


def another_process_goes_on(wire: Wire) -> None:
    session = wire.answered_call()
    wire.us.forget(session, wire.now)


WAYS = [
    we_hang_up,
    the_peer_hangs_up,
    we_hang_up_over_tcp,
    nobody_answers_our_bye,
    the_peer_refuses,
    nobody_answers,
    nothing_can_be_sent,
    we_cancel,
    the_answer_crosses_our_cancel,
    it_is_challenged,
    it_has_a_session_timer,
    a_fork_answers_after_the_end,
    both_offer,
    another_process_goes_on,
]


def test_while_it_is_up_it_is_there():
    before = there()
    wire = Wire()
    wire.answered_call()
    assert set(there() - before) == {kind.__name__ for kind in OF_A_CALL} - {"ServerTransaction"}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_is_left_of_a_call_that_is_over(way):
    before = there()
    wire = Wire()
    way(wire)
    wire.pass_seconds(LONGEST_SECONDS)
    assert there() == before


def test_stopped_deadlines_are_thrown_out_before_their_time():
    class Owner:
        def __init__(self) -> None:
            self.deadlines: dict[str, float] = {}
            self.rung: list[float] = []

        def on_timer(self, _timer: str, now: float) -> None:
            self.rung.append(now)

    timers, stays = Timers(), [Owner() for _ in range(3)]
    for number, owner in enumerate(stays):
        timers.start(owner, "session timer", 1800.0 + number)
    before = sum(isinstance(each, Owner) for each in gc.get_objects(generation=0))
    for _ in range(10 * STALE_MIN):
        gone = Owner()
        timers.start(gone, "session timer", 900.0)
        gone.deadlines.clear()
    del gone
    assert sum(isinstance(each, Owner) for each in gc.get_objects(generation=0)) <= before + STALE_MIN
    assert timers.next_deadline() == 1800.0
    timers.fire(1801.0)
    assert [owner.rung for owner in stays] == [[1801.0], [1801.0], []]
