"""Several callbacks at once over one carrier: started in order, at its pace and within its capacity; the others wait."""

from tests.billing import rows
from tests.callback.installation import Installation
from tests.callback.outcome import WIRE_TOLERANCE_SECONDS, assert_books_balance, assert_no_leg_is_up
from webcb import db
from webcb.models import Attempt, Connection, Leg


def limit(**limits: int) -> None:
    """The carrier's limits; and talks so short that the account can pay for several."""
    with db.writing():
        Connection.update(**limits).where(Connection.name == "Carrier A").execute()
        rows.no_limits(talk_seconds_max=10, concurrent_per_account=10)


def invited_at(webcb: Installation) -> list[float]:
    """When each call reached the carrier."""
    first = {each.header("Call-ID"): each.at for each in reversed(webcb.messages("A")) if each.name == "INVITE"}
    return sorted(first.values())


def called(placed: list[str]) -> list[int]:
    """Which of the callbacks were called, in the order in which they were."""
    attempts = Attempt.select(Attempt, Leg).join(Leg).order_by(Attempt.placed_at)
    return [placed.index(attempt.leg.callback_id) for attempt in attempts]


def wait_for_place(webcb: Installation, callback: str, position: int | None) -> None:
    """Return when leg A of the callback has this place in the queue."""
    leg = Leg.callback == callback, Leg.name == "A"
    webcb.wire.wait(lambda: bool(Leg.get(*leg).queue_position == position), 10, f"place {position}")


def end(webcb: Installation, placed: list[str]) -> None:
    for callback in placed:
        webcb.release(callback)
    for callback in placed:
        assert_no_leg_is_up(webcb, webcb.wait_for_state(callback, "ended", 10))
    assert_books_balance(webcb)


def test_one_a_second_in_order(webcb: Installation) -> None:
    webcb.phone("A", "rings", calls=3)
    webcb.route("B")
    limit(calls_per_second=1)
    placed = [webcb.place(f"callback {number}") for number in range(3)]
    wait_for_place(webcb, placed[2], 2)
    wait_for_place(webcb, placed[2], 1)
    wait_for_place(webcb, placed[2], None)
    webcb.wire.wait(lambda: len(invited_at(webcb)) == 3, 5, "the third INVITE")
    first, second, third = invited_at(webcb)
    for gap in (second - first, third - second):
        assert 1 - WIRE_TOLERANCE_SECONDS < gap < 1 + 2 * WIRE_TOLERANCE_SECONDS
    assert called(placed) == [0, 1, 2]
    end(webcb, placed)


def test_the_second_waits_until_the_first_has_ended(webcb: Installation) -> None:
    webcb.phone("A", "rings", calls=2)
    webcb.route("B")
    limit(capacity=1)
    placed = [webcb.place(f"callback {number}") for number in range(2)]
    wait_for_place(webcb, placed[1], 1)
    webcb.wait_for_message("A", "180")
    assert len(invited_at(webcb)) == 1
    webcb.release(placed[0])
    webcb.wire.wait(lambda: len(invited_at(webcb)) == 2, 5, "the second INVITE")
    ended_at = next(each.at for each in webcb.messages("A") if each.name == "487")
    assert invited_at(webcb)[1] > ended_at
    wait_for_place(webcb, placed[1], None)
    assert called(placed) == [0, 1]
    end(webcb, placed[1:])
