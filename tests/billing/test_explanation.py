"""A bill can be read: the lines that say why an amount is what it is."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.billing.test_limit import legs
from webcb.billing.explanation import in_words
from webcb.billing.formula import Intervals
from webcb.billing.pricing import OffPeak, Pricing
from webcb.billing.rating import charge
from webcb.money import format_amount

OWN = Intervals(60, 6, 100_000, 100_000)


def test_why_61_seconds_cost_0_11():
    assert in_words(charge(Pricing(OWN), 61).explanation) == [
        "61 s used",
        "an interval of 60 s at 0.10 a minute: 0.10",
        "an interval of 6 s at 0.10 a minute: 0.01",
        "66 s charged, rounded up to 5 decimals: 0.11 USD",
    ]


def test_everything_that_can_be_on_a_bill():
    pricing = Pricing(
        OWN,
        formula="2x60@first; fee 0.50; surcharge 5%; *x7@next",
        free_seconds=10,
        connect_fee_micros=50_000,
        post_call_surcharge_ppm=25_000,
        login_fee_micros=20_000,
        decimals=2,
        currency="EUR",
    ).with_login()
    # (0.05 + 0.20 + 0.50) * 1.05 + 2 * 7 s * 0.10 / 60 = 0.7875 + 0.02333 = 0.81083; * 1.025 = 0.83110; + 0.02 -> 0.86
    assert in_words(charge(pricing, 140).explanation) == [
        "140 s used, of which 10 s are free",
        "by the rate formula 2x60@first; fee 0.50; surcharge 5%; *x7@next",
        "connect fee 0.05",
        "2 intervals of 60 s at 0.10 a minute: 0.20",
        "fee 0.50",
        "surcharge of 5% on the cost so far",
        "2 intervals of 7 s at 0.10 a minute",  # 0.0233..: no amount that ends
        "surcharge of 2.5% on all of this",
        "login fee 0.02",
        "134 s charged, rounded up to 2 decimals: 0.86 EUR",
    ]


def test_what_cost_nothing():
    assert in_words(charge(Pricing(OWN, login_fee_micros=1).with_login(), 0).explanation) == [
        "not answered: nothing is charged"
    ]
    assert in_words(charge(Pricing(OWN, free_seconds=30, connect_fee_micros=9, decimals=0), 30).explanation) == [
        "30 s used, of which 30 s are free",
        "0 s charged, rounded up to whole units: 0.00 USD",
    ]


def test_the_off_peak_rate_is_named():
    dearer = OffPeak(Intervals(1, 1, 9_000_000, 9_000_000), "hr{18-23}", "UTC")
    assert in_words(charge(Pricing(OWN, dearer), 1).explanation)[1] == "at the off-peak rate"


@settings(max_examples=200)
@given(leg=legs(), used=st.integers(0, 300))
def test_any_charge_can_be_said_from_what_is_stored(leg, used):
    rated = charge(leg[0], used)
    lines = in_words(json.loads(json.dumps(rated.explanation)))
    assert format_amount(rated.amount_micros) in lines[-1] or used == 0
