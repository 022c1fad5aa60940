"""The admin site at size: every list and search of it over 1,000,000 xDRs and 200,000 accounts, in milliseconds at the server.

On SQLite, in a folder of its own, the rows written by SQL. Each address is asked for five times through Flask's client, by an
administrator; the middle one counts. What takes longer than TARGET_MS is marked. Then every list of the site by each column, both
ways, by each value of its filters, by words that are nowhere and ones that are everywhere: the slowest of each list is told.
"""

import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlencode

from bench.table import Beside
from tests.web import scene
from webcb import clock, db
from webcb.billing import credentials, pattern
from webcb.clerk.patrol import Patrol
from webcb.models import User
from webcb.web import create_app
from webcb.web.admin import screen
from webcb.web.admin.listing import Between, Choice, _filters

TARGET_MS: Final = 200
TIMES: Final = 5
ALMOST_EMPTY: Final = "tariffs"  # what any list costs
PASSWORD: Final = "correct horse battery"

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
_FACTS = json.dumps(pattern.Sums(calls=64, answered=60, seconds=600).facts())
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
     "SELECT leg.id, 1, 1, callback.requested_at + CASE name WHEN 'A' THEN 100000 ELSE 5000000 END, 200, 700 "
     "FROM leg JOIN callback ON callback.id = leg.callback_id WHERE {count} > 0", "xdrs"),
    ("INSERT INTO xdr (callback_id, leg, account_id, customer_id, cli, cld, access_code, destination, tariff, connection_id, "
     "connect_time, disconnect_time, bill_time, setup_ms, used_quantity, charged_quantity, charged_micros, currency, "
     "disconnect_cause, explanation) SELECT callback_id, name, 1001 + (leg.id % {accounts}), 1, cli, cld, 'WEBCALLBACK', '1', "
     "'Callback', 1, callback.requested_at, callback.ended_at, callback.ended_at, 700, 60, 60, 100000, 'USD', 16, '{{}}' "
     "FROM leg JOIN callback ON callback.id = leg.callback_id WHERE {count} > 0", "xdrs"),
    ("INSERT INTO destination (prefix, country, description) SELECT '8' || (1000000 + i), 'DE', 'Region ' || i FROM n", "many"),
    ("INSERT INTO rate (tariff_id, destination_id, effective_at, first_interval_seconds, next_interval_seconds, first_price_micros, "
     "next_price_micros) SELECT 1, id, 0, 60, 60, 100000, 100000 FROM destination WHERE prefix LIKE '8%' AND {count} > 0", "many"),
    ("INSERT INTO voucher (code_hash, series, amount_micros, currency, made_at, made_by) "
     "SELECT printf('%064x', i), 'Series ' || (i / 1000), 5000000, 'USD', {now} - i, 'bench' FROM n", "many"),
    ("INSERT INTO audit (at, made_by, action, subject, detail) "
     "SELECT {now} - i * 1000000, 'user:ann', 'change', 'account cb' || i, 'blocked: false -> true' FROM n", "many"),
    ("INSERT INTO refusal_count (hour_at, reason, voice_application_id, refusals) "
     "SELECT {now} - i * 3600000000, 'no rate', 1 + i % 2, 1 + i % 50 FROM n", "some"),
    ("INSERT INTO never_call (number, asked_at) SELECT '5511' || (900000000 + i), {now} - i * 1000000 FROM n", "many"),
    ("INSERT INTO user_session (user_id, token_hash, source, agent, began_at, seen_at) "
     "SELECT 1, printf('%064x', i), '192.0.2.1', 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', {now} - i, {now} - i FROM n", "some"),
    ("INSERT INTO api_key (name, key_hash, scopes, made_at) "
     "SELECT 'Program ' || i, printf('%064x', i), 'accounts', {now} - i FROM n", "some"),
    ("INSERT INTO sink (callback_id, api_key_id, url) "
     "SELECT printf('%020x', i * 7919), 1 + i % {some}, 'https://crm.example.com/calls' FROM n", "many"),
    ("INSERT INTO sink_event (sink_id, state, at, tries, dead_at, said) "
     "SELECT i, 'ended', {now} - i * 1000000, 9, {now}, 'no answer' FROM n", "many"),
    ("INSERT INTO unusual (at, application, pattern, kind, subject, seen, usual, facts, closed_at, closed_by) SELECT "
     "{now} - i * 60000000, 'Callback', 'many calls', 'account', 'cb' || i, 64, 5, '{facts}', {now}, 'bench' FROM n", "some"),
)  # fmt: skip

