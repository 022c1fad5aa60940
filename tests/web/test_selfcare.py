"""Self-care: who gets in, what he sees of his account and of nobody else's, and what he may change."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web import scene
from tests.web.hand import Hand, error, hidden
from webcb import clock, db
from webcb.billing import voucher
from webcb.models import Account, Callback, SignIn, Voucher, Xdr
from webcb.web import owning

NEW_PASSWORD = "a better staple"
OWN_PAGES = ["/selfcare/", "/selfcare/calls", "/selfcare/calls?format=csv", "/selfcare/calls/1", "/selfcare/settings"]


def post(client: FlaskClient, address: str, form: str = "/selfcare/sign-in", **fields: str) -> TestResponse:
    """Open the page of a form and send it."""
    return client.post(address, data={"csrf_token": hidden(client.get(form).text, "csrf_token")} | fields)


def log_in(client: FlaskClient, login: str = "alice.web", password: str = scene.PASSWORD) -> TestResponse:
    return post(client, "/selfcare/sign-in", login=login, password=password)


def called(client: FlaskClient) -> str:
    """A call of alice's that has ended; returns its id."""
    callback_id = Hand(client).connect()
    scene.Engine(callback_id).talk()
    scene.Engine(callback_id).end("B hung up", 75, 61)
    return callback_id


@pytest.mark.parametrize("address", OWN_PAGES)
def test_a_stranger_is_asked_to_log_in(client: FlaskClient, address: str) -> None:
    called(client)
    answer = client.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/selfcare/sign-in")
    token = hidden(client.get("/").text, "csrf_token")
    for place in ("top-up", "password", "settings", "callbacks/x/release"):
        assert client.post(f"/selfcare/{place}", data={"csrf_token": token}).headers["Location"] == "/selfcare/sign-in"


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("alice.web", "wrong"),
        ("alice", scene.PASSWORD),
        ("nobody", scene.PASSWORD),
        ("carl.web", scene.PASSWORD),
        ("' OR 1=1 --", "\0"),
        ("<b>", "\u202e"),
    ],
)
def test_who_does_not_get_in_hears_one_sentence(client: FlaskClient, login: str, password: str) -> None:
    answer = log_in(client, login, password)
    assert answer.status_code == 422
    assert error(answer.text, "password") in ("Login and password do not match.", "Enter your password.")
    assert password not in answer.text or password == "\0"
    assert client.get("/selfcare/").status_code == 303


@pytest.mark.parametrize("login", ["alice.web", "nobody"])
def test_after_five_wrong_passwords_the_right_one_does_not_help(client: FlaskClient, login: str) -> None:
    for _ in range(5):
        log_in(client, login, "wrong")
    client.environ_base["REMOTE_ADDR"] = "192.0.2.99"
    answer = log_in(client, login)
    assert error(answer.text, "password").startswith("Too many tries failed.")
    assert client.get("/selfcare/").status_code == 303


def test_of_many_guesses_at_once_five_are_judged(app: Flask) -> None:
    def guess(number: int) -> bool:
        with app.test_request_context("/selfcare/sign-in"):
            db.take_connection()
            try:
                assert owning.check("alice.web", f"guess {number}", clock.utc_now()) is None
                return True
            except owning.Closed:
                return False
            finally:
                db.database.close()

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(guess, range(40))) == 5


def test_a_log_in_is_a_new_session_that_keeps_the_language(client: FlaskClient) -> None:
    callback_id = Hand(client).connect()
    client.get("/?lang=fr")
    assert log_in(client).headers["Location"] == "/selfcare/"
    with client.session_transaction() as session:
        assert "visitor" not in session
    assert client.get(f"/callbacks/{callback_id}").status_code == 404
    assert '<html lang="fr"' in client.get("/selfcare/").text


def test_funds_set_aside_and_the_call_going_on(client: FlaskClient) -> None:
    callback_id = Hand(client).connect()
    engine = scene.Engine(callback_id)
    engine.talk(ago=42)
    log_in(client)
    page = client.get("/selfcare/").text.replace("\u00a0", " ")
    assert "5.00 USD" in page
    locked = Account.get(Account.login == "alice").wallet.locked_micros
    assert locked > 0
    assert f"{locked / 1_000_000:.2f} USD" in page
    assert "Talking" in page
    assert "0.150 USD" in page
    answer = post(client, f"/selfcare/callbacks/{callback_id}/release", "/selfcare/")
    assert answer.status_code == 303
    assert Callback.get().release_asked_by == "user"


def test_nobody_elses_call_is_seen_or_ended(app: Flask) -> None:
    other = app.test_client()
    hand = Hand(other)
    hand.fields |= {"login": "sue"}
    callback_id = hand.connect()
    scene.Engine(callback_id).talk()
    owner = app.test_client()
    log_in(owner)
    assert scene.DIGITS_B not in owner.get("/selfcare/").text
    assert post(owner, f"/selfcare/callbacks/{callback_id}/release", "/selfcare/").status_code == 404
    scene.Engine(callback_id).end("B hung up", 75, 61)
    xdr = Xdr.select().first()
    assert owner.get(f"/selfcare/calls/{xdr.id}").status_code == 404
    assert "There are no calls here." in owner.get("/selfcare/calls").text
    assert Callback.get().release_asked_by is None


