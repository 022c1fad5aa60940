"""Which rates must be written so that a tariff says what the file says. Pure.

A price that has rated a call is never changed: a line that differs from the rate in force becomes a new rate from now on.
A rate that is still to come is changed in place. Of several lines that have begun, the newest counts; older ones are history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Columns = Mapping[str, Any]
_ALWAYS = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Known:
    """A rate of the database: its row, since when, and its other columns."""

    id: int
    effective_at: datetime
    columns: Columns


@dataclass(frozen=True)
class Wanted:
    """A line of the file: its position, from when (None: now), and its other columns."""

    position: int
    effective_from: datetime | None
    columns: Columns


@dataclass(frozen=True)
class Step:
    """What to do for a wanted rate: create it at `effective_at`, change `known` in place, or leave all as it is."""

    wanted: Wanted
    action: Literal["created", "changed", "left"]
    effective_at: datetime
    known: Known | None


def steps(known: Sequence[Known], wanted: Sequence[Wanted], at: datetime) -> list[Step]:
    """The steps for one prefix of one tariff, in the order of the file."""
    in_force = max(
        (rate for rate in known if rate.effective_at <= at), key=lambda rate: rate.effective_at, default=None
    )
    coming = {rate.effective_at: rate for rate in known if rate.effective_at > at}
    begun = [line for line in wanted if line.effective_from is None or line.effective_from <= at]
    newest = max(begun, key=lambda line: line.effective_from or _ALWAYS, default=None)
    found = []
    for line in wanted:
        if line.effective_from is not None and line.effective_from > at:
            found.append(_step(line, line.effective_from, coming.get(line.effective_from)))
        elif line is not newest:
            found.append(Step(line, "left", at, None))
        elif in_force is not None and in_force.columns == line.columns:
            found.append(Step(line, "left", at, in_force))
        else:
            found.append(Step(line, "created", at, in_force))
    return found


def _step(line: Wanted, effective_at: datetime, rate: Known | None) -> Step:
    if rate is None:
        return Step(line, "created", effective_at, None)
    return Step(line, "left" if rate.columns == line.columns else "changed", effective_at, rate)
