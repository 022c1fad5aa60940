"""The price as it is shown before the call: what each leg costs, on which terms, and how long the funds allow to talk.

Pure. What is announced here is what is charged: every term of the pricing has its words.
"""

import hashlib
from dataclasses import dataclass

from webcb.billing.authorization import Authorization
from webcb.billing.pricing import Pricing
from webcb.billing.rating import charge
from webcb.money import Micros, format_percent
from webcb.web.printing import NO_BREAK, in_words, money

EXAMPLE_SECONDS = 600
_MARK_LENGTH = 32


@dataclass(frozen=True, slots=True)
class LegQuote:
    """One leg: E.164 digits, micros per minute, and the terms besides the price, in words."""

    number: str
    price_per_minute_micros: Micros
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quotation:
    """A price with its `mark`: the page sends it back to show which price was seen."""

    mark: str
    currency: str
    leg_a: LegQuote
    leg_b: LegQuote
    if_b_fails: str
    longest_seconds: int


def quotation(authorization: Authorization, number_a: str, number_b: str) -> Quotation:
    """What the page shows of an authorization for these two numbers, in E.164 digits."""
    pricing_a, if_b_fails = authorization.pricing_a, authorization.pricing_a_if_b_fails
    return Quotation(
        mark=_mark(authorization, number_a, number_b),
        currency=authorization.currency,
        leg_a=LegQuote(number_a, pricing_a.price_per_minute_micros, _terms(pricing_a)),
        leg_b=LegQuote(number_b, authorization.pricing_b.price_per_minute_micros, _terms(authorization.pricing_b)),
        if_b_fails=_price(if_b_fails) if if_b_fails and _price(if_b_fails) != _price(pricing_a) else "",
        longest_seconds=authorization.longest_seconds,
    )


def _mark(authorization: Authorization, number_a: str, number_b: str) -> str:
    """A digest of the two numbers and all they are charged by: the same as long as the price is the same."""
    if_b_fails = authorization.pricing_a_if_b_fails
    pricings = (authorization.pricing_a, authorization.pricing_b, *([if_b_fails] if if_b_fails else []))
    # The price shown beside the pricing: which of two rates is in force may change between two looks.
    prices = [f"{pricing.price_per_minute_micros} {pricing.as_json()}" for pricing in pricings]
    text = "\n".join((number_a, number_b, *prices))
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK_LENGTH]


def _price(pricing: Pricing) -> str:
    return ", ".join((_per_minute(pricing.price_per_minute_micros, pricing), *_terms(pricing)))


def _per_minute(price_micros: Micros, pricing: Pricing) -> str:
    return f"{money(price_micros, pricing.currency)} a minute"


def _terms(pricing: Pricing) -> tuple[str, ...]:
    terms = [_example(pricing)] if pricing.formula else _interval_terms(pricing)
    if pricing.connect_fee_micros:
        terms.append(f"{money(pricing.connect_fee_micros, pricing.currency)} for each call")
    if pricing.free_seconds:
        terms.append(f"the first {in_words(pricing.free_seconds)} free")
    if pricing.post_call_surcharge_ppm:
        terms.append(f"plus {format_percent(pricing.post_call_surcharge_ppm)} %")
    return tuple(terms)


def _interval_terms(pricing: Pricing) -> list[str]:
    intervals = pricing.intervals
    first, each = (f"{seconds}{NO_BREAK}s" for seconds in (intervals.first_seconds, intervals.next_seconds))
    is_even = intervals.first_seconds == intervals.next_seconds
    terms = [f"charged in steps of {each}" if is_even else f"charged in steps of {each} after the first {first}"]
    if intervals.first_price_micros != intervals.next_price_micros:
        terms.append(f"the first {first} at {_per_minute(intervals.first_price_micros, pricing)}")
    if pricing.off_peak:
        is_now = pricing.off_peak_in_force(0)
        other = intervals if is_now else pricing.off_peak.intervals
        when = "outside off-peak hours" if is_now else "in off-peak hours"
        terms.append(f"{when} {_per_minute(other.next_price_micros, pricing)}")
    return terms


def _example(pricing: Pricing) -> str:
    """A formula is too much to read: what an ordinary call costs by it says more."""
    cost = money(charge(pricing, EXAMPLE_SECONDS).amount_micros, pricing.currency)
    return f"a call of {in_words(EXAMPLE_SECONDS)} costs {cost}"
