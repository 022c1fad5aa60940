"""Rating: what a leg of so many seconds costs, and how the amount came about. Exact in whole numbers, rounded once.

How long a call may be is limit.py's; which rate applies is tariff.py's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from webcb import money
from webcb.billing.formula import Disconnect, Element, Fee, Run, Surcharge
from webcb.billing.pricing import Pricing

_PER_MINUTE = 60  # a price is per minute: sums are kept in sixtieths of a micro, or finer after a surcharge
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Charge:
    """What a leg costs: micros, the seconds charged after intervals, and the way there (plain JSON values)."""

    amount_micros: int
    charged_seconds: int
    explanation: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Flight:
    """One flight of the stairs a cost climbs: from `start` seconds on, a step up at every interval of `seconds`.

    `before` is the cost of everything up to here, `step` that of an interval, both in `denominator`-ths of a micro and with
    the post-call surcharge on them. `count` None: the stairs go on for ever.
    """

    start: int
    seconds: int
    count: int | None
    before: int
    step: int
    denominator: int


def amount(pricing: Pricing, used_seconds: int) -> int:
    """Micros that a leg of `used_seconds` costs; the amount of `charge`, without its explanation."""
    return meter(pricing)(used_seconds)


def meter(pricing: Pricing) -> Callable[[int], int]:
    """`amount` of one pricing, for whoever asks it many times: used seconds in, micros out."""
    at_peak = _meter(pricing, off_peak=False)
    return at_peak if pricing.off_peak is None else partial(_of_two, pricing, at_peak, _meter(pricing, off_peak=True))


def charge(pricing: Pricing, used_seconds: int) -> Charge:
    """Charge a leg of `used_seconds` whole seconds, 0 for one that was not answered (domain 3)."""
    off_peak = _is_off_peak(pricing, used_seconds)
    steps = list(_walk(pricing.plan(off_peak=off_peak), used_seconds - pricing.free_seconds))
    charged_seconds = sum(count * element.seconds for element, count in steps if isinstance(element, Run))
    explanation = {
        "used_seconds": used_seconds,
        "free_seconds": min(used_seconds, pricing.free_seconds),
        "charged_seconds": charged_seconds,
        "rate": "off-peak" if off_peak else "peak",
        "formula": pricing.formula,
        "connect_fee_micros": pricing.connect_fee_micros if steps else 0,
        "steps": [_explained(element, count) for element, count in steps],
        "post_call_surcharge_ppm": pricing.post_call_surcharge_ppm,
        "decimals": pricing.decimals,
    }
    return Charge(_meter(pricing, off_peak=off_peak)(used_seconds), charged_seconds, explanation)


# Amounts -------------------------------------------------------------------------------------------------------------


def _of_two(
    pricing: Pricing, at_peak: Callable[[int], int], at_off_peak: Callable[[int], int], used_seconds: int
) -> int:
    """The amount at the rate that applies; while that is open, the dearer of the two."""
    off_peak = pricing.off_peak_in_force(used_seconds)
    if off_peak is None:
        return max(at_peak(used_seconds), at_off_peak(used_seconds))
    return at_off_peak(used_seconds) if off_peak else at_peak(used_seconds)


def _is_off_peak(pricing: Pricing, used_seconds: int) -> bool:
    off_peak = pricing.off_peak_in_force(used_seconds)
    if off_peak is not None:
        return off_peak
    return _meter(pricing, off_peak=True)(used_seconds) > _meter(pricing, off_peak=False)(used_seconds)


def _meter(pricing: Pricing, *, off_peak: bool) -> Callable[[int], int]:
    # The flight a call ends on is looked for from the top: most calls end on the last.
    flights = tuple(_flights(pricing, pricing.plan(off_peak=off_peak)))[::-1]
    return partial(_climb, flights, pricing.free_seconds, pricing.decimals)


def _flights(pricing: Pricing, plan: tuple[Element, ...]) -> Iterator[_Flight]:
    with_surcharge = _MILLION + pricing.post_call_surcharge_ppm
    start, denominator = 0, _PER_MINUTE * _MILLION
    before = pricing.connect_fee_micros * _PER_MINUTE * with_surcharge
    for element in plan:
        match element:
            case Run(count, seconds, price_micros):
                step = seconds * price_micros * (denominator // (_PER_MINUTE * _MILLION)) * with_surcharge
                yield _Flight(start, seconds, count, before, step, denominator)
                start += (count or 0) * seconds
                before += (count or 0) * step
            case Fee(fee_micros):
                before += fee_micros * (denominator // _MILLION) * with_surcharge
            case Surcharge(ppm):
                before, denominator = before * (_MILLION + ppm), denominator * _MILLION
            case Disconnect():
                return


def _climb(flights: tuple[_Flight, ...], free_seconds: int, decimals: int, used_seconds: int) -> int:
    """The cost on the flight, of `flights` from the top, on which the call ends."""
    beyond_free = used_seconds - free_seconds
    if beyond_free <= 0:
        return 0
    flight = next(flight for flight in flights if flight.start < beyond_free)
    count = -(-(beyond_free - flight.start) // flight.seconds)
    if flight.count is not None and count > flight.count:  # beyond disconnect, nothing more is charged
        count = flight.count
    return money.round_away(flight.before + count * flight.step, flight.denominator, decimals)


# Explanations --------------------------------------------------------------------------------------------------------


def _walk(plan: tuple[Element, ...], seconds: int) -> Iterator[tuple[Element, int]]:
    """The elements a call of `seconds` beyond the free ones comes to, with the number of intervals begun in each."""
    covered = 0
    for element in plan:
        if covered >= seconds or isinstance(element, Disconnect):
            return
        count = 1
        if isinstance(element, Run):
            begun = -(-(seconds - covered) // element.seconds)
            count = begun if element.count is None else min(begun, element.count)
            covered += count * element.seconds
        yield element, count


def _explained(element: Element, count: int) -> dict[str, int]:
    match element:
        case Run(_, seconds, price_micros):
            return {"intervals": count, "seconds": seconds, "price_per_minute_micros": price_micros}
        case Fee(fee_micros):
            return {"fee_micros": fee_micros}
        case Surcharge(ppm):
            return {"surcharge_ppm": ppm}
        case Disconnect():
            raise AssertionError("a call never comes to the far side of disconnect")
