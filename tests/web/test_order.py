"""The Extended form: the price before the call, one callback from one form, refusals beside their fields."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.hand import Hand, error, hidden, value
from webcb.models import Account, Callback, Leg, Rate, VoiceApplication, Wallet
from webcb.web import visitor


def test_the_form_asks_for_four_things_in_a_way_phones_and_password_keepers_understand(client: FlaskClient) -> None:
    page = client.get("/").text
    for field, attributes in {
        "login": ('autocomplete="username"', 'autocapitalize="none"', "required"),
        "password": ('autocomplete="current-password"', 'type="password"', "required"),
        "number_a": ('type="tel"', 'inputmode="tel"', 'autocomplete="tel"', "required"),
        "number_b": ('type="tel"', 'inputmode="tel"', 'autocomplete="off"', "required"),
    }.items():
        tag = next(line for line in page.split("<") if f' name="{field}"' in line)
        assert all(attribute in tag for attribute in attributes), tag
        assert f'<label class="form-label" for="{field}">' in page
    assert "Connect Us Now!" in page
    assert "Brazil (+55)" in page


def test_the_price_is_shown_first_and_nothing_is_written(client: FlaskClient) -> None:
    answer = Hand(client).press("connect")
    assert answer.status_code == 200
    assert "0.05\u00a0USD a minute</strong>" in answer.text
    assert "charged in steps of 6\u00a0s after the first 60\u00a0s" in answer.text
    assert "0.10\u00a0USD a minute</strong>" in answer.text
    # 5.00 pay 33 minutes of 0.05 + 0.10; the 34th of B would cost 5.10.
    assert "33\u00a0min" in answer.text
    assert "If they cannot be reached, the call to you costs 0.02\u00a0USD a minute" in answer.text
    assert Callback.select().count() == 0


def test_confirming_places_one_callback_and_leads_to_its_page(client: FlaskClient) -> None:
    hand = Hand(client)
    hand.press("connect")
    answer = hand.press("connect")
    assert answer.status_code == 303
    callback = Callback.get()
    assert answer.headers["Location"] == f"/callbacks/{callback.id}"
    assert callback.state == "requested"
    assert callback.requested_from == "127.0.0.1"
    assert {leg.name: leg.cld for leg in Leg.select()} == {"A": scene.DIGITS_A, "B": scene.DIGITS_B}


def test_the_password_is_asked_once_for_one_form_and_never_shown(client: FlaskClient) -> None:
    hand = Hand(client)
    quoted = hand.press("quote")
    assert scene.PASSWORD not in quoted.text
    assert value(quoted.text, "password") == ""
    assert "Checked. You may leave it empty." in quoted.text
    assert hand.press("connect", password="").status_code == 303


def test_the_proof_holds_for_this_form_and_this_account_only(client: FlaskClient) -> None:
    hand = Hand(client)
    hand.press("quote")
    other_account = hand.press("connect", password="", login="sue")
    assert error(other_account.text, "password") == "Enter your password."
    other_form = Hand(client).press("connect", password="")
    assert error(other_form.text, "password") == "Enter your password."
    assert Callback.select().count() == 0


@pytest.mark.parametrize(
    ("age_seconds", "status"), [(visitor.PROOF_SECONDS - 5, 303), (visitor.PROOF_SECONDS + 5, 422)]
)
def test_the_proof_grows_old(client: FlaskClient, age_seconds: int, status: int) -> None:
    hand = Hand(client)
    hand.press("quote")
    with client.session_transaction() as session:
        login, nonce, until = session["proof"]
        session["proof"] = [login, nonce, until - age_seconds]
    assert hand.press("connect", password="").status_code == status


def test_a_wrong_password_proves_nothing(client: FlaskClient) -> None:
    hand = Hand(client)
    hand.press("quote", password="wrong")
    assert error(hand.press("quote", password="").text, "password") == "Enter your password."


@pytest.mark.parametrize("times", [2, 10])
def test_pressing_again_and_again_is_one_callback(client: FlaskClient, times: int) -> None:
    hand = Hand(client)
    hand.press("quote")
    places = {hand.press("connect").headers["Location"] for _ in range(times)}
    assert len(places) == 1
    assert Callback.select().count() == 1


def test_the_back_button_with_the_same_form_finds_the_callback_even_when_no_other_could_be_placed(
    client: FlaskClient,
) -> None:
    hand = Hand(client)
    callback_id = hand.connect()
    Wallet.update(balance_micros=0).where(Wallet.id == Account.get(login="alice").wallet_id).execute()
    assert hand.press("connect").headers["Location"] == f"/callbacks/{callback_id}"


def test_the_back_button_finds_the_callback_though_the_price_has_changed(client: FlaskClient) -> None:
    hand = Hand(client)
    callback_id = hand.connect()
    Rate.update(next_price_micros=80_000).where(Rate.next_price_micros == 50_000).execute()
    assert hand.press("connect").headers["Location"] == f"/callbacks/{callback_id}"


def test_another_number_in_the_same_form_is_another_callback(client: FlaskClient) -> None:
    hand = Hand(client)
    first = hand.connect()
    assert hand.connect(number_b="+1 206 555 0199") != first


def test_a_form_opened_anew_is_another_callback(client: FlaskClient) -> None:
    assert Hand(client).connect() != Hand(client).connect()


def test_another_visitor_cannot_reach_a_callback_by_copying_its_form(app: Flask) -> None:
    hand = Hand(app.test_client())
    hand.connect()
    thief = Hand(app.test_client())
    thief.fields["nonce"] = hand.fields["nonce"]
    thief.connect()
    assert Callback.select().count() == 2


def test_a_price_that_changed_meanwhile_is_shown_again(client: FlaskClient) -> None:
    hand = Hand(client)
    hand.press("quote")
    Rate.update(next_price_micros=80_000).where(Rate.next_price_micros == 50_000).execute()
    answer = hand.press("connect")
    assert answer.status_code == 200
    assert "0.08\u00a0USD a minute</strong>" in answer.text
    assert hand.press("connect").status_code == 303


@pytest.mark.parametrize("typed", ["+55 11 99988-7766", "(11) 99988-7766", "11999887766", " +55.11.99988.7766 "])
def test_a_number_may_be_written_in_any_usual_way(client: FlaskClient, typed: str) -> None:
    Hand(client).connect(number_a=typed)
    assert Leg.get(name="A").cld == scene.DIGITS_A


def test_the_default_country_is_the_applications(client: FlaskClient) -> None:
    Hand(client, "/second").connect(number_b="206 555 0123")
    assert Leg.get(name="B").cld == scene.DIGITS_B


REFUSALS = [
    ({"login": "nobody"}, "password", "Account ID and password do not match."),
    ({"password": "wrong"}, "password", "Account ID and password do not match."),
    ({"login": "bob"}, "login", "This account is blocked."),
    ({"login": "carl"}, "login", "This account is closed."),
    ({"login": "iris"}, "login", "This account is not active yet."),
    ({"login": "egon"}, "login", "This account has expired."),
    ({"login": "dora"}, "login", "The customer this account belongs to is blocked."),
    ({"login": "nina"}, "login", "This account's product does not include callback."),
    ({"login": "paula"}, "login", "they need at least 0.15\u00a0USD"),
    ({"number_b": "190"}, "number_b", "Emergency numbers cannot be called"),
    ({"number_b": "+1 900 555 0123"}, "number_b", "Premium-rate and satellite numbers cannot be called."),
    ({"number_a": "+1 900 555 0123"}, "number_a", "Premium-rate and satellite numbers cannot be called."),
    ({"number_a": "+49 30 901820"}, "number_a", "There is no price for this number"),
    ({"number_b": "+49 30 901820"}, "number_b", "There is no price for this number"),
    ({"number_b": "+53 7 8361234"}, "number_b", "Calls to this destination are not allowed."),
    ({"number_b": scene.NUMBER_A}, "number_b", "This is the number to be called at."),
    ({"number_b": "12"}, "number_b", "Write it like +55"),
    ({"number_a": "hello"}, "number_a", "This is not a telephone number."),
    ({"number_b": "9" * 41}, "number_b", "longer than 40 characters"),
    ({"login": "x" * 65}, "login", "longer than 64 characters"),
    ({"login": ""}, "login", "Enter your account ID."),
    ({"password": ""}, "password", "Enter your password."),
    ({"number_a": " "}, "number_a", "Enter the number of the phone you are at."),
    ({"number_b": ""}, "number_b", "Enter the number you want to talk to."),
]


@pytest.mark.parametrize(("typed", "field", "said"), REFUSALS, ids=[f"{typed}" for typed, _, _ in REFUSALS])
def test_a_refusal_stands_beside_its_field_and_keeps_what_was_typed(
    client: FlaskClient, typed: dict[str, str], field: str, said: str
) -> None:
    hand = Hand(client)
    answer = hand.press("connect", **typed)
    assert answer.status_code == 422
    assert said in error(answer.text, field)
    for name in ("login", "number_a", "number_b"):
        assert value(answer.text, name) == hand.fields[name].strip()
        assert name == field or error(answer.text, name) == ""
    assert value(answer.text, "password") == ""
    assert Callback.select().count() == 0


def test_an_unknown_account_and_a_wrong_password_look_the_same(client: FlaskClient) -> None:
    unknown, wrong = Hand(client).press("connect", login="nobody"), Hand(client).press("connect", password="wrong")
    assert error(unknown.text, "password") == error(wrong.text, "password")
    assert error(unknown.text, "login") == error(wrong.text, "login") == ""


def test_too_many_at_once(client: FlaskClient) -> None:
    for _ in range(3):
        Hand(client).connect()
    answer = Hand(client).press("connect")
    assert error(answer.text, "login").startswith("This account has as many calls going on as it may have.")


def test_a_closed_service_says_so_and_shows_no_form(client: FlaskClient) -> None:
    page = client.get("/closed")
    assert "This service is closed at the moment." in page.text
    assert "<form" not in page.text


def test_a_service_closed_after_its_form_was_opened_says_so(client: FlaskClient) -> None:
    hand = Hand(client, "/second")
    VoiceApplication.update(active=False).execute()
    answer = hand.press("connect", number_b="206 555 0123")
    assert answer.status_code == 422
    assert "This service is closed at the moment." in answer.text


NONSENSE = "\"><script>alert(1)</script>{{ 7 * 7 }}'"


@pytest.mark.parametrize("field", ["login", "password", "number_a", "number_b", "nonce", "quoted"])
def test_typed_nonsense_comes_back_as_text(client: FlaskClient, field: str) -> None:
    answer = Hand(client).press("connect", **{field: NONSENSE})
    assert "<script>alert" not in answer.text
    assert "{{ 7" in answer.text or field in ("password", "nonce", "quoted")


@pytest.mark.parametrize("field", ["login", "password", "number_a", "number_b", "nonce", "quoted", "step"])
@pytest.mark.parametrize("text", ["\0", "\ud7ff\uffff", "é\u202e", "A" * 10_000, "' OR 1=1 --"])
def test_strange_characters_are_refused_or_ignored_never_a_fault(client: FlaskClient, field: str, text: str) -> None:
    hand = Hand(client)
    answer = client.post("/", data=hand.fields | {"step": "connect", field: text})
    assert answer.status_code in (200, 422)


def test_a_nonce_of_foreign_make_is_replaced(client: FlaskClient) -> None:
    hand = Hand(client)
    answer = hand.press("quote", nonce="1")
    assert len(hidden(answer.text, "nonce")) == 22


# The script's question -------------------------------------------------------------------------------------------------


def test_the_script_gets_the_price(client: FlaskClient) -> None:
    hand = Hand(client)
    answer = client.post("/quote", data=hand.fields)
    assert answer.status_code == 200
    html = answer.get_json()["html"]
    assert "0.05\u00a0USD" in html
    assert scene.PASSWORD not in html
    assert hand.press("connect", quoted=hidden(html, "quoted")).status_code == 303


def test_the_script_gets_the_price_of_its_own_application(client: FlaskClient) -> None:
    hand = Hand(client, "/second")
    answer = client.post("/second/quote", data=hand.fields | {"number_b": "206 555 0123"})
    assert answer.status_code == 200


@pytest.mark.parametrize(("typed", "field", "said"), REFUSALS, ids=[f"{typed}" for typed, _, _ in REFUSALS])
def test_the_script_gets_the_refusal(client: FlaskClient, typed: dict[str, str], field: str, said: str) -> None:
    hand = Hand(client)
    answer = client.post("/quote", data=hand.fields | typed)
    assert answer.status_code == 422
    assert said in answer.get_json()["errors"][field]


# Call again ------------------------------------------------------------------------------------------------------------


def test_call_again_fills_in_everything_but_the_password(client: FlaskClient) -> None:
    callback_id = Hand(client).connect()
    page = client.get(f"/?again={callback_id}").text
    assert [value(page, name) for name in ("login", "password", "number_a", "number_b")] == [
        "alice",
        "",
        "+55 11 99988-7766",
        "+1 206-555-0123",
    ]


def test_call_again_tells_a_stranger_nothing(app: Flask) -> None:
    callback_id = Hand(app.test_client()).connect()
    page = app.test_client().get(f"/?again={callback_id}").text
    assert [value(page, name) for name in ("login", "number_a", "number_b")] == ["", "", ""]
