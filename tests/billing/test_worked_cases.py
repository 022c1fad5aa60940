"""Charges worked out by hand, exact to the micro; the arithmetic stands beside each. Amounts are units of the currency."""

from datetime import UTC, datetime

import pytest

from webcb.billing.formula import Intervals
from webcb.billing.pricing import OffPeak, Pricing
from webcb.billing.rating import amount, charge
from webcb.money import parse_amount


def rate(intervals: str, prices: str) -> Intervals:
    """`60/6` and `0.10/0.08`; one price stands for both."""
    first, following = (int(seconds) for seconds in intervals.split("/"))
    first_price, _, next_price = prices.partition("/")
    return Intervals(first, following, parse_amount(first_price), parse_amount(next_price or first_price))


def priced(intervals: str, prices: str, formula: str = "", **terms: str | int) -> Pricing:
    """A pricing; amounts among the terms are written as text."""
    plain = {name: parse_amount(term) if isinstance(term, str) else term for name, term in terms.items()}
    return Pricing(rate(intervals, prices), formula=formula, **plain)


FREE, FEE, SURCHARGE, LOGIN = "free_seconds", "connect_fee_micros", "post_call_surcharge_ppm", "login_fee_micros"

FLAT = [
    # The seed's and DOMAIN's: 60/6 at 0.10: 60 + 6 = 66 s; 66 x 0.10 / 60 = 0.11.
    (priced("60/6", "0.10"), 61, "0.11"),
    (priced("60/60", "0.10"), 3000, "5"),  # 50 minutes x 0.10
    (priced("60/60", "0.10"), 3001, "5.1"),  # a 51st minute begun
    (priced("60/6", "0.10"), 0, "0"),  # not answered
    (priced("60/6", "0.10"), 1, "0.1"),  # the first interval is charged whole
    (priced("60/6", "0.10"), 60, "0.1"),
    (priced("60/6", "0.10"), 66, "0.11"),
    (priced("60/6", "0.10"), 67, "0.12"),  # 60 + 2 x 6 = 72 s
    (priced("60/6", "0.10"), 3599, "6"),  # 60 + 590 x 6 = 3600 s
    (priced("1/1", "0.06"), 1, "0.001"),  # 0.06 / 60
    (priced("1/1", "0.06"), 59, "0.059"),
    (priced("1/1", "0.10"), 1, "0.00167"),  # 0.0016666.. up to 5 decimals
    (priced("1/1", "0.10", decimals=6), 1, "0.001667"),
    (priced("1/1", "0.10"), 2, "0.00334"),  # 0.0033333..
    (priced("1/1", "0.10"), 3, "0.005"),  # exactly: nothing to round
    (priced("1/1", "0.000001", decimals=6), 1, "0.000001"),  # a sixtieth of a micro, up
    (priced("1/1", "0.000001", decimals=6), 60, "0.000001"),
    (priced("1/1", "0.000001", decimals=6), 61, "0.000002"),
    (priced("30/6", "0.02"), 30, "0.01"),  # 30 x 0.02 / 60
    (priced("30/6", "0.02"), 31, "0.012"),  # + 6 x 0.02 / 60 = 0.002
    (priced("30/6", "0.30/0.06"), 31, "0.156"),  # 30 x 0.30 / 60 + 6 x 0.06 / 60 = 0.15 + 0.006
    (priced("6/6", "1.00"), 13, "0.3"),  # 3 x 6 = 18 s
    (priced("180/60", "0.50/0.10"), 1, "1.5"),  # three minutes, taken whole
    (priced("180/60", "0.50/0.10"), 181, "1.6"),
    (priced("1/60", "0/0.30"), 1, "0"),  # a first second for nothing
    (priced("1/60", "0/0.30"), 2, "0.3"),
    (priced("7/11", "0.13/0.17"), 30, "0.10867"),  # 7 x 0.13 / 60 = 0.0151667; 3 x 11 x 0.17 / 60 = 0.0935; 0.1086667
    (priced("60/60", "0"), 86_400, "0"),
    (priced("1/1", "500000"), 86_400, "720000000"),  # a day, 1440 minutes, at half a million
]

