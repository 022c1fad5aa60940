"""The door of rates put aside: what is to be written stands in temporary tables, and is then written by few statements.

A hundred thousand rates take seconds to hand over, and on SQLite whoever writes stands alone; out of a temporary table they are
written while a call that ends waits a moment.
"""

from collections.abc import Sequence
from typing import Any

from webcb import db
from webcb.billing.query import change, change_each, marks, values

FIELDS = (
    "effective_at, mode, first_interval_seconds, next_interval_seconds, first_price_micros, next_price_micros,"
    " off_peak_first_interval_seconds, off_peak_next_interval_seconds, off_peak_first_price_micros,"
    " off_peak_next_price_micros, formula, forbidden, discontinued, hidden"
)
COLUMNS = ("tariff_id", "destination_id", *FIELDS.split(", "), "rate_import_id")
STAGED = ("prefix", *FIELDS.split(", "))

_TEXTS = {"prefix", "mode", "formula"}
_BOOLEANS = {"forbidden", "discontinued", "hidden"}
_TABLES = ("staged_rate", "staged_gone", "staged_destination")


def put_aside(
    rates: Sequence[Sequence[Any]], gone: Sequence[int], destinations: Sequence[tuple[str, str, str]]
) -> None:
    """Rates in the order of STAGED, the ids of those that go, and prefix, country and description of new destinations."""
    typed = ", ".join(
        f"{name} {'TEXT' if name in _TEXTS else 'BOOLEAN' if name in _BOOLEANS else 'BIGINT'}" for name in STAGED
    )
    clear()
    with db.reading():  # nothing of the database itself is written
        change(f"CREATE TEMPORARY TABLE staged_rate ({typed})")
        change("CREATE TEMPORARY TABLE staged_gone (id BIGINT)")
        change("CREATE TEMPORARY TABLE staged_destination (prefix TEXT, country TEXT, description TEXT)")
        change_each(f"INSERT INTO staged_rate VALUES ({marks(STAGED)})", rates)  # noqa: S608 - names of ours
        change_each("INSERT INTO staged_gone VALUES (?)", [(each,) for each in gone])
        change_each("INSERT INTO staged_destination VALUES (?, ?, ?)", destinations)


def count() -> int:
    """How many rates are put aside."""
    return int(values("SELECT COUNT(*) FROM staged_rate")[0])


_DESTINATIONS = """
    INSERT INTO destination (prefix, country, description)
    SELECT prefix, country, description FROM staged_destination WHERE TRUE
    ON CONFLICT (prefix) DO NOTHING
"""

_RATES = f"""
    INSERT INTO rate (tariff_id, destination_id, rate_import_id, {FIELDS})
    SELECT CAST(? AS BIGINT), destination.id, CAST(? AS BIGINT), {FIELDS}
      FROM staged_rate JOIN destination ON destination.prefix = staged_rate.prefix
"""  # noqa: S608 - names of ours


def write(tariff_id: int, rate_import_id: int) -> None:
    """Write what was put aside into a tariff, in the transaction that is open."""
    change(_DESTINATIONS)
    change("DELETE FROM rate WHERE id IN (SELECT id FROM staged_gone)")
    written = change(_RATES, tariff_id, rate_import_id)
    assert written == count(), "a destination of the sheet is gone"  # noqa: S101  a rate keeps its destination from going


def clear() -> None:
    """Forget what was put aside."""
    for table in _TABLES:
        change(f"DROP TABLE IF EXISTS {table}")
