"""What a leg costs us: the vendor's charge for it, and what that is in the currency of the leg's own charge (domain 2, 3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from webcb.billing import rating
from webcb.billing.currency import Exchanged, ExchangeRates
from webcb.billing.pricing import Pricing
from webcb.billing.routing import Route


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
    """By what a vendor charges a leg, agreed when the callback was authorized."""

    vendor_id: int
    pricing: Pricing


def frozen(routes: Iterable[Route]) -> str:
    """The text kept on the row of a leg: connection, vendor and what the vendor charges by, a line for each of its routes."""
    return "\n".join(f"{each.connection.id} {each.connection.vendor_id} {each.pricing.as_json()}" for each in routes)


@lru_cache(maxsize=4096)
def thawed(text: str, connection_id: int) -> VendorTerms | None:
    """The terms of one connection in the text that `frozen` wrote; None where the leg had no route over it."""
    for line in text.split("\n"):
        connection, _, rest = line.partition(" ")
        if connection == str(connection_id):
            vendor, _, pricing = rest.partition(" ")
            return VendorTerms(int(vendor), Pricing.from_json(pricing))
    return None


def cost(terms: VendorTerms, used_seconds: int, currency: str, exchange_rates: ExchangeRates, at: datetime) -> Cost:
    """The vendor's charge for a leg of `used_seconds` answered at `at`, and its worth in `currency` by that day's rates."""
    charge = rating.charge(terms.pricing.answered(at), used_seconds)
    exchanged = exchange_rates.convert(charge.amount_micros, terms.pricing.currency, currency, at)
    return Cost(terms.vendor_id, charge.amount_micros, terms.pricing.currency, exchanged, charge.explanation)
