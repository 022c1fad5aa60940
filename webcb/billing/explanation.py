"""Explanations in words: why a leg cost what it cost, line by line, from the explanation a charge carries (domain 3)."""

from collections.abc import Mapping
from typing import Any

from webcb.money import format_amount, format_percent

Explanation = Mapping[str, Any]


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
