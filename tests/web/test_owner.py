"""What the owner of an account does in self-care besides looking: calls, numbers, statements, paying in, sessions; and a customer."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.hand import Hand, error, hidden
from tests.web.test_selfcare import called, log_in, post
from webcb import clock, db
from webcb.billing import payments
from webcb.models import (
    Account,
    Audit,
    Callback,
    Customer,
    Ledger,
    Leg,
    Node,
    OwnerSession,
    Payment,
    Product,
    SavedDestination,
    TrustedNumber,
)
from webcb.web import owning
from webcb.web.payment_provider import TestProvider


def alice() -> Account:
    return Account.get(Account.login == "alice")


def typed(client: FlaskClient, step: str, **fields: str) -> dict[str, str]:
    page = client.get("/selfcare/call").text
    own = {name: hidden(page, name) for name in ("csrf_token", "nonce")}
    return own | {"step": step, "number_a": scene.NUMBER_A, "number_b": scene.NUMBER_B} | fields


# Calling -------------------------------------------------------------------------------------------------------------


def test_a_call_from_here_shows_its_price_first(client: FlaskClient) -> None:
    log_in(client)
    fields = typed(client, "connect")
    seen = client.post("/selfcare/call", data=fields)
    assert seen.status_code == 200
    assert "0.10 USD a minute" in seen.text.replace("\u00a0", " ")
    assert Callback.select().count() == 0
    fields["quoted"] = hidden(seen.text, "quoted")
    answer = client.post("/selfcare/call", data=fields)
    assert answer.status_code == 303
    assert client.get(answer.headers["Location"]).status_code == 200
    assert client.post("/selfcare/call", data=fields).headers["Location"] == answer.headers["Location"]
    callback = Callback.get()
    assert (callback.account.login, callback.kind) == ("alice", "extended")
    assert {leg.cld for leg in Leg.select()} == {scene.DIGITS_A, scene.DIGITS_B}


@pytest.mark.parametrize(
    ("fields", "name", "said"),
    [
        ({"number_b": "+53 7 1234567"}, "number_b", "Calls to this destination are not allowed."),
        ({"number_b": ""}, "number_b", "Enter the number you want to talk to."),
        ({"number_a": "<b>"}, "number_a", "This is not a telephone number."),
        ({"number_b": "190"}, "number_b", "Emergency numbers cannot be called from here."),
    ],
)
def test_what_cannot_be_called_from_here_is_said(
    client: FlaskClient, fields: dict[str, str], name: str, said: str
) -> None:
    log_in(client)
    answer = client.post("/selfcare/call", data=typed(client, "quote", **fields))
    assert answer.status_code == 422
    assert error(answer.text, name).startswith(said)


def test_without_an_engine_nobody_is_called_from_here(client: FlaskClient) -> None:
    log_in(client)
    Node.update(heard_at=scene.LONG_AGO).execute()
    assert client.post("/selfcare/call", data=typed(client, "quote")).status_code == 503


# Numbers -------------------------------------------------------------------------------------------------------------


def test_saved_destinations_and_trusted_numbers(client: FlaskClient) -> None:
    log_in(client)
    place = "/selfcare/numbers"
    assert post(client, place, place, step="save", name="<Mum>", number=scene.NUMBER_B).status_code == 303
    assert post(client, place, place, step="save", name="Mother", number=scene.NUMBER_B).status_code == 303
    assert [(row.name, row.digits) for row in SavedDestination.select()] == [("Mother", scene.DIGITS_B)]
    assert post(client, place, place, step="trust", number=scene.NUMBER_A).status_code == 303
    assert TrustedNumber.get().account == alice()
    assert Audit.select().where(Audit.made_by == "owner:alice").count() == 1
    page = client.get(place).text
    assert "Mother" in page
    assert 'value="+12065550123"' in client.get("/selfcare/call").text
    for step, digits in (("trust", scene.DIGITS_A), ("save", scene.DIGITS_B), ("trust", "1"), ("save", "' OR 1=1")):
        assert post(client, f"{place}/forget", place, step=step, digits=digits).status_code == 303
    assert SavedDestination.select().count() == TrustedNumber.select().count() == 0


def test_another_accounts_number_is_neither_trusted_nor_forgotten(client: FlaskClient) -> None:
    other = Account.get(Account.login == "sue")
    TrustedNumber.create(account=other, digits=scene.DIGITS_A)
    SavedDestination.create(account=other, digits=scene.DIGITS_B, name="Theirs")
    log_in(client)
    place = "/selfcare/numbers"
    answer = post(client, place, place, step="trust", number=scene.NUMBER_A)
    assert answer.status_code == 422
    assert "This number cannot be trusted" in answer.text
    for step, digits in (("trust", scene.DIGITS_A), ("save", scene.DIGITS_B)):
        post(client, f"{place}/forget", place, step=step, digits=digits)
    assert TrustedNumber.get().account == SavedDestination.get().account == other
    assert "Theirs" not in client.get(place).text


# Statements ----------------------------------------------------------------------------------------------------------


def test_a_statement_is_the_ledger_of_the_days(client: FlaskClient) -> None:
    called(client)
    log_in(client)
    page = client.get("/selfcare/statements").text.replace("\u00a0", " ")
    assert "Calls · USA" in page
    assert "-0.20 USD" in page
    assert "4.735 USD" in page
    rows = client.get("/selfcare/statements?format=csv").text.splitlines()
    assert rows[-1] == "Closing balance,,,,4.735,USD"
    assert "Calls,55 Brazil,1,78,-0.065,USD" in rows
    long_ago = client.get("/selfcare/statements?since=2001-01-01&until=2001-01-31&format=csv").text.splitlines()
    assert [row.split(",")[4] for row in long_ago[1:]] == ["0.00", "0.00"]
    for wrong in ("since=x&until=y", "since=2026-02-01&until=2026-01-01", "since=0001-01-01&until=9999-12-31"):
        assert client.get(f"/selfcare/statements?{wrong}").status_code == 200


def test_a_statement_that_was_archived_says_where_it_is(client: FlaskClient) -> None:
    """The owner is told who has it, the operator in which file it is (tests/web/admin/test_company.py)."""
    log_in(client)
    scene.archive(alice().wallet_id)
    answer = client.get("/selfcare/statements")
    assert answer.status_code == 410
    assert "archive of the service provider, who can give you a copy" in answer.text
    assert scene.ARCHIVE_FILE not in answer.text


# What the product shows ----------------------------------------------------------------------------------------------


def test_the_product_says_what_is_shown(client: FlaskClient) -> None:
    called(client)
    log_in(client)
    Product.update(self_care="calls").execute()
    page = client.get("/selfcare/").text
    assert "Voucher code" not in page
    assert "USD" not in page
    for place in ("call", "numbers", "statements", "pay"):
        assert client.get(f"/selfcare/{place}").status_code == 404
        assert f'"/selfcare/{place}"' not in page
    token = hidden(client.get("/selfcare/settings").text, "csrf_token")
    for place in ("top-up", "call", "numbers", "numbers/forget", "pay"):
        assert client.post(f"/selfcare/{place}", data={"csrf_token": token}).status_code == 404
    assert client.get("/selfcare/calls").status_code == 200
    assert client.get("/selfcare/settings").status_code == 200


# Paying in -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(app: Flask) -> FlaskClient:
    """Alice, where the provider without money is chosen."""
    app.extensions["webcb_payments"] = TestProvider()
    Account.update(e_commerce=True).where(Account.login == "alice").execute()
    client = app.test_client()
    log_in(client)
    return client


def begun(shop: FlaskClient, amount: str = "7.50") -> str:
    answer = post(shop, "/selfcare/pay", "/selfcare/pay", amount=amount)
    assert answer.status_code == 303
    return answer.headers["Location"].removeprefix("http://localhost")


def test_paid_in_once_however_often_it_is_said(shop: FlaskClient) -> None:
    place = begun(shop)
    assert "Pay in an amount" in shop.get("/selfcare/").text
    assert "not confirmed yet" in shop.get(place.removesuffix("/test")).text
    for _ in range(2):
        assert post(shop, place, place, step="pay").status_code == 303
    assert post(shop, place, place, step="decline").status_code == 303
    assert "7.50 USD were added" in shop.get(place.removesuffix("/test")).text.replace("\u00a0", " ")
    assert alice().wallet.balance_micros == 12_500_000
    entry = Ledger.get(Ledger.kind == "payment")
    assert (entry.amount_micros, entry.made_by, entry.note) == (7_500_000, "payments:test", Payment.get().reference)


def test_declined_adds_nothing(shop: FlaskClient) -> None:
    place = begun(shop)
    post(shop, place, place, step="decline")
    assert "declined" in shop.get(place.removesuffix("/test")).text
    assert alice().wallet.balance_micros == 5_000_000


def test_the_amount_is_the_one_that_was_asked_for(shop: FlaskClient) -> None:
    begun(shop)
    asked, at = Payment.get(), clock.utc_now()
    with db.database.connection_context():
        for reference, micros, currency, said in (
            (asked.reference, 7_500_001, "USD", "another amount"),
            (asked.reference, 7_500_000, "EUR", "another amount"),
            ("nobody's", 7_500_000, "USD", "unknown"),
            (asked.reference, 7_500_000, "USD", "paid"),
            (asked.reference, 7_500_000, "USD", "before"),
        ):
            assert payments.settle(reference, micros, currency, at, is_paid=True) == said
    assert alice().wallet.balance_micros == 12_500_000


@pytest.mark.parametrize("body", [b"", b"reference=x", b"\xff", b"reference=a&micros=1&currency=USD&paid=yes"])
def test_a_notice_that_proves_nothing_moves_nothing(shop: FlaskClient, body: bytes) -> None:
    begun(shop)
    for mark in ("", "0" * 64):
        answer = shop.post("/selfcare/payments/notice", data=body, headers={"X-Mark": mark})
        assert answer.status_code == 400
    assert alice().wallet.balance_micros == 5_000_000


@pytest.mark.parametrize("amount", ["", "0", "-5", "0.99", "10000.01", "1e3", "\u0665", "x" * 19, "1.2345678"])
def test_amounts_that_are_not_taken(shop: FlaskClient, amount: str) -> None:
    answer = post(shop, "/selfcare/pay", "/selfcare/pay", amount=amount)
    assert answer.status_code == 422
    assert Payment.select().count() == 0


def test_no_payment_without_a_provider_or_the_operators_leave(app: Flask, client: FlaskClient) -> None:
    log_in(client)
    assert client.get("/selfcare/pay").status_code == 404
    app.extensions["webcb_payments"] = TestProvider()
    assert client.get("/selfcare/pay").status_code == 404
    assert "Pay in an amount" not in client.get("/selfcare/").text


def test_a_payment_of_somebody_else_is_not_seen(app: Flask, shop: FlaskClient) -> None:
    place = begun(shop)
    Account.update(web_login="paula.web", web_password=alice().web_password).where(Account.login == "paula").execute()
    other = app.test_client()
    log_in(other, "paula.web")
    assert other.get(place).status_code == other.get(place.removesuffix("/test")).status_code == 404


# Sessions ------------------------------------------------------------------------------------------------------------


def test_sessions_are_listed_and_ended(app: Flask) -> None:
    here, there = app.test_client(), app.test_client()
    there.environ_base["HTTP_USER_AGENT"] = "<Phone>"
    here.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (Android 14; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"
    log_in(here)
    log_in(there)
    page = here.get("/selfcare/settings").text
    assert "&lt;Phone&gt;" in page
    assert "Firefox · Android</span>" in page
    assert page.count("/end") == 1
    ids = [row.id for row in OwnerSession.select().order_by(OwnerSession.id)]
    assert post(here, f"/selfcare/sessions/{ids[1]}/end", "/selfcare/settings").status_code == 303
    assert there.get("/selfcare/").status_code == 303
    assert here.get("/selfcare/").status_code == 200


def test_a_cookie_that_was_copied_is_worth_nothing_after_logging_out(app: Flask) -> None:
    here, copy = app.test_client(), app.test_client()
    log_in(here)
    cookie = here.get_cookie("webcb")
    assert cookie is not None
    copy.set_cookie("webcb", cookie.value)
    assert copy.get("/selfcare/").status_code == 200
    post(here, "/selfcare/sign-out", "/selfcare/settings")
    assert copy.get("/selfcare/").status_code == 303


def test_a_session_ends_by_itself(client: FlaskClient) -> None:
    log_in(client)
    at = clock.utc_now()
    OwnerSession.update(seen_at=at - owning.IDLE_MAX).execute()
    assert client.get("/selfcare/").status_code == 303
    OwnerSession.update(seen_at=at, began_at=at - owning.SESSION_MAX).execute()
    assert client.get("/selfcare/").status_code == 303


# A customer ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def easy_call(app: Flask) -> FlaskClient:
    """The customer Easy Call, logged in."""
    own = {"web_login": "easy", "web_password": alice().web_password}
    Customer.update(**own).where(Customer.name == "Easy Call").execute()
    client = app.test_client()
    assert log_in(client, "easy").headers["Location"] == "/selfcare/company"
    return client


def test_a_customer_sees_its_accounts_their_calls_and_nobody_elses(app: Flask, easy_call: FlaskClient) -> None:
    called(app.test_client())
    page = easy_call.get("/selfcare/company").text
    assert "alice" in page
    assert "sue" in page
    assert "dora" not in page  # of another customer
    assert "alice" in easy_call.get("/selfcare/company/calls?login=alice").text
    assert "There are no calls here." in easy_call.get("/selfcare/company/calls?login=dora").text
    rows = easy_call.get("/selfcare/company/calls?format=csv").text.splitlines()
    assert len(rows) == 3
    assert rows[1].startswith("alice,")
    assert easy_call.get("/selfcare/statements").status_code == 200
    assert easy_call.get("/selfcare/calls").headers["Location"] == "/selfcare/company"


def test_a_customer_hangs_up_and_blocks_its_own_accounts_only(app: Flask, easy_call: FlaskClient) -> None:
    callback_id = called_on(app)
    assert "Talking" in easy_call.get("/selfcare/company").text
    assert post(easy_call, f"/selfcare/callbacks/{callback_id}/release", "/selfcare/settings").status_code == 303
    assert Callback.get().release_asked_by == "user"
    dora = Account.get(Account.login == "dora")
    for account, status in ((alice(), 303), (dora, 404)):
        place = f"/selfcare/company/accounts/{account.id}/block"
        assert post(easy_call, place, "/selfcare/settings").status_code == status
    assert alice().blocked
    assert not Account.get_by_id(dora.id).blocked
    assert Audit.get(Audit.action == "block").made_by == "customer:Easy Call"


def called_on(app: Flask) -> str:
    callback_id = Hand(app.test_client()).connect()
    scene.Engine(callback_id).talk()
    return callback_id


def test_for_the_owner_of_an_account_there_is_no_company(client: FlaskClient) -> None:
    log_in(client)
    for place in ("company", "company/calls"):
        assert client.get(f"/selfcare/{place}").status_code == 404
