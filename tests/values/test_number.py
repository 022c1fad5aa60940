"""Telephone numbers: as people write them, their kind, and their prefixes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb import number
from webcb.number import Kind, NumberError


@pytest.mark.parametrize(
    ("text", "default_country", "digits", "country"),
    [
        ("+1 (206) 555-4123", "BR", "12065554123", "US"),
        ("(206) 555-4123", "US", "12065554123", "US"),
        ("1-206-555-4123", "US", "12065554123", "US"),
        ("011 55 11 99988-7766", "US", "5511999887766", "BR"),
        ("(11) 99988-7766", "BR", "5511999887766", "BR"),
        ("011 99988-7766", "BR", "5511999887766", "BR"),
        ("00 44 20 7946 0018", "DE", "442079460018", "GB"),
        ("+44 (0)20 7946 0018", "US", "442079460018", "GB"),
        ("020 7946 0018", "GB", "442079460018", "GB"),
        ("8 (495) 123-45-67", "RU", "74951234567", "RU"),
        ("+39 02 1234 5678", "US", "390212345678", "IT"),  # Italy keeps its zero
        ("+1 604 777 0456", "US", "16047770456", "CA"),
        ("+ 55 11 99988 7766", "US", "5511999887766", "BR"),
        ("\uff0b1 206 555 4123", "BR", "12065554123", "US"),  # full-width plus
        ("٢٠٦٥٥٥٤١٢٣", "US", "12065554123", "US"),
    ],
)
def test_reading(text, default_country, digits, country):
    read = number.parse_number(text, default_country)
    assert (read.digits, read.country, read.kind) == (digits, country, Kind.ORDINARY)


@pytest.mark.parametrize(
    ("text", "default_country", "kind"),
    [
        ("911", "US", Kind.EMERGENCY),
        ("112", "DE", Kind.EMERGENCY),
        ("9-1-1", "US", Kind.EMERGENCY),
        ("٩١١", "US", Kind.EMERGENCY),
        ("190", "BR", Kind.EMERGENCY),
        ("+1 900 555 0123", "US", Kind.PREMIUM),
        ("0900 123 4567", "DE", Kind.PREMIUM),
        ("+44 70 1234 5678", "US", Kind.PERSONAL),
        ("+49 180 5012345", "US", Kind.SHARED_COST),
        ("+870 773 123 456", "US", Kind.SATELLITE),
        ("+881 6 1234 5678", "US", Kind.SATELLITE),
        ("+883 5100 1234 5678", "US", Kind.SATELLITE),
        ("+979 1 2345 6789", "US", Kind.PREMIUM),
        ("+1 206 555 4123", "US", Kind.ORDINARY),
    ],
)
def test_kinds(text, default_country, kind):
    assert number.parse_number(text, default_country).kind is kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Enter a telephone number"),
        ("   ", "Enter a telephone number"),
        ("hello", "Write it like"),
        ("١٢", "Write it like"),
        ("12", "Write it like"),
        ("+1 206 555 412", "too few or too many digits"),
        ("+1 206 555 41234", "too few or too many digits"),
        ("+999 1234567", "Write it like"),
        ("206 555 4123 ext. 5", "leave the extension out"),
        ("1" * 41, "longer than 40 characters"),
    ],
)
def test_what_is_no_number_is_said_with_what_would_be_right(text, said):
    with pytest.raises(NumberError) as wrong:
        number.parse_number(text, "US")
    assert said in str(wrong.value)


@given(st.text(max_size=45), st.sampled_from(["US", "BR", "GB", "RU", "IN"]))
def test_any_text_is_a_number_or_a_number_error(text, country):
    try:
        read = number.parse_number(text, country)
    except NumberError:
        return
    assert read.digits.isascii() and read.digits.isdigit()
    assert 1 <= len(read.digits) <= number.DIGITS_MAX


@given(st.integers(1_000_000, 10**10 - 1).map(str), st.sampled_from(["1", "44", "55", "49"]))
def test_what_is_displayed_reads_as_the_same(national, calling_code):
    try:
        read = number.parse_number(f"+{calling_code}{national}", "US")
    except NumberError:
        return
    assert number.parse_number(number.display_number(read.digits), "US") == read


def test_an_emergency_number_has_ascii_digits_too():
    assert number.parse_number("٩١١", "US").digits == "911"


def test_displaying():
    assert number.display_number("12065554123") == "+1 206-555-4123"
    assert number.display_number("9") == "+9"
    assert number.mask_number("12065554123") == "12065554***"
    assert number.mask_number("911") == "***"


def test_prefixes_longest_first_and_the_wildcard_last():
    assert number.prefixes("120") == ["120", "12", "1", "|"]
    assert number.prefixes("") == ["|"]
    assert len(number.prefixes("1" * 20)) == 16


def test_examples_and_countries():
    for country in ("US", "BR", "DE"):
        assert number.parse_number(number.example_number(country), country).kind is Kind.ORDINARY
    assert number.example_number("ZZ") == "+1 206 555 4123"
    assert number.country_names()["BR"] == 55
