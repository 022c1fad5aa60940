"""The user's button, the operator's command, and the end of the engine itself release a callback at every moment."""

from collections.abc import Callable

import pytest

from tests.callback.configuration import charge_a, charge_a_if_b_fails, charge_b
from tests.callback.installation import Installation
from tests.callback.outcome import (
    CANCELLED,
    HUNG_UP,
    NORMAL,
    TEMPORARY_FAILURE,
    Billed,
    assert_books_balance,
    assert_ended,
    assert_no_leg_is_up,
    said,
    used_on_wire,
)
from webcb.models import Xdr


def by_user(webcb: Installation, callback: str) -> None:
    webcb.release(callback)


def by_operator(webcb: Installation, callback: str) -> None:
    done = webcb.run("hangup", callback)
    assert done.returncode == 0, done.stderr


def test_before_a_answers(webcb: Installation) -> None:
    webcb.phone("A", "rings")
    webcb.route("B")
    callback = webcb.place()
    webcb.wait_for_message("A", "180")
    webcb.release(callback)
    assert_ended(webcb, callback, "user released", {"A": Billed(charge_a, False, NORMAL)})
    assert said(webcb, "A") == CANCELLED


def test_while_b_rings(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "rings")
    callback = webcb.place()
    webcb.wait_for_message("B", "180")
    webcb.release(callback)
    billed = {"A": Billed(charge_a_if_b_fails, True, NORMAL), "B": Billed(charge_b, False, NORMAL)}
    assert_ended(webcb, callback, "user released", billed)
    assert said(webcb, "A") == HUNG_UP
    assert said(webcb, "B") == CANCELLED


@pytest.mark.parametrize(("release", "ending"), [(by_user, "user released"), (by_operator, "operator released")])
def test_while_they_talk(webcb: Installation, release: Callable[[Installation, str], None], ending: str) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "answers")
    callback = webcb.place()
    webcb.wait_for_state(callback, "talking", 10)
    release(webcb, callback)
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, ending, billed)
    assert said(webcb, "A") == said(webcb, "B") == HUNG_UP


def test_an_engine_that_is_stopped_takes_its_calls_down_with_it(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "answers")
    callback = webcb.place()
    webcb.wait_for_state(callback, "talking", 10)
    webcb.stop_engine()
    billed = {"A": Billed(charge_a, True, TEMPORARY_FAILURE), "B": Billed(charge_b, True, TEMPORARY_FAILURE)}
    assert_ended(webcb, callback, "engine stopped", billed)


def test_what_a_killed_engine_left_is_ended_by_the_next(webcb: Installation) -> None:
    """Both dialogs are ended, and nothing is charged beyond the last sign of life of the engine that died."""
    webcb.phone("A", "answers")
    webcb.phone("B", "answers")
    callback = webcb.place()
    webcb.wait_for_state(callback, "talking", 10)
    webcb.kill_engine()
    webcb.start_engine()
    row = webcb.wait_for_state(callback, "ended", 10)
    assert row.ending == "engine stopped"
    assert_no_leg_is_up(webcb, row)
    assert said(webcb, "A") == said(webcb, "B") == HUNG_UP
    for xdr, charge in zip(Xdr.select().order_by(Xdr.leg), (charge_a, charge_b), strict=True):
        assert xdr.connect_time is not None
        assert xdr.used_quantity <= used_on_wire(webcb, xdr.leg) + 1
        assert xdr.charged_micros == charge(xdr.used_quantity)
    assert_books_balance(webcb)
