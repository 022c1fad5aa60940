"""Off-peak periods: the text of Time::Period, whether an instant lies in one, and when that changes.

`hr{6pm-5am} wd{mo-fr}, md{1 24-26} mo{dec}`: definitions between commas, any of which may hold; in a definition every scale
must hold. Scales: hr (0-23, or 12am..11pm), min (0-59), wd (su mo tu we th fr sa, or 1-7 from Sunday), md (1-31),
mo (jan..dec, or 1-12). Ranges include their ends (5am runs to 05:59:59) and may wrap round. Prices are not known here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

TEXT_LENGTH_MAX = 1000
DEFINITIONS_MAX = 32

_WEEK_DAYS = ("su", "mo", "tu", "we", "th", "fr", "sa")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_HOURS = {f"{hour % 12 or 12}{half}": hour for hour in range(24) for half in ("am" if hour < 12 else "pm",)}

NAMES_SAID_MAX = 12

# The first and last number of a scale, and its words.
_SCALES: dict[str, tuple[int, int, dict[str, int]]] = {
    "hr": (0, 23, _HOURS),
    "min": (0, 59, {}),
    "wd": (1, 7, {name: number for number, name in enumerate(_WEEK_DAYS, 1)}),
    "md": (1, 31, {}),
    "mo": (1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
}


class PeriodError(ValueError):
    """Text that is no off-peak period; the message says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What must hold together: the allowed numbers of each scale."""

    hours: frozenset[int]
    minutes: frozenset[int]
    week_days: frozenset[int]
    month_days: frozenset[int]
    months: frozenset[int]

    def holds(self, local: datetime) -> bool:
        """Whether the local time lies in this definition."""
        return (
            local.hour in self.hours
            and local.isoweekday() % 7 + 1 in self.week_days
            and local.minute in self.minutes
            and local.day in self.month_days
            and local.month in self.months
        )


@dataclass(frozen=True, slots=True)
class Period:
    """A union of definitions."""

    definitions: tuple[Definition, ...]

    def contains(self, instant: datetime, zone: ZoneInfo) -> bool:
        """Whether an aware instant lies in the period as the clocks of `zone` show it."""
        local = instant.astimezone(zone)
        return any(definition.holds(local) for definition in self.definitions)

    def changes(self, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """The instants in (start, end] at which the period begins or ends, in UTC, in order."""
        minutes = _turning_minutes(self)
        instant, inside = start.astimezone(UTC), self.contains(start, zone)
        while (instant := _next_tick(instant, zone, minutes)) <= end:
            if self.contains(instant, zone) != inside:
                inside = not inside
                yield instant


@lru_cache(maxsize=1024)
def _turning_minutes(period: Period) -> tuple[int, ...]:
    """The minutes of an hour at which a definition may begin or end to hold, in order, and the next hour's first."""
    turning = {
        minute
        for definition in period.definitions
        for minute in range(60)
        if (minute in definition.minutes) != ((minute - 1) % 60 in definition.minutes)
    }
    return (*sorted(turning - {0}), 60)


def _next_tick(instant: datetime, zone: ZoneInfo, minutes: tuple[int, ...]) -> datetime:
    """The next instant at which a local hour, or one of the minutes of it, begins. A change of the clocks is on an hour."""
    local = instant.astimezone(zone)
    following = next(minute for minute in minutes if minute > local.minute)
    return instant + timedelta(minutes=following - local.minute, seconds=-local.second, microseconds=-local.microsecond)


@lru_cache(maxsize=1024)
def parse(text: str) -> Period:
    """Read a period such as `hr{6pm-5am} wd{mo-fr}, md{1 24-26} mo{dec}`; raises PeriodError (domain 3).

    Of several periods, one a line, the union.
    """
    return Period(tuple(definition for line in text.split("\n") for definition in _definitions(line)))


def _definitions(text: str) -> tuple[Definition, ...]:
    if len(text) > TEXT_LENGTH_MAX:
        raise PeriodError(f"an off-peak period has at most {TEXT_LENGTH_MAX} characters")
    parts = text.lower().split(",")
    if len(parts) > DEFINITIONS_MAX:
        raise PeriodError(f"an off-peak period has at most {DEFINITIONS_MAX} definitions")
    return tuple(_definition(part.strip()) for part in parts)


def _definition(text: str) -> Definition:
    if not text:
        raise PeriodError("a definition is missing; write one as in hr{6pm-5am} wd{mo-fr}")
    allowed: dict[str, frozenset[int]] = {}
    rest = text
    while rest:
        scale, opening, rest = rest.partition("{")
        inside, closing, rest = rest.partition("}")
        scale, rest = scale.strip(), rest.strip()
        if scale not in _SCALES or not opening or not closing:
            raise PeriodError(f"{text!r}: write {', '.join(_SCALES)} with what is meant in braces, as in hr{{6pm-5am}}")
        allowed[scale] = allowed.get(scale, frozenset()) | _numbers(scale, inside)
    return Definition(
        *(allowed.get(scale, frozenset(range(low, high + 1))) for scale, (low, high, _) in _SCALES.items())
    )


def _numbers(scale: str, inside: str) -> frozenset[int]:
    ranges = inside.split()
    if not ranges:
        raise PeriodError(f"{scale}{{}} is empty; write at least one number or range in it")
    low, high, _ = _SCALES[scale]
    numbers: set[int] = set()
    for each in ranges:
        first_text, dash, last_text = each.partition("-")
        first = _number(scale, first_text)
        last = _number(scale, last_text) if dash else first
        numbers.update(range(first, last + 1) if first <= last else (*range(first, high + 1), *range(low, last + 1)))
    return frozenset(numbers)


def _named(words: dict[str, int]) -> str:
    """What else may be written, in a message; of many words the first and the last."""
    if not words:
        return ""
    names = list(words)
    return f" or {names[0]} to {names[-1]}" if len(names) > NAMES_SAID_MAX else f" or {', '.join(names)}"


def _number(scale: str, text: str) -> int:
    low, high, words = _SCALES[scale]
    if text in words:
        return words[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and low <= int(text) <= high):
        raise PeriodError(f"{text!r} in {scale}{{}}: write {low} to {high}{_named(words)}")
    return int(text)
