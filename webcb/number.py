"""Telephone numbers: from any usual way of writing to E.164 and back, their kind, and prefixes longest first.

Parsing and the numbering plans are `phonenumbers`; here is only how this service asks it. A number inside the house is its
E.164 digits without the plus sign.
"""

import re
from dataclasses import dataclass
from enum import Enum

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number

TYPED_LENGTH_MAX = 40
DIGITS_MAX = 15  # E.164
WILDCARD = "|"  # the destination that matches whatever nothing more specific matches (domain 3)


class Kind(Enum):
    """What sort of number it is, as far as calling it is concerned."""

    ORDINARY = "ordinary"
    PREMIUM = "premium"
    SHARED_COST = "shared cost"
    PERSONAL = "personal"
    SATELLITE = "satellite"
    EMERGENCY = "emergency"


class NumberError(ValueError):
    """Text that is no telephone number; the message says what is wrong and what would be right.

    `template` and `values` are its two halves, for who says it in another language.
    """

    def __init__(self, template: str, **values: str | int) -> None:
        super().__init__(template % values if values else template)
        self.template = template
        self.values = values


@dataclass(frozen=True, slots=True)
class Number:
    """A telephone number: `digits` in E.164 without plus, `country` as ISO 3166 alpha-2 ("001" for networks of no country)."""

    digits: str
    country: str
    kind: Kind


_KINDS = {
    PhoneNumberType.PREMIUM_RATE: Kind.PREMIUM,
    PhoneNumberType.SHARED_COST: Kind.SHARED_COST,
    PhoneNumberType.PERSONAL_NUMBER: Kind.PERSONAL,
}

# Global mobile satellite (870, 881) and international networks (882, 883): dear, and a usual target of fraud (domain 9).
_SATELLITE_COUNTRY_CODES = frozenset({870, 881, 882, 883})
_INTERNATIONAL_PREMIUM_CODES = frozenset({979})


def parse_number(text: str, default_country: str) -> Number:
    """Read a number as people write it: `+1 (206) 555-4123`, `011 55 11 99988-7766`, `(11) 99988-7766` with its country.

    `default_country` is the ISO code whose national and international dialling rules apply where the text has no plus.
    Raises NumberError. An emergency number is a Number of that kind, not an error: the caller is told why it is refused.
    """
    typed = text.strip()
    if not typed:
        raise NumberError("Enter a telephone number.")
    if len(typed) > TYPED_LENGTH_MAX:
        raise NumberError(
            "This is longer than %(max)d characters; a telephone number has at most 15 digits.", max=TYPED_LENGTH_MAX
        )
    dialled = phonenumbers.normalize_digits_only(typed)  # digits of any script become ASCII ones
    if not typed.startswith("+") and phonenumbers.is_emergency_number(dialled, default_country):
        return Number(dialled, default_country, Kind.EMERGENCY)
    try:
        parsed = phonenumbers.parse(typed, default_country)
    except NumberParseException as wrong:
        example = example_number(default_country)
        raise NumberError("This is not a telephone number. Write it like %(example)s.", example=example) from wrong
    if parsed.extension:
        raise NumberError("A number with an extension cannot be called; leave the extension out.")
    if not phonenumbers.is_possible_number(parsed):
        raise NumberError(
            "This number has too few or too many digits. Write it like %(example)s.",
            example=example_number(default_country),
        )
    digits = phonenumbers.format_number(parsed, PhoneNumberFormat.E164).removeprefix("+")
    country = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(
        parsed.country_code or 0
    )
    return Number(digits, country, _kind(parsed))


def _kind(parsed: phonenumbers.PhoneNumber) -> Kind:
    if parsed.country_code in _SATELLITE_COUNTRY_CODES:
        return Kind.SATELLITE
    if parsed.country_code in _INTERNATIONAL_PREMIUM_CODES:
        return Kind.PREMIUM
    return _KINDS.get(phonenumbers.number_type(parsed), Kind.ORDINARY)


def example_number(country: str) -> str:
    """A well-formed number of the country in international writing, for a message that says what would be right."""
    example = phonenumbers.example_number_for_type(country, PhoneNumberType.FIXED_LINE)
    if example is None:
        return "+1 206 555 4123"
    return phonenumbers.format_number(example, PhoneNumberFormat.INTERNATIONAL)


def display_number(digits: str) -> str:
    """E.164 digits as people read them: 12065554123 -> +1 206-555-4123; what cannot be read so comes back as +digits."""
    try:
        parsed = phonenumbers.parse(f"+{digits}")
    except NumberParseException:
        return f"+{digits}"
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)


def as_typed(text: str, default_country: str) -> str:
    """What has been typed so far of a number, grouped as its country writes it: 12065554 -> 1 206-555-4; other text as it is."""
    if not re.fullmatch(r"\s*\+?[0-9\s().\-/]*", text) or len(text) > TYPED_LENGTH_MAX:
        return text
    formatter = phonenumbers.AsYouTypeFormatter(default_country)
    grouped = ""
    for each in text:
        if each in "+0123456789":
            grouped = formatter.input_digit(each)
    return grouped.strip() or text


def country_of_typed(text: str, default_country: str) -> str:
    """The ISO code of the country that what has been typed so far belongs to; "" while that is not known."""
    try:
        parsed = phonenumbers.parse(text[:TYPED_LENGTH_MAX], default_country)
    except NumberParseException:
        return ""
    return country_of(f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}")


def country_of(digits: str) -> str:
    """The ISO code of the country of E.164 digits, the main one of its calling code where it cannot be told; "" for no country."""
    try:
        parsed = phonenumbers.parse(f"+{digits}")
    except NumberParseException:
        return ""
    found = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(
        parsed.country_code or 0
    )
    return found if found in phonenumbers.SUPPORTED_REGIONS else ""


def time_zones(digits: str) -> tuple[str, ...]:
    """The zones a number may be in, by their IANA names; UTC where nothing is known of it."""
    try:
        found = time_zones_for_number(phonenumbers.parse(f"+{digits}"))
    except NumberParseException:
        return ("UTC",)
    return tuple(zone for zone in found if zone != UNKNOWN_TIMEZONE) or ("UTC",)


def mask_number(digits: str) -> str:
    """A number as it may stand in a log: the last three digits hidden."""
    return f"{digits[:-3]}***" if len(digits) > 3 else "***"


def country_names() -> dict[str, int]:
    """Every country the numbering plan knows, with its calling code, by ISO code."""
    return {
        country: phonenumbers.country_code_for_region(country) for country in sorted(phonenumbers.SUPPORTED_REGIONS)
    }


def prefixes(digits: str) -> list[str]:
    """The prefixes of a number, longest first, the wildcard last: 120 -> 120, 12, 1, |."""
    return [digits[:length] for length in range(min(len(digits), DIGITS_MAX), 0, -1)] + [WILDCARD]
