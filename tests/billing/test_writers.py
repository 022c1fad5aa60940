"""Many writers at once, of several processes, on both databases: none is told that the database is locked, or of a deadlock."""

import multiprocessing
import random
import threading
from collections import Counter
from typing import Any

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import used
from webcb import clock, db, models
from webcb.billing import books, ledger, reception, settlement
from webcb.billing.pricing import Pricing
from webcb.billing.slices import Talking

ACCOUNTS = 8  # on half as many wallets: the writers meet


def write(url: str, seconds: float, threads: int, seed: int, said: Any) -> None:
    """One process: its threads write until the time is over; what they did, and every error a caller saw, is said."""
    db.connect(url)
    done: Counter[str] = Counter()

    def work(number: int) -> None:
        chance = random.Random(f"{seed}-{number}")
        until = clock.monotonic() + seconds
        turn = 0
        with db.database.connection_context():
            while clock.monotonic() < until:
                turn += 1
                try:
                    done[a_turn(chance, f"{seed}-{number}-{turn}")] += 1
                except Exception as wrong:
                    done[f"error: {type(wrong).__name__} {wrong}"[:300]] += 1

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    said.put(dict(done))


def a_turn(chance: random.Random, key: str) -> str:
    """What an engine, a page or an operator does."""
    wallet_ids = [row.wallet_id for row in models.Account.select()]
    if chance.random() < 0.3:
        pay_several(chance.sample(sorted(set(wallet_ids)), 2), key)
        return "payments"
    order = reception.Order("-", f"w{chance.randrange(ACCOUNTS)}", None, rows.NUMBER_A, rows.NUMBER_B, key, "test")
    placed = reception.place(order, NOON)
    if isinstance(placed, reception.Refusal):
        return f"refused: {placed.reason}"
    begun = reception.begin(placed.callback_id, NOON)
    if isinstance(begun, reception.Refusal):
        settlement.settle(placed.callback_id, (), "refused", False, NOON)
        return "refused to begin"
    legs = [
        Pricing.from_json(leg.pricing)
        for leg in models.Callback.get_by_id(placed.callback_id).legs.order_by(models.Leg.name)
    ]
    ledger.hold(placed.callback_id, Talking(legs[0], legs[1], 0, 100), NOON)
    settlement.settle(placed.callback_id, [used("A", 60), used("B", 60)], "A hung up", True, NOON)
    if chance.random() < 0.2:
        settlement.refund(placed.callback_id, "A", 1, f"r-{key}", "test", "", NOON)
    return "callbacks"


@db.transaction
def pay_several(wallet_ids: list[int], key: str) -> None:
    """As the engine's journal does: several wallets in one transaction, in whatever order."""
    for wallet_id in wallet_ids:
        ledger.post(wallet_id, None, "payment", 100_000, f"p-{key}-{wallet_id}", "test", "", NOON)


def crowd(url: str, seconds: float, processes: int, threads: int) -> Counter[str]:
    """What all of them did."""
    house = rows.house()
    rows.no_limits(concurrent_per_account=1000)
    for number in range(ACCOUNTS):
        wallet = None if number % 2 == 0 else models.Account.get(models.Account.login == f"w{number - 1}").wallet
        rows.account(house.customer, house.product, f"w{number}", "20.00", wallet=wallet)
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    running = [context.Process(target=write, args=(url, seconds, threads, seed, said)) for seed in range(processes)]
    for process in running:
        process.start()
    done: Counter[str] = Counter()
    for _ in running:
        done.update(said.get(timeout=seconds + 60))
    for process in running:
        process.join(30)
    return done


def assert_nobody_was_disturbed(done: Counter[str]) -> None:
    assert [what for what in done if what.startswith("error")] == []
    assert done["callbacks"] and done["payments"]
    assert models.Wallet.select().where(models.Wallet.locked_micros != 0).count() == 0
    assert models.Xdr.select().where(models.Xdr.kind == "charge").count() == 2 * done["callbacks"]
    assert books.differences() == []


def test_writers_of_a_process_come_to_their_turn_in_the_order_they_came() -> None:
    turn, came = db.Turn(), list[int]()

    def work(number: int) -> None:
        assert turn.acquire(timeout=30)
        came.append(number)
        turn.release()

    assert turn.acquire(timeout=1)
    assert not turn.acquire(timeout=0.01), "who has waited long enough leaves the line"
    running = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for number, thread in enumerate(running):
        thread.start()
        while len(turn._waiting) <= number:  # until it stands in line
            thread.join(0.001)
    turn.release()
    for thread in running:
        thread.join(30)
    assert came == list(range(20))
    assert turn.acquire(timeout=0)


def test_only_a_function_is_a_transaction() -> None:
    with pytest.raises(TypeError, match="stands further down"):
        db.transaction(Counter)


def test_many_writers_for_a_moment(either_database: str) -> None:
    assert_nobody_was_disturbed(crowd(either_database, 1.5, 2, 8))


@pytest.mark.soak
def test_fifty_writers_for_a_minute(either_database: str) -> None:
    assert_nobody_was_disturbed(crowd(either_database, 60, 5, 10))
