"""The doors on PostgreSQL, where writers do not stand in line by themselves: the same promises, held by row locks."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.billing import rows, test_batch
from tests.billing.rows import NOON
from tests.billing.test_ledger import (
    begun,
    used,
    wallet,
)
from webcb import db, models
from webcb.billing import credentials, ledger, reception, settlement

pytestmark = pytest.mark.usefixtures("postgresql_database")


def at_once(work: Callable[..., object], each: list[tuple]) -> list:
    """Do the work in a thread for each, over a connection of its own; what they returned or raised."""
    results: list = []

    def run(arguments: tuple) -> None:
        with db.database.connection_context():
            try:
                results.append(work(*arguments))
            except Exception as wrong:
                results.append(wrong)

    threads = [threading.Thread(target=run, args=(arguments,)) for arguments in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_identical_posts_at_once_are_one_callback():
    house = rows.house()
    models.VoiceApplication.update(concurrent_per_account=1).execute()
    placed = at_once(reception.place, [(rows.order(house), NOON)] * 30)
    assert {each.callback_id for each in placed} == {models.Callback.get().id}
    assert sum(each.is_new for each in placed) == 1


def test_one_account_at_once_has_no_more_callbacks_than_it_may():
    house = rows.house()
    placed = at_once(reception.place, [(rows.order(house, str(n)), NOON) for n in range(12)])
    assert sum(isinstance(each, reception.Placed) for each in placed) == 3
    assert models.Callback.select().count() == 3


def test_one_callback_settled_by_many_at_once_is_charged_once():
    house = rows.house()
    callback_id = begun(house)
    usages = [used("A", 60), used("B", 60)]
    settled = at_once(settlement.settle, [(callback_id, usages, "A hung up", True, NOON)] * 8)
    assert settled == [settlement.Settlement({"A": 100_000, "B": 100_000}, 200_000, "USD")] * 8
    assert wallet(house).balance_micros == 4_800_000


def test_an_adjustment_posted_by_many_at_once_counts_once():
    house = rows.house()
    wallet_id = house.account.wallet_id
    posted = at_once(ledger.post, [(wallet_id, None, "payment", 1_000_000, "p1", "admin", "", NOON)] * 8)
    assert sorted(posted) == [False] * 7 + [True]
    assert wallet(house).balance_micros == 6_000_000


def test_a_refused_begin_takes_nothing_of_its_group_with_it():
    """On PostgreSQL a failed statement spoils a transaction: each job of the engine's journal is a savepoint."""
    house = rows.house()
    callback_id = rows.place(house)
    with db.writing():
        reception.begin(callback_id, NOON)
        for again in (callback_id, "unknown"):
            with pytest.raises((ValueError, LookupError)):
                reception.begin(again, NOON)
        settlement.settle(callback_id, [used("A", 10)], "A hung up", False, NOON)
    assert wallet(house).balance_micros == 4_900_000


def test_accounts_are_generated(tmp_path: Path) -> None:
    credentials.use_key("a key of the tests alone")
    rows.house()
    job = test_batch.make(replace(test_batch.ORDER, requires_activation=False), tmp_path)
    made = models.Account.select().where(models.Account.job == job).order_by(models.Account.control_number)
    assert [line["PIN"] for line in test_batch.lines(job, tmp_path)] == [account.login for account in made]
    assert {(account.activated, account.wallet.balance_micros) for account in made} == {(True, 5_000_000)}


def test_two_that_wait_for_each_other_both_succeed():
    """Each pays into two wallets in the other's order: PostgreSQL breaks one off, and it is done again unseen."""
    house = rows.house()
    wallets = [house.account.wallet_id, house.customer.wallet_id]
    both_hold_one = threading.Barrier(2)
    tries = []

    @db.transaction
    def pay(order: list[int]) -> None:
        tries.append(order)
        ledger.post(order[0], None, "payment", 1_000_000, f"first of {order}", "admin", "", NOON)
        if len(tries) <= 2:
            both_hold_one.wait(10)
        ledger.post(order[1], None, "payment", 1_000_000, f"second of {order}", "admin", "", NOON)

    assert at_once(pay, [(wallets,), (wallets[::-1],)]) == [None, None]
    assert len(tries) >= 3  # one of them was broken off and done again; on a busy host more than once
    assert [models.Wallet.get_by_id(each).balance_micros for each in wallets] == [7_000_000, 2_000_000]
