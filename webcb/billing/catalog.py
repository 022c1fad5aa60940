"""The catalog door: rows of tariffs, rates, products and connections as the values the pure files decide on.

What changes seldom is read once and kept until the number in the table `catalog` says that it changed. Of the rates only
those of the two numbers' prefixes are read, never a whole tariff, and only prefixes of a length that occurs among the destinations.
What two numbers are called by rests on those rates alone: the terms of the same rates are made once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from webcb import number
from webcb.billing import guard
from webcb.billing.authorization import Application
from webcb.billing.currency import ExchangeRates
from webcb.billing.formula import Intervals
from webcb.billing.product import UsageCharge
from webcb.billing.query import Row, marks, micros, moment, row, rows, tuples, values
from webcb.billing.refusal import Refusal
from webcb.billing.routing import Connection, Presentation
from webcb.billing.slices import Protection
from webcb.billing.tariff import Rate, Tariff
from webcb.billing.terms import Offer, SoleTerms, Terms, sole_terms, terms
from webcb.db import dialect

_EPOCH = "SELECT epoch FROM catalog"

_USAGE_CHARGES = """
    SELECT product_id, node_id, access_code, tariff_id, overdraft_protection, slice_seconds FROM usage_charge
"""

_TARIFFS = """
    SELECT tariff.id, tariff.name, currency, off_peak_when, free_seconds, connect_fee_micros, login_fee_micros,
           post_call_surcharge_ppm, decimals, blocked, COALESCE(first.definition, '') AS off_peak_period,
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
_PRESENTATION = tuple(each.name for each in fields(Presentation))

_EXCHANGE_RATES = "SELECT currency, day, per_base_micros FROM exchange_rate"

_APPLICATIONS = """
    SELECT id, path, access_code, special_charge_if_leg_b_fails, talk_seconds_max, ring_seconds_b, concurrent_per_account,
           premium_allowed, active, kinds, second_number, internal_account_id, account_id_rule, use_account_id_as_ani,
           opening_hours, time_zone, {guards}
      FROM voice_application
"""

# What leads back to us: the numbers that are said to be ours, and those we are known by at the carriers.
_OWN_NUMBERS = """
    SELECT digits FROM own_number
    UNION SELECT register_user FROM connection UNION SELECT from_user FROM connection
    UNION SELECT identity_user FROM connection UNION SELECT diversion_user FROM connection
"""
_OWN_DIGITS_MIN = 8  # shorter ones are no number of the public network

_GUARANTEED = "SELECT id FROM product WHERE profit_guarantee"

_PREFIX_LENGTHS = "SELECT prefix_lengths FROM catalog"

_RATE_COLUMNS = """
    rate.tariff_id, destination.prefix, effective_at, mode, formula, forbidden, discontinued,
    first_interval_seconds, next_interval_seconds, first_price_micros, next_price_micros,
    off_peak_first_interval_seconds, off_peak_next_interval_seconds, off_peak_first_price_micros,
    off_peak_next_price_micros, category, preference, huntstop
"""

