"""Terms: what the legs of a callback are charged by and over which routes they may go, whoever asks. Pure.

They rest on what an operator wrote and on the rates in force for the two numbers, neither on funds nor on the account's state: the
same destinations have the same terms until something of that changes. Whether the account may call by them, and for how
long, is authorization.py's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from webcb.billing import cost, product, rating, routing, slices, tariff
from webcb.billing.currency import ExchangeRates
from webcb.billing.pricing import Pricing
from webcb.billing.product import LegName, UsageCharge
from webcb.billing.refusal import Reason, Refusal
from webcb.billing.routing import COST_SECONDS, Connection, Market, Route
from webcb.billing.slices import Protection
from webcb.billing.tariff import Rate, Tariff


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything terms rest on, as of `at`.

    `time_zone` is the customer's, `currency` that of the account's funds. `rates` are those in force for the prefixes of both
    numbers (E.164 digits), in the tariffs of the usage charges and of the connections.
    """

    at: datetime
    time_zone: str
    currency: str
    access_code: str
    special_charge_if_leg_b_fails: bool
    talk_seconds_max: int
    node_id: int | None
    usage_charges: Sequence[UsageCharge]
    tariffs: Mapping[int, Tariff]
    rates: Sequence[Rate]
    digits_a: str
    digits_b: str
    connections: Sequence[Connection]
    exchange_rates: ExchangeRates
    profit_guaranteed: bool


@dataclass(frozen=True)
class SoleTerms:
    """The terms of leg A alone, whose destination is not known yet (domain 7).

    `needed_micros` are the least funds with which it may begin.
    """

    pricing_a: Pricing
    pricing_a_if_b_fails: Pricing | None
    charge_a: UsageCharge
    routes_a: tuple[Route, ...]

    @cached_property
    def pricings_of_a(self) -> tuple[Pricing, ...]:
        """Every pricing leg A may be settled by."""
        return (self.pricing_a,) if self.pricing_a_if_b_fails is None else (self.pricing_a, self.pricing_a_if_b_fails)

    @cached_property
    def needed_micros(self) -> int:
        """What the first charged interval of A costs, by the dearest of its pricings."""
        return max(rating.amount(each, each.free_seconds + 1) for each in self.pricings_of_a)

    @property
    def protection(self) -> Protection:
        """How it is kept from overdrawing."""
        return self.charge_a.protection


@dataclass(frozen=True)
class Terms:
    """What each leg is charged by, by which usage charge, and its routes in the order they are tried; seconds whole.

    `answered_a` and `answered_b` are the same as if both legs were answered at the moment of the offer: which of two rates
    applies is then known. `talk_seconds_max` is the longest the trigger lets them talk.
    """

    pricing_a: Pricing
    pricing_a_if_b_fails: Pricing | None
    pricing_b: Pricing
    charge_a: UsageCharge
    charge_b: UsageCharge
    routes_a: tuple[Route, ...]
    routes_b: tuple[Route, ...]
    answered_a: Pricing
    answered_a_if_b_fails: Pricing | None
    answered_b: Pricing
    talk_seconds_max: int

    @cached_property
    def pricings_of_a(self) -> tuple[Pricing, ...]:
        """Every pricing leg A may be settled by."""
        return (self.pricing_a,) if self.pricing_a_if_b_fails is None else (self.pricing_a, self.pricing_a_if_b_fails)

    @cached_property
    def frozen_a(self) -> tuple[str, str | None, str]:
        """What is kept on the row of leg A: its pricing, that if B fails, by what each vendor charges."""
        fails = self.pricing_a_if_b_fails
        return self.pricing_a.as_json(), None if fails is None else fails.as_json(), cost.frozen(self.routes_a)

    @cached_property
    def frozen_b(self) -> tuple[str, str]:
        """The same of leg B, which has one pricing."""
        return self.pricing_b.as_json(), cost.frozen(self.routes_b)

    @cached_property
    def protection(self) -> Protection:
        """How it is kept from overdrawing."""
        return slices.stricter(self.charge_a.protection, self.charge_b.protection)

    @cached_property
    def needed_micros(self) -> int:
        """The least funds it may begin with, were it answered at once: the first charged interval of both legs (domain 1.1)."""
        fails = () if self.answered_a_if_b_fails is None else (self.answered_a_if_b_fails,)
        return first_intervals_micros((self.answered_a, *fails), self.answered_b)

    @cached_property
    def first_intervals_micros(self) -> int:
        """The same, whenever it is answered."""
        return first_intervals_micros(self.pricings_of_a, self.pricing_b)

    @cached_property
    def first_slice(self) -> slices.Waiting:
        """What is to be set aside before A is called (domain 4)."""
        seconds = min(self.protection.slice_seconds, self.talk_seconds_max)
        return slices.first(self.pricings_of_a, self.pricing_b, seconds)

    @cached_property
    def first_slice_micros(self) -> int:
        """What the first slice costs."""
        return self.first_slice.funds(self.first_slice.seconds)


