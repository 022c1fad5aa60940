"""What a leg costs: worked cases, their arithmetic beside them."""

import pytest

from webcb.billing.formula import Intervals
from webcb.billing.pricing import OffPeak, Pricing
from webcb.billing.rating import amount, charge


def flat(first: int, following: int, first_price: int, next_price: int | None = None, **fields) -> Pricing:
    return Pricing(
        Intervals(first, following, first_price, first_price if next_price is None else next_price), **fields
    )


SIXTY_SIX = flat(60, 6, 100_000)  # 0.10 a minute


@pytest.mark.parametrize(
    ("pricing", "used_seconds", "charged_seconds", "amount_micros"),
    [
        (SIXTY_SIX, 0, 0, 0),
        (SIXTY_SIX, 1, 60, 100_000),  # the first interval whole
        (SIXTY_SIX, 60, 60, 100_000),
        (SIXTY_SIX, 61, 66, 110_000),  # the handbook's: 60 + 6 s at 0.10 = 0.11
        (SIXTY_SIX, 66, 66, 110_000),
        (SIXTY_SIX, 67, 72, 120_000),
        (flat(60, 60, 100_000), 3000, 3000, 5_000_000),  # 50 minutes at 0.10
        (flat(30, 6, 500_000, 200_000), 40, 42, 290_000),  # 30 s at 0.50 = 0.25, 12 s at 0.20 = 0.04
        (flat(1, 1, 100_000), 1, 1, 1_670),  # 0.10 / 60 = 0.0016666.. -> away from zero at 5 decimals
        (flat(1, 1, 100_000, decimals=2), 1, 1, 10_000),
        (flat(1, 1, 100_000, decimals=0), 1, 1, 1_000_000),
        (flat(1, 1, 100_000, decimals=6), 7, 7, 11_667),  # 0.7 / 60 = 0.01166666..
        (flat(1, 1, 100_000, decimals=2), 6, 6, 10_000),  # exactly 0.01: nothing to round
        (flat(60, 60, 100_000, connect_fee_micros=50_000), 61, 120, 250_000),  # 0.05 + 2 x 0.10
        (flat(60, 60, 100_000, connect_fee_micros=50_000), 0, 0, 0),
        (flat(60, 60, 100_000, free_seconds=30, connect_fee_micros=50_000), 30, 0, 0),
        (
            flat(60, 60, 100_000, free_seconds=30, connect_fee_micros=50_000),
            31,
            60,
            150_000,
        ),  # 1 s beyond the free ones
        (flat(60, 60, 100_000, post_call_surcharge_ppm=25_000), 60, 60, 102_500),  # 2.5 % on 0.10
        # 0.05 + 66 s at 0.10 = 0.16, 10 % on it = 0.176
        (flat(60, 6, 100_000, connect_fee_micros=50_000, post_call_surcharge_ppm=100_000), 61, 66, 176_000),
        # The sum is exact until the end: 7 x 0.10/60 = 0.0116666, 1 % on it 0.01178333 -> 0.01179
        (flat(1, 1, 100_000, post_call_surcharge_ppm=10_000), 7, 7, 11_790),
        # The domain's formula: 1x1 at 1.80 = 0.03, 2x60 at 1.80 = 3.60, fee 0.50, then 6 s at 0.60 = 0.06 each.
        (flat(60, 6, 0, 600_000, formula="1x1@1.80; 2x60@1.80; fee 0.50; *x6@next"), 1, 1, 30_000),
        (flat(60, 6, 0, 600_000, formula="1x1@1.80; 2x60@1.80; fee 0.50; *x6@next"), 2, 61, 1_830_000),
        (flat(60, 6, 0, 600_000, formula="1x1@1.80; 2x60@1.80; fee 0.50; *x6@next"), 121, 121, 3_630_000),  # no fee yet
        (flat(60, 6, 0, 600_000, formula="1x1@1.80; 2x60@1.80; fee 0.50; *x6@next"), 122, 127, 4_190_000),
        # 5 % of the cost so far after the first minute: 0.10 -> 0.105, then a minute at 0.20.
        (flat(60, 60, 100_000, 200_000, formula="1xfirst@first; surcharge 5%; *xnext@next"), 61, 120, 305_000),
        # Beyond disconnect nothing is charged: 2 x 60 s at 0.10.
        (flat(1, 1, 0, formula="2x60@0.10; disconnect"), 500, 120, 200_000),
    ],
)
def test_worked_charges(pricing, used_seconds, charged_seconds, amount_micros):
    rated = charge(pricing, used_seconds)
    assert (rated.charged_seconds, rated.amount_micros) == (charged_seconds, amount_micros)
    assert amount(pricing, used_seconds) == amount_micros


def test_a_leg_that_may_be_either_is_charged_the_dearer():
    dear, cheap = Intervals(60, 60, 100_000, 100_000), Intervals(1, 1, 60_000, 60_000)
    open_yet = Pricing(dear, OffPeak(cheap, "hr{18-23}", "UTC"))
    assert amount(open_yet, 1) == 100_000  # 0.10 against 0.001
    assert amount(open_yet, 60) == 100_000  # against 0.06
    upside_down = Pricing(cheap, OffPeak(dear, "hr{18-23}", "UTC"))
    assert amount(upside_down, 1) == 100_000


def test_the_explanation_tells_how_the_amount_came_about():
    pricing = flat(
        60, 6, 100_000, free_seconds=10, connect_fee_micros=50_000, post_call_surcharge_ppm=100_000, decimals=5
    )
    explanation = charge(pricing, 75).explanation
    assert explanation == {
        "used_seconds": 75,
        "free_seconds": 10,
        "charged_seconds": 66,
        "rate": "peak",
        "formula": "",
        "connect_fee_micros": 50_000,
        "steps": [
            {"intervals": 1, "seconds": 60, "price_per_minute_micros": 100_000},
            {"intervals": 1, "seconds": 6, "price_per_minute_micros": 100_000},
        ],
        "post_call_surcharge_ppm": 100_000,
        "login_fee_micros": 0,
        "decimals": 5,
        "currency": "USD",
        "amount_micros": 176_000,  # (0.05 + 0.10 + 0.01) * 1.1
    }


def test_the_explanation_of_a_formula_names_its_fees():
    pricing = flat(1, 1, 0, formula="1x60@0.10; fee 0.50; surcharge 5%; *x60@0.10")
    assert charge(pricing, 61).explanation["steps"] == [
        {"intervals": 1, "seconds": 60, "price_per_minute_micros": 100_000},
        {"fee_micros": 500_000},
        {"surcharge_ppm": 50_000},
        {"intervals": 1, "seconds": 60, "price_per_minute_micros": 100_000},
    ]
    assert charge(pricing, 0).explanation["steps"] == []
