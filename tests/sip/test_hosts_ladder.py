"""A request in a dialog at whose host nobody answers, where the name of it has another (RFC 3263, 4.3)."""

import pytest

from tests.sip.wire import OFFER, SDP, Wire
from webcb.sip.events import Alive, Closed, HungUp, OfferAnswered
from webcb.sip.indialog import HOSTS_MAX


def up(hosts_left: int) -> tuple[Wire, int]:
    wire = Wire()
    session = wire.answered_call()
    wire.hosts_left = hosts_left
    return wire, session


def test_bye_goes_to_the_next_host_and_the_call_is_over_when_that_answers():
    wire, session = up(1)
    wire.hang_up(session)
    first = wire.last("BYE")
    wire.pass_seconds(32.1)
    again = wire.last("BYE")
    assert (again.cseq, again.call_id) == (first.cseq + 1, first.call_id)
    assert again.via.branch != first.via.branch
    wire.answer(200, to=again)
    assert wire.events() == [Closed(session)]


def test_offer_of_ours_goes_to_the_next_host():
    wire, session = up(1)
    wire.offer(session, OFFER)
    wire.pass_seconds(32.1)
    assert wire.counts() == {"INVITE ->": 8}
    wire.answer(200, to=wire.last("INVITE"), sdp=SDP)
    assert wire.events() == [OfferAnswered(session, OFFER, SDP)]


def test_host_that_cannot_be_reached_costs_no_time():
    wire, session = up(1)
    wire.us.inquire(session, wire.now)
    wire.pass_seconds(0)
    wire.us.undeliverable(wire.addresses[-1], wire.now)
    wire.pass_seconds(0)
    wire.expect("OPTIONS ->", "OPTIONS ->")
    wire.answer(200)
    assert wire.events() == [Alive(session)]


@pytest.mark.parametrize(("hosts_left", "tried"), [(0, 1), (1, 2), (100, HOSTS_MAX)])
def test_peer_is_gone_when_no_host_of_it_answers(hosts_left, tried):
    wire, session = up(hosts_left)
    wire.us.inquire(session, wire.now)
    wire.pass_seconds(32.1 * tried - 1)
    assert wire.events() == []
    wire.hosts_left = 0
    wire.pass_seconds(2)
    assert [type(event) for event in wire.events()] == [HungUp]
