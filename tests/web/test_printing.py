"""How amounts, durations and instants are written, and the terms of a price."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from flask_babel import force_locale

from webcb.billing.authorization import Authorization
from webcb.billing.formula import Intervals
from webcb.billing.pricing import OffPeak, Pricing
from webcb.billing.product import UsageCharge
from webcb.billing.terms import Terms
from webcb.web import printing
from webcb.web.quotation import quotation

NOON = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
CHARGE = UsageCharge(None, "WEBCALLBACK", 1)


def authorized(
    available_micros: int, a: Pricing, a_if_b_fails: Pricing | None, b: Pricing, seconds: int
) -> Authorization:
    """A yes for these prices, in USD."""
    terms = Terms(a, a_if_b_fails, b, CHARGE, CHARGE, (), (), a, a_if_b_fails, b, seconds)
    return Authorization(terms, "USD", available_micros, seconds)


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "0.00 USD"), (110_000, "0.11 USD"), (-5_000_000, "-5.00 USD"), (1, "0.000001 USD")]
)
def test_money(micros: int, text: str) -> None:
    assert printing.money(micros, "USD") == text.replace(" ", "\u00a0")


def test_the_sign_stands_before_the_number_where_it_is_written_from_the_right(app: Flask) -> None:
    with app.test_request_context("/"), force_locale("ar"):
        assert printing.money(-5_000_000, "USD") == "\u2066-5.00\u2069\u00a0USD"
        assert printing.money(5_000_000, "USD") == "5.00\u00a0USD"


@pytest.mark.parametrize(
    ("amounts", "decimals"), [([], 2), ([100_000, 0], 2), ([65_000, 100_000], 3), ([-1], 6), ([10**12], 2)]
)
def test_amounts_that_stand_one_below_the_other(amounts: list[int], decimals: int) -> None:
    assert printing.decimals_of(amounts) == decimals


@pytest.mark.parametrize(
    ("seconds", "face", "words"),
    [
        (0, "0:00", "0 s"),
        (42, "0:42", "42 s"),
        (60, "1:00", "1 min"),
        (760, "12:40", "12 min 40 s"),
        (3600, "1:00:00", "1 h"),
        (3661, "1:01:01", "1 h 1 min 1 s"),
        (86_400, "24:00:00", "24 h"),
    ],
)
def test_durations(seconds: int, face: str, words: str) -> None:
    assert printing.clock_face(seconds) == face
    assert printing.in_words(seconds).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "22 Nov 2026, 12:05 (UTC)"),
        ("America/Sao_Paulo", "22 Nov 2026, 09:05 (America/Sao_Paulo)"),
        ("Nowhere/Atall", "22 Nov 2026, 12:05 (UTC)"),
        ("../../etc/passwd", "22 Nov 2026, 12:05 (UTC)"),
    ],
)
def test_instants_stand_in_the_zone_of_who_looks(zone: str, text: str) -> None:
    assert printing.local_time(NOON, zone) == text


PLAIN = Intervals(60, 60, 100_000, 100_000)


@pytest.mark.parametrize(
    ("pricing", "terms"),
    [
        (Pricing(PLAIN), "charged in steps of 60 s"),
        (Pricing(Intervals(60, 6, 100_000, 100_000)), "charged in steps of 6 s after the first 60 s"),
        (
            Pricing(Intervals(30, 6, 200_000, 100_000)),
            "charged in steps of 6 s after the first 30 s, the first 30 s at 0.20 USD a minute",
        ),
        (Pricing(PLAIN, connect_fee_micros=50_000), "charged in steps of 60 s, 0.05 USD for each call"),
        (Pricing(PLAIN, free_seconds=90), "charged in steps of 60 s, the first 1 min 30 s free"),
        (Pricing(PLAIN, post_call_surcharge_ppm=25_000), "charged in steps of 60 s, plus 2.5 %"),
        (
            Pricing(PLAIN, OffPeak(Intervals(60, 60, 40_000, 40_000), "hr{6pm-5am}", "UTC"), answered_at=NOON),
            "charged in steps of 60 s, in off-peak hours 0.04 USD a minute",
        ),
        (
            Pricing(
                PLAIN,
                OffPeak(Intervals(60, 60, 40_000, 40_000), "hr{6pm-5am}", "UTC"),
                answered_at=NOON.replace(hour=20),
            ),
            "charged in steps of 60 s, outside off-peak hours 0.10 USD a minute",
        ),
        # 1.00 for the first minute, then 9 minutes at 0.10, and a fee of 0.50.
        (Pricing(PLAIN, formula="1x60@1.00; fee 0.50; *x60@0.10"), "a call of 10 min costs 2.40 USD"),
    ],
)
def test_every_term_of_a_price_is_announced(pricing: Pricing, terms: str) -> None:
    authorization = authorized(5_000_000, pricing, None, Pricing(PLAIN), 60)
    shown = quotation(authorization, "1", "2")
    assert ", ".join(shown.leg_a.terms).replace("\u00a0", " ") == terms


def test_the_price_if_b_fails_is_said_when_it_is_another() -> None:
    same = quotation(authorized(1, Pricing(PLAIN), Pricing(PLAIN), Pricing(PLAIN), 60), "1", "2")
    cheap = Pricing(Intervals(1, 1, 20_000, 20_000))
    other = quotation(authorized(1, Pricing(PLAIN), cheap, Pricing(PLAIN), 60), "1", "2")
    assert same.if_b_fails == ""
    assert other.if_b_fails.replace("\u00a0", " ") == "0.02 USD a minute, charged in steps of 1 s"


def test_the_mark_of_a_price_changes_with_every_part_of_it() -> None:
    cheap = Pricing(Intervals(1, 1, 20_000, 20_000))
    plain, with_fee = Pricing(PLAIN), Pricing(PLAIN, connect_fee_micros=1)
    marks = {
        quotation(authorized(1, *pricings, 60), *numbers).mark
        for pricings, numbers in (
            ((plain, None, plain), ("1", "2")),
            ((cheap, None, plain), ("1", "2")),
            ((with_fee, None, plain), ("1", "2")),
            ((plain, None, cheap), ("1", "2")),
            ((plain, cheap, plain), ("1", "2")),
            ((plain, None, plain), ("3", "2")),
            ((plain, None, plain), ("1", "3")),
        )
    }
    assert len(marks) == 7


def test_the_mark_of_a_price_does_not_change_with_the_funds_or_the_moment() -> None:
    one = quotation(authorized(1, Pricing(PLAIN), None, Pricing(PLAIN), 60), "1", "2")
    two = quotation(authorized(9, Pricing(PLAIN, answered_at=NOON), None, Pricing(PLAIN), 90), "1", "2")
    assert one.mark == two.mark