ROUNDED = [
    (priced("60/6", "0.10", decimals=0), 61, "1"),  # 0.11 up to whole units
    (priced("60/6", "0.10", decimals=1), 61, "0.2"),
    (priced("60/6", "0.10", decimals=2), 61, "0.11"),
    (priced("60/6", "0.10", decimals=2), 67, "0.12"),
    (priced("1/1", "0.10", decimals=2), 1, "0.01"),  # 0.0016666..
    (priced("1/1", "0.10", decimals=2), 6, "0.01"),  # exactly 0.01
    (priced("1/1", "0.10", decimals=2), 7, "0.02"),  # 0.0116666..
    (priced("1/1", "0.10", decimals=4), 1, "0.0017"),
    (priced("1/1", "60.000001", decimals=6), 1, "1.000001"),  # 1.0000000166..
]

TERMS = [
    (priced("60/60", "0.10", **{FREE: 30}), 30, "0"),  # not beyond what is free
    (priced("60/60", "0.10", **{FREE: 30}), 31, "0.1"),  # 1 s beyond: a first minute
    (priced("60/60", "0.10", **{FREE: 30}), 90, "0.1"),  # 60 s beyond
    (priced("60/60", "0.10", **{FREE: 30}), 91, "0.2"),
    (priced("60/60", "0.10", **{FEE: "0.05"}), 1, "0.15"),
    (priced("60/60", "0.10", **{FEE: "0.05"}), 0, "0"),  # no fee for a call that was not answered
    (priced("60/60", "0.10", **{FEE: "0.05", FREE: 10}), 10, "0"),  # nor within the free seconds
    (priced("60/60", "0.10", **{FEE: "0.05", FREE: 10}), 11, "0.15"),
    (priced("60/60", "0.10", **{SURCHARGE: 100_000}), 61, "0.22"),  # 0.20 + 10%
    (priced("60/60", "0.10", **{SURCHARGE: 25_000}), 1, "0.1025"),  # 2.5% of 0.10
    (priced("60/60", "0.10", **{SURCHARGE: 100_000, FEE: "0.05"}), 1, "0.165"),  # 10% of the fee as well
    (priced("1/1", "0.10", **{SURCHARGE: 333_333}), 1, "0.00223"),  # 0.0016667 x 1.333333 = 0.0022222.., rounded once
    (priced("60/6", "0.10", **{SURCHARGE: 10_000_000}), 61, "1.21"),  # 1000%: eleven times 0.11
    (priced("60/6", "0.10", **{FREE: 10, FEE: "0.05", SURCHARGE: 100_000}), 75, "0.176"),  # (0.05 + 0.11) x 1.1
    (priced("60/60", "0.10", **{LOGIN: "0.07"}), 61, "0.2"),  # nobody logged in
    (priced("60/60", "0.10", **{LOGIN: "0.07"}).with_login(), 61, "0.27"),
    (
        priced("60/60", "0.10", **{LOGIN: "0.07", FREE: 90}).with_login(),
        61,
        "0.07",
    ),  # the seconds are free, the log-in is not
    (
        priced("60/60", "0.10", **{LOGIN: "0.07", SURCHARGE: 500_000}).with_login(),
        1,
        "0.22",
    ),  # 0.15 + 0.07 without surcharge
    (priced("60/60", "0.10", decimals=1, **{LOGIN: "0.07"}).with_login(), 1, "0.2"),  # 0.17, rounded once
    (priced("1/1", "0.10", decimals=2, **{LOGIN: "0.005"}).with_login(), 3, "0.01"),  # 0.005 + 0.005: not 0.01 + 0.01
]

DOMAINS = "1x1@1.80; 2x60@1.80; fee 0.50; *x6@next"  # over 60/6 at 0.10

