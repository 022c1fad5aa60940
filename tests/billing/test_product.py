"""Which usage charge fits: the order of domain 4, line by line."""

import pytest

from webcb.billing.product import UsageCharge, usage_charge, usage_charge_if_b_fails

# In the order in which they must win for leg A at node 7.
IN_ORDER = [
    UsageCharge(7, "WEBCALLBACK-A", 1),
    UsageCharge(7, "WEBCALLBACK", 2),
    UsageCharge(None, "WEBCALLBACK-A", 3),
    UsageCharge(None, "WEBCALLBACK", 4),
    UsageCharge(7, "", 5),
    UsageCharge(None, "", 6),
]
BESIDE = [UsageCharge(8, "WEBCALLBACK-A", 91), UsageCharge(None, "CALLBACK_FAIL", 92), UsageCharge(8, "", 93)]


@pytest.mark.parametrize("winner", range(len(IN_ORDER)))
def test_the_first_that_fits_wins(winner):
    still_there = list(reversed(IN_ORDER[winner:]))
    assert usage_charge(BESIDE + still_there, 7, "WEBCALLBACK", "A") == IN_ORDER[winner]


def test_each_leg_takes_its_own_code():
    charges = [UsageCharge(None, "WEBCALLBACK-A", 1), UsageCharge(None, "WEBCALLBACK-B", 2)]
    assert usage_charge(charges, 7, "WEBCALLBACK", "A") == charges[0]
    assert usage_charge(charges, 7, "WEBCALLBACK", "B") == charges[1]
    assert usage_charge(charges[:1], 7, "WEBCALLBACK", "B") is None


def test_without_an_entry_it_is_not_permitted():
    assert usage_charge(BESIDE, 7, "WEBCALLBACK", "A") is None
    assert usage_charge([], 7, "WEBCALLBACK", "A") is None
    assert usage_charge(IN_ORDER, None, "OTHER", "A") == IN_ORDER[-1]


def test_callback_fail_is_never_the_empty_code():
    assert usage_charge_if_b_fails(IN_ORDER, 7) is None
    assert usage_charge_if_b_fails(BESIDE, 7) == BESIDE[1]
    here = UsageCharge(7, "CALLBACK_FAIL", 94)
    assert usage_charge_if_b_fails([*BESIDE, here], 7) == here
    assert usage_charge_if_b_fails([*BESIDE, here], None) == BESIDE[1]
