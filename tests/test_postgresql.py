"""schema.sql, the migrations and the models on a real PostgreSQL: one file serves both databases."""

import queue
import threading
from collections.abc import Iterator

import psycopg
import pytest
from peewee import DatabaseError, IntegrityError

from tests.billing import rows
from webcb import db, doorbell, models, pool
from webcb.billing import ledger, reception
from webcb.clock import utc_now


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[None]:
    opened = db.connect(postgresql_url)
    opened.execute_sql("DROP SCHEMA public CASCADE")
    opened.execute_sql("CREATE SCHEMA public")
    yield
    opened.close()


def test_the_schema_is_made_once_and_found_again(postgresql: None) -> None:
    assert db.migrate() == (0, db.SCHEMA_VERSION)
    assert db.migrate() == (db.SCHEMA_VERSION, db.SCHEMA_VERSION)


def test_every_model_finds_its_columns(postgresql: None) -> None:
    db.migrate()
    for table in models.ALL_TABLES:
        there = {column.name for column in db.database.get_columns(table._meta.table_name)}
        assert there == {field.column_name for field in table._meta.sorted_fields}, table


def test_what_is_written_stays_written(postgresql: None) -> None:
    db.migrate()
    with db.writing():
        wallet = models.Wallet.create(currency="USD")
        models.Ledger.create(
            event_key="opening:1",
            wallet=wallet,
            kind="opening balance",
            against="opening",
            amount_micros=5_000_000,
            currency="USD",
            personal="0" * 64,
            hash="0" * 64,
            balance_after_micros=5_000_000,
            at=utc_now(),
            made_by="test",
        )
    for change in (models.Ledger.update(amount_micros=1), models.Ledger.delete()):
        with pytest.raises(DatabaseError, match="never changed or deleted"), db.writing():
            change.execute()
    assert models.Ledger.get().amount_micros == 5_000_000


def test_checks_bite(postgresql: None) -> None:
    db.migrate()
    for wrong in ({"currency": "usd"}, {"currency": "USD", "locked_micros": -1}):
        with pytest.raises(IntegrityError), db.writing():
            models.Wallet.create(**wrong)
    with pytest.raises(IntegrityError), db.writing():
        models.Destination.create(prefix="1a")


# The pool ------------------------------------------------------------------------------------------------------------


def backend() -> int:
    return int(db.database.execute_sql("SELECT pg_backend_pid()").fetchone()[0])


def test_a_connection_goes_back_and_is_taken_again(postgresql: None) -> None:
    first = backend()
    db.database.close()
    assert db.database.open_count() == (0, 1)
    assert backend() == first
    assert db.database.open_count() == (1, 0)


def test_what_the_server_closed_is_replaced_as_it_is_taken(postgresql: None, postgresql_url: str) -> None:
    """A restart of the server costs those who work at that moment; who comes afterwards notices nothing."""
    first = backend()
    db.database.close()
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (first,))
    assert backend() != first


def test_who_works_at_that_moment_is_told_that_it_is_away_and_goes_on_after(
    postgresql: None, postgresql_url: str
) -> None:
    first = backend()
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (first,))
    with pytest.raises(db.UNAVAILABLE):
        backend()
    db.database.close()
    assert backend() != first


def test_no_more_are_opened_than_was_said(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "WAIT_SECONDS_MAX", 0.05)
    opened = db.connect(postgresql_url, connections_max=1)
    backend()
    refused: list[Exception] = []

    def ask() -> None:
        try:
            backend()
        except db.UNAVAILABLE as wrong:
            refused.append(wrong)

    other = threading.Thread(target=ask)
    other.start()
    other.join()
    assert len(refused) == 1
    opened.close()


def test_a_server_that_may_only_be_read_counts_as_away(postgresql: None, postgresql_url: str) -> None:
    db.migrate()
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        other.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        with pytest.raises(db.UNAVAILABLE):
            db.database.execute_sql("SET default_transaction_read_only = on")
            models.Wallet.create(currency="USD")
        db.database.close()
        db.database.close_idle()
        with pytest.raises(db.UNAVAILABLE, match="read-only"):
            db.database.connect()
    finally:
        with psycopg.connect(postgresql_url, autocommit=True) as other:
            other.execute("SET default_transaction_read_only = off")
            other.execute("ALTER DATABASE postgres RESET default_transaction_read_only")


# The bell -------------------------------------------------------------------------------------------------------------


def test_whoever_writes_a_row_that_awaits_an_engine_rings_at_all_of_them(postgresql: None, postgresql_url: str) -> None:
    db.migrate()
    house = rows.house()
    rings: queue.SimpleQueue[None] = queue.SimpleQueue()
    bells = [doorbell.FarBell(postgresql_url, lambda: rings.put(None)) for _ in range(2)]
    for bell in bells:
        bell.start()
        rings.get(timeout=10)  # as it is reached
    callback_id = rows.place(house)
    for _ in bells:
        rings.get(timeout=5)
    models.Callback.update(state="calling A").where(models.Callback.id == callback_id).execute()  # its engine's affair
    models.Node.update(heard_at=utc_now()).execute()
    with pytest.raises(queue.Empty):
        rings.get(timeout=0.1)
    assert reception.ask_release(callback_id, "user", utc_now())
    rings.get(timeout=5), rings.get(timeout=5)
    wallet_id = house.account.wallet_id
    ledger.post(wallet_id, house.account.id, "payment", 1_000_000, "payment:1", "test", "", utc_now())
    rings.get(timeout=5), rings.get(timeout=5)
    with psycopg.connect(postgresql_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    rings.get(timeout=10), rings.get(timeout=10)  # they are there again, and look for what they missed
    for bell in bells:
        bell.close()
        assert not bell.is_alive()
