"""Both are warned a minute and ten seconds before the money ends, however it is set aside: in virtual time, on real rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.billing.rows import number
from tests.engine.ears import HearingWorld
from tests.engine.laws import on_a_file
from tests.engine.scenes import A, B
from webcb import models
from webcb.billing import ledger

SLICES = [10, 30, 60, 90]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HearingWorld]:
    """5.00 at a cent a second for either leg: A has run 4 s when B answers at 8.0, so they talk for 248 s, until 256.0."""
    with on_a_file(tmp_path / "one.sqlite") as world:
        world.phone(A, "A")
        world.phone(B, "B")
        yield world


def protect(kind: str, slice_seconds: int) -> None:
    models.UsageCharge.update(overdraft_protection=kind, slice_seconds=slice_seconds).execute()


def warnings(world: HearingWorld) -> list[str]:
    return [line for line in world.heard if "beep" in line]


def pay(world: HearingWorld, amount_micros: int) -> None:
    account = world.house.account
    kind = "payment" if amount_micros > 0 else "manual charge"
    at = world.utc_now()
    ledger.post(account.wallet_id, account.id, kind, amount_micros, f"{kind}:{at.isoformat()}", "test", "", at)  # type: ignore[arg-type]


IN_TIME = [
    "196.0 A: beep left number-1 unit-minute-one; B: beep",
    "246.0 A: beep left number-10 unit-second-many; B: beep",
]


@pytest.mark.parametrize(("kind", "slice_seconds"), [*(("slices", each) for each in SLICES), ("whole balance", 60)])
def test_in_time_whatever_a_slice_is(world: HearingWorld, kind: str, slice_seconds: int) -> None:
    protect(kind, slice_seconds)
    callback_id = world.place()
    world.pass_seconds(300)
    assert world.row(callback_id).ending == "time is out"
    assert {leg: xdr.used_quantity for leg, xdr in world.xdrs(callback_id).items()} == {"A": 252, "B": 248}
    assert warnings(world) == IN_TIME


@pytest.mark.parametrize("slice_seconds", SLICES)
def test_by_the_longest_talk(world: HearingWorld, slice_seconds: int) -> None:
    protect("slices", slice_seconds)
    models.VoiceApplication.update(talk_seconds_max=100).execute()
    callback_id = world.place()
    world.pass_seconds(200)
    assert world.row(callback_id).ending == "longest talk reached"
    assert [line.split()[0] for line in warnings(world)] == ["48.0", "98.0"]


@pytest.mark.parametrize("slice_seconds", SLICES)
def test_a_top_up_before_the_warning_puts_it_off(world: HearingWorld, slice_seconds: int) -> None:
    """Paid at 190.0, six seconds before it would be said: 100 s more."""
    protect("slices", slice_seconds)
    world.place()
    world.pass_seconds(190)
    pay(world, 2_000_000)
    world.pass_seconds(300)
    assert [line.split()[0] for line in warnings(world)] == ["296.0", "346.0"]


@pytest.mark.parametrize("slice_seconds", SLICES)
def test_a_top_up_after_the_warning_brings_another(world: HearingWorld, slice_seconds: int) -> None:
    protect("slices", slice_seconds)
    world.place()
    world.pass_seconds(200)
    pay(world, 2_000_000)
    world.pass_seconds(300)
    assert [line.split()[0] for line in warnings(world)] == ["196.0", "296.0", "346.0"]


def test_money_that_somebody_else_used_is_found_out_just_before(world: HearingWorld) -> None:
    """1.00 is taken at 100.0: they talk for 198 s, and the first look is the renewal half a slice before its end."""
    protect("slices", 60)
    world.place()
    world.pass_seconds(100)
    pay(world, -1_000_000)
    world.pass_seconds(200)
    assert [line.split()[0] for line in warnings(world)] == ["146.0", "196.0"]


def test_two_calls_of_one_account_are_told_what_is_left_for_each(world: HearingWorld) -> None:
    """Both use the same 5.00: each is told twice, of what it gets."""
    protect("slices", 60)
    first = world.place("one")
    world.pass_seconds(20)
    second = world.place("two", number_a=number("5511988776655", "BR"), number_b=number("12065550199"))
    world.pass_seconds(400)
    assert {world.row(each).ending for each in (first, second)} == {"time is out"}
    ends = {float(line.split()[0]) for line in world.ladder if line.endswith("BYE") and "->" in line}
    told = [float(line.split()[0]) for line in warnings(world)]
    assert len(told) == 4
    for end in ends:
        assert end - 10 in told


def test_what_is_taken_at_once_is_told_at_once(world: HearingWorld) -> None:
    """All is taken at 100.0: known at the next renewal, half a slice before the end."""
    protect("slices", 60)
    world.place()
    world.pass_seconds(100)
    account = world.house.account
    wallet = models.Wallet.get_by_id(account.wallet_id)
    pay(world, wallet.locked_micros - wallet.balance_micros)
    world.pass_seconds(100)
    (end,) = {line.split()[0] for line in world.ladder if line.endswith("BYE") and "->" in line}
    times = [float(end) - float(line.split()[0]) for line in warnings(world)]
    assert times == [30.0, 10.0]
