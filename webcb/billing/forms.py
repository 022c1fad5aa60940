"""Off-peak periods and rate formulas as the fields of a form, and back to the text that is stored (domain 3). Pure.

A form shows what its text says and writes the same text again: what is read from a text and written means the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from webcb import money
from webcb.billing import formula, period
from webcb.billing.formula import Disconnect, Fee, OwnRun, Surcharge, Written
from webcb.billing.period import Definition, PeriodError

Numbers = tuple[int, ...]

_WEEK_DAYS = ("su", "mo", "tu", "we", "th", "fr", "sa")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class PeriodFields:
    """One definition of a period: what is ticked. An empty field is all of it; hours 0-23, week days 1-7 from Sunday."""

    hours: Numbers = ()
    minutes: Numbers = ()
    week_days: Numbers = ()
    month_days: Numbers = ()
    months: Numbers = ()


def period_text(definitions: Iterable[PeriodFields]) -> str:
    """The text of a period that is the union of these definitions; raises PeriodError with what is wrong.

    What runs over the end of its scale is written as one range: 18 to 5 o'clock is hr{6pm-5am}.
    """
    text = ", ".join(_definition_text(definition) for definition in definitions)
    if not text:
        raise PeriodError("a period has at least one definition")
    period.parse(text)
    return text


def period_fields(text: str) -> tuple[PeriodFields, ...]:
    """The fields of a form for a text; raises PeriodError. A scale of which everything is meant is an empty field."""
    return tuple(_definition_fields(definition) for definition in period.parse(text).definitions)


def _definition_fields(definition: Definition) -> PeriodFields:
    scales = (
        (definition.hours, 24),
        (definition.minutes, 60),
        (definition.week_days, 7),
        (definition.month_days, 31),
        (definition.months, 12),
    )
    fields = PeriodFields(*(() if len(numbers) == size else tuple(sorted(numbers)) for numbers, size in scales))
    # Nothing ticked at all would be no definition: what is always shows all its hours.
    return PeriodFields(hours=tuple(range(24))) if fields == PeriodFields() else fields


def _definition_text(fields: PeriodFields) -> str:
    scales = (
        ("hr", fields.hours, 0, 23, _hour),
        ("min", fields.minutes, 0, 59, str),
        ("wd", fields.week_days, 1, 7, lambda number: _WEEK_DAYS[number - 1]),
        ("md", fields.month_days, 1, 31, str),
        ("mo", fields.months, 1, 12, lambda number: _MONTHS[number - 1]),
    )
    parts = []
    for scale, numbers, low, high, name in scales:
        if any(not low <= number <= high for number in numbers):
            raise PeriodError(f"{scale}: choose from {low} to {high}")
        if numbers:
            ranges = _ranges(sorted(set(numbers)), low, high)
            said = (name(first) if first == last else f"{name(first)}-{name(last)}" for first, last in ranges)
            parts.append(f"{scale}{{{' '.join(said)}}}")
    if not parts:
        raise PeriodError("a definition is missing; choose at least one hour, day or month")
    return " ".join(parts)


def _hour(number: int) -> str:
    return f"{number % 12 or 12}{'am' if number < 12 else 'pm'}"


def _ranges(numbers: list[int], low: int, high: int) -> list[tuple[int, int]]:
    """Ranges of neighbours; one that reaches the end and one that begins at the start are a single one that wraps round."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    if len(ranges) > 1 and ranges[0][0] == low and ranges[-1][1] == high:
        ranges = [*ranges[1:-1], (ranges[-1][0], ranges[0][1])]
    return ranges


# Formulas ------------------------------------------------------------------------------------------------------------


def formula_text(elements: Iterable[Written]) -> str:
    """The text of a formula of these elements, one for each row of the form; raises FormulaError with what is wrong."""
    text = "; ".join(_element_text(element) for element in elements)
    formula.parse(text)
    return text


def formula_fields(text: str) -> tuple[Written, ...]:
    """The rows of a form for a text: interval runs, fees, surcharges, disconnect; raises FormulaError."""
    return formula.parse(text)


def _element_text(element: Written) -> str:
    match element:
        case OwnRun(count, seconds, price):
            amount = price if isinstance(price, str) else money.format_amount(price)
            return f"{'*' if count is None else count}x{seconds}@{amount}"
        case Fee(amount_micros):
            return f"fee {money.format_amount(amount_micros)}"
        case Surcharge(ppm):
            return f"surcharge {money.format_percent(ppm)}%"
        case Disconnect():
            return "disconnect"
