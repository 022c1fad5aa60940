"""The ledger on a real file and on a real PostgreSQL: locks, settlement once, adjustments, what is written stays."""

import json
import multiprocessing
import threading
from datetime import timedelta

import pytest
from peewee import DatabaseError

from tests.billing import rows
from tests.billing.rows import NOON
from webcb import db, models
from webcb.billing import ledger, query, reception, settlement
from webcb.billing.settlement import LegUsage

SECOND_US = 1_000_000
pytestmark = pytest.mark.usefixtures("either_database")


def used(leg: str, seconds: float, *, answered: bool = True, cause: int = 16) -> LegUsage:
    ended_at = NOON + timedelta(seconds=100 + seconds)
    return LegUsage(
        leg,
        NOON + timedelta(seconds=100) if answered else None,
        ended_at,
        int(seconds * SECOND_US),
        1200,
        cause,
        None,
    )


def begun(house: rows.House, key: str = "once") -> str:
    callback_id = rows.place(house, key)
    started = reception.begin(callback_id, NOON)
    assert isinstance(started, reception.Begun), started
    return callback_id


def wallet(house: rows.House) -> models.Wallet:
    return models.Wallet.get_by_id(house.account.wallet_id)


# Settlement ----------------------------------------------------------------------------------------------------------


def test_two_legs_that_talked():
    house = rows.house(first=60, following=6)  # 60/6 at 0.10, 5.00
    callback_id = begun(house)
    at = NOON + timedelta(seconds=200)
    cost = settlement.settle(callback_id, [used("A", 85.2), used("B", 60.001)], "B hung up", True, at)
    # A: 86 s -> 60 + 5 x 6 = 90 s = 0.15. B: 61 s -> 66 s = 0.11.
    assert cost == settlement.Settlement({"A": 150_000, "B": 110_000}, 260_000, "USD")
    assert (wallet(house).balance_micros, wallet(house).locked_micros) == (4_740_000, 0)

    a, b = models.Xdr.select().order_by(models.Xdr.leg)
    assert (a.cli, a.cld, b.cli, b.cld) == ("12065554123", "5511999887766", "5511999887766", "12065554123")
    assert (a.used_quantity, a.charged_quantity, a.charged_micros, a.currency) == (86, 90, 150_000, "USD")
    assert (b.used_quantity, b.charged_quantity, b.charged_micros, b.destination) == (61, 66, 110_000, "1")
    assert (a.access_code, a.tariff, a.setup_ms, a.disconnect_cause) == ("WEBCALLBACK", "Callback", 1200, 16)
    assert (a.connect_time, a.bill_time) == (NOON + timedelta(seconds=100), at)
    assert json.loads(a.explanation)["charged_seconds"] == 90

    charges = list(models.Ledger.select().where(models.Ledger.kind == "charge").order_by(models.Ledger.id))
    assert [(row.amount_micros, row.balance_after_micros) for row in charges] == [
        (-150_000, 4_850_000),
        (-110_000, 4_740_000),
    ]
    assert [row.event_key for row in charges] == [f"charge:{callback_id}:A", f"charge:{callback_id}:B"]

    callback = models.Callback.get_by_id(callback_id)
    assert (callback.state, callback.ending, callback.ended_at) == ("ended", "B hung up", at)
    assert {leg.state for leg in callback.legs} == {"ended"}
    lock = models.Lock.get()
    assert (lock.state, lock.closed_at) == ("settled", at)
    account = models.Account.get()
    assert (account.first_used_at, account.last_used_at) == (at, at)


def test_a_second_settlement_changes_nothing_and_says_the_same():
    house = rows.house()
    callback_id = begun(house)
    first = settlement.settle(callback_id, [used("A", 10), used("B", 5)], "A hung up", True, NOON)
    again = settlement.settle(callback_id, [used("A", 3000), used("B", 3000)], "B hung up", True, NOON)
    assert again == first
    assert (models.Xdr.select().count(), wallet(house).balance_micros) == (2, 4_800_000)
    assert models.Callback.get().ending == "A hung up"


def test_a_leg_that_was_not_answered_has_an_xdr_and_costs_nothing():
    house = rows.house()
    callback_id = begun(house)
    settlement.settle(callback_id, [used("A", 45, answered=False, cause=19)], "A did not answer", False, NOON)
    xdr = models.Xdr.get()
    assert (xdr.leg, xdr.connect_time, xdr.used_quantity, xdr.charged_micros) == ("A", None, 0, 0)
    assert models.Ledger.select().where(models.Ledger.kind == "charge").count() == 0
    assert (models.Lock.get().state, wallet(house).locked_micros) == ("released", 0)
    assert models.Account.get().first_used_at is None


def test_what_was_never_placed_has_no_xdr():
    house = rows.house()
    callback_id = begun(house)
    cost = settlement.settle(callback_id, [], "user released", False, NOON)
    assert cost == settlement.Settlement({}, 0, "USD")
    assert (models.Xdr.select().count(), wallet(house).locked_micros) == (0, 0)


