"""Overdraft protection on both databases: what a callback locks before it begins and on its way, and what a day may cost."""

from datetime import timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import begun, used, wallet
from webcb import models
from webcb.billing import ledger, reception, settlement, slices
from webcb.billing.authorization import Reason, Refusal
from webcb.billing.pricing import Pricing
from webcb.billing.slices import Talking, Waiting

pytestmark = pytest.mark.usefixtures("either_database")

# Every rate is 60/60 at 0.10: a minute of both legs costs 0.20.


def protect(kind: str, slice_seconds: int = 60) -> None:
    models.UsageCharge.update(overdraft_protection=kind, slice_seconds=slice_seconds).execute()


def pricings(callback_id: str) -> dict[str, Pricing]:
    legs = models.Leg.select().where(models.Leg.callback == callback_id)
    return {leg.name: Pricing.from_json(leg.pricing) for leg in legs}


def talking(callback_id: str, seconds: int) -> Talking:
    legs = pricings(callback_id)
    return Talking(legs["A"], legs["B"], 0, seconds)


def begin(house: rows.House, key: str) -> reception.Begun | Refusal:
    return reception.begin(rows.place(house, key), NOON)


# Slices --------------------------------------------------------------------------------------------------------------


def test_a_slice_is_locked_and_the_rest_is_for_others():
    house = rows.house()
    rows.no_limits(concurrent_per_account=10)
    first = begin(house, "1")
    assert (first.locked_micros, first.funds_micros, first.slice_seconds, first.beyond_balance) == (
        200_000, 200_000, 60, False,
    )  # fmt: skip
    assert begin(house, "2").locked_micros == 200_000
    assert wallet(house).locked_micros == 400_000


def test_a_long_slice_is_shrunk_to_what_is_left():
    house = rows.house(balance="0.50")
    protect("slices", 600)  # 2.00
    assert begin(house, "1").locked_micros == 400_000  # two minutes; the 0.10 that are left buy nothing


def test_no_slice_is_longer_than_the_longest_talk():
    house = rows.house()
    protect("slices", 600)
    models.VoiceApplication.update(talk_seconds_max=120).execute()
    assert begin(house, "1").locked_micros == 400_000


def test_free_seconds_do_not_save_a_callback_from_needing_its_first_interval():
    house = rows.house()
    models.Tariff.update(free_seconds=300).execute()
    assert begin(house, "1").locked_micros == 200_000


def test_a_callback_holds_more_as_it_goes_on_and_gives_it_all_back():
    house = rows.house()
    callback_id = begun(house)
    assert ledger.hold(callback_id, talking(callback_id, 61), NOON).amount_micros == 400_000
    assert ledger.hold(callback_id, talking(callback_id, 61), NOON).amount_micros == 400_000  # asked twice, held once
    assert ledger.hold(callback_id, talking(callback_id, 30), NOON).amount_micros == 400_000  # never less
    assert (wallet(house).locked_micros, models.Lock.get().amount_micros) == (400_000, 400_000)
    settlement.settle(callback_id, [used("A", 61), used("B", 50)], "A hung up", True, NOON)
    assert (wallet(house).locked_micros, wallet(house).balance_micros) == (0, 4_700_000)
    assert ledger.hold(callback_id, talking(callback_id, 600), NOON).amount_micros == 0  # it has ended
    assert wallet(house).locked_micros == 0


def test_a_callback_holds_what_of_the_rest_still_buys_a_second():
    house = rows.house(balance="0.70")
    callback_id = begun(house)
    assert ledger.hold(callback_id, talking(callback_id, 600), NOON).amount_micros == 600_000
    ledger.post(house.account.wallet_id, None, "payment", 100_000, "p", "admin", "", NOON)
    assert ledger.hold(callback_id, talking(callback_id, 600), NOON).amount_micros == 800_000


def test_a_callback_waits_for_b_on_what_a_costs():
    house = rows.house()
    callback_id = begun(house)
    legs = pricings(callback_id)
    # A has run for 70 s and may run a minute more: 3 minutes of A, 1 of B.
    need = Waiting((legs["A"],), legs["B"], 70_000_000, 60)
    assert ledger.hold(callback_id, need, NOON).amount_micros == 400_000


