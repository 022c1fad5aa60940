"""Every field of every form of self-care, typed wrongly: what is typed, what is said, and that nothing is written."""

from html import unescape

import pytest
from flask import Flask
from flask_wtf import FlaskForm
from wtforms import HiddenField

from tests.web import scene
from tests.web.hand import hidden
from tests.web.scene import NUMBER_A, NUMBER_B, PASSWORD
from tests.web.test_selfcare import log_in
from webcb import clock
from webcb.billing import recovery, trusted
from webcb.models import Account, Callback, Ledger, OwnerSession, Payment, Recovery, SavedDestination, TrustedNumber
from webcb.web import owner_forms
from webcb.web.payment_provider import TestProvider

TOO_LONG = "x" * 501
NO_CHOICE = "Not a valid choice."
NOT_A_NUMBER = "This is not a telephone number. Write it like"
NO_LENGTH = "This number has too few or too many digits. Write it like"
NO_AMOUNT = "Enter an amount from 1 to 10000, as in 20 or 7.50."
NO_VOUCHER = "This is not a voucher code. Check its 16 digits."
NO_MATCH = "Login and password do not match."
OTHER_NUMBER = "+1 206 555 0199"  # that bob trusts

# By the page that shows it and the endpoint that takes it: the form, what is good in it, and of each field what is typed and said.
Table = dict[str, list[tuple[str, str]]]
FORMS: dict[tuple[str, str], tuple[type[FlaskForm], dict[str, str], Table]] = {
    ("/selfcare/sign-in", "sign_in"): (
        owner_forms.SignInForm,
        {"login": "alice.web", "password": PASSWORD},
        {
            "login": [
                ("", "Enter your login."),
                ("  ", "Enter your login."),
                (TOO_LONG, "This is longer than 64 characters."),
                ("nobody", NO_MATCH),
                ("alice", NO_MATCH),
                ("<b>", NO_MATCH),
            ],
            "password": [
                ("", "Enter your password."),
                (TOO_LONG, "This is longer than 256 characters."),
                ("wrong", NO_MATCH),
            ],
        },
    ),
    ("/selfcare/", "top_up"): (
        owner_forms.VoucherForm,
        {"code": "0000000000000000"},
        {
            "code": [
                ("", "Enter the code of your voucher."),
                ("1234", NO_VOUCHER),
                ("1234567890123456", NO_VOUCHER),
                ("a" * 16, NO_VOUCHER),
                (TOO_LONG, "This is longer than 40 characters."),
                ("0000000000000000", "There is no such voucher. Check its 16 digits."),
            ]
        },
    ),
    ("/selfcare/settings", "settings"): (
        owner_forms.SettingsForm,
        {"language": "en", "time_zone": "UTC"},
        {
            "language": [("eo", NO_CHOICE), ("", NO_CHOICE), (TOO_LONG, NO_CHOICE)],
            "time_zone": [("Mars", NO_CHOICE), ("", NO_CHOICE), ("localtime", NO_CHOICE)],
        },
    ),
    ("/selfcare/settings", "password"): (
        owner_forms.PasswordForm,
        {"new": "a better staple", "old": PASSWORD},
        {
            "new": [(typed, "Take 10 to 256 characters.") for typed in ("", "short", TOO_LONG)],
            "old": [
                ("", "Enter your password."),
                ("wrong", "This is not your password."),
                (TOO_LONG, "This is longer than 256 characters."),
            ],
        },
    ),
    ("/selfcare/call", "own_call"): (
        owner_forms.OwnCallForm,
        {"number_a": NUMBER_A, "number_b": NUMBER_B},
        {
            "number_a": [
                ("", "Enter the number of the phone you are at."),
                ("hello", NOT_A_NUMBER),
                ("12", NO_LENGTH),
                (TOO_LONG, "This is longer than 40 characters."),
                ("+49 30 901820", "There is no price for this number, so it cannot be called."),
            ],
            "number_b": [
                ("", "Enter the number you want to talk to."),
                ("hello", NOT_A_NUMBER),
                ("+1 206", NO_LENGTH),
                (TOO_LONG, "This is longer than 40 characters."),
                ("+1 900 555 4123", "Premium-rate and satellite numbers cannot be called."),
                ("+53 5 1234567", "Calls to this destination are not allowed."),
                (NUMBER_A, "This is the number to be called at."),
            ],
            "code": [],  # shown and looked at only where A has to be proven: test_code.py
        },
    ),
    ("/selfcare/numbers", "numbers"): (
        owner_forms.NumberForm,
        {"name": "Mum", "number": NUMBER_B, "step": "save"},
        {
            "name": [(TOO_LONG, "This is longer than 64 characters.")],
            "number": [
                ("", "Enter the number."),
                ("hello", NOT_A_NUMBER),
                ("12", NO_LENGTH),
                (TOO_LONG, "This is longer than 40 characters."),
            ],
        },
    ),
    ("/selfcare/pay", "pay"): (
        owner_forms.AmountForm,
        {"amount": "7.50"},
        {
            "amount": [
                ("", "Enter an amount."),
                *[(typed, NO_AMOUNT) for typed in ("much", "1,50", "1e3", "0", "0.99", "-1", "10001", "1.0000001")],
                (TOO_LONG, "This is longer than 20 characters."),
            ]
        },
    ),
    ("/selfcare/forgotten", "forgotten"): (
        owner_forms.RecoveryForm,
        {"login": "alice.web"},
        {"login": [("", "Enter your login."), (TOO_LONG, "This is longer than 64 characters.")]},
    ),
    ("{recovery}", "recover"): (
        owner_forms.NewPasswordForm,
        {"new": "a better staple"},
        {"new": [(typed, "Take 10 to 256 characters.") for typed in ("", "short", TOO_LONG)]},
    ),
}
# What only has a button, and the notice of the payment provider, which is signed: tests of their own.
BUTTONS = {"sign_out", "release", "end_session", "forget_number", "company_block", "payment_notice", "test_payment"}
WRITTEN = (Ledger, Callback, Payment, SavedDestination, TrustedNumber, OwnerSession)


