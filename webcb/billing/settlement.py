"""The settlement door: what a callback cost is charged once, and given back by a correcting xDR, never by an edit.

A callback is settled in one transaction: its xDRs, the ledger rows, the lock closed, its rows ended.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import orjson

from webcb import db
from webcb.billing import catalog, ledger, query, rating, spending
from webcb.billing.chain import Content
from webcb.billing.cost import Cost, cost, thawed
from webcb.billing.ledger import Entry
from webcb.billing.pricing import Pricing
from webcb.billing.product import LegName
from webcb.billing.query import Row, micros
from webcb.billing.rating import Charge

log = logging.getLogger(__name__)

_MICROSECONDS = 1_000_000
_MADE_BY_ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class LegUsage:
    """What one placed leg used: instants for the bill, `used_us` on the monotonic clock, Q.850 cause.

    `answered_at` is None for a leg that was not answered: it costs nothing, whatever `used_us` says.
    """

    leg: LegName
    answered_at: datetime | None
    ended_at: datetime
    used_us: int
    setup_ms: int | None
    disconnect_cause: int
    connection_id: int | None
    logged_in: bool = False  # by voice, which costs the login fee
    one_way: bool = False  # nothing was heard of it for a while

    @property
    def used_seconds(self) -> int:
        """Billed time: whole seconds, rounded up (domain 2)."""
        return 0 if self.answered_at is None else -(-self.used_us // _MICROSECONDS)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a callback cost in micros: by leg, of the legs that were placed, and in all."""

    charged_micros: dict[LegName, int]
    total_micros: int
    currency: str


# xDRs ----------------------------------------------------------------------------------------------------------------

# What the hash of a ledger row covers of its xDR, in this order.
XDR_COLUMNS = (
    "kind", "refund_of_id", "callback_id", "leg", "account_id", "customer_id", "cli", "cld", "access_code", "destination",
    "tariff", "connection_id", "connect_time", "disconnect_time", "bill_time", "setup_ms", "used_quantity",
    "charged_quantity", "charged_micros", "currency", "vendor_cost_micros", "vendor_currency", "cost_micros",
    "currency_per_base_micros", "vendor_currency_per_base_micros", "disconnect_cause", "explanation",
)  # fmt: skip

_OF_COST = XDR_COLUMNS[XDR_COLUMNS.index("vendor_cost_micros") : XDR_COLUMNS.index("disconnect_cause")]

# What was heard of the leg is no part of the bill, and so of no hash.
_WRITTEN = (*XDR_COLUMNS, "one_way")


def _write_xdrs(bills: Sequence[tuple[Content, bool]]) -> dict[str, int]:
    """Write xDRs, each with whether it was heard of one way only, by one statement; their ids by leg."""
    sql = _inserting_xdrs(len(bills))
    return dict(query.tuples(sql, *[value for xdr, one_way in bills for value in (*xdr, one_way)]))


@lru_cache(maxsize=8)
def _inserting_xdrs(count: int) -> str:
    return f"{query.inserting('xdr', _WRITTEN, count)} RETURNING leg, id"


# Settling ------------------------------------------------------------------------------------------------------------


class _Callback(NamedTuple):
    """What of a callback and of its wallet is to be known for settling it."""

    id: str
    state: str
    account_id: int
    customer_id: int
    locked_micros: int
    voice_application_id: int
    epoch: int


class _Leg(NamedTuple):
    """A leg as it was begun, its pricings as they are kept on its row."""

    cli: str
    cld: str
    pricing: str
    pricing_if_b_fails: str | None
    vendor_pricings: str | None


_CALLBACK = """
    SELECT callback.id, callback.state, callback.account_id, account.customer_id, COALESCE(lock.amount_micros, 0),
           callback.voice_application_id, (SELECT epoch FROM catalog),
           wallet.id, wallet.currency, balance_micros, ledger_head, credit_limit_micros, low_balance_micros,
           a.cli, a.cld, a.pricing, a.pricing_if_b_fails, a.vendor_pricings,
           b.cli, b.cld, b.pricing, b.pricing_if_b_fails, b.vendor_pricings
      FROM callback
      JOIN account ON account.id = callback.account_id
      JOIN wallet ON wallet.id = account.wallet_id
      LEFT JOIN lock ON lock.callback_id = callback.id AND lock.state = 'held'
      LEFT JOIN leg AS a ON a.callback_id = callback.id AND a.name = 'A'
      LEFT JOIN leg AS b ON b.callback_id = callback.id AND b.name = 'B'
     WHERE callback.id = ?
"""


