"""Every field of every form that moves money or says a price, typed wrongly: what is typed, and what is said beside it."""

import re
from collections.abc import Iterator
from types import ModuleType

import pytest
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, SubmitField

from tests.web import scene
from tests.web.admin.conftest import Operator, text_of
from tests.web.admin.test_generator import FIELDS
from tests.web.hand import Hand
from webcb.models import Account, Ledger, Tariff, Voucher, Xdr
from webcb.web.admin import funds, generator, number_test, rate_sheets, vouchers

NO_AMOUNT = "is not an amount; write digits with a point, as in 0.10"
NO_NUMBER = "This is not a telephone number. Write it like +1 201-555-0123."
NO_CHOICE = "Not a valid choice"
NO_INTEGER = "Not a valid integer value."
NOT_THERE = "There is none of this name: choose one of the list."
TOO_LONG = "x" * 501

# Where a form is, what is good in it, and of each field what is typed and what is said. A form that only asks is a GET.
Table = dict[str, list[tuple[str, str]]]
FORMS: dict[type[FlaskForm], tuple[str, dict[str, str], Table]] = {
    funds.FundsForm: (
        "/admin/accounts/{account}/funds",
        {"step": "post", "kind": "payment", "amount": "1", "note": ""},
        {
            "kind": [("gift", NO_CHOICE), ("", NO_CHOICE)],
            "amount": [
                ("", "Write an amount, as in 10 or 0.50"),
                ("much", f"'much' {NO_AMOUNT}"),
                ("1,50", f"'1,50' {NO_AMOUNT}"),
                ("1e3", f"'1e3' {NO_AMOUNT}"),
                ("0", "Write an amount above 0."),
                ("-1", "Write an amount above 0."),
                ("0.0000001", "'0.0000001' has more than 6 decimals"),
                ("99999999999", "'99999999999' is larger than 1000000000"),
            ],
            "note": [(TOO_LONG, "Field cannot be longer than 500 characters.")],
        },
    ),
    funds.VoucherForm: (
        "/admin/accounts/{account}/funds",
        {"step": "voucher"},
        {
            "code": [
                ("", "Write the 16 digits."),
                ("1234", "This is no code of a voucher: write its 16 digits."),
                ("1234567890123456", "This is no code of a voucher: write its 16 digits."),
                ("0000000000000000", "There is no such voucher."),
                (TOO_LONG, "Field cannot be longer than 64 characters."),
            ]
        },
    ),
    funds.RefundForm: (
        "/admin/callbacks/{callback}/refund/B",
        {"amount": "0.01", "note": ""},
        {
            "amount": [
                ("much", f"'much' {NO_AMOUNT}"),
                ("0", "Write an amount above 0."),
                ("-0.01", "Write an amount above 0."),
                ("100", "Give back more than nothing, and at most what is left of the charge."),
            ],
            "note": [(TOO_LONG, "Field cannot be longer than 500 characters.")],
        },
    ),
    vouchers.VoucherForm: (
        "/admin/vouchers/new",
        {"series": "Kiosk", "quantity": "2", "amount": "5", "currency": "USD"},
        {
            "series": [("", "Write a name for these vouchers."), ("a\tb", "Write a name for these vouchers.")],
            "quantity": [
                (typed, "Write a whole number from 1 to 100,000.") for typed in ("", "0", "-1", "many", "100001", "1.5")
            ],
            "amount": [
                (typed, "Write an amount above nothing, as in 10 or 2.50.") for typed in ("", "0", "-1", "much", "1,5")
            ],
            "currency": [(typed, "Write three capital letters, as in USD.") for typed in ("", "usd", "DOLLAR", "US1")],
            "expires_at": [
                ("soon", "Write a date and a time, as in 2026-12-31 18:00."),
                ("2026-02-30 10:00", "Write a date and a time, as in 2026-12-31 18:00."),
                ("2020-01-01 10:00", "This is past."),
            ],
            "expires_at_zone": [("Mars", NO_CHOICE)],
        },
    ),
    generator.GeneratorForm: (
        "/admin/account-generator",
        FIELDS,
        {
            "customer": [("", "Choose one."), ("Acne", "There is no customer 'Acne'.")],
            "role": [("King", NO_CHOICE)],
            "type": [("gold", NO_CHOICE)],
            "product": [("", "Choose one."), ("Nothing", "There is no product 'Nothing'.")],
            "quantity": [
                ("", NO_INTEGER),
                ("many", NO_INTEGER),
                ("0", "1 to 1,000,000 accounts at a time."),
                ("1000001", "1 to 1,000,000 accounts at a time."),
            ],
            "existing": [("Nothing", "There is no batch 'Nothing'.")],
            "batch": [
                ("", "A batch has a name of 1 to 64 characters on one line."),
                ("x" * 65, "A batch has a name of 1 to 64 characters on one line."),
            ],
            "opening_balance": [("much", NO_AMOUNT), ("-1", "An opening balance is 0 or more.")],
            "credit_limit": [("much", NO_AMOUNT), ("5", "A debit account has no credit limit; choose type credit.")],
            "method": [("By hand", NO_CHOICE)],
            "prefix": [("!", "ID prefix: write letters, then digits, as in cb or cb1818.")],
            "length": [("", NO_INTEGER), ("long", NO_INTEGER), ("99", "ID length: 1 to 32 digits.")],
            "service_passwords": [("weak", NO_CHOICE)],
            "distributor": [("Nobody", "There is no distributor 'Nobody'.")],
            "activation_at": [("soon", "a date and a time")],
            "activation_at_zone": [("Mars", NO_CHOICE)],
            "expires_at": [
                ("soon", "a date and a time"),
                ("2020-01-01T00:00", "The expiration date is before they could be used."),
            ],
            "expires_at_zone": [("Mars", NO_CHOICE)],
            "days_after_first_use": [("0", "1 to 36500 days, or nothing."), ("x", NO_INTEGER)],
            "days_after_last_use": [("36501", "1 to 36500 days, or nothing."), ("x", NO_INTEGER)],
            "self_care": [("weak", NO_CHOICE)],
            "time_zone": [("Mars", NO_CHOICE)],
            "language": [("eo", NO_CHOICE)],
        },
    ),
    rate_sheets.SheetForm: (
        "/admin/tariffs/{tariff}/sheet",
        {"step": "preview", "mode": "add", "time_zone": "UTC"},
        {
            "file": [("", "choose a file that is not empty")],
            "mode": [("mix", NO_CHOICE)],
            "time_zone": [("Mars", NO_CHOICE)],
        },
    ),
    number_test.NumberForm: (
        "GET /admin/test-number",
        {"number": "+1 206 555 4123", "leg": "B"},
        {
            "number": [("hello", NO_NUMBER), ("12", "This number has too few or too many digits.")],
            "application": [("nothing", NOT_THERE)],
            "leg": [("C", NOT_THERE)],
            "product": [("Nothing", NOT_THERE)],
            "at": [("soon", "Write a date and a time")],
            "at_zone": [("Mars", NO_CHOICE)],
        },
    ),
    number_test.CalculatorForm: (
        "GET /admin/price-calculator",
        {"login": "alice", "number_a": "+55 11 99988-7766", "number_b": "+1 206 555 4123"},
        {
            "application": [("nothing", NOT_THERE)],
            "login": [("nobody", "There is no such account.")],
            "number_a": [("hello", NO_NUMBER)],
            "number_b": [("", "Enter a telephone number.")],
            "at": [("soon", "Write a date and a time")],
            "at_zone": [("Mars", NO_CHOICE)],
        },
    ),
}
SCREENS: tuple[ModuleType, ...] = (funds, vouchers, generator, rate_sheets, number_test)


