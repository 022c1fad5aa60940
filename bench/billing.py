"""Billing alone: how many callbacks a second are begun and settled on a durable file, and what a joint limit takes.

Two floors stand beside it. `same_sql` runs the very statements that were recorded, with the same values, by hand in one loop on
a copy of the same file, in as many durable commits: what is above it is the program. `writes` writes the same amount of rows
into tables without indexes or checks. `grouped` puts GROUP callbacks into one commit, as the engine's journal does under load.

Callbacks are as different as they are in life: each has numbers of its own, to DESTINATIONS of 3 to 8 digits beside the two countries,
and another length. What the program keeps of one helps the next only where the same rates serve it. Garbage is collected as in
the engine.
"""

import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from bench.table import Beside
from tests.billing import rows
from webcb import db, models
from webcb.billing import books, credentials, limit, query, reception, settlement
from webcb.billing.formula import Intervals
from webcb.billing.pricing import OffPeak, Pricing
from webcb.billing.settlement import LegUsage
from webcb.engine import runner
from webcb.number import Kind, Number

RUNS = 3
CALLBACKS_A_RUN = 200
GROUP = 20
DESTINATIONS = 2_000  # of a rate sheet, below the countries of both numbers and elsewhere
LIMITS = 2_000
AT = rows.NOON

Figures = dict[str, float]


def run() -> Figures:
    """Measure, print a table, return the figures: medians of RUNS."""
    figures: Figures = {}
    runner.spare_garbage_collection()
    with tempfile.TemporaryDirectory() as folder:
        for name, group in (("single", 1), ("grouped", GROUP)):
            with _house(Path(folder) / name) as house:
                figures |= _beside_the_same_sql(house, Path(folder) / f"{name}-by-hand.sqlite", name, group)
                assert books.differences() == []
        with _house(Path(folder) / "place") as house:
            figures["place_per_second"] = _median_rate(_place, house)
            figures["quote_ms"] = 1000 / _median_rate(_quote, house)
        figures["writes_floor_single_per_second"] = _floor(Path(folder) / "floor-single.sqlite", 1)
        figures["writes_floor_grouped_per_second"] = _floor(Path(folder) / "floor-grouped.sqlite", GROUP)
    # A wrong one: what was right once is remembered.
    figures["password_ms"] = _seconds(lambda: credentials.verify_password(rows.PASSWORD_HASH, "wrong"), 20) * 1e3
    for name, pricing in _pricings().items():
        figures[f"joint_limit_{name}_us"] = _joint_limit_us(pricing)
    for name, value in figures.items():
        print(f"{name:38} {value:10.2f}")
    return {name: round(value, 2) for name, value in figures.items()}


@contextmanager
def _house(folder: Path) -> Iterator[rows.House]:
    opened = db.connect(f"sqlite:///{folder / 'webcb.sqlite'}")
    opened.connect()
    db.migrate()
    with db.writing():
        house = rows.house(balance="100000.00", first=60, following=6)
        rows.no_limits(concurrent_per_account=1000)
        for prefix in _prefixes():
            rows.rate(house.tariff, prefix, price="0.12")
    yield house
    opened.close()


def _prefixes() -> list[str]:
    """Prefixes of 3 to 8 digits, a third each of them in Brazil, in the USA and elsewhere."""
    drawn = random.Random(DESTINATIONS)
    found: dict[str, None] = {}
    while len(found) < DESTINATIONS:
        first = drawn.choice(("55", "1", "4"))
        found[first + "".join(drawn.choices("0123456789", k=drawn.randint(3, 8) - len(first)))] = None
    return list(found)


def _median_rate(measured: Callable[[rows.House, int], float], house: rows.House) -> float:
    """Callbacks a second: the median of the runs, each measured in seconds."""
    return CALLBACKS_A_RUN / statistics.median(measured(house, number) for number in range(RUNS))


Statement = tuple[str, Sequence[object]]


