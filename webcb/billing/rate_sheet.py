"""Rate sheets: a row of a file as a line with a price, and what the lines would change in a tariff. Pure.

Files are workbook.py's, rows of the database rate_import.py's.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal

from webcb import money
from webcb.billing import formula, rating
from webcb.billing.formula import Intervals
from webcb.billing.pricing import Pricing

INTERVAL_SECONDS_MAX: Final = 86_400
PRICE_MICROS_MAX: Final = 10**12
DESCRIPTION_CHARACTERS_MAX: Final = 120
PREFIX_DIGITS_MAX: Final = 15

Mode = Literal["add", "replace"]


class Kind(StrEnum):
    """What a line would do."""

    NEW = "new"
    DEARER = "dearer"
    CHEAPER = "cheaper"
    OTHER = "other"  # dearer for some lengths of a call and cheaper for others, or the same for those compared
    SAME = "same"
    FORBIDDEN = "forbidden"
    DISCONTINUED = "discontinued"
    WITHDRAWN = "withdrawn"  # a rate that was to come


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rate says of a prefix: intervals in seconds, prices in micros per minute."""

    intervals: Intervals
    off_peak: Intervals | None = None
    formula: str = ""
    forbidden: bool = False
    discontinued: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a sheet. `effective_at` None: at once."""

    number: int
    prefix: str
    terms: Terms
    effective_at: datetime | None = None
    country: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line, and what would be right; line 0 is the file."""

    line: int
    column: str
    text: str

    def said(self) -> str:
        place = f"line {self.line}, {self.column}" if self.column else f"line {self.line}"
        return f"{place}: {self.text}" if self.line else self.text


@dataclass(frozen=True, slots=True)
class Change:
    """A rate that would be written, or (SAME) not. `line` None: a prefix that the file does not have."""

    kind: Kind
    prefix: str
    effective_at: datetime
    terms: Terms
    before: Terms | None
    line: int | None


# Reading -------------------------------------------------------------------------------------------------------------


def _prefix(text: str) -> str:
    digits = text.removeprefix("+").replace(" ", "")
    if digits == "|":
        return digits
    if not (digits.isascii() and digits.isdigit() and 1 <= len(digits) <= PREFIX_DIGITS_MAX and digits[0] != "0"):
        raise ValueError(
            f"{text!r} is no prefix; write 1 to {PREFIX_DIGITS_MAX} digits as in 5511, or | for all others"
        )
    return digits


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= INTERVAL_SECONDS_MAX):
        raise ValueError(f"{text!r} is no interval; write whole seconds, 1 to {INTERVAL_SECONDS_MAX}")
    return int(text)


def _price(text: str) -> int:
    micros = money.parse_amount(text)
    if not 0 <= micros <= PRICE_MICROS_MAX:
        raise ValueError(f"{text!r} is no price; write 0 to {money.format_amount(PRICE_MICROS_MAX, decimals_min=0)}")
    return micros


def _yes(text: str) -> bool:
    words = {"yes": True, "y": True, "1": True, "true": True, "no": False, "n": False, "0": False, "false": False}
    if text.lower() not in words:
        raise ValueError(f"{text!r} is not good; write yes or no")
    return words[text.lower()]


def _formula(text: str) -> str:
    if len(text) > formula.TEXT_LENGTH_MAX:
        raise ValueError(f"a formula has at most {formula.TEXT_LENGTH_MAX} characters")
    formula.parse(text)
    return text


def _country(text: str) -> str:
    if not (text.isascii() and text.isalpha() and text.isupper() and len(text) == 2):
        raise ValueError(f"{text!r} is no country; write two capital letters, as in BR")
    return text


def _description(text: str) -> str:
    if len(text) > DESCRIPTION_CHARACTERS_MAX or not text.isprintable():
        raise ValueError(f"a description has at most {DESCRIPTION_CHARACTERS_MAX} characters on one line")
    return text


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date; write 2026-12-31 or 2026-12-31 18:00") from None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet: its head, how its cells are read, and whether every sheet has it."""

    head: str
    read: Callable[[str], Any]
    required: bool = False


