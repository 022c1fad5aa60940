"""Numbers that authenticate an account: one account each, found by who calls."""

import pytest

from tests.billing import rows
from tests.billing.rows import NOON, House
from webcb import db, models
from webcb.billing import trusted
from webcb.billing.trusted import NUMBERS_MAX, TrustProblem


@pytest.fixture
def house(database: str) -> House:
    return rows.house()


def test_a_number_is_its_accounts_until_it_is_taken_away(house: House) -> None:
    account = models.Account.get()
    assert trusted.account_of_number("5511999887766") is None
    trusted.trust(account.id, account.login, "5511999887766", "ann", NOON)
    trusted.trust(account.id, account.login, "12065554123", "ann", NOON)
    assert trusted.account_of_number("5511999887766") == account.login
    assert trusted.numbers_of([account.id]) == {account.id: "12065554123,5511999887766"}
    assert trusted.untrust("5511999887766", "ann", NOON) == account.login
    assert trusted.account_of_number("5511999887766") is None
    said = [(row.made_by, row.action, row.detail) for row in models.Audit.select().order_by(models.Audit.id)]
    assert said[-1] == ("ann", "trust a number no more", "5511999887766")
    assert len(said) == 3


def test_a_number_is_one_accounts_at_most(house: House) -> None:
    one = models.Account.get()
    columns = one.__data__ | {"login": "other", "wallet": models.Wallet.create(currency="USD").id}
    del columns["id"]
    other = models.Account.create(**columns)
    trusted.trust(one.id, one.login, "12065554123", "ann", NOON)
    for again in (one, other):
        with pytest.raises(TrustProblem, match=f"12065554123 is a trusted number of account {one.login} already"):
            trusted.trust(again.id, again.login, "12065554123", "ann", NOON)
    with pytest.raises(TrustProblem), db.writing():
        trusted.set_numbers(other.id, ["5511999887766", "12065554123"])
    assert trusted.numbers_of([one.id, other.id]) == {one.id: "12065554123"}
    with pytest.raises(TrustProblem, match="is no trusted number"):
        trusted.untrust("442071838750", "ann", NOON)


def test_an_account_trusts_so_many_and_no_more(house: House) -> None:
    account = models.Account.get()
    with pytest.raises(TrustProblem, match="at most 20"):
        trusted.set_numbers(account.id, [str(12065550000 + each) for each in range(NUMBERS_MAX + 1)])
    trusted.set_numbers(account.id, [str(12065550000 + each) for each in range(NUMBERS_MAX)])
    assert models.TrustedNumber.select().count() == NUMBERS_MAX
