"""What is kept for a while only: messages of traces, attempts, counts of refusals. The clerk lets go of the old in small steps."""

from datetime import datetime, timedelta
from typing import Final

from webcb import db
from webcb.billing import query
from webcb.billing.query import micros
from webcb.settings import Settings

ROWS_PER_STEP: Final = 1000

# What is forgotten, and by which setting (days; attempts and counts: 0 keeps them for as long as their callbacks are kept).
_OLD: Final = (
    ("message", "trace_days", "SELECT id FROM message WHERE at < ? ORDER BY at LIMIT ?"),
    (
        "attempt",
        "attempt_days",
        "SELECT attempt.id FROM attempt WHERE placed_at < ? AND ended_at IS NOT NULL ORDER BY placed_at LIMIT ?",
    ),
    ("refusal_count", "refusal_days", "SELECT id FROM refusal_count WHERE hour_at < ? ORDER BY hour_at LIMIT ?"),
)


def forget(settings: Settings, at: datetime) -> int:
    """One step: the oldest rows that are past their days, ROWS_PER_STEP of each kind at most; how many there were."""
    forgotten = 0
    for table, setting, which in _OLD:
        days = getattr(settings, setting)
        if days or setting == "trace_days":
            with db.writing():
                forgotten += query.change(
                    f"DELETE FROM {table} WHERE id IN ({which})",  # noqa: S608 - of the table above
                    micros(at - timedelta(days=days)),
                    ROWS_PER_STEP,
                )
    return forgotten