COLUMNS: Final = {
    "prefix": Column("Destination", _prefix, required=True),
    "country": Column("Country", _country),
    "description": Column("Description", _description),
    "first_seconds": Column("First interval", _seconds, required=True),
    "next_seconds": Column("Next interval", _seconds, required=True),
    "first_price": Column("First price", _price, required=True),
    "next_price": Column("Next price", _price, required=True),
    "off_peak_first_seconds": Column("Off-peak first interval", _seconds),
    "off_peak_next_seconds": Column("Off-peak next interval", _seconds),
    "off_peak_first_price": Column("Off-peak first price", _price),
    "off_peak_next_price": Column("Off-peak next price", _price),
    "formula": Column("Rate formula", _formula),
    "effective_from": Column("Effective from", _instant),
    "forbidden": Column("Forbidden", _yes),
    "discontinued": Column("Discontinued", _yes),
    "hidden": Column("Hidden", _yes),
}
HEADS: Final = tuple(column.head for column in COLUMNS.values())
# Lines that show how a sheet is written; a template has them.
EXAMPLES: Final = (
    ("5511", "BR", "Brazil, Sao Paulo", 60, 6, Decimal("0.10"), Decimal("0.10"), *[None] * 5, "", "no", "no", "no"),
    ("|", "", "Everything else", 60, 60, Decimal(1), Decimal(1), *[None] * 5, "2030-12-31 00:00", "yes", "no", "no"),
)
_OFF_PEAK = ("off_peak_first_seconds", "off_peak_next_seconds", "off_peak_first_price", "off_peak_next_price")
_NAMES = {column.head.lower(): name for name, column in COLUMNS.items()}


@dataclass(frozen=True, slots=True)
class Sheet:
    """The lines of a file that can be read, and everything that is wrong with it."""

    lines: list[Line]
    problems: list[Problem]


def read(table: Sequence[Sequence[str]], zone: tzinfo) -> Sheet:
    """A file as a sheet. `zone` is that of instants that name none."""
    begin = next((place for place, row in enumerate(table) if any(row)), None)
    if begin is None:
        return Sheet([], [Problem(0, "", f"the file is empty; its first line names the columns: {', '.join(HEADS)}")])
    places, problems = _places(table[begin], begin + 1)
    lines: list[Line] = []
    seen: dict[tuple[str, datetime | None], int] = {}
    if problems:
        return Sheet([], problems)
    for number, row in enumerate(table[begin + 1 :], begin + 2):
        if not any(row):
            continue
        line = _line(
            number, {name: row[place] if place < len(row) else "" for name, place in places.items()}, zone, problems
        )
        if line is None:
            continue
        key = line.prefix, line.effective_at
        if key in seen:
            problems.append(Problem(number, "Destination", f"{line.prefix} stands in line {seen[key]} already"))
        seen.setdefault(key, number)
        lines.append(line)
    if not lines and not problems:
        problems.append(Problem(0, "", "the file has no rates below its heads"))
    return Sheet(lines, problems)


def _places(heads: Sequence[str], number: int) -> tuple[dict[str, int], list[Problem]]:
    """Where each column stands, by the line of heads."""
    places: dict[str, int] = {}
    problems = []
    for place, head in enumerate(heads):
        name = _NAMES.get(head.lower().removesuffix(", seconds"))
        if name is None and head:
            problems.append(Problem(number, head, f"no such column; write {', '.join(HEADS)}"))
        elif name in places:
            problems.append(Problem(number, head, "the column is there twice"))
        elif name is not None:
            places[name] = place
    for name, column in COLUMNS.items():
        if column.required and name not in places:
            problems.append(Problem(number, column.head, "the column is missing"))
    return places, problems


def _line(number: int, cells: Mapping[str, str], zone: tzinfo, problems: list[Problem]) -> Line | None:
    before = len(problems)
    values: dict[str, Any] = {}
    for name, text in cells.items():
        column = COLUMNS[name]
        if not text and not column.required:
            continue
        try:
            values[name] = column.read(text)
        except ValueError as wrong:
            problems.append(Problem(number, column.head, str(wrong) if text else "missing"))
    written = [name for name in _OFF_PEAK if name in values]
    if 0 < len(written) < len(_OFF_PEAK):
        missing = next(name for name in _OFF_PEAK if name not in values)
        problems.append(Problem(number, COLUMNS[missing].head, "missing; an off-peak price has all four fields"))
    if len(problems) > before:
        return None
    effective_at = values.get("effective_from")
    if effective_at is not None:
        effective_at = (effective_at if effective_at.tzinfo else effective_at.replace(tzinfo=zone)).astimezone(UTC)
    terms = Terms(
        Intervals(values["first_seconds"], values["next_seconds"], values["first_price"], values["next_price"]),
        Intervals(*(values[name] for name in _OFF_PEAK)) if written else None,
        values.get("formula", ""),
        values.get("forbidden", False),
        values.get("discontinued", False),
        values.get("hidden", False),
    )
    return Line(number, values["prefix"], terms, effective_at, values.get("country", ""), values.get("description", ""))


# Comparing -----------------------------------------------------------------------------------------------------------

# Rates of a prefix that hold or will: (effective_at, terms), oldest first.
Known = Mapping[str, Sequence[tuple[datetime, Terms]]]

_COMPARED_SECONDS = (1, 30, 60, 180, 600)


