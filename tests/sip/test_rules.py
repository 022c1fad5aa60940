"""The timers and rules that the RFCs set a caller, row by row: which test holds each, and those that no ladder had.

timers_and_rules.csv quotes the RFCs it names in its first column; `held_by` are ours.
"""

import ast
import csv
from pathlib import Path

import pytest

from tests.sip.wire import OFFER, PEER, SDP, Wire, response_to
from webcb.sip.events import Answered, Closed, Failed, Probed
from webcb.sip.message import read_message

TOP = Path(__file__).parent.parent.parent
ROWS = list(csv.DictReader((Path(__file__).parent / "timers_and_rules.csv").read_text().splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['source']}: {row['situation']}")
def test_every_rule_is_held_by_a_test(row):
    assert row["held_by"]
    for held_by in row["held_by"].split(" "):
        file, name = held_by.split("::")
        functions = [node for node in ast.parse((TOP / file).read_text()).body if isinstance(node, ast.FunctionDef)]
        assert name in {function.name for function in functions}, held_by


def test_all_rules_are_here():
    assert len(ROWS) == 20


def test_options_that_nobody_answers():
    wire = Wire()
    session = wire.us.probe("sip:carrier.example", PEER, wire.now)
    wire.pass_seconds(0)
    wire.pass_seconds(31.99)
    assert wire.times_of("OPTIONS") == pytest.approx(
        [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5], abs=0.01
    )
    wire.pass_seconds(0.02)
    told, closed = wire.events()
    assert isinstance(told, Probed)
    assert closed == Closed(session)


def test_ringing_too_long_is_ended_by_cancel():
    """No timer of the transaction ends a call that rings; its owner does (RFC 3261, 17.1.1.2)."""
    wire = Wire()
    session = wire.invite()
    wire.answer(180)
    wire.pass_seconds(299)
    assert wire.us.next_deadline() is None
    wire.hang_up(session)
    wire.answer(200, to=wire.last("CANCEL"))
    wire.answer(487, to=wire.last("INVITE"))
    assert [type(event) for event in wire.events()][-2:] == [Failed, Closed]


def test_start_of_a_leg_is_its_first_200():
    wire = Wire()
    wire.invite()
    ok = response_to(wire.last("INVITE"), 200, sdp=SDP)
    began = wire.now
    wire.pass_seconds(3)
    heard = []
    for seconds in (0.5, 1, 2):
        wire.deliver(ok)
        heard += [(wire.now, event) for event in wire.events()]
        wire.pass_seconds(seconds)
    ((at, answered),) = heard
    assert at == pytest.approx(began + 3, abs=0.01)
    assert isinstance(answered, Answered)


def test_ack_follows_its_200_at_once():
    wire = Wire()
    wire.invite()
    wire.pass_seconds(2)
    wire.deliver(response_to(wire.last("INVITE"), 200, sdp=SDP))
    assert wire.times[-1] == pytest.approx(wire.times[0] + 2, abs=0.01)
    assert wire.ladder[-2:] == ["<- 200", "ACK ->"]


def test_one_of_two_forks_is_billed():
    """One Answered, whatever the forks; the other has its BYE within a second (RFC 3261, 13.2.2.4)."""
    wire = Wire()
    wire.invite()
    invite = wire.last("INVITE")
    wire.deliver(response_to(invite, 200, tag="first", sdp=SDP))
    wire.pass_seconds(0.3)
    wire.deliver(response_to(invite, 200, tag="second", sdp=SDP))
    assert [type(event) for event in wire.events()] == [Answered]
    assert wire.times[-1] == pytest.approx(wire.times[0] + 0.3, abs=0.01)
    assert wire.last("BYE").to_tag == "second"


@pytest.mark.parametrize(
    ("announced", "reaction"),
    [(len(OFFER), "200"), (len(OFFER) - 30, "200"), (len(OFFER) + 1, "400"), (10**9, "400")],
)
def test_content_length_of_a_datagram(announced, reaction):
    """Shorter than the body: the rest is ignored; longer: 400 (RFC 3261, 18.3)."""
    wire = Wire()
    wire.answered_call()
    options = wire.build("OPTIONS", wire.last("INVITE"), sdp=OFFER).encode()
    length = f"Content-Length: {len(OFFER)}".encode()
    assert length in options
    data = options.replace(length, f"Content-Length: {announced}".encode())
    if reaction == "200":
        assert read_message(data).body == OFFER[:announced]
    wire.deliver(data)
    wire.expect("<- OPTIONS", f"{reaction} ->")
