"""The money runs out in mid-talk: both legs end on the second, and not a micro more is spent than there was."""

from tests.callback.configuration import charge_a, charge_b
from tests.callback.installation import Installation
from tests.callback.outcome import HUNG_UP, NORMAL, WIRE_TOLERANCE_SECONDS, Billed, assert_ended, said
from webcb.models import Account, Callback, Xdr

TALK_SECONDS = 6
LATE_MS_MAX = 100


def test_both_byes_leave_at_the_deadline(webcb: Installation) -> None:
    # A has rung up less than a second alone, so with six seconds of talk it is charged 7 x 0.01 and B 0.05 + 0.12, 0.24 in all;
    # a seventh would begin B's second interval: 0.08 + 0.29.
    webcb.leave_funds(245_000)
    webcb.phone("A", "answers")
    webcb.phone("B", "answers")
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, "time is out", billed)
    assert {xdr.leg: (xdr.used_quantity, xdr.charged_micros) for xdr in Xdr.select()} == {
        "A": (TALK_SECONDS + 1, 70_000),
        "B": (TALK_SECONDS, 170_000),
    }
    assert Account.get_by_id(webcb.account_id).wallet.balance_micros == 5_000
    assert said(webcb, "A") == said(webcb, "B") == HUNG_UP
    deadline_at = Callback.get_by_id(callback).deadline_at.timestamp()
    answered_at = next(each.at for each in webcb.messages("B") if each.name == "200")
    assert abs(deadline_at - answered_at - TALK_SECONDS) < WIRE_TOLERANCE_SECONDS
    for carrier in ("A", "B"):
        bye_at = next(each.at for each in webcb.messages(carrier) if each.name == "BYE")
        late_ms = (bye_at - deadline_at) * 1000
        assert 0 <= late_ms < LATE_MS_MAX, f"the BYE to {carrier} left {late_ms:.0f} ms after the deadline"