def changes(lines: Iterable[Line], known: Known, at: datetime, mode: Mode) -> list[Change]:
    """What the lines would change: a Change a line, in the order of the file; then, to replace, what the file lacks.

    Lines are compared with what holds at their own moment, earlier lines of the file among it.
    """
    lines = list(lines)
    holding: dict[str, list[tuple[datetime, Terms]]] = {}
    by_line: dict[int, Change] = {}
    named: set[tuple[str, datetime]] = set()
    for line in sorted(lines, key=lambda line: max(line.effective_at or at, at)):
        effective_at = max(line.effective_at or at, at)
        rates = known.get(line.prefix, ())
        holds = holding.setdefault(line.prefix, [rate for rate in rates if mode == "add" or rate[0] <= at])
        before = _in_force(holds, effective_at)
        kind = Kind.SAME if (effective_at, line.terms) in rates else _kind(before, line.terms)
        by_line[line.number] = Change(kind, line.prefix, effective_at, line.terms, before, line.number)
        holds.append((effective_at, line.terms))
        holds.sort(key=lambda rate: rate[0])
        named.add((line.prefix, effective_at))
    found = [by_line[line.number] for line in lines]
    return found + (list(_lacking(holding, named, known, at)) if mode == "replace" else [])


def _lacking(
    holding: Iterable[str], named: Container[tuple[str, datetime]], known: Known, at: datetime
) -> Iterator[Change]:
    """What holds of the prefixes that the file does not have ends; what was to come and is not in it will not come."""
    for prefix in sorted(known.keys() - set(holding)):
        terms = _in_force(known[prefix], at)
        if terms is not None and not terms.discontinued:
            yield Change(Kind.DISCONTINUED, prefix, at, replace(terms, discontinued=True), terms, None)
    for prefix in sorted(known):
        for effective_at, terms in known[prefix]:
            if effective_at > at and (prefix, effective_at) not in named:
                yield Change(Kind.WITHDRAWN, prefix, effective_at, terms, terms, None)


def _in_force(rates: Sequence[tuple[datetime, Terms]], at: datetime) -> Terms | None:
    held = [terms for effective_at, terms in rates if effective_at <= at]
    return held[-1] if held else None


def _kind(before: Terms | None, after: Terms) -> Kind:
    if before == after:
        return Kind.SAME
    if after.discontinued:
        return Kind.DISCONTINUED
    if after.forbidden:
        return Kind.FORBIDDEN
    if before is None or before.discontinued or before.forbidden:
        return Kind.NEW
    signs = _signs(before, after) - {0}
    return {frozenset({1}): Kind.DEARER, frozenset({-1}): Kind.CHEAPER}.get(frozenset(signs), Kind.OTHER)


def _signs(before: Terms, after: Terms) -> set[int]:
    """1 where something is dearer after, -1 where cheaper: prices where all else is equal, else what calls cost."""
    had, has = before.intervals, after.intervals
    pairs: Iterable[tuple[int, int]] = (
        (had.first_price_micros, has.first_price_micros),
        (had.next_price_micros, has.next_price_micros),
    )
    same_steps = (had.first_seconds, had.next_seconds) == (has.first_seconds, has.next_seconds)
    if not same_steps or after.formula or before.formula or before.off_peak != after.off_peak:
        pairs = zip(_costs(before), _costs(after), strict=True)
    return {(new > old) - (new < old) for old, new in pairs}


def _costs(terms: Terms) -> list[int]:
    intervals = [terms.intervals] if terms.off_peak is None else [terms.intervals, terms.off_peak]
    pricings = [Pricing(intervals=each, formula=terms.formula, decimals=money.DECIMALS_MAX) for each in intervals]
    return [rating.amount(pricings[place % len(pricings)], seconds) for place, seconds in _compared(len(pricings))]


def _compared(count: int) -> list[tuple[int, int]]:
    """Both prices of two, or the one price twice, so that a rate that gets its second price can be compared."""
    return [(place if count > 1 else 0, seconds) for place in (0, 1) for seconds in _COMPARED_SECONDS]


# Writing -------------------------------------------------------------------------------------------------------------


def row(prefix: str, country: str, description: str, terms: Terms, effective_at: datetime, zone: tzinfo) -> list[Any]:
    """A rate as the cells of a line, for workbook.write; `read` gives it back."""
    off_peak = terms.off_peak
    return [
        prefix,
        country,
        description,
        terms.intervals.first_seconds,
        terms.intervals.next_seconds,
        _decimal(terms.intervals.first_price_micros),
        _decimal(terms.intervals.next_price_micros),
        off_peak and off_peak.first_seconds,
        off_peak and off_peak.next_seconds,
        None if off_peak is None else _decimal(off_peak.first_price_micros),
        None if off_peak is None else _decimal(off_peak.next_price_micros),
        terms.formula,
        effective_at.astimezone(zone).isoformat(sep=" ", timespec="auto"),
        terms.forbidden,
        terms.discontinued,
        terms.hidden,
    ]


def _decimal(micros: int) -> Decimal:
    return Decimal(money.format_amount(micros))
