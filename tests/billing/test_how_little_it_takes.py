"""What a call's money takes, in statements and function calls: neither depends on the machine nor on what else it does.

Seconds are measured by the benchmarks (docs/performance.md); that they do not grow unseen is held here.
"""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import used
from webcb import db
from webcb.billing import limit, query, reception, settlement
from webcb.billing.formula import Intervals
from webcb.billing.pricing import OffPeak, Pricing

FLAT = Pricing(Intervals(60, 6, 100_000, 100_000))
EVENING = OffPeak(Intervals(60, 60, 50_000, 50_000), "hr{6pm-5am} wd{mo-fr}", "America/Sao_Paulo", "finishes")
FORMULA = "1x1@1.80; 2x60@1.80; fee 0.50; surcharge 5%; *x6@next"


def function_calls(work: Callable[[], object]) -> int:
    """How many functions of Python this calls, itself left out; what is kept from a first time helps."""
    work()
    called = Counter[str]()

    def note(_: FrameType, event: str, __: Any) -> None:
        called[event] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return called["call"] - 1


def test_a_joint_limit_is_computed_not_searched_for() -> None:
    def limited(pricing: Pricing, funds_micros: int) -> int:
        return function_calls(lambda: limit.joint_limit(pricing, pricing, 31_200_000, funds_micros, 7200))

    evening = replace(FLAT, off_peak=EVENING, formula=FORMULA).answered(NOON)
    assert max(limited(FLAT, funds) for funds in (100_000, 5_000_000, 10**9)) <= 8
    assert max(limited(evening, funds) for funds in (100_000, 5_000_000, 10**9)) <= 150


@pytest.mark.parametrize("in_a_commit", [1, 20])
def test_a_callback_is_begun_and_settled_by_so_many_statements(
    either_database: str, monkeypatch: pytest.MonkeyPatch, in_a_commit: int
) -> None:
    house = rows.house(balance="100.00")
    rows.no_limits(concurrent_per_account=100)
    callback_ids = [rows.place(house, str(number)) for number in range(1 + in_a_commit)]
    said = list[str]()
    plain, plain_each = query._execute, query.change_each

    def noting(sql: str, parameters: Any) -> Any:
        said.append(sql)
        return plain(sql, parameters)

    def noting_each(sql: str, parameters: Any) -> None:
        said.append(sql)
        plain_each(sql, parameters)

    def both(some: list[str]) -> None:
        for callback_id in some:
            assert isinstance(reception.begin(callback_id, NOON), reception.Begun)
        for callback_id in some:
            settlement.settle(callback_id, [used("A", 60), used("B", 60)], "A hung up", True, NOON)

    both(callback_ids[:1])  # what is kept is kept from here on
    monkeypatch.setattr(query, "_execute", noting)
    monkeypatch.setattr(query, "change_each", noting_each)
    with db.writing():
        both(callback_ids[1:])
    holds = 2 if db.dialect() == "postgresql" else 0
    assert len(said) == (12 + holds) * in_a_commit, "\n".join(said)
