"""A node that dies: the others see it, end its legs and settle its callbacks; a node that only was not seen is left alone."""

from datetime import timedelta

import pytest

from tests.billing.rows import NOON, NUMBER_A, NUMBER_B
from tests.engine.test_crash import ladder
from tests.engine.test_exchange import assert_over
from tests.engine.world import World
from webcb import models
from webcb.engine import neighbours, recovery
from webcb.engine.callback import Plan
from webcb.engine.causes import Ending
from webcb.engine.neighbours import Neighbours

A, B = NUMBER_A.digits, NUMBER_B.digits


def test_the_callbacks_of_a_dead_node_are_ended_by_another(world: World) -> None:
    world.phone(A, "A"), world.phone(B, "B")
    callback_id = world.place()
    world.pass_seconds(20)
    world.crash()
    world.node_name = "two"
    world.engine()
    world.pass_seconds(9)
    assert world.row(callback_id).state == "talking"
    assert ladder(world, "BYE") == []
    world.pass_seconds(3)
    assert sorted(line.split()[1] for line in ladder(world, "BYE")) == ["A", "B"]
    # A from 4 s, B from 8 s, both up to the last sign of life.
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 16, "B": 12})


@pytest.fixture
def others(world: World) -> models.Node:
    return models.Node.create(name="two", heard_at=NOON)


def beat(node: models.Node, second: float) -> None:
    models.Node.update(heard_at=NOON + timedelta(seconds=second)).where(models.Node.id == node.id).execute()


def test_who_gives_a_sign_of_life_lives_whatever_its_clock_says(world: World, others: models.Node) -> None:
    callback_id = world.place()
    models.Callback.update(node=others).where(models.Callback.id == callback_id).execute()
    here = Neighbours(1)
    for second in range(30):
        beat(others, second - 5000)
        assert here.look(float(second)) == 0
    assert here.has_others
    assert [here.look(float(second)) for second in range(30, 42)] == [0] * 9 + [1, 0, 0]
    assert not here.has_others
    taken = models.Callback.get_by_id(callback_id)
    assert (taken.node_id, taken.lost_at) == (1, NOON + timedelta(seconds=29 - 5000))
    assert neighbours.taken_from(others.id, [callback_id, "0" * 20]) == [callback_id]
    assert neighbours.taken_from(1, [callback_id]) == []
    models.Callback.update(node=1, lost_at=None).execute()  # the world ends it as its own


def test_who_could_not_look_on_himself_judges_nobody(world: World, others: models.Node) -> None:
    """The database was away for all: no node has given a sign of life, and none is dead."""
    callback_id = world.place()
    models.Callback.update(node=others).where(models.Callback.id == callback_id).execute()
    here = Neighbours(1)
    for now in (0.0, 1.0, 2.0, 62.0, 63.0, 71.0, 72.0, 73.0):
        assert here.look(now) == 0
    models.Callback.update(node=1).execute()


def test_who_was_taken_for_dead_hangs_up_and_charges_nothing_twice(world: World) -> None:
    world.phone(A, "A"), world.phone(B, "B")
    callback_id = world.place()
    models.Node.create(name="two", heard_at=NOON)
    world.pass_seconds(20)
    world.journal.is_away = True  # cut off
    world.pass_seconds(12)
    two = models.Node.get(models.Node.name == "two")
    models.Callback.update(node=two, lost_at=world.utc_now() - timedelta(seconds=12)).execute()
    recovery.settle(callback_id, world.utc_now())
    assert ladder(world, "BYE") == []
    world.journal.is_away = False
    world.journal.go_on()
    for second in range(3):  # the other one lives
        beat(two, second)
        world.pass_seconds(1)
    assert sorted(line.split()[1] for line in ladder(world, "BYE")) == ["A", "B"]
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 16, "B": 12})


def test_no_invite_leaves_of_a_callback_that_was_taken_over_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.phone(A, "A"), world.phone(B, "B")
    two = models.Node.create(name="two", heard_at=NOON)
    begin = world.exchange.begin

    def begin_and_be_cut_off(plan: Plan) -> None:
        world.journal.is_away = True
        begin(plan)

    monkeypatch.setattr(world.exchange, "begin", begin_and_be_cut_off)
    callback_id = world.place()
    world.pass_seconds(12)
    models.Callback.update(node=two, lost_at=world.utc_now()).where(models.Callback.id == callback_id).execute()
    recovery.settle(callback_id, world.utc_now())
    world.journal.is_away = False
    world.journal.go_on()
    world.pass_seconds(3)
    assert ladder(world, "INVITE") == []
    assert world.exchange.is_idle


def test_an_invite_that_is_all_that_the_rows_know_of_has_its_xdr(world: World) -> None:
    """Cut off as it left: what came after is written when others have ended the callback, and changes nothing."""
    phone = world.phone(A, "A")
    world.phone(B, "B")
    callback_id = world.place()
    world.pass_seconds(1)
    models.Leg.update(placed_at=None, state="waiting").where(models.Leg.name == "A").execute()
    world.journal.is_away = True
    world.pass_seconds(20)
    two = models.Node.create(name="two", heard_at=NOON)
    models.Callback.update(node=two, lost_at=NOON + timedelta(seconds=1)).where(
        models.Callback.id == callback_id
    ).execute()
    recovery.settle(callback_id, world.utc_now())
    world.journal.is_away = False
    world.journal.go_on()
    for second in range(3):
        beat(two, second)
        world.pass_seconds(1)
    assert not phone.up
    assert_over(world, callback_id, Ending.ENGINE_STOPPED, {"A": 0})
