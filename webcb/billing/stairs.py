"""Stairs: the cost of a leg as the flights of steps it climbs, in whole numbers. The only place an amount is computed.

`rating.py` climbs them to charge, `limit.py` looks for the last second that funds reach: one arithmetic for both. Nothing
here knows a tariff, a time of day or a second leg.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

from webcb import money
from webcb.billing.formula import Disconnect, Element, Fee, Run, Surcharge

_PER_MINUTE = 60  # a price is per minute: sums are kept in sixtieths of a micro, or finer after a surcharge
_MILLION = 1_000_000
_NEVER = -(10**9)  # before any call
_STEPS_MAX = 8  # intervals looked at one by one


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a tariff every flight knows: whole seconds, micros, parts per million, decimals of the currency unit."""

    free_seconds: int
    connect_fee_micros: int
    post_call_surcharge_ppm: int
    decimals: int
    login_fee_micros: int = 0  # charged whatever the call is long, without the surcharge


@dataclass(frozen=True, slots=True)
class Flight:
    """One flight: a call that has used more than `start` seconds has begun `k` intervals of `seconds` on it.

    It costs `before + k * step`, in `divisor`-ths of a `unit`, rounded up to whole units of `unit` micros: everything up
    to here, the connect fee and the post-call surcharge are in it. `count` None: the stairs go on for ever.

    `base` and `slope` say, in `scale`-ths of a micro, what the cost is never below: `base + slope * used_seconds`.
    """

    start: int
    seconds: int
    count: int | None
    before: int
    step: int
    divisor: int
    unit: int
    base: int
    slope: int
    scale: int


Stairs = tuple[Flight, ...]


@lru_cache(maxsize=4096)
def build(plan: tuple[Element, ...], terms: Terms) -> Stairs:
    """The flights of a plan, the last first: most calls end on it. The lowest is level: what is free but for a log-in (domain 3)."""
    level = _flight(_NEVER, 1, None, terms.login_fee_micros, 0, 1, terms.decimals)
    return (level, *_flights(plan, terms))[::-1]


def _flights(plan: tuple[Element, ...], terms: Terms) -> Iterator[Flight]:
    with_surcharge = _MILLION + terms.post_call_surcharge_ppm
    start, denominator = terms.free_seconds, _PER_MINUTE * _MILLION
    before = terms.connect_fee_micros * _PER_MINUTE * with_surcharge
    for element in plan:
        match element:
            case Run(count, seconds, price_micros):
                step = seconds * price_micros * (denominator // (_PER_MINUTE * _MILLION)) * with_surcharge
                login_fee = terms.login_fee_micros * denominator
                yield _flight(start, seconds, count, before + login_fee, step, denominator, terms.decimals)
                start += (count or 0) * seconds
                before += (count or 0) * step
            case Fee(fee_micros):
                before += fee_micros * (denominator // _MILLION) * with_surcharge
            case Surcharge(ppm):
                before, denominator = before * (_MILLION + ppm), denominator * _MILLION
            case Disconnect():
                return


def _flight(
    start: int, seconds: int, count: int | None, before: int, step: int, denominator: int, decimals: int
) -> Flight:
    unit = 10 ** (money.DECIMALS_MAX - decimals)
    common = gcd(before, step, denominator * unit)
    before, step, divisor = before // common, step // common, denominator * unit // common
    base, slope, scale = unit * (before * seconds - step * start), unit * step, divisor * seconds
    common = gcd(base, slope, scale)
    return Flight(start, seconds, count, before, step, divisor, unit, base // common, slope // common, scale // common)


def climb(stairs: Stairs, used_seconds: int) -> int:
    """Micros that a leg of `used_seconds` whole seconds costs, rounded away from zero, once (domain 2)."""
    for flight in stairs:
        if used_seconds > flight.start:
            break
    begun = -((flight.start - used_seconds) // flight.seconds)
    if flight.count is not None and begun > flight.count:  # beyond disconnect, nothing more is charged
        begun = flight.count
    return -(-(flight.before + begun * flight.step) // flight.divisor) * flight.unit


def last_that_fits(stairs_a: Stairs, stairs_b: Stairs, ahead: int, funds: int, first: int, last: int) -> int:
    """The last second T of `first`..`last` that `funds` micros pay: climb(A, ahead + T) + climb(B, T); else `first` - 1.

    Neither leg is disconnected by then. Both costs only rise, so the pair of flights on which the money runs out is looked
    for from the top, and on it the second is computed, not searched for.
    """
    i = j = 0
    while True:
        a, b = stairs_a[i], stairs_b[j]
        start_a, start_b = a.start - ahead, b.start
        edge = max(start_a, start_b)  # from the second after it on, both are on these flights
        if edge < last:
            found = _last_on_flights(a, b, ahead, funds, edge, last)
            if found > edge:
                return found if found >= first else first - 1
            last = edge
        if edge < first:
            return first - 1
        if start_a == edge:
            i += 1
        if start_b == edge:
            j += 1


def _last_on_flights(a: Flight, b: Flight, ahead: int, funds: int, edge: int, last: int) -> int:
    """The last second after `edge` and up to `last` that the funds pay, both legs being on these flights; else `edge`."""
    slope = a.slope * b.scale + b.slope * a.scale
    if slope:  # the cost is never below this line: no second beyond it fits
        level = (a.base + a.slope * ahead) * b.scale + b.base * a.scale
        reach = (funds * a.scale * b.scale - level) // slope
        if reach < last:
            last = reach
    # The leg with the longer interval comes down, an interval at a time; beside each of its steps the other's is exact.
    long, start, short, other = (
        (a, a.start - ahead, b, b.start) if a.seconds >= b.seconds else (b, b.start, a, a.start - ahead)
    )
    for _ in range(_STEPS_MAX):
        if last <= edge:
            return edge
        begun = -((start - last) // long.seconds)
        left = funds + -(long.before + begun * long.step) // long.divisor * long.unit
        if short.step:
            paid = other + (left // short.unit * short.divisor - short.before) // short.step * short.seconds
        else:
            paid = last if -(-short.before // short.divisor) * short.unit <= left else edge
        begin = start + (begun - 1) * long.seconds
        if paid > begin or not long.step:
            return max(edge, min(paid, last))
        last = begin
    return _search(a, b, ahead, funds, edge, last)


def _search(a: Flight, b: Flight, ahead: int, funds: int, edge: int, beyond: int) -> int:
    """The same by halving, for roundings so coarse beside the price that many intervals cost the same."""
    fits, exceeds = edge, beyond + 1
    while exceeds - fits > 1:
        middle = (fits + exceeds) // 2
        cost = climb((a,), ahead + middle) + climb((b,), middle)
        fits, exceeds = (middle, exceeds) if cost <= funds else (fits, middle)
    return fits
