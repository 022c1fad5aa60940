"""Routing: which connections carry a number, and in what order they are tried (domain 8)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from webcb import money
from webcb.billing import rating
from webcb.billing.tariff import Rate, Tariff, pricing, rate_in_force

COST_SECONDS = 60  # vendors are compared by what a call of one minute costs, its fees and intervals included
PREFERENCE_NEVER = 0


@dataclass(frozen=True, slots=True)
class Connection:
    """A vendor's switch as configured; the password is still sealed. `time_zone` is the vendor's."""

    id: int
    name: str
    tariff_id: int
    host: str
    port: int
    username: str
    sealed_password: str
    tech_prefix: str
    codecs: tuple[str, ...]
    capacity: int | None
    time_zone: str
    transport: str = "udp"
    tls_ca_file: str = ""
    tls_certificate_file: str = ""
    tls_key_file: str = ""
    calls_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class RouteChoice:
    """A connection to try, with what is needed to reach it.

    `capacity` is its limit of legs at once, `calls_per_second` of legs started; None: no limit.
    `transport` is udp, tcp or tls; the tls files are paths, "" where the connection names none.
    """

    connection_id: int
    name: str
    host: str
    port: int
    username: str
    password: str
    tech_prefix: str
    codecs: tuple[str, ...]
    capacity: int | None
    transport: str = "udp"
    tls_ca_file: str = ""
    tls_certificate_file: str = ""
    tls_key_file: str = ""
    calls_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    connection: Connection
    rate: Rate
    cost_micros: int


def routes(
    connections: Iterable[Connection], tariffs: Mapping[int, Tariff], rates: Sequence[Rate], digits: str, at: datetime
) -> tuple[Connection, ...]:
    """The connections that carry a number, in the order they are tried.

    A connection carries what its vendor's tariff has a rate for that is not forbidden. Order: category (1 first), preference
    (10 first, 0 never), cost, then name. A route with huntstop is the last: those ordered after it are left out. Costs in
    different currencies are compared as numbers.
    """
    candidates = []
    for connection in connections:
        rate = rate_in_force(rates, connection.tariff_id, digits, at)
        if rate is None or rate.forbidden or rate.preference == PREFERENCE_NEVER:
            continue
        exact = replace(tariffs[connection.tariff_id], decimals=money.DECIMALS_MAX)  # rounding would make ties
        price = pricing(exact, rate, "", connection.time_zone).answered(at)
        candidates.append(_Candidate(connection, rate, rating.amount(price, COST_SECONDS)))
    candidates.sort(
        key=lambda each: (each.rate.category, -each.rate.preference, each.cost_micros, each.connection.name)
    )
    last = next((position for position, each in enumerate(candidates, 1) if each.rate.huntstop), len(candidates))
    return tuple(each.connection for each in candidates[:last])
