"""The proof of the books (`webcb check`): how long it takes for LEDGER_ROWS rows, and how much memory it takes on top.

The rows are those of a service that has run for long: bills of calls with their xDRs on CHAINS wallets, each with its chain.
"""

import gc
import hashlib
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bench.table import Beside
from tests.billing import rows
from tests.billing.rows import NOON
from webcb import db, models
from webcb.billing import books, ledger, query
from webcb.billing.ledger import Entry
from webcb.billing.query import micros
from webcb.billing.settlement import XDR_COLUMNS

LEDGER_ROWS = 1_000_000
CHAINS = 10_000
LEGS = 999  # of a callback
_XDR = f"INSERT INTO xdr (id, {', '.join(XDR_COLUMNS)}) VALUES ({query.marks(XDR_COLUMNS)}, ?)"

Figures = dict[str, float]


def run() -> Figures:
    """Fill, measure, print a table, return the figures."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        opened = db.connect(f"sqlite:///{Path(folder) / 'webcb.sqlite'}")
        opened.connect()
        db.migrate()
        opened.execute_sql("PRAGMA synchronous = off")
        with db.writing():
            _fill()
        gc.collect()
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start, start_cpu = time.perf_counter(), time.process_time()
        assert books.differences() == []
        figures["check_seconds"] = time.perf_counter() - start
        figures["check_cpu_seconds"] = time.process_time() - start_cpu
        figures["check_more_memory_mib"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) / 1024
        figures["hash_cpu_seconds"] = _hashed_cpu_seconds()
        opened.close()
    for name, value in figures.items():
        print(f"{name:38} {value:10.2f}")
    return {name: round(value, 2) for name, value in figures.items()}


def _hashed_cpu_seconds() -> float:
    """What cannot be done without: every row and its xDR read once and hashed."""
    start = time.process_time()
    for row in db.database.execute_sql(
        "SELECT * FROM ledger JOIN xdr ON xdr.id = ledger.xdr_id ORDER BY wallet_id, ledger.id"
    ):
        hashlib.sha256(orjson.dumps(row)).hexdigest()
    return time.process_time() - start


def _fill() -> None:
    house = rows.house()
    callback_ids = [f"{number:020x}" for number in range(LEDGER_ROWS // LEGS + 1)]
    application_id, account_id = house.application.id, house.account.id
    query.change_each(
        "INSERT INTO callback (id, kind, voice_application_id, account_id, idempotency_key, requested_at, state, ended_at, ending)"
        " VALUES (?, 'hosted', ?, ?, ?, 1, 'ended', 1, 'A hung up')",
        [(callback_id, application_id, account_id, callback_id) for callback_id in callback_ids],
    )
    wallets = [models.Wallet.create(currency="USD") for _ in range(CHAINS)]
    each = LEDGER_ROWS // CHAINS
    for number, wallet in enumerate(wallets):
        xdrs, entries = [], []
        for xdr_id, xdr in _bills(number * each, each, callback_ids, house):
            xdrs.append((xdr_id, *xdr))
            entries.append(
                Entry(f"charge:{xdr_id}", "charge", -100_000, "engine", house.account.id, xdr_id=xdr_id, xdr=xdr)
            )
        query.change_each(_XDR, xdrs)
        ledger.write(ledger.Wallet(wallet.id, "USD"), entries, NOON)


def _bills(first: int, count: int, callback_ids: list[str], house: rows.House) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """xDRs with their ids: hosted callbacks in which LEGS destinations were called."""
    at = micros(NOON)
    for number in range(first, first + count):
        known: dict[str, Any] = dict.fromkeys(XDR_COLUMNS) | {
            "kind": "charge", "callback_id": callback_ids[number // LEGS], "leg": f"B{number % LEGS + 1}",
            "account_id": house.account.id,
            "customer_id": house.customer.id, "cli": "12065554123", "cld": "5511999887766", "access_code": "WEBCALLBACK",
            "destination": "55", "tariff": "Callback", "disconnect_time": at, "bill_time": at, "used_quantity": 45,
            "charged_quantity": 60, "charged_micros": 100_000, "currency": "USD", "disconnect_cause": 16,
            "explanation": "{}" * 200,
        }  # fmt: skip
        yield number + 1, tuple(known.values())


def beside(figures: Figures) -> list[Beside]:
    """The proof beside reading the same rows."""
    return [
        Beside(
            "the books proven: CPU",
            figures["check_cpu_seconds"],
            "s",
            "its rows read and hashed",
            figures["hash_cpu_seconds"],
        )
    ]
