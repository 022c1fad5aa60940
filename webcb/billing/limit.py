"""Limits: the longest whole number of seconds that funds allow, for one leg and for two that run together.

The answer is a safe prefix (domain 1.3): every shorter call fits the funds as well, so a cut anywhere overdraws nothing. A
charge falls with time only where an off-peak rate looks at the end of the call; between the instants at which that changes
it never falls, and there bisection finds the last second that fits.
"""

from collections.abc import Callable, Iterable, Sequence

from webcb.billing.pricing import Pricing
from webcb.billing.rating import meter

_MICROSECONDS = 1_000_000


def joint_limit(pricing_a: Pricing, pricing_b: Pricing, ran_a_us: int, funds_micros: int, seconds_max: int) -> int:
    """Longest talk in whole seconds T, at most `seconds_max`; 0 where not even the first second fits (domain 1.3).

    Leg A has run `ran_a_us` microseconds when B is answered: it is charged for `ran_a_us` + T seconds, rounded up.
    """
    ran_whole, ran_part_us = divmod(ran_a_us, _MICROSECONDS)
    ran_up = ran_whole + (ran_part_us > 0)

    amount_a, amount_b = meter(pricing_a), meter(pricing_b)

    def cost(talked: int) -> int:
        cost_a = amount_a(ran_up + talked)
        if ran_up > ran_whole and pricing_a.off_peak:
            # Cut early in this second of B, A has not begun the next of its own: the dearer of the two counts.
            cost_a = max(cost_a, amount_a(ran_whole + talked))
        return cost_a + amount_b(talked)

    most = min(_most(pricing_a, ran_up + seconds_max) - ran_up, _most(pricing_b, seconds_max))
    if most < 1:
        return 0
    changes = set(pricing_b.changes_after(most))
    for used_a in pricing_a.changes_after(ran_up + most):
        changes |= {used_a - ran_up, used_a - ran_whole}
    return _safe_prefix(cost, changes, funds_micros, most)


def sole_limit(pricings: Sequence[Pricing], funds_micros: int, seconds_max: int) -> int:
    """Longest time in whole seconds that a leg may run alone under every one of `pricings`; 0: not even one second."""
    return min((_sole_limit(pricing, funds_micros, seconds_max) for pricing in pricings), default=0)


def _sole_limit(pricing: Pricing, funds_micros: int, seconds_max: int) -> int:
    most = _most(pricing, seconds_max)
    return _safe_prefix(meter(pricing), pricing.changes_after(most), funds_micros, most)


def _most(pricing: Pricing, seconds_max: int) -> int:
    return seconds_max if pricing.seconds_max is None else min(seconds_max, pricing.seconds_max)


def _safe_prefix(cost: Callable[[int], int], changes: Iterable[int], funds_micros: int, most: int) -> int:
    """The largest second up to which every cost fits; `cost` may fall only at `changes`."""
    starts = sorted({1, *(second for second in changes if 1 < second <= most)})
    for start, following in zip(starts, [*starts[1:], most + 1], strict=True):
        if cost(following - 1) <= funds_micros:
            continue
        return _last_that_fits(cost, start - 1, following - 1, funds_micros)
    return most


def _last_that_fits(cost: Callable[[int], int], fits: int, exceeds: int, funds_micros: int) -> int:
    while exceeds - fits > 1:
        middle = (fits + exceeds) // 2
        fits, exceeds = (middle, exceeds) if cost(middle) <= funds_micros else (fits, middle)
    return fits
