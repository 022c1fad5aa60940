"""What a value of the provisioning file may be: its text read into what a column holds, and written back the same.

For every sort of value one `Reader`: text in, value out, with a message that says what would be right; `show` is its inverse.
No database, no file: names that refer to something else are looked up by apply.py.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from datetime import date as calendar_date
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from email_validator import EmailNotValidError, validate_email
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from webcb.money import (
    AMOUNT_MICROS_MAX,
    MICROS_PER_UNIT,
    AmountError,
    format_amount,
    format_percent,
    parse_amount,
    percent_to_ppm,
)
from webcb.number import country_names

SHOWN_MAX = 60  # characters of a wrong value that are repeated in a message


@dataclass(frozen=True)
class Reader:
    """How one field is read, written back and described; `section` is where a reference points."""

    read: Callable[[str], Any]
    show: Callable[[Any], str]
    schema: dict[str, Any]
    right: str  # what would be right, as it stands in messages and in the reference
    description: str
    may_be_nothing: bool = False
    is_secret: bool = False
    section: str = ""

    def __call__(self, value: Any) -> Any:
        """Read a scalar of the file; raises ValueError with what is wrong and what would be right."""
        if value is None:
            if self.may_be_nothing:
                return None
            raise ValueError(f"there is no value; write {self.right}, or leave the line out")
        if not isinstance(value, str):
            raise ValueError(f"this is a {'list' if isinstance(value, list) else 'mapping'}; write {self.right}")
        try:
            return self.read(value)
        except ValueError as wrong:
            said = str(wrong) or f"write {self.right}"
            shown = "the value" if self.is_secret else repr(value[:SHOWN_MAX])
            raise ValueError(f"{shown} is not good; {said}") from None

    def text(self, value: Any) -> str:
        """The value as the file writes it; the inverse of reading."""
        return "null" if value is None else self.show(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = dict(self.schema)
        if self.may_be_nothing:
            kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            schema["type"] = [*kinds, "null"]
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
        return schema | {"description": self.description}


def near(name: str, names: Sequence[str], limit: int = 3) -> str:
    """`; did you mean X?` where names like this one exist, `; there are: ...` where few do, else nothing."""
    close = get_close_matches(name, names, n=limit)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; there are: {', '.join(names)}" if 0 < len(names) <= 30 else ""


# Sorts of values --------------------------------------------------------------------------------------------------------


def text(description: str, most: int, *, least: int = 0, secret: bool = False) -> Reader:
    """Free text on one line, `least` to `most` characters."""
    right = f"{least} to {most} characters on one line" if least else f"at most {most} characters on one line"

    def read(value: str) -> str:
        if not least <= len(value) <= most or not value.isprintable() or value != value.strip():
            raise ValueError(f"write {right}, no space at either end")
        return value

    schema = {"type": "string", "maxLength": most} | ({"minLength": least} if least else {})
    return Reader(read, str, schema, right, description, is_secret=secret)


def naming(description: str) -> Reader:
    """The name of a thing, by which the rest of the file refers to it."""
    return text(description, 64, least=1)


def reference(section: str, description: str, *, or_nothing: bool = False) -> Reader:
    """The name (or prefix) of an entry of `section`, in this file or already there."""
    schema: dict[str, Any] = {"type": ["string", "integer"] if section == "destinations" else "string", "minLength": 1}
    return Reader(str, str, schema, f"a name from {section}", description, or_nothing, section=section)


def pattern(
    expression: str, right: str, description: str, *, numeric: bool = False, or_nothing: bool = False
) -> Reader:
    """Text of one regular form; `numeric` where YAML would take it for a number."""

    def read(value: str) -> str:
        if not re.fullmatch(expression, value):
            raise ValueError("")
        return value

    schema = {"type": ["string", "integer"] if numeric else "string", "pattern": f"^(?:{expression})$"}
    return Reader(read, str, schema, right, description, or_nothing)


def whole(least: int, most: int, description: str, *, or_nothing: bool = False) -> Reader:
    """A whole number in a range."""

    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", value) or not least <= int(value) <= most:
            raise ValueError("")
        return int(value)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Reader(read, str, schema, f"a whole number from {least} to {most}", description, or_nothing)


def yes_no(description: str) -> Reader:
    """true or false."""

    def read(value: str) -> bool:
        if value not in ("true", "false"):
            raise ValueError("")
        return value == "true"

    return Reader(read, lambda value: "true" if value else "false", {"type": "boolean"}, "true or false", description)


def choice(choices: Sequence[str], description: str) -> Reader:
    """One of a few words."""
    right = " or ".join(choices)

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"write {right}{near(value, choices, 1) if get_close_matches(value, choices) else ''}")
        return value

    return Reader(read, str, {"type": "string", "enum": list(choices)}, right, description)


FUNDS_MAX = 1_000_000_000  # units


def amount(description: str, *, most: int, least: int = 0, or_nothing: bool = False) -> Reader:
    """An amount of money in units of the currency, read exactly into micros; `least` and `most` in whole units."""
    right = f"an amount from {least} to {most} with at most 6 decimals, as in 0.10"

    def read(value: str) -> int:
        try:
            micros = parse_amount(value)
        except AmountError:
            raise ValueError("") from None
        if not least * MICROS_PER_UNIT <= micros <= most * MICROS_PER_UNIT:
            raise ValueError("")
        return micros

    schema = {"type": ["number", "string"], "minimum": least, "maximum": most, "pattern": r"^-?[0-9]+(\.[0-9]{1,6})?$"}
    return Reader(read, format_amount, schema, right, description, or_nothing)


def exchange(description: str) -> Reader:
    """How much of a currency another one is worth, read exactly into micros."""
    right = "an amount from 0.000001 to 1000000000 with at most 6 decimals, as in 0.92"

    def read(value: str) -> int:
        try:
            micros = parse_amount(value)
        except AmountError:
            raise ValueError("") from None
        if not 0 < micros <= AMOUNT_MICROS_MAX:
            raise ValueError("")
        return micros

    schema = {"type": ["number", "string"], "exclusiveMinimum": 0, "pattern": r"^[0-9]+(\.[0-9]{1,6})?$"}
    return Reader(read, format_amount, schema, right, description)


def percent(description: str) -> Reader:
    """A percentage with at most four decimals, read into parts per million."""

    def read(value: str) -> int:
        try:
            ppm = percent_to_ppm(value)
        except AmountError:
            raise ValueError("") from None
        if not 0 <= ppm <= 10_000_000:
            raise ValueError("")
        return ppm

    schema = {
        "type": ["number", "string"],
        "minimum": 0,
        "maximum": 1000,
        "pattern": r"^[0-9]+(\.[0-9]{1,4})?$",
    }
    return Reader(read, format_percent, schema, "a percentage from 0 to 1000, as in 2.5", description)


def instant(description: str) -> Reader:
    """A moment with its zone, read into UTC; may be nothing."""

    def read(value: str) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise ValueError
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError("") from None

    right = "date, time and zone, as in 2026-01-31T00:00:00Z or 2026-01-31T00:00:00-03:00"
    return Reader(
        read,
        lambda moment: moment.isoformat().replace("+00:00", "Z"),
        {"type": "string", "format": "date-time"},
        right,
        description,
        may_be_nothing=True,
    )


def date(description: str) -> Reader:
    """A day of the calendar."""

    def read(value: str) -> str:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise ValueError("")
        try:
            return calendar_date.fromisoformat(value).isoformat()
        except ValueError:
            raise ValueError("") from None

    schema = {"type": "string", "format": "date"}
    return Reader(read, str, schema, "a day, as in 2026-01-31", description)


def zone(description: str) -> Reader:
    """The name of a time zone of the IANA database."""

    def read(value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"write UTC or a name like America/Sao_Paulo{_near_zone(value)}") from None
        return value

    schema = {"type": "string", "minLength": 1, "maxLength": 64}
    return Reader(read, str, schema, "UTC or a name like America/Sao_Paulo", description)


def _near_zone(value: str) -> str:
    close = get_close_matches(value, sorted(available_timezones()), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def currency_code(description: str) -> Reader:
    """A currency by its three letters."""
    return pattern("[A-Z]{3}", "the three letters of ISO 4217, as in USD", description)


def country_code(description: str) -> Reader:
    """A country whose numbering plan is known."""

    def read(value: str) -> str:
        if value not in country_names():
            raise ValueError("")
        return value

    schema = {"type": "string", "pattern": "^[A-Z]{2}$"}
    return Reader(read, str, schema, "the two letters of a country, as in US or BR", description)


def parsed(parse: Callable[[str], Any], most: int, right: str, description: str) -> Reader:
    """Text of a small language, up to `most` characters, held against its own parser; the empty text needs none."""

    def read(value: str) -> str:
        if len(value) > most:
            raise ValueError(f"write at most {most} characters")
        if value:
            parse(value)
        return value

    return Reader(read, str, {"type": "string", "maxLength": most}, right, description)


def several(known: Sequence[str], description: str, *, or_none: bool = False) -> Reader:
    """Some of a few words in an order, comma between; with `or_none` the empty text too."""
    right = f"some of {', '.join(known)}, in order, comma between"

    def read(value: str) -> str:
        if or_none and not value:
            return value
        words = [word.strip() for word in value.split(",")]
        if not set(words) <= set(known) or len(set(words)) != len(words):
            raise ValueError("")
        return ",".join(words)

    word = f"({'|'.join(known)})"
    expression = f"{word}( *, *{word})*"
    expression = f"^({expression})?$" if or_none else f"^{expression}$"
    return Reader(read, str, {"type": "string", "pattern": expression}, right, description)


def mail_address(description: str) -> Reader:
    """An e-mail address, or the empty text."""

    def read(value: str) -> str:
        try:
            return value and validate_email(value, check_deliverability=False).normalized
        except EmailNotValidError:
            raise ValueError("") from None

    schema = {"type": "string", "maxLength": 254}
    return Reader(read, str, schema, "an e-mail address, as in ann@example.com", description)


def telephone_numbers(most: int, description: str) -> Reader:
    """Some telephone numbers as E.164 digits, comma between, or the empty text; kept in order."""
    number = "[1-9][0-9]{4,14}"
    right = f"up to {most} numbers with their country codes, digits alone, comma between"

    def read(value: str) -> str:
        numbers = [each.strip() for each in value.split(",")] if value else []
        if len(numbers) > most or not all(re.fullmatch(number, each) for each in numbers):
            raise ValueError("")
        return ",".join(sorted(set(numbers)))

    schema = {"type": ["string", "integer"], "pattern": f"^({number}( *, *{number})*)?$"}
    return Reader(read, str, schema, right, description)
