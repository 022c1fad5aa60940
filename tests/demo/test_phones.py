"""Each phone of the demo carrier does what the printed table says, as our own user agent sees it, in virtual time."""

import pytest

from tests.demo.ladder import CARRIER, OFFER, Ladder
from webcb.demo import phones
from webcb.demo.carrier import CREDENTIALS
from webcb.demo.phones import PHONES, Phone, Voice
from webcb.number import display_number, parse_number
from webcb.sip.digest import Credentials
from webcb.sip.events import Answered, Closed, Event, Failed, HungUp
from webcb.sip.offer_answer import read_answer


def only(events: list[Event], kind: type[Event]) -> Event:
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) == 1, events
    return found[0]


@pytest.mark.parametrize(
    ("phone", "ladder"),
    [
        (phones.SPEAKS, ["INVITE ->", "<- 100", "<- 180", "<- 200", "ACK ->"]),
        (phones.SLOW, ["INVITE ->", "<- 100", "<- 180", "<- 200", "ACK ->"]),
        (phones.BUSY, ["INVITE ->", "<- 100", "<- 486", "ACK ->"]),
        (phones.ABSENT, ["INVITE ->", "<- 100", "<- 404", "ACK ->"]),
        (phones.REJECTS, ["INVITE ->", "<- 100", "<- 180", "<- 603", "ACK ->"]),
        (phones.RINGS_OUT, ["INVITE ->", "<- 100", "<- 180"]),
        (
            phones.CHALLENGED_MD5,
            ["INVITE ->", "<- 407", "ACK ->", "INVITE ->", "<- 100", "<- 180", "<- 200", "ACK ->"],
        ),
        (
            phones.CHALLENGED_SHA256,
            ["INVITE ->", "<- 407", "ACK ->", "INVITE ->", "<- 100", "<- 180", "<- 200", "ACK ->"],
        ),
    ],
    ids=lambda value: value.does if isinstance(value, Phone) else "",
)
def test_what_a_phone_says_on_the_wire(phone: Phone, ladder: list[str]) -> None:
    wire = Ladder()
    wire.call(phone)
    wire.pass_seconds(20)
    assert wire.said == ladder


def test_the_slow_phone_answers_after_8_seconds() -> None:
    wire = Ladder()
    wire.call(phones.SLOW)
    wire.pass_seconds(7.9)
    assert "<- 200" not in wire.said
    wire.pass_seconds(0.2)
    assert "<- 200" in wire.said


def test_one_phone_hangs_up_10_seconds_after_its_answer() -> None:
    wire = Ladder()
    wire.call(phones.SHORT)
    wire.pass_seconds(1.5)
    only(wire.events, Answered)
    wire.take_said()
    wire.pass_seconds(9.9)
    assert wire.said == []
    wire.pass_seconds(0.2)
    assert wire.take_said() == ["<- BYE", "200 ->"]
    only(wire.events, HungUp)
    assert wire.told[-1] == "hangs up"
    assert len(wire.switch) == 0


def test_the_caller_hangs_up() -> None:
    wire = Ladder()
    session = wire.call(phones.SPEAKS)
    wire.pass_seconds(5)
    wire.take_said()
    wire.hang_up(session)
    assert wire.said == ["BYE ->", "<- 200"]
    assert not wire.lines[0].is_open
    assert len(wire.switch) == 0
    only(wire.events, Closed)


def test_the_caller_gives_up_while_it_rings() -> None:
    wire = Ladder()
    session = wire.call(phones.RINGS_OUT)
    wire.pass_seconds(5)
    wire.take_said()
    wire.hang_up(session)
    assert sorted(wire.said) == sorted(["CANCEL ->", "<- 200", "<- 487", "ACK ->"])
    failed = only(wire.events, Failed)
    assert isinstance(failed, Failed)
    assert failed.cause.status == 487
    assert not wire.lines[0].is_open
    assert len(wire.switch) == 0


def test_an_answer_is_repeated_until_its_ack_comes() -> None:
    wire = Ladder()
    wire.call(phones.SPEAKS)
    wire.pass_seconds(1.4)
    wire.take_said()
    wire.lose_next(1)
    wire.pass_seconds(1.0)
    assert wire.said == ["<- 200 lost", "<- 200", "ACK ->"]


