"""Callbacks that wait for a connection, in virtual time: in turn, told their place, let go when released or when it takes too long."""

import pytest

from tests.billing import rows
from tests.billing.rows import NUMBER_A, NUMBER_B
from tests.engine.world import World
from webcb import models
from webcb.engine.calls import WAIT_SECONDS_MAX
from webcb.engine.causes import Ending
from webcb.number import Kind, Number
from webcb.sip.events import Address
from webcb.sip.location import Located

A, B = NUMBER_A.digits, NUMBER_B.digits


@pytest.fixture(autouse=True)
def house(world: World) -> None:
    """Many callbacks at once, each of which locks little."""
    rows.no_limits(talk_seconds_max=10, ring_seconds_b=5, concurrent_per_account=100)


def limit(**limits: int) -> None:
    models.Connection.update(**limits).execute()


def number(which: int) -> Number:
    return Number(f"551199988770{which}", "BR", Kind.ORDINARY)


def place(world: World, count: int) -> list[str]:
    """Callbacks placed one after the other at the same moment, A's phones named 0, 1, ..."""
    for which in range(count):
        world.phone(number(which).digits, f"{which}")
    return [world.place(str(which), number_a=number(which)) for which in range(count)]


def invited(world: World) -> list[str]:
    return [line for line in world.ladder if line.endswith("INVITE") and "->" in line]


def positions(world: World, placed: list[str], leg: str = "A") -> list[int | None]:
    return [world.legs(callback_id)[leg].queue_position for callback_id in placed]


def test_they_start_in_order_one_a_second_and_are_told_their_place(world: World) -> None:
    limit(calls_per_second=1)
    placed = place(world, 4)
    assert positions(world, placed) == [None, 1, 2, 3]
    assert {world.row(callback_id).state for callback_id in placed} == {"calling A"}
    assert world.legs(placed[3])["A"].state == "waiting"
    world.pass_seconds(1.1)
    assert positions(world, placed) == [None, None, 1, 2]
    world.pass_seconds(2.1)
    assert positions(world, placed) == [None] * 4
    assert invited(world) == ["0.0 0 -> INVITE", "1.0 1 -> INVITE", "2.0 2 -> INVITE", "3.0 3 -> INVITE"]
    world.pass_seconds(60)
    assert world.exchange.is_idle
    assert {world.row(callback_id).state for callback_id in placed} == {"ended"}


def test_the_second_waits_at_a_full_connection_until_the_first_has_ended(world: World) -> None:
    limit(capacity=1)
    placed = place(world, 2)
    world.pass_seconds(2.5)
    world.exchange.release(placed[0], Ending.USER_RELEASED)
    world.pass_seconds(0.1)
    assert invited(world) == ["0.0 0 -> INVITE", "2.5 1 -> INVITE"]
    assert positions(world, placed) == [None, None]


def test_a_release_leaves_the_queue(world: World) -> None:
    limit(calls_per_second=1)
    placed = place(world, 3)
    world.exchange.release(placed[1], Ending.USER_RELEASED)
    world.pass_seconds(0)
    assert world.row(placed[1]).state == "ended"
    assert world.xdrs(placed[1]) == {}
    assert positions(world, placed)[1] is None
    world.pass_seconds(5)
    assert invited(world)[:2] == ["0.0 0 -> INVITE", "1.0 2 -> INVITE"]


def test_a_release_at_the_moment_of_the_turn_loses_no_place(world: World) -> None:
    """The host's name is still being resolved: the place that was taken is given back."""
    limit(capacity=1)
    models.Connection.update(host="sbc.example").execute()
    placed = place(world, 2)
    world.exchange.release(placed[0], Ending.USER_RELEASED)
    world.pass_seconds(0)
    assert len(world.names.asked) == 2
    for _, found in world.names.asked:
        found(Located((Address("127.0.0.1", 5060),)))
    world.pass_seconds(0)
    assert invited(world) == ["0.0 1 -> INVITE"]


def test_b_waits_no_longer_than_its_limit_while_a_pays(world: World) -> None:
    limit(capacity=1)
    callback_id = world.place()
    world.phone(A, "A")
    world.pass_seconds(4.5)
    assert positions(world, [callback_id], "B") == [1]
    assert world.row(callback_id).state == "calling B"
    world.pass_seconds(WAIT_SECONDS_MAX["B"])
    row = world.row(callback_id)
    assert (row.state, row.ending) == ("ended", Ending.B_UNREACHABLE)
    assert positions(world, [callback_id], "B") == [None]
    (xdr,) = world.xdrs(callback_id).values()  # B was never called
    assert xdr.leg == "A"
    assert xdr.used_quantity <= WAIT_SECONDS_MAX["B"] + 1


def test_a_waits_no_longer_than_its_limit_in_all_its_routes(world: World) -> None:
    limit(capacity=1)
    models.VoiceApplication.update(ring_seconds_a=200).execute()
    models.Connection.create(
        name="z second", vendor=world.house.vendor, tariff=world.house.vendor_tariff, host="127.0.0.2", capacity=1
    )
    world.phone(number(0).digits, "0", script=[(0.0, 180)])
    world.phone(number(1).digits, "1", script=[(0.0, 180)])
    for which in range(2):
        world.place(str(which), number_a=number(which))
    waiting = world.place("2", number_a=number(2))
    world.pass_seconds(WAIT_SECONDS_MAX["A"] - 0.1)
    assert (world.row(waiting).state, positions(world, [waiting])) == ("calling A", [1])
    world.pass_seconds(0.2)
    assert (world.row(waiting).state, world.row(waiting).ending) == ("ended", Ending.A_UNREACHABLE)
    assert world.xdrs(waiting) == {}


def test_the_b_leg_goes_before_those_whose_phone_has_not_rung(world: World) -> None:
    limit(capacity=2)
    placed = place(world, 4)
    world.pass_seconds(4.5)
    assert positions(world, placed, "B") == [1, 2, None, None]
    assert positions(world, placed, "A") == [None, None, 3, 4]


def test_a_full_connection_is_waited_for_only_where_no_other_has_room(world: World) -> None:
    limit(capacity=1)
    second = models.Connection.create(
        name="z second", vendor=world.house.vendor, tariff=world.house.vendor_tariff, host="127.0.0.2", capacity=1
    )
    placed = place(world, 3)
    assert positions(world, placed) == [None, None, 1]
    assert world.legs(placed[1])["A"].connection_id == second.id


def test_over_its_pace_a_connection_is_waited_for_though_there_is_another(world: World) -> None:
    limit(calls_per_second=1)
    models.Connection.create(
        name="z second", vendor=world.house.vendor, tariff=world.house.vendor_tariff, host="127.0.0.2"
    )
    placed = place(world, 2)
    world.pass_seconds(1.1)
    first = world.house.connection.id
    assert [world.legs(each)["A"].connection_id for each in placed] == [first, first]


def test_a_turn_at_a_connection_that_went_down_meanwhile_is_the_next_routes(world: World) -> None:
    limit(calls_per_second=1)
    second = models.Connection.create(
        name="z second", vendor=world.house.vendor, tariff=world.house.vendor_tariff, host="127.0.0.2"
    )
    placed = place(world, 2)
    world.prober._is_up[world.house.connection.id] = False
    world.pass_seconds(1.1)
    assert world.legs(placed[1])["A"].connection_id == second.id
