"""The order in which connections are tried."""

from datetime import UTC, datetime

import pytest

from webcb.billing.formula import Intervals
from webcb.billing.routing import Connection, routes
from webcb.billing.tariff import Rate, Tariff

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DIGITS = "12065554123"


def connection(name: str, tariff_id: int) -> Connection:
    return Connection(tariff_id, name, tariff_id, "192.0.2.1", 5060, "", "", "", ("PCMU",), None, "UTC")


def order(*offers: dict) -> list[str]:
    """The names in the order tried; offer n is of connection n with its own tariff, the first named "a"."""
    names = "abcdefgh"
    connections = [connection(names[n], n) for n in range(len(offers))]
    tariffs = {n: Tariff(n, names[n], "USD", connect_fee_micros=offer.pop("fee", 0)) for n, offer in enumerate(offers)}
    rates = []
    for n, offer in enumerate(offers):
        if offer:
            price = offer.pop("price", 10_000)
            interval = offer.pop("interval", 1)
            prefix = offer.pop("prefix", "1")
            rates.append(Rate(n, prefix, NOON, Intervals(interval, interval, price, price), **offer))
    return [each.name for each in routes(connections, tariffs, rates, DIGITS, NOON)]


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