LISTS: Final = (
    "", "xdrs", "xdrs?sort=bill_time&desc=0", "xdrs?q=cb1150000", "xdrs?account=cb1150000", "xdrs?cld=12061234",
    "xdrs?q=nothingatall", "xdrs?leg=B", "xdrs?kind=refund", "callbacks", "callbacks?q=cb1150000", "callbacks?number_b=12061234",
    "callbacks?q=12061234", "callbacks?q=nothingatall", "callbacks?state=talking", "attempts", "attempts?cld=12061234",
    "accounts", "accounts?q=cb1150000", "accounts?q=nothingatall", "accounts?state=no+funds", "customers", "batches",
    "search?q=cb1150000", "search?q=12061234567", "active-calls", "audit", "statistics", "checklist",
    "audit?q=cb77777", "audit?made_by=ann&action=change", "audit?sort=at&desc=0", "vouchers", "vouchers?series=Series+77",
    "vouchers?state=used", "vouchers?q=nothingatall", "destinations", "destinations?q=Region+77777", "destinations?prefix=81",
    "tariffs/1/rates", "tariffs/1/rates?q=81077777", "tariffs/1/rates?sort=next_price&desc=1", "tariffs/1/rates?country=DE", "routing",
    "never-called", "never-called?q=5511900077777", "sessions", "sessions?login=ann", "api-keys", "api-keys?q=Program+777",
    "api-keys?state=revoked", "webhooks", "webhooks?now=dead", "webhooks?now=delivered", "webhooks?q=nothingatall", "refusals",
    "refusals?reason=no+rate", "unusual", "unusual?q=cb7777", "unusual?state=open", "alarms", "voice-applications", "connections",
    "products", "distributors", "jobs", "users",
)  # fmt: skip


WORDS: Final = ("nothingatall", "cb", "1", "8")  # nowhere, and nearly everywhere
PARENTS: Final = {"tariffs/{parent_id}/routes": 3}  # of what lists are parts, where it is not the first one