def _held_callback(callback_id: str) -> tuple[_Callback, ledger.Wallet, dict[LegName, _Leg]]:
    """A callback, its wallet, which nobody else changes meanwhile, and its legs; raises LookupError where there is none."""
    query.hold(ledger.WALLET_OF_CALLBACK, callback_id)
    found = query.values_if_any(_CALLBACK, callback_id)
    if found is None:
        raise LookupError(f"there is no callback {callback_id}")
    legs: dict[LegName, _Leg] = {"A": _Leg._make(found[13:18]), "B": _Leg._make(found[18:23])}
    if found[18] is None:  # no B has been chosen, or another may be
        del legs["B"]
    return _Callback._make(found[:7]), ledger.Wallet._make(found[7:13]), legs


_END_LEGS = """
    UPDATE leg
       SET state = 'ended', ended_at = CASE name WHEN 'A' THEN ? ELSE ? END, queue_position = NULL,
           vendor_pricings = NULL,
           connection_id = CASE name WHEN 'A' THEN COALESCE(?, connection_id) ELSE COALESCE(?, connection_id) END
     WHERE callback_id = ? AND name IN ('A', 'B')
"""


@db.transaction
def settle(callback_id: str, usages: Sequence[LegUsage], ending: str, b_answered: bool, at: datetime) -> Settlement:
    """End a callback: an xDR a placed leg, the charges, the lock closed, the rows ended, in one transaction, once.

    A second call changes nothing and returns what the first one did. Leg A is charged by CALLBACK_FAIL where B was not
    answered and the application charges specially (domain 1.6). Raises LookupError where there is no such callback.
    """
    callback, wallet, legs = _held_callback(callback_id)
    if callback.state == "ended":
        return _settled_before(callback, wallet.currency)
    book, written_at = catalog.book(callback.epoch), micros(at)
    rated = [_rate(legs[usage.leg], usage, b_answered, book) for usage in usages]
    total_micros = sum([each.charge.amount_micros for each in rated])
    # First what is computed, then what is written, statement after statement: each finds the processor's cache as the other left it.
    entries = _write_bills(callback, wallet.currency, {each.usage.leg: each for each in rated}, written_at)
    ledger.write(wallet, entries, at, unlock_micros=callback.locked_micros)
    _close_lock(callback, total_micros, written_at)
    _note_spending(callback, total_micros, book, at)
    _end_rows(callback, usages, ending, written_at)
    if any(usage.used_seconds for usage in usages):
        ledger.note_use(callback.account_id, at)
    return Settlement({each.usage.leg: each.charge.amount_micros for each in rated}, total_micros, wallet.currency)


@db.transaction
def settle_b(callback_id: str, usage: LegUsage | None, at: datetime) -> int:
    """Charge leg B while A stays on the line (domain 7), and make room for another; what it cost, in micros.

    Its row is B1, B2 ... from then on, and so is its xDR; what it cost is no longer locked. `usage` None: it was never placed. Nothing
    happens where the callback has ended, or has no leg B.
    """
    callback, wallet, legs = _held_callback(callback_id)
    if callback.state == "ended" or "B" not in legs:
        return 0
    (count,) = query.values("SELECT COUNT(*) FROM leg WHERE callback_id = ?", callback_id)
    name = f"B{count - 1}"
    query.change(
        "UPDATE leg SET name = ?, state = 'ended', ended_at = ?, queue_position = NULL, vendor_pricings = NULL"
        " WHERE callback_id = ? AND name = 'B'",
        name,
        micros(at if usage is None else usage.ended_at),
        callback_id,
    )
    if usage is None:
        return 0
    book = catalog.book(callback.epoch)
    rated = _rate(legs["B"], usage, True, book)
    cost_micros = rated.charge.amount_micros
    unlock_micros = min(cost_micros, callback.locked_micros)
    query.change(
        "UPDATE lock SET amount_micros = amount_micros - ? WHERE callback_id = ? AND state = 'held'",
        unlock_micros,
        callback_id,
    )
    entries = _write_bills(callback, wallet.currency, {name: rated}, micros(at))
    ledger.write(wallet, entries, at, unlock_micros=unlock_micros)
    _note_spending(callback, cost_micros, book, at, name)
    if usage.used_seconds:
        ledger.note_use(callback.account_id, at)
    return cost_micros


