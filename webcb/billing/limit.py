"""Limits: the longest whole number of seconds that funds allow, for one leg and for two that run together.

The answer is a safe prefix (domain 1.3): every shorter call fits the funds as well, so a cut anywhere overdraws nothing. A
charge falls with time only where an off-peak rate looks at the end of the call; between the instants at which that changes
it never falls, and there stairs.py computes the last second that fits from the very steps that are charged.
"""

from collections.abc import Sequence

from webcb.billing import rating
from webcb.billing.formula import Intervals
from webcb.billing.pricing import Pricing
from webcb.billing.stairs import Stairs, last_that_fits

_MICROSECONDS = 1_000_000
_FREE_OF_CHARGE = Pricing(Intervals(1, 1, 0, 0))

_Stretch = tuple[int, tuple[Stairs, ...]]


def joint_limit(pricing_a: Pricing, pricing_b: Pricing, ran_a_us: int, funds_micros: int, seconds_max: int) -> int:
    """Longest talk in whole seconds T, at most `seconds_max`; 0 where not even the first second fits (domain 1.3).

    Leg A has run `ran_a_us` microseconds when B is answered: it is charged for `ran_a_us` + T seconds, rounded up.
    """
    ran_up = -(-ran_a_us // _MICROSECONDS)
    most = seconds_max
    if pricing_a.seconds_max is not None:
        most = min(most, pricing_a.seconds_max - ran_up)
    if pricing_b.seconds_max is not None:
        most = min(most, pricing_b.seconds_max)
    if most < 1:
        return 0
    if pricing_a.off_peak is None and pricing_b.off_peak is None:
        return last_that_fits(pricing_a.peak_stairs, pricing_b.peak_stairs, ran_up, funds_micros, 1, most)
    ran_whole = ran_a_us // _MICROSECONDS
    stretches_of_a = pricing_a.stretches(ran_up + most)
    # Cut early in a second of B, A has not begun the next of its own: with an off-peak rate, that may be the dearer.
    shifts = {ran_up, ran_whole} if pricing_a.off_peak else {ran_up}
    ways = [(ahead, _shifted(stretches_of_a, ahead)) for ahead in shifts]
    return _safe_prefix(ways, pricing_b.stretches(most), funds_micros, most)


def sole_limit(pricings: Sequence[Pricing], funds_micros: int, seconds_max: int) -> int:
    """Longest time in whole seconds that a leg may run alone under every one of `pricings`; 0: not even one second."""
    return min((joint_limit(_FREE_OF_CHARGE, pricing, 0, funds_micros, seconds_max) for pricing in pricings), default=0)


def joint_funds(pricing_a: Pricing, pricing_b: Pricing, ran_a_us: int, seconds: int) -> int:
    """The least funds in micros that let both talk for `seconds`: with them `joint_limit` is that, or all a formula allows."""
    ran_up = -(-ran_a_us // _MICROSECONDS)
    last = seconds if pricing_b.seconds_max is None else min(seconds, pricing_b.seconds_max)
    if pricing_a.seconds_max is not None:
        last = min(last, pricing_a.seconds_max - ran_up)
    if last < 1:
        return 0
    if pricing_a.off_peak is None and pricing_b.off_peak is None:
        return rating.amount(pricing_a, ran_up + last) + rating.amount(pricing_b, last)
    shifts, seconds_before_a_change = {ran_up}, {last}
    if pricing_a.off_peak or pricing_b.off_peak:
        shifts |= {ran_a_us // _MICROSECONDS} if pricing_a.off_peak else set()
        changes = [second for second, _ in pricing_b.stretches(last)]
        changes += [second - ahead for ahead in shifts for second, _ in pricing_a.stretches(ran_up + last)]
        seconds_before_a_change |= {second - 1 for second in changes if 1 < second <= last}
    return max(
        rating.amount(pricing_a, ahead + second) + rating.amount(pricing_b, second)
        for ahead in shifts
        for second in seconds_before_a_change
    )


def sole_funds(pricings: Sequence[Pricing], seconds: int) -> int:
    """The least funds in micros that let a leg run alone for `seconds` under every one of `pricings`."""
    return max((joint_funds(_FREE_OF_CHARGE, pricing, 0, seconds) for pricing in pricings), default=0)


def _shifted(stretches: list[_Stretch], ahead: int) -> list[_Stretch]:
    """The stretches of a leg that is `ahead` seconds ahead, by the seconds of the other."""
    begun = [(max(1, second - ahead), stairs) for second, stairs in stretches]
    return [each for each, following in zip(begun, [*begun[1:], (2, ())], strict=True) if following[0] > 1]


def _safe_prefix(ways: list[tuple[int, list[_Stretch]]], of_b: list[_Stretch], funds: int, most: int) -> int:
    """The largest second up to which every cost fits, whichever way A runs ahead of B; costs fall only between stretches."""
    starts = sorted({second for _, of_a in ways for second, _ in of_a} | {second for second, _ in of_b})
    starts = [second for second in starts if second <= most]
    for start, following in zip(starts, [*starts[1:], most + 1], strict=True):
        fits = min(
            last_that_fits(stairs_a, stairs_b, ahead, funds, start, following - 1)
            for ahead, of_a in ways
            for stairs_a in _at(of_a, start)
            for stairs_b in _at(of_b, start)
        )
        if fits < following - 1:
            return fits
    return most


def _at(stretches: list[_Stretch], second: int) -> tuple[Stairs, ...]:
    return next(stairs for start, stairs in reversed(stretches) if start <= second)
