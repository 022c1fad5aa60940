"""Ports are found used up before anybody is called, never when A is on the phone: a bridge of one or two pairs, in virtual time."""

from collections.abc import Callable, Iterator

import pytest

from tests.billing.rows import NUMBER_A, NUMBER_B
from tests.engine import world as worlds
from tests.engine.world import World
from tests.ports import MEDIA_MIN
from webcb import models
from webcb.engine.causes import Ending

BEGINS = Callable[[int], World]


@pytest.fixture
def begins(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BEGINS]:
    made: list[World] = []

    def begin(pairs: int) -> World:
        monkeypatch.setattr(worlds, "MEDIA_MAX", MEDIA_MIN + 2 * pairs - 1)
        made.append(World(balance="5.00", first=1, following=1, price="0.60"))
        return made[0]

    yield begin
    made[0].close()


def are_free(world: World, pairs: int) -> bool:
    """Whether so many ports can be had, which are those that the bridge has."""
    opened = [world.bridge.open_port() for _ in range(pairs)]
    for port in opened:
        port.close()
    return True


def test_with_a_port_for_one_leg_nobody_is_called(begins: BEGINS) -> None:
    world = begins(1)
    world.phone(NUMBER_A.digits, "A", script=[(0.0, 200)])
    callback_id = world.place()
    world.pass_seconds(10)
    assert world.ladder == []
    row = world.row(callback_id)
    assert (row.state, row.ending) == ("ended", "A unreachable")
    assert models.Attempt.select().count() == 0
    assert are_free(world, 1)


def test_who_is_called_has_both_ports_and_who_comes_next_is_not_called(begins: BEGINS) -> None:
    world = begins(2)
    for number, name in ((NUMBER_A, "A"), (NUMBER_B, "B")):
        world.phone(number.digits, name, script=[(0.0, 100), (1.0, 200)])
    first = world.place()
    world.pass_seconds(0.5)
    second = world.place("next")
    world.pass_seconds(5)
    assert world.row(first).state == "talking"
    assert world.row(second).state == "ended"
    assert sum(" A -> INVITE" in each for each in world.ladder) == 1
    world.exchange.release(first, Ending.USER_RELEASED)
    world.pass_seconds(40)
    assert are_free(world, 2)
