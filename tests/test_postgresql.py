"""schema.sql, the migrations and the models on a real PostgreSQL: one file serves both databases."""

from collections.abc import Iterator

import pytest
from peewee import DatabaseError, IntegrityError

from webcb import db, models
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
