"""Installations of a size for `bench.growth`: so many accounts and rates, or so many xDRs, made by SQL.

Ten million xDRs are five million callbacks, ten million legs and as many ledger rows. They go in without indexes and foreign keys;
the indexes are made after them by the database's own words.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from tests import databases
from tests.billing import rows
from webcb import db
from webcb.billing import credentials, query

ACCOUNTS_OF_XDRS: Final = 1_000
FILLED: Final = ("callback", "leg", "xdr", "ledger")
CACHE_KIB: Final = 1_000_000  # of SQLite while it is filled

_VALUES = "WITH RECURSIVE number (value) AS (SELECT CAST({} AS BIGINT) UNION ALL SELECT value + 1 FROM number WHERE value + 1 < {})"
_WALLETS = "INSERT INTO wallet (id, currency, balance_micros) SELECT 10000 + value, 'USD', 1000000000 FROM number"
_ACCOUNTS = """
    INSERT INTO account (id, login, customer_id, product_id, wallet_id)
    SELECT 10000 + value, 'grown' || value, ?, ?, 10000 + value FROM number
"""
# Of seven digits, 5000000 to 5999999, spread over all of them whatever their number.
_DESTINATIONS = """
    INSERT INTO destination (id, prefix)
    SELECT 10000 + value, CAST(5000000 + value * 499979 % 1000000 AS TEXT) FROM number
"""
_RATES = """
    INSERT INTO rate (tariff_id, destination_id, effective_at, first_interval_seconds, next_interval_seconds,
                      first_price_micros, next_price_micros)
    SELECT {}, 10000 + value, 0, 60, 6, 100000, 100000 FROM number
"""
# As `reception.new_id` makes them, of years before: a slot of 225 s for every fourth, and what looks like chance.
_TAIL = "{0} * 1844674407371 % 72057594037927936"
_ID = {
    "sqlite": "printf('%06x%014x', 4000000 + {0} / 4, " + _TAIL + ")",
    "postgresql": "lpad(to_hex(4000000 + {0} / 4), 6, '0') || lpad(to_hex(" + _TAIL + "), 14, '0')",
}
_CALLBACKS = """
    INSERT INTO callback (id, kind, voice_application_id, account_id, idempotency_key, requested_at, state, ended_at, ending)
    SELECT {id}, 'extended', {application}, 10000 + value % {accounts}, 'grown' || value, value * 1000000, 'ended',
           value * 1000000 + 60000000, 'A hung up' FROM number
"""
_LEGS = """
    INSERT INTO leg (callback_id, name, cld, cli, state, pricing, placed_at, answered_at, ended_at)
    SELECT {id}, '{leg}', CAST(5000000 + value * 499979 % 1000000 AS TEXT) || '1234', '', 'ended', '{{}}', 0, 0, 60
      FROM number
"""
_XDRS = """
    INSERT INTO xdr (callback_id, leg, account_id, customer_id, cli, cld, access_code, destination, tariff, connect_time,
                     disconnect_time, bill_time, used_quantity, charged_quantity, charged_micros, currency, disconnect_cause,
                     explanation)
    SELECT {id}, '{leg}', 10000 + value % {accounts}, {customer}, '', CAST(5000000 + value * 499979 % 1000000 AS TEXT)
           || '1234', 'WEBCALLBACK', '5', 'Callback', 0, 60, value * 1000000, 60, 60, 100000, 'USD', 16, '{{}}' FROM number
"""
_LEDGER = """
    INSERT INTO ledger (event_key, wallet_id, account_id, kind, against, amount_micros, currency, balance_after_micros, xdr_id, at,
                        made_by, personal, hash)
    SELECT 'charge:' || callback_id || ':' || leg, account_id, account_id, 'charge', 'revenue', -100000, 'USD', 0, id, bill_time,
           'engine', {nothing}, {nothing} FROM xdr
""".format(nothing="'" + 64 * "0" + "'")

_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({tables})",
    # What a constraint stands on goes with it alone.
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename IN ({tables})"
    " AND indexname NOT IN (SELECT conname FROM pg_constraint)",
}
_BEFORE = {
    "sqlite": ("PRAGMA foreign_keys = off", "PRAGMA journal_mode = off", f"PRAGMA cache_size = -{CACHE_KIB}"),
    "postgresql": ("SET maintenance_work_mem = '1GB'",),
}
_UNCHECKED = {"sqlite": (), "postgresql": ("SET session_replication_role = replica",)}
_CHECKED = {"sqlite": (), "postgresql": ("SET session_replication_role = origin",)}
_AFTER = {
    "sqlite": ("PRAGMA journal_mode = wal", "ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"),
    "postgresql": ("VACUUM ANALYZE", "CHECKPOINT"),
}


def build(what: str, size: int, url: str) -> None:
    """An installation with so many `accounts` and rates, or so many `xdrs`, and what a database does of itself after so many rows."""
    with opened(url):
        db.migrate()
        house = rows.house(balance="1000000.00", first=60, following=6)
        rows.no_limits()
        _say(_BEFORE)
        if what == "accounts":
            _make_accounts(house, size)
            query.change(f"{_VALUES.format(0, size)} {_DESTINATIONS}")
            for tariff in (house.tariff, house.vendor_tariff):
                query.change(f"{_VALUES.format(0, size)} {_RATES.format(tariff.id)}")
        else:
            _make_accounts(house, ACCOUNTS_OF_XDRS)
            with _without_indexes():
                _make_xdrs(house, size)
        _say(_AFTER)


@contextmanager
def opened(url: str) -> Iterator[None]:
    """The database of the program, for a while; its commits do not wait for the disk: that would hide what grows."""
    database = db.connect(url)
    database.connect()
    databases.forgo_durability()
    credentials.use_key("bench")
    try:
        yield
    finally:
        database.close()
        if isinstance(database, db.PooledPostgresql):
            database.close_idle()


def _say(words: Mapping[str, tuple[str, ...]]) -> None:
    for each in words[db.dialect()]:
        db.database.execute_sql(each)


@contextmanager
def _without_indexes() -> Iterator[None]:
    found = db.database.execute_sql(
        _INDEXES[db.dialect()].format(tables=", ".join(f"'{table}'" for table in FILLED))
    ).fetchall()
    for name, _ in found:
        db.database.execute_sql(f"DROP INDEX {name}")
    _say(_UNCHECKED)
    yield
    _say(_CHECKED)
    for _, made_by in found:
        db.database.execute_sql(made_by)


def _make_xdrs(house: rows.House, size: int) -> None:
    names = {"accounts": ACCOUNTS_OF_XDRS, "application": house.application.id, "customer": house.customer.id}
    values, call_id = _VALUES.format(0, size // 2), f"({_ID[db.dialect()].format('value')})"
    query.change(f"{values} {_CALLBACKS.format(id=call_id, **names)}")
    for leg in "AB":
        query.change(f"{values} {_LEGS.format(id=call_id, leg=leg)}")
        query.change(f"{values} {_XDRS.format(id=call_id, leg=leg, **names)}")
    query.change(_LEDGER)


def _make_accounts(house: rows.House, size: int) -> None:
    query.change(f"{_VALUES.format(0, size)} {_WALLETS}")
    query.change(f"{_VALUES.format(0, size)} {_ACCOUNTS}", house.customer.id, house.product.id)
