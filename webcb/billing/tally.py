"""The tally: how often somebody asked of late, in rows, so that limits hold across processes, hosts and restarts.

Of each subject one row with one instant: until then its asks of the past are spread out (the generic cell rate algorithm of
ITU-T I.371). N a window lets N come at once and then one each window/N. Who is refused is not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from webcb.billing.query import change, marks, micros, rows

SUBJECT_LENGTH_MAX = 200
SWEPT_AT_ONCE = 500

_TAKE = """
    INSERT INTO tally (subject, until_at) VALUES {values}
    ON CONFLICT (subject) DO UPDATE
       SET until_at = excluded.until_at + CASE WHEN tally.until_at > ? THEN tally.until_at - ? ELSE 0 END
     WHERE excluded.until_at + CASE WHEN tally.until_at > ? THEN tally.until_at - ? ELSE 0 END <= ?
    RETURNING subject
"""


@dataclass(frozen=True, slots=True)
class Ask:
    """Who or what asks, and how often it may in a window; None: as often as it likes, and the row is only held."""

    subject: str
    most: int | None


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a limit: how many more at once, and in how many whole seconds all of it is free again."""

    left: int
    reset_seconds: int


def take(asks: Sequence[Ask], window: timedelta, at: datetime) -> frozenset[str]:
    """Count one ask of each; returns the subjects that asked too often. Their rows are held until the transaction ends."""
    if not asks:
        return frozenset()
    now, window_us = micros(at), window // timedelta(microseconds=1)
    # In one order for all who ask: nobody waits for somebody who waits for him.
    steps = sorted({ask.subject[:SUBJECT_LENGTH_MAX]: window_us // ask.most if ask.most else 0 for ask in asks}.items())
    given = [part for subject, step_us in steps for part in (subject, now + step_us)]
    sql = _TAKE.format(values=", ".join("(?, ?)" for _ in steps))
    counted = {each["subject"] for each in rows(sql, *given, now, now, now, now, now + window_us)}
    return frozenset(ask.subject for ask in asks if ask.subject[:SUBJECT_LENGTH_MAX] not in counted)


def full(asks: Sequence[Ask], window: timedelta, at: datetime) -> frozenset[str]:
    """The subjects that `take` would find to ask too often; nothing is counted."""
    return frozenset(ask.subject for ask in asks if room(ask, window, at).left < 1)


def room(ask: Ask, window: timedelta, at: datetime) -> Room:
    """What is left for a subject."""
    now, window_us = micros(at), window // timedelta(microseconds=1)
    found = rows("SELECT until_at FROM tally WHERE subject = ?", ask.subject[:SUBJECT_LENGTH_MAX])
    used_us = max(0, found[0]["until_at"] - now) if found else 0
    step_us = window_us // ask.most if ask.most else 1
    return Room(max(0, (window_us - used_us) // step_us), -(-used_us // 1_000_000))


def sweep(at: datetime) -> int:
    """Delete rows that say nothing any more, some at a time; returns how many."""
    old = rows("SELECT subject FROM tally WHERE until_at < ? LIMIT ?", micros(at), SWEPT_AT_ONCE)
    if not old:
        return 0
    subjects = [each["subject"] for each in old]
    return change(
        f"DELETE FROM tally WHERE until_at < ? AND subject IN ({marks(subjects)})",  # noqa: S608  marks only
        micros(at),
        *subjects,
    )


# What was refused ------------------------------------------------------------------------------------------------------

_HOUR_US = 3_600_000_000


def note_refusal(reason: str, voice_application_id: int | None, at: datetime) -> None:
    """Count a refusal of this hour, by its reason and the voice application (None: before one was known)."""
    now = micros(at)
    change(
        "INSERT INTO refusal_count (hour_at, reason, voice_application_id, refusals) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (hour_at, reason, COALESCE(voice_application_id, 0))"
        " DO UPDATE SET refusals = refusal_count.refusals + 1",
        now - now % _HOUR_US,
        reason,
        voice_application_id,
    )
