"""Rate formulas: the elements a charge is walked through, their text, and the bounded parser of that text.

A flat rate is the formula `1 x first @ first; * x next @ next`, so rating.py knows only one way to charge. No cost is
computed here.

    formula   = element *( ";" element )
    element   = count "x" seconds "@" price | "fee" amount | "surcharge" percent "%" | "disconnect"
    count     = 1*DIGIT | "*"
    seconds   = 1*DIGIT | "first" | "next"
    price     = amount per minute | "first" | "next"

A formula ends with `* x ...` or with `disconnect`: what a minute costs is said to the end.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from webcb import money

TEXT_LENGTH_MAX = 500
ELEMENTS_MAX = 32
COUNT_MAX = 86_400
SECONDS_MAX = 86_400
AMOUNT_MICROS_MAX = 10**12
SURCHARGE_PPM_MAX = 10_000_000

Own = Literal["first", "next"]  # the rate's own interval or price


class FormulaError(ValueError):
    """Text that is no rate formula; the message says which element is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """First and next interval in whole seconds, and their prices in micros per minute (domain 3)."""

    first_seconds: int
    next_seconds: int
    first_price_micros: int
    next_price_micros: int


@dataclass(frozen=True, slots=True)
class Run:
    """`count` intervals of `seconds` at `price_micros` a minute, each charged whole; count None: to the end of the call."""

    count: int | None
    seconds: int
    price_micros: int


@dataclass(frozen=True, slots=True)
class Fee:
    """An amount, charged when the call goes on beyond this point."""

    amount_micros: int


@dataclass(frozen=True, slots=True)
class Surcharge:
    """A share of the cost so far, in parts per million, charged when the call goes on beyond this point."""

    ppm: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The call does not go on beyond this point."""


@dataclass(frozen=True, slots=True)
class OwnRun:
    """A Run as written: interval or price may be the rate's own."""

    count: int | None
    seconds: int | Own
    price_micros: int | Own


Element = Run | Fee | Surcharge | Disconnect
Written = OwnRun | Fee | Surcharge | Disconnect

FLAT: tuple[Written, ...] = (OwnRun(1, "first", "first"), OwnRun(None, "next", "next"))


@lru_cache(maxsize=4096)
def plan(text: str, intervals: Intervals) -> tuple[Element, ...]:
    """The elements a call is charged by: the formula in `text` ("" is a flat rate) over the rate's own intervals."""
    return tuple(_resolve(element, intervals) for element in (parse(text) if text else FLAT))


def _resolve(element: Written, intervals: Intervals) -> Element:
    if not isinstance(element, OwnRun):
        return element
    seconds = {"first": intervals.first_seconds, "next": intervals.next_seconds}
    price = {"first": intervals.first_price_micros, "next": intervals.next_price_micros}
    return Run(
        element.count,
        seconds[element.seconds] if isinstance(element.seconds, str) else element.seconds,
        price[element.price_micros] if isinstance(element.price_micros, str) else element.price_micros,
    )


def parse(text: str) -> tuple[Written, ...]:
    """Read a formula such as `1x1@1.80; 2x60@1.80; fee 0.50; *x6@next`; raises FormulaError (domain 3)."""
    if len(text) > TEXT_LENGTH_MAX:
        raise FormulaError(f"a rate formula has at most {TEXT_LENGTH_MAX} characters")
    parts = [part.strip() for part in text.split(";")]
    if parts[-1] == "":  # a semicolon after the last element does no harm
        parts.pop()
    if not parts or len(parts) > ELEMENTS_MAX:
        raise FormulaError(f"a rate formula has 1 to {ELEMENTS_MAX} elements, as in 1x60@0.10; *x6@0.08")
    elements = tuple(_element(part, position) for position, part in enumerate(parts, 1))
    for position, element in enumerate(elements, 1):
        if _ends(element) != (position == len(elements)):
            rule = "nothing can follow it" if _ends(element) else "the last element must be *x...@... or disconnect"
            raise FormulaError(f"element {position}, {parts[position - 1]!r}: {rule}")
    if isinstance(elements[-1], Disconnect) and not (len(elements) > 1 and isinstance(elements[-2], OwnRun)):
        raise FormulaError("a rate formula needs an interval right before disconnect, as in 10x60@0.10; disconnect")
    return elements


def _ends(element: Written) -> bool:
    return isinstance(element, Disconnect) or (isinstance(element, OwnRun) and element.count is None)


def _element(part: str, position: int) -> Written:
    lowered = part.lower()
    word, _, rest = lowered.partition(" ")
    try:
        if lowered == "disconnect":
            return Disconnect()
        if word == "fee":
            return Fee(_amount(rest))
        if word == "surcharge":
            return Surcharge(_percent(rest.strip()))
        return _run(lowered)
    except ValueError as wrong:
        raise FormulaError(f"element {position}, {part!r}: {wrong}") from None


def _run(text: str) -> OwnRun:
    count, times, rest = text.partition("x")
    seconds, at, price = rest.partition("@")
    if not times or not at:
        raise ValueError("write 2x60@0.10, fee 0.50, surcharge 5% or disconnect")
    return OwnRun(
        None if count.strip() == "*" else _whole(count, COUNT_MAX),
        _own(seconds) or _whole(seconds, SECONDS_MAX),
        _own(price) or _amount(price),
    )


def _own(text: str) -> Own | None:
    names: dict[str, Own] = {"first": "first", "next": "next"}
    return names.get(text.strip())


def _whole(text: str, most: int) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()) or not 1 <= int(digits) <= most:
        raise ValueError(f"{digits!r} must be a whole number from 1 to {most}")
    return int(digits)


def _amount(text: str) -> int:
    micros = money.parse_amount(text)
    if not 0 <= micros <= AMOUNT_MICROS_MAX:
        raise ValueError(f"an amount lies from 0 to {money.format_amount(AMOUNT_MICROS_MAX, decimals_min=0)}")
    return micros


def _percent(text: str) -> int:
    if not text.endswith("%"):
        raise ValueError("write the surcharge with a percent sign, as in surcharge 5%")
    ppm = money.percent_to_ppm(text.removesuffix("%"))
    if not 0 <= ppm <= SURCHARGE_PPM_MAX:
        raise ValueError(f"a surcharge lies from 0% to {SURCHARGE_PPM_MAX // 10_000}%")
    return ppm
