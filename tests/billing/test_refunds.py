"""Giving back: a correcting xDR and its ledger row, whole or in part, never more than was charged, never an edit."""

import json

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import begun, used, wallet
from webcb import models
from webcb.billing import books, settlement
from webcb.billing.settlement import RefundProblem, refund

pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture
def charged(either_database: str) -> tuple[rows.House, str]:
    """A callback whose legs were charged 0.20 and 0.10; 4.70 is left."""
    house = rows.house()
    callback_id = begun(house)
    settlement.settle(callback_id, [used("A", 61), used("B", 60)], "B hung up", True, NOON)
    return house, callback_id


def give_back(callback_id: str, micros: int | None = None, key: str = "r1", leg: str = "A") -> settlement.Refund:
    return refund(callback_id, leg, micros, key, "cli:ana", "bad line", NOON)


def test_a_whole_charge_is_given_back(charged):
    house, callback_id = charged
    given = give_back(callback_id)
    assert (given.refunded_micros, given.left_micros, given.currency) == (200_000, 0, "USD")
    assert wallet(house).balance_micros == 4_900_000
    bill, correction = models.Xdr.select().where(models.Xdr.leg == "A").order_by(models.Xdr.id)
    assert (bill.kind, bill.charged_micros) == ("charge", 200_000)  # as it was
    assert (correction.kind, correction.refund_of_id, correction.charged_micros) == ("refund", bill.id, -200_000)
    assert (correction.used_quantity, correction.charged_quantity, correction.cld) == (0, 0, bill.cld)
    assert json.loads(correction.explanation) == {"refund_of": bill.id, "why": "bad line"}
    row = models.Ledger.get(models.Ledger.xdr == correction.id)
    assert (row.kind, row.against, row.amount_micros, row.made_by, row.note) == (
        "refund", "revenue", 200_000, "cli:ana", "bad line",
    )  # fmt: skip
    assert {book: micros for book, _, micros in books.balances()}["revenue"] == 100_000


def test_parts_are_given_back_until_nothing_is_left(charged):
    house, callback_id = charged
    assert give_back(callback_id, 150_000, "r1").left_micros == 50_000
    with pytest.raises(RefundProblem, match="at most what is left"):
        give_back(callback_id, 50_001, "r2")
    assert give_back(callback_id, None, "r3").refunded_micros == 50_000
    with pytest.raises(RefundProblem, match="nothing of its charge is left"):
        give_back(callback_id, 1, "r4")
    assert wallet(house).balance_micros == 4_900_000


def test_a_refund_is_made_once(charged):
    house, callback_id = charged
    first = give_back(callback_id, 50_000)
    assert give_back(callback_id, 50_000).xdr_id == first.xdr_id
    assert wallet(house).balance_micros == 4_750_000


@pytest.mark.parametrize("micros", [0, -1, 200_001])
def test_what_cannot_be_given_back(charged, micros):
    _, callback_id = charged
    with pytest.raises(RefundProblem, match="more than nothing"):
        give_back(callback_id, micros)
    assert models.Xdr.select().count() == 2


def test_only_a_bill_can_be_given_back(charged):
    with pytest.raises(LookupError, match="leg B of callback 0123 has no bill"):
        give_back("0123", leg="B")
