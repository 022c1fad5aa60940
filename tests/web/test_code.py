"""Page, self-care and button where A is proven by a code (domain 9). That a phone hears it: tests/callback/test_code.py."""

import pytest
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.hand import Hand, error, notice
from webcb.billing import credentials
from webcb.models import Account, Callback, VoiceApplication
from webcb.web import visitor


def want(**more: object) -> None:
    VoiceApplication.update(prove_a="always", **more).execute()


def code_of_last() -> str:
    (told,) = Callback.select().where(Callback.kind == "code").order_by(Callback.requested_at.desc()).limit(1)
    return credentials.spoken_code(told.id)


def kinds() -> list[str]:
    return sorted(each.kind for each in Callback.select())


def test_the_page_tells_of_the_call_asks_for_the_code_and_places_the_callback(client: FlaskClient) -> None:
    want()
    hand = Hand(client)
    seen = hand.press("quote").text
    assert "First we call this phone and say a code" in seen
    assert "That call is charged as the call to you." in seen
    assert kinds() == [], "nothing rings before the price was seen"
    told = hand.press("connect")
    assert told.status_code == 200
    assert 'autocomplete="one-time-code"' in told.text
    assert hand.press("connect").status_code == 200
    assert kinds() == ["code"], "pressing twice rings once"
    assert "not the code" in error(hand.press("connect", code="x").text, "code")
    assert hand.press("connect", code=code_of_last()).status_code == 303
    assert kinds() == ["code", "extended"]
    after = Hand(client).press("quote").text
    assert "say a code" not in after, "the number is proven"


def test_who_has_not_heard_it_is_called_again(client: FlaskClient) -> None:
    want(code_paid_by="internal account")
    hand = Hand(client)
    hand.press("quote")
    hand.press("connect")
    Callback.update(state="ended", ended_at=scene.LONG_AGO, ending="A did not answer").execute()
    again = hand.press("code")
    assert again.status_code == 200
    assert kinds() == ["code", "code"]
    Callback.update(state="ended", ended_at=scene.LONG_AGO, ending="A did not answer").execute()
    hand.press("code")
    Callback.update(state="ended", ended_at=scene.LONG_AGO, ending="A did not answer").execute()
    refused = hand.press("code")
    assert refused.status_code == 422
    assert "Too many codes" in notice(refused.text)
    assert hand.press("connect", code=code_of_last()).status_code == 303, "the last one is good all the same"


@pytest.mark.parametrize(("kind", "login"), [("simple", "alice"), ("hosted", "")])
def test_the_other_kinds(client: FlaskClient, kind: str, login: str) -> None:
    want(kinds="simple,hosted", internal_account=Account.get(Account.login == "sue"), second_number=scene.DIGITS_B)
    hand = Hand(client, f"/?kind={kind}")
    hand.fields["kind"] = kind
    if kind == "simple":
        hand.press("quote")
    assert 'name="code"' in hand.press("connect").text
    stranger = Hand(client.application.test_client(), f"/?kind={kind}")
    stranger.fields |= {"kind": kind}
    hand.press("connect", code=code_of_last())
    assert kinds() == sorted(["code", kind])
    if kind == "hosted":
        stranger.press("connect")
        assert kinds() == ["code", "code", "hosted"], "another visitor proves it anew"


def test_the_button(client: FlaskClient) -> None:
    site = "https://www.example.com"
    own = Account.get(Account.login == "alice")
    want(kinds="simple", second_number=scene.DIGITS_B, widget_origins=site, widget_account=own)
    press = {"number": scene.NUMBER_A, "mark": visitor.new_mark()}

    def ask(**said: str):
        return client.post("/widget/-/calls?language=pt", json=press | said, headers={"Origin": site})

    assert "seis algarismos" in ask().json["code"]
    in_arabic = client.post("/widget/-/calls?language=ar", json=press, headers={"Origin": site}).json["code"]
    assert f"\u2066{scene.NUMBER_A}\u2069" in in_arabic, "its groups in their order where it is written from the right"
    assert "código" in ask(code="12").json["error"]
    assert ask(again="again").json.keys() == {"code"}
    assert ask(code=code_of_last()).status_code == 201
    assert kinds() == ["code", "simple"]


def test_self_care(client: FlaskClient) -> None:
    want()
    sign_in = client.get("/selfcare/sign-in").text
    from tests.web.hand import hidden

    token = hidden(sign_in, "csrf_token")
    client.post("/selfcare/sign-in", data={"csrf_token": token, "login": "alice.web", "password": scene.PASSWORD})
    opened = client.get("/selfcare/call").text
    form = {name: hidden(opened, name) for name in ("csrf_token", "nonce")}
    form |= {"number_a": scene.NUMBER_A, "number_b": scene.NUMBER_B}
    seen = client.post("/selfcare/call", data=form | {"step": "quote"}).text
    assert "say a code" in seen
    form["quoted"] = hidden(seen, "quoted")
    assert 'name="code"' in client.post("/selfcare/call", data=form | {"step": "connect"}).text
    wrong = client.post("/selfcare/call", data=form | {"step": "connect", "code": "12"})
    assert wrong.status_code == 422 and "not the code" in error(wrong.text, "code")
    placed = client.post("/selfcare/call", data=form | {"step": "connect", "code": code_of_last()})
    assert placed.status_code == 303
    assert kinds() == ["code", "extended"]
