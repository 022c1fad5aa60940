"""Routing: which connections carry a number, and in what order they are tried (domain 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from webcb.billing import rating
from webcb.billing.currency import ExchangeRates
from webcb.billing.pricing import Pricing
from webcb.billing.tariff import Rate, Tariff, pricing, rate_in_force

Srtp = Literal["none", "optional", "required"]

COST_SECONDS = 60  # vendors are compared by what a call of one minute costs, its fees and intervals included
PREFERENCE_NEVER = 0


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a connection wants to be told who calls and who is called; what each field means stands in the provisioning file.

    `identity_headers` are names of headers, in order.
    """

    number_format: str = "digits"
    cld_rule: str = ""
    cli_rule: str = ""
    cli_withheld: bool = False
    from_user: str = ""
    from_name: str = ""
    from_domain: str = ""
    identity_headers: tuple[str, ...] = ()
    identity_user: str = ""
    diversion_user: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """A vendor's switch as configured; the password is still sealed. `time_zone` is the vendor's."""

    id: int
    name: str
    tariff_id: int
    host: str
    port: int | None
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
    vendor_id: int = 0
    presentation: Presentation = Presentation()
    must_register: bool = False
    registrar: str = ""
    srtp: Srtp = "none"

    def __hash__(self) -> int:
        return hash((self.id, self.name))


@dataclass(frozen=True, slots=True)
class RouteChoice:
    """A connection to try, with what is needed to reach it.

    `port` None: to be found out; `transport` is udp, tcp, tls, or auto: the same. `capacity` is its limit of legs at once,
    `calls_per_second` of legs started; None: no limit. The tls files are paths, "" where the connection names none.
    `must_register`: we must be registered there to call, at the domain `registrar`, "" for its host. `srtp`: whether the voice is
    encrypted, "optional" leaves it to the switch.
    """

    connection_id: int
    name: str
    host: str
    port: int | None
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
    presentation: Presentation = Presentation()
    must_register: bool = False
    registrar: str = ""
    srtp: Srtp = "none"

    @property
    def home_domain(self) -> str:
        """The domain at which the carrier knows us, as a URI writes it, "" where it knows us by our address."""
        domain = self.presentation.from_domain or ((self.registrar or self.host) if self.must_register else "")
        return f"[{domain}]" if ":" in domain else domain


@dataclass(frozen=True, slots=True)
class Route:
    """A connection that carries a number: by what its vendor charges, and what COST_SECONDS of it cost.

    `minute_micros` is in the currency that was asked for and exact to a micro; None where no exchange rate leads there.
    """

    connection: Connection
    pricing: Pricing
    minute_micros: int | None


@dataclass(frozen=True, slots=True)
class Market:
    """What routes are chosen from, and how they are compared: by cost in `currency`, by the exchange rates of the day.

    A route whose minute costs more than `minute_micros_max` is left out, and so is one whose cost in that currency is not
    known; None: nothing is left out for its cost (domain 8, profit guarantee).
    """

    connections: Sequence[Connection]
    tariffs: Mapping[int, Tariff]
    rates: Sequence[Rate]
    exchange_rates: ExchangeRates
    currency: str
    minute_micros_max: int | None = None


def routes(market: Market, digits: str, at: datetime) -> tuple[Route, ...]:
    """The connections that carry a number, in the order they are tried.

    A connection carries what its vendor's tariff has a rate for that is not forbidden; a blocked tariff has none. Order:
    category (1 first), preference (10 first, 0 never), cost, then name; a cost that cannot be compared comes after those that
    can. A route with huntstop is the last: those ordered after it are left out.
    """
    candidates = []
    for connection in market.connections:
        rate = rate_in_force(market.rates, connection.tariff_id, digits, at)
        if rate is None or rate.forbidden or rate.preference == PREFERENCE_NEVER:
            continue
        if market.tariffs[connection.tariff_id].blocked:
            continue
        price = pricing(market.tariffs[connection.tariff_id], rate, "", connection.time_zone)
        minute_micros = _minute_micros(price, market, at)
        if market.minute_micros_max is not None and (minute_micros is None or minute_micros > market.minute_micros_max):
            continue
        order = rate.category, -rate.preference, minute_micros is None, minute_micros or 0, connection.name
        candidates.append((order, rate.huntstop, Route(connection, price, minute_micros)))
    candidates.sort(key=lambda each: each[0])
    last = next((position for position, each in enumerate(candidates, 1) if each[1]), len(candidates))
    return tuple(route for _, _, route in candidates[:last])


def left_out(market: Market, digits: str, at: datetime) -> tuple[tuple[Connection, str], ...]:
    """The connections of the market that `routes` leaves out for a number, each with the reason in words, by name."""
    taken = routes(market, digits, at)
    ids = {route.connection.id for route in taken}
    found = []
    for connection in sorted(market.connections, key=lambda each: each.name):
        if connection.id in ids:
            continue
        rate = rate_in_force(market.rates, connection.tariff_id, digits, at)
        if market.tariffs[connection.tariff_id].blocked:
            why = f"its tariff {market.tariffs[connection.tariff_id].name} is blocked"
        elif rate is None:
            why = f"tariff {market.tariffs[connection.tariff_id].name} has no rate for it"
        elif rate.forbidden:
            why = f"its rate for {rate.prefix} is forbidden"
        elif rate.preference == PREFERENCE_NEVER:
            why = f"its preference for {rate.prefix} is 0, never"
        else:
            price = pricing(market.tariffs[connection.tariff_id], rate, "", connection.time_zone)
            minute_micros = _minute_micros(price, market, at)
            most = market.minute_micros_max
            if most is not None and (minute_micros is None or minute_micros > most):
                why = "profit guarantee: it costs more than is charged, or its cost is not known in that currency"
            else:
                why = f"the huntstop of {taken[-1].connection.name} ends the search before it"
        found.append((connection, why))
    return tuple(found)


def _minute_micros(price: Pricing, market: Market, at: datetime) -> int | None:
    exact = price.exact.answered(at)  # rounding would make ties
    if price.currency == market.currency:
        return rating.amount(exact, COST_SECONDS)
    exchanged = market.exchange_rates.convert(rating.amount(exact, COST_SECONDS), price.currency, market.currency, at)
    return None if exchanged is None else exchanged.amount_micros
