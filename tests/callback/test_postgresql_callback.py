"""The same on PostgreSQL: one callback from the row to the bill."""

from tests.callback.configuration import charge_a, charge_b
from tests.callback.installation import Installation
from tests.callback.outcome import NORMAL, Billed, assert_ended


def test_two_talk_and_pay(webcb_on_postgresql: Installation) -> None:
    webcb_on_postgresql.phone("A", "answers")
    webcb_on_postgresql.phone("B", "hangs_up", ring_ms=200, talk_ms=500)
    callback = webcb_on_postgresql.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb_on_postgresql, callback, "B hung up", billed)