def test_a_callback_that_never_began_is_ended_all_the_same():
    house = rows.house()
    callback_id = rows.place(house)
    settlement.settle(callback_id, [], "refused: no funds", False, NOON)
    assert models.Callback.get().state == "ended"


@pytest.mark.parametrize(("b_answered", "cost_of_a"), [(True, 100_000), (False, 30_000)])
def test_leg_a_is_charged_by_callback_fail_where_b_was_not_answered(b_answered, cost_of_a):
    house = rows.house()
    fails = rows.tariff("Failed")
    rows.rate(fails, "|", 30, 30, "0.06")  # 30 s cost 0.03
    rows.usage_charge(house.product, "CALLBACK_FAIL", fails)
    models.VoiceApplication.update(special_charge_if_leg_b_fails=True).execute()
    callback_id = begun(house)
    usage_b = used("B", 5 if b_answered else 0, answered=b_answered, cause=16 if b_answered else 17)
    cost = settlement.settle(callback_id, [used("A", 20), usage_b], "B busy", b_answered, NOON)
    assert cost.charged_micros["A"] == cost_of_a
    assert models.Xdr.get(models.Xdr.leg == "A").access_code == ("WEBCALLBACK" if b_answered else "CALLBACK_FAIL")


def test_off_peak_is_decided_by_the_moment_of_the_answer():
    period = models.OffPeakPeriod.create(name="nights", definition="hr{9am-9am}")
    house = rows.house()
    models.Tariff.update(off_peak_period=period).where(models.Tariff.id == house.tariff.id).execute()
    models.Customer.update(billing_time_zone="America/Sao_Paulo").execute()  # noon UTC is 9 am there
    off_peak = {
        "mode": "off-peak",
        "off_peak_first_interval_seconds": 1,
        "off_peak_next_interval_seconds": 1,
        "off_peak_first_price_micros": 60_000,
        "off_peak_next_price_micros": 60_000,
    }
    models.Rate.update(**off_peak).where(models.Rate.tariff == house.tariff).execute()
    callback_id = begun(house)
    cost = settlement.settle(callback_id, [used("A", 10), used("B", 5)], "A hung up", True, NOON)
    assert cost.charged_micros == {"A": 10_000, "B": 5_000}  # 0.001 a second


def test_an_unknown_callback_is_an_error():
    with pytest.raises(LookupError, match="no callback 0123"):
        settlement.settle("0123", [], "A hung up", False, NOON)


def test_begin_and_settle_are_savepoints_of_an_outer_transaction():
    """The engine's journal commits many at once; one that fails takes nothing of the others with it."""
    house = rows.house()
    callback_id = rows.place(house)
    with db.writing():
        reception.begin(callback_id, NOON)
        with pytest.raises(LookupError):
            reception.begin("unknown", NOON)
        with pytest.raises(ValueError, match="begun before"):
            reception.begin(callback_id, NOON)
        settlement.settle(callback_id, [used("A", 10)], "A hung up", False, NOON)
    assert wallet(house).balance_micros == 4_900_000
    assert wallet(house).locked_micros == 0


def test_a_failure_half_way_leaves_nothing(monkeypatch):
    house = rows.house()
    callback_id = begun(house)

    def break_down(*_):
        raise RuntimeError("power cut")

    monkeypatch.setattr(settlement, "_end_rows", break_down)
    with pytest.raises(RuntimeError):
        settlement.settle(callback_id, [used("A", 10)], "A hung up", False, NOON)
    assert (models.Xdr.select().count(), wallet(house).balance_micros) == (0, 5_000_000)
    assert wallet(house).locked_micros == 200_000


# Locks ---------------------------------------------------------------------------------------------------------------


def test_a_lock_needs_the_funds():
    house = rows.house()
    callback_id = rows.place(house)
    assert not ledger.lock_funds(callback_id, house.account.wallet_id, 5_000_001, NOON)
    assert ledger.lock_funds(callback_id, house.account.wallet_id, 5_000_000, NOON)
    assert models.Lock.select().count() == 1


def test_subordinate_accounts_share_the_customers_funds():
    house = rows.house()
    shared = house.customer.wallet
    models.Wallet.update(credit_limit_micros=300_000).where(models.Wallet.id == shared.id).execute()
    for login in ("cb2001", "cb2002"):
        rows.account(house.customer, house.product, login, wallet=shared, type="credit", balance_control="subordinate")
    callback_id = rows.place(house, login="cb2001")
    assert reception.begin(callback_id, NOON).locked_micros == 200_000
    assert reception.place(rows.order(house, login="cb2002"), NOON).reason == "no funds"
    settlement.settle(callback_id, [used("A", 60), used("B", 60)], "A hung up", True, NOON)
    assert models.Wallet.get_by_id(shared.id).balance_micros == -200_000  # owed


# Adjustments ---------------------------------------------------------------------------------------------------------


def post(house, kind="payment", micros=1_000_000, key="p1"):
    return ledger.post(house.account.wallet_id, house.account.id, kind, micros, key, "admin", "cash", NOON)