@pytest.fixture
def site(app: Flask) -> Flask:
    """With a provider of payments and a mail server, which are never asked."""
    app.extensions["webcb_payments"] = TestProvider()
    chosen = app.extensions["webcb_settings"]
    app.extensions["webcb_settings"] = type(chosen)(
        **{name: getattr(chosen, name) for name in chosen.__dataclass_fields__}
        | {"smtp_host": "127.0.0.1", "public_url": "https://call.example.com"}
    )
    Account.update(e_commerce=True).where(Account.login == "alice").execute()
    trusted.set_numbers(Account.get(login="bob").id, ["12065550199"])
    return app


def test_the_table_has_every_form_of_self_care(site: Flask) -> None:
    """A form is where something is posted; a new one has no rows yet."""
    posted = {
        rule.endpoint.partition(".")[2]
        for rule in site.url_map.iter_rules()
        if rule.endpoint.startswith("selfcare.") and "POST" in (rule.methods or ())
    }
    assert posted == {endpoint for _, endpoint in FORMS} | BUTTONS


def test_the_table_has_every_field_of_every_form(site: Flask) -> None:
    with site.test_request_context():
        for form, _, table in FORMS.values():
            assert {each.name for each in form() if not isinstance(each, HiddenField)} == set(table), form
    forms = {each for each in vars(owner_forms).values() if isinstance(each, type) and issubclass(each, FlaskForm)}
    assert forms - {FlaskForm} == {form for form, _, _ in FORMS.values()}


def address(site: Flask, page: str) -> str:
    if page != "{recovery}":
        return page
    row = Recovery.create(account=Account.get(login="alice"), asked_at=clock.utc_now())
    return f"/selfcare/recover/{row.id}/{recovery.mark(row)}"


@pytest.mark.parametrize("place", list(FORMS), ids=lambda place: place[1])
def test_what_is_wrong_is_said_and_nothing_is_written(site: Flask, place: tuple[str, str]) -> None:
    page, endpoint = place
    _, good, table = FORMS[place]
    client = site.test_client()
    if endpoint not in ("sign_in", "forgotten", "recover"):
        assert log_in(client).status_code == 303
    shown = address(site, page)
    to = shown if client.get(shown).status_code == 200 and endpoint == "recover" else None
    if to is None:
        with site.test_request_context():
            to = site.url_for(f"selfcare.{endpoint}", _external=False)
    before = [table.select().count() for table in WRITTEN], alice()
    token = hidden(client.get(shown).text, "csrf_token")
    unsaid = []
    for field, cases in table.items():
        for typed, said in cases:
            answer = client.post(to, data=good | {"csrf_token": token, field: typed})
            if answer.status_code != 422 or said not in unescape(answer.text):
                unsaid.append((field, typed[:20], said, answer.status_code))
    assert unsaid == []
    assert ([table.select().count() for table in WRITTEN], alice()) == before


def alice() -> tuple[str, str, str]:
    row = Account.get(login="alice")
    return row.language, row.time_zone, row.web_password


def test_a_number_that_another_account_trusts(site: Flask) -> None:
    client = site.test_client()
    log_in(client)
    token = hidden(client.get("/selfcare/numbers").text, "csrf_token")
    fields = {"csrf_token": token, "number": OTHER_NUMBER, "step": "trust"}
    answer = client.post("/selfcare/numbers", data=fields)
    assert answer.status_code == 422
    assert "This number cannot be trusted: it is another account's, or there are 20." in unescape(answer.text)


def test_one_number_more_than_are_kept_is_not_said_to_be_saved(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webcb.web.owner_calls.SAVED_MAX", 1)
    client = site.test_client()
    log_in(client)
    token = hidden(client.get("/selfcare/numbers").text, "csrf_token")
    fields = {"csrf_token": token, "step": "save", "name": "Mum"}
    assert client.post("/selfcare/numbers", data=fields | {"number": NUMBER_B}).status_code == 303
    assert client.post("/selfcare/numbers", data=fields | {"number": NUMBER_B, "name": "Ma"}).status_code == 303
    answer = client.post("/selfcare/numbers", data=fields | {"number": OTHER_NUMBER})
    assert answer.status_code == 422
    assert "No more than 1 numbers are kept: remove one first." in unescape(answer.text)
    assert [row.name for row in SavedDestination.select()] == ["Ma"]
    assert SavedDestination.get().digits == scene.DIGITS_B
