"""The admin site at size: every list and search of it over 1,000,000 xDRs and 200,000 accounts, in milliseconds at the server.

On SQLite in a folder of its own, or on a PostgreSQL of its own (`python -m bench.web --database postgresql`), the rows written by SQL.
Each address is asked for five times through Flask's client, by an administrator; the middle one counts. What takes longer than
TARGET_MS is marked. Then every list of the site by each column, both ways, by each value of its filters, by words that are nowhere and
ones that are everywhere: the slowest of each list is told. Beside it stands the CPU time of the program and, on PostgreSQL, of the
server: what the same takes at the least, whatever else the machine does.

`--keep FOLDER` leaves the database there, and takes it from there the next time; it is made anew where schema.sql has changed.
"""

import argparse
import hashlib
import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlencode

from bench.table import Beside
from tests.postgresql import Server
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

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
_FACTS = json.dumps(pattern.Sums(calls=64, answered=60, seconds=600).facts())
_FILL = (
    ("INSERT INTO wallet (id, currency, balance_micros, credit_limit_micros, locked_micros) "
     "SELECT 1000 + i, 'USD', i % 97 * 100000, 0, 0 FROM n", "accounts"),
    ("INSERT INTO account (id, login, customer_id, product_id, wallet_id) "
     "SELECT 1000 + i, 'cb' || (1000000 + i), 1, 1, 1000 + i FROM n", "accounts"),
    ("INSERT INTO callback (id, kind, voice_application_id, account_id, idempotency_key, requested_at, state, ended_at, ending) "
     "SELECT HEX(i * 7919, 20), 'extended', 1, 1001 + i % {accounts}, 'k' || i, {now} - i * 5000000, 'ended', "
     "{now} - i * 5000000 + 60000000, CASE i % 3 WHEN 0 THEN 'B hung up' ELSE 'A hung up' END FROM n", "callbacks"),
    ("INSERT INTO leg (callback_id, name, cld, cli, state) SELECT HEX(i * 7919, 20), 'A', '55119' || (10000000 + i % 8999999), "
     "'', 'ended' FROM n", "callbacks"),
    ("INSERT INTO leg (callback_id, name, cld, cli, state) SELECT HEX(i * 7919, 20), 'B', "
     "'1206' || (1000000 + i * 31 % 8999999), '', 'ended' FROM n", "callbacks"),
    ("INSERT INTO attempt (leg_id, position, connection_id, address, placed_at, status, setup_ms) "
     "SELECT leg.id, 1, 1, 'udp 192.0.2.' || leg.id % 3 || ':5060', "
     "callback.requested_at + CASE name WHEN 'A' THEN 100000 ELSE 5000000 END, 200, 700 "
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
     "SELECT HEX(i, 64), 'Series ' || (i / 1000), 5000000, 'USD', {now} - i, 'bench' FROM n", "many"),
    ("INSERT INTO audit (at, made_by, action, subject, detail) "
     "SELECT {now} - i * 1000000, 'user:ann', 'change', 'account cb' || i, 'blocked: false -> true' FROM n", "many"),
    ("INSERT INTO refusal_count (hour_at, reason, voice_application_id, refusals) "
     "SELECT {now} - i * 3600000000, 'no rate', 1 + i % 2, 1 + i % 50 FROM n", "some"),
    ("INSERT INTO never_call (number, asked_at) SELECT '5511' || (900000000 + i), {now} - i * 1000000 FROM n", "many"),
    ("INSERT INTO user_session (user_id, token_hash, source, agent, began_at, seen_at) "
     "SELECT 1, HEX(i, 64), '192.0.2.1', 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0', {now} - i, {now} - i FROM n", "some"),
    ("INSERT INTO api_key (name, key_hash, scopes, made_at) "
     "SELECT 'Program ' || i, HEX(i, 64), 'accounts', {now} - i FROM n", "some"),
    ("INSERT INTO sink (callback_id, api_key_id, url) "
     "SELECT HEX(i * 7919, 20), 1 + i % {some}, 'https://crm.example.com/calls' FROM n", "many"),
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


@dataclass(frozen=True)
class Site:
    """The site before an administrator, and what is known of its database."""

    client: Any
    backend_pid: int | None  # of the one connection to PostgreSQL

    def cpu_ms(self) -> float:
        """What program and database have taken so far."""
        own = 1000 * time.process_time()
        if self.backend_pid is None:
            return own
        return own + int(Path(f"/proc/{self.backend_pid}/schedstat").read_text().split()[0]) / 1_000_000


def run(
    xdrs: int = 1_000_000, accounts: int = 200_000, database: str = "sqlite", keep: Path | None = None
) -> dict[str, Any]:
    """Fill, ask, print; the milliseconds by address."""
    with _database(database, keep, xdrs, accounts) as (folder, url):
        site = site_of(folder, url)
        print(f"{database}, {xdrs:,} xDRs, {accounts:,} accounts: milliseconds, the middle one of {TIMES}; of CPU")
        asked = dict(_ask(site))
        almost_empty_ms, _ = _took_ms(site, ALMOST_EMPTY, 3 * TIMES)
        print("the slowest of every list, by each column, filter and search")
        slowest = dict(_ask_all(site))
        return {
            "database": database,
            "xdrs": xdrs,
            "accounts": accounts,
            "milliseconds": {address: round(took_ms, 1) for address, (took_ms, _) in asked.items()},
            "slowest": {address: round(took_ms, 1) for address, (took_ms, _) in slowest.items()},
            "cpu_milliseconds": {address: round(cpu_ms, 1) for address, (_, cpu_ms) in (asked | slowest).items()},
            "almost_empty_ms": round(almost_empty_ms, 1),
        }


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


@contextmanager
def _database(database: str, keep: Path | None, xdrs: int, accounts: int) -> Iterator[tuple[Path, str]]:
    """A filled database: its folder and URL."""
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # a server that steps down from root must reach what is its own
        made_of = f"{xdrs} {accounts} {hashlib.sha256((db.schema_text() + str(_FILL)).encode()).hexdigest()}"
        note = folder / f"filled-{database}"
        is_there = note.exists() and note.read_text() == made_of
        url = ""
        if database == "postgresql":
            server = Server(_emptied(folder / "server", is_there))
            if not is_there:
                server.make()
            server.start()
            stack.callback(server.stop, "fast")
            url = server.url
        elif not is_there:
            for each in folder.glob("webcb.sqlite*"):
                each.unlink()
        if not is_there:
            fill(folder, xdrs, accounts, url)
            note.write_text(made_of)
        yield folder, url


def _emptied(folder: Path, is_kept: bool) -> Path:
    if not is_kept:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    return folder


def fill(folder: Path, xdrs: int, accounts: int, url: str = "") -> None:
    """Make the database. The lists that came later get a tenth of the xDRs or a hundredth, as they would."""
    chosen = scene.settings(folder, database_url=url)
    scene.build(chosen)
    db.database.connect(reuse_if_open=True)
    User.create(login="bench", password=credentials.hash_password(PASSWORD), role="administrator")
    counts = {"accounts": accounts, "callbacks": xdrs // 2, "xdrs": xdrs, "many": xdrs // 10, "some": xdrs // 100}
    now = int(time.time() * 1_000_000)
    if url:  # what the rows name is there: looking for it once more would take longer than to write them
        db.database.execute_sql("SET session_replication_role = replica")
    for sql, of in _FILL:
        statement = sql.format(now=now, accounts=accounts, some=counts["some"], facts=_FACTS, count=counts[of])
        with db.writing():
            db.database.execute_sql(
                _in_dialect(
                    f"{_NUMBERS.format(count=counts[of])} {statement}" if "FROM n" in statement else statement, url
                )
            )
    db.database.execute_sql("ANALYZE")
    db.database.close()


def _in_dialect(sql: str, url: str) -> str:
    """HEX(number, digits) is written otherwise by either database; WITH stands before the INSERT in both."""
    wanted = r"lpad(to_hex(\1), \2, '0')" if url else r"printf('%0\2x', \1)"
    if url:
        sql = sql.replace("%", "%%")  # psycopg takes a percent sign for a place
    return re.sub(r"HEX\(([^,]+), (\d+)\)", wanted, sql)


def site_of(folder: Path, url: str = "") -> Site:
    """An administrator before the pages over the database of a folder."""
    client = create_app(scene.settings(folder, database_url=url)).test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/admin/sign-in").text)
    assert token is not None
    client.post("/admin/sign-in", data={"csrf_token": token[1], "login": "bench", "password": PASSWORD})
    db.database.connect(reuse_if_open=True)
    pid = db.database.execute_sql("SELECT pg_backend_pid()").fetchone()[0] if url else None
    db.database.close()
    return Site(client, pid)


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


def _ask_all(site: Site) -> Iterator[tuple[str, tuple[float, float]]]:
    """The slowest address of each list: each is asked for once, the three that took longest again and again."""
    for addresses in every_way(site.client).values():
        once = sorted(addresses, key=lambda address: _took_ms(site, address, 1), reverse=True)
        (took_ms, cpu_ms), slowest = max((_took_ms(site, address, TIMES), address) for address in once[:3])
        print(_line(took_ms, cpu_ms, slowest), f" of {len(addresses)}", flush=True)
        yield slowest, (took_ms, cpu_ms)


def _line(took_ms: float, cpu_ms: float, address: str) -> str:
    return f"{took_ms:8.1f} {cpu_ms:8.1f}  {'SLOW ' if took_ms > TARGET_MS else '     '}/admin/{address}"


def _took_ms(site: Site, address: str, times: int) -> tuple[float, float]:
    """The middle one of some times, and the least CPU."""
    took, cpu = [], []
    for _ in range(times):
        began, began_cpu = time.perf_counter(), site.cpu_ms()
        answer = site.client.get(f"/admin/{address}")
        took.append(1000 * (time.perf_counter() - began))
        cpu.append(site.cpu_ms() - began_cpu)
        assert answer.status_code == 200, (address, answer.status_code)
    return statistics.median(took), min(cpu)


def _ask(site: Site) -> Iterator[tuple[str, tuple[float, float]]]:
    for address in LISTS:
        took_ms, cpu_ms = _took_ms(site, address, TIMES)
        print(_line(took_ms, cpu_ms, address), flush=True)
        yield address, (took_ms, cpu_ms)
    db.database.connect(reuse_if_open=True)
    began, began_cpu = time.perf_counter(), site.cpu_ms()
    Patrol().go(clock.utc_now())
    took_ms, cpu_ms = 1000 * (time.perf_counter() - began), site.cpu_ms() - began_cpu
    print(f"{took_ms:8.1f} {cpu_ms:8.1f}       the patrol's first round of the day")
    yield "patrol", (took_ms, cpu_ms)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.web", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--keep", type=Path, help="the folder where the database stays")
    chosen = parser.parse_args()
    run(database=chosen.database, keep=chosen.keep)
