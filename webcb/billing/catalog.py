"""The catalog door: rows of tariffs, rates, products and connections as the values the pure files decide on.

What changes seldom is read once and kept until the number in the table `catalog` says that it changed. Of the rates only
those of the two numbers' prefixes are read, never a whole tariff.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache

from webcb import number
from webcb.billing.authorization import Application
from webcb.billing.currency import ExchangeRates
from webcb.billing.formula import Intervals
from webcb.billing.product import UsageCharge
from webcb.billing.query import Row, instant, marks, micros, row, rows
from webcb.billing.routing import Connection, Presentation
from webcb.billing.slices import Protection
from webcb.billing.tariff import Rate, Tariff

_EPOCH = "SELECT epoch FROM catalog"

_USAGE_CHARGES = """
    SELECT product_id, node_id, access_code, tariff_id, overdraft_protection, slice_seconds FROM usage_charge
"""

_TARIFFS = """
    SELECT tariff.id, tariff.name, currency, off_peak_when, free_seconds, connect_fee_micros, login_fee_micros,
           post_call_surcharge_ppm, decimals, COALESCE(first.definition, '') AS off_peak_period,
           second.definition AS second_off_peak_period
      FROM tariff
      LEFT JOIN off_peak_period AS first ON first.id = tariff.off_peak_period_id
      LEFT JOIN off_peak_period AS second ON second.id = tariff.second_off_peak_period_id
"""

_CONNECTIONS = """
    SELECT connection.id, connection.name, tariff_id, host, port, username, sealed_password, tech_prefix, codecs, capacity,
           calls_per_second, transport, tls_ca_file, tls_certificate_file, tls_key_file, must_register, registrar, srtp,
           {presentation},
           vendor_id, vendor.billing_time_zone AS time_zone, active
      FROM connection JOIN vendor ON vendor.id = connection.vendor_id
"""
_PRESENTATION = tuple(field.name for field in fields(Presentation))

_EXCHANGE_RATES = "SELECT currency, day, per_base_micros FROM exchange_rate"

_APPLICATIONS = """
    SELECT path, access_code, special_charge_if_leg_b_fails, talk_seconds_max, ring_seconds_b, concurrent_per_account,
           premium_allowed, active
      FROM voice_application
"""

_GUARANTEED = "SELECT id FROM product WHERE profit_guarantee"

# Each prefix by one seek in the index of destinations, its newest effective rate by another in (tariff, destination,
# effective): 1,000,000 rates are no slower than 1,000. On SQLite, CROSS JOIN keeps that order.
_RATES = """
    SELECT rate.tariff_id, destination.prefix, effective_at, mode, formula, forbidden, discontinued,
           first_interval_seconds, next_interval_seconds, first_price_micros, next_price_micros,
           off_peak_first_interval_seconds, off_peak_next_interval_seconds, off_peak_first_price_micros,
           off_peak_next_price_micros, category, preference, huntstop
      FROM destination CROSS JOIN rate
      LEFT JOIN route ON route.tariff_id = rate.tariff_id AND route.destination_id = rate.destination_id
     WHERE destination.prefix IN ({prefixes}) AND rate.destination_id = destination.id AND rate.tariff_id IN ({tariffs})
       AND effective_at = (SELECT MAX(effective_at) FROM rate AS newer
                            WHERE newer.tariff_id = rate.tariff_id AND newer.destination_id = rate.destination_id
                              AND newer.effective_at <= ?)
"""

# Several engines may share a database: the one last heard of is taken for the one that will claim the callback.
_LIKELY_NODE = "SELECT id FROM node ORDER BY COALESCE(heard_at, 0) DESC, id LIMIT 1"


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that prices and routes calls but the rates: by id; `connections` are the active ones.

    The passwords of the connections are still sealed. `guaranteed` are the products with profit guarantee,
    `applications` the triggers by their paths.
    """

    epoch: int
    tariffs: Mapping[int, Tariff]
    usage_charges: Mapping[int, tuple[UsageCharge, ...]]
    connections: tuple[Connection, ...]
    every_connection: Mapping[int, Connection]
    exchange_rates: ExchangeRates
    guaranteed: frozenset[int]
    applications: Mapping[str, Application]


_kept: Book | None = None


