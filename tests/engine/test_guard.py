"""The flood guard in virtual time: who may send how much, what is remembered, what is said of it."""

import pytest

from webcb.engine import guard
from webcb.engine.guard import Guard

CARRIER, STRANGER = "192.0.2.10", "198.51.100.7"


def flood(watched: Guard, host: str, per_second: int, seconds: int, began: float = 0.0) -> int:
    """How many of so many messages, evenly spread, are admitted."""
    return sum(watched.admits(host, began + number / per_second) for number in range(per_second * seconds))


def test_a_stranger_gets_a_burst_and_then_a_trickle() -> None:
    watched = Guard(0.0)
    expected = guard.STRANGER_BURST + 10 * guard.STRANGER_PER_SECOND
    assert flood(watched, STRANGER, 5000, 10) == pytest.approx(expected, abs=1)


def test_a_peer_is_not_held_up_by_what_strangers_send() -> None:
    watched = Guard(0.0)
    watched.call(CARRIER, 0.0)
    refused = 0
    for number in range(50_000):  # 5,000 a second for 10 s, each from a source of its own
        now = number / 5000
        refused += not watched.admits(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", now)
        if number % 50 == 0:
            assert watched.admits(CARRIER, now)
    admitted = 50_000 - refused
    assert admitted == pytest.approx(guard.STRANGERS_BURST + 10 * guard.STRANGERS_PER_SECOND, abs=1)


def test_a_single_flooder_leaves_room_for_other_strangers() -> None:
    watched = Guard(0.0)
    flood(watched, STRANGER, 5000, 5)
    assert watched.admits("203.0.113.1", 5.0)


def test_even_a_peer_has_a_limit_and_it_comes_back() -> None:
    watched = Guard(0.0)
    watched.call(CARRIER, 0.0)
    expected = guard.PEER_BURST + 2 * guard.PEER_PER_SECOND
    assert flood(watched, CARRIER, 10_000, 2) == pytest.approx(expected, abs=1)
    assert flood(watched, CARRIER, 100, 1, began=10.0) == 100


def test_what_was_a_stranger_is_a_peer_as_soon_as_it_is_called() -> None:
    watched = Guard(0.0)
    flood(watched, CARRIER, 5000, 1)
    assert not all(watched.admits(CARRIER, 1.0) for _ in range(2))
    watched.call(CARRIER, 1.0)
    assert all(watched.admits(CARRIER, 1.0) for _ in range(1000))


def test_the_tables_are_bounded_and_the_longest_silent_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PEERS_MAX", 2)
    monkeypatch.setattr(guard, "STRANGERS_MAX", 2)
    watched = Guard(0.0)
    for host in ("a", "b", "a", "c"):
        watched.call(host, 0.0)
    assert list(watched._peers) == ["a", "c"]
    for host in ("x", "y", "x", "z"):
        watched.admits(host, 0.0)
    assert list(watched._strangers) == ["x", "z"]


def test_what_is_refused_is_told_once_a_minute_with_the_worst_first() -> None:
    watched = Guard(1000.0)
    assert watched.report_at() is None
    flood(watched, STRANGER, 1000, 1, began=1000.0)
    due = watched.report_at()
    assert due is not None
    assert due <= 1001.0  # the first at once
    assert watched.report(1001.0) == f"{1000 - 119} of {STRANGER}"
    assert watched.report_at() is None
    flood(watched, STRANGER, 1000, 1, began=1001.0)
    assert watched.report_at() == 1001.0 + guard.TELL_SECONDS


def test_a_report_names_few_however_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STRANGER_BURST", 1.0)
    monkeypatch.setattr(guard, "STRANGERS_MAX", 15)
    watched = Guard(0.0)
    for number in range(20):
        watched.admits(f"10.0.0.{number}", 0.0)
        for _ in range(number + 1):
            watched.admits(f"10.0.0.{number}", 0.0)
    told = watched.report(0.0)
    assert told.startswith("15 of 10.0.0.14, 14 of 10.0.0.13, ")
    assert told.count(" of 10.") == guard.TOLD_MAX
    assert told.endswith(f", {sum(range(1, 6)) + sum(range(16, 21))} of others")
