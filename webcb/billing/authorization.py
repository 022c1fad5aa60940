"""Authorization: may these two numbers be connected for this account, at what price, for how long. Pure: facts in, verdict out.

The facts are read by reception.py; funds are locked in ledger.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from webcb.billing import account, guard, limit, product, rating, routing, slices, tariff
from webcb.billing.account import Account
from webcb.billing.currency import ExchangeRates
from webcb.billing.guard import Guards
from webcb.billing.pricing import Pricing
from webcb.billing.product import LegName, UsageCharge
from webcb.billing.routing import COST_SECONDS, Connection, Market, Route
from webcb.billing.slices import Protection
from webcb.billing.tariff import Rate, Tariff
from webcb.number import Kind, Number

__all__ = [
    "Application",
    "Authorization",
    "Facts",
    "Pricing",
    "Reason",
    "Refusal",
    "authorize",
    "first_intervals_micros",
    "lock_micros",
]


class Reason(StrEnum):
    """Why a callback is refused. Several may hold: the first in this order is said."""

    WRONG_CREDENTIALS = "wrong credentials"
    ACCOUNT_BLOCKED = "account blocked"
    ACCOUNT_CLOSED = "account closed"
    ACCOUNT_INACTIVE = "account inactive"
    ACCOUNT_EXPIRED = "account expired"
    CUSTOMER_BLOCKED = "customer blocked"
    PRODUCT_BLOCKED = "product blocked"
    NOT_PERMITTED = "not permitted"  # the product has no usage charge for it
    EMERGENCY = "emergency number"
    PREMIUM = "premium number"
    OWN_NUMBER = "own number"  # it leads back to us
    BARRED = "barred destination"  # by the voice application
    QUIET_HOURS = "quiet hours"  # where A is
    TARIFF_BLOCKED = "tariff blocked"
    NO_RATE = "no rate"
    FORBIDDEN = "forbidden destination"
    NO_ROUTE = "no route"
    NO_FUNDS = "no funds"
    DAILY_SPEND = "daily spend reached"
    TOO_MANY = "too many callbacks"
    APPLICATION_CLOSED = "application closed"
    SAME_NUMBER = "same number"
    # Before anything is looked at, or at the very end, by what was counted of late.
    TOO_MANY_TRIES = "too many tries"  # of passwords
    TOO_OFTEN = "asked too often"
    TOO_MANY_TO_A = "too many callbacks to the number"
    SERVICE_FULL = "service full"
    BAD_NUMBER = "not a number"  # typed by keys
    NEVER_CALL = "asked never to be called"
    KIND_CLOSED = "kind of callback not offered"
    SOURCE_BARRED = "source not allowed"  # Simple, Hosted: from where it is asked for
    LINK_NEEDED = "no signed link"  # Simple, Hosted
    CHALLENGE_UNSOLVED = "challenge not solved"  # Simple, Hosted
    CODE_NEEDED = "code needed"  # that a call to A says
    CODE_WRONG = "wrong code"
    CODE_OVER = "code too old"  # or tried too often
    CODES_TOO_OFTEN = "codes asked too often"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no, with its reason and the leg whose number is meant.

    With NO_FUNDS and DAILY_SPEND, `needed_micros` of `currency` must be available for the first interval of both legs.
    """

    reason: Reason
    leg: LegName | None = None
    needed_micros: int | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Authorization:
    """A yes: what each leg is charged by, the longest talk in seconds the available funds would pay, and the routes.

    `charge_*` are the usage charges that matched; `is_capped` says that what may be spent in a day has a limit.
    """

    currency: str
    available_micros: int
    pricing_a: Pricing
    pricing_a_if_b_fails: Pricing | None
    pricing_b: Pricing
    longest_seconds: int
    charge_a: UsageCharge
    charge_b: UsageCharge
    routes_a: tuple[Route, ...]
    routes_b: tuple[Route, ...]
    is_capped: bool = False

    @property
    def protection(self) -> Protection:
        """How it is kept from overdrawing."""
        return slices.stricter(self.charge_a.protection, self.charge_b.protection)

    @property
    def beyond_balance(self) -> bool:
        """Whether it goes by slices of what may be spent in a day, whatever the balance."""
        return self.is_capped and self.protection.kind == "none"

    @property
    def pricings_of_a(self) -> tuple[Pricing, ...]:
        """Every pricing leg A may be settled by."""
        return (self.pricing_a,) if self.pricing_a_if_b_fails is None else (self.pricing_a, self.pricing_a_if_b_fails)

    def answered(self, at: datetime) -> "Authorization":
        """The same as if both legs were answered at `at`: which of two rates applies is then known."""
        fails = self.pricing_a_if_b_fails
        if all(each.off_peak is None for each in (*self.pricings_of_a, self.pricing_b)):
            return self
        return replace(
            self,
            pricing_a=self.pricing_a.answered(at),
            pricing_a_if_b_fails=fails and fails.answered(at),
            pricing_b=self.pricing_b.answered(at),
        )


