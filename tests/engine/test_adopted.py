"""A call that a new engine has taken over is a call like any other: warned, lengthened, refreshed, asked, ended. In virtual time."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from rtpbridge import EventKind
from tests.engine.ears import HearingWorld
from tests.engine.laws import on_a_file
from tests.engine.scenes import A, B
from tests.engine.test_warnings import IN_TIME, pay, protect, warnings
from webcb import models
from webcb.billing import reception

AWAY_SECONDS = 0.7


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HearingWorld]:
    """5.00 at a cent a second for either leg: A has run 4 s when B answers at 8.0, so they talk for 248 s, until 256.0."""
    with on_a_file(tmp_path / "one.sqlite") as world:
        for number, name in ((A, "A"), (B, "B")):
            world.phone(number, name, headers={"Session-Expires": "90;refresher=uac"})
        protect("slices", 60)
        yield world


def adopted(world: HearingWorld, at_seconds: float) -> str:
    """A callback that talks, whose engine died then and was followed by another."""
    callback_id = world.place()
    world.pass_seconds(at_seconds)
    assert world.row(callback_id).state == "talking"
    world.crash()
    world.pass_seconds(AWAY_SECONDS)
    world.engine()
    return callback_id


def until(world: HearingWorld, seconds: float) -> None:
    world.pass_seconds(seconds - (world.time.now - world.begun_at))


def ended_at(world: HearingWorld) -> list[str]:
    return [line for line in world.ladder if line.endswith("-> BYE")]


def used(world: HearingWorld, callback_id: str) -> dict[str, int]:
    return {leg: xdr.used_quantity for leg, xdr in world.xdrs(callback_id).items()}


def test_both_are_warned_at_the_same_moments_and_the_money_ends_it_at_its_second(world: HearingWorld) -> None:
    callback_id = adopted(world, 100)
    until(world, 300)
    assert warnings(world) == IN_TIME
    assert world.row(callback_id).ending == "time is out"
    assert used(world, callback_id) == {"A": 252, "B": 248}


def test_a_warning_that_was_given_is_not_given_again(world: HearingWorld) -> None:
    adopted(world, 200)
    until(world, 300)
    assert warnings(world) == IN_TIME


def test_the_longest_talk_ends_it(world: HearingWorld) -> None:
    models.VoiceApplication.update(talk_seconds_max=100).execute()
    callback_id = adopted(world, 50)
    until(world, 200)
    assert world.row(callback_id).ending == "longest talk reached"
    assert ended_at(world) == ["108.0 A -> BYE", "108.0 B -> BYE"]


def test_a_top_up_lengthens_it(world: HearingWorld) -> None:
    callback_id = adopted(world, 180)
    until(world, 190)
    pay(world, 2_000_000)
    until(world, 400)
    assert [line.split()[0] for line in warnings(world)] == ["296.0", "346.0"]
    assert used(world, callback_id) == {"A": 352, "B": 348}


def test_money_that_is_taken_shortens_it(world: HearingWorld) -> None:
    callback_id = adopted(world, 100)
    pay(world, -1_000_000)
    until(world, 300)
    assert [line.split()[0] for line in warnings(world)] == ["146.0", "196.0"]
    assert used(world, callback_id) == {"A": 202, "B": 198}


def _operator(world: HearingWorld, callback_id: str) -> None:
    reception.ask_release(callback_id, "operator", world.utc_now())


def _account(world: HearingWorld, _: str) -> None:
    models.Account.update(blocked=True).where(models.Account.id == world.house.account.id).execute()


def _tariff(world: HearingWorld, _: str) -> None:
    models.Tariff.update(blocked=True).where(models.Tariff.id == world.house.tariff.id).execute()


def _customer(world: HearingWorld, _: str) -> None:
    models.Customer.update(status="blocked").execute()


def _product(_world: HearingWorld, _: str) -> None:
    models.Product.update(blocked=True).execute()


@pytest.mark.parametrize(
    ("block", "ending"),
    [
        (_operator, "operator released"),
        (_account, "account blocked"),
        (_customer, "customer blocked"),
        (_product, "product blocked"),
        (_tariff, "tariff blocked"),
    ],
)
def test_who_may_end_it_does_within_a_second(
    world: HearingWorld, block: Callable[[HearingWorld, str], None], ending: str
) -> None:
    callback_id = adopted(world, 100)
    until(world, 110)
    block(world, callback_id)
    until(world, 111.1)
    assert [line.split()[1] for line in ended_at(world)] == ["A", "B"]
    assert world.row(callback_id).ending == ending


def test_its_sessions_are_refreshed_soon_and_again_at_half_their_time(world: HearingWorld) -> None:
    """A session of 90 s whose refreshing is ours: nobody ends it while it talks for minutes."""
    adopted(world, 20)
    until(world, 250)
    for name in ("A", "B"):
        at = [float(line.split()[0]) for line in world.ladder if line.endswith(f"{name} -> INVITE")][1:]
        assert at[0] - 20 - AWAY_SECONDS <= 2.1
        assert all(44 <= later - earlier <= 46 for earlier, later in pairwise(at))
        assert at[-1] > 200
    assert ended_at(world) == []


def test_a_leg_that_falls_silent_is_asked_and_ended(world: HearingWorld) -> None:
    callback_id = adopted(world, 100)
    until(world, 120)
    world.phones[B].knows_calls = False
    world.media.tell(world.voices(callback_id)["B"], EventKind.SILENT)
    world.pass_seconds(40)
    assert world.row(callback_id).state == "ended"
    assert any(line.endswith("B -> OPTIONS") for line in world.ladder)
    assert not world.phones[A].up


@pytest.mark.parametrize(("who", "other", "ending"), [(A, "B", "A hung up"), (B, "A", "B hung up")])
def test_who_hangs_up_ends_it(world: HearingWorld, who: str, other: str, ending: str) -> None:
    callback_id = adopted(world, 100)
    until(world, 110)
    world.request(world.phones[who], "BYE")
    world.pass_seconds(1)
    assert ended_at(world) == [f"110.0 {other} -> BYE"]
    assert world.row(callback_id).ending == ending
