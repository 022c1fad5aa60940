"""Carriers whose dialogs live: reliable progress, session timers, offers in mid-call; the bill is as it would be without."""

import pytest

from tests.callback.configuration import charge_a, charge_b
from tests.callback.installation import Installation
from tests.callback.outcome import HUNG_UP, NORMAL, Billed, assert_ended, said

BOTH_TALKED = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}


@pytest.mark.parametrize(("early", "other"), [("A", "B"), ("B", "A")])
def test_the_answer_comes_in_a_reliable_183(webcb: Installation, early: str, other: str) -> None:
    webcb.phone(early, "speaks_before_it_answers")
    webcb.phone(other, "hangs_up", ring_ms=0, talk_ms=1500)
    callback = webcb.place()
    assert_ended(webcb, callback, f"{other} hung up", BOTH_TALKED)
    assert said(webcb, early) == ["INVITE", "PRACK", "200 PRACK", *HUNG_UP[1:]]
