"""Concurrent calls, top-ups, refunds and blocks in any order: nobody is overdrawn, locks are closed once, the books agree."""

import tempfile
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests import databases
from tests.billing import conftest, rows
from tests.billing.rows import NOON
from webcb import db, models
from webcb.billing import books, ledger, reception, settlement
from webcb.billing.pricing import Pricing
from webcb.billing.settlement import LegUsage, RefundProblem
from webcb.billing.slices import Talking

# Two accounts of their own, and two that share their customer's 0.80 of credit; prices by the second and by the minute.
AMOUNTS = st.integers(1, 1_500_000)


class Day(RuleBasedStateMachine):
    """What callbacks, operators and customers do to wallets; a model of every balance beside."""

    calls: Bundle[Any] = Bundle("calls")
    bills: Bundle[Any] = Bundle("bills")
    url = ""  # a PostgreSQL; else a file is made for every day

    @initialize(
        protection=st.sampled_from(["slices", "slices", "whole balance", "none"]),
        interval=st.sampled_from([1, 60]),
        cap=st.none() | st.integers(200_000, 2_000_000),
    )
    def opens(self, protection: str, interval: int, cap: int | None) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.database = conftest.opened(self.url or f"sqlite:///{self.folder.name}/webcb.sqlite")
        next(self.database)
        databases.forgo_durability()
        self.house = rows.house(balance="3.00", first=interval, following=interval)
        shared = self.house.customer.wallet
        models.Wallet.update(credit_limit_micros=800_000).where(models.Wallet.id == shared.id).execute()
        for login in ("cb2001", "cb2002"):
            rows.account(
                self.house.customer,
                self.house.product,
                login,
                wallet=shared,
                type="credit",
                balance_control="subordinate",
            )
        rows.no_limits(concurrent_per_account=100)
        models.UsageCharge.update(overdraft_protection=protection, slice_seconds=30).execute()
        models.Account.update(daily_spend_max_micros=cap).execute()
        self.protection, self.cap = protection, cap
        self.number = 0
        self.held: dict[str, int] = {}
        self.wallets = {self.house.account.wallet_id: 3_000_000, shared.id: 0}
        self.taken = dict.fromkeys(self.wallets, 0)  # by hand: an operator may leave an account owing

    def key(self) -> str:
        self.number += 1
        return str(self.number)

    def wallet_of(self, callback_id: str) -> int:
        return int(models.Callback.get_by_id(callback_id).account.wallet_id)

    @rule(target=calls, login=st.sampled_from(["cb1001", "cb2001", "cb2002"]))
    def a_call_begins(self, login: str) -> str | None:
        return self.calls_begin(login)

    @rule(target=calls, login=st.sampled_from(["cb1001", "cb2001"]))
    def another_call_begins(self, login: str) -> str | None:
        return self.calls_begin(login)

    def calls_begin(self, login: str) -> str | None:
        placed = reception.place(rows.order(self.house, self.key(), login=login), NOON)
        if not isinstance(placed, reception.Placed):
            return None
        begun = reception.begin(placed.callback_id, NOON)
        if isinstance(begun, reception.Refusal):
            settlement.settle(placed.callback_id, (), "refused", False, NOON)
            return None
        self.held[placed.callback_id] = begun.funds_micros
        return placed.callback_id

    @rule(callback_id=calls, seconds=st.integers(1, 2000))
    def a_call_asks_for_more(self, callback_id: str | None, seconds: int) -> None:
        if callback_id is None:
            return
        legs = [
            Pricing.from_json(leg.pricing)
            for leg in models.Callback.get_by_id(callback_id).legs.order_by(models.Leg.name)
        ]
        beyond = self.protection == "none" and self.cap is not None
        if self.protection == "whole balance" or (self.protection == "none" and not beyond):
            return
        held, _ = ledger.hold(callback_id, Talking(legs[0], legs[1], 0, seconds), NOON, beyond_balance=beyond)
        if callback_id in self.held:
            assert held >= self.held[callback_id]
            self.held[callback_id] = held
        else:
            assert held == 0, "what has been settled holds nothing again"

    @rule(target=bills, callback_id=consumes(calls), used=st.integers(0, 2000))
    def a_call_ends(self, callback_id: str | None, used: int) -> str | None:
        """It is used no longer than its funds allow: the engine sees to that."""
        if callback_id is None:
            return None
        funds = self.held.pop(callback_id)
        legs = [
            Pricing.from_json(leg.pricing)
            for leg in models.Callback.get_by_id(callback_id).legs.order_by(models.Leg.name)
        ]
        need = Talking(legs[0], legs[1], 0, used)
        while used and need.funds(used) > funds:
            used -= 1
        wallet_id = self.wallet_of(callback_id)
        usages = [
            LegUsage(leg, NOON, NOON + timedelta(seconds=used), used * 1_000_000, 100, 16, None) for leg in ("A", "B")
        ]
        settled = settlement.settle(callback_id, usages, "A hung up", True, NOON)
        assert settlement.settle(callback_id, (), "again", True, NOON) == settled
        assert settled.total_micros <= funds
        self.wallets[wallet_id] -= settled.total_micros
        return callback_id

    @rule(micros=AMOUNTS, shared=st.booleans(), twice=st.booleans())
    def somebody_pays(self, micros: int, shared: bool, twice: bool) -> None:
        wallet_id, key = sorted(self.wallets)[shared], self.key()
        for _ in range(1 + twice):
            ledger.post(wallet_id, None, "payment", micros, key, "test", "", NOON)
        self.wallets[wallet_id] += micros

    @rule(micros=st.integers(1, 200_000), shared=st.booleans())
    def an_operator_charges(self, micros: int, shared: bool) -> None:
        wallet_id = sorted(self.wallets)[shared]
        ledger.post(wallet_id, None, "manual charge", -micros, self.key(), "test", "", NOON)
        self.wallets[wallet_id] -= micros
        self.taken[wallet_id] += micros

    @rule(callback_id=bills, leg=st.sampled_from(["A", "B"]), micros=st.none() | AMOUNTS)
    def a_leg_is_given_back(self, callback_id: str | None, leg: Any, micros: int | None) -> None:
        if callback_id is None:
            return
        try:
            given = settlement.refund(callback_id, leg, micros, self.key(), "test", "", NOON)
        except RefundProblem:
            return
        self.wallets[self.wallet_of(callback_id)] += given.refunded_micros

    @rule()
    def a_blocked_account_begins_nothing(self) -> None:
        models.Account.update(blocked=True).execute()
        assert self.calls_begin("cb2001") is None
        models.Account.update(blocked=False).execute()

    @invariant()
    def every_balance_is_as_it_must_be(self) -> None:
        for row in models.Wallet.select().where(models.Wallet.id.in_(list(self.wallets))):
            assert row.balance_micros == self.wallets[row.id]
            if self.protection != "none":
                assert row.balance_micros - row.locked_micros + row.credit_limit_micros >= -self.taken[row.id]

    @invariant()
    def a_day_costs_no_more_than_it_may(self) -> None:
        if self.cap is not None:
            for account in models.Account.select():
                left = ledger.spend_left_micros(account.id, NOON)
                assert left is not None and left >= 0

    def teardown(self) -> None:
        if not hasattr(self, "held"):
            return
        for callback_id in list(self.held):
            self.a_call_ends(callback_id, 60)
        assert {row.locked_micros for row in models.Wallet.select()} == {0}
        assert models.Lock.select().where(models.Lock.state == "held").count() == 0
        assert books.differences() == []
        self.database.close()
        db.database.close()
        self.folder.cleanup()


BOUNDS = settings(max_examples=40, stateful_step_count=40, suppress_health_check=list(HealthCheck))


def test_any_day_on_sqlite() -> None:
    run_state_machine_as_test(Day, settings=BOUNDS)


def test_any_day_on_postgresql(migrated_postgresql: str) -> None:
    class DayOnPostgresql(Day):
        url = migrated_postgresql

    run_state_machine_as_test(DayOnPostgresql, settings=settings(BOUNDS, max_examples=12))


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))  # each by its own draw, and short enough to be run alone
@pytest.mark.parametrize("on", ["sqlite", "postgresql"])
def test_many_days(migrated_postgresql: str, on: str, part: int) -> None:
    """Two thousand days of a hundred steps on either database."""

    class ManyDays(Day):
        url = migrated_postgresql if on == "postgresql" else ""

    run_state_machine_as_test(ManyDays, settings=settings(BOUNDS, max_examples=500, stateful_step_count=100))
