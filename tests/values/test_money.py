"""Money: reading, printing, and the one rounding."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb import money
from webcb.money import AmountError


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("0.10", 100_000),
        ("5", 5_000_000),
        ("-5", -5_000_000),
        (" 1.5 ", 1_500_000),
        ("0.000001", 1),
        ("0" * 5000 + "3", 3_000_000),
        ("007", 7_000_000),
        ("1000000000", 10**15),
    ],
)
def test_reading(text, micros):
    assert money.parse_amount(text) == micros


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not an amount"),
        (".5", "is not an amount"),
        ("1,50", "write digits with a point"),
        ("3.", "is not an amount"),
        ("1e3", "is not an amount"),
        ("--1", "is not an amount"),
        ("+1", "is not an amount"),
        ("1.2.3", "is not an amount"),
        ("٣", "is not an amount"),
        ("1.0000001", "more than 6 decimals"),
        ("1000000000.000001", "larger than 1000000000"),
        ("9" * 5000, "larger than"),
    ],
)
def test_what_is_no_amount(text, said):
    with pytest.raises(AmountError) as wrong:
        money.parse_amount(text)
    assert said in str(wrong.value)


@pytest.mark.parametrize(
    ("micros", "decimals_min", "text"),
    [
        (110_000, 2, "0.11"),
        (5_000_000, 2, "5.00"),
        (5_000_000, 0, "5"),
        (1_670, 2, "0.00167"),
        (-1, 2, "-0.000001"),
        (0, 2, "0.00"),
        (0, 0, "0"),
        (100_000, 0, "0.1"),
    ],
)
def test_printing(micros, decimals_min, text):
    assert money.format_amount(micros, decimals_min=decimals_min) == text


@given(st.integers(-(10**15), 10**15))
def test_what_is_printed_reads_as_the_same(micros):
    assert money.parse_amount(money.format_amount(micros)) == micros


@pytest.mark.parametrize(
    ("numerator", "denominator", "decimals", "micros"),
    [
        (1, 1, 6, 1),
        (1, 1, 5, 10),
        (1, 1, 2, 10_000),
        (1, 1, 0, 1_000_000),
        (10_000, 1, 2, 10_000),
        (10_001, 1, 2, 20_000),
        (100_000, 60, 5, 1_670),
        (-1, 1, 2, -10_000),
        (-10_000, 1, 2, -10_000),
        (0, 7, 5, 0),
    ],
)
def test_rounding_goes_away_from_zero(numerator, denominator, decimals, micros):
    assert money.round_away(numerator, denominator, decimals) == micros


@given(
    numerator=st.integers(-(10**20), 10**20),
    denominator=st.integers(1, 10**9),
    decimals=st.integers(0, 6),
)
def test_rounding_is_to_the_next_step_and_no_further(numerator, denominator, decimals):
    step = 10 ** (6 - decimals)
    exact = Fraction(numerator, denominator)
    rounded = money.round_away(numerator, denominator, decimals)
    assert rounded % step == 0
    assert abs(exact) <= abs(rounded) < abs(exact) + step
    assert rounded * exact >= 0


@pytest.mark.parametrize(("text", "ppm"), [("2.5", 25_000), ("0", 0), ("100", 1_000_000), ("0.0001", 1)])
def test_percentages(text, ppm):
    assert money.percent_to_ppm(text) == ppm
    assert money.format_percent(ppm) == text


def test_a_percentage_has_at_most_four_decimals():
    with pytest.raises(AmountError):
        money.percent_to_ppm("0.00001")


@given(st.integers(0, 10**7))
def test_a_printed_percentage_reads_as_the_same(ppm):
    assert money.percent_to_ppm(money.format_percent(ppm)) == ppm
