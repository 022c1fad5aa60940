"""What is written by the ten thousand: a rate sheet of SHEET_LINES, a provisioning file of FILE_RATES, and how long others wait for it.

Each from its bytes to the last row, on a durable SQLite file; `held` is the longest that the database was kept from other writers.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.billing import rows
from tests.billing.rows import NOON
from webcb import db, models
from webcb.billing import rate_import, rate_sheet, workbook
from webcb.provisioning.apply import apply
from webcb.provisioning.document import read

SHEET_LINES = 100_000
FILE_RATES = 30_000
HEADS = ("Destination", "First interval", "Next interval", "First price", "Next price")

Figures = dict[str, float]


def run() -> Figures:
    """Measure, print a table, return the figures in seconds."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        opened = db.connect(f"sqlite:///{Path(folder) / 'webcb.sqlite'}")
        opened.connect()
        db.migrate()
        with db.writing():
            tariff = rows.house().tariff
        for hours, (name, price) in enumerate((("new", "0.10"), ("dearer", "0.12"))):
            lines = [(str(200_000 + number), 60, 6, price, price) for number in range(SHEET_LINES)]
            for as_format in ("csv", "xlsx") if name == "new" else ("csv",):
                content = workbook.write(HEADS, lines, as_format)
                figures |= _taken(f"sheet_{name}_{as_format}_read", lambda content=content: _sheet(content))
            sheet = _sheet(workbook.write(HEADS, lines, "csv"))
            at = NOON + timedelta(hours=hours)
            figures |= _taken(f"sheet_{name}", lambda at=at, sheet=sheet: _read_in(tariff, sheet, at))
        for hours, (name, price) in enumerate((("new", "0.10"), ("dearer", "0.12"))):
            content = _file(price)
            at = NOON + timedelta(hours=hours)
            figures |= _taken(f"file_{name}_read", lambda content=content: read(content))
            document = read(content)
            figures |= _taken(
                f"file_{name}", lambda at=at, document=document: apply(document, at, "bench", file="file.yaml")
            )
        opened.close()
    for name, value in figures.items():
        print(f"{name:38} {value:10.2f}")
    return {name: round(value, 2) for name, value in figures.items()}


def _taken(name: str, work: Callable[[], object]) -> Figures:
    start, start_cpu = time.perf_counter(), time.process_time()
    with _held() as held:
        work()
    figures = {f"{name}_seconds": time.perf_counter() - start, f"{name}_cpu_seconds": time.process_time() - start_cpu}
    return figures | ({f"{name}_held_seconds": max(held)} if held else {})


@contextmanager
def _held() -> Iterator[list[float]]:
    """How long each transaction that may write took meanwhile."""
    taken: list[float] = []
    plain = db._immediate

    @contextmanager
    def timed() -> Iterator[None]:
        start = time.perf_counter()
        with plain():
            yield
        taken.append(time.perf_counter() - start)

    db._immediate = timed
    try:
        yield taken
    finally:
        db._immediate = plain


def _read_in(tariff: models.Tariff, sheet: rate_sheet.Sheet, at: datetime) -> None:
    seen = rate_import.apply(tariff, sheet, "replace", "sheet.csv", "bench", at, register=True)
    assert not seen.problems
    assert len(seen.changes) >= SHEET_LINES


def _sheet(content: bytes) -> rate_sheet.Sheet:
    return rate_sheet.read(workbook.read(content), UTC)


def _file(price: str) -> bytes:
    prefixes = range(500_000, 500_000 + FILE_RATES)
    rate = f"first_price: {price}, next_price: {price}, first_interval_seconds: 60, next_interval_seconds: 6"
    lines = ["destinations:", *(f"- {{prefix: {prefix}}}" for prefix in prefixes), "tariffs:", "- name: Long"]
    lines += ["  currency: USD", "  rates:", *(f"  - {{prefix: {prefix}, {rate}}}" for prefix in prefixes)]
    return "\n".join(lines).encode()
