"""Unusual patterns: a table of hours, what was usual before, and what is found."""

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.billing.rows import NOON
from webcb.billing import pattern
from webcb.billing.pattern import Call, Finding, Hour, Limits, Usual

ONE = Call("alice", "551111", "12065550100", "192.0.2.1", "1", "US", False, 60, 100_000, 0, "USD")
LIMITS = Limits(calls=10, charges_micros=5_000_000)


def found(calls: Sequence[Call], limits: Limits = LIMITS, **usual: Usual) -> set[tuple[str, str, int]]:
    """Pattern, kind of subject and what was seen; `usual` by kind."""
    sums = pattern.summed(calls, limits)
    before = {subject: usual[subject[0].replace(" ", "_")] for subject in sums if subject[0].replace(" ", "_") in usual}
    return {(each.pattern, each.subject[0], each.seen) for each in pattern.found(sums, before, limits)}


def spread(count: int, **fields: object) -> list[Call]:
    """Calls that have nothing in common but what is named."""
    return [
        replace(
            ONE,
            **{
                "account": f"a{n}",
                "number_a": f"55{n}",
                "number_b": f"1{n}",
                "source": f"192.0.2.{n}",
                "destination": f"d{n}",
            }
            | fields,
        )
        for n in range(count)
    ]


KINDS = {"account": "alice", "number_a": "551111", "number_b": "12065550100", "source": "192.0.2.1", "destination": "1"}
SAID = {"number_a": "number A", "number_b": "number B"}


@pytest.mark.parametrize("name", KINDS)
def test_many_calls_of_one_of_any_kind(name: str) -> None:
    calls = spread(10, **{name: KINDS[name]})
    kind = SAID.get(name, name)
    assert found(calls) == {("many calls", kind, 10)}
    assert found(calls[:9]) == set()


@pytest.mark.parametrize(
    ("usual_calls", "seen", "is_unusual"), [(0, 10, True), (2, 10, True), (3, 14, False), (3, 15, True), (100, 400, False)]
)  # fmt: skip
def test_against_its_own_weeks(usual_calls: int, seen: int, is_unusual: bool) -> None:
    calls = spread(seen, account="alice", charged_a_micros=0)
    assert (found(calls, account=Usual(usual_calls)) != set()) is is_unusual


def test_charges_far_above_the_usual_by_currency() -> None:
    calls = spread(2, account="alice", charged_a_micros=3_000_000)
    assert found(calls) == {("high charges", "account", 6_000_000)}
    assert found(calls, account=Usual(1, {"USD": 2_000_000})) == set()
    assert found(calls, account=Usual(1, {"EUR": 2_000_000})) == {("high charges", "account", 6_000_000)}
    assert found([calls[0], replace(calls[1], currency="EUR")]) == set()


def test_charges_of_a_leg_are_its_numbers() -> None:
    calls = [replace(ONE, charged_a_micros=1_000_000, charged_b_micros=4_000_000)] * 2
    assert found(calls) == {("high charges", "account", 10_000_000), ("high charges", "source", 10_000_000),
                            ("high charges", "number B", 8_000_000), ("high charges", "destination", 8_000_000)}  # fmt: skip


def test_many_answered_calls_that_end_at_once() -> None:
    short = spread(10, destination="53", talked_seconds=4)
    usual = Usual(1000)
    assert found(short, destination=usual) == {("short calls", "destination", 10)}
    longer = spread(3, destination="53", talked_seconds=200)
    assert found(short + longer, destination=usual) == set()  # 10 of 13
    unanswered = spread(30, destination="53", talked_seconds=0)
    assert found(unanswered, destination=usual) == set()
    assert found(short, replace(LIMITS, short_seconds=None), destination=usual) == set()
    going_on = spread(30, destination="53", talked_seconds=None)
    assert found(going_on, destination=usual) == set()


def test_nothing_is_watched_where_the_factor_is_left_out() -> None:
    off = replace(LIMITS, factor=None)
    assert found(spread(50, account="alice"), off) == set()
    assert list(pattern.found_at_night([replace(ONE, is_premium=True)], set(), off, NOON.replace(hour=3))) == []


@pytest.mark.parametrize(
    ("hour", "premium", "calls", "known", "expected"),
    [
        (3, False, 3, {"BR"}, [("country", "US")]),
        (3, False, 2, {"BR"}, []),
        (3, False, 3, {"US"}, []),
        (3, False, 3, None, []),  # the service is too young for anything to be new
        (12, False, 3, {"BR"}, []),
        (3, True, 1, {"US"}, [("number B", "12065550100")]),
        (6, True, 1, {"US"}, []),
        (0, True, 1, {"US"}, [("number B", "12065550100")]),
    ],
)
def test_at_night(hour: int, premium: bool, calls: int, known: set[str] | None, expected: list) -> None:
    made = [replace(ONE, is_premium=premium)] * calls
    findings = pattern.found_at_night(made, known, LIMITS, NOON.replace(hour=hour))
    assert [each.subject for each in findings] == expected


@pytest.mark.parametrize(
    ("night", "zone", "hour", "inside"),
    [("22-6", "UTC", 23, True), ("22-6", "UTC", 5, True), ("22-6", "UTC", 6, False), ("22-6", "UTC", 21, False),
     ("0-6", "America/Sao_Paulo", 3, True), ("0-6", "America/Sao_Paulo", 2, False), ("", "UTC", 3, False)],
)  # fmt: skip
def test_night_by_the_clocks_of_the_application(night: str, zone: str, hour: int, inside: bool) -> None:
    assert pattern.is_night(night, zone, NOON.replace(hour=hour)) is inside


def test_the_usual_is_the_median_of_the_busiest_hours() -> None:
    hours = [
        Hour(NOON - timedelta(days=day, hours=hour), calls, {"USD": calls * 10})
        for day, calls in enumerate((4, 6, 500))  # the day of an attack makes no attack usual
        for hour, calls in ((0, calls), (1, 1))
    ]
    assert pattern.usual_of(hours) == Usual(6, {"USD": 60})
    assert pattern.usual_of([]) == Usual()


def test_words_by_what_who_reads_may_see() -> None:
    sums = pattern.summed(spread(12, account="alice", charged_a_micros=1_000_000), LIMITS)
    many, high = sorted(pattern.found(sums, {}, LIMITS), key=lambda each: each.pattern, reverse=True)
    assert pattern.headline(*args(many), money=False) == "Unusual: 12 calls within an hour of account alice"
    assert pattern.headline(*args(high), money=True) == "Unusual: 12.00 USD within an hour for calls of account alice"
    assert "12.00" not in pattern.headline(*args(high), money=False)
    said = pattern.evidence("many calls", many.facts, 3, "", money=True)
    assert said == (
        "12 calls, 12 answered, 720 s talked. 12 numbers called, 1 account, 12 source addresses. Charged 12.00 USD."
        " The busiest hour of a usual day has 3."
    )
    assert "12.00" not in pattern.evidence("many calls", many.facts, 3, "", money=False)


def args(each: Finding) -> tuple[str, str, str, int, str]:
    return each.pattern, *each.subject, each.seen, each.currency


def test_of_those_who_do_not_stand_out_little_is_kept() -> None:
    calls = spread(2_000)
    tracemalloc.start()
    assert pattern.summed(calls, LIMITS) == {}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    subjects = 5 * len(calls)
    assert peak < 300 * subjects  # octets; with the sets of what an alarm says it is a thousand
