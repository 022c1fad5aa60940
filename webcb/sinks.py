"""Who follows a call is told of its states: the rows of what is due, delivered, given up. Who sends is webcb/clerk/courier.py.

What is to be told is written by triggers of schema.sql, in the transaction that changes the state.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from webcb import db, webhook
from webcb.models import ApiKey, Sink, SinkEvent

TAKEN: Final = timedelta(seconds=60)  # who dies at a try leaves it to be made a little later
DELIVERED_KEPT: Final = timedelta(days=7)
DEAD_KEPT: Final = timedelta(days=30)
SAID_MAX: Final = 200

_FORGET_TOKENS: Final = """
    UPDATE sink SET sealed_token = ''
     WHERE sealed_token <> ''
       AND NOT EXISTS (SELECT 1 FROM sink_event WHERE sink_id = sink.id AND delivered_at IS NULL)
       AND EXISTS (SELECT 1 FROM callback WHERE id = sink.callback_id AND ended_at < ?)
"""


def due(at: datetime, most: int) -> list[Any]:
    """Events that are due, with their sinks and keys."""
    query = SinkEvent.select(SinkEvent, Sink, ApiKey).join(Sink).join(ApiKey)
    return list(query.where(SinkEvent.due_at <= at).order_by(SinkEvent.due_at, SinkEvent.id).limit(most))


def claim(row: Any, at: datetime) -> bool:
    """Of two couriers that see the same event, one sends it."""
    with db.writing():
        later = SinkEvent.update(due_at=at + TAKEN, tries=row.tries + 1)
        return bool(later.where((SinkEvent.id == row.id) & (SinkEvent.due_at == row.due_at)).execute() == 1)


def note(event_id: int, tries: int, said: str, at: datetime, *, is_taken: bool = False, is_final: bool = False) -> None:
    """Write what became of a try: delivered, to be tried again, or dead."""
    due_at = None if is_taken or is_final else webhook.next_try(tries, at)
    with db.writing():
        SinkEvent.update(
            tries=tries,
            due_at=due_at,
            delivered_at=at if is_taken else None,
            dead_at=at if due_at is None and not is_taken else None,
            said=said[:SAID_MAX],
        ).where(SinkEvent.id == event_id).execute()


def revive(which: Any, at: datetime) -> int:
    """Send dead events again, from the first try on; returns how many."""
    with db.writing():
        again = SinkEvent.update(due_at=at, tries=0, dead_at=None)
        return int(again.where(SinkEvent.dead_at.is_null(False), which).execute())


def sweep(at: datetime) -> None:
    """Forget what was delivered or given up long ago; a token does not outlive its use."""
    with db.writing():
        old = (SinkEvent.delivered_at < at - DELIVERED_KEPT) | (SinkEvent.dead_at < at - DEAD_KEPT)
        SinkEvent.delete().where(old).execute()  # type: ignore[misc]
        mark = "?" if db.dialect() == "sqlite" else "%s"
        ended_before = SinkEvent.at.db_value(at - TAKEN)
        db.database.execute_sql(_FORGET_TOKENS.replace("?", mark), (ended_before,))
