"""The whole at a glance, as tables of cells: what `webcb top` shows. One look at the database, and no rule of its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from webcb import db, fleet
from webcb.billing import query
from webcb.billing.query import micros
from webcb.money import format_amount
from webcb.number import mask_number
from webcb.watching.going_on import Active, active_calls
from webcb.watching.tables import STATES, Tables

CALLS_MAX: Final = 1000
ENDED_MAX: Final = 8
NAME_CHARACTERS: Final = 24

Cell = str | int | None
Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Section:
    """A table under a title; `alarms` are the numbers of rows that somebody should look at."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    alarms: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Overview:
    """What goes on at a moment. `calls` are the newest first."""

    at: datetime
    nodes: Section
    queues: Section
    routes: Section
    refusals: Section
    ended: Section
    calls: tuple[Active, ...]

    def sections(self, sort: str) -> tuple[Section, ...]:
        """All of it from top to bottom, the calls in the order of one of SORTS."""
        return (
            self.nodes,
            self.queues,
            self.routes,
            self.refusals,
            calls_section(self.calls, sort, self.at),
            self.ended,
        )


def look(at: datetime) -> Overview:
    """What goes on now, in one state of the database."""
    with db.reading():
        told = _Told(at)
        return Overview(
            at=at,
            nodes=_nodes(at),
            queues=_queues(told),
            routes=_routes(told),
            refusals=_refusals(told),
            ended=_ended(at),
            calls=tuple(active_calls(at, CALLS_MAX)),
        )


class _Told:
    """What the metrics of the tables say, by name and label."""

    def __init__(self, at: datetime) -> None:
        self._samples: dict[str, list[tuple[Labels, float]]] = {}
        for metric in Tables(lambda: at).collect():
            self._samples[metric.name] = [(sample.labels, sample.value) for sample in metric.samples]

    def one(self, name: str) -> float:
        """The value of a metric without labels; 0 where there is none."""
        found = self._samples.get(f"webcb_{name}", [])
        return found[0][1] if found else 0.0

    def by(self, name: str, label: str) -> dict[str, float]:
        """The values of a metric by one label."""
        return {labels[label]: value for labels, value in self._samples.get(f"webcb_{name}", [])}


# The sections ------------------------------------------------------------------------------------------------------------


def _nodes(at: datetime) -> Section:
    found = query.rows(
        "SELECT node.name, node.heard_at, node.draining, (SELECT COUNT(*) FROM callback"
        " WHERE callback.node_id = node.id AND callback.state <> 'requested' AND callback.state <> 'ended') AS callbacks"
        " FROM node ORDER BY node.name"
    )
    rows, alarms = [], set()
    for number, row in enumerate(found):
        heard_at = query.instant(row["heard_at"])
        state = fleet.node_state(heard_at, bool(row["draining"]), row["callbacks"], at)
        silent = None if heard_at is None else duration((at - heard_at) / timedelta(seconds=1))
        rows.append((row["name"], state, row["callbacks"], silent))
        if state == fleet.NOT_HEARD:
            alarms.add(number)
    return Section("Nodes", ("node", "state", "callbacks", "silent for"), tuple(rows), frozenset(alarms))


def _queues(told: _Told) -> Section:
    states = told.by("callbacks", "state")
    rows: list[tuple[Cell, ...]] = [
        ("requests not claimed", round(states.get("requested", 0)), duration(told.one("request_age_seconds"))),
        ("legs waiting for a line", round(told.one("legs_waiting_for_a_line")), None),
        ("jobs of the clerk", round(told.one("jobs_open")), duration(told.one("job_age_seconds"))),
        ("mails due", round(told.one("mails_due")), duration(told.one("mail_late_seconds"))),
        ("webhooks due", round(told.one("webhooks_due")), duration(told.one("webhook_late_seconds"))),
        ("locks on funds", round(told.one("locks_held")), None),
    ]
    alarms = {0} if told.one("request_age_seconds") > fleet.HEARD_WITHIN.total_seconds() else set()
    return Section("Queues", ("what waits", "how many", "the oldest"), tuple(rows), frozenset(alarms))


