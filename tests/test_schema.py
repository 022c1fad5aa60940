"""The tables: models mirror schema.sql column by column, the CHECKs bite, migrating twice is migrating once."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    Field,
    ForeignKeyField,
    IntegerField,
    IntegrityError,
    SqliteDatabase,
    TextField,
)

from tests.releases import frozen
from webcb import db, models

SQL_TYPES = {
    AutoField: "INTEGER",
    TextField: "TEXT",
    BooleanField: "BOOLEAN",
    BigIntegerField: "BIGINT",
    models.InstantField: "BIGINT",
    IntegerField: "INTEGER",
}


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = db.connect(f"sqlite:///{tmp_path / 'webcb.sqlite'}")
    opened.connect()
    db.migrate()
    yield opened
    opened.close()


def rows(sql: str) -> list[tuple]:
    return db.database.execute_sql(sql).fetchall()


def sql_type(field: Field) -> str:
    if isinstance(field, ForeignKeyField):
        return "TEXT" if isinstance(field.rel_field, TextField) else "BIGINT"
    return SQL_TYPES[type(field)]


def default(field: Field) -> str | None:
    """A field's default as the schema writes it."""
    if field.default is None:
        return None
    if isinstance(field.default, bool):
        return str(field.default).upper()
    return f"'{field.default}'" if isinstance(field.default, str) else str(field.default)


def test_every_table_has_a_model(fresh):
    tables = {row[0] for row in rows("SELECT name FROM sqlite_master WHERE type = 'table'")} - {"schema_version"}
    assert {model._meta.table_name for model in models.ALL_TABLES} == tables
    assert len(models.ALL_TABLES) == len(tables)


@pytest.mark.parametrize("model", models.ALL_TABLES, ids=lambda model: model._meta.table_name)
def test_a_model_mirrors_its_table(fresh, model):
    table = model._meta.table_name
    written = {
        name: (kind, bool(key) or bool(not_null), given, bool(key))
        for _, name, kind, not_null, given, key in rows(f'PRAGMA table_info("{table}")')
    }
    modelled = {
        field.column_name: (sql_type(field), not field.null, default(field), field.primary_key)
        for field in model._meta.sorted_fields
    }
    assert modelled == written
    assert list(modelled) == list(written)  # in the same order

    keys = {(row[3], row[2], row[4]) for row in rows(f'PRAGMA foreign_key_list("{table}")')}
    assert keys == {
        (field.column_name, field.rel_model._meta.table_name, field.rel_field.column_name)
        for field in model._meta.sorted_fields
        if isinstance(field, ForeignKeyField)
    }

    unique = set()
    for _, index, is_unique, _, partial in rows(f'PRAGMA index_list("{table}")'):
        columns = [row[2] for row in rows(f'PRAGMA index_info("{index}")')]
        if is_unique and not partial and len(columns) == 1 and columns != [model._meta.primary_key.column_name]:
            unique.add(columns[0])
    assert unique == {field.column_name for field in model._meta.sorted_fields if field.unique}


# What the tables refuse ------------------------------------------------------------------------------------------------

SOUND = {
    "wallet": {"id": 1, "currency": "USD"},
    "destination": {"prefix": "1"},
    "tariff": {"name": "t", "currency": "USD"},
    "rate": {
        "tariff_id": 1,
        "destination_id": 1,
        "effective_at": 0,
        "first_interval_seconds": 1,
        "next_interval_seconds": 1,
        "first_price_micros": 0,
        "next_price_micros": 0,
    },
    "product": {"name": "p", "currency": "USD"},
    "usage_charge": {"product_id": 1, "tariff_id": 1},
    "customer": {"name": "c", "wallet_id": 1},
    "account": {"login": "cb1", "customer_id": 1, "product_id": 1, "wallet_id": 1},
    "vendor": {"name": "v", "currency": "USD"},
    "connection": {"name": "k", "vendor_id": 1, "tariff_id": 1, "host": "h"},
    "route": {"tariff_id": 1, "destination_id": 1},
    "voice_application": {"name": "w", "path": "-"},
    "callback": {
        "id": "0" * 20,
        "kind": "extended",
        "voice_application_id": 1,
        "account_id": 1,
        "idempotency_key": "k",
        "requested_at": 0,
    },
    "leg": {"callback_id": "0" * 20, "name": "A", "cld": "1", "cli": ""},
    "attempt": {"leg_id": 1, "position": 1, "connection_id": 1, "placed_at": 0},
    "lock": {"callback_id": "0" * 20, "wallet_id": 1, "amount_micros": 0, "locked_at": 0},
    "xdr": {
        "callback_id": "0" * 20,
        "leg": "A",
        "account_id": 1,
        "customer_id": 1,
        "cli": "",
        "cld": "1",
        "access_code": "",
        "destination": "1",
        "tariff": "t",
        "disconnect_time": 0,
        "bill_time": 0,
        "used_quantity": 0,
        "charged_quantity": 0,
        "charged_micros": 0,
        "currency": "USD",
        "disconnect_cause": 16,
        "explanation": "{}",
    },
    "ledger": {
        "event_key": "e",
        "wallet_id": 1,
        "kind": "payment",
        "against": "payments",
        "amount_micros": 1,
        "currency": "USD",
        "balance_after_micros": 1,
        "at": 0,
        "made_by": "m",
        "personal": "0" * 64,
        "hash": "0" * 64,
    },
    "voucher": {
        "code_hash": "0" * 64,
        "series": "s",
        "amount_micros": 1,
        "currency": "USD",
        "made_at": 0,
        "made_by": "m",
    },
    "user": {"login": "u", "password": "p", "role": "support"},
    "audit": {"at": 0, "made_by": "m", "action": "a", "subject": "s"},
}


