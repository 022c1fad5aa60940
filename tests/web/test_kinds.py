"""The three kinds of trigger page (domain 1): what each asks for, what is shown of it, and what stays the operator's."""

import pytest
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.hand import Hand, error, hidden, notice
from webcb.models import Account, Callback, Leg, NeverCall, VoiceApplication

FIELDS = {
    "extended": {"login", "password", "number_a", "number_b"},
    "simple": {"login", "number_a"},
    "hosted": {"number_a"},
}
NASTY = [
    "<script>alert(1)</script>",
    "'; DROP TABLE callback; --",
    "\0",
    "\r\nSet-Cookie: a=b",
    "{{7*7}}",
    "%n%s",
    "٠١٢",
    "\u202e" * 9,
    "x" * 300,
]


class Visitor(Hand):
    """A visitor before one kind of form."""

    def __init__(self, client: FlaskClient, kind: str) -> None:
        super().__init__(client, f"/all?kind={kind}")
        self.path = "/all"
        self.opened = client.get(f"/all?kind={kind}").text
        self.fields = {
            name: each for name, each in self.fields.items() if name not in FIELDS["extended"] - FIELDS[kind]
        }
        self.fields["kind"] = hidden(self.opened, "kind")


@pytest.mark.parametrize("kind", list(FIELDS))
def test_each_kind_asks_for_its_fields_and_no_others(client: FlaskClient, kind: str) -> None:
    opened = Visitor(client, kind).opened
    assert {name for name in FIELDS["extended"] if f' name="{name}"' in opened} == FIELDS[kind]
    assert ("Connect Us Now!" if kind == "extended" else "Call Me Now!") in opened
    assert f'<a href="?kind={kind}" aria-current="page">' in opened
    assert ("Show the price" in opened) is (kind != "hosted")


@pytest.mark.parametrize("kind", ["", "xx", "<b>", "simple,hosted"])
def test_a_kind_that_is_none_is_the_first(client: FlaskClient, kind: str) -> None:
    assert hidden(client.get("/all", query_string={"kind": kind}).text, "kind") == "extended"


def test_where_there_is_one_kind_there_is_no_choice(client: FlaskClient) -> None:
    assert 'class="kinds"' not in client.get("/").text
    assert hidden(client.get("/?kind=hosted").text, "kind") == "extended"
    answer = Hand(client).press("connect", kind="hosted", login="", password="")
    assert answer.status_code == 422
    assert Callback.select().count() == 0


def test_simple_shows_the_price_and_connects_with_the_second_number(client: FlaskClient) -> None:
    visitor = Visitor(client, "simple")
    quoted = visitor.press("quote")
    assert quoted.status_code == 200
    assert "+1 206-555-0123" in quoted.text
    assert "0.10\u00a0USD a minute" in quoted.text
    assert Callback.select().count() == 0
    answers = [visitor.press("connect") for _ in range(2)]
    assert len({answer.headers["Location"] for answer in answers}) == 1
    callback = Callback.get()
    assert (callback.kind, callback.account.login) == ("simple", "alice")
    assert {leg.name: leg.cld for leg in Leg.select()} == {"A": scene.DIGITS_A, "B": scene.DIGITS_B}
    scene.Engine(callback.id).talk(ago=42)
    scene.Engine(callback.id).end("B hung up", 75, 61)
    page = client.get(f"/callbacks/{callback.id}").text
    assert "0.265" in page
    assert "Balance left" not in page  # an ID is no proof that the account is his
    again = client.get(f"/all?again={callback.id}").text
    assert hidden(again, "kind") == "simple"


def test_simple_with_an_unknown_account(client: FlaskClient) -> None:
    answer = Visitor(client, "simple").press("quote", login="nobody")
    assert answer.status_code == 422
    assert error(answer.text, "login") == "There is no account with this ID. Check it."


def test_what_is_wrong_with_the_operators_own_number_is_not_told(client: FlaskClient) -> None:
    VoiceApplication.update(second_number="4930901820").where(VoiceApplication.path == "all").execute()
    answer = Visitor(client, "simple").press("quote")
    assert answer.status_code == 422
    assert notice(answer.text) == "This service is closed at the moment. Try again later."
    assert "4930901820" not in answer.text


def test_hosted_rings_at_once_and_is_led_by_voice(client: FlaskClient) -> None:
    visitor = Visitor(client, "hosted")
    answer = visitor.press("connect")
    assert answer.status_code == 303, answer.text
    callback = Callback.get()
    assert (callback.kind, callback.account.login) == ("hosted", "sue")
    engine = scene.Engine(callback.id)
    page = f"/callbacks/{callback.id}"
    assert "Getting ready" in client.get(page).text
    engine.claim_hosted()
    engine.ring_a()
    engine.answer_a(ago=42)
    led = client.get(page).text
    assert "do what the voice says" in led
    assert "Cost so far" not in led  # the operator pays as yet
    engine.log_in("alice")
    assert visitor.press("connect").headers["Location"] == answer.headers["Location"]
    assert Callback.select().count() == 1
    engine.choose("12065550123")
    engine.call_b()
    engine.ring_b()
    assert "It is ringing there" in client.get(page).text
    engine.answer_b(seconds_max=760)
    talking = client.get(page).text
    assert "Cost so far" in talking
    assert "+1 206-555-0123" in talking
    engine.end("A hung up", 75, 61)
    ended = client.get(page).text
    assert "You hung up." in ended
    assert "Balance left" not in ended
    assert "alice" not in client.get(f"/all?again={callback.id}").text


def test_hosted_without_a_log_in_shows_no_bill(client: FlaskClient) -> None:
    Visitor(client, "hosted").press("connect")
    callback = Callback.get()
    engine = scene.Engine(callback.id)
    engine.claim_hosted()
    engine.answer_a(ago=42)
    engine.end("not logged in", 42, None)
    page = client.get(f"/callbacks/{callback.id}").text
    assert "You were not logged in" in page
    assert 'class="bill"' not in page


def test_the_internal_accounts_state_is_not_told(client: FlaskClient) -> None:
    Account.update(blocked=True).where(Account.login == "sue").execute()
    answer = Visitor(client, "hosted").press("connect")
    assert answer.status_code == 422
    assert notice(answer.text) == "This service is closed at the moment. Try again later."
    assert "blocked" not in answer.text


def test_a_number_that_asked_for_peace(client: FlaskClient) -> None:
    NeverCall.create(number=scene.DIGITS_A, asked_at=scene.LONG_AGO)
    answer = Visitor(client, "hosted").press("connect")
    assert error(answer.text, "number_a").startswith("Who has this number asked never to be called")


@pytest.mark.parametrize("kind", list(FIELDS))
@pytest.mark.parametrize("nasty", NASTY)
def test_whatever_is_typed_comes_back_harmless(client: FlaskClient, kind: str, nasty: str) -> None:
    fields = Visitor(client, kind).fields
    for name in (*FIELDS[kind], "nonce", "quoted", "step", "kind"):
        for address in ("/all", "/all/quote") if name.startswith("number") else ("/all",):
            answer = client.post(address, data=fields | {"step": "quote", name: nasty})
            assert answer.status_code < 500
            assert "<script>alert" not in answer.text
            assert "Set-Cookie: a=b" not in str(answer.headers)