def _routes(told: _Told) -> Section:
    up, registered = told.by("connection_up", "connection"), told.by("connection_registered", "connection")
    legs, capacity = told.by("connection_legs", "connection"), told.by("connection_capacity", "connection")
    tried, answered = told.by("recent_attempts", "connection"), told.by("answer_seizure_ratio", "connection")
    delay, score = told.by("recent_post_dial_delay_seconds", "connection"), told.by("recent_voice_score", "connection")
    rows, alarms = [], set()
    for number, name in enumerate(sorted(up)):
        is_lost = registered.get(name) == 0
        state = "down" if not up[name] else "unregistered" if is_lost else "up"
        if state != "up":
            alarms.add(number)
        used = f"{legs.get(name, 0):.0f}" + (f"/{capacity[name]:.0f}" if name in capacity else "")
        rows.append(
            (
                name[:NAME_CHARACTERS],
                state,
                used,
                round(tried.get(name, 0)),
                _shown(answered.get(name), lambda ratio: f"{ratio * 100:.0f} %"),
                _shown(delay.get(name), lambda seconds: f"{seconds:.1f} s"),
                _shown(score.get(name), lambda mean: f"{mean:.2f}"),
            )
        )
    heads = ("connection", "state", "legs", "attempts", "answered", "until it rings", "MOS")
    return Section("Connections, last 15 minutes", heads, tuple(rows), frozenset(alarms))


def _refusals(told: _Told) -> Section:
    found = sorted(told.by("refusals_this_hour", "reason").items(), key=lambda each: -each[1])
    return Section(
        "Refusals since the hour began", ("reason", "how often"), tuple((reason, round(n)) for reason, n in found)
    )


def _ended(at: datetime) -> Section:
    found = query.rows(
        "SELECT callback.id, callback.ending, callback.talking_at, callback.ended_at, account.login,"
        " (SELECT SUM(charged_micros) FROM xdr WHERE xdr.callback_id = callback.id) AS charged,"
        " (SELECT MAX(currency) FROM xdr WHERE xdr.callback_id = callback.id) AS currency,"
        " (SELECT MIN(score_milli) FROM leg WHERE leg.callback_id = callback.id) AS score_milli"
        " FROM callback JOIN account ON account.id = callback.account_id"
        " WHERE callback.state = 'ended' AND callback.requested_at > ? ORDER BY callback.requested_at DESC LIMIT ?",
        micros(at - timedelta(days=1)),
        ENDED_MAX,
    )
    rows = tuple(
        (
            row["id"],
            row["login"][:NAME_CHARACTERS],
            row["ending"],
            None if row["talking_at"] is None else duration((row["ended_at"] - row["talking_at"]) / 1_000_000),
            None if row["charged"] is None else f"{format_amount(int(row['charged']))} {row['currency']}",
            _shown(row["score_milli"], lambda milli: f"{milli / 1000:.2f}"),
        )
        for row in found
    )
    return Section("Ended last", ("callback", "account", "ending", "talked", "charged", "MOS"), rows)


# The calls ---------------------------------------------------------------------------------------------------------------

_ORDER: Final = {state: place for place, state in enumerate(STATES)}

# By what calls are sorted, and the key of each.
SORTS: Final[dict[str, Callable[[Active], Any]]] = {
    "age": lambda call: call.requested_at,
    "newest": lambda call: -call.requested_at.timestamp(),
    "state": lambda call: (_ORDER[call.state], call.requested_at),
    "cost": lambda call: -(call.cost_micros or 0),
    "left": lambda call: float("inf") if call.seconds_left is None else call.seconds_left,
    "account": lambda call: (call.account, call.requested_at),
}


def next_sort(sort: str) -> str:
    """The one after it, round and round."""
    names = list(SORTS)
    return names[(names.index(sort) + 1) % len(names)]


def calls_section(calls: tuple[Active, ...], sort: str, at: datetime) -> Section:
    """The calls that go on, numbers masked: a screen is read by whoever passes."""
    ordered = sorted(calls, key=SORTS[sort])
    rows = tuple(
        (
            call.id,
            call.account[:NAME_CHARACTERS],
            mask_number(call.number_a),
            mask_number(call.number_b),
            f"{call.state}{', being ended' if call.is_releasing else ''}",
            duration((at - call.requested_at) / timedelta(seconds=1)),
            _shown(call.talked_seconds, duration),
            _shown(call.seconds_left, duration),
            None if call.cost_micros is None else f"{format_amount(call.cost_micros)} {call.currency}",
            call.connections,
        )
        for call in ordered
    )
    heads = ("callback", "account", "A", "B", "state", "age", "talked", "left", "cost", "connections")
    return Section(f"Calls: {len(calls)}, by {sort}", heads, rows)


def shortened(section: Section, lines: int) -> Section:
    """The first rows of a section, as many as there is room for; the title says how many are left out."""
    left_out = len(section.rows) - max(0, lines)
    if left_out <= 0:
        return section
    return replace(section, title=f"{section.title} ({left_out} not shown)", rows=section.rows[: max(0, lines)])


def duration(seconds: float) -> str:
    """As people read it: 7 s, 3:05, 2:03:05."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def _shown(value: Any, how: Callable[[Any], str]) -> str | None:
    return None if value is None else how(value)