FORMULAS = [
    (priced("60/6", "0.10", DOMAINS), 1, "0.03"),  # 1 s at 1.80
    (priced("60/6", "0.10", DOMAINS), 2, "1.83"),  # + a minute
    (priced("60/6", "0.10", DOMAINS), 61, "1.83"),
    (priced("60/6", "0.10", DOMAINS), 62, "3.63"),  # + another
    (priced("60/6", "0.10", DOMAINS), 121, "3.63"),  # the fee is charged beyond its point, not at it
    (priced("60/6", "0.10", DOMAINS), 122, "4.14"),  # + 0.50 + 6 s at 0.10
    (priced("60/6", "0.10", DOMAINS), 128, "4.15"),
    (priced("60/6", "0.10", "2x60@0.10; disconnect"), 120, "0.2"),
    (priced("60/6", "0.10", "2x60@0.10; disconnect"), 500, "0.2"),  # beyond disconnect nothing more
    (priced("60/6", "0.20/0.10", "3xfirst@next; *xnext@first"), 181, "0.32"),  # 3 x 60 s at 0.10 + 6 s at 0.20
    (priced("60/6", "0.10", "1x60@0; *x60@0.10"), 60, "0"),  # the first minute for nothing
    (priced("60/6", "0.10", "1x60@0; *x60@0.10"), 61, "0.1"),
    (priced("60/6", "0.10", "fee 0.30; *x60@0.10"), 1, "0.4"),  # a fee from the first second
    (priced("60/6", "0.10", "1x60@0.10; surcharge 50%; *x60@0.10"), 60, "0.1"),
    (
        priced("60/6", "0.10", "1x60@0.10; surcharge 50%; *x60@0.10"),
        61,
        "0.25",
    ),  # 0.10 x 1.5 + 0.10: of what came before
    (
        priced("60/6", "0.10", "1x60@1; surcharge 10%; 1x60@1; surcharge 10%; *x60@1"),
        121,
        "3.31",
    ),  # (1.1 + 1) x 1.1 + 1
    (
        priced("60/6", "0.10", "1x60@1; fee 0.5; surcharge 10%; *x60@0", **{FEE: "0.2"}),
        61,
        "1.87",
    ),  # (0.2 + 1 + 0.5) x 1.1
    (priced("60/6", "0.10", "1x60@1; surcharge 10%; *x60@0", **{SURCHARGE: 100_000}), 61, "1.21"),  # 1 x 1.1 x 1.1
    (priced("60/6", "0.10", "*x7@0.60"), 8, "0.14"),  # 14 s at 0.01
    (priced("60/6", "0.10", "5x1@6; *x60@0.06", **{FREE: 10}), 14, "0.4"),  # 4 s beyond the free ones at 0.10
    (priced("60/6", "0.10", "5x1@6; *x60@0.06", **{FREE: 10}), 16, "0.56"),  # 5 x 0.10 + 0.06
]


@pytest.mark.parametrize(("pricing", "used_seconds", "units"), FLAT + ROUNDED + TERMS + FORMULAS)
def test_a_charge(pricing, used_seconds, units):
    assert charge(pricing, used_seconds).amount_micros == parse_amount(units)
    assert used_seconds == 0 or amount(pricing, used_seconds) == parse_amount(units)


# Off-peak ------------------------------------------------------------------------------------------------------------

