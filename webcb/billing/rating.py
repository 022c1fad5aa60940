"""Rating: what a leg of so many seconds costs, and how the amount came about. Exact in whole numbers, rounded once.

How long a call may be is limit.py's; which rate applies is tariff.py's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from webcb.billing.formula import Disconnect, Element, Fee, Run, Surcharge
from webcb.billing.pricing import Pricing
from webcb.billing.stairs import climb


@dataclass(frozen=True, slots=True)
class Charge:
    """What a leg costs: micros, the seconds charged after intervals, and the way there (plain JSON values)."""

    amount_micros: int
    charged_seconds: int
    explanation: dict[str, Any]


def amount(pricing: Pricing, used_seconds: int) -> int:
    """Micros that a leg of `used_seconds` costs; the amount of `charge`, without its explanation."""
    if pricing.off_peak is None:
        return climb(pricing.peak_stairs, used_seconds)
    return max(climb(stairs, used_seconds) for stairs in pricing.stairs_in_force(used_seconds))


def charge(pricing: Pricing, used_seconds: int) -> Charge:
    """Charge a leg of `used_seconds` whole seconds, 0 for one that was not answered (domain 3).

    The explanation has plain JSON values; explanation.py says it in words.
    """
    if used_seconds == 0:
        pricing = replace(pricing, logged_in=False)
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
        "post_call_surcharge_ppm": pricing.post_call_surcharge_ppm if steps else 0,
        "login_fee_micros": pricing.login_fee_micros if pricing.logged_in else 0,
        "decimals": pricing.decimals,
        "currency": pricing.currency,
    }
    stairs = pricing.off_peak_stairs if off_peak else pricing.peak_stairs
    amount_micros = climb(stairs, used_seconds)
    return Charge(amount_micros, charged_seconds, explanation | {"amount_micros": amount_micros})


def _is_off_peak(pricing: Pricing, used_seconds: int) -> bool:
    off_peak = pricing.off_peak_in_force(used_seconds)
    if off_peak is not None:
        return off_peak
    return climb(pricing.off_peak_stairs, used_seconds) > climb(pricing.peak_stairs, used_seconds)


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
