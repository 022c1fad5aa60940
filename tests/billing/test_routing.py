"""The order in which connections are tried, and which are left out for what they cost."""

from datetime import UTC, datetime, timedelta

import pytest

from webcb.billing.currency import NONE_KNOWN, ExchangeRates
from webcb.billing.formula import Intervals
from webcb.billing.routing import Connection, Market, routes
from webcb.billing.tariff import Rate, Tariff

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
DIGITS = "12065554123"


def connection(name: str, tariff_id: int) -> Connection:
    return Connection(tariff_id, name, tariff_id, "192.0.2.1", 5060, "", "", "", ("PCMU",), None, "UTC")


# A dollar was worth 0.80 euro, and 1.00 from the third of March on.
EXCHANGE = ExchangeRates.of(
    [("USD", "2026-01-01", 10**6), ("EUR", "2026-01-01", 800_000), ("EUR", "2026-03-03", 10**6)]
)


def order(
    *offers: dict, exchange: ExchangeRates = NONE_KNOWN, at: datetime = NOON, most: int | None = None
) -> list[str]:
    """The names in the order tried; offer n is of connection n with its own tariff, the first named "a"."""
    names = "abcdefgh"
    connections = [connection(names[n], n) for n in range(len(offers))]
    offers = tuple(dict(offer) for offer in offers)
    tariffs = {
        n: Tariff(n, names[n], offer.pop("currency", "USD"), connect_fee_micros=offer.pop("fee", 0))
        for n, offer in enumerate(offers)
    }
    rates = []
    for n, offer in enumerate(offers):
        if offer:
            price = offer.pop("price", 10_000)
            interval = offer.pop("interval", 1)
            prefix = offer.pop("prefix", "1")
            since = offer.pop("effective_at", NOON)
            rates.append(Rate(n, prefix, since, Intervals(interval, interval, price, price), **offer))
    market = Market(connections, tariffs, rates, exchange, "USD", most)
    return [each.connection.name for each in routes(market, DIGITS, at)]


@pytest.mark.parametrize(
    ("offers", "tried"),
    [
        ([], ""),
        ([{}, {"price": 1}], "b"),  # a has no rate for the number
        ([{"prefix": "55"}, {"prefix": "|"}], "b"),
        ([{"forbidden": True}, {"price": 9}], "b"),
        ([{"discontinued": True}, {"price": 9}], "b"),
        ([{"preference": 0}, {"price": 9}], "b"),  # 0: never
        ([{"price": 3}, {"price": 1}, {"price": 2}], "bca"),
        ([{"price": 1, "preference": 4}, {"price": 2}], "ba"),
        ([{"price": 2, "preference": 10}, {"price": 1, "preference": 9}], "ab"),
        ([{"category": 2, "preference": 10, "price": 0}, {"category": 1, "preference": 1, "price": 9}], "ba"),
        ([{"price": 60}, {"price": 59, "fee": 1_000_000}], "ab"),  # compared by a minute with its fees
        ([{"price": 60_000, "interval": 600}, {"price": 70_000, "interval": 60}], "ba"),  # and its intervals
        ([{"price": 5}, {"price": 5}], "ab"),  # the same in all: by name
        ([{"price": 1}, {"price": 2, "huntstop": True}, {"price": 3}], "ab"),
        ([{"price": 3}, {"price": 2, "huntstop": True}, {"price": 1, "preference": 0}], "b"),
        ([{"huntstop": True, "forbidden": True}, {"price": 9}], "b"),  # what is not tried stops nothing
    ],
)
def test_order(offers, tried):
    assert order(*offers) == list(tried)


@pytest.mark.parametrize(
    ("offers", "exchange", "at", "tried"),
    [
        # 0.011 EUR at 0.80 EUR a dollar are 0.01375 USD: dearer than 0.012 USD; at par cheaper.
        ([{"price": 11_000, "currency": "EUR"}, {"price": 12_000}], EXCHANGE, NOON, "ba"),
        ([{"price": 11_000, "currency": "EUR"}, {"price": 12_000}], EXCHANGE, NOON + timedelta(days=1), "ab"),
        # The day is that of UTC, whatever the clocks say: 23:59:59 on the second is the old rate.
        ([{"price": 11_000, "currency": "EUR"}, {"price": 12_000}], EXCHANGE, NOON + timedelta(seconds=43_199), "ba"),
        ([{"price": 11_000, "currency": "EUR"}, {"price": 12_000}], EXCHANGE, NOON + timedelta(seconds=43_200), "ab"),
        # Without an exchange rate a cost cannot be compared: after those that can, in its category and preference.
        ([{"price": 1, "currency": "GBP"}, {"price": 12_000}], EXCHANGE, NOON, "ba"),
        ([{"price": 1, "currency": "GBP", "preference": 6}, {"price": 12_000}], EXCHANGE, NOON, "ab"),
        ([{"price": 1, "currency": "EUR"}, {"price": 12_000}], NONE_KNOWN, NOON, "ba"),
        # Before the first day that is known there is none.
        ([{"price": 1, "currency": "EUR"}, {"price": 12_000}], EXCHANGE, NOON - timedelta(days=90), "ba"),
    ],
)
def test_costs_are_compared_in_one_currency_by_the_rates_of_the_day(offers, exchange, at, tried):
    early = [offer | {"effective_at": LONG_AGO} for offer in offers]
    assert order(*early, exchange=exchange, at=at) == list(tried)


@pytest.mark.parametrize(
    ("offers", "most", "tried"),
    [
        ([{"price": 100_000}, {"price": 100_001}], 100_000, "a"),  # as dear as what comes in is not dearer
        ([{"price": 100_001}], 100_000, ""),
        ([{"price": 90_000, "fee": 10_001}], 100_000, ""),  # its fee counts
        ([{"price": 80_000, "currency": "EUR"}], 100_000, "a"),  # 0.08 EUR at 0.80 a dollar are 0.10 USD
        ([{"price": 80_001, "currency": "EUR"}], 100_000, ""),
        ([{"price": 1, "currency": "GBP"}], 100_000, ""),  # what it costs is not known: that guarantees nothing
        ([{"price": 200_000, "huntstop": True, "preference": 9}, {"price": 1}], 100_000, "b"),  # and stops nothing
        ([{"price": 0}], 0, "a"),
    ],
)
def test_with_profit_guarantee_a_route_dearer_than_the_charge_is_left_out(offers, most, tried):
    assert order(*offers, exchange=EXCHANGE, most=most) == list(tried)
