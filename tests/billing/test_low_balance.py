"""That funds fall below the low balance of their wallet: noted once, and again only after they were above."""

from datetime import timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON, House
from webcb import models
from webcb.billing import ledger, reception, settlement
from webcb.billing.settlement import LegUsage
from webcb.models import LowBalance


@pytest.fixture
def house(database: str) -> House:
    return rows.house(balance="5.00")


def move(amount_micros: int, key: str) -> None:
    wallet = models.Account.get().wallet
    kind: ledger.Adjustment = "payment" if amount_micros > 0 else "manual charge"
    ledger.post(wallet.id, models.Account.get().id, kind, amount_micros, key, "ann", "", NOON)


def falls() -> list[tuple[int, int]]:
    return [(row.funds_micros, row.threshold_micros) for row in LowBalance.select().order_by(LowBalance.id)]


def test_it_is_noted_once_and_again_only_after_it_was_above(house: House) -> None:
    models.Wallet.update(low_balance_micros=2_000_000).execute()
    move(-3_000_000, "1")  # 2.00: not below
    assert falls() == []
    move(-1, "2")
    move(-500_000, "3")
    assert falls() == [(1_999_999, 2_000_000)]
    move(500_001, "4")  # 2.00 again
    move(-100_000, "5")
    assert falls() == [(1_999_999, 2_000_000), (1_900_000, 2_000_000)]
    assert LowBalance.get().mail_due_at == NOON


def test_what_may_be_owed_counts_as_funds(house: House) -> None:
    models.Wallet.update(low_balance_micros=2_000_000, credit_limit_micros=4_000_000).execute()
    move(-6_000_000, "1")
    assert falls() == []
    move(-1_500_000, "2")
    assert falls() == [(1_500_000, 2_000_000)]


def test_a_charge_notes_it(house: House) -> None:
    models.Wallet.update(low_balance_micros=5_000_000).execute()
    callback_id = rows.place(house)
    reception.begin(callback_id, NOON)
    usage = LegUsage("A", NOON, NOON + timedelta(seconds=30), 30_000_000, 900, 16, house.connection.id)
    settlement.settle(callback_id, [usage], "A hung up", False, NOON)
    assert falls() == [(4_900_000, 5_000_000)]


def test_without_a_low_balance_nothing_is_noted(house: House) -> None:
    move(-4_999_999, "1")
    assert falls() == []
