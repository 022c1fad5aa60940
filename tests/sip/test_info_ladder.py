"""INFO with digits, in the two forms gateways send: told once, answered 200, 400, 415 or 469."""

import pytest

from tests.sip.wire import PEER, Wire
from webcb.sip.events import Digit
from webcb.sip.message import Request

RELAY, PLAIN = "application/dtmf-relay", "application/dtmf"


def info(wire: Wire, body: bytes, kind: str = RELAY, **headers: str) -> Request:
    request = wire.build("INFO", wire.last("INVITE"), Content_Type=kind, **headers)
    request.body = body
    wire.deliver(request.encode())
    return request


@pytest.mark.parametrize(
    ("kind", "body", "digit", "duration_ms"),
    [
        (RELAY, b"Signal=5\r\nDuration=160\r\n", "5", 160),
        (RELAY, b"Signal= 5 \nDuration= 160", "5", 160),
        (RELAY, b"duration=250\r\nSIGNAL=#\r\n", "#", 250),
        (RELAY, b"Signal=10\r\n", "*", 0),
        (RELAY, b"Signal=15\r\nDuration=999999", "D", 10_000),
        (RELAY.upper() + ";version=1", b"Signal=a\r\nX=y", "A", 0),
        (PLAIN, b"7", "7", 0),
        (PLAIN, b"*\r\n", "*", 0),
        (PLAIN, b"11", "#", 0),
    ],
)
def test_a_digit_is_told_and_answered(kind: str, body: bytes, digit: str, duration_ms: int) -> None:
    wire = Wire()
    session = wire.answered_call()
    request = info(wire, body, kind)
    wire.expect("<- INFO", "200 ->")
    assert wire.events() == [Digit(session, digit, duration_ms)]
    wire.deliver(request.encode())  # its answer was lost
    wire.expect("<- INFO", "200 ->")
    assert wire.events() == []


@pytest.mark.parametrize(
    ("kind", "body"), [(RELAY, b"Signal=16"), (RELAY, b"Signal=Flash"), (PLAIN, b"!"), (PLAIN, b""), ("", b"")]
)
def test_a_flash_and_a_sign_of_life_are_no_digits(kind: str, body: bytes) -> None:
    wire = Wire()
    wire.answered_call()
    info(wire, body, kind)
    wire.expect("<- INFO", "200 ->")
    assert wire.events() == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (RELAY, b"5"),
        (RELAY, b"Signal=\r\nDuration=160"),
        (RELAY, b"Signal=5\r\nDuration=long"),
        (RELAY, b"Signal=5\r\nDuration=-1"),
        (RELAY, "Signal=5\r\nDuration=\u0665".encode()),
        (RELAY, b"Signal=55"),
        (RELAY, b"\xff\x00"),
        (PLAIN, b"Signal=5"),
        (PLAIN, b"E"),
        (RELAY, b"Signal=5\r\nX=" + b"y" * 300),
    ],
)
def test_what_says_no_digit_is_400(kind: str, body: bytes) -> None:
    wire = Wire()
    wire.answered_call()
    info(wire, body, kind)
    wire.expect("<- INFO", "400 ->")
    assert wire.events() == []


def test_another_body_is_415_and_says_what_would_be_read() -> None:
    wire = Wire()
    wire.answered_call()
    info(wire, b"<media_control/>", "application/media_control+xml")
    wire.expect("<- INFO", "415 ->")
    assert wire.last("415").first("Accept") == f"{RELAY}, {PLAIN}"


def test_an_info_package_is_469() -> None:
    wire = Wire()
    wire.answered_call()
    info(wire, b"Signal=5", Info_Package="dtmf")
    wire.expect("<- INFO", "469 ->")
    assert wire.last("469").fields["Recv-Info"] == [""]
    assert wire.events() == []


def test_a_digit_counts_in_the_answered_call_only() -> None:
    wire = Wire()
    session = wire.invite()
    wire.answer(180)
    wire.events()
    info(wire, b"5", PLAIN)
    assert wire.last("200")
    wire.answer(200, to=wire.last("INVITE"))
    wire.events()
    wire.hang_up(session)
    wire.forget()
    info(wire, b"5", PLAIN)
    wire.expect("<- INFO", "481 ->")
    assert wire.events() == []


def test_nobody_else_presses_keys_in_a_call() -> None:
    wire = Wire()
    wire.answered_call()
    request = wire.build("INFO", wire.last("INVITE"), tag="other", Content_Type=PLAIN)
    request.body = b"5"
    wire.deliver(request.encode(), PEER)
    wire.expect("<- INFO", "481 ->")
    assert wire.events() == []
