"""Every way the two people and their carriers end a callback, on real SIP: xDRs, charges to the micro, what was said."""

import pytest

from tests.callback.configuration import charge_a, charge_a_if_b_fails, charge_b
from tests.callback.installation import Installation
from tests.callback.outcome import (
    ANSWERED_TOO_LATE,
    BUSY,
    CANCELLED,
    HUNG_UP,
    NO_ANSWER,
    NORMAL,
    REJECTED,
    UNALLOCATED,
    Billed,
    assert_ended,
    refused,
    said,
)


@pytest.mark.parametrize(("who", "other"), [("A", "B"), ("B", "A")])
def test_one_of_two_who_talk_hangs_up(webcb: Installation, who: str, other: str) -> None:
    webcb.phone(who, "hangs_up", ring_ms=200, talk_ms=1500)
    webcb.phone(other, "answers")
    callback = webcb.place()
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, f"{who} hung up", billed)
    assert said(webcb, "A") == said(webcb, "B") == HUNG_UP


@pytest.mark.parametrize(
    ("phone", "status", "ending", "cause"),
    [
        ("is_busy", 486, "B busy", BUSY),
        ("declines", 603, "B refused", REJECTED),
        ("is_unknown", 404, "B unreachable", UNALLOCATED),
    ],
)
def test_b_does_not_take_the_call(webcb: Installation, phone: str, status: int, ending: str, cause: int) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", phone)
    callback = webcb.place()
    billed = {"A": Billed(charge_a_if_b_fails, True, NORMAL), "B": Billed(charge_b, False, cause)}
    assert_ended(webcb, callback, ending, billed)
    assert said(webcb, "A") == HUNG_UP
    assert said(webcb, "B") == refused(status)


def test_b_rings_out(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "rings")
    callback = webcb.place()
    billed = {"A": Billed(charge_a_if_b_fails, True, NORMAL), "B": Billed(charge_b, False, NO_ANSWER)}
    assert_ended(webcb, callback, "B did not answer", billed)
    assert said(webcb, "A") == HUNG_UP
    assert said(webcb, "B") == CANCELLED


@pytest.mark.parametrize(
    ("phone", "ending", "cause", "ladder"),
    [
        ("is_busy", "A busy", BUSY, refused(486)),
        ("rings", "A did not answer", NO_ANSWER, CANCELLED),
        ("answers_too_late", "A did not answer", NO_ANSWER, ANSWERED_TOO_LATE),
    ],
)
def test_a_does_not_answer_and_nobody_else_is_called(
    webcb: Installation, phone: str, ending: str, cause: int, ladder: list[str]
) -> None:
    webcb.phone("A", phone)
    webcb.route("B")
    callback = webcb.place()
    assert_ended(webcb, callback, ending, {"A": Billed(charge_a, False, cause)})
    assert said(webcb, "A") == ladder


@pytest.mark.parametrize(("phone", "ladder"), [("rings", CANCELLED), ("answers_too_late", ANSWERED_TOO_LATE)])
def test_a_hangs_up_while_b_rings(webcb: Installation, phone: str, ladder: list[str]) -> None:
    """A 200 that crosses our CANCEL is acknowledged and ended at once (RFC 3261, 9.1), and B costs nothing."""
    webcb.phone("A", "hangs_up", ring_ms=200, talk_ms=1200)
    webcb.phone("B", phone)
    callback = webcb.place()
    billed = {"A": Billed(charge_a_if_b_fails, True, NORMAL), "B": Billed(charge_b, False, NORMAL)}
    assert_ended(webcb, callback, "A hung up", billed)
    assert said(webcb, "A") == HUNG_UP
    assert said(webcb, "B") == ladder
