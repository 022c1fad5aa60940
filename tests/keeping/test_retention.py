"""What is kept for a while only: the old is forgotten in small steps, by the days of the settings."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import begun
from webcb import db, models
from webcb.keeping import retention
from webcb.settings import Settings

DAYS = Settings(trace_days=7, attempt_days=30, refusal_days=0)


@pytest.fixture
def callback(database_url: str) -> Iterator[str]:
    """A callback with three messages, two attempts and a refusal, all at NOON; one attempt goes on."""
    opened = db.connect(database_url)
    opened.connect()
    db.migrate()
    callback_id = begun(rows.house())
    for position in (1, 2, 3):
        models.Message.create(
            callback=callback_id, position=position, leg="A", at=NOON, sent=True, local_host="a", local_port=1,
            remote_host="b", remote_port=2, transport="udp", octets=3, text="ACK",
        )  # fmt: skip
    connection, leg = models.Connection.get(), models.Leg.get(models.Leg.callback == callback_id)
    models.Attempt.create(leg=leg, position=1, connection=connection, placed_at=NOON, ended_at=NOON)
    models.Attempt.create(leg=leg, position=2, connection=connection, placed_at=NOON)
    models.RefusalCount.create(hour_at=NOON, reason="no funds", refusals=3)
    yield callback_id
    opened.close()


def left() -> tuple[int, int, int]:
    return tuple(table.select().count() for table in (models.Message, models.Attempt, models.RefusalCount))


def test_each_is_forgotten_after_its_days(callback: str) -> None:
    assert retention.forget(DAYS, NOON + timedelta(days=7)) == 0
    assert retention.forget(DAYS, NOON + timedelta(days=7, seconds=1)) == 3
    assert left() == (0, 2, 1)
    assert retention.forget(DAYS, NOON + timedelta(days=31)) == 1
    assert left() == (0, 1, 1)  # one goes on
    assert retention.forget(DAYS, NOON + timedelta(days=4000)) == 0
    assert retention.forget(replace(DAYS, refusal_days=400), NOON + timedelta(days=401)) == 1


def test_steps_are_small_and_no_trace_is_kept_with_0_days(callback: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_PER_STEP", 2)
    none = replace(DAYS, trace_days=0)
    assert [retention.forget(none, NOON + timedelta(seconds=1)) for _ in range(3)] == [2, 1, 0]
