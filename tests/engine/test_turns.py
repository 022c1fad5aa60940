"""Turns that several nodes book for one connection: never more in a second than its pace, none wasted, and none taken late."""

import random
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.billing import rows
from webcb import clock, db, models
from webcb.engine.journal import Journal
from webcb.engine.shaping import SECOND_US, Gate
from webcb.engine.turns import SPARE_US, FarClock, Turn, Turns

FOREVER = 3_600 * SECOND_US
NODES = 3


def gate(calls_per_second: int, capacity: int | None = None) -> Gate[str]:
    made: Gate[str] = Gate()
    made.capacity, made.calls_per_second = capacity, calls_per_second
    made.are_booked = True
    return made


def test_who_waits_is_let_in_by_the_turns_that_came() -> None:
    here = gate(10)
    for ticket in "abc":
        assert here.join(ticket, FOREVER)
    assert here.admit(0) == []
    assert here.turns_wanted == 3
    here.book([(100, 400), (200, 500), (300, 600)])
    assert (here.turns_wanted, here.next_us()) == (0, 100)
    assert here.admit(99) == []
    assert here.admit(250) == ["a", "b"]
    assert [here.turn(ticket) for ticket in "abc"] == [400, 500, None]
    assert here.admit(601) == []  # it has lapsed
    assert here.turns_wanted == 1


def test_no_turns_are_booked_for_whom_there_is_no_room_nor_for_more_than_a_second() -> None:
    here = gate(2, capacity=3)
    for ticket in "abcdef":
        here.join(ticket, FOREVER)
    assert here.turns_wanted == 2
    here.book([(0, 9), (1, 9)])
    assert here.admit(1) == ["a", "b"]
    assert here.turns_wanted == 1
    here.share = 2
    assert here.turns_wanted == 0


@given(st.integers(-(10**12), 10**12), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), min_size=1))
def test_a_far_clock_is_known_within_the_quickest_answer(ahead_us: int, trips_us: list[tuple[int, int]]) -> None:
    far, now_us = FarClock(), 0
    for there_us, back_us in trips_us:
        far.note(now_us, now_us + there_us + back_us, now_us + there_us + ahead_us)
        now_us += 10_000
    quickest_us = min(there_us + back_us for there_us, back_us in trips_us)
    earliest_us, latest_us = far.here(ahead_us)
    assert earliest_us <= 0 <= latest_us <= earliest_us + quickest_us


def test_a_far_clock_that_was_set_is_believed() -> None:
    far = FarClock()
    far.note(0, 10, 1_000_005)
    far.note(100, 110, 5)
    assert far.here(5) == (100, 110)


def test_a_turn_by_a_clock_that_is_known_too_badly_is_none() -> None:
    here = gate(10)
    here.join("a", FOREVER)
    here.book([(500, 499)])
    assert here.admit(500) == []
    assert here.turns_wanted == 1


@pytest.fixture
def desks(postgresql_database: str) -> Iterator[list[Journal]]:
    made = [Journal(lambda work: work()) for _ in range(NODES)]
    for desk in made:
        desk.start()
    yield made
    for desk in made:
        assert desk.close(10)


@pytest.fixture
def postgresql_database(postgresql_url: str) -> Iterator[str]:
    opened = db.connect(postgresql_url)
    opened.execute_sql("DROP SCHEMA public CASCADE")
    opened.execute_sql("CREATE SCHEMA public")
    db.migrate()
    yield postgresql_url
    opened.close()


def test_three_nodes_at_once_keep_one_pace(desks: list[Journal]) -> None:
    connection_id, pace = rows.house().connection.id, 20
    chance = random.Random(7)
    taken: list[Turn] = []
    done = threading.Semaphore(0)

    def booked(turns: list[Turn] | Exception) -> None:
        assert isinstance(turns, list), turns
        taken.extend(turns)
        done.release()

    began_us, asked = int(clock.monotonic() * SECOND_US), 90
    nodes = [Turns(desk) for desk in desks]
    for number in range(asked):
        nodes[number % NODES].book(connection_id, pace, chance.randint(1, 5), booked)
    for _ in range(asked):
        assert done.acquire(timeout=10)
    usable = sorted(turn for turn in taken if turn.from_us <= turn.until_us)
    assert usable[0].from_us >= began_us
    assert len(usable) > len(taken) // 2  # even on a host where every answer is late
    # As late and as early as one may be taken: no second has more than the pace allows.
    for first, beyond in zip(usable, usable[pace:], strict=False):
        assert beyond.from_us - first.until_us > SECOND_US
    longest_us = max(turn.until_us for turn in taken) - min(turn.until_us for turn in taken)
    assert longest_us <= len(taken) / pace * (SECOND_US + SPARE_US)  # and none is given away


def test_a_clock_that_was_set_back_stops_nobody(desks: list[Journal]) -> None:
    connection = rows.house().connection
    models.ConnectionPace.create(connection=connection, next_at=2**60)
    told = threading.Event()
    found: list[Turn] = []

    def booked(turns: list[Turn] | Exception) -> None:
        assert isinstance(turns, list)
        found.extend(turns)
        told.set()

    Turns(desks[0]).book(connection.id, 1, 1, booked)
    assert told.wait(10)
    assert found[0].from_us - clock.monotonic() * SECOND_US < SECOND_US
