"""Why a leg cost what it cost, for its owner, in his language: the lines of an xDR's explanation. Pure but for the language."""

from collections.abc import Mapping
from typing import Any

from webcb.money import format_percent
from webcb.web import languages
from webcb.web.languages import gettext
from webcb.web.printing import in_words as duration
from webcb.web.printing import money


def in_words(explanation: Mapping[str, Any], currency: str) -> list[str]:
    """What was used, what it was charged by, step by step, and the sum."""
    if not explanation["used_seconds"]:
        return [gettext("Not answered, so nothing was charged.")]
    lines = [gettext("%(duration)s used", duration=duration(explanation["used_seconds"]))]
    if explanation["free_seconds"]:
        lines.append(gettext("the first %(duration)s free", duration=duration(explanation["free_seconds"])))
    if explanation["connect_fee_micros"]:
        lines.append(gettext("%(fee)s for the connection", fee=money(explanation["connect_fee_micros"], currency)))
    lines += [_step(step, currency) for step in explanation["steps"]]
    if explanation["post_call_surcharge_ppm"]:
        lines.append(_percent(explanation["post_call_surcharge_ppm"]))
    if explanation["login_fee_micros"]:
        lines.append(gettext("%(fee)s for the log-in by voice", fee=money(explanation["login_fee_micros"], currency)))
    lines.append(gettext("Charged in all: %(amount)s", amount=money(explanation["amount_micros"], currency)))
    return lines


def _step(step: Mapping[str, int], currency: str) -> str:
    if "fee_micros" in step:
        return gettext("%(fee)s for each call", fee=money(step["fee_micros"], currency))
    if "surcharge_ppm" in step:
        return _percent(step["surcharge_ppm"])
    return gettext(
        "%(count)s × %(each)s at %(price)s a minute",  # noqa: RUF001 - it is the sign of multiplication
        count=languages.decimal(str(step["intervals"])),
        each=duration(step["seconds"]),
        price=money(step["price_per_minute_micros"], currency),
    )


def _percent(ppm: int) -> str:
    return gettext("plus %(percent)s %%", percent=languages.decimal(format_percent(ppm)))
