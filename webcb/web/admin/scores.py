"""How well each leg of a call was heard over time: the picture, its table, and both as files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from flask import Response, abort, url_for

from webcb.billing import workbook
from webcb.models import Leg
from webcb.opinion import Stretch, read_scores
from webcb.web.admin import picture, signing
from webcb.web.admin.listing import precise
from webcb.web.admin.screen import blueprint, found_callback
from webcb.web.admin.signing import guarded

HEADS = ("Leg", "From", "Seconds", "MOS")


@dataclass(frozen=True, slots=True)
class Score:
    """The mean opinion score of a leg from a moment on, for so many seconds; None: there was nothing to judge."""

    leg: str
    begins_at: datetime
    seconds: int
    hundredths: int | None

    @property
    def text(self) -> str:
        """As it is shown."""
        return "" if self.hundredths is None else f"{self.hundredths / 100:.2f}"


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A time of a leg of which nothing is known; `ends_at` None: to its end."""

    leg: str
    begins_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What the page of a callback shows of its voice over time."""

    scores: tuple[Score, ...]
    unmeasured: tuple[Unmeasured, ...]
    chart: str
    file: str


def heard(callback_id: str, legs: Sequence[Any]) -> Heard | None:
    """What is known of these legs; None: nothing, or they were heard for no whole window."""
    by_leg = {leg.name: read_scores(leg.scores) for leg in legs}
    scores = _scores(by_leg)
    if not scores:
        return None
    unmeasured = [
        Unmeasured(name, one.ends_at, other.begins_at)
        for name, stretches in by_leg.items()
        for one, other in pairwise(stretches)
    ]
    unmeasured += [
        Unmeasured(leg.name, by_leg[leg.name][-1].ends_at, None)
        for leg in legs
        if by_leg[leg.name] and leg.state == "ended" and leg.codec is None  # who measures to the end tells the codec
    ]
    return Heard(
        tuple(scores),
        tuple(unmeasured),
        url_for("admin.scores_chart", callback_id=callback_id, count=len(scores)),  # another address once there is more
        url_for("admin.scores_file", callback_id=callback_id),
    )


def _scores(by_leg: dict[str, list[Stretch]]) -> list[Score]:
    return [
        Score(name, stretch.begins_at + stretch.length * position, stretch.seconds, hundredths)
        for name, stretches in by_leg.items()
        for stretch in stretches
        for position, hundredths in enumerate(stretch.hundredths)
    ]


def _of(callback_id: str) -> list[Score]:
    """Those of a callback; 404: it is not there, or has none."""
    legs = Leg.select().where(Leg.callback == found_callback(callback_id)).order_by(Leg.name)
    return _scores({leg.name: read_scores(leg.scores) for leg in legs}) or abort(404)


@blueprint.get("/callbacks/<callback_id>/scores.svg", endpoint="scores_chart")
@guarded("monitoring.see")
def chart(callback_id: str) -> Any:
    """A line for each leg, seconds since the first of them was heard across; broken where nothing is known."""
    found = _of(callback_id)
    since = min(each.begins_at for each in found)
    lines: dict[str, list[tuple[float, float | None]]] = {}
    for each in found:
        line = lines.setdefault(f"Leg {each.leg}", [])
        begins = (each.begins_at - since).total_seconds()
        if line and begins - line[-1][0] > 1:
            line.append((line[-1][0], None))
        mos = None if each.hundredths is None else each.hundredths / 100
        line += [(begins, mos), (begins + each.seconds, mos)]
    return picture.over_time(lines)


@blueprint.get("/callbacks/<callback_id>/scores.csv", endpoint="scores_file")
@guarded("monitoring.see")
def file(callback_id: str) -> Any:
    """The numbers of the picture."""
    user: Any = signing.current()
    lines = [[each.leg, precise(each.begins_at, user), each.seconds, each.text] for each in _of(callback_id)]
    name = f'attachment; filename="{callback_id}-voice.csv"'
    content = workbook.write(HEADS, lines, "csv")
    return Response(content, mimetype="text/csv; charset=utf-8", headers={"Content-Disposition": name})
