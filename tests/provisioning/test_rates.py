"""Which rates are written so that a tariff says what the file says."""

from datetime import UTC, datetime

import pytest

from webcb.provisioning.rates import Known, Wanted, steps

AT = datetime(2026, 3, 1, tzinfo=UTC)
JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
JUNE, JULY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)

# Rates there, as (since, price); lines of the file, as (from, price); for each line what is done, and from when.
CASES = [
    ("a first price holds from now", [], [(None, 10)], [("created", AT)]),
    ("a past moment becomes now", [], [(JANUARY, 10)], [("created", AT)]),
    ("the same price is left", [(JANUARY, 10)], [(None, 10)], [("left", AT)]),
    ("another price is a new rate", [(JANUARY, 10)], [(None, 12)], [("created", AT)]),
    ("a past line that was applied is left", [(FEBRUARY, 10)], [(JANUARY, 10)], [("left", AT)]),
    ("what is in force counts, not what was", [(JANUARY, 12), (FEBRUARY, 10)], [(None, 12)], [("created", AT)]),
    ("a coming rate is created", [(JANUARY, 10)], [(JUNE, 12)], [("created", JUNE)]),
    ("a coming rate is found again", [(JANUARY, 10), (JUNE, 12)], [(JUNE, 12)], [("left", JUNE)]),
    ("a coming rate is changed in place", [(JUNE, 12)], [(JUNE, 13)], [("changed", JUNE)]),
    ("coming rates are not in force", [(JUNE, 10)], [(None, 10)], [("created", AT)]),
    ("a line that is not in the file stays", [(JANUARY, 10), (JULY, 9)], [(None, 10), (JUNE, 8)], [("left", AT), ("created", JUNE)]),
    ("of past lines the newest counts", [], [(JANUARY, 10), (FEBRUARY, 11)], [("left", AT), ("created", AT)]),
    ("now is newer than any past", [(JANUARY, 9)], [(None, 9), (FEBRUARY, 11)], [("left", AT), ("left", AT)]),
]  # fmt: skip


@pytest.mark.parametrize(("known", "wanted", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_steps(known: list, wanted: list, expected: list) -> None:
    there = [Known(number, since, {"price": price}) for number, (since, price) in enumerate(known)]
    lines = [Wanted(number, since, {"price": price}) for number, (since, price) in enumerate(wanted)]
    assert [(step.action, step.effective_at) for step in steps(there, lines, AT)] == expected


@pytest.mark.parametrize(("known", "wanted"), [case[1:3] for case in CASES], ids=[case[0] for case in CASES])
def test_applied_again_nothing_is_left_to_do(known: list, wanted: list) -> None:
    there = {since: {"price": price} for since, price in known}
    lines = [Wanted(number, since, {"price": price}) for number, (since, price) in enumerate(wanted)]
    for step in steps([Known(0, *each) for each in there.items()], lines, AT):
        if step.action != "left":
            there[step.effective_at] = dict(step.wanted.columns)
    assert {step.action for step in steps([Known(0, *each) for each in there.items()], lines, AT)} == {"left"}