def first_intervals_micros(pricings_of_a: Sequence[Pricing], pricing_b: Pricing) -> int:
    """What the first charged interval of both legs costs together, in micros.

    Where B fails, A alone is charged, maybe by a dearer price: the funds must pay for that as well.
    """
    of_b = rating.amount(pricing_b, pricing_b.free_seconds + 1)
    of_a, *of_a_if_b_fails = (rating.amount(pricing, pricing.free_seconds + 1) for pricing in pricings_of_a)
    return max([of_a + of_b, *of_a_if_b_fails])


def terms(offer: Offer) -> Terms | Refusal:
    """The terms of a callback, or why there are none, in the order of `Reason`."""
    charges = [product.usage_charge(offer.usage_charges, offer.node_id, offer.access_code, leg) for leg in ("A", "B")]
    charge_a, charge_b = charges
    if charge_a is None or charge_b is None:
        return Refusal(Reason.NOT_PERMITTED)
    refusal = _refusal_of_rates(offer, (("A", charge_a, offer.digits_a), ("B", charge_b, offer.digits_b)))
    if refusal is not None:
        return refusal
    pricing_a, pricing_b = _pricing(offer, charge_a, offer.digits_a), _pricing(offer, charge_b, offer.digits_b)
    assert pricing_a is not None and pricing_b is not None  # noqa: S101  refused where there is none
    fails = _pricing_if_b_fails(offer)
    answered_a, answered_b = pricing_a.answered(offer.at), pricing_b.answered(offer.at)
    routes_a = _routes(offer, offer.digits_a, answered_a)
    routes_b = _routes(offer, offer.digits_b, answered_b)
    if not routes_a or not routes_b:
        return Refusal(Reason.NO_ROUTE, "B" if routes_a else "A")
    return Terms(
        pricing_a=pricing_a,
        pricing_a_if_b_fails=fails,
        pricing_b=pricing_b,
        charge_a=charge_a,
        charge_b=charge_b,
        routes_a=routes_a,
        routes_b=routes_b,
        answered_a=answered_a,
        answered_a_if_b_fails=fails and fails.answered(offer.at),
        answered_b=answered_b,
        talk_seconds_max=offer.talk_seconds_max,
    )


def sole_terms(offer: Offer) -> SoleTerms | Refusal:
    """The terms of leg A alone, or why there are none; `digits_b` of the offer is not looked at."""
    charge = product.usage_charge(offer.usage_charges, offer.node_id, offer.access_code, "A")
    if charge is None:
        return Refusal(Reason.NOT_PERMITTED)
    refusal = _refusal_of_rates(offer, (("A", charge, offer.digits_a),))
    if refusal is not None:
        return refusal
    pricing = _pricing(offer, charge, offer.digits_a)
    assert pricing is not None  # noqa: S101  refused where there is none
    routes = _routes(offer, offer.digits_a, pricing.answered(offer.at))
    if not routes:
        return Refusal(Reason.NO_ROUTE, "A")
    return SoleTerms(pricing, _pricing_if_b_fails(offer), charge, routes)


def _refusal_of_rates(offer: Offer, legs: Sequence[tuple[LegName, UsageCharge, str]]) -> Refusal | None:
    for leg, charge, _ in legs:
        if offer.tariffs[charge.tariff_id].blocked:
            return Refusal(Reason.TARIFF_BLOCKED, leg)
    found = [(leg, _rate(offer, charge, digits)) for leg, charge, digits in legs]
    for leg, rate in found:
        if rate is None:
            return Refusal(Reason.NO_RATE, leg)
    for leg, rate in found:
        if rate is not None and rate.forbidden:
            return Refusal(Reason.FORBIDDEN, leg)
    return None


def _pricing_if_b_fails(offer: Offer) -> Pricing | None:
    """That of leg A; None where A is then charged as ever: it is not asked for, or has no entry or rate (domain 4)."""
    if not offer.special_charge_if_leg_b_fails:
        return None
    charge = product.usage_charge_if_b_fails(offer.usage_charges, offer.node_id)
    return None if charge is None else _pricing(offer, charge, offer.digits_a)


def _pricing(offer: Offer, charge: UsageCharge, digits: str) -> Pricing | None:
    rate = _rate(offer, charge, digits)
    if rate is None:
        return None
    return tariff.pricing(offer.tariffs[charge.tariff_id], rate, charge.access_code, offer.time_zone)


def _rate(offer: Offer, charge: UsageCharge, digits: str) -> Rate | None:
    """The rate of the charge's tariff; a blocked one, or one in another currency than the account's, has none for it."""
    of = offer.tariffs[charge.tariff_id]
    if of.blocked or of.currency != offer.currency:
        return None
    return tariff.rate_in_force(offer.rates, charge.tariff_id, digits, offer.at)


def _routes(offer: Offer, digits: str, answered: Pricing) -> tuple[Route, ...]:
    """The routes of a leg; with profit guarantee, none on which a minute costs more than it is charged."""
    minute_micros_max = rating.amount(answered, COST_SECONDS) if offer.profit_guaranteed else None
    market = Market(
        offer.connections, offer.tariffs, offer.rates, offer.exchange_rates, offer.currency, minute_micros_max
    )
    return routing.routes(market, digits, offer.at)