def _note_spending(
    callback: _Callback, charged_micros: int, book: catalog.Book, at: datetime, leg_b: str = "B"
) -> None:
    """Count it where its voice application has a limit of the day."""
    application = book.capped.get(callback.voice_application_id)
    if application is not None and charged_micros:
        spending.note(application, spending.spender_of(callback.id, leg_b), charged_micros, at)


class _RatedLeg(NamedTuple):
    row: _Leg
    usage: LegUsage
    pricing: Pricing
    charge: Charge
    cost: Cost | None


def _rate(leg: _Leg, usage: LegUsage, b_answered: bool, book: catalog.Book) -> _RatedLeg:
    frozen = leg.pricing if b_answered or leg.pricing_if_b_fails is None else leg.pricing_if_b_fails
    pricing = Pricing.from_json(frozen)
    if usage.answered_at is not None:
        pricing = pricing.answered(usage.answered_at)
    if usage.logged_in:
        pricing = pricing.with_login()
    charge = rating.charge(pricing, usage.used_seconds)
    return _RatedLeg(leg, usage, pricing, charge, _cost(usage, leg.vendor_pricings, pricing.currency, book))


def _cost(usage: LegUsage, frozen: str | None, currency: str, book: catalog.Book) -> Cost | None:
    """What the vendor charges for the leg, and what that is in the currency of its charge; None where it had no route there."""
    terms = thawed(frozen, usage.connection_id) if frozen and usage.connection_id is not None else None
    if terms is None:
        return None
    return cost(terms, usage.used_seconds, currency, book.exchange_rates, usage.answered_at or usage.ended_at)


def _close_lock(callback: _Callback, total_micros: int, written_at: int) -> None:
    if total_micros > callback.locked_micros > 0:  # nothing is set aside for one that may overdraw
        beyond = total_micros - callback.locked_micros
        log.error("callback %s costs %d micros more than were locked", callback.id, beyond)
    query.change(
        "UPDATE lock SET state = ?, closed_at = ? WHERE callback_id = ? AND state = 'held'",
        "settled" if total_micros else "released",
        written_at,
        callback.id,
    )


def _write_bills(callback: _Callback, currency: str, rated: Mapping[str, _RatedLeg], written_at: int) -> list[Entry]:
    """Write the xDRs of legs under their names; the ledger entries of what they cost, and what they cost us."""
    if not rated:
        return []
    xdrs = {name: _xdr(callback, currency, leg, written_at, name) for name, leg in rated.items()}
    ids = _write_xdrs([(xdrs[name], leg.usage.one_way) for name, leg in rated.items()])
    entries = []
    for name, leg in rated.items():
        said, taken, cost = f"{callback.id}:{name}", leg.charge.amount_micros, leg.cost
        xdr, xdr_id = xdrs[name], ids[name]
        if taken:
            entries.append(
                Entry(f"charge:{said}", "charge", -taken, _MADE_BY_ENGINE, callback.account_id, "", xdr_id, xdr)
            )
        if cost is not None and cost.amount_micros:
            key, owed = f"cost:{said}", cost.amount_micros
            of_vendor = xdr_id, xdr, cost.vendor_id, cost.currency
            entries.append(Entry(key, "vendor cost", owed, _MADE_BY_ENGINE, None, "", *of_vendor))
    return entries


def _xdr(callback: _Callback, currency: str, rated: _RatedLeg, written_at: int, name: str) -> Content:
    """The xDR of a leg, in the order of XDR_COLUMNS."""
    row, usage, pricing, charge, cost = rated
    return (
        "charge",
        None,
        callback.id,
        name,
        callback.account_id,
        callback.customer_id,
        row.cli,
        row.cld,
        pricing.access_code,
        pricing.destination,
        pricing.tariff_name,
        usage.connection_id,
        None if usage.answered_at is None else micros(usage.answered_at),
        micros(usage.ended_at),
        written_at,
        usage.setup_ms,
        usage.used_seconds,
        charge.charged_seconds,
        charge.amount_micros,
        currency,
        *_cost_columns(cost),
        usage.disconnect_cause,
        _explanation(charge, cost),
    )


def _cost_columns(cost: Cost | None) -> tuple[int | str | None, ...]:
    """The columns of the xDR that say what the leg cost us."""
    if cost is None:
        return (None,) * len(_OF_COST)
    exchanged = cost.exchanged
    if exchanged is None:
        return cost.amount_micros, cost.currency, None, None, None
    rates = exchanged.to_per_base_micros, exchanged.from_per_base_micros
    return cost.amount_micros, cost.currency, exchanged.amount_micros, *rates


