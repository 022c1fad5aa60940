"""What the tables tell at the moment somebody asks: calls by state, queues and their ages, locks, money, carriers, nodes.

They are the same whichever node is asked; a database that is away raises what it raises.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webcb import db
from webcb.billing import query
from webcb.billing.query import Row, micros

STATES: Final = ("requested", "calling A", "A answered", "calling B", "talking", "releasing")
RECENT: Final = timedelta(minutes=15)  # of which answer-seizure ratio and refusals are told
MICRO: Final = 1_000_000


class Tables(Collector):
    """One look at the tables a scrape, in one transaction."""

    def __init__(self, utc_now: Callable[[], datetime]) -> None:
        self._utc_now = utc_now

    def collect(self) -> Iterator[Metric]:
        """Every metric, as of now."""
        with db.reading():
            yield from list(self._all(self._utc_now()))

    def _all(self, at: datetime) -> Iterator[Metric]:
        now = micros(at)
        yield from _calls(now)
        yield from _routes(now)
        yield from _money()
        yield from _queues(now)
        yield from _alarms()
        yield from _nodes(now)


def registry(utc_now: Callable[[], datetime]) -> CollectorRegistry:
    """A registry that asks the tables."""
    made = CollectorRegistry()
    made.register(Tables(utc_now))
    return made


def _gauge(name: str, text: str, rows: list[Row], labels: tuple[str, ...] = (), value: str = "value") -> Metric:
    """A gauge with a sample for each row; what is NULL has none."""
    family = GaugeMetricFamily(f"webcb_{name}", text, labels=labels)
    for row in rows:
        if row[value] is not None:
            family.add_metric([str(row[label]) for label in labels], float(row[value]))
    return family


def _calls(now: int) -> Iterator[Metric]:
    found = query.rows("SELECT state, COUNT(*) AS value FROM callback WHERE state <> 'ended' GROUP BY state")
    counted = {row["state"]: row["value"] for row in found}
    by_state = [{"state": state, "value": counted.get(state, 0)} for state in STATES]
    yield _gauge("callbacks", "Callbacks that have not ended, by state", by_state, ("state",))
    oldest = query.rows(
        "SELECT (? - MIN(requested_at)) / 1000000.0 AS value FROM callback WHERE state = 'requested'", now
    )
    yield _gauge("request_age_seconds", "Age of the oldest request that nobody has claimed", oldest)
    waiting = query.rows(
        "SELECT COUNT(*) AS value FROM callback JOIN leg ON leg.callback_id = callback.id"
        " WHERE callback.state <> 'ended' AND leg.queue_position IS NOT NULL"
    )
    yield _gauge("legs_waiting_for_a_line", "Legs that wait before a busy connection", waiting)
    ended = query.rows(
        "SELECT ending, COUNT(*) AS value FROM callback WHERE requested_at > ? AND state = 'ended' GROUP BY ending",
        now - RECENT // timedelta(microseconds=1),
    )
    yield _gauge("recent_endings", "Callbacks asked for in the last 15 minutes that ended, by how", ended, ("ending",))
    refused = query.rows(
        "SELECT reason, SUM(refusals) AS value FROM refusal_count WHERE hour_at = ? GROUP BY reason",
        now - now % (3600 * MICRO),
    )
    yield _gauge("refusals_this_hour", "Requests refused since the hour began, by reason", refused, ("reason",))


def _routes(now: int) -> Iterator[Metric]:
    rows = query.rows(
        "SELECT connection.name AS connection, COUNT(*) AS attempts,"
        " SUM(CASE WHEN attempt.status BETWEEN 200 AND 299 THEN 1 ELSE 0 END) * 1.0 / COUNT(*) AS asr,"
        " AVG(attempt.setup_ms) / 1000.0 AS pdd"
        " FROM attempt JOIN connection ON connection.id = attempt.connection_id"
        " WHERE attempt.placed_at > ? AND attempt.ended_at IS NOT NULL GROUP BY connection.name",
        now - RECENT // timedelta(microseconds=1),
    )
    text = "of the last 15 minutes, by connection"
    yield _gauge("recent_attempts", f"Attempts {text}", rows, ("connection",), "attempts")
    yield _gauge("answer_seizure_ratio", f"Answered share of the attempts {text}", rows, ("connection",), "asr")
    yield _gauge("recent_post_dial_delay_seconds", f"Mean post-dial delay {text}", rows, ("connection",), "pdd")
    voices = query.rows(
        "SELECT connection.name AS connection, AVG(leg.score_milli) / 1000.0 AS score FROM callback"
        " JOIN leg ON leg.callback_id = callback.id JOIN connection ON connection.id = leg.connection_id"
        " WHERE callback.requested_at > ? AND leg.score_milli IS NOT NULL GROUP BY connection.name",
        now - RECENT // timedelta(microseconds=1),
    )
    yield _gauge(
        "recent_voice_score",
        "Mean opinion score of legs that ended, of callbacks asked for in the last 15 minutes, by connection",
        voices,
        ("connection",),
        "score",
    )
    state = query.rows(
        "SELECT name AS connection, CASE state WHEN 'down' THEN 0 ELSE 1 END AS up, capacity,"
        " CASE WHEN must_register THEN CASE registration WHEN 'registered' THEN 1 ELSE 0 END END AS registered,"
        " (SELECT COUNT(*) FROM leg JOIN callback ON callback.id = leg.callback_id WHERE callback.state <> 'ended'"
        "   AND leg.connection_id = connection.id AND leg.state IN ('calling', 'ringing', 'answered')) AS legs"
        " FROM connection WHERE active"
    )
    yield _gauge("connection_up", "0: its probe says that the connection is down", state, ("connection",), "up")
    yield _gauge(
        "connection_registered", "Whether we are registered where we must be", state, ("connection",), "registered"
    )
    yield _gauge("connection_legs", "Legs on the connection", state, ("connection",), "legs")
    yield _gauge("connection_capacity", "Legs that it takes at once", state, ("connection",), "capacity")


def _money() -> Iterator[Metric]:
    locks = query.rows("SELECT COUNT(*) AS value FROM lock WHERE state = 'held'")
    yield _gauge("locks_held", "Locks that callbacks hold on funds", locks)
    wallets = query.rows(
        "SELECT currency, SUM(locked_micros) / 1000000.0 AS locked, SUM(balance_micros) / 1000000.0 AS balance,"
        " SUM(CASE WHEN balance_micros + credit_limit_micros < locked_micros THEN 1 ELSE 0 END) AS overdrawn"
        " FROM wallet GROUP BY currency"
    )
    yield _gauge(
        "locked_funds", "Funds set aside for callbacks, in units of the currency", wallets, ("currency",), "locked"
    )
    yield _gauge("balances", "Sum of all balances, in units of the currency", wallets, ("currency",), "balance")
    yield _gauge(
        "wallets_overdrawn", "Wallets with more locked or owed than they have", wallets, ("currency",), "overdrawn"
    )
    yield _gauge(
        "ledger_rows", "Movements of money so far", query.rows("SELECT COALESCE(MAX(id), 0) AS value FROM ledger")
    )
    orphans = query.rows(
        "SELECT COUNT(*) AS value FROM lock JOIN callback ON callback.id = lock.callback_id"
        " WHERE lock.state = 'held' AND callback.state = 'ended'"
    )
    yield _gauge("locks_of_ended_callbacks", "Locks still held by callbacks that have ended: must be 0", orphans)


def _queues(now: int) -> Iterator[Metric]:
    jobs = query.rows(
        "SELECT COUNT(*) AS waiting, COALESCE((? - MIN(asked_at)) / 1000000.0, 0) AS age FROM job"
        " WHERE state IN ('waiting', 'running')",
        now,
    )
    news = query.rows(
        "SELECT COUNT(*) AS due, COALESCE((? - MIN(due_at)) / 1000000.0, 0) AS late FROM sink_event WHERE due_at < ?",
        now,
        now,
    )
    yield _gauge("webhooks_due", "Messages to programs that are due and not taken yet", news, (), "due")
    yield _gauge("webhook_late_seconds", "How late the oldest of these is", news, (), "late")
    yield _gauge("jobs_open", "Jobs of the clerk that wait or run", jobs, (), "waiting")
    yield _gauge("job_age_seconds", "Age of the oldest of these", jobs, (), "age")
    mails = query.rows(
        "SELECT COUNT(*) AS due, COALESCE((? - MIN(due)) / 1000000.0, 0) AS late FROM ("
        "SELECT mail_due_at AS due FROM job WHERE mail_due_at < ? UNION ALL"
        " SELECT mail_due_at AS due FROM low_balance WHERE mail_due_at < ? UNION ALL"
        " SELECT mail_due_at AS due FROM unusual WHERE mail_due_at < ?) AS mail",
        now,
        now,
        now,
        now,
    )
    yield _gauge("mails_due", "Mails that are due and not taken yet", mails, (), "due")
    yield _gauge("mail_late_seconds", "How late the oldest of these is", mails, (), "late")


def _alarms() -> Iterator[Metric]:
    found = query.rows("SELECT pattern, COUNT(*) AS value FROM unusual WHERE closed_at IS NULL GROUP BY pattern")
    yield _gauge(
        "unusual_patterns_open", "Unusual patterns that nobody has closed yet, by pattern", found, ("pattern",)
    )


def _nodes(now: int) -> Iterator[Metric]:
    nodes = query.rows(
        "SELECT name AS node, (? - heard_at) / 1000000.0 AS value FROM node WHERE heard_at IS NOT NULL", now
    )
    yield _gauge("node_silent_seconds", "Since the last sign of life of a node's engine", nodes, ("node",))
