"""The price as it is shown before the call: what each leg costs, on which terms, and how long the funds allow to talk.

Pure but for the reader's language. What is announced here is what is charged: every term of the pricing has its words.
"""

import hashlib
from dataclasses import dataclass

from webcb.billing.authorization import Authorization
from webcb.billing.pricing import Pricing
from webcb.billing.rating import charge
from webcb.money import Micros, format_percent
from webcb.number import country_of
from webcb.web import languages
from webcb.web.languages import gettext
from webcb.web.printing import in_words, money

EXAMPLE_SECONDS = 600
_MARK_LENGTH = 32


@dataclass(frozen=True, slots=True)
class LegQuote:
    """One leg: E.164 digits, the name of their country, micros per minute, and the terms besides the price, in words."""

    number: str
    country: str
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
        leg_a=_leg(number_a, pricing_a),
        leg_b=_leg(number_b, authorization.pricing_b),
        if_b_fails=_price(if_b_fails) if if_b_fails and _price(if_b_fails) != _price(pricing_a) else "",
        longest_seconds=authorization.longest_seconds,
    )


def _leg(number: str, pricing: Pricing) -> LegQuote:
    code = country_of(number)
    return LegQuote(number, code and languages.country(code), pricing.price_per_minute_micros, _terms(pricing))


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
    return gettext("%(price)s a minute", price=money(price_micros, pricing.currency))


def _terms(pricing: Pricing) -> tuple[str, ...]:
    terms = [_example(pricing)] if pricing.formula else _interval_terms(pricing)
    if pricing.connect_fee_micros:
        terms.append(gettext("%(fee)s for each call", fee=money(pricing.connect_fee_micros, pricing.currency)))
    if pricing.free_seconds:
        terms.append(gettext("the first %(duration)s free", duration=in_words(pricing.free_seconds)))
    if pricing.post_call_surcharge_ppm:
        terms.append(
            gettext("plus %(percent)s %%", percent=languages.decimal(format_percent(pricing.post_call_surcharge_ppm)))
        )
    return tuple(terms)


def _interval_terms(pricing: Pricing) -> list[str]:
    intervals = pricing.intervals
    first, each = (_seconds(seconds) for seconds in (intervals.first_seconds, intervals.next_seconds))
    is_even = intervals.first_seconds == intervals.next_seconds
    terms = [
        gettext("charged in steps of %(each)s", each=each)
        if is_even
        else gettext("charged in steps of %(each)s after the first %(first)s", each=each, first=first)
    ]
    if intervals.first_price_micros != intervals.next_price_micros:
        price = _per_minute(intervals.first_price_micros, pricing)
        terms.append(gettext("the first %(duration)s at %(price)s", duration=first, price=price))
    if pricing.off_peak:
        is_now = pricing.off_peak_in_force(0)
        other = intervals if is_now else pricing.off_peak.intervals
        price = _per_minute(other.next_price_micros, pricing)
        terms.append(
            gettext("outside off-peak hours %(price)s", price=price)
            if is_now
            else gettext("in off-peak hours %(price)s", price=price)
        )
    return terms


def _example(pricing: Pricing) -> str:
    """A formula is too much to read: what an ordinary call costs by it says more."""
    cost = money(charge(pricing, EXAMPLE_SECONDS).amount_micros, pricing.currency)
    return gettext("a call of %(duration)s costs %(cost)s", duration=in_words(EXAMPLE_SECONDS), cost=cost)


def _seconds(seconds: int) -> str:
    return f"{seconds}\u00a0{gettext('s')}"
