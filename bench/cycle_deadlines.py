"""How late the BYE of a deadline leaves, while many callbacks talk: for the cycle benchmark."""

import time

from bench.cycle_carrier import STAYS
from bench.cycle_house import Figures, talk_long
from webcb import clock, db, doorbell
from webcb.billing import reception
from webcb.demo.phones import CALLER
from webcb.number import parse_number
from webcb.settings import Settings

CALLBACKS = 500
A_SECOND = 25
TALK_SECONDS = 40  # longer than it takes to place all, so that all talk at once
SECONDS_MAX = 180.0

_AT_ONCE = "SELECT COUNT(*) FROM callback WHERE state = 'talking'"
_LEFT = "SELECT COUNT(*) FROM callback WHERE state <> 'ended'"
# Of each leg the first BYE that we sent, against the deadline on the row of its callback; both are the engine's own clock.
_LATE = """
    SELECT MIN(message.at) - MIN(callback.deadline_at)
      FROM message JOIN callback ON callback.id = message.callback_id
     WHERE message.sent AND message.text LIKE 'BYE %' AND callback.ending IN ('longest talk reached', 'time is out')
     GROUP BY message.callback_id, message.leg
"""


def measure(chosen: Settings, account: str) -> Figures:
    """Place CALLBACKS, let all run into their deadline, return how late their BYEs were, in milliseconds."""
    talk_long(TALK_SECONDS)
    most = 0
    for number in range(CALLBACKS):
        _place(account, number)
        doorbell.ring(chosen.doorbell)
        time.sleep(1 / A_SECOND)
        most = max(most, _count(_AT_ONCE)) if number % A_SECOND == 0 else most
    give_up_at = time.monotonic() + SECONDS_MAX
    while _count(_LEFT) or len(late := _late_us()) < 2 * CALLBACKS:
        most = max(most, _count(_AT_ONCE))
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{_count(_LEFT)} callbacks have not ended, {len(_late_us())} BYEs are on record")
        time.sleep(0.5)
    late.sort()
    return {
        "talking_at_once": most,
        "bye_late_ms_p50": round(late[len(late) // 2] / 1000, 2),
        "bye_late_ms_p99": round(late[len(late) * 99 // 100] / 1000, 2),
        "bye_late_ms_worst": round(late[-1] / 1000, 2),
    }


def _place(account: str, number: int) -> None:
    order = reception.Order(
        voice_application="-",
        login=account,
        password=None,
        number_a=parse_number(f"+{CALLER.number}", "BR"),
        number_b=parse_number(f"+{STAYS.number}", "BR"),
        idempotency_key=f"deadline-{number}",
        requested_from="bench",
    )
    placed = reception.place(order, clock.utc_now())
    assert isinstance(placed, reception.Placed), placed


def _count(sql: str) -> int:
    return int(db.database.execute_sql(sql).fetchone()[0])


def _late_us() -> list[int]:
    return [int(row[0]) for row in db.database.execute_sql(_LATE).fetchall()]
