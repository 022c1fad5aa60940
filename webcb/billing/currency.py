"""Currencies: what an amount in one is worth in another on a day, exactly, rounded once. Exchange rates are whole micros.

A rate says how much of a currency one unit of the base currency was worth from a day on; the base itself has the rate 1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from webcb import money


@dataclass(frozen=True, slots=True)
class Exchanged:
    """An amount in another currency, in micros, and the two rates it was converted by; None where it is the same currency."""

    amount_micros: int
    to_per_base_micros: int | None = None
    from_per_base_micros: int | None = None


@dataclass(frozen=True, slots=True)
class ExchangeRates:
    """The rates of every currency: day (ISO, UTC) and micros for one unit of the base, the newest first."""

    by_currency: Mapping[str, tuple[tuple[str, int], ...]]

    @classmethod
    def of(cls, lines: Iterable[tuple[str, str, int]]) -> "ExchangeRates":
        """From lines of currency, day and micros, in any order."""
        found: dict[str, list[tuple[str, int]]] = {}
        for currency, day, per_base_micros in lines:
            found.setdefault(currency, []).append((day, per_base_micros))
        return cls({currency: tuple(sorted(days, reverse=True)) for currency, days in found.items()})

    def convert(self, amount_micros: int, currency: str, into: str, at: datetime) -> Exchanged | None:
        """The amount in currency `into` by the rates of the day of `at`; None where one of them is not known.

        Rounded away from zero to whole micros.
        """
        if currency == into:
            return Exchanged(amount_micros)
        day = at.astimezone(UTC).date().isoformat()
        of, to = self._in_force(currency, day), self._in_force(into, day)
        if of is None or to is None:
            return None
        return Exchanged(money.round_away(amount_micros * to, of, money.DECIMALS_MAX), to, of)

    def _in_force(self, currency: str, day: str) -> int | None:
        days = self.by_currency.get(currency, ())
        return next((per_base_micros for since, per_base_micros in days if since <= day), None)


NONE_KNOWN = ExchangeRates({})
