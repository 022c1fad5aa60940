"""What the books prove: balances, locks, both sides of every movement, and that no row was changed, on both databases."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import begun, used
from webcb import db
from webcb.billing import books, ledger, query, settlement

pytestmark = pytest.mark.usefixtures("either_database")


@contextmanager
def forged(table: str) -> Iterator[None]:
    """Somebody who owns the database has taken the triggers away, and puts them back."""
    if db.dialect() == "postgresql":
        query.change("SET session_replication_role = replica")
        yield
        query.change("SET session_replication_role = origin")
        return
    triggers = query.rows("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", table)
    for trigger in triggers:
        query.change(f"DROP TRIGGER {trigger['name']}")
    yield
    for trigger in triggers:
        query.change(trigger["sql"])


def a_day() -> str:
    """A payment, a callback charged for both legs, and a charge by hand; the callback's id."""
    house = rows.house()  # 5.00 on wallet 2; wallet 1 is the customer's
    ledger.post(house.account.wallet_id, house.account.id, "payment", 1_000_000, "p", "admin", "Kasse 3 · Zoë", NOON)
    callback_id = begun(house)
    settlement.settle(callback_id, [used("A", 10), used("B", 5)], "A hung up", True, NOON)
    ledger.post(house.account.wallet_id, house.account.id, "manual charge", -250_000, "m", "admin", "fee", NOON)
    assert books.differences() == []
    return callback_id


@pytest.mark.parametrize(
    ("damage", "repair", "said"),
    [
        (
            "UPDATE wallet SET balance_micros = balance_micros + 1 WHERE id = 2",
            "UPDATE wallet SET balance_micros = balance_micros - 1 WHERE id = 2",
            "wallet 2: balance is not the sum of its ledger rows: 5.550001 instead of 5.55",
        ),
        (
            "UPDATE wallet SET locked_micros = locked_micros + 10 WHERE id = 2",
            "UPDATE wallet SET locked_micros = locked_micros - 10 WHERE id = 2",
            "wallet 2: locked funds are not the sum of the held locks: 0.00001 instead of 0.00",
        ),
        (
            "UPDATE lock SET state = 'held', closed_at = NULL",
            "UPDATE lock SET state = 'settled', closed_at = 1",
            "its funds are still locked",
        ),
        (
            "UPDATE wallet SET ledger_head = '' WHERE id = 2",
            "UPDATE wallet SET ledger_head = (SELECT hash FROM ledger WHERE event_key = 'm') WHERE id = 2",
            "wallet 2: its chain does not end where it should",
        ),
    ],
)
def test_books_that_contradict_themselves_are_found(damage, repair, said):
    a_day()
    query.change(damage)
    assert any(said in line for line in books.differences())
    query.change(repair)
    assert books.differences() == []


@pytest.mark.parametrize(
    ("table", "column", "forgery"),
    [
        ("ledger", "note", "'another'"),
        ("ledger", "made_by", "'somebody'"),
        ("ledger", "at", "at + 1"),
        ("ledger", "event_key", "'q'"),
        ("ledger", "account_id", "NULL"),
        ("xdr", "cld", "'12065550000'"),
        ("xdr", "used_quantity", "9"),
        ("xdr", "explanation", "'{}'"),
    ],
)
def test_a_row_changed_by_who_owns_the_database_is_found(table, column, forgery):
    """What no sum shows: the chain does."""
    a_day()
    where = "event_key = 'p'" if table == "ledger" else "leg = 'A'"
    was = query.values(f"SELECT {column} FROM {table} WHERE {where}")[0]
    (row_id,) = query.values(f"SELECT id FROM {table} WHERE {where}")
    with forged(table):
        query.change(f"UPDATE {table} SET {column} = {forgery} WHERE id = {row_id}")
    (said,) = books.differences()
    assert said.startswith("wallet 2: its chain is broken at ledger row ")
    with forged(table):
        query.change(f"UPDATE {table} SET {column} = ? WHERE id = {row_id}", was)
    assert books.differences() == []


def test_rows_that_were_taken_away_are_found():
    """The last row and its amount are gone from ledger and wallet: every sum agrees."""
    a_day()
    row = query.rows("SELECT * FROM ledger WHERE event_key = 'm'")[0]
    with forged("ledger"):
        query.change("DELETE FROM ledger WHERE event_key = 'm'")
    query.change("UPDATE wallet SET balance_micros = balance_micros + 250000 WHERE id = 2")
    assert books.differences() == [
        "wallet 2: its chain does not end where it should: ledger rows are missing or strange"
    ]
    query.change("UPDATE wallet SET balance_micros = balance_micros - 250000 WHERE id = 2")
    query.change(f"INSERT INTO ledger ({', '.join(row)}) VALUES ({query.marks(row)})", *row.values())
    assert books.differences() == []


def test_both_sides_of_every_movement_stand_in_the_books():
    a_day()
    stand = {book: micros for book, _, micros in books.balances()}
    assert stand == {
        "wallets": 5_550_000,  # what customers have to get
        "opening": -5_000_000,
        "payments": -1_000_000,
        "revenue": 200_000,
        "adjustments": 250_000,
    }
    assert sum(stand.values()) == 0


def test_a_charge_entered_in_a_wrong_book_is_found():
    a_day()
    with forged("ledger"):
        query.change("UPDATE ledger SET against = 'promotions' WHERE event_key = 'p'")
    said = books.differences()
    assert "1 ledger rows: a payment stands against promotions" in said
    with forged("ledger"):
        query.change("UPDATE ledger SET against = 'payments' WHERE event_key = 'p'")


def test_long_chains_come_a_part_at_a_time_and_it_is_told_how_far_it_is(monkeypatch):
    a_day()
    monkeypatch.setattr(books, "ROWS_BETWEEN_WORDS", 2)
    for rows_at_a_time in (1, 2, 3):
        monkeypatch.setattr(query, "STREAMED_AT_A_TIME", rows_at_a_time)
        told: list[str] = []
        assert books.differences(told.append) == []
        assert told[0] == "whether any balance is not the sum of its ledger rows"
        assert told[-3:] == ["0 of 5 ledger rows", "2 of 5 ledger rows", "4 of 5 ledger rows"]
        query.change("UPDATE wallet SET ledger_head = '' WHERE id = 2")
        assert len(books.differences()) == 1
        query.change("UPDATE wallet SET ledger_head = (SELECT hash FROM ledger WHERE event_key = 'm') WHERE id = 2")