# Each prefix by one seek in the index of destinations, its newest effective rate, and those to come, by another in (tariff,
# destination, effective): 1,000,000 rates are no slower than 1,000. On SQLite, CROSS JOIN keeps that order, and there is no
# LATERAL; the plans PostgreSQL makes of a subquery take half as long again, and one text is quicker sent than a list of prefixes.
_RATES = {
    "sqlite": f"""
        SELECT {_RATE_COLUMNS} {{also}}
          FROM destination CROSS JOIN rate
          LEFT JOIN route ON route.tariff_id = rate.tariff_id AND route.destination_id = rate.destination_id
         WHERE rate.destination_id = destination.id AND rate.tariff_id IN ({{tariffs}})
           AND effective_at >= (SELECT COALESCE(MAX(effective_at), 0) FROM rate AS newer
                                 WHERE newer.tariff_id = rate.tariff_id AND newer.destination_id = rate.destination_id
                                   AND newer.effective_at <= ?)
           AND destination.prefix IN ({{prefixes}})
    """,  # noqa: S608
    "postgresql": f"""
        SELECT {_RATE_COLUMNS} {{also}}
          FROM destination CROSS JOIN (VALUES {{tariffs}}) AS wanted (tariff_id) CROSS JOIN LATERAL
               ((SELECT * FROM rate
                  WHERE rate.tariff_id = wanted.tariff_id AND rate.destination_id = destination.id AND effective_at <= ?
                  ORDER BY effective_at DESC LIMIT 1)
                UNION ALL
                SELECT * FROM rate
                 WHERE rate.tariff_id = wanted.tariff_id AND rate.destination_id = destination.id AND effective_at > ?) AS rate
          LEFT JOIN route ON route.tariff_id = rate.tariff_id AND route.destination_id = rate.destination_id
         WHERE destination.prefix = ANY (?::TEXT[])
    """,  # noqa: S608
}
_AND_EPOCH = f", ({_EPOCH})"
_TARIFF_MARK = {"sqlite": "?", "postgresql": "(?::BIGINT)"}

# Several engines may share a database: the one last heard of is taken for the one that will claim the callback.
_LIKELY_NODE = "SELECT id FROM node ORDER BY draining, COALESCE(heard_at, 0) DESC, id LIMIT 1"


_Columns = tuple[Any, ...]
_PREFIX, _EFFECTIVE_AT, _MODE = 1, 2, 3  # of _RATE_COLUMNS
_RATES_KEPT_MAX = 16_384  # numbers, or what is the same in them
_EVER = 1 << 62
_TERMS_KEPT_MAX = 4096
_DAY_MICROS = 86_400_000_000


class _RatesOfNumber(NamedTuple):
    """The rates in force for a number from `since_at` until before `until_at`, as microseconds: rows of _RATES."""

    since_at: int
    until_at: int
    rows: tuple[_Columns, ...]


