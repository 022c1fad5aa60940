"""Slices in virtual time: funds set aside ahead of time, shared, never overdrawn, and what ends a call or lengthens it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.billing import rows as house_rows
from tests.billing.rows import NOON, NUMBER_A, NUMBER_B
from tests.engine.world import World
from webcb import db, models
from webcb.billing import ledger
from webcb.engine.causes import Ending

A, B = NUMBER_A.digits, NUMBER_B.digits
C, D = house_rows.number("+55 11 98877 6655"), house_rows.number("+1 206 555 4199")

# A answers 4 s after it is called, B 4 s later: A has run for 4 s when they begin to talk. Each leg costs 0.01 a second.


@pytest.fixture
def world(database: str) -> Iterator[World]:
    """1.00 on the account: 48 seconds of talk for one callback. A slice is 10 s of both legs, 0.20."""
    made = World(balance="1.00", first=1, following=1, price="0.60")
    models.UsageCharge.update(slice_seconds=10).execute()
    yield made
    made.close()


def funds(world: World) -> tuple[int, int]:
    wallet = models.Wallet.get_by_id(world.house.account.wallet_id)
    return wallet.balance_micros, wallet.locked_micros


def pay(world: World, micros: int, key: str = "p") -> None:
    ledger.post(world.house.account.wallet_id, None, "payment", micros, key, "admin", "", world.utc_now())


def ended(world: World, callback_id: str) -> tuple[str, float]:
    """How it ended, and how many seconds after the world began."""
    row = world.row(callback_id)
    return row.ending, (row.ended_at - NOON).total_seconds()


def used(world: World, callback_id: str) -> dict[str, int]:
    return {leg: xdr.used_quantity for leg, xdr in world.xdrs(callback_id).items()}


def test_a_call_alone_talks_as_long_as_all_of_the_balance_allows(world: World) -> None:
    callback_id = world.place()
    assert funds(world) == (1_000_000, 200_000)
    world.pass_seconds(10)
    held = models.Lock.get().amount_micros
    assert 200_000 <= held < 500_000
    world.pass_seconds(60)
    assert ended(world, callback_id) == (Ending.TIME_IS_OUT, 56.0)
    assert used(world, callback_id) == {"A": 52, "B": 48}
    assert funds(world) == (0, 0)


def test_no_more_is_set_aside_than_a_slice_ahead(world: World) -> None:
    world.place()
    for _ in range(50):
        world.pass_seconds(1)
        ran = max(0, world.time.now - world.begun_at - 4) + max(0, world.time.now - world.begun_at - 8)
        assert models.Lock.get().amount_micros <= (ran + 2 * 10 + 4) * 10_000


def test_two_calls_share_the_balance_to_the_last_second(world: World) -> None:
    first = world.place("1")
    world.pass_seconds(3)
    second = world.place("2", number_a=C, number_b=D)
    world.pass_seconds(100)
    assert {ended(world, each)[0] for each in (first, second)} == {Ending.TIME_IS_OUT}
    balance, locked = funds(world)
    assert (locked, 0 <= balance < 20_000) == (0, True)


def test_a_top_up_in_mid_call_lengthens_the_call(world: World) -> None:
    callback_id = world.place()
    world.pass_seconds(50)  # all of it is set aside: it is to end at 56
    assert funds(world) == (1_000_000, 1_000_000)
    pay(world, 200_000)
    world.pass_seconds(40)
    assert ended(world, callback_id) == (Ending.TIME_IS_OUT, 66.0)
    assert funds(world) == (0, 0)


def test_what_another_call_gives_back_lengthens_the_call(world: World) -> None:
    pay(world, 180_000)
    models.VoiceApplication.update(ring_seconds_a=300).execute()
    world.phone(C.digits, "C", script=[(0.0, 100), (1.0, 180)])  # it only rings, with 0.20 set aside
    other = world.place("1", number_a=C, number_b=D)
    callback_id = world.place("2")
    world.pass_seconds(50)
    assert funds(world) == (1_180_000, 1_180_000)
    world.exchange.release(other, Ending.USER_RELEASED)
    world.pass_seconds(40)
    assert ended(world, callback_id) == (Ending.TIME_IS_OUT, 65.0)  # (1.18 - 0.04) / 0.02 = 57 s, from 8 on
    assert funds(world) == (0, 0)


def test_the_database_stands_between_no_call_and_its_deadline(world: World) -> None:
    """While it is away no funds can be set aside: the call ends where those end that are committed."""
    callback_id = world.place()
    world.pass_seconds(10)
    deadline = (world.row(callback_id).deadline_at - NOON).total_seconds()
    world.journal.is_away = True
    world.pass_seconds(30)
    assert not any(phone.up for phone in world.phones.values())
    assert world.ladder[-1].startswith(f"{deadline:.1f} ")
    world.journal.is_away = False
    world.journal.go_on()
    world.pass_seconds(1)
    assert world.row(callback_id).ending == Ending.TIME_IS_OUT
    assert sum(used(world, callback_id).values()) * 10_000 == 1_000_000 - funds(world)[0]
    assert funds(world)[1] == 0


def test_the_deadline_moves_only_after_the_commit(world: World) -> None:
    callback_id = world.place()
    world.pass_seconds(8)
    world.journal.is_away = True
    before = world.exchange._running[callback_id].callback.deadline_us
    world.pass_seconds(7)
    assert world.exchange._running[callback_id].callback.renewing
    assert world.exchange._running[callback_id].callback.deadline_us == before
    world.journal.is_away = False
    world.journal.go_on()
    world.pass_seconds(0)
    assert world.exchange._running[callback_id].callback.deadline_us > before


def test_a_waits_for_b_on_slices_too(world: World) -> None:
    """B rings for a minute: A's wait is paid slice by slice."""
    world.phone(B, "B", script=[(0.0, 100), (1.0, 180)])
    callback_id = world.place()
    world.pass_seconds(120)
    assert ended(world, callback_id)[0] == Ending.B_NO_ANSWER
    waited = used(world, callback_id)["A"]
    assert waited in (60, 61)
    assert funds(world) == (1_000_000 - waited * 10_000, 0)


