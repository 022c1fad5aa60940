"""Callbacks and crashes by chance, replayed exactly by their seed: whatever happens when, the laws of money and of legs hold."""

import random

import pytest

from tests.billing.rows import NUMBER_A, NUMBER_B
from tests.engine.world import Phone, World
from webcb import models
from webcb.billing import books, reception

A, B = NUMBER_A.digits, NUMBER_B.digits
SECOND_MICROS = 10_000  # what a second of each leg costs
SEEDS = range(24)
SEEDS_OF_SOAK = range(24, 10_024)
ANSWERS = [[(0.0, 100), (1.0, 180), (4.0, 200)], [(0.0, 100), (0.5, 200)], [(1.0, 180)], [(1.0, 486)], [(2.0, 503)]]


def hang_up(world: World, phone: Phone) -> None:
    if phone.up:
        world.request(phone, "BYE")


def crash(world: World, chance: random.Random) -> None:
    """The engine dies and comes back; a phone whose user hangs up meanwhile says so to nobody."""
    world.crash()
    world.pass_seconds(chance.choice((0.0, 0.3, 1.0, 5.0, 40.0)))
    if chance.random() < 0.2:
        world.phones[chance.choice((A, B))].up = False
    world.engine()


def act(world: World, chance: random.Random, callback_id: str) -> None:
    """One thing that happens."""
    match chance.choice(("crash", "crash", "A", "B", "operator", "block", "stall", "nothing")):
        case "crash":
            crash(world, chance)
        case "A" | "B" as leg:
            hang_up(world, world.phones[A if leg == "A" else B])
        case "operator":
            reception.ask_release(callback_id, "operator", world.utc_now())
        case "block":
            models.Account.update(blocked=True).execute()
        case "stall":
            world.journal.is_away = True
            world.pass_seconds(chance.choice((0.2, 5.0)))
            world.journal.is_away = False
            world.journal.go_on()


def walk(world: World, seed: int) -> None:
    """A callback to its end, and then the laws."""
    chance = random.Random(seed)
    world.phone(A, "A", script=chance.choice([*ANSWERS[:2], *ANSWERS]))
    world.phone(B, "B", script=chance.choice([*ANSWERS[:2], *ANSWERS]))
    callback_id = world.place()
    for _ in range(chance.randrange(1, 5)):
        world.pass_seconds(chance.choice((0.0, 0.5, 1.0, 2.0, 4.0, 4.2, 9.0, 70.0)))
        act(world, chance, callback_id)
    reception.ask_release(callback_id, "operator", world.utc_now())
    world.pass_seconds(200)
    assert_laws(world, callback_id)


def assert_laws(world: World, callback_id: str) -> None:
    """No leg is up, the lock is closed, what was placed has one xDR each, the balance is the sum of its rows and not overdrawn."""
    row, legs, xdrs = world.row(callback_id), world.legs(callback_id), world.xdrs(callback_id)
    assert row.state == "ended"
    assert not [phone.name for phone in world.phones.values() if phone.up]
    assert world.exchange.is_idle
    assert set(xdrs) == {name for name, leg in legs.items() if leg.placed_at is not None}
    assert {name for name, xdr in xdrs.items() if xdr.connect_time} == {n for n, leg in legs.items() if leg.answered_at}
    assert all(xdr.charged_micros == xdr.used_quantity * SECOND_MICROS for xdr in xdrs.values())
    wallet = models.Wallet.get_by_id(world.house.account.wallet_id)
    assert wallet.locked_micros == 0
    assert wallet.balance_micros >= 0
    assert {lock.state for lock in models.Lock.select()} <= {"settled", "released"}
    assert books.differences() == []
    for phone in world.phones.values():
        assert len(phone.cseqs) == len(set(phone.cseqs)) or phone.tag > 1, "a CSeq was used twice"


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_the_laws_hold(world: World, seed: int) -> None:
    walk(world, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SEEDS_OF_SOAK)
def test_whatever_happens_the_laws_hold_ten_thousand_times(world: World, seed: int) -> None:
    walk(world, seed)
