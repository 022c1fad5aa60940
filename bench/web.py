"""The admin site at size: every list and search of it over 1,000,000 xDRs and 200,000 accounts, in milliseconds at the server.

On SQLite, in a folder of its own, the rows written by SQL. Each address is asked for five times through Flask's client, by an
administrator; the middle one counts. What takes longer than TARGET_MS is marked.
"""

import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.web import scene
from webcb import db
from webcb.billing import credentials
from webcb.models import User
from webcb.web import create_app

TARGET_MS: Final = 200
TIMES: Final = 5
PASSWORD: Final = "correct horse battery"

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
_FILL = (
    ("INSERT INTO wallet (id, currency, balance_micros, credit_limit_micros, locked_micros) "
     "SELECT 1000 + i, 'USD', i % 97 * 100000, 0, 0 FROM n", "accounts"),
    ("INSERT INTO account (id, login, customer_id, product_id, wallet_id) "
     "SELECT 1000 + i, 'cb' || (1000000 + i), 1, 1, 1000 + i FROM n", "accounts"),
    ("INSERT INTO callback (id, kind, voice_application_id, account_id, idempotency_key, requested_at, state, ended_at, ending) "
     "SELECT printf('%020x', i * 7919), 'extended', 1, 1001 + i % {accounts}, 'k' || i, {now} - i * 5000000, 'ended', "
     "{now} - i * 5000000 + 60000000, CASE i % 3 WHEN 0 THEN 'B hung up' ELSE 'A hung up' END FROM n", "callbacks"),
    ("INSERT INTO leg (callback_id, name, cld, cli, state) SELECT printf('%020x', i * 7919), 'A', '55119' || (10000000 + i % 8999999), "
     "'', 'ended' FROM n", "callbacks"),
    ("INSERT INTO leg (callback_id, name, cld, cli, state) SELECT printf('%020x', i * 7919), 'B', "
     "'1206' || (1000000 + i * 31 % 8999999), '', 'ended' FROM n", "callbacks"),
    ("INSERT INTO attempt (leg_id, position, connection_id, placed_at, status, setup_ms) "
     "SELECT i, 1, 1, {now} - i * 2500000, 200, 700 FROM n", "xdrs"),
    ("INSERT INTO xdr (callback_id, leg, account_id, customer_id, cli, cld, access_code, destination, tariff, connection_id, "
     "connect_time, disconnect_time, bill_time, setup_ms, used_quantity, charged_quantity, charged_micros, currency, "
     "disconnect_cause, explanation) SELECT callback_id, name, 1001 + (leg.id % {accounts}), 1, cli, cld, 'WEBCALLBACK', '1', "
     "'Callback', 1, callback.requested_at, callback.ended_at, callback.ended_at, 700, 60, 60, 100000, 'USD', 16, '{{}}' "
     "FROM leg JOIN callback ON callback.id = leg.callback_id WHERE {count} > 0", "xdrs"),
)  # fmt: skip

LISTS: Final = (
    "", "xdrs", "xdrs?sort=bill_time&desc=0", "xdrs?q=cb1150000", "xdrs?account=cb1150000", "xdrs?cld=12061234",
    "xdrs?q=nothingatall", "xdrs?leg=B", "xdrs?kind=refund", "callbacks", "callbacks?q=cb1150000", "callbacks?number_b=12061234",
    "callbacks?q=12061234", "callbacks?q=nothingatall", "callbacks?state=talking", "attempts", "attempts?cld=12061234",
    "accounts", "accounts?q=cb1150000", "accounts?q=nothingatall", "accounts?state=no+funds", "customers", "batches",
    "search?q=cb1150000", "search?q=12061234567", "active-calls", "audit", "statistics", "checklist",
)  # fmt: skip


def run(xdrs: int = 1_000_000, accounts: int = 200_000) -> dict[str, Any]:
    """Fill, ask, print; the milliseconds by address."""
    with tempfile.TemporaryDirectory() as folder:
        client = _client(Path(folder), xdrs, accounts)
        print(f"{xdrs:,} xDRs, {accounts:,} accounts: milliseconds, the middle one of {TIMES}")
        return {"xdrs": xdrs, "accounts": accounts, "milliseconds": dict(_ask(client))}


def _client(folder: Path, xdrs: int, accounts: int) -> Any:
    chosen = scene.settings(folder)
    scene.build(chosen)
    app = create_app(chosen)
    db.database.connect(reuse_if_open=True)
    User.create(login="bench", password=credentials.hash_password(PASSWORD), role="administrator")
    counts = {"accounts": accounts, "callbacks": xdrs // 2, "xdrs": xdrs}
    now = int(time.time() * 1_000_000)
    for sql, of in _FILL:
        statement = sql.format(now=now, accounts=accounts, count=counts[of])
        with db.writing():
            db.database.execute_sql(
                f"{_NUMBERS.format(count=counts[of])} {statement}" if "FROM n" in statement else statement
            )
    db.database.execute_sql("ANALYZE")
    db.database.close()
    client = app.test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/admin/sign-in").text)
    assert token is not None
    client.post("/admin/sign-in", data={"csrf_token": token[1], "login": "bench", "password": PASSWORD})
    return client


def _ask(client: Any) -> Iterator[tuple[str, float]]:
    for address in LISTS:
        took = []
        for _ in range(TIMES):
            began = time.perf_counter()
            answer = client.get(f"/admin/{address}")
            took.append(1000 * (time.perf_counter() - began))
            assert answer.status_code == 200, (address, answer.status_code)
        middle = statistics.median(took)
        print(f"{middle:8.1f}  {'SLOW ' if middle > TARGET_MS else '     '}/admin/{address}", flush=True)
        yield address, round(middle, 1)