def insert(table: str, **changes: object) -> None:
    values = SOUND[table] | changes
    names, marks = ", ".join(values), ", ".join("?" for _ in values)
    db.database.execute_sql(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(values.values()))


@pytest.fixture
def filled(fresh) -> None:
    for table in SOUND:
        insert(table)


REFUSED = [
    ("wallet", {"id": 2, "currency": "usd"}),
    ("wallet", {"id": 2, "currency": "EURO"}),
    ("wallet", {"id": 2, "locked_micros": -1}),
    ("wallet", {"id": 2, "credit_limit_micros": -1}),
    ("wallet", {"id": 2, "balance_micros": 10**15 + 1}),
    ("destination", {"prefix": "1"}),  # there already
    ("destination", {"prefix": "+1"}),
    ("destination", {"prefix": ""}),
    ("destination", {"prefix": "1" * 16}),
    ("destination", {"prefix": "||"}),
    ("tariff", {"name": "x", "decimals": 7}),
    ("tariff", {"name": "x", "free_seconds": -1}),
    ("tariff", {"name": "x", "off_peak_when": "sometimes"}),
    ("tariff", {"name": "x", "post_call_surcharge_ppm": 10_000_001}),
    ("tariff", {"name": "x", "connect_fee_micros": -1}),
    ("tariff", {"name": "x", "off_peak_period_id": 99}),
    ("rate", {}),  # the same tariff, destination and moment
    ("rate", {"effective_at": 1, "first_interval_seconds": 0}),
    ("rate", {"effective_at": 1, "next_interval_seconds": 86_401}),
    ("rate", {"effective_at": 1, "next_price_micros": -1}),
    ("rate", {"effective_at": 1, "mode": "off-peak"}),  # without its four fields
    ("rate", {"effective_at": 1, "destination_id": 99}),
    ("usage_charge", {}),  # one a product, node and access code, also where the node is any
    ("usage_charge", {"access_code": "x", "product_id": 99}),
    ("customer", {"name": "x"}),  # a wallet of its own
    ("account", {"login": "cb1"}),
    ("account", {"login": ""}),
    ("account", {"login": "x" * 65}),
    ("account", {"login": "x", "balance_control": "subordinate"}),  # only a credit account can be
    ("account", {"login": "x", "days_after_first_use": 0}),
    ("connection", {"name": "x", "port": 0}),
    ("connection", {"name": "x", "capacity": 0}),
    ("connection", {"name": "x", "calls_per_second": 0}),
    ("connection", {"name": "x", "transport": "sctp"}),
    ("route", {"destination_id": 1}),
    ("voice_application", {"name": "x", "path": "x", "ring_seconds_a": 4}),
    ("voice_application", {"name": "x", "path": "x", "cli": "+1"}),
    ("voice_application", {"name": "x", "path": "x", "default_country": "USA"}),
    ("callback", {"id": "1" * 20}),  # the account's idempotency key
    ("callback", {"id": "1" * 19, "idempotency_key": "x"}),
    ("callback", {"id": "1" * 20, "idempotency_key": ""}),
    ("callback", {"id": "1" * 20, "idempotency_key": "x", "kind": "other"}),
    ("callback", {"id": "1" * 20, "idempotency_key": "x", "state": "ended"}),  # when, and why
    (
        "callback",
        {"id": "1" * 20, "idempotency_key": "x", "ended_at": 1, "ending": "x"},
    ),  # ended, yet not in that state
    ("leg", {}),
    ("leg", {"name": "C"}),
    ("leg", {"name": "B", "cld": ""}),
    ("attempt", {}),
    ("attempt", {"position": 0}),
    ("lock", {}),
    ("xdr", {}),  # one a callback and leg
    ("xdr", {"leg": "B", "used_quantity": -1}),
    ("ledger", {}),  # one an event
    ("ledger", {"event_key": "x", "kind": "charge"}),  # a charge has an xDR
    ("ledger", {"event_key": "x", "xdr_id": 1}),  # and a payment has none
    ("ledger", {"event_key": "x", "kind": "gift"}),
    ("ledger", {"event_key": "x", "against": "nothing"}),
    ("ledger", {"event_key": "x", "amount_micros": 0}),
    ("ledger", {"event_key": "x", "hash": "0"}),
    ("ledger", {"event_key": "x", "vendor_id": 1}),  # only a vendor's cost is owed to a vendor
    ("ledger", {"event_key": "x", "kind": "vendor cost", "xdr_id": 1, "against": "vendor costs"}),  # and it always is
    ("ledger", {"event_key": "x", "kind": "vendor cost", "xdr_id": 1, "vendor_id": 1}),
    ("xdr", {"leg": "B", "kind": "refund", "charged_micros": -1}),  # of which bill?
    ("xdr", {"leg": "B", "kind": "refund", "refund_of_id": 1}),  # of nothing
    ("xdr", {"leg": "B", "charged_micros": -1}),
    ("xdr", {"leg": "B", "refund_of_id": 1}),
    ("wallet", {"id": 2, "ledger_head": "0"}),
    ("voucher", {}),  # one a code
    ("voucher", {"code_hash": "1" * 64, "amount_micros": 0}),
    ("voucher", {"code_hash": "1" * 64, "used_at": 1}),  # by whom?
    ("user", {"login": "x", "role": "god"}),
]