def _beside_the_same_sql(house: rows.House, copy: Path, name: str, group: int) -> Figures:
    """Callbacks a second begun and settled, and the same statements by hand, in turns: medians of RUNS.

    The statements are noted while other callbacks of the same kind are begun and settled: noting them takes time, too.
    """
    taken: dict[str, list[float]] = {"program": [], "same_sql": []}
    for number in range(RUNS):
        ids = _placed(house, 2 * number)
        _copy(copy)
        with _recorded() as recorded:
            _begin_and_settle(ids, group, recorded)
        taken["same_sql"].append(_by_hand(copy, recorded))
        ids = _placed(house, 2 * number + 1)
        _empty_log()
        start = time.perf_counter()
        _begin_and_settle(ids, group, [])
        taken["program"].append(time.perf_counter() - start)
    program, same_sql = (statistics.median(seconds) for seconds in taken.values())
    return {
        f"begin_and_settle_{name}_per_second": CALLBACKS_A_RUN / program,
        f"same_sql_floor_{name}_per_second": CALLBACKS_A_RUN / same_sql,
        f"times_the_floor_{name}": program / same_sql,
    }


def _begin_and_settle(ids: list[str], group: int, recorded: list[list[Statement]]) -> None:
    """Begin and settle the callbacks, `group` of them in a transaction; a list of `recorded` a transaction."""
    for first in range(0, len(ids), group):
        for step in (_begin, _settle):
            recorded.append([])
            with db.writing():
                for callback_id in ids[first : first + group]:
                    step(callback_id)


@contextmanager
def _recorded() -> Iterator[list[list[Statement]]]:
    """The statements the program runs meanwhile, in the last list of what is yielded."""
    transactions: list[list[Statement]] = []
    plain = query._execute

    def noting(sql: str, parameters: Sequence[object]) -> object:
        transactions[-1].append((sql, parameters))
        return plain(sql, parameters)

    plain_each = query.change_each

    def noting_each(sql: str, parameters: Sequence[Sequence[object]]) -> None:
        transactions[-1] += [(sql, each) for each in parameters]
        plain_each(sql, parameters)

    query._execute, query.change_each = noting, noting_each
    try:
        yield transactions
    finally:
        query._execute, query.change_each = plain, plain_each


def _copy(to: Path) -> None:
    """A copy of the file; both then begin with an empty write-ahead log."""
    _empty_log()
    to.unlink(missing_ok=True)
    with closing(sqlite3.connect(to)) as target:
        db.database.connection().backup(target)


def _empty_log() -> None:
    db.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _by_hand(path: Path, transactions: list[list[Statement]]) -> float:
    """Seconds that the statements take in one loop, in as many transactions, as durable, every row fetched."""
    with closing(sqlite3.connect(path, isolation_level=None, cached_statements=500)) as bare:
        for name, value in db.SQLITE_PRAGMAS.items():
            bare.execute(f"PRAGMA {name} = {value}")
        start = time.perf_counter()
        for statements in transactions:
            bare.execute("BEGIN IMMEDIATE")
            for sql, parameters in statements:
                bare.execute(sql, parameters).fetchall()
            bare.execute("COMMIT")
        return time.perf_counter() - start


def _placed(house: rows.House, number: int) -> list[str]:
    drawn = random.Random(number)
    with db.writing():
        return [
            rows.place(
                house,
                f"{number}-{turn}",
                number_a=Number(f"5511{drawn.randrange(10**9):09}", "BR", Kind.ORDINARY),
                number_b=Number(f"1{drawn.randrange(2 * 10**9, 10**10)}", "US", Kind.ORDINARY),
            )
            for turn in range(CALLBACKS_A_RUN)
        ]


def _begin(callback_id: str) -> None:
    assert isinstance(reception.begin(callback_id, AT), reception.Begun)


def _settle(callback_id: str) -> None:
    seconds = 1 + int(callback_id, 16) % 59  # within the first slice
    ended_at = AT + timedelta(seconds=seconds)
    usages = [LegUsage(leg, AT, ended_at, seconds * 1_000_000, 1200, 16, 1) for leg in ("A", "B")]
    settlement.settle(callback_id, usages, "A hung up", True, ended_at)


def _place(house: rows.House, number: int) -> float:
    start = time.perf_counter()
    for turn in range(CALLBACKS_A_RUN):
        rows.place(house, f"placed-{number}-{turn}")
    seconds = time.perf_counter() - start
    with db.writing():
        for callback in models.Callback.select(models.Callback.id).where(models.Callback.state != "ended"):
            settlement.settle(callback.id, (), "user released", False, AT)
    return seconds