def test_calls_in_the_accounts_zone_with_their_reasons(client: FlaskClient) -> None:
    called(client)
    log_in(client)
    page = client.get("/selfcare/calls").text.replace("\u00a0", " ")
    assert "America/Sao_Paulo" in page
    assert "0.065 USD" in page
    assert "0.20 USD" in page
    leg_b = Xdr.get(Xdr.leg == "B")
    why = client.get(f"/selfcare/calls/{leg_b.id}").text.replace("\u00a0", " ")
    assert "1 min 1 s used" in why
    assert "1 min at 0.10 USD a minute" in why
    assert "Charged in all: 0.20 USD" in why
    rows = client.get("/selfcare/calls?format=csv").text.splitlines()
    assert len(rows) == 3
    assert {row.split(",", 1)[1] for row in rows[1:]} == {
        f"A,+{scene.DIGITS_A},75,78,0.065,USD",
        f"B,+{scene.DIGITS_B},61,120,0.20,USD",
    }
    assert all("-03:00," in row for row in rows[1:])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"number": "+1 206"}, 1),
        ({"number": "999"}, 1),
        ({"number": "777777"}, 0),
        ({"since": "2100-01-01"}, 0),
        ({"until": "2001-01-01"}, 0),
        ({"since": "2001-01-01", "until": "2199-12-31"}, 2),
        ({"since": "<b>", "until": "9999-12-31", "number": "%_'", "page": "x"}, 2),
        ({"page": "9" * 30}, 0),
    ],
)
def test_calls_are_filtered(client: FlaskClient, asked: dict[str, str], found: int) -> None:
    called(client)
    log_in(client)
    page = client.get("/selfcare/calls", query_string=asked)
    assert page.status_code == 200
    assert page.text.count("/selfcare/calls/") == found
    assert "<b>" not in page.text


def test_a_voucher_once(client: FlaskClient) -> None:
    (code,) = voucher.make("spring", 1, 2_500_000, "USD", None, "test", clock.utc_now())
    log_in(client)
    spaced = " ".join(code[place : place + 4] for place in range(0, 16, 4))
    assert post(client, "/selfcare/top-up", "/selfcare/", code=spaced).status_code == 303
    page = client.get("/selfcare/").text.replace("\u00a0", " ")
    assert "The voucher was added to your funds." in page
    assert "7.50 USD" in page
    again = post(client, "/selfcare/top-up", "/selfcare/", code=code)
    assert error(again.text, "code") == "This voucher was used before."
    assert error(post(client, "/selfcare/top-up", "/selfcare/", code="123").text, "code").startswith("This is not a")
    assert Voucher.get().used_by.login == "alice"


def test_guessing_vouchers_is_throttled_and_slips_are_not_counted(client: FlaskClient) -> None:
    codes = voucher.make("used up", 6, 1_000_000, "USD", scene.LONG_AGO, "test", clock.utc_now())
    log_in(client)
    for code in codes[:5]:
        post(client, "/selfcare/top-up", "/selfcare/", code=code)
        post(client, "/selfcare/top-up", "/selfcare/", code="1234")
    answer = post(client, "/selfcare/top-up", "/selfcare/", code=codes[5])
    assert error(answer.text, "code").startswith("Too many tries failed.")
    assert SignIn.select().where(SignIn.failed).count() == 5


def test_language_and_zone(client: FlaskClient) -> None:
    log_in(client)
    answer = post(client, "/selfcare/settings", "/selfcare/settings", language="de", time_zone="Europe/Berlin")
    assert answer.status_code == 303
    page = client.get("/selfcare/settings").text
    assert '<html lang="de"' in page
    assert "Gespeichert." in page
    account = Account.get(Account.login == "alice")
    assert (account.language, account.time_zone) == ("de", "Europe/Berlin")
    for wrong in ({"language": "xx", "time_zone": "UTC"}, {"language": "de", "time_zone": "../etc/passwd"}):
        assert post(client, "/selfcare/settings", "/selfcare/settings", **wrong).status_code == 422


def test_a_new_password_ends_the_other_sessions(app: Flask) -> None:
    here, elsewhere = app.test_client(), app.test_client()
    log_in(here)
    log_in(elsewhere)
    place = "/selfcare/password"
    refused = post(here, place, "/selfcare/settings", old="wrong", new=NEW_PASSWORD)
    assert error(refused.text, "old") == "This is not your password."
    short = post(here, place, "/selfcare/settings", old=scene.PASSWORD, new="short")
    assert error(short.text, "new").startswith("Take 10 to")
    assert post(here, place, "/selfcare/settings", old=scene.PASSWORD, new=NEW_PASSWORD).status_code == 303
    assert here.get("/selfcare/").status_code == 200
    assert elsewhere.get("/selfcare/").status_code == 303
    assert log_in(app.test_client()).status_code == 422
    assert log_in(elsewhere, password=NEW_PASSWORD).status_code == 303


def test_logging_out(client: FlaskClient) -> None:
    log_in(client)
    assert post(client, "/selfcare/sign-out", "/selfcare/settings").status_code == 303
    assert client.get("/selfcare/").status_code == 303


def test_a_post_from_elsewhere_does_nothing(client: FlaskClient) -> None:
    log_in(client)
    for place in ("sign-in", "sign-out", "top-up", "password", "settings"):
        assert client.post(f"/selfcare/{place}", data={"csrf_token": "forged"}).status_code == 400
    assert client.get("/selfcare/").status_code == 200