@dataclass(frozen=True, slots=True)
class Application:
    """What of a voice application decides about a callback."""

    access_code: str
    special_charge_if_leg_b_fails: bool
    talk_seconds_max: int
    ring_seconds_b: int
    concurrent_per_account: int
    premium_allowed: bool
    active: bool
    kinds: str = "extended"
    second_number: str = ""
    internal_account_id: int | None = None
    account_id_rule: str = ""
    use_account_id_as_ani: bool = False
    guards: Guards = guard.DEFAULTS
    opening_hours: str = ""
    time_zone: str = "UTC"

    def is_open(self, at: datetime) -> bool:
        """Whether callbacks may be asked for at `at`; what was asked for goes on beyond it."""
        return guard.is_open(self.opening_hours, self.time_zone, at)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a verdict rests on, as of `at`; `application` is None where there is none of that name.

    `rates` are those of the prefixes of both numbers, in the tariffs of the usage charges and of the connections;
    `open_callbacks` counts the account's others; `spend_left_micros` is what the account may still spend today, None where that
    has no limit.
    """

    at: datetime
    account: Account
    customer_status: Literal["active", "blocked", "closed"]
    time_zone: str
    currency: str
    available_micros: int
    application: Application | None
    node_id: int | None
    usage_charges: Sequence[UsageCharge]
    tariffs: Mapping[int, Tariff]
    rates: Sequence[Rate]
    number_a: Number
    number_b: Number
    connections: Sequence[Connection]
    exchange_rates: ExchangeRates
    profit_guaranteed: bool
    product_blocked: bool
    open_callbacks: int
    spend_left_micros: int | None = None
    own_numbers: frozenset[str] = frozenset()

    @property
    def usable_micros(self) -> int:
        """What a callback may use: what is available, and of that no more than may still be spent today."""
        if self.spend_left_micros is None:
            return self.available_micros
        return min(self.available_micros, self.spend_left_micros)


_STATE_REASONS = {
    account.State.BLOCKED: Reason.ACCOUNT_BLOCKED,
    account.State.CLOSED: Reason.ACCOUNT_CLOSED,
    account.State.INACTIVE: Reason.ACCOUNT_INACTIVE,
    account.State.EXPIRED: Reason.ACCOUNT_EXPIRED,
}

_LEGS: tuple[LegName, LegName] = ("A", "B")
_EMERGENCY = frozenset({Kind.EMERGENCY})


def authorize(facts: Facts) -> Authorization | Refusal:
    """The verdict: the checks in the order of `Reason`, the first that fails is the refusal (domain 1.1)."""
    refusal = _refusal_of_account(facts)
    if refusal or facts.application is None:
        return refusal or Refusal(Reason.APPLICATION_CLOSED)
    charge_a, charge_b = (
        product.usage_charge(facts.usage_charges, facts.node_id, facts.application.access_code, leg) for leg in _LEGS
    )
    if charge_a is None or charge_b is None:
        return Refusal(Reason.NOT_PERMITTED)
    refusal = _refusal_of_numbers(facts, facts.application)
    if refusal:
        return refusal
    pricings = _pricings(facts, facts.application, charge_a, charge_b)
    if isinstance(pricings, Refusal):
        return pricings
    authorization = _authorization(facts, facts.application, (charge_a, charge_b), *pricings)
    return (
        _refusal_of_routes(authorization) or _refusal_of_use(facts, facts.application, authorization) or authorization
    )


@dataclass(frozen=True, slots=True)
class SoleAuthorization:
    """A yes for leg A alone, whose destination is not known yet (domain 7): see Authorization."""

    currency: str
    available_micros: int
    pricing_a: Pricing
    pricing_a_if_b_fails: Pricing | None
    charge_a: UsageCharge
    routes_a: tuple[Route, ...]
    is_capped: bool = False

    @property
    def beyond_balance(self) -> bool:
        """Whether it goes by slices of what may be spent in a day, whatever the balance."""
        return self.is_capped and self.charge_a.protection.kind == "none"

    @property
    def pricings_of_a(self) -> tuple[Pricing, ...]:
        """Every pricing leg A may be settled by."""
        return (self.pricing_a,) if self.pricing_a_if_b_fails is None else (self.pricing_a, self.pricing_a_if_b_fails)


def authorize_alone(facts: Facts) -> SoleAuthorization | Refusal:
    """The verdict on leg A alone, by the same checks in the same order; `number_b` of the facts is not looked at."""
    facts = replace(facts, number_b=facts.number_a)
    refusal = _refusal_of_account(facts)
    application = facts.application
    if refusal or application is None:
        return refusal or Refusal(Reason.APPLICATION_CLOSED)
    charge = product.usage_charge(facts.usage_charges, facts.node_id, application.access_code, "A")
    if charge is None:
        return Refusal(Reason.NOT_PERMITTED)
    refusal = _refusal_of_numbers(facts, application)
    if refusal:
        return refusal
    pricings = _pricings(facts, application, charge, charge)
    if isinstance(pricings, Refusal):
        return pricings
    pricing_a, pricing_if_b_fails, _ = pricings
    routes = _routes(facts, facts.number_a, pricing_a.answered(facts.at))
    sole = SoleAuthorization(
        facts.currency,
        facts.usable_micros,
        pricing_a,
        pricing_if_b_fails,
        charge,
        routes,
        facts.spend_left_micros is not None,
    )
    return _refusal_of_sole_use(facts, application, sole) or sole


def _refusal_of_sole_use(facts: Facts, application: Application, sole: SoleAuthorization) -> Refusal | None:
    if not sole.routes_a:
        return Refusal(Reason.NO_ROUTE, "A")
    needed = max(rating.amount(each, each.free_seconds + 1) for each in sole.pricings_of_a)
    if facts.usable_micros < needed:
        reason = Reason.DAILY_SPEND if facts.available_micros >= needed else Reason.NO_FUNDS
        return Refusal(reason, needed_micros=needed, currency=facts.currency)
    if facts.open_callbacks >= application.concurrent_per_account:
        return Refusal(Reason.TOO_MANY)
    return None if application.active else Refusal(Reason.APPLICATION_CLOSED)


def _refusal_of_account(facts: Facts) -> Refusal | None:
    state = account.state(facts.account, facts.at)
    if state in _STATE_REASONS:
        return Refusal(_STATE_REASONS[state])
    if facts.customer_status != "active":
        return Refusal(Reason.CUSTOMER_BLOCKED)
    return Refusal(Reason.PRODUCT_BLOCKED) if facts.product_blocked else None


def _refusal_of_numbers(facts: Facts, application: Application) -> Refusal | None:
    barred = frozenset() if application.premium_allowed else guard.BARRED_KINDS
    legs: tuple[tuple[LegName, Number], ...] = (("A", facts.number_a), ("B", facts.number_b))
    for reason, kinds in ((Reason.EMERGENCY, _EMERGENCY), (Reason.PREMIUM, barred)):
        for leg, number in legs:
            if number.kind in kinds:
                return Refusal(reason, leg)
    for leg, number in legs:
        if number.digits in facts.own_numbers:
            return Refusal(Reason.OWN_NUMBER, leg)
    for leg, number in legs:
        if not guard.allows(application.guards, number.digits):
            return Refusal(Reason.BARRED, leg)
    quiet = guard.is_quiet(application.guards, facts.number_a.digits, facts.at)
    return Refusal(Reason.QUIET_HOURS, "A") if quiet else None


def _pricings(
    facts: Facts, application: Application, charge_a: UsageCharge, charge_b: UsageCharge
) -> tuple[Pricing, Pricing | None, Pricing] | Refusal:
    """The pricings of A, of A if B fails, and of B."""
    for leg, charge in zip(_LEGS, (charge_a, charge_b), strict=True):
        if facts.tariffs[charge.tariff_id].blocked:
            return Refusal(Reason.TARIFF_BLOCKED, leg)
    rate_a, rate_b = _rate(facts, charge_a, facts.number_a), _rate(facts, charge_b, facts.number_b)
    if rate_a is None or rate_b is None:
        return Refusal(Reason.NO_RATE, "A" if rate_a is None else "B")
    if rate_a.forbidden or rate_b.forbidden:
        return Refusal(Reason.FORBIDDEN, "A" if rate_a.forbidden else "B")
    pricing_a, pricing_b = _pricing(facts, charge_a, rate_a), _pricing(facts, charge_b, rate_b)
    if not application.special_charge_if_leg_b_fails:
        return pricing_a, None, pricing_b
    charge_fails = product.usage_charge_if_b_fails(facts.usage_charges, facts.node_id)
    rate_fails = None if charge_fails is None else _rate(facts, charge_fails, facts.number_a)
    if charge_fails is None or rate_fails is None:  # the ordinary entry is used (domain 4)
        return pricing_a, None, pricing_b
    return pricing_a, _pricing(facts, charge_fails, rate_fails), pricing_b


def _rate(facts: Facts, charge: UsageCharge, number: Number) -> Rate | None:
    """The rate of the charge's tariff; a blocked one, or one in another currency than the account's, has none for it."""
    of = facts.tariffs[charge.tariff_id]
    if of.blocked or of.currency != facts.currency:
        return None
    return tariff.rate_in_force(facts.rates, charge.tariff_id, number.digits, facts.at)


def _pricing(facts: Facts, charge: UsageCharge, rate: Rate) -> Pricing:
    return tariff.pricing(facts.tariffs[charge.tariff_id], rate, charge.access_code, facts.time_zone)


def _authorization(
    facts: Facts,
    application: Application,
    charges: tuple[UsageCharge, UsageCharge],
    pricing_a: Pricing,
    pricing_a_if_b_fails: Pricing | None,
    pricing_b: Pricing,
) -> Authorization:
    answered_a, answered_b = pricing_a.answered(facts.at), pricing_b.answered(facts.at)
    longest_seconds = limit.joint_limit(
        answered_a,
        answered_b,
        ran_a_us=0,
        funds_micros=facts.usable_micros,
        seconds_max=application.talk_seconds_max,
    )
    return Authorization(
        currency=facts.currency,
        available_micros=facts.usable_micros,
        pricing_a=pricing_a,
        pricing_a_if_b_fails=pricing_a_if_b_fails,
        pricing_b=pricing_b,
        longest_seconds=longest_seconds,
        charge_a=charges[0],
        charge_b=charges[1],
        routes_a=_routes(facts, facts.number_a, answered_a),
        routes_b=_routes(facts, facts.number_b, answered_b),
        is_capped=facts.spend_left_micros is not None,
    )


def _routes(facts: Facts, number: Number, answered: Pricing) -> tuple[Route, ...]:
    """The routes of a leg; with profit guarantee, none on which a minute costs more than it is charged."""
    minute_micros_max = rating.amount(answered, COST_SECONDS) if facts.profit_guaranteed else None
    market = Market(
        facts.connections, facts.tariffs, facts.rates, facts.exchange_rates, facts.currency, minute_micros_max
    )
    return routing.routes(market, number.digits, facts.at)


def _refusal_of_routes(authorization: Authorization) -> Refusal | None:
    if not authorization.routes_a:
        return Refusal(Reason.NO_ROUTE, "A")
    return None if authorization.routes_b else Refusal(Reason.NO_ROUTE, "B")


def _refusal_of_use(facts: Facts, application: Application, authorization: Authorization) -> Refusal | None:
    needed_micros = first_intervals_micros(authorization.answered(facts.at))
    if facts.usable_micros < needed_micros or authorization.longest_seconds < 1:
        is_capped = facts.available_micros >= needed_micros and facts.usable_micros < facts.available_micros
        reason = Reason.DAILY_SPEND if is_capped else Reason.NO_FUNDS
        return Refusal(reason, needed_micros=needed_micros, currency=facts.currency)
    if facts.open_callbacks >= application.concurrent_per_account:
        return Refusal(Reason.TOO_MANY)
    if not application.active:
        return Refusal(Reason.APPLICATION_CLOSED)
    return Refusal(Reason.SAME_NUMBER, "B") if facts.number_a.digits == facts.number_b.digits else None


def first_intervals_micros(authorization: Authorization) -> int:
    """What the first charged interval of both legs costs together: the least funds a callback needs (domain 1.1).

    Where B fails, A alone is charged, maybe by a dearer price: the funds must pay for that as well.
    """
    of_b = rating.amount(authorization.pricing_b, authorization.pricing_b.free_seconds + 1)
    of_a, *of_a_if_b_fails = (
        rating.amount(pricing, pricing.free_seconds + 1) for pricing in authorization.pricings_of_a
    )
    return max([of_a + of_b, *of_a_if_b_fails])


def lock_micros(authorization: Authorization, talk_seconds_max: int) -> int:
    """What is set aside before A is called (domain 4): a slice, all that is available, or nothing.

    One that may overdraw the balance, but not what it may spend in a day, goes by slices of that.
    """
    protection = authorization.protection
    if protection.kind == "whole balance":
        return authorization.available_micros
    if protection.kind == "none" and not authorization.beyond_balance:
        return 0
    need = slices.first(
        authorization.pricings_of_a, authorization.pricing_b, min(protection.slice_seconds, talk_seconds_max)
    )
    first = slices.fitting(need, authorization.available_micros)
    return min(max(first, first_intervals_micros(authorization)), authorization.available_micros)