def _explanation(charge: Charge, cost: Cost | None) -> str:
    said = charge.explanation if cost is None else {**charge.explanation, "vendor": cost.explanation}
    return orjson.dumps(said).decode()


def _end_rows(callback: _Callback, usages: Sequence[LegUsage], ending: str, now: int) -> None:
    ended: dict[LegName, tuple[int, int | None]] = {"A": (now, None), "B": (now, None)}
    for usage in usages:
        ended[usage.leg] = micros(usage.ended_at), usage.connection_id
    (a_at, over_a), (b_at, over_b) = ended["A"], ended["B"]
    query.change(_END_LEGS, a_at, b_at, over_a, over_b, callback.id)
    query.change("UPDATE callback SET state = 'ended', ended_at = ?, ending = ? WHERE id = ?", now, ending, callback.id)


def _settled_before(callback: _Callback, currency: str) -> Settlement:
    bills = query.rows("SELECT leg, charged_micros FROM xdr WHERE callback_id = ? AND kind = 'charge'", callback.id)
    charged_micros = {bill["leg"]: bill["charged_micros"] for bill in bills}
    return Settlement(charged_micros, sum(charged_micros.values()), currency)


# Giving back ---------------------------------------------------------------------------------------------------------


class RefundProblem(ValueError):
    """A refund that cannot be; the message says why, in the operator's words."""


@dataclass(frozen=True, slots=True)
class Refund:
    """What was given back of a leg's charge, and what of the charge is left, in micros of `currency`."""

    xdr_id: int
    refunded_micros: int
    left_micros: int
    currency: str
    account_id: int


_CHARGED = f"""
    SELECT xdr.id, account.wallet_id, (SELECT COALESCE(SUM(charged_micros), 0) FROM xdr AS correction
                                        WHERE correction.refund_of_id = xdr.id) AS given_back_micros,
           {", ".join(f"xdr.{column}" for column in XDR_COLUMNS)}
      FROM xdr JOIN account ON account.id = xdr.account_id
     WHERE xdr.callback_id = ? AND xdr.leg = ? AND xdr.kind = 'charge'
"""  # noqa: S608


@db.transaction
def refund(
    callback_id: str, leg: LegName, amount_micros: int | None, event_key: str, made_by: str, note: str, at: datetime
) -> Refund:
    """Give back the charge of a leg, whole (None: what is left of it) or in part, by a correcting xDR; once for an `event_key`.

    Raises LookupError where there is no such bill, RefundProblem where the amount is not above 0 or more than is left.
    """
    query.hold(ledger.WALLET_OF_CALLBACK, callback_id)
    bill = query.row(_CHARGED, callback_id, leg)
    if bill is None:
        raise LookupError(f"leg {leg} of callback {callback_id} has no bill")
    left_micros = bill["charged_micros"] + int(bill["given_back_micros"])
    known = query.row("SELECT xdr_id, amount_micros FROM ledger WHERE event_key = ?", event_key)
    if known is not None:
        return Refund(known["xdr_id"], known["amount_micros"], left_micros, bill["currency"], bill["account_id"])
    given = left_micros if amount_micros is None else amount_micros
    if left_micros == 0:
        raise RefundProblem("nothing of its charge is left to give back")
    if not 0 < given <= left_micros:
        raise RefundProblem("give back more than nothing, and at most what is left of the charge")
    correction: Row = {column: bill[column] for column in XDR_COLUMNS} | {
        "kind": "refund",
        "refund_of_id": bill["id"],
        "bill_time": micros(at),
        "used_quantity": 0,
        "charged_quantity": 0,
        "charged_micros": -given,
        **dict.fromkeys(_OF_COST),
        "explanation": orjson.dumps({"refund_of": bill["id"], "why": note}).decode(),
    }
    xdr = tuple(correction.values())
    xdr_id = _write_xdrs([(xdr, False)])[leg]
    entry = Entry(event_key, "refund", given, made_by, bill["account_id"], note, xdr_id=xdr_id, xdr=xdr)
    ledger.write(ledger.held_wallet(bill["wallet_id"]), [entry], at)
    return Refund(xdr_id, given, left_micros - given, bill["currency"], bill["account_id"])