def book(epoch: int | None = None) -> Book:
    """The book as the transaction that is open sees it; `epoch` where the caller has read that number in it."""
    global _kept  # noqa: PLW0603  one book a process: replaced whole, never changed
    if epoch is None:
        epoch = int(rows(_EPOCH)[0]["epoch"])
    kept = _kept
    if kept is None or kept.epoch != epoch:
        kept = _kept = _read_book(epoch)
    return kept


def _read_book(epoch: int) -> Book:
    usage_charges: dict[int, list[UsageCharge]] = {}
    for each in rows(_USAGE_CHARGES):
        usage_charges.setdefault(each.pop("product_id"), []).append(_usage_charge(each))
    connections = [
        (bool(each.pop("active")), _connection(each))
        for each in rows(_CONNECTIONS.format(presentation=", ".join(_PRESENTATION)))
    ]
    return Book(
        epoch=epoch,
        tariffs={each["id"]: _tariff(each) for each in rows(_TARIFFS)},
        usage_charges={product_id: tuple(charges) for product_id, charges in usage_charges.items()},
        connections=tuple(connection for is_active, connection in connections if is_active),
        every_connection={connection.id: connection for _, connection in connections},
        exchange_rates=ExchangeRates.of(
            (each["currency"], each["day"], each["per_base_micros"]) for each in rows(_EXCHANGE_RATES)
        ),
        guaranteed=frozenset(each["id"] for each in rows(_GUARANTEED)),
        applications={each.pop("path"): Application(**each) for each in rows(_APPLICATIONS)},
    )


def _usage_charge(found: Row) -> UsageCharge:
    protection = Protection(found.pop("overdraft_protection"), found.pop("slice_seconds"))
    return UsageCharge(**found, protection=protection)


def _tariff(found: Row) -> Tariff:
    second = found.pop("second_off_peak_period")
    return Tariff(**found if second is None else found | {"off_peak_period": f"{found['off_peak_period']}\n{second}"})


def rates(tariff_ids: Iterable[int], numbers: Sequence[str], at: datetime) -> tuple[Rate, ...]:
    """The rates effective at `at` of every prefix of the numbers (E.164 digits), in these tariffs."""
    wanted = sorted(set(tariff_ids))
    if not wanted:
        return ()
    prefixes = {prefix for digits in numbers for prefix in number.prefixes(digits)}
    return tuple(_rate(each) for each in rows(_rates_sql(len(prefixes), len(wanted)), *prefixes, *wanted, micros(at)))


@lru_cache(maxsize=256)
def _rates_sql(prefixes: int, tariffs: int) -> str:
    return _RATES.format(prefixes=marks(range(prefixes)), tariffs=marks(range(tariffs)))


def likely_node_id() -> int | None:
    """The node that will probably claim a callback requested now; None where no node was ever named."""
    found = row(_LIKELY_NODE)
    return None if found is None else int(found["id"])


def _connection(found: Row) -> Connection:
    shown = {name: found.pop(name) for name in _PRESENTATION}
    shown |= {"cli_withheld": bool(shown["cli_withheld"]), "identity_headers": _words(shown["identity_headers"])}
    own = {
        "codecs": _words(found["codecs"]),
        "must_register": bool(found["must_register"]),
        "presentation": Presentation(**shown),
    }
    return Connection(**found | own)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _rate(found: Row) -> Rate:
    route = {} if found["category"] is None else {name: found[name] for name in ("category", "preference")}
    return Rate(
        tariff_id=found["tariff_id"],
        prefix=found["prefix"],
        effective_at=instant(found["effective_at"]) or datetime.min.replace(tzinfo=UTC),
        intervals=_intervals(found, ""),
        off_peak=_intervals(found, "off_peak_") if found["mode"] == "off-peak" else None,
        formula=found["formula"],
        forbidden=bool(found["forbidden"]),
        discontinued=bool(found["discontinued"]),
        huntstop=bool(found["huntstop"]),
        **route,
    )


def _intervals(found: Row, which: str) -> Intervals:
    return Intervals(
        found[f"{which}first_interval_seconds"],
        found[f"{which}next_interval_seconds"],
        found[f"{which}first_price_micros"],
        found[f"{which}next_price_micros"],
    )