DEAR, CHEAP = rate("60/60", "0.10"), rate("30/6", "0.02")
NEW_YORK, SAO_PAULO, KOLKATA, TOKYO = "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tokyo"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "zone", "when", "answered", "used_seconds", "units"),
    [
        # 61 s: at peak two minutes, 0.20; off-peak 30 + 6 x 6 = 66 s at 0.02 a minute, 0.022.
        ("hr{18-23}", "UTC", "starts", "2026-03-02 17:59:59", 61, "0.2"),
        ("hr{18-23}", "UTC", "starts", "2026-03-02 18:00:00", 61, "0.022"),
        ("hr{18-23}", "UTC", "starts", "2026-03-02 23:59:59", 61, "0.022"),  # one rate to the end
        ("hr{18-23}", "UTC", "finishes", "2026-03-02 17:59:00", 59, "0.1"),
        ("hr{18-23}", "UTC", "finishes", "2026-03-02 17:59:00", 60, "0.02"),  # ends at 18:00:00: 30 + 5 x 6 s
        ("hr{18-23}", "UTC", "finishes", "2026-03-02 23:59:00", 60, "0.1"),
        ("hr{18-23}", "UTC", "starts and finishes", "2026-03-02 18:00:00", 61, "0.022"),
        ("hr{18-23}", "UTC", "starts and finishes", "2026-03-02 23:59:00", 61, "0.2"),  # ends at 00:00:01
        ("hr{18-23}", "UTC", "starts and finishes", "2026-03-02 17:59:59", 61, "0.2"),
        ("hr{6pm-5am} wd{mo-fr}", "UTC", "starts", "2026-03-06 20:00", 61, "0.022"),  # a Friday evening
        ("hr{6pm-5am} wd{mo-fr}", "UTC", "starts", "2026-03-07 02:00", 61, "0.2"),  # Saturday, whatever the hour
        ("hr{6pm-5am} wd{mo-fr}, wd{sa su}", "UTC", "starts", "2026-03-07 12:00", 61, "0.022"),
        ("hr{5am}", "UTC", "starts", "2026-03-02 05:59:59", 61, "0.022"),  # 5am runs to 05:59:59
        ("hr{5am}", "UTC", "starts", "2026-03-02 06:00:00", 61, "0.2"),
        ("md{1 24-26} mo{dec}", "UTC", "starts", "2026-12-25 12:00", 61, "0.022"),
        ("md{1 24-26} mo{dec}", "UTC", "starts", "2026-11-25 12:00", 61, "0.2"),
        ("md{1 24-26} mo{dec}", "UTC", "starts", "2026-12-27 00:00", 61, "0.2"),
        ("hr{18-23}\nmd{25} mo{dec}", "UTC", "starts", "2026-12-25 12:00", 61, "0.022"),  # two periods: either
        ("hr{18-23}\nmd{25} mo{dec}", "UTC", "starts", "2026-12-24 19:00", 61, "0.022"),
        ("hr{18-23}\nmd{25} mo{dec}", "UTC", "starts", "2026-12-24 12:00", 61, "0.2"),
        # Zones: 21:00 UTC is 18:00 in Sao Paulo, 12:30 UTC is 18:00 in India.
        ("hr{18-23}", SAO_PAULO, "starts", "2026-03-02 20:59:59", 61, "0.2"),
        ("hr{18-23}", SAO_PAULO, "starts", "2026-03-02 21:00:00", 61, "0.022"),
        ("hr{18-23}", KOLKATA, "starts", "2026-03-02 12:29:59", 61, "0.2"),
        ("hr{18-23}", KOLKATA, "starts", "2026-03-02 12:30:00", 61, "0.022"),
        ("wd{su}", TOKYO, "starts", "2026-03-07 15:00:00", 61, "0.022"),  # Sunday begins in Tokyo at 15:00 UTC
        # Daylight saving: 18:00 in New York is 23:00 UTC in winter, 22:00 in summer.
        ("hr{18-23}", NEW_YORK, "starts", "2026-01-15 22:59:59", 61, "0.2"),
        ("hr{18-23}", NEW_YORK, "starts", "2026-01-15 23:00:00", 61, "0.022"),
        ("hr{18-23}", NEW_YORK, "starts", "2026-07-15 22:00:00", 61, "0.022"),
        # On 8 March 2026 02:00 is 03:00 there: at 06:59:59 UTC it is 01:59:59, a second later 03:00.
        ("hr{2}", NEW_YORK, "starts", "2026-03-08 06:59:59", 61, "0.2"),
        ("hr{2}", NEW_YORK, "starts", "2026-03-08 07:00:00", 61, "0.2"),  # there is no 2 o'clock that night
        ("hr{3}", NEW_YORK, "finishes", "2026-03-08 06:59:00", 60, "0.02"),
        # On 1 November 1 o'clock comes twice: 05:00 to 06:59:59 UTC.
        ("hr{1}", NEW_YORK, "starts", "2026-11-01 05:30:00", 61, "0.022"),
        ("hr{1}", NEW_YORK, "starts", "2026-11-01 06:30:00", 61, "0.022"),
        ("hr{1}", NEW_YORK, "starts", "2026-11-01 07:00:00", 61, "0.2"),
        (
            "hr{1}",
            NEW_YORK,
            "starts and finishes",
            "2026-11-01 05:00:00",
            7199,
            "2.4",  # 30 + 1195 x 6 s = 120 minutes at 0.02
        ),
    ],
)
def test_a_charge_by_the_clock(period, zone, when, answered, used_seconds, units):
    pricing = Pricing(DEAR, OffPeak(CHEAP, period, zone, when)).answered(at(answered))
    assert charge(pricing, used_seconds).amount_micros == parse_amount(units)
