"""Statements: every line from the ledger, opening and closing balance and all between add up, at the edges of the period."""

from datetime import timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import begun, used
from webcb import models
from webcb.billing import ledger, settlement, statement
from webcb.billing.statement import CallTotal

DAY = timedelta(days=1)


def post(house: rows.House, kind: str, micros: int, at: object, key: str) -> None:
    ledger.post(house.account.wallet.id, house.account.id, kind, micros, key, "ann", f"note of {key}", at)  # type: ignore[arg-type]


def test_a_period_between_two_others(database: str) -> None:
    house = rows.house(balance="5.00")  # opened long ago
    models.Destination.update(country="BR", description="Brazil").where(models.Destination.prefix == "55").execute()
    wallet_id = house.account.wallet.id
    begin, end = NOON - DAY, NOON + DAY
    post(house, "payment", 1_000_000, begin - timedelta(microseconds=1), "before")
    post(house, "payment", 2_000_000, begin, "first moment")
    callback_id = begun(house)
    settlement.settle(callback_id, [used("A", 90), used("B", 61)], "A hung up", True, NOON)
    post(house, "manual charge", -300_000, end - timedelta(microseconds=1), "last moment")
    post(house, "payment", 4_000_000, end, "after")
    found = statement.statement(wallet_id, begin, end)
    # 90 s of A and 61 s of B at 0.10 a minute by whole minutes: 0.20 each
    assert found.calls == (
        CallTotal("1", "", "", 1, 120, 200_000),
        CallTotal("55", "BR", "Brazil", 1, 120, 200_000),
    )
    assert [(each.kind, each.amount_micros, each.note) for each in found.movements] == [
        ("payment", 2_000_000, "note of first moment"),
        ("manual charge", -300_000, "note of last moment"),
    ]
    assert (found.opening_micros, found.closing_micros) == (6_000_000, 6_000_000 + 2_000_000 - 400_000 - 300_000)
    moved = sum(each.amount_micros for each in found.movements)
    assert found.opening_micros - found.charged_micros + moved == found.closing_micros


def test_a_refund_takes_off_what_its_destination_came_to(database: str) -> None:
    house = rows.house()
    callback_id = begun(house)
    settlement.settle(callback_id, [used("A", 60), used("B", 60)], "A hung up", True, NOON)
    settlement.refund(callback_id, "A", 40_000, "refund:1", "ann", "bad line", NOON)
    found = statement.statement(house.account.wallet.id, NOON, NOON + DAY)
    assert found.calls == (CallTotal("1", "", "", 1, 60, 100_000), CallTotal("55", "", "", 1, 60, 60_000))
    assert found.movements == ()


def test_an_empty_period(database: str) -> None:
    house = rows.house(balance="5.00")
    found = statement.statement(house.account.wallet.id, NOON, NOON + DAY)
    assert (found.opening_micros, found.calls, found.movements, found.closing_micros) == (5_000_000, (), (), 5_000_000)
    long_before = rows.LONG_AGO - DAY
    assert statement.statement(house.account.wallet.id, long_before, long_before + DAY).closing_micros == 0


def test_a_wallet_that_is_not_there(database: str) -> None:
    with pytest.raises(LookupError, match="there is no wallet 77"):
        statement.statement(77, NOON, NOON)