def _quote(house: rows.House, _: int) -> float:
    order = rows.order(house)
    return _seconds(lambda: reception.quote(order, AT), CALLBACKS_A_RUN) * CALLBACKS_A_RUN


# The floor -----------------------------------------------------------------------------------------------------------


def _floor(path: Path, group: int) -> float:
    """Callbacks a second that write what a begin and a settlement write, by bare SQL in as many durable commits."""
    text = "x" * 400  # about what a pricing and an explanation take
    with sqlite3.connect(path, isolation_level=None) as bare:
        bare.executescript(
            "PRAGMA journal_mode = wal; PRAGMA synchronous = full;"
            "CREATE TABLE wallet (id INTEGER PRIMARY KEY, balance INTEGER, locked INTEGER);"
            "CREATE TABLE lock (id INTEGER PRIMARY KEY, amount INTEGER, state TEXT);"
            "CREATE TABLE leg (id INTEGER PRIMARY KEY, pricing TEXT, ended_at INTEGER);"
            "CREATE TABLE xdr (id INTEGER PRIMARY KEY, amount INTEGER, explanation TEXT);"
            "CREATE TABLE ledger (id INTEGER PRIMARY KEY, amount INTEGER, note TEXT);"
            "INSERT INTO wallet VALUES (1, 0, 0);"
        )
        start = time.perf_counter()
        for first in range(0, CALLBACKS_A_RUN, group):
            members = range(first + 1, first + group + 1)
            bare.execute("BEGIN IMMEDIATE")
            for member in members:
                bare.execute("UPDATE wallet SET locked = locked + 1")
                bare.execute("INSERT INTO lock VALUES (?, 1, 'held')", (member,))
                bare.executemany("INSERT INTO leg VALUES (?, ?, 0)", ((2 * member, text), (2 * member + 1, text)))
            bare.execute("COMMIT")
            bare.execute("BEGIN IMMEDIATE")
            for member in members:
                bare.execute("UPDATE wallet SET locked = locked - 1, balance = balance - 1")
                bare.execute("UPDATE lock SET state = 'settled' WHERE id = ?", (member,))
                for leg in (2 * member, 2 * member + 1):
                    bare.execute("INSERT INTO xdr VALUES (?, 1, ?)", (leg, text))
                    bare.execute("INSERT INTO ledger VALUES (?, 1, '')", (leg,))
                    bare.execute("UPDATE leg SET ended_at = 1 WHERE id = ?", (leg,))
            bare.execute("COMMIT")
        return CALLBACKS_A_RUN / (time.perf_counter() - start)


# Limits --------------------------------------------------------------------------------------------------------------


def _pricings() -> dict[str, Pricing]:
    intervals = Intervals(60, 6, 100_000, 100_000)
    evening = OffPeak(Intervals(60, 60, 50_000, 50_000), "hr{6pm-5am} wd{mo-fr}", "America/Sao_Paulo", "finishes")
    formula = "1x1@1.80; 2x60@1.80; fee 0.50; surcharge 5%; *x6@next"
    return {
        "flat": Pricing(intervals),
        "formula": Pricing(intervals, formula=formula),
        "off_peak": Pricing(intervals, evening).answered(AT),
        "formula_off_peak": Pricing(intervals, evening, formula).answered(AT),
    }


def _joint_limit_us(pricing: Pricing) -> float:
    return _seconds(lambda: limit.joint_limit(pricing, pricing, 31_200_000, 5_000_000, 7200), LIMITS) * 1e6


def _seconds(work: Callable[[], object], times: int) -> float:
    """Seconds that one `work` takes: the best of RUNS, each the mean of `times`."""
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        for _ in range(times):
            work()
        taken.append((time.perf_counter() - start) / times)
    return min(taken)


def beside(figures: Figures) -> list[Beside]:
    """Beside the same statements by hand, and beside bare writes."""
    rows_ = []
    for name in ("single", "grouped"):
        ours = figures[f"begin_and_settle_{name}_per_second"]
        for floor in ("same_sql_floor", "writes_floor"):
            said = {"same_sql_floor": "its very statements by hand", "writes_floor": "as many bare writes"}[floor]
            that = figures[f"{floor}_{name}_per_second"]
            rows_.append(Beside(f"callbacks begun and settled, {name}", ours, "a second", said, that, "more"))
    return rows_