def test_an_adjustment_is_posted_once():
    house = rows.house()
    assert post(house) and not post(house)
    assert wallet(house).balance_micros == 6_000_000
    row = models.Ledger.get(models.Ledger.event_key == "p1")
    assert (row.kind, row.made_by, row.note, row.balance_after_micros) == ("payment", "admin", "cash", 6_000_000)
    with pytest.raises(ValueError, match="another amount"):
        post(house, micros=2_000_000)


def test_a_recharge_lengthens_the_life_of_an_account_and_a_charge_does_not():
    house = rows.house()
    post(house, "manual charge", -1, "c1")
    assert models.Account.get().last_used_at is None
    post(house)
    assert models.Account.get().last_used_at == NOON


@pytest.mark.parametrize(("kind", "micros"), [("payment", -1), ("refund", -1), ("manual charge", 1)])
def test_an_adjustment_has_the_sign_of_its_kind(kind, micros):
    house = rows.house()
    with pytest.raises(ValueError, match="wrong sign"):
        post(house, kind, micros)


def test_nothing_is_posted_for_nothing_or_nobody():
    house = rows.house()
    assert not post(house, micros=0)
    with pytest.raises(LookupError, match="no wallet 4711"):
        ledger.post(4711, None, "payment", 1, "x", "admin", "", NOON)


# What is written stays written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["xdr", "ledger"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET id = id + 100", "DELETE FROM {}"])
def test_bills_are_never_changed(table, sql):
    house = rows.house()
    settlement.settle(begun(house), [used("A", 10)], "A hung up", False, NOON)
    with pytest.raises(DatabaseError, match="is never"):
        query.change(sql.format(table))


# Concurrency ---------------------------------------------------------------------------------------------------------

WORKERS, ROUNDS = 4, 8


def call_and_settle(url: str, worker: int, house: rows.House) -> None:
    """One engine's day: place, begin, settle, over its own connection."""
    for turn in range(ROUNDS):
        callback_id = rows.place(house, f"{worker}-{turn}")
        if isinstance(reception.begin(callback_id, NOON), reception.Refusal):
            settlement.settle(callback_id, [], "refused: no funds", False, NOON)
        else:
            settlement.settle(callback_id, [used("A", 60), used("B", 60)], "A hung up", True, NOON)


def one_process(url: str, worker: int, house: rows.House) -> None:
    db.connect(url).connect()
    call_and_settle(url, worker, house)


def one_thread(url: str, worker: int, house: rows.House) -> None:
    with db.database.connection_context():
        call_and_settle(url, worker, house)


def roomy_house() -> rows.House:
    house = rows.house(balance="1000.00")
    rows.no_limits(concurrent_per_account=1000, talk_seconds_max=60, ring_seconds_b=60)
    return house


def test_threads_that_settle_at_once_lose_nothing(either_database):
    house = roomy_house()
    threads = [threading.Thread(target=one_thread, args=(either_database, n, house)) for n in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_every_minute_was_charged_once(house)


def test_processes_that_settle_at_once_lose_nothing(either_database):
    house = roomy_house()
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=one_process, args=(either_database, n, house)) for n in range(WORKERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * WORKERS
    assert_every_minute_was_charged_once(house)


def assert_every_minute_was_charged_once(house: rows.House) -> None:
    talks = WORKERS * ROUNDS
    assert models.Xdr.select().count() == 2 * talks
    assert wallet(house).balance_micros == 1000 * SECOND_US - talks * 200_000
    assert wallet(house).locked_micros == 0


def test_one_callback_settled_by_many_at_once_is_charged_once(either_database):
    house = rows.house()
    callback_id = begun(house)

    def settle() -> None:
        with db.database.connection_context():
            settlement.settle(callback_id, [used("A", 60), used("B", 60)], "A hung up", True, NOON)

    threads = [threading.Thread(target=settle) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wallet(house).balance_micros == 4_800_000
    assert models.Xdr.select().count() == 2


def test_funds_that_pay_for_two_are_locked_by_two(either_database):
    """Many begins at once on one wallet: the funds of those that were let through never exceed the balance."""
    house = rows.house(balance="0.50")
    rows.no_limits(concurrent_per_account=1000, talk_seconds_max=60, ring_seconds_b=60)
    ids = [rows.place(house, str(n)) for n in range(6)]
    verdicts = []

    def begin(callback_id: str) -> None:
        with db.database.connection_context():
            verdicts.append(reception.begin(callback_id, NOON))

    threads = [threading.Thread(target=begin, args=(each,)) for each in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    through = [verdict for verdict in verdicts if isinstance(verdict, reception.Begun)]
    # The first minute of both costs 0.20: two have it, a third cannot pay it from the 0.10 that is left.
    assert [verdict.locked_micros for verdict in through] == [200_000, 200_000]
    assert {verdict.reason for verdict in verdicts if isinstance(verdict, reception.Refusal)} == {"no funds"}