@pytest.mark.parametrize(("table", "changes"), REFUSED)
def test_what_is_unsound_is_refused(filled, table, changes):
    with pytest.raises(IntegrityError):
        insert(table, **changes)


@pytest.mark.parametrize("table", ["xdr", "ledger", "audit"])
@pytest.mark.parametrize("sql", ['UPDATE "{}" SET id = 99', 'DELETE FROM "{}"'])
def test_what_is_written_stays_written(filled, table, sql):
    with pytest.raises(IntegrityError, match="is never"):
        db.database.execute_sql(sql.format(table))


def test_what_is_referred_to_stays(filled):
    for table in ("destination", "tariff", "product", "customer", "wallet", "account", "connection"):
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            db.database.execute_sql(f"DELETE FROM {table}")


# Migrating -----------------------------------------------------------------------------------------------------------


def test_migrating_twice_is_migrating_once(fresh):
    before = rows("SELECT sql FROM sqlite_master")
    assert db.migrate() == (db.SCHEMA_VERSION, db.SCHEMA_VERSION)
    assert rows("SELECT sql FROM sqlite_master") == before
    assert rows("SELECT COUNT(*) FROM schema_version") == [(1,)]


def test_many_that_start_at_once_migrate_once(tmp_path):
    db.connect(f"sqlite:///{tmp_path / 'webcb.sqlite'}")
    seen = []

    def start() -> None:
        with db.database.connection_context():
            seen.append(db.migrate())

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [(0, db.SCHEMA_VERSION)] + [(db.SCHEMA_VERSION, db.SCHEMA_VERSION)] * 5


def test_a_newer_database_is_left_alone(fresh):
    db.database.execute_sql("INSERT INTO schema_version VALUES (99, 0)")
    with pytest.raises(db.DatabaseProblem, match="install the newer webcb"):
        db.migrate()


def test_the_file_is_kept_as_bills_must_be(fresh):
    assert rows("PRAGMA journal_mode") == [("wal",)]
    assert rows("PRAGMA synchronous") == [(2,)]  # full
    assert rows("PRAGMA foreign_keys") == [(1,)]


def test_an_unknown_database_is_refused_with_what_would_be_right():
    with pytest.raises(db.DatabaseProblem, match="use sqlite:///path or postgresql://"):
        db.connect("mysql://host/name")


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_schema_is_cut_into_statements_for_both(dialect):
    statements = db.statements(db.schema_text(), dialect)
    assert all(statement.startswith(("CREATE ", "INSERT INTO catalog ")) for statement in statements)
    assert ("GENERATED BY DEFAULT AS IDENTITY" in statements[1]) is (dialect == "postgresql")
    assert any("RAISE(ABORT" in statement for statement in statements) is (dialect == "sqlite")


def test_the_schema_of_a_version_stays_what_it_was() -> None:
    """A database of the newest frozen version is made by that schema.sql: who changes it here writes how it gets there."""
    newest = frozen.versions()[-1]
    if db.newest_version() > frozen.schema_version_of(newest):
        return  # a migration leads from there to here: tests/test_migrations.py
    now, then = (db.statements(text, "sqlite") for text in (db.schema_text(), frozen.schema_of(newest)))
    changed = [statement for statement in now if statement not in then]
    assert now == then, (
        f"schema.sql is not that of {newest} any more: {changed[:1]}. If {newest} was released, write webcb/migrations/0002_....sql;"
        f" if not, renew what is kept of it: python -m tests.releases.freeze"
    )
