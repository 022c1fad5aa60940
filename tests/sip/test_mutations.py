"""A live call under fire: a peer whose every message is nearly right. It connects or fails cleanly, and nothing is left of it.

What comes is accepted or a ProtocolError, never anything else. Each call is made by its seed, which is told where it fails.
"""

import random
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import pytest

from tests.sip.mutation import mutated
from tests.sip.wire import ALICE, OFFER, PEER, SDP, Wire, response_to
from webcb.sip.events import Address, Answered, Closed, Failed, HungUp, Offered
from webcb.sip.grammar import ProtocolError
from webcb.sip.message import Message, Request, read_message, split_message
from webcb.sip.offer_answer import read_answer, read_offer

HERE = Path(__file__).parent
CORPUS = [path.read_bytes() for folder in ("rfc4475", "callflows") for path in sorted((HERE / folder).glob("*.*[tg]"))]
CALLS = 1500  # about five seconds
SOAK_SECONDS = 600
MESSAGES_MAX = 8
UP_SHARE = 0.3  # of the calls: they are up before the fire begins
BROKEN_SHARE = 0.7  # of the messages; the others are as they should be, so that calls get somewhere
CHALLENGE = 'Digest realm="r", nonce="n", qop="auth,auth-int", algorithm=SHA-256'
ANSWERS = (
    (100, {}), (180, {}), (183, {"sdp": SDP}), (183, {"sdp": SDP, "Require": "100rel", "RSeq": "1"}), (200, {"sdp": SDP}),
    (200, {"sdp": SDP, "Record_Route": "<sip:p1.example.com;lr>, <sip:p2.example.com>"}),
    (200, {"sdp": SDP, "Require": "timer", "Session_Expires": "90;refresher=uac"}),
    (302, {"Contact": "<sip:15551234567@198.51.100.9>"}), (401, {"WWW_Authenticate": CHALLENGE}),
    (407, {"Proxy_Authenticate": CHALLENGE}), (422, {"Min_SE": "3600"}), (481, {}), (486, {"Reason": "Q.850;cause=17"}),
    (491, {}), (503, {"Retry_After": "20 (soon);duration=3"}),
)  # fmt: skip
ASKED = ("INVITE", "UPDATE", "INFO", "ACK", "CANCEL", "REFER", "BYE", "PRACK", "OPTIONS", "FOO")
ELSEWHERE = Address("203.0.113.66", 5060)


class Fire:
    """One call and its peer, both of the same seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.wire = Wire()
        self.session = self.wire.invite(credentials=ALICE, offer=self.draw.choice((OFFER, OFFER, OFFER, b"")))
        if self.draw.random() < UP_SHARE:
            self.wire.answer(200, sdp=SDP)

    def message(self) -> bytes:
        """What the peer says next: mostly an answer to whatever we asked last, sometimes a request in the call."""
        draw, wire = self.draw, self.wire
        asked = [sent for sent in wire.sent if isinstance(sent, Request) and sent.method != "ACK"]
        invite = next(sent for sent in wire.sent if isinstance(sent, Request) and sent.method == "INVITE")
        if draw.random() < 0.65:
            status, changes = draw.choice(ANSWERS)
            return response_to(
                draw.choice((asked[-1], draw.choice(asked))), status, draw.choice(("peer", "fork")), **changes
            )
        method = draw.choice(ASKED)
        return wire.build(method, invite, sdp=SDP if method in ("INVITE", "UPDATE") else b"").encode()

    def burn(self) -> None:
        """A few messages, and what our owner does meanwhile."""
        draw, wire = self.draw, self.wire
        for _ in range(draw.randint(1, MESSAGES_MAX)):
            data = self.message()
            if draw.random() < BROKEN_SHARE:
                data = mutated(draw, data, CORPUS)
                look_at(data)
            wire.deliver(data, PEER if draw.random() < 0.9 else ELSEWHERE)
            wire.pass_seconds(draw.choice((0, 0.1, 0.6, 5)))
            if any(isinstance(event, Offered) for event in wire.told) and draw.random() < 0.8:
                wire.accept_offer(self.session)
            if draw.random() < 0.05:
                wire.hang_up(self.session)
        self.assert_ends_clean()

    def assert_ends_clean(self) -> None:
        """We hang up: the call was told once to be answered or failed, closed at last, and nothing of it is left."""
        wire, session = self.wire, self.session
        answered = [event for event in wire.told if isinstance(event, Answered)]
        if answered and Closed(session) not in wire.told:
            wire.us.dialog(session)
        for event in answered:
            expect_protocol_error(read_answer, OFFER, event.sdp)
        wire.hang_up(session)
        wire.pass_seconds(400)
        endings = [event for event in wire.told if isinstance(event, Answered | Failed)]
        assert len(endings) == 1, wire.ladder
        assert [event for event in wire.told if isinstance(event, Closed)] == [wire.told[-1]] == [Closed(session)]
        assert sum(isinstance(event, HungUp) for event in wire.told) <= len(answered)
        assert wire.us.next_deadline() is None, wire.ladder
        assert len(wire.us._layer) == 0, wire.ladder


def expect_protocol_error(read, *what: bytes) -> object:
    """What was read, or None where it is the peer's fault; nothing else gets past."""
    try:
        return read(*what)
    except ProtocolError:
        return None


def look_at(data: bytes) -> None:
    """Accept or ProtocolError; what is accepted prints as what reads the same."""
    message = expect_protocol_error(read_message, data)
    if isinstance(message, Message):
        again = split_message(message.encode())
        assert (again.start_line, again.body) == (message.start_line, message.body)
        assert again.fields | {"Content-Length": []} == message.fields | {"Content-Length": []}
        expect_protocol_error(read_offer, message.body)


def burn(seeds: Iterable[int], seconds_max: float) -> int:
    """Calls by their seeds, until they are all made or the time is over; how many there were."""
    began = time.monotonic()
    calls = 0
    for seed in seeds:
        if time.monotonic() - began > seconds_max:
            break
        try:
            Fire(seed).burn()
        except Exception as wrong:
            raise AssertionError(f"the call of seed {seed}") from wrong
        calls += 1
    return calls


def test_a_call_under_fire_connects_or_fails_cleanly():
    assert burn(range(CALLS), seconds_max=60) == CALLS


@pytest.mark.soak
def test_calls_under_fire_for_ten_minutes():
    assert burn(count(CALLS), SOAK_SECONDS) > CALLS


@pytest.mark.parametrize("parameters", [";tag=x;branch = >", ";tag", ";TAG=x", '; tag=x;y=">;"', ";y=>;tag=x"])
def test_a_to_that_has_a_tag_gets_no_second(parameters):
    """Found by calls under fire: the answer repeated To with a tag more, and was no message then."""
    wire = Wire()
    wire.answered_call()
    request = wire.build("OPTIONS", wire.last("INVITE"), To=f"<sip:webcb.example>{parameters}")
    wire.deliver(request.encode())
    assert wire.sent[-1].first("To") == request.first("To")


@pytest.mark.parametrize("source", range(len(CORPUS)))
def test_what_is_nearly_a_message_of_the_rfcs_is_read_or_refused(source):
    draw = random.Random(source)
    for _ in range(20):
        look_at(mutated(draw, CORPUS[source], CORPUS))
