"""The catalog door: rows of tariffs, rates, products and connections as the values the pure files decide on.

Only what a callback needs is read: the rates of the two numbers' prefixes, never a whole tariff.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from webcb import number
from webcb.billing.formula import Intervals
from webcb.billing.product import UsageCharge
from webcb.billing.query import Row, instant, marks, micros, row, rows
from webcb.billing.routing import Connection
from webcb.billing.tariff import Rate, Tariff

_USAGE_CHARGES = "SELECT node_id, access_code, tariff_id FROM usage_charge WHERE product_id = ?"

_TARIFFS = """
    SELECT tariff.id, tariff.name, currency, off_peak_when, free_seconds, connect_fee_micros, post_call_surcharge_ppm,
           decimals, COALESCE(off_peak_period.definition, '') AS off_peak_period
      FROM tariff LEFT JOIN off_peak_period ON off_peak_period.id = tariff.off_peak_period_id
     WHERE tariff.id IN ({tariffs})
"""

_CONNECTIONS = """
    SELECT connection.id, connection.name, tariff_id, host, port, username, sealed_password, tech_prefix, codecs, capacity,
           calls_per_second, transport, tls_ca_file, tls_certificate_file, tls_key_file,
           vendor.billing_time_zone AS time_zone
      FROM connection JOIN vendor ON vendor.id = connection.vendor_id
     WHERE connection.active
"""

_DESTINATIONS = "SELECT id, prefix FROM destination WHERE prefix IN ({prefixes})"

# The newest effective rate of each destination by one seek in the index (tariff, destination, effective).
_RATES = """
    SELECT rate.tariff_id, rate.destination_id, effective_at, mode, formula, forbidden, discontinued,
           first_interval_seconds, next_interval_seconds, first_price_micros, next_price_micros,
           off_peak_first_interval_seconds, off_peak_next_interval_seconds, off_peak_first_price_micros,
           off_peak_next_price_micros, category, preference, huntstop
      FROM rate
      LEFT JOIN route ON route.tariff_id = rate.tariff_id AND route.destination_id = rate.destination_id
     WHERE rate.tariff_id IN ({tariffs}) AND rate.destination_id IN ({destinations})
       AND effective_at = (SELECT MAX(effective_at) FROM rate AS newer
                            WHERE newer.tariff_id = rate.tariff_id AND newer.destination_id = rate.destination_id
                              AND newer.effective_at <= ?)
"""

# Several engines may share a database: the one last heard of is taken for the one that will claim the callback.
_LIKELY_NODE = "SELECT id FROM node ORDER BY COALESCE(heard_at, 0) DESC, id LIMIT 1"


def usage_charges(product_id: int) -> tuple[UsageCharge, ...]:
    """The rating list of a product."""
    return tuple(UsageCharge(**found) for found in rows(_USAGE_CHARGES, product_id))


def tariffs(tariff_ids: Iterable[int]) -> dict[int, Tariff]:
    """Tariffs by id."""
    wanted = sorted(set(tariff_ids))
    found = rows(_TARIFFS.format(tariffs=marks(wanted)), *wanted)
    return {each["id"]: Tariff(**each) for each in found}


def connections() -> tuple[Connection, ...]:
    """Every active connection; the passwords are still sealed."""
    return tuple(
        Connection(**each | {"codecs": tuple(each["codecs"].replace(" ", "").split(","))})
        for each in rows(_CONNECTIONS)
    )


def rates(tariff_ids: Iterable[int], numbers: Sequence[str], at: datetime) -> tuple[Rate, ...]:
    """The rates effective at `at` of every prefix of the numbers (E.164 digits), in these tariffs."""
    prefixes = sorted({prefix for digits in numbers for prefix in number.prefixes(digits)})
    wanted = sorted(set(tariff_ids))
    destinations = {
        each["id"]: each["prefix"] for each in rows(_DESTINATIONS.format(prefixes=marks(prefixes)), *prefixes)
    }
    if not destinations or not wanted:
        return ()
    sql = _RATES.format(tariffs=marks(wanted), destinations=marks(destinations))
    return tuple(_rate(each, destinations) for each in rows(sql, *wanted, *destinations, micros(at)))


def likely_node_id() -> int | None:
    """The node that will probably claim a callback requested now; None where no node was ever named."""
    found = row(_LIKELY_NODE)
    return None if found is None else int(found["id"])


def _rate(found: Row, destinations: dict[int, str]) -> Rate:
    route = {} if found["category"] is None else {name: found[name] for name in ("category", "preference")}
    return Rate(
        tariff_id=found["tariff_id"],
        prefix=destinations[found["destination_id"]],
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