def test_an_answer_never_acknowledged_ends_in_a_bye_after_32_seconds() -> None:
    wire = Ladder()
    wire.call(phones.SPEAKS)
    wire.pass_seconds(1.4)
    wire.take_said()
    wire.lose_next(20)
    wire.pass_seconds(31.9)
    assert set(wire.take_said()) == {"<- 200 lost"}
    wire.lose_next(0)
    wire.pass_seconds(0.3)
    assert "<- BYE" in wire.said


def test_a_bye_never_answered_is_given_up_after_32_seconds() -> None:
    wire = Ladder()
    wire.call(phones.SHORT)
    wire.pass_seconds(2)
    wire.lose_share = 1.0
    wire.pass_seconds(9)
    assert len(wire.switch) == 1
    wire.pass_seconds(33)
    assert len(wire.switch) == 0
    assert "<- BYE lost" in wire.said


def test_a_lost_refusal_is_sent_again() -> None:
    wire = Ladder()
    wire.call(phones.REJECTS)
    wire.pass_seconds(1.9)
    wire.take_said()
    wire.lose_next(1)
    wire.pass_seconds(1)
    assert wire.said == ["<- 603 lost", "<- 603", "ACK ->"]


@pytest.mark.parametrize(("credentials", "status"), [(None, 407), (Credentials(CREDENTIALS.username, "a guess"), 403)])
def test_who_lacks_the_password_does_not_pass_the_gate(credentials: Credentials | None, status: int) -> None:
    wire = Ladder()
    wire.call(phones.CHALLENGED_MD5, credentials)
    wire.pass_seconds(5)
    failed = only(wire.events, Failed)
    assert isinstance(failed, Failed)
    assert failed.cause.status == status
    assert wire.lines == []


def test_the_answer_names_the_port_that_speaks_and_it_speaks_in_a_codec_of_the_offer() -> None:
    wire = Ladder()
    wire.call(phones.SPEAKS)
    wire.pass_seconds(3)
    answered = only(wire.events, Answered)
    assert isinstance(answered, Answered)
    stream = read_answer(OFFER, answered.sdp)
    assert (stream.host, stream.port) == (CARRIER.host, wire.lines[0].rtp_port)
    spoken_to = wire.lines[0].stream
    assert spoken_to is not None
    assert (spoken_to.host, spoken_to.port) == ("192.0.2.1", 20000)


@pytest.mark.parametrize("seed", range(20))
def test_on_a_wire_that_loses_a_fifth_every_call_ends_as_it_should(seed: int) -> None:
    """Both directions lose at random; the short phone hangs up; in the end nobody knows of a call any more."""
    wire = Ladder(seed=seed)
    wire.lose_share = 0.2
    session = wire.call(phones.SHORT)
    wire.pass_seconds(300)
    ended = [event for event in wire.events if isinstance(event, HungUp | Failed)]
    assert len(ended) == 1
    assert isinstance(wire.events[-1], Closed)
    assert wire.events[-1].session == session
    assert len(wire.switch) == 0
    assert not any(line.is_open for line in wire.lines)


@pytest.mark.parametrize(
    "data", [b"", b"\r\n\r\n", b"INVITE", b"INVITE sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"]
)
def test_noise_is_dropped(data: bytes) -> None:
    wire = Ladder()
    wire.switch.receive(data, CARRIER, 0.0)
    assert wire.switch.to_send() == []


def test_a_number_of_nobody_is_not_found() -> None:
    wire = Ladder()
    wire.call(Phone("4930123456", "Germany", "is of another carrier"))
    assert wire.said == ["INVITE ->", "<- 404", "ACK ->"]


def test_every_number_can_be_dialled_and_stands_once_in_the_table() -> None:
    assert len({phone.number for phone in PHONES}) == len(PHONES)
    for phone in PHONES:
        assert parse_number(display_number(phone.number), "US").digits == phone.number
        assert display_number(phone.number) in phones.table(PHONES)
    assert {phone.voice for phone in PHONES} == set(Voice)
