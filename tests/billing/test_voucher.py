"""Vouchers on both databases: made in series, redeemed once, by one of all that try."""

from collections import Counter
from datetime import timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import wallet
from tests.billing.test_on_postgresql import at_once
from webcb import models
from webcb.billing import books, credentials, voucher
from webcb.billing.voucher import Redeemed

pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture
def house(either_database: str) -> rows.House:
    credentials.use_key("a key of the tests alone")
    return rows.house()


def make(quantity: int = 1, series: str = "spring", **changes: object) -> list[str]:
    terms = {"amount_micros": 2_000_000, "currency": "USD", "expires_at": NOON + timedelta(days=1)} | changes
    return voucher.make(series, quantity, made_by="ana", at=NOON, **terms)  # type: ignore[arg-type]


def test_a_voucher_is_redeemed_once(house):
    (code,) = make()
    spaced = f" {code[:4]}-{code[4:8]} {code[8:]}"
    assert voucher.redeem(spaced, house.account.id, "ben", NOON) == Redeemed(2_000_000, 7_000_000, "USD")
    assert voucher.redeem(code, house.account.id, "ben", NOON) == "used"
    row = models.Ledger.get(models.Ledger.kind == "voucher")
    assert (row.against, row.amount_micros, row.made_by, row.note) == ("vouchers", 2_000_000, "ben", "series spring")
    assert models.Voucher.get().used_by == house.account
    assert models.Account.get().last_used_at == NOON  # a recharge lengthens its life
    assert {book: amount for book, _, amount in books.balances()}["vouchers"] == -2_000_000


def test_the_code_itself_is_nowhere(house):
    (code,) = make()
    assert all(code not in str(value) for value in models.Voucher.get().__data__.values())


@pytest.mark.parametrize(
    ("terms", "at", "said"),
    [
        ({}, NOON + timedelta(days=1), "expired"),
        ({"currency": "EUR"}, NOON, "another currency"),
        ({"expires_at": None}, NOON + timedelta(days=9000), None),
    ],
)
def test_a_voucher_that_does_not_fit(house, terms, at, said):
    (code,) = make(**terms)
    found = voucher.redeem(code, house.account.id, "ben", at)
    assert isinstance(found, Redeemed) if said is None else found == said


@pytest.mark.parametrize("code", ["", "123", "x" * 16, "1234567890123456", "٣" * 16, "\ud800" * 16])
def test_a_mistyped_code_is_told_from_an_unknown_one(house, code):
    assert voucher.redeem(code, house.account.id, "ben", NOON) == "mistyped"
    assert voucher.redeem("0" * 16, house.account.id, "ben", NOON) == "unknown"


def test_every_slip_of_a_finger_is_seen(house):
    (code,) = make()
    for place, digit in enumerate(code):
        slip = code[:place] + str((int(digit) + 1) % 10) + code[place + 1 :]
        assert voucher.redeem(slip, house.account.id, "ben", NOON) == "mistyped"


def test_a_series_is_made_once_and_its_codes_differ(house):
    assert len(set(make(500))) == 500
    with pytest.raises(ValueError, match="a series 'spring' already"):
        make()
    with pytest.raises(ValueError, match="1 to 100,000"):
        make(0, "none")


def test_of_many_that_try_a_code_at_once_one_gets_it(house):
    (code,) = make()
    others = [rows.account(house.customer, house.product, f"cb200{n}", "0") for n in range(5)]
    tried = [(code, account.id, "ben", NOON) for account in (house.account, *others)]
    said = at_once(voucher.redeem, tried)
    assert Counter("got" if isinstance(each, Redeemed) else each for each in said) == {"got": 1, "used": 5}
    assert (
        wallet(house).balance_micros + sum(models.Wallet.get_by_id(each.wallet_id).balance_micros for each in others)
        == 7_000_000
    )
