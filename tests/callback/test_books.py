"""`webcb check` is worth what it finds: a balance, a lock or an account that does not agree is said, and the exit is not 0."""

import pytest

from tests.callback.installation import Installation
from webcb import db
from webcb.models import Account, Wallet


@pytest.mark.parametrize("column", [Wallet.balance_micros, Wallet.locked_micros])
def test_a_difference_of_one_micro_is_found(webcb: Installation, column: object) -> None:
    assert webcb.run("check", "--only", "books").returncode == 0
    with db.writing():
        wallet_id = Account.get_by_id(webcb.account_id).wallet_id
        Wallet.update({column: column + 1}).where(Wallet.id == wallet_id).execute()
    assert webcb.run("check", "--only", "books").returncode == 1
