"""Terms are made once for the same rates, and never outlive what they rest on: whatever is changed holds for the next look."""

from datetime import timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from webcb import models
from webcb.billing import catalog, reception
from webcb.billing.authorization import Authorization, Reason, Refusal
from webcb.number import Kind, Number

pytestmark = pytest.mark.usefixtures("either_database")
DAY = timedelta(days=1)
OTHER_B = Number("12065550000", "US", Kind.ORDINARY)


def quoted(house: rows.House, at=NOON, **fields) -> Authorization:
    verdict = reception.quote(rows.order(house, **fields), at)
    assert isinstance(verdict, Authorization), verdict
    return verdict


def price_b(house: rows.House, at=NOON, **fields) -> int:
    return quoted(house, at, **fields).pricing_b.price_per_minute_micros


def kept() -> int:
    return len(catalog.book().terms)


def test_numbers_of_one_destination_have_the_same_terms(either_database: str) -> None:
    house = rows.house()
    first = quoted(house)
    assert kept() == 1
    assert quoted(house, number_b=OTHER_B).terms == first.terms
    assert kept() == 1
    swapped = quoted(house, number_a=rows.NUMBER_B, number_b=rows.NUMBER_A)
    assert (swapped.pricing_a.destination, swapped.pricing_b.destination) == ("1", "55")
    assert kept() == 2


def test_a_longer_prefix_holds_at_once_also_one_of_a_length_that_there_was_not() -> None:
    house = rows.house()
    assert price_b(house) == 100_000
    for length, price, expected in ((4, "0.14", 140_000), (11, "0.21", 210_000), (7, "0.17", 210_000)):
        rows.rate(house.tariff, rows.NUMBER_B.digits[:length], price=price)
        assert price_b(house) == expected
    models.Destination.update(prefix="999").where(models.Destination.prefix == rows.NUMBER_B.digits).execute()
    assert price_b(house) == 170_000
    models.Destination.update(prefix=rows.NUMBER_B.digits[:9]).where(models.Destination.prefix == "999").execute()
    assert price_b(house) == 210_000


def test_a_rate_changed_in_place_and_one_taken_away() -> None:
    house = rows.house()
    dear = rows.rate(house.tariff, "1206", price="0.30")
    assert price_b(house) == 300_000
    models.Rate.update(next_price_micros=310_000).where(models.Rate.id == dear.id).execute()
    assert price_b(house) == 310_000
    models.Rate.update(discontinued=True).where(models.Rate.id == dear.id).execute()
    assert price_b(house) == 100_000
    models.Rate.update(discontinued=False, forbidden=True).where(models.Rate.id == dear.id).execute()
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.FORBIDDEN, "B")
    models.Rate.delete().where(models.Rate.id == dear.id).execute()
    assert price_b(house) == 100_000


def test_a_rate_to_come_holds_from_its_moment_on_with_nothing_written() -> None:
    house = rows.house()
    rows.rate(house.tariff, "1", price="0.15", effective_at=NOON + DAY)
    assert price_b(house) == 100_000
    assert price_b(house, NOON + DAY - timedelta(microseconds=1)) == 100_000
    assert price_b(house, NOON + DAY) == 150_000
    assert price_b(house) == 100_000


def test_routes_go_by_the_exchange_rates_of_the_day() -> None:
    house = rows.house()
    euro = rows.tariff("Euro", applied_to="vendor", currency="EUR")
    for prefix in ("55", "1"):
        rows.rate(euro, prefix, 1, 1, "0.01")
    rows.connection("euro", models.Vendor.create(name="Euro", currency="EUR"), euro)
    for currency, day, per_base in (
        ("USD", "2026-01-01", 1_000_000),
        ("EUR", "2026-01-01", 800_000),
        ("EUR", "2026-03-03", 1_250_000),
    ):
        models.ExchangeRate.create(currency=currency, day=day, per_base_micros=per_base)
    assert [each.connection.name for each in quoted(house).routes_b] == ["carrier", "euro"]  # 0.0125 USD a minute
    assert [each.connection.name for each in quoted(house, NOON + DAY).routes_b] == ["euro", "carrier"]  # 0.008 USD


def test_with_off_peak_prices_every_moment_is_looked_at() -> None:
    house = rows.house()
    period = models.OffPeakPeriod.create(name="evening", definition="hr{18-23}")
    models.Tariff.update(off_peak_period=period).where(models.Tariff.id == house.tariff.id).execute()
    cheap = {f"off_peak_{which}_interval_seconds": 60 for which in ("first", "next")}
    cheap |= {f"off_peak_{which}_price_micros": 20_000 for which in ("first", "next")}
    rows.rate(house.tariff, "1206", mode="off-peak", price="0.40", **cheap)
    assert price_b(house) == 400_000
    assert price_b(house, NOON + timedelta(hours=7)) == 20_000
    assert price_b(house) == 400_000
    assert kept() == 0


def test_what_the_operator_changes_holds_at_once() -> None:
    house = rows.house()
    assert quoted(house).pricing_a_if_b_fails is None
    cheap = rows.tariff("Failed")
    rows.rate(cheap, "55", price="0.01")
    rows.usage_charge(house.product, "CALLBACK_FAIL", cheap)
    models.VoiceApplication.update(special_charge_if_leg_b_fails=True).execute()
    fails = quoted(house).pricing_a_if_b_fails
    assert fails is not None and fails.price_per_minute_micros == 10_000
    models.Customer.update(billing_time_zone="America/Sao_Paulo").execute()
    assert quoted(house).available_micros == 5_000_000
    models.Connection.update(active=False).execute()
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.NO_ROUTE, "A")
    models.Connection.update(active=True).execute()
    models.Tariff.update(blocked=True).where(models.Tariff.id == house.tariff.id).execute()
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.TARIFF_BLOCKED, "A")


def test_funds_and_account_are_looked_at_every_time() -> None:
    house = rows.house(balance="0.25")
    assert quoted(house).longest_seconds == 60
    models.Account.update(blocked=True).execute()
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.ACCOUNT_BLOCKED)
    models.Account.update(blocked=False, daily_spend_max_micros=150_000).execute()
    refused = reception.quote(rows.order(house), NOON)
    assert refused == Refusal(Reason.DAILY_SPEND, needed_micros=200_000, currency="USD")