def run(xdrs: int = 1_000_000, accounts: int = 200_000) -> dict[str, Any]:
    """Fill, ask, print; the milliseconds by address."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), xdrs, accounts)
        client = client_of(Path(folder))
        print(f"{xdrs:,} xDRs, {accounts:,} accounts: milliseconds, the middle one of {TIMES}")
        milliseconds = dict(_ask(client))
        almost_empty_ms = round(_took_ms(client, ALMOST_EMPTY, 3 * TIMES), 1)
        print("the slowest of every list, by each column, filter and search")
        slowest = dict(_ask_all(client))
        found = {"xdrs": xdrs, "accounts": accounts, "milliseconds": milliseconds, "slowest": slowest}
        return found | {"almost_empty_ms": almost_empty_ms}


def quick() -> dict[str, Any]:
    """A twentieth of the rows."""
    return run(50_000, 10_000)


def beside(figures: dict[str, Any]) -> list[Beside]:
    """The middle and the slowest list beside a list of a few rows, and beside the aim."""
    lists = {name: ms for name, ms in figures["milliseconds"].items() if name != "patrol"} | figures["slowest"]
    slowest = max(lists, key=lambda name: lists[name])
    of = f"of {len(lists)} lists and searches over {figures['xdrs']:,} xDRs"
    return [
        Beside(
            f"the middle one {of}",
            statistics.median(lists.values()),
            "ms",
            "a list of two rows",
            figures["almost_empty_ms"],
        ),
        Beside(f"the slowest {of}: /admin/{slowest}", lists[slowest], "ms", "what it may take", TARGET_MS, aim=1.0),
    ]


def fill(folder: Path, xdrs: int, accounts: int) -> None:
    """Make the database in a folder. The lists that came later get a tenth of the xDRs or a hundredth, as they would."""
    chosen = scene.settings(folder)
    scene.build(chosen)
    db.database.connect(reuse_if_open=True)
    User.create(login="bench", password=credentials.hash_password(PASSWORD), role="administrator")
    counts = {"accounts": accounts, "callbacks": xdrs // 2, "xdrs": xdrs, "many": xdrs // 10, "some": xdrs // 100}
    now = int(time.time() * 1_000_000)
    for sql, of in _FILL:
        statement = sql.format(now=now, accounts=accounts, some=counts["some"], facts=_FACTS, count=counts[of])
        with db.writing():
            db.database.execute_sql(
                f"{_NUMBERS.format(count=counts[of])} {statement}" if "FROM n" in statement else statement
            )
    db.database.execute_sql("ANALYZE")
    db.database.close()


def client_of(folder: Path) -> Any:
    """An administrator before the pages over the database of a folder."""
    client = create_app(scene.settings(folder)).test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/admin/sign-in").text)
    assert token is not None
    client.post("/admin/sign-in", data={"csrf_token": token[1], "login": "bench", "password": PASSWORD})
    return client


def every_way(client: Any) -> dict[str, list[str]]:
    """Every list of the site and the addresses of its columns, filters and searches."""
    found = {}
    for place, listing_of in sorted(screen.LISTINGS.items()):
        parent = PARENTS.get(place, 1)
        address = place.format(parent_id=parent)
        db.database.connect(reuse_if_open=True)
        with client.application.test_request_context():
            listing = listing_of(parent)
            ways = [
                {"sort": each.name, "desc": way} for each in listing.columns if each.order is not None for way in "01"
            ]
            for name, (_, each) in _filters(listing, SimpleNamespace(role="administrator")).items():
                if isinstance(each, Choice):
                    ways += [{name: value} for value in each.options()]
                elif isinstance(each, Between):
                    ways += [{f"{name}_from": "1990-01-01"}, {f"{name}_to": "1990-01-01"}]
                else:
                    ways += [{name: word} for word in WORDS]
        ways += [{"q": word} for word in WORDS]
        found[address] = [address, *(f"{address}?{urlencode(way)}" for way in ways)]
    return found


def _ask_all(client: Any) -> Iterator[tuple[str, float]]:
    """The slowest address of each list: each is asked for once, the three that took longest again and again."""
    for addresses in every_way(client).values():
        once = sorted(addresses, key=lambda address: _took_ms(client, address, 1), reverse=True)
        took_ms, slowest = max((_took_ms(client, address, TIMES), address) for address in once[:3])
        print(
            f"{took_ms:8.1f}  {'SLOW ' if took_ms > TARGET_MS else '     '}/admin/{slowest}  of {len(addresses)}",
            flush=True,
        )
        yield slowest, round(took_ms, 1)


def _took_ms(client: Any, address: str, times: int) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        answer = client.get(f"/admin/{address}")
        took.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, (address, answer.status_code)
    return statistics.median(took)


def _ask(client: Any) -> Iterator[tuple[str, float]]:
    for address in LISTS:
        middle = _took_ms(client, address, TIMES)
        print(f"{middle:8.1f}  {'SLOW ' if middle > TARGET_MS else '     '}/admin/{address}", flush=True)
        yield address, round(middle, 1)
    db.database.connect(reuse_if_open=True)
    began = time.perf_counter()
    Patrol().go(clock.utc_now())
    took_ms = 1000 * (time.perf_counter() - began)
    print(f"{took_ms:8.1f}       the patrol's first round of the day")
    yield "patrol", round(took_ms, 1)
