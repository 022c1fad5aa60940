"""Finding the rate of a number in a tariff of RATES: the longest of its prefixes that has one, newest first.

One statement a look-up, whatever the tariff holds: a seek for every prefix of the number that is as long as some destination's, another
for the newest rate of those that are registered. Beside the RATES of seven digits, SHORTER destinations stand for countries and
towns, as in any register. Measured through `catalog.rates`, which gives the rates as values; by the bare statement; as a callback
looks its numbers up, for the first time (`first`) and again (`again`), the number of the rates having come with its account; and beside
them what the way to the database and back takes (`SELECT 1`). By turns, number after number, so that none has a better moment.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.table import Beside
from tests import postgresql
from tests.billing import rows
from webcb import db, models
from webcb.billing import catalog, query
from webcb.billing.tariff import rate_in_force

RATES = 1_000_000  # for the prefixes of seven digits 5000000 to 5999999
SHORTER = ("5", "50", "500", "5000", "50000", "500000")
LOOK_UPS = 2_000
RUNS = 5
STRIDE = 499_979  # a prime: look-ups one after the other are far from each other

_NUMBERS = """
    WITH RECURSIVE number (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM number WHERE value + 1 < ?)
"""
_DESTINATIONS = (
    f"{_NUMBERS} INSERT INTO destination (id, prefix) SELECT 1000 + value, CAST(5000000 + value AS TEXT) FROM number"
)
_RATES = """
    INSERT INTO rate (tariff_id, destination_id, effective_at, first_interval_seconds, next_interval_seconds,
                      first_price_micros, next_price_micros)
    SELECT ?, id, 0, 60, 6, 100000, 100000 FROM destination WHERE id >= 1000
"""

Figures = dict[str, float]


def run() -> Figures:
    """Measure on both databases, print a table, return the figures in microseconds: the best of RUNS."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        figures |= _measured("sqlite", f"sqlite:///{Path(folder) / 'webcb.sqlite'}")
    with postgresql.running() as url:
        figures |= _measured("postgresql", url)
    for name, value in figures.items():
        print(f"{name:38} {value:10.2f}")
    return {name: round(value, 2) for name, value in figures.items()}


def _measured(name: str, url: str) -> Figures:
    opened = db.connect(url)
    opened.connect()
    db.migrate()
    with db.writing():
        tariff_id = rows.house().tariff.id
        query.change(_DESTINATIONS, RATES)
        for prefix in SHORTER:
            rows.rate(models.Tariff.get_by_id(tariff_id), prefix)
        query.change(_RATES, tariff_id)
    # What was just written is read for the first time by whoever comes first, and cleaned up meanwhile.
    for statement in ("ANALYZE",) if db.dialect() == "sqlite" else ("VACUUM (ANALYZE)", "CHECKPOINT"):
        opened.execute_sql(statement)
    wanted = [f"{5_000_000 + turn * STRIDE % RATES}12345" for turn in range(LOOK_UPS)]
    book = catalog.book()
    at = query.micros(rows.NOON)

    def as_value(digits: str) -> None:
        found = rate_in_force(catalog.rates((tariff_id,), (digits,), rows.NOON), tariff_id, digits, rows.NOON)
        assert found is not None and found.prefix == digits[:7]

    product_id = models.Product.get().id
    rates_epoch = models.Catalog.get().rates_epoch

    def first(digits: str) -> None:
        book.rates.clear()
        again(digits)

    def again(digits: str) -> None:
        (found,) = catalog.rates_of(book, rates_epoch, product_id, (digits, None), rows.NOON)
        assert any(each[1] == digits[:7] for each in found)

    works: dict[str, Callable[[str], object]] = {
        "look_up": as_value,
        "statement": lambda digits: catalog._rate_rows(book, (tariff_id,), (digits,), at),
        "first": first,
        "again": again,
        "select_1": lambda _: query.tuples("SELECT 1"),
    }
    figures = {f"{name}_{work}_us": taken for work, taken in _each_us(works, wanted).items()}
    opened.close()
    return figures


def _each_us(works: dict[str, Callable[[str], object]], wanted: list[str]) -> dict[str, float]:
    """Microseconds of each, by turns for every number: the median of a run, the best run of RUNS."""
    medians: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(RUNS):
        taken: dict[str, list[float]] = {name: [] for name in works}
        for digits in wanted:
            for name, work in works.items():
                start = time.perf_counter()
                work(digits)
                taken[name].append(time.perf_counter() - start)
        for name, each in taken.items():
            medians[name].append(statistics.median(each))
    return {name: min(each) * 1e6 for name, each in medians.items()}


def beside(figures: Figures) -> list[Beside]:
    """Beside the bare statement, and beside the way to the database and back."""
    return [
        Beside(f"a rate looked up, {name}", figures[f"{name}_look_up_us"], "µs", said, figures[f"{name}_{floor}_us"])
        for name in ("sqlite", "postgresql")
        for said, floor in (("its statement alone", "statement"), ("SELECT 1", "select_1"))
    ] + [
        Beside(
            f"a rate looked up again, {name}",
            figures[f"{name}_again_us"],
            "µs",
            "SELECT 1",
            figures[f"{name}_select_1_us"],
        )
        for name in ("sqlite", "postgresql")
    ]