@pytest.mark.parametrize(
    ("change", "ending"),
    [
        ("UPDATE account SET blocked = TRUE", Ending.ACCOUNT_BLOCKED),
        ("UPDATE account SET closed = TRUE", Ending.ACCOUNT_BLOCKED),
        ("UPDATE customer SET status = 'blocked'", Ending.CUSTOMER_BLOCKED),
        ("UPDATE product SET blocked = TRUE", Ending.PRODUCT_BLOCKED),
        ("UPDATE tariff SET blocked = TRUE WHERE name = 'Callback'", Ending.TARIFF_BLOCKED),
        ("UPDATE tariff SET blocked = TRUE, name = 'Renamed' WHERE name = 'Callback'", Ending.TARIFF_BLOCKED),
        ("UPDATE tariff SET blocked = TRUE WHERE name = 'Vendor'", Ending.TARIFF_BLOCKED),
    ],
)
def test_blocking_ends_the_calls_within_a_second(world: World, change: str, ending: Ending) -> None:
    another = models.Tariff.create(name="Another", currency="USD", blocked=True)
    callback_id = world.place()
    assert another.blocked
    world.pass_seconds(20.5)
    with db.writing():
        db.database.execute_sql(change)
    world.pass_seconds(1)
    assert ended(world, callback_id)[0] == ending
    assert ended(world, callback_id)[1] <= 21.5
    assert funds(world)[1] == 0


def test_what_may_be_spent_in_a_day_cuts_a_call_that_goes_on(world: World) -> None:
    models.Account.update(daily_spend_max_micros=500_000).execute()
    callback_id = world.place()
    world.pass_seconds(100)
    assert ended(world, callback_id) == (Ending.TIME_IS_OUT, 31.0)  # (0.50 - 0.04) / 0.02 = 23 s
    assert funds(world) == (500_000, 0)


def test_raising_what_may_be_spent_lengthens_the_call(world: World) -> None:
    models.Account.update(daily_spend_max_micros=500_000).execute()
    callback_id = world.place()
    world.pass_seconds(28)
    models.Account.update(daily_spend_max_micros=600_000).execute()
    world.pass_seconds(100)
    assert ended(world, callback_id) == (Ending.TIME_IS_OUT, 36.0)


def test_the_whole_balance_is_not_lengthened(world: World) -> None:
    models.UsageCharge.update(overdraft_protection="whole balance").execute()
    callback_id = world.place()
    world.pass_seconds(20)
    pay(world, 5_000_000)
    world.pass_seconds(100)
    assert ended(world, callback_id) == (Ending.TIME_IS_OUT, 56.0)


def test_without_protection_only_the_longest_talk_ends_a_call(world: World) -> None:
    models.UsageCharge.update(overdraft_protection="none").execute()
    models.VoiceApplication.update(talk_seconds_max=300).execute()
    callback_id = world.place()
    world.pass_seconds(400)
    assert ended(world, callback_id) == (Ending.LONGEST_TALK, 308.0)
    assert funds(world) == (1_000_000 - 604 * 10_000, 0)


def test_the_longest_talk_ends_a_call_by_slices(world: World) -> None:
    pay(world, 9_000_000)
    models.VoiceApplication.update(talk_seconds_max=33).execute()
    callback_id = world.place()
    world.pass_seconds(100)
    assert ended(world, callback_id) == (Ending.LONGEST_TALK, 41.0)


def test_an_engine_that_died_never_charges_more_than_was_set_aside(world: World) -> None:
    callback_id = world.place()
    world.pass_seconds(30)
    held = models.Lock.get().amount_micros
    world.crash()
    world.time.now += 200
    models.Node.update(heard_at=world.utc_now() + timedelta(seconds=0)).execute()
    world.engine()
    world.pass_seconds(1)
    assert world.row(callback_id).ending == Ending.TIME_IS_OUT
    assert 1_000_000 - funds(world)[0] <= held
    assert funds(world)[1] == 0