RatesOf = tuple[tuple[_Columns, ...], ...]  # of each number that was asked for


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that prices and routes calls but the rates: by id; `connections` are the active ones.

    The passwords of the connections are still sealed. `guaranteed` are the products with profit guarantee, `applications` the
    triggers by their paths, `capped` those by id that have a limit of the day. `prefix_lengths` are those of the destinations: a
    prefix of another length has no rate. `terms` keeps what was made from this book and the rates that are its key, `rates` what was
    found for numbers, by the number of the rates in the table `catalog`.
    """

    epoch: int
    tariffs: Mapping[int, Tariff]
    usage_charges: Mapping[int, tuple[UsageCharge, ...]]
    connections: tuple[Connection, ...]
    every_connection: Mapping[int, Connection]
    exchange_rates: ExchangeRates
    guaranteed: frozenset[int]
    applications: Mapping[str, Application]
    own_numbers: frozenset[str]
    prefix_lengths: tuple[int, ...]
    tariffs_asked: dict[int, tuple[int, ...]] = field(
        default_factory=dict
    )  # by product: of its usage charges and all vendors
    terms: dict[tuple[Any, ...], Terms | SoleTerms | Refusal] = field(default_factory=dict)
    capped: Mapping[int, Application] = field(default_factory=dict)
    rates: dict[tuple[int, int, str], _RatesOfNumber] = field(default_factory=dict)

    def prefixes(self, digits: str) -> list[str]:
        """The prefixes of a number that may have a rate."""
        return [digits[:length] for length in self.prefix_lengths if length <= len(digits)]

    def asked(self, product_id: int) -> tuple[int, ...]:
        """The tariffs in which a number of an account of this product is looked up."""
        found = self.tariffs_asked.get(product_id)
        if found is None:
            charges = self.usage_charges.get(product_id, ())
            ids = {each.tariff_id for each in charges} | {each.tariff_id for each in self.connections}
            found = self.tariffs_asked[product_id] = tuple(sorted(ids))
        return found


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
    applications = {
        each.pop("id"): _application(each)
        for each in rows(_APPLICATIONS.format(guards=", ".join(guard.Guards.__dataclass_fields__)))
    }
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
        applications={each.path: each for each in applications.values()},
        capped={key: each for key, each in applications.items() if each.guards.is_capped},
        own_numbers=_own_numbers(),
        prefix_lengths=_prefix_lengths(),
    )


def _application(found: Row) -> Application:
    guards = guard.Guards(**{name: found.pop(name) for name in guard.Guards.__dataclass_fields__})
    return Application(**found, guards=guards)


def _own_numbers() -> frozenset[str]:
    found = {each["digits"].removeprefix("+") for each in rows(_OWN_NUMBERS)}
    return frozenset(each for each in found if each.isdigit() and len(each) >= _OWN_DIGITS_MIN)


def _prefix_lengths() -> tuple[int, ...]:
    (bits,) = values(_PREFIX_LENGTHS)
    return tuple(length for length in range(1, number.DIGITS_MAX + 1) if bits >> length & 1)


def _usage_charge(found: Row) -> UsageCharge:
    protection = Protection(found.pop("overdraft_protection"), found.pop("slice_seconds"))
    return UsageCharge(**found, protection=protection)


def _tariff(found: Row) -> Tariff:
    second = found.pop("second_off_peak_period")
    found["blocked"] = bool(found["blocked"])
    return Tariff(**found if second is None else found | {"off_peak_period": f"{found['off_peak_period']}\n{second}"})


def rates(tariff_ids: Iterable[int], numbers: Sequence[str], at: datetime) -> tuple[Rate, ...]:
    """The rates effective at `at` of every prefix of the numbers (E.164 digits), in these tariffs."""
    ids, stored_at = sorted(set(tariff_ids)), micros(at)
    if _kept is not None:  # that it still holds is asked by the same statement
        found = _rate_rows(_kept, ids, numbers, stored_at, _AND_EPOCH)
        if found and found[0][-1] == _kept.epoch:
            return tuple([_rate(*each[:-1]) for each in found if each[_EFFECTIVE_AT] <= stored_at])
    found = _rate_rows(book(), ids, numbers, stored_at)
    return tuple([_rate(*each) for each in found if each[_EFFECTIVE_AT] <= stored_at])


def _rate_rows(
    book: Book, tariff_ids: Sequence[int], numbers: Iterable[str], at: int, also: str = ""
) -> list[_Columns]:
    """The rows of _RATES, those to come among them, with what else is asked beside each."""
    prefixes = {number.WILDCARD: None}
    for digits in numbers:
        prefixes.update(dict.fromkeys(book.prefixes(digits)))
    if not tariff_ids:
        return []
    if dialect() == "sqlite":
        return tuples(_rates_sql("sqlite", len(tariff_ids), len(prefixes), also), *tariff_ids, at, *prefixes)
    # Digits and the wildcard need no quotes in PostgreSQL's text of an array.
    return tuples(_rates_sql("postgresql", len(tariff_ids), 0, also), *tariff_ids, at, at, f"{{{','.join(prefixes)}}}")


def rates_of(book: Book, rates_epoch: int, product_id: int, digits: tuple[str, str | None], at: datetime) -> RatesOf:
    """Of each number (A; B, or None: A alone) the rates in force at `at` in the tariffs that an account of a product is asked for.

    `rates_epoch` is the number of the rates as the transaction that is open has read it: what was found under it is not asked for again
    before a rate becomes effective.
    """
    stored_at, kept = micros(at), book.rates
    length_max = book.prefix_lengths[-1] if book.prefix_lengths else 0
    asked = [each for each in digits if each is not None]
    keys = [(rates_epoch, product_id, each[:length_max]) for each in asked]
    found = [each for key in keys if (each := kept.get(key)) and each.since_at <= stored_at < each.until_at]
    if len(found) < len(asked):
        rows = _rate_rows(book, book.asked(product_id), asked, stored_at)
        if len(kept) >= _RATES_KEPT_MAX:
            kept.clear()
        found = [_of_number(rows, each, stored_at) for each in asked]
        kept.update(zip(keys, found, strict=True))
    return tuple([each.rows for each in found])


def _of_number(rows: Sequence[_Columns], digits: str, at: int) -> _RatesOfNumber:
    """What of rows that were found at `at` is a number's, and from when until when that is so."""
    since_at, until_at, in_force = 0, _EVER, []
    for each in rows:
        prefix, effective_at = each[_PREFIX], each[_EFFECTIVE_AT]
        if digits.startswith(prefix) or prefix == number.WILDCARD:
            if effective_at <= at:
                in_force.append(each)
                if effective_at > since_at:
                    since_at = effective_at
            elif effective_at < until_at:
                until_at = effective_at
    return _RatesOfNumber(since_at, until_at, tuple(in_force))


