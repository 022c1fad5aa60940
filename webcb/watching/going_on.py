"""The calls that go on: between whom, how long by now, what they would cost if they ended now, and how long they may go on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from webcb.billing import rating
from webcb.billing.pricing import Pricing
from webcb.billing.query import instant, rows
from webcb.opinion import latest

_SECOND: Final = timedelta(seconds=1)

_GOING_ON = """
    SELECT callback.id, callback.state, callback.requested_at, callback.talking_at, callback.deadline_at,
           callback.release_asked_at, account.login, a.cld AS cld_a, a.pricing AS pricing_a, a.answered_at AS answered_a,
           a.ended_at AS ended_a, b.cld AS cld_b, b.pricing AS pricing_b, b.answered_at AS answered_b, b.ended_at AS ended_b,
           of_a.name AS connection_a, of_b.name AS connection_b,
           a.scores AS scores_a, b.scores AS scores_b
      FROM callback
      JOIN account ON account.id = callback.account_id
      JOIN leg AS a ON a.callback_id = callback.id AND a.name = 'A'
      LEFT JOIN leg AS b ON b.callback_id = callback.id AND b.name = 'B'
      LEFT JOIN connection AS of_a ON of_a.id = a.connection_id
      LEFT JOIN connection AS of_b ON of_b.id = b.connection_id
     WHERE callback.state <> 'ended'
     ORDER BY callback.requested_at DESC, callback.id LIMIT ?
"""


@dataclass(frozen=True)
class Active:
    """A call that goes on. `cost_micros` None: nothing can have been charged yet; `seconds_left` None: not known yet.

    `scores`: the last mean opinion score of A and of B, in hundredths; None: not known, or the codec has none.
    """

    id: str
    state: str
    account: str
    number_a: str
    number_b: str  # "": A is in the menu, and has dialled nobody
    connections: str
    requested_at: datetime
    talked_seconds: int | None
    seconds_left: int | None
    cost_micros: int | None
    currency: str
    is_releasing: bool
    scores: tuple[int | None, int | None]


def active_calls(at: datetime, most: int) -> list[Active]:
    """The calls that go on, `most` of them, the newest first; of both legs what they would cost if they ended now."""
    return [_active(row, at) for row in rows(_GOING_ON, most)]


def _active(row: dict[str, Any], at: datetime) -> Active:
    deadline_at, talking_at = instant(row["deadline_at"]), instant(row["talking_at"])
    requested_at = instant(row["requested_at"])
    assert requested_at is not None  # noqa: S101 - the column is never empty
    costs = [cost for leg in ("a", "b") if (cost := _cost(row, leg, deadline_at, at)) is not None]
    until = at if deadline_at is None else min(at, deadline_at)
    return Active(
        id=row["id"],
        state=row["state"],
        account=row["login"],
        number_a=row["cld_a"],
        number_b=row["cld_b"] or "",
        connections=" → ".join(name for name in (row["connection_a"], row["connection_b"]) if name),
        requested_at=requested_at,
        talked_seconds=None if talking_at is None else max(0, (until - talking_at) // timedelta(seconds=1)),
        seconds_left=None if deadline_at is None else max(0, (deadline_at - at) // timedelta(seconds=1)),
        cost_micros=sum(costs) if costs else None,
        currency=Pricing.from_json(row["pricing_a"]).currency if row["pricing_a"] else "",
        is_releasing=row["release_asked_at"] is not None,
        scores=(latest(row["scores_a"]), latest(row["scores_b"])),
    )


def _cost(row: dict[str, Any], leg: str, deadline_at: datetime | None, at: datetime) -> int | None:
    answered_at, ended_at = instant(row[f"answered_{leg}"]), instant(row[f"ended_{leg}"])
    if answered_at is None or row[f"pricing_{leg}"] is None:
        return None
    pricing = Pricing.from_json(row[f"pricing_{leg}"]).answered(answered_at)
    return rating.amount(pricing, running_seconds(answered_at, deadline_at, ended_at or at))


def running_seconds(answered_at: datetime, deadline_at: datetime | None, at: datetime) -> int:
    """Seconds a leg would be billed if it ended now: rounded up, one at least (domain 2), capped at the deadline."""
    until = min(at, deadline_at) if deadline_at else at
    return max(1, -((answered_at - until) // _SECOND))
