"""Authorization: may these two numbers be connected for this account, at what price, for how long. Pure: facts in, verdict out.

What the legs are charged by is terms.py's. The facts are read by reception.py; funds are locked in ledger.py.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple

from webcb.billing import account, guard, limit, slices
from webcb.billing.account import Account
from webcb.billing.guard import Guards
from webcb.billing.pricing import Pricing
from webcb.billing.product import LegName, UsageCharge
from webcb.billing.refusal import Reason, Refusal
from webcb.billing.routing import Route
from webcb.billing.slices import Protection
from webcb.billing.terms import SoleTerms, Terms
from webcb.number import Kind, Number

__all__ = [
    "Application",
    "Authorization",
    "Facts",
    "Pricing",
    "Reason",
    "Refusal",
    "authorize",
    "lock_micros",
]


@dataclass(frozen=True, slots=True)
class Authorization:
    """A yes: its terms, the longest talk in seconds the available funds would pay.

    `is_capped` says that what may be spent in a day has a limit.
    """

    terms: Terms
    currency: str
    available_micros: int
    longest_seconds: int
    is_capped: bool = False

    @property
    def pricing_a(self) -> Pricing:
        """What leg A is charged by."""
        return self.terms.pricing_a

    @property
    def pricing_a_if_b_fails(self) -> Pricing | None:
        """What leg A is charged by where B is not answered; None: the same."""
        return self.terms.pricing_a_if_b_fails

    @property
    def pricing_b(self) -> Pricing:
        """What leg B is charged by."""
        return self.terms.pricing_b

    @property
    def charge_a(self) -> UsageCharge:
        """The usage charge that matched for leg A."""
        return self.terms.charge_a

    @property
    def charge_b(self) -> UsageCharge:
        """The usage charge that matched for leg B."""
        return self.terms.charge_b

    @property
    def routes_a(self) -> tuple[Route, ...]:
        """The routes of leg A, in the order they are tried."""
        return self.terms.routes_a

    @property
    def routes_b(self) -> tuple[Route, ...]:
        """The routes of leg B, in the order they are tried."""
        return self.terms.routes_b

    @property
    def protection(self) -> Protection:
        """How it is kept from overdrawing."""
        return self.terms.protection

    @property
    def beyond_balance(self) -> bool:
        """Whether it goes by slices of what may be spent in a day, whatever the balance."""
        return self.is_capped and self.protection.kind == "none"

    @property
    def pricings_of_a(self) -> tuple[Pricing, ...]:
        """Every pricing leg A may be settled by."""
        return self.terms.pricings_of_a

    def answered(self) -> "Authorization":
        """The same as if both legs were answered at the moment of the verdict: which of two rates applies is then known."""
        terms = self.terms
        return replace(
            self,
            terms=replace(
                terms,
                pricing_a=terms.answered_a,
                pricing_a_if_b_fails=terms.answered_a_if_b_fails,
                pricing_b=terms.answered_b,
            ),
        )


@dataclass(frozen=True, slots=True)
class Application:
    """What of a voice application decides about a callback."""

    path: str
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


class Facts(NamedTuple):
    """Everything a verdict rests on, as of `at`; `application` is None where there is none of that name.

    `terms` are None where there is no application. `open_callbacks` counts the account's others; `spend_left_micros` is what the
    account may still spend today, None where that has no limit. `number_b` is None where leg A is authorized alone.
    """

    at: datetime
    account: Account
    customer_status: Literal["active", "blocked", "closed"]
    currency: str
    available_micros: int
    application: Application | None
    node_id: int | None
    terms: Terms | SoleTerms | Refusal | None
    number_a: Number
    number_b: Number | None
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

_EMERGENCY = frozenset({Kind.EMERGENCY})


def authorize(facts: Facts) -> Authorization | Refusal:
    """The verdict: the checks in the order of `Reason`, the first that fails is the refusal (domain 1.1)."""
    refusal = _refusal_before_funds(facts)
    if refusal is not None:
        return refusal
    terms, application = facts.terms, facts.application
    assert isinstance(terms, Terms) and application is not None  # noqa: S101  refused without; two numbers have joint terms
    usable_micros = facts.usable_micros
    longest_seconds = limit.joint_limit(
        terms.answered_a, terms.answered_b, 0, usable_micros, application.talk_seconds_max
    )
    needed_micros = terms.needed_micros
    if usable_micros < needed_micros or longest_seconds < 1:
        is_capped = facts.available_micros >= needed_micros and usable_micros < facts.available_micros
        reason = Reason.DAILY_SPEND if is_capped else Reason.NO_FUNDS
        return Refusal(reason, needed_micros=needed_micros, currency=facts.currency)
    if facts.open_callbacks >= application.concurrent_per_account:
        return Refusal(Reason.TOO_MANY)
    if not application.active:
        return Refusal(Reason.APPLICATION_CLOSED)
    if facts.number_b is None or facts.number_a.digits == facts.number_b.digits:
        return Refusal(Reason.SAME_NUMBER, "B")
    return Authorization(
        terms, facts.currency, usable_micros, longest_seconds, is_capped=facts.spend_left_micros is not None
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
    """The verdict on leg A alone, by the same checks in the same order."""
    refusal = _refusal_before_funds(facts)
    if refusal is not None:
        return refusal
    terms, application = facts.terms, facts.application
    assert isinstance(terms, SoleTerms) and application is not None  # noqa: S101  refused without; one number has sole terms
    needed = terms.needed_micros
    if facts.usable_micros < needed:
        reason = Reason.DAILY_SPEND if facts.available_micros >= needed else Reason.NO_FUNDS
        return Refusal(reason, needed_micros=needed, currency=facts.currency)
    if facts.open_callbacks >= application.concurrent_per_account:
        return Refusal(Reason.TOO_MANY)
    if not application.active:
        return Refusal(Reason.APPLICATION_CLOSED)
    return SoleAuthorization(
        facts.currency,
        facts.usable_micros,
        terms.pricing_a,
        terms.pricing_a_if_b_fails,
        terms.charge_a,
        terms.routes_a,
        facts.spend_left_micros is not None,
    )


def _refusal_before_funds(facts: Facts) -> Refusal | None:
    refusal = _refusal_of_account(facts)
    if refusal is not None:
        return refusal
    terms, application = facts.terms, facts.application
    if application is None or terms is None:
        return Refusal(Reason.APPLICATION_CLOSED)
    if isinstance(terms, Refusal):  # that the product has no usage charge for it is said first
        return terms if terms.reason is Reason.NOT_PERMITTED else _refusal_of_numbers(facts, application) or terms
    return _refusal_of_numbers(facts, application)


def _refusal_of_account(facts: Facts) -> Refusal | None:
    state = account.state(facts.account, facts.at)
    if state is not account.State.ACTIVE:
        return Refusal(_STATE_REASONS[state])
    if facts.customer_status != "active":
        return Refusal(Reason.CUSTOMER_BLOCKED)
    return Refusal(Reason.PRODUCT_BLOCKED) if facts.product_blocked else None


def _refusal_of_numbers(facts: Facts, application: Application) -> Refusal | None:
    barred = frozenset() if application.premium_allowed else guard.BARRED_KINDS
    legs: list[tuple[LegName, Number]] = [("A", facts.number_a)]
    if facts.number_b is not None:
        legs.append(("B", facts.number_b))
    special = [each for each in legs if each[1].kind is not Kind.ORDINARY]
    for reason, kinds in ((Reason.EMERGENCY, _EMERGENCY), (Reason.PREMIUM, barred)) if special else ():
        for leg, number in special:
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


def lock_micros(authorization: Authorization) -> int:
    """What is set aside before A is called (domain 4): a slice, all that is available, or nothing.

    One that may overdraw the balance, but not what it may spend in a day, goes by slices of that.
    """
    terms, available_micros = authorization.terms, authorization.available_micros
    kind = terms.protection.kind
    if kind == "whole balance":
        return available_micros
    if kind == "none" and not authorization.beyond_balance:
        return 0
    first = terms.first_slice_micros
    if first > available_micros:
        first = slices.fitting(terms.first_slice, available_micros)
    return min(max(first, terms.first_intervals_micros), available_micros)
