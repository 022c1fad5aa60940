"""Explanations in words: what a leg is charged by, and why it cost what it cost, line by line (domain 3)."""

from collections.abc import Mapping
from typing import Any

from webcb.billing.formula import Intervals
from webcb.billing.pricing import Pricing
from webcb.money import format_amount, format_percent

Explanation = Mapping[str, Any]


def terms_in_words(pricing: Pricing) -> list[str]:
    """What a leg is charged by, line by line: the rate, then what the tariff adds; only what there is."""
    lines = [_rate_in_words("", pricing.intervals)] if not pricing.formula else [f"rate formula {pricing.formula}"]
    if pricing.off_peak:
        off_peak = pricing.off_peak
        period = " or ".join(off_peak.period.split("\n"))
        now = {True: ", as it is now", False: ", which it is not now", None: ""}[pricing.off_peak_in_force(0)]
        lines.append(f"off-peak where the session {off_peak.when} in {period} ({off_peak.time_zone}){now}")
        lines.append(_rate_in_words("off-peak ", off_peak.intervals))
    if pricing.formula and ("first" in pricing.formula.lower() or "next" in pricing.formula.lower()):
        lines.append(f"its own intervals and prices: {_rate_in_words('', pricing.intervals)}")
    if pricing.free_seconds:
        lines.append(f"the first {pricing.free_seconds} s are free")
    if pricing.connect_fee_micros:
        lines.append(f"connect fee {format_amount(pricing.connect_fee_micros)}")
    if pricing.post_call_surcharge_ppm:
        lines.append(f"surcharge of {format_percent(pricing.post_call_surcharge_ppm)}% on the whole charge")
    if pricing.login_fee_micros:
        lines.append(f"login fee {format_amount(pricing.login_fee_micros)} for a log-in by voice")
    return lines


def _rate_in_words(which: str, intervals: Intervals) -> str:
    first, following = (
        f"{seconds} s at {format_amount(price)} a minute"
        for seconds, price in (
            (intervals.first_seconds, intervals.first_price_micros),
            (intervals.next_seconds, intervals.next_price_micros),
        )
    )
    return f"{which}{first}, then every {following}"


def in_words(explanation: Explanation) -> list[str]:
    """Lines such as `60 s + 6 s = 66 s charged`, the last of them the amount; they read from the top as it was computed."""
    currency = explanation["currency"]
    used, free = explanation["used_seconds"], explanation["free_seconds"]
    if used == 0:
        return ["not answered: nothing is charged"]
    lines = [f"{used} s used{f', of which {free} s are free' if free else ''}"]
    if explanation["rate"] == "off-peak":
        lines.append("at the off-peak rate")
    if explanation["formula"]:
        lines.append(f"by the rate formula {explanation['formula']}")
    if explanation["connect_fee_micros"]:
        lines.append(f"connect fee {format_amount(explanation['connect_fee_micros'])}")
    lines += [_step(step) for step in explanation["steps"]]
    if explanation["post_call_surcharge_ppm"]:
        lines.append(f"surcharge of {format_percent(explanation['post_call_surcharge_ppm'])}% on all of this")
    if explanation["login_fee_micros"]:
        lines.append(f"login fee {format_amount(explanation['login_fee_micros'])}")
    decimals = explanation["decimals"]
    rounding = f"rounded up to {decimals} decimals" if decimals else "rounded up to whole units"
    charged = explanation["charged_seconds"]
    lines.append(f"{charged} s charged, {rounding}: {format_amount(explanation['amount_micros'])} {currency}")
    return lines


def cost_in_words(xdr: Any) -> str:
    """What a vendor charges for a leg; in another currency than the leg's, its worth in that one and by which exchange rates.

    `xdr` has the columns of that name: `0.044 EUR, worth 0.05 USD at 0.88 EUR for 1.00 USD`.
    """
    said = f"{format_amount(xdr.vendor_cost_micros)} {xdr.vendor_currency}"
    if xdr.vendor_currency == xdr.currency:
        return said
    if xdr.cost_micros is None:
        return f"{said}, whose worth in {xdr.currency} was not known"
    to, of = (format_amount(each) for each in (xdr.currency_per_base_micros, xdr.vendor_currency_per_base_micros))
    worth = format_amount(xdr.cost_micros)
    return f"{said}, worth {worth} {xdr.currency} at {of} {xdr.vendor_currency} for {to} {xdr.currency}"


def _step(step: Mapping[str, int]) -> str:
    if "fee_micros" in step:
        return f"fee {format_amount(step['fee_micros'])}"
    if "surcharge_ppm" in step:
        return f"surcharge of {format_percent(step['surcharge_ppm'])}% on the cost so far"
    count, seconds = step["intervals"], step["seconds"]
    times = f"{count} intervals of {seconds} s" if count > 1 else f"an interval of {seconds} s"
    return f"{times} at {format_amount(step['price_per_minute_micros'])} a minute{_worth(step)}"


def _worth(step: Mapping[str, int]) -> str:
    """What the intervals of a step cost, where that is a whole number of micros."""
    micros, rest = divmod(step["intervals"] * step["seconds"] * step["price_per_minute_micros"], 60)
    return "" if rest else f": {format_amount(micros)}"
