"""What the demo tells is what the demo has: log-ins, phones and configuration agree; the configuration applies."""

import re
from collections.abc import Iterator

import pytest

from webcb import clock, db, models
from webcb.billing import credentials
from webcb.billing.authorization import Authorization, Reason, Refusal
from webcb.billing.reception import Order, quote
from webcb.demo.carrier import CREDENTIALS
from webcb.demo.phones import BUSY, CALLER, HELPDESK, PHONES, SPEAKS
from webcb.demo.show import configuration
from webcb.demo.softphone import read_softphone
from webcb.demo.welcome import OPERATOR, PEOPLE, Scene, welcome
from webcb.number import display_number, parse_number
from webcb.provisioning.apply import apply
from webcb.provisioning.document import read
from webcb.settings import Bind

SCENE = Scene("127.0.0.1:8901", "127.0.0.1:5070", "127.0.0.1:5080", "demo/webcb.toml", "demo/webcb.log")


@pytest.fixture(scope="module")
def demo_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    opened = db.connect(f"sqlite:///{tmp_path_factory.mktemp('demo')}/demo.sqlite")
    credentials.use_key("secret")
    db.migrate()
    document = read(configuration(Bind("2001:db8::9", 5099)).encode())
    assert document.problems == []
    apply(document, clock.utc_now(), "test", file="demo.yaml")
    yield opened
    opened.close()


def asked(login: str, password: str, number_b: str) -> Authorization | Refusal:
    order = Order(
        kind="extended",
        voice_application="-",
        login=login,
        password=password,
        number_a=parse_number(CALLER.number.removeprefix("55"), "BR"),
        number_b=parse_number(number_b, "BR"),
        idempotency_key="1",
        requested_from="test",
    )
    return quote(order, clock.utc_now())


def test_the_connection_leads_to_the_carrier_as_started(demo_database: object) -> None:
    connection = models.Connection.get()
    assert (connection.host, connection.port) == ("2001:db8::9", 5099)
    assert connection.username == CREDENTIALS.username
    assert credentials.unseal(connection.sealed_password) == CREDENTIALS.password


@pytest.mark.parametrize(
    ("login", "verdict"),
    [
        ("alice", None),
        ("bruno", None),
        ("carla", Reason.ACCOUNT_BLOCKED),
        ("diego", Reason.ACCOUNT_EXPIRED),
        ("elena", None),
    ],
)
def test_everybody_logs_in_with_the_password_told_and_is_as_told(
    demo_database: object, login: str, verdict: Reason | None
) -> None:
    person = next(each for each in PEOPLE if each.login == login)
    answer = asked(person.login, person.password, f"+{SPEAKS.number}")
    assert (answer.reason if isinstance(answer, Refusal) else None) is verdict


def test_the_money_of_bruno_lasts_as_long_as_told(demo_database: object) -> None:
    answer = asked("bruno", "demo-bruno", f"+{SPEAKS.number}")
    assert isinstance(answer, Authorization)
    assert 42 <= answer.longest_seconds <= 50  # A pays while B rings


def test_the_helpdesk_costs_only_leg_a(demo_database: object) -> None:
    answer = asked("alice", "demo-alice", f"+{HELPDESK.number}")
    assert isinstance(answer, Authorization)
    assert answer.pricing_b.price_per_minute_micros == 0


@pytest.mark.parametrize(
    ("number_b", "reason"), [("+49 30 123456", Reason.NO_RATE), ("+53 7 1234567", Reason.FORBIDDEN)]
)
def test_what_is_said_to_be_refused_is_refused(demo_database: object, number_b: str, reason: Reason) -> None:
    answer = asked("alice", "demo-alice", number_b)
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.leg) == (reason, "B")
    assert number_b in welcome(SCENE)


def test_the_welcome_names_everybody_every_phone_and_every_place() -> None:
    text = welcome(SCENE)
    for person in (*PEOPLE, OPERATOR):
        assert re.search(rf"\b{person.login}\b", text)
        assert person.password in text
    for phone in PHONES:
        assert f"{display_number(phone.number)} " in text
        assert phone.does in text
    assert "http://127.0.0.1:8901/" in text
    assert "Ctrl-C" in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_the_welcome_says_which_numbers_are_softphones_and_what_is_not_as_usual() -> None:
    softphones = [
        read_softphone(f"+{BUSY.number}=sip:me@127.0.0.1:5062"),
        read_softphone("+12025550143=sip:you@127.0.0.1:5064"),
    ]
    scene = Scene("x:1", "x:2", "x:3", "c", "l", softphones, ["port 8901 is in use, so the pages are at x:1."])
    text = welcome(scene)
    assert "Note: port 8901 is in use" in text
    assert "+1 206-555-0103      USA      is sip:me@127.0.0.1:5062" in text
    assert BUSY.does not in text.split("Four things")[0]
    assert "+1 202-555-0143" in text
    assert "is sip:you@127.0.0.1:5064" in text
