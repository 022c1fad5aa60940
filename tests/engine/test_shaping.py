"""The gate of a connection in virtual time: turns in order of arrival, never over the pace or the capacity, nobody forgotten."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webcb.engine.shaping import QUEUE_LENGTH_MAX, SECOND_US, Gate

FOREVER = 3_600 * SECOND_US


def gate(capacity: int | None = None, calls_per_second: int | None = None) -> Gate[int]:
    made: Gate[int] = Gate()
    made.capacity, made.calls_per_second = capacity, calls_per_second
    return made


@pytest.mark.parametrize(
    ("capacity", "calls_per_second", "starts_us"),
    [
        (None, None, [0, 0, 0, 0, 0]),
        (None, 1, [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000]),
        (None, 3, [0, 333_334, 666_668, 1_000_002, 1_333_336]),
        (2, None, [0, 0]),
        (2, 1, [0, 1_000_000]),
    ],
)
def test_starts(capacity: int | None, calls_per_second: int | None, starts_us: list[int]) -> None:
    """Five come at once, and no call ends."""
    busy = gate(capacity, calls_per_second)
    for ticket in range(5):
        assert busy.join(ticket, FOREVER)
    started, now_us = [], 0
    while now_us < FOREVER:
        started += [(ticket, now_us) for ticket in busy.admit(now_us)]
        next_us = busy.next_us()
        if next_us is None:
            break
        now_us = next_us
    assert started == list(enumerate(starts_us))
    assert busy.waiting == tuple(range(len(starts_us), 5))


def test_an_end_lets_the_next_one_in() -> None:
    full = gate(capacity=1)
    for ticket in range(3):
        full.join(ticket, FOREVER)
    assert full.admit(0) == [0]
    assert full.next_us() == FOREVER  # nothing but an end, or the patience of who waits
    full.end()
    assert full.admit(5) == [1]
    assert full.waiting == (2,)


def test_who_pays_while_waiting_stands_before_the_others() -> None:
    full = gate(capacity=1)
    full.add()
    for ticket, is_first in enumerate([False, True, False, True]):
        full.join(ticket, FOREVER, is_first)
    assert full.waiting == (1, 3, 0, 2)


def test_who_leaves_is_not_called_and_the_others_move_up() -> None:
    full = gate(capacity=1)
    full.add()
    for ticket in range(3):
        full.join(ticket, FOREVER)
    full.leave(1)
    full.leave(1)
    assert full.waiting == (0, 2)


def test_nobody_waits_longer_than_agreed() -> None:
    full = gate(capacity=1)
    full.add()
    full.join(1, 10)
    full.join(2, 20)
    assert full.next_us() == 10
    assert full.expire(9) == []
    assert full.expire(10) == [1]
    full.end()
    assert full.admit(20) == [2]  # its last moment, but a turn
    assert full.expire(20) == []


def test_the_queue_has_an_end() -> None:
    full = gate(capacity=1)
    full.add()
    assert all(full.join(ticket, FOREVER) for ticket in range(QUEUE_LENGTH_MAX))
    assert not full.join(QUEUE_LENGTH_MAX, FOREVER)


def test_who_cannot_have_a_turn_in_time_does_not_wait_for_it() -> None:
    slow = gate(calls_per_second=1)
    assert slow.join(0, 3 * SECOND_US)
    assert slow.admit(0) == [0]
    assert [slow.join(ticket, 3 * SECOND_US) for ticket in range(1, 5)] == [True, True, True, False]
    assert slow.join(5, 3 * SECOND_US, is_first=True)


def test_full_counts_who_waits() -> None:
    slow = gate(capacity=2, calls_per_second=1)
    slow.join(0, FOREVER)
    slow.admit(0)
    assert not slow.is_full
    slow.join(1, FOREVER)
    assert slow.admit(1) == []
    assert slow.is_full


STEPS = st.tuples(st.sampled_from(["join", "first", "end", "leave", "look"]), st.integers(0, 400_000))


@settings(max_examples=200, deadline=None)
@given(
    st.none() | st.integers(1, 4),
    st.none() | st.integers(1, 7),
    st.lists(STEPS, max_size=60),
)
def test_any_order_of_events(capacity: int | None, calls_per_second: int | None, steps: list[tuple[str, int]]) -> None:
    """Looked at whenever the gate asks for it and after every event, no rule is ever broken."""
    busy = gate(capacity, calls_per_second)
    now_us, up, tickets = 0, 0, 0
    started: list[int] = []
    ordered: list[int] = []  # who waits, as it must be
    until: dict[int, int] = {}
    firsts: set[int] = set()

    def look() -> None:
        nonlocal up
        for ticket in busy.admit(now_us):
            assert ticket == ordered.pop(0)
            started.append(now_us)
            up += 1
        for ticket in busy.expire(now_us):
            assert now_us == until[ticket]
            ordered.remove(ticket)
        assert list(busy.waiting) == ordered
        assert capacity is None or up <= capacity
        if calls_per_second is not None:
            assert len([at for at in started if at > now_us - SECOND_US]) <= calls_per_second
        if ordered and (capacity is None or up < capacity):  # nobody waits for nothing
            assert calls_per_second is not None
            assert now_us < started[-1] + -(-SECOND_US // calls_per_second)

    for what, passing_us in steps:
        end_us = now_us + passing_us
        while (next_us := busy.next_us()) is not None and next_us <= end_us:
            now_us = max(now_us, next_us)
            look()
        now_us = end_us
        if what in ("join", "first"):
            tickets += 1
            until[tickets] = now_us + SECOND_US
            if busy.join(tickets, until[tickets], what == "first"):
                place = sum(each in firsts for each in ordered) if what == "first" else len(ordered)
                ordered.insert(place, tickets)
                if what == "first":
                    firsts.add(tickets)
        elif what == "end" and up:
            busy.end()
            up -= 1
        elif what == "leave" and ordered:
            busy.leave(ordered.pop(len(ordered) // 2))
        look()
