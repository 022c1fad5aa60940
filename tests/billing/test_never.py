"""Numbers that are never called: remembered once, lifted by name, each change by an operator on the record."""

import pytest

from tests.billing import rows
from tests.billing.rows import NOON, NUMBER_A
from webcb import models
from webcb.billing import never, reception
from webcb.billing.authorization import Reason, Refusal

A = NUMBER_A.digits


def test_added_and_lifted(database: object) -> None:
    house = rows.house()
    never.add(A, "cli:anna", NOON)
    with pytest.raises(never.NeverProblem, match="never called already"):
        never.add(A, "cli:anna", NOON)
    assert reception.place(rows.order(house), NOON) == Refusal(Reason.NEVER_CALL, "A")
    never.lift(A, "cli:anna", NOON)
    assert isinstance(reception.place(rows.order(house), NOON), reception.Placed)
    with pytest.raises(never.NeverProblem, match="not on the list"):
        never.lift(A, "cli:anna", NOON)
    assert [(each.action, each.subject) for each in models.Audit.select()] == [
        ("never call", f"number {A}"),
        ("call again", f"number {A}"),
    ]


def test_it_may_still_be_dialled_as_b(database: object) -> None:
    """Somebody who pays for the call and answers for it calls, as from any phone."""
    house = rows.house()
    never.remember(rows.NUMBER_B.digits, NOON)
    assert isinstance(reception.place(rows.order(house), NOON), reception.Placed)