def forms() -> Iterator[type[FlaskForm]]:
    for screen in SCREENS:
        for value in vars(screen).values():
            if isinstance(value, type) and issubclass(value, FlaskForm) and value.__module__ == screen.__name__:
                yield value


def test_the_table_has_every_field_of_every_form(admin: Operator) -> None:
    """What is neither hidden nor a box to tick can be typed wrongly."""
    assert set(forms()) == set(FORMS)
    with admin.client.application.test_request_context():
        for form, (_, _, table) in FORMS.items():
            typed = {each.name for each in form() if not isinstance(each, (HiddenField, BooleanField, SubmitField))}
            assert typed == set(table), form


@pytest.mark.parametrize("form", list(FORMS), ids=lambda form: f"{form.__module__.rpartition('.')[2]}-{form.__name__}")
def test_what_is_wrong_is_said_and_nothing_is_written(admin: Operator, form: type[FlaskForm]) -> None:
    address, good, table = FORMS[form]
    callback_id = Hand(admin.client.application.test_client()).connect()
    engine = scene.Engine(callback_id)
    engine.talk(ago=61)
    engine.end("A hung up", 61, 61)
    method, _, path = address.rpartition(" ")
    path = path.format(
        account=Account.get(login="alice").id, callback=callback_id, tariff=Tariff.get(name="Callback").id
    )
    before = [table.select().count() for table in (Ledger, Xdr, Voucher, Account)]
    unsaid = []
    for field, cases in table.items():
        for typed, said in cases:
            fields = good | {field: typed}
            if method == "GET":
                answer = admin.client.get(path, query_string=fields)
                assert answer.status_code == 200
                page = answer.text
            else:
                page = admin.post(path, 422, **fields).text
            if said not in text_of(page):
                unsaid.append((field, typed[:20], said, re.findall(r'-error">([^<]+)<', page)))
    assert unsaid == []
    assert [table.select().count() for table in (Ledger, Xdr, Voucher, Account)] == before
