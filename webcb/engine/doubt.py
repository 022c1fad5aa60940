"""Whether those who are carried on are still there. Who hung up just before a crash does not say it again, and is found out by asking
only after half a minute; an engine that dies before that has proven nothing of him to the next one.

So the last proof of life of a leg that is taken over stands on the rows, among the terms of its callback, until its peer has said
something: however many engines follow each other, he pays until he was last known to be there.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from webcb.billing import query
from webcb.billing.query import instant, micros
from webcb.engine.causes import LegName
from webcb.engine.running import Running

PROVEN: Final = "proven"  # in the terms: micros of the last proof of life, by leg

Proven = tuple[str, tuple[LegName, ...]]  # a callback, and the legs that have said that they are there


def begin(running: Running) -> None:
    """Its legs were taken over: nothing has been heard of them here."""
    legs = [running.callback.leg(name) for name in running.sessions]
    running.in_doubt = {leg.name: leg.proven_us for leg in legs}


def proven(runnings: Iterable[Running]) -> list[Proven]:
    """Who has been heard of since the last question, so that the rows say nothing against him any more."""
    found = []
    for running in runnings:
        legs = tuple(
            name for name, until_us in running.in_doubt.items() if running.callback.leg(name).proven_us != until_us
        )
        if legs:
            found.append((running.id, legs))
            for name in legs:
                del running.in_doubt[name]
    return found


def lived_until(terms: str, leg: LegName, engine_until: datetime) -> datetime:
    """The last proof of life of a leg, whose engine lived until then."""
    until = json.loads(terms).get(PROVEN, {}).get(leg)
    return engine_until if until is None else min(engine_until, instant(until) or engine_until)


def write(callback_id: str, terms: str, legs: Iterable[LegName], engine_until: datetime) -> None:
    """A callback is taken over: write how long each of its legs is proven to have been there."""
    until = {leg: micros(lived_until(terms, leg, engine_until)) for leg in legs}
    _write(callback_id, json.loads(terms) | {PROVEN: until})


def clear(legs: Iterable[Proven]) -> None:
    """They have said that they are there."""
    for callback_id, names in legs:
        row = query.row("SELECT terms FROM callback WHERE id = ?", callback_id)
        terms = json.loads(row["terms"]) if row and row["terms"] else {}
        if PROVEN in terms:
            left = {leg: until for leg, until in terms[PROVEN].items() if leg not in names}
            _write(callback_id, terms | {PROVEN: left})


def _write(callback_id: str, terms: dict[str, Any]) -> None:
    printed = json.dumps(terms, separators=(",", ":"))
    query.change("UPDATE callback SET terms = ? WHERE id = ? AND state <> 'ended'", printed, callback_id)
