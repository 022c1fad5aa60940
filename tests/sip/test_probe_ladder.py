"""OPTIONS of ours: whether somebody is there."""

import pytest

from tests.sip.wire import PEER, Wire
from webcb.sip.events import Address, Cause, Closed, Probed


def probed(wire: Wire, next_hop: Address = PEER) -> int:
    session = wire.us.probe("sip:carrier.example", next_hop, wire.now)
    wire.pass_seconds(0)
    return session


@pytest.mark.parametrize("status", [200, 401, 404, 405, 503])
def test_any_answer_is_told_and_ends_it(status: int) -> None:
    wire = Wire()
    session = probed(wire)
    options = wire.last("OPTIONS")
    assert (options.uri, options.first("To"), options.first("Max-Forwards")) == (
        "sip:carrier.example",
        "<sip:carrier.example>",
        "70",
    )
    wire.answer(status)
    told, closed = wire.events()
    assert isinstance(told, Probed)
    assert (told.session, told.cause.status, closed) == (session, status, Closed(session))
    wire.pass_seconds(60)
    wire.expect("OPTIONS ->", f"<- {status}")
    assert wire.us.next_deadline() is None


def test_silence_is_told_after_timer_f() -> None:
    wire = Wire()
    session = probed(wire)
    wire.pass_seconds(31.99)
    assert wire.counts()["OPTIONS ->"] == 11
    assert wire.events() == []
    wire.pass_seconds(0.02)
    assert wire.events() == [Probed(session, Cause(408, 41, "no answer")), Closed(session)]


def test_what_cannot_be_sent_is_told_at_once_with_its_reason() -> None:
    wire = Wire()
    there = Address(PEER.host, 5061, "tls")
    session = probed(wire, there)
    assert wire.last("OPTIONS").via.transport == "TLS"
    wire.us.undeliverable(there, wire.now, "its certificate: certificate has expired")
    wire.pass_seconds(0)
    told = Probed(session, Cause(503, 41, "its certificate: certificate has expired"))
    assert wire.events() == [told, Closed(session)]


def test_what_is_no_sip_uri_is_not_asked() -> None:
    wire = Wire()
    with pytest.raises(ValueError, match="sip"):
        wire.us.probe("tel:1", PEER, wire.now)
    wire.expect()
