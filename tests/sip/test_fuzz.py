"""Whatever comes: accepted, answered or dropped, never an exception; and a garbled answer never leaves a call half up."""

import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sip.wire import PEER, SDP, US, Wire, response_to
from webcb.sip.digest import parse_challenge
from webcb.sip.events import Address, Answered, Closed, Failed, HungUp
from webcb.sip.grammar import ProtocolError, parse_parameters, quote, split_outside_quotes, unquote
from webcb.sip.message import parse_via, read_message, split_message
from webcb.sip.offer_answer import Codec, make_answer, make_offer, read_answer, read_offer
from webcb.sip.sdp import parse_sdp
from webcb.sip.uri import parse_name_address, parse_uri

HERE = Path(__file__).parent
CORPUS = [path.read_bytes() for folder in ("rfc4475", "callflows") for path in sorted((HERE / folder).glob("*.*[tg]"))]
PIECES = [b"\r\n", b"\r\n\r\n", b" ", b";", b",", b'"', b"<", b">", b":", b"\0", b"\xff", b"=", b"@", b"%", b"[", b"]", b"9" * 30,
          b"tag=x", b"SIP/2.0"]  # fmt: skip


@st.composite
def garbled(draw, sources=CORPUS) -> bytes:
    """A message of the corpus with a few places cut, doubled, or overwritten by what grammars stumble over."""
    data = draw(st.sampled_from(sources))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 20))
        piece = draw(st.sampled_from([*PIECES, data[at : at + length] * 2]) | st.binary(max_size=4))
        data = data[:at] + piece + data[at + length :]
    return data


@settings(max_examples=300)
@given(garbled() | st.binary(max_size=200))
def test_receive_never_raises(data):
    wire = Wire()
    wire.answered_call()
    wire.us.receive(data, PEER, wire.now)
    for sent, address in wire.us.to_send():
        split_message(sent)  # what we answer is a message
        assert isinstance(address, Address)
        assert address.host == PEER.host
    assert wire.us.events() == []
    wire.us.handle_deadline(wire.now + 100)


def live_messages() -> list[bytes]:
    """What a peer sends to one call, with tags that fit the call that `Wire(seed=1)` places."""
    wire = Wire()
    wire.invite()
    invite = wire.last("INVITE")
    asked = [wire.build(method, invite, sdp=SDP if method in ("INVITE", "UPDATE") else b"") for method in
             ("INVITE", "UPDATE", "INFO", "ACK", "CANCEL", "REFER", "BYE")]  # fmt: skip
    answers = [
        response_to(invite, 200, sdp=SDP, Record_Route="<sip:p1.example.com;lr>, <sip:p2.example.com>"),
        response_to(invite, 183, sdp=SDP),
        response_to(invite, 486, Reason='Q.850;cause=17;text="busy"', Retry_After="20 (soon);duration=3"),
        response_to(invite, 401, WWW_Authenticate='Digest realm="r", nonce="n", qop="auth,auth-int", algorithm=MD5'),
    ]
    return [*answers, *(request.encode() for request in asked)]


@settings(max_examples=120)
@given(st.lists(garbled(live_messages()) | st.sampled_from(live_messages()), max_size=5))
def test_garbled_answers_leave_no_call_half_up(messages):
    wire = Wire()
    session = wire.invite()
    for data in messages:
        wire.deliver(data)
        wire.pass_seconds(0.1)
    wire.hang_up(session)
    wire.pass_seconds(200)
    endings = [event for event in wire.told if isinstance(event, Answered | Failed)]
    assert len(endings) == 1
    assert wire.told[-1] == Closed(session)
    assert sum(isinstance(event, HungUp) for event in wire.told) <= isinstance(endings[0], Answered)
    assert wire.us.next_deadline() is None
    assert len(wire.us._layer) == 0


PARSERS = (split_message, read_message, parse_sdp, read_offer)
TEXT_PARSERS = (parse_uri, parse_name_address, parse_via, parse_parameters, parse_challenge)


@settings(max_examples=300)
@given(garbled([*CORPUS, SDP]))
def test_parsers_raise_protocol_error_only(data):
    for parse in PARSERS:
        with suppress(ProtocolError):
            parse(data)


@settings(max_examples=500)
@given(st.text(alphabet='sip:@<>;,="\\[]%?&/ \tab1.\x00é', max_size=40))
def test_text_parsers_raise_protocol_error_only(text):
    for parse in TEXT_PARSERS:
        with suppress(ProtocolError):
            parse(text)


@given(st.text(max_size=40))
def test_quoting_is_undone_by_unquoting(text):
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    assert unquote(quote(text)) == clean
    assert split_outside_quotes(f"{quote(text)} , x", ",") == [quote(text), "x"]


AUDIO = (Codec("PCMU", 0, 8000), Codec("PCMA", 8, 8000), Codec("G722", 9, 8000))
CODECS = st.lists(
    st.sampled_from([*AUDIO, Codec("telephone-event", 101, 8000, "0-16")]),
    min_size=1, unique=True,
).map(tuple)  # fmt: skip


@given(CODECS, CODECS, st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]), st.integers(1, 65535))
def test_every_answer_we_make_can_be_read(offered, ours, direction, port):
    offer = make_offer("192.0.2.1", port, offered, 1, 1, direction)
    common = [codec for codec in offered if codec in ours]
    try:
        answer = make_answer(offer, "2001:db8::1", 4000, ours, 2, 1)
    except ProtocolError:
        assert all(codec.name == "telephone-event" for codec in common)
        return
    stream = read_answer(offer, answer)
    assert list(stream.codecs) == common
    assert (stream.host, stream.port) == ("2001:db8::1", 4000)
    mirrored = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
    assert stream.direction == mirrored[direction]


@pytest.mark.soak
def test_receive_for_a_long_time():
    draw = random.Random(0)
    wire = Wire()
    wire.answered_call()
    for _ in range(1_000_000):
        data = bytearray(draw.choice(CORPUS))
        for _ in range(draw.randint(1, 8)):
            at = draw.randrange(len(data) + 1)
            data[at : at + draw.randint(0, 8)] = draw.choice(PIECES)
        wire.us.receive(bytes(data), US, wire.now)
        wire.us.to_send()
        wire.now += 0.001
        wire.us.handle_deadline(wire.now)
