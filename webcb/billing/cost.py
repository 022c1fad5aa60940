"""What a leg costs us: the vendor's charge for it, and what that is in the currency of the leg's own charge (domain 2, 3)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webcb.billing import rating
from webcb.billing.currency import Exchanged, ExchangeRates
from webcb.billing.pricing import Pricing


@dataclass(frozen=True, slots=True)
class Cost:
    """A vendor's charge in micros of its currency; `exchanged` is None where no exchange rate of the day is known."""

    vendor_id: int
    amount_micros: int
    currency: str
    exchanged: Exchanged | None
    explanation: dict[str, Any]


@dataclass(frozen=True, slots=True)
class VendorTerms:
    """By what a vendor charges a leg that was answered."""

    vendor_id: int
    pricing: Pricing


def cost(terms: VendorTerms, used_seconds: int, currency: str, exchange_rates: ExchangeRates, at: datetime) -> Cost:
    """The vendor's charge for a leg of `used_seconds`, and its worth in `currency` by the exchange rates of `at`."""
    charge = rating.charge(terms.pricing, used_seconds)
    exchanged = exchange_rates.convert(charge.amount_micros, terms.pricing.currency, currency, at)
    return Cost(terms.vendor_id, charge.amount_micros, terms.pricing.currency, exchanged, charge.explanation)