def test_a_wallet_that_owes_too_much_gives_no_slice():
    house = rows.house()
    callback_id = begun(house)
    ledger.post(house.account.wallet_id, None, "manual charge", -5_000_000, "m", "admin", "", NOON)
    assert ledger.hold(callback_id, talking(callback_id, 61), NOON).amount_micros == 200_000


def test_the_stricter_protection_of_the_two_legs_holds():
    house = rows.house()
    for leg, kind, seconds in (("A", "none", 300), ("B", "slices", 120)):
        rows.usage_charge(house.product, f"WEBCALLBACK-{leg}", house.tariff)
        of_leg = models.UsageCharge.access_code == f"WEBCALLBACK-{leg}"
        models.UsageCharge.update(overdraft_protection=kind, slice_seconds=seconds).where(of_leg).execute()
    first = begin(house, "1")
    assert (first.locked_micros, first.slice_seconds) == (400_000, 120)


# Whole balance, none ---------------------------------------------------------------------------------------------------


def test_whole_balance_is_one_at_a_time():
    house = rows.house()
    protect("whole balance")
    first = begin(house, "1")
    assert (first.locked_micros, first.funds_micros, first.slice_seconds) == (5_000_000, 5_000_000, None)
    refused = reception.place(rows.order(house, "2"), NOON)
    assert refused == Refusal(Reason.NO_FUNDS, needed_micros=200_000, currency="USD")


def test_without_protection_funds_are_looked_at_when_a_callback_begins():
    house = rows.house(balance="0.20")
    protect("none")
    callback_id = rows.place(house)
    first = reception.begin(callback_id, NOON)
    assert (first.locked_micros, first.funds_micros, first.slice_seconds) == (0, slices.UNLIMITED_MICROS, None)
    assert begin(house, "2").locked_micros == 0
    settlement.settle(callback_id, [used("A", 600), used("B", 600)], "A hung up", True, NOON)
    assert wallet(house).balance_micros == -1_800_000
    assert reception.place(rows.order(house, "3"), NOON).reason is Reason.NO_FUNDS


# A day's spending ------------------------------------------------------------------------------------------------------


def test_what_is_charged_and_what_is_locked_count_for_the_day():
    house = rows.house()
    models.Account.update(daily_spend_max_micros=500_000).execute()
    first = begun(house, "1")  # 0.20 locked
    assert ledger.spend_left_micros(house.account.id, NOON) == 300_000
    assert ledger.hold(first, talking(first, 600), NOON).amount_micros == 400_000
    refused = reception.place(rows.order(house, "2"), NOON)
    assert refused == Refusal(Reason.DAILY_SPEND, needed_micros=200_000, currency="USD")
    settlement.settle(first, [used("A", 60), used("B", 60)], "A hung up", True, NOON)
    assert ledger.spend_left_micros(house.account.id, NOON) == 300_000
    assert begin(house, "3").locked_micros == 200_000


def test_a_day_is_one_of_the_accounts_zone():
    house = rows.house()
    models.Account.update(daily_spend_max_micros=500_000, time_zone="Asia/Tokyo").execute()  # 9 hours ahead
    at = NOON + timedelta(hours=2, minutes=59)
    settlement.settle(begun(house), [used("A", 60), used("B", 60)], "A hung up", True, at)
    assert ledger.spend_left_micros(house.account.id, at) == 300_000
    assert ledger.spend_left_micros(house.account.id, at + timedelta(minutes=1)) == 500_000


def test_a_days_spending_is_limited_even_where_the_balance_is_not():
    house = rows.house(balance="0.20")
    protect("none")
    models.Account.update(daily_spend_max_micros=700_000).execute()
    callback_id = rows.place(house)
    first = reception.begin(callback_id, NOON)
    assert (first.locked_micros, first.slice_seconds, first.beyond_balance) == (200_000, 60, True)
    assert ledger.hold(callback_id, talking(callback_id, 600), NOON, beyond_balance=True).amount_micros == 600_000
    settlement.settle(callback_id, [used("A", 180), used("B", 180)], "time is out", True, NOON)
    assert wallet(house).balance_micros == -400_000