def offered(
    book: Book,
    product_id: int,
    application: Application,
    node_id: int | None,
    time_zone: str,
    currency: str,
    digits: tuple[str, str | None],
    found: RatesOf,
    at: datetime,
) -> Terms | SoleTerms | Refusal:
    """By what these numbers (A; B, or None: A alone) may be called at `at` by accounts of a product, or why not.

    `time_zone` is the customer's, `currency` that of the funds; `found` are their `rates_of`. With off-peak prices it is worked out
    anew for every moment.
    """
    digits_a, digits_b = digits
    # Exchange rates are those of a day (UTC). What the numbers share in these rows is all that tells them from others.
    key = (product_id, application.path, node_id, time_zone, currency, micros(at) // _DAY_MICROS, found)
    kept = book.terms.get(key)
    if kept is not None:
        return kept
    offer = Offer(
        at=at,
        time_zone=time_zone,
        currency=currency,
        access_code=application.access_code,
        special_charge_if_leg_b_fails=application.special_charge_if_leg_b_fails,
        talk_seconds_max=application.talk_seconds_max,
        node_id=node_id,
        usage_charges=book.usage_charges.get(product_id, ()),
        tariffs=book.tariffs,
        rates=tuple([_rate(*each) for each in dict.fromkeys(row for rows in found for row in rows)]),
        digits_a=digits_a,
        digits_b=digits_b or digits_a,
        connections=book.connections,
        exchange_rates=book.exchange_rates,
        profit_guaranteed=product_id in book.guaranteed,
    )
    made = sole_terms(offer) if digits_b is None else terms(offer)
    if all(each[_MODE] == "flat" for rows in found for each in rows):
        if len(book.terms) >= _TERMS_KEPT_MAX:
            book.terms.clear()
        book.terms[key] = made
    return made


@lru_cache(maxsize=256)
def _rates_sql(for_dialect: str, tariffs: int, prefixes: int, also: str = "") -> str:
    return _RATES[for_dialect].format(
        tariffs=", ".join([_TARIFF_MARK[for_dialect]] * tariffs), prefixes=marks(range(prefixes)), also=also
    )


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


@lru_cache(maxsize=4096)
def _rate(
    tariff_id: int,
    prefix: str,
    effective_at: int,
    mode: str,
    formula: str,
    forbidden: bool,
    discontinued: bool,
    *rest: Any,
) -> Rate:
    """A row of _RATES as a value; of the same row the same one. `rest` are both sets of intervals, and the route."""
    *intervals, category, preference, huntstop = rest
    return Rate(
        tariff_id=tariff_id,
        prefix=prefix,
        effective_at=moment(effective_at),
        intervals=Intervals(*intervals[:4]),
        off_peak=Intervals(*intervals[4:]) if mode == "off-peak" else None,
        formula=formula,
        forbidden=bool(forbidden),
        discontinued=bool(discontinued),
        huntstop=bool(huntstop),
        **({} if category is None else {"category": category, "preference": preference}),
    )
