"""Which rate is in force: longest prefix, wildcard, effective from, forbidden, discontinued."""

from datetime import UTC, datetime, timedelta

import pytest

from webcb.billing.formula import Intervals
from webcb.billing.pricing import OffPeak, Pricing
from webcb.billing.tariff import Rate, Tariff, pricing, rate_in_force

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EARLIER, LATER = NOON - timedelta(days=1), NOON + timedelta(seconds=1)


def rate(prefix: str, price: int, effective_at: datetime = EARLIER, tariff_id: int = 1, **fields) -> Rate:
    return Rate(tariff_id, prefix, effective_at, Intervals(60, 60, price, price), **fields)


RATES = [
    rate("1", 10),
    rate("1206", 20),
    rate("1206555", 30, discontinued=True),
    rate("|", 40),
    rate("55", 50, NOON - timedelta(days=9)),
    rate("55", 51, NOON),
    rate("55", 52, LATER),
    rate("882", 60, forbidden=True),
    rate("8821", 61, discontinued=True),
    rate("44", 70, LATER),
    rate("4420", 1, tariff_id=2),
]


@pytest.mark.parametrize(
    ("digits", "price"),
    [
        ("16045551234", 10),
        ("12065554123", 20),  # 1206555 is discontinued: as if it were absent
        ("1206", 20),
        ("33142685300", 40),  # nothing more specific than the wildcard
        ("5511999887766", 51),  # the newest effective now, from the very moment on
        ("88212345678", 60),  # found, and forbidden; what is longer is discontinued
        ("442079460000", 40),  # 44 is not effective yet, 4420 is of another tariff
    ],
)
def test_longest_prefix_newest_first(digits, price):
    found = rate_in_force(RATES, 1, digits, NOON)
    assert found is not None and found.intervals.first_price_micros == price
    assert found.forbidden is (price == 60)


def test_without_a_wildcard_a_number_may_have_no_rate():
    assert rate_in_force(RATES[:2], 1, "5511999887766", NOON) is None
    assert rate_in_force(RATES, 3, "12065554123", NOON) is None


def test_a_rate_that_comes_back_counts_again():
    again = [*RATES, rate("1206555", 31, EARLIER + timedelta(hours=1))]
    assert rate_in_force(again, 1, "12065554123", NOON).intervals.first_price_micros == 31


def test_a_pricing_has_everything_of_tariff_and_rate():
    tariff = Tariff(1, "Callback", "EUR", "hr{18-23}", "finishes", 10, 20, 30, 4)
    cheap = Intervals(1, 1, 5, 5)
    made = pricing(tariff, rate("55", 100, off_peak=cheap, formula="*x1@next"), "WEBCALLBACK-A", "America/Sao_Paulo")
    assert made == Pricing(
        intervals=Intervals(60, 60, 100, 100),
        off_peak=OffPeak(cheap, "hr{18-23}", "America/Sao_Paulo", "finishes"),
        formula="*x1@next",
        free_seconds=10,
        connect_fee_micros=20,
        post_call_surcharge_ppm=30,
        decimals=4,
        currency="EUR",
        tariff_name="Callback",
        access_code="WEBCALLBACK-A",
        destination="55",
        tariff_id=1,
    )
    assert Pricing.from_json(made.as_json()) == made
    assert pricing(Tariff(1, "Callback", "EUR"), rate("55", 100, off_peak=cheap), "", "UTC").off_peak is None


def test_the_price_shown_is_that_of_the_last_interval():
    own, cheap = Intervals(60, 6, 300_000, 200_000), Intervals(1, 1, 100_000, 50_000)
    assert Pricing(own).price_per_minute_micros == 200_000
    assert Pricing(own, formula="1x60@9; *x6@1.50").price_per_minute_micros == 1_500_000
    split = Pricing(own, OffPeak(cheap, "hr{18-23}", "UTC"))
    assert split.price_per_minute_micros == 200_000
    assert split.answered(NOON).price_per_minute_micros == 200_000
    assert split.answered(NOON + timedelta(hours=7)).price_per_minute_micros == 50_000
