"""Refusals: a no to a callback, as a value. Pure; the words for it are those of the pages, prompts and commands."""

from dataclasses import dataclass
from enum import StrEnum

from webcb.billing.product import LegName


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
    TOO_MANY_TO_NUMBER = "too many callbacks to the number"
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
