"""Slices: how much of the funds a callback needs set aside to go on for a while, and how far less than that would carry it. Pure.

A callback with overdraft protection *Slices* locks what the next seconds of both legs cost, ahead of time, and shares the rest of
the balance with others (domain 4). What is needed is computed by the same charges as the limit: with what `funds` says,
limit.joint_limit gives at least those seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from webcb.billing.limit import joint_funds, sole_funds
from webcb.billing.pricing import Pricing

UNLIMITED_MICROS = 1 << 62  # the funds of a callback that may overdraw

ProtectionKind = Literal["whole balance", "slices", "none"]
_STRICTEST_FIRST: tuple[ProtectionKind, ...] = ("whole balance", "slices", "none")


@dataclass(frozen=True, slots=True)
class Protection:
    """How a callback is kept from overdrawing, and how many seconds a slice of it is."""

    kind: ProtectionKind = "slices"
    slice_seconds: int = 60


USUAL = Protection()


def stricter(one: Protection, other: Protection) -> Protection:
    """What holds where the two legs have usage charges of their own: the stricter kind, the shorter slice."""
    kind = min(one.kind, other.kind, key=_STRICTEST_FIRST.index)
    return Protection(kind, min(one.slice_seconds, other.slice_seconds))


@dataclass(frozen=True, slots=True)
class Waiting:
    """What lets A wait on for B until it has run `ran_us`, and then both talk for `seconds`.

    `pricings_of_a` are all that A may be settled by, the one for when B answers first.
    """

    pricings_of_a: tuple[Pricing, ...]
    pricing_b: Pricing
    ran_us: int
    seconds: int

    def funds(self, seconds: int) -> int:
        """The least funds, in micros, for so many seconds of both after the wait."""
        both = joint_funds(self.pricings_of_a[0], self.pricing_b, self.ran_us, seconds)
        return max(both, sole_funds(self.pricings_of_a, -(-self.ran_us // 1_000_000) + seconds))


@dataclass(frozen=True, slots=True)
class Talking:
    """What lets both talk until `seconds` after B was answered, A having run `ran_us` by then."""

    pricing_a: Pricing
    pricing_b: Pricing
    ran_us: int
    seconds: int

    def funds(self, seconds: int) -> int:
        """The least funds, in micros, for so many seconds from the answer of B."""
        return joint_funds(self.pricing_a, self.pricing_b, self.ran_us, seconds)


@dataclass(frozen=True, slots=True)
class Alone:
    """What lets A be on the line alone for `seconds` more than the `ran_us` it has run, with nobody to be called yet."""

    pricings_of_a: tuple[Pricing, ...]
    ran_us: int
    seconds: int

    def funds(self, seconds: int) -> int:
        """The least funds, in micros, for so many more seconds."""
        return sole_funds(self.pricings_of_a, -(-self.ran_us // 1_000_000) + seconds)


Need = Alone | Waiting | Talking


def fitting(need: Need, most_micros: int) -> int:
    """What to set aside of at most `most_micros`: all that is needed, or what of it still buys a second; 0: nothing does."""
    wanted = need.funds(need.seconds)
    if wanted <= most_micros:
        return wanted
    return need.funds(_longest(need.funds, need.seconds, most_micros))


def _longest(funds: Callable[[int], int], seconds: int, most_micros: int) -> int:
    """The most of `seconds` whose funds fit; they never fall with time."""
    fits, exceeds = 0, seconds
    while exceeds - fits > 1:
        middle = (fits + exceeds) // 2
        fits, exceeds = (middle, exceeds) if funds(middle) <= most_micros else (fits, middle)
    return fits


def first(pricings_of_a: Sequence[Pricing], pricing_b: Pricing, seconds: int) -> Waiting:
    """What a callback needs before A is called: to talk a slice long where B answers at once."""
    return Waiting(tuple(pricings_of_a), pricing_b, 0, seconds)
