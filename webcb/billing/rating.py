"""Rating: what a leg of so many seconds costs, and how the amount came about. Exact in whole numbers, rounded once.

How long a call may be is limit.py's; which rate applies is tariff.py's.
"""

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
    if used_seconds == 0 and pricing.logged_in:
        pricing = replace(pricing, logged_in=False)
    off_peak = pricing.off_peak is not None and _is_off_peak(pricing, used_seconds)
    steps, charged_seconds = _walked(pricing.plan(off_peak=off_peak), used_seconds - pricing.free_seconds)
    amount_micros = climb(pricing.off_peak_stairs if off_peak else pricing.peak_stairs, used_seconds)
    explanation = {
        "used_seconds": used_seconds,
        "free_seconds": min(used_seconds, pricing.free_seconds),
        "charged_seconds": charged_seconds,
        "rate": "off-peak" if off_peak else "peak",
        "formula": pricing.formula,
        "connect_fee_micros": pricing.connect_fee_micros if steps else 0,
        "steps": steps,
        "post_call_surcharge_ppm": pricing.post_call_surcharge_ppm if steps else 0,
        "login_fee_micros": pricing.login_fee_micros if pricing.logged_in else 0,
        "decimals": pricing.decimals,
        "currency": pricing.currency,
        "amount_micros": amount_micros,
    }
    return Charge(amount_micros, charged_seconds, explanation)


def _is_off_peak(pricing: Pricing, used_seconds: int) -> bool:
    off_peak = pricing.off_peak_in_force(used_seconds)
    if off_peak is not None:
        return off_peak
    return climb(pricing.off_peak_stairs, used_seconds) > climb(pricing.peak_stairs, used_seconds)


# Explanations --------------------------------------------------------------------------------------------------------


def _walked(plan: tuple[Element, ...], seconds: int) -> tuple[list[dict[str, int]], int]:
    """The elements a call of `seconds` beyond the free ones comes to, as JSON, and the seconds charged on the way."""
    steps, covered = [], 0
    for element in plan:
        if covered >= seconds:
            break
        if isinstance(element, Run):
            interval = element.seconds
            begun = -(-(seconds - covered) // interval)
            if element.count is not None and element.count < begun:
                begun = element.count
            covered += begun * interval
            steps.append({"intervals": begun, "seconds": interval, "price_per_minute_micros": element.price_micros})
        elif isinstance(element, Fee):
            steps.append({"fee_micros": element.amount_micros})
        elif isinstance(element, Surcharge):
            steps.append({"surcharge_ppm": element.ppm})
        elif isinstance(element, Disconnect):
            break
    return steps, covered
