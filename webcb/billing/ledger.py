"""The ledger door: the only writer of balances, locks, xDRs and ledger rows.

Funds move by one conditional UPDATE whose count is the verdict; a callback is settled in one transaction, once. Everything
here may be called inside an outer `db.writing()`: it is then a savepoint of that one.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from webcb import db, money
from webcb.billing import query, rating
from webcb.billing.pricing import Pricing
from webcb.billing.product import LegName
from webcb.billing.query import Row, micros
from webcb.billing.rating import Charge

log = logging.getLogger(__name__)

_MICROSECONDS = 1_000_000

Kind = Literal["opening balance", "payment", "refund", "manual charge", "manual credit", "promotional credit"]

# Kinds by the sign an amount of theirs must have; an opening balance may be owed.
_ADDING = frozenset({"payment", "refund", "manual credit", "promotional credit"})
_TAKING = frozenset({"manual charge"})
_RECHARGES = frozenset({"payment", "manual credit", "promotional credit"})  # they lengthen an account's life (domain 5)


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


# Locks ---------------------------------------------------------------------------------------------------------------


def lock_funds(callback_id: str, wallet_id: int, amount_micros: int, at: datetime) -> bool:
    """Set funds aside for a callback; False where they are not available. One lock a callback."""
    with db.writing():
        locked = query.change(
            "UPDATE wallet SET locked_micros = locked_micros + ?"
            " WHERE id = ? AND balance_micros + credit_limit_micros - locked_micros >= ?",
            amount_micros,
            wallet_id,
            amount_micros,
        )
        if locked == 1:
            query.change(
                "INSERT INTO lock (callback_id, wallet_id, amount_micros, state, locked_at) VALUES (?, ?, ?, 'held', ?)",
                callback_id,
                wallet_id,
                amount_micros,
                micros(at),
            )
    return locked == 1


# Settlement ----------------------------------------------------------------------------------------------------------

_CALLBACK = """
    SELECT callback.id, callback.state, callback.account_id, account.customer_id, account.wallet_id, wallet.currency,
           COALESCE(lock.amount_micros, 0) AS locked_micros
      FROM callback
      JOIN account ON account.id = callback.account_id
      JOIN wallet ON wallet.id = account.wallet_id
      LEFT JOIN lock ON lock.callback_id = callback.id AND lock.state = 'held'
     WHERE callback.id = ?
"""

_LEGS = "SELECT id, name, cli, cld, pricing, pricing_if_b_fails FROM leg WHERE callback_id = ?"

_XDR = """
    INSERT INTO xdr (callback_id, leg, account_id, customer_id, cli, cld, access_code, destination, tariff, connection_id,
                     connect_time, disconnect_time, bill_time, setup_ms, used_quantity, charged_quantity, charged_micros,
                     currency, disconnect_cause, explanation)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
"""

_LEDGER = """
    INSERT INTO ledger (event_key, wallet_id, account_id, kind, amount_micros, balance_after_micros, xdr_id, at, made_by,
                        note)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_MADE_BY_ENGINE = "engine"


def settle(callback_id: str, usages: Sequence[LegUsage], ending: str, b_answered: bool, at: datetime) -> Settlement:
    """End a callback: an xDR a placed leg, the charges, the lock closed, the rows ended, in one transaction, once.

    A second call changes nothing and returns what the first one did. Leg A is charged by CALLBACK_FAIL where B was not
    answered and the application charges specially (domain 1.6). Raises LookupError where there is no such callback.
    """
    with db.writing():
        callback = query.held_row("callback", _CALLBACK, callback_id)
        if callback is None:
            raise LookupError(f"there is no callback {callback_id}")
        if callback["state"] != "ended":
            legs = {leg["name"]: leg for leg in query.rows(_LEGS, callback_id)}
            rated = [_rate(legs[usage.leg], usage, b_answered) for usage in usages]
            total_micros = sum(each.charge.amount_micros for each in rated)
            balance_micros = _close_funds(callback, total_micros, at) + total_micros
            for each in rated:
                balance_micros -= each.charge.amount_micros
                _write_bill(callback, each, balance_micros, at)
            _end_rows(callback, rated, ending, at)
        return _settlement(callback)


@dataclass(frozen=True, slots=True)
class _RatedLeg:
    row: Row
    usage: LegUsage
    pricing: Pricing
    charge: Charge


def _rate(leg: Row, usage: LegUsage, b_answered: bool) -> _RatedLeg:
    frozen = leg["pricing"] if b_answered or leg["pricing_if_b_fails"] is None else leg["pricing_if_b_fails"]
    pricing = Pricing.from_json(frozen)
    if usage.answered_at is not None:
        pricing = pricing.answered(usage.answered_at)
    return _RatedLeg(leg, usage, pricing, rating.charge(pricing, usage.used_seconds))


def _close_funds(callback: Row, total_micros: int, at: datetime) -> int:
    """Take the charge from the balance and close the lock; returns the balance after it, in micros."""
    if total_micros > callback["locked_micros"]:
        log.error(
            "callback %s costs %d micros more than were locked",
            callback["id"],
            total_micros - callback["locked_micros"],
        )
    query.change(
        "UPDATE lock SET state = ?, closed_at = ? WHERE callback_id = ? AND state = 'held'",
        "settled" if total_micros else "released",
        micros(at),
        callback["id"],
    )
    return _move(callback["wallet_id"], -total_micros, unlock_micros=callback["locked_micros"])


def _move(wallet_id: int, amount_micros: int, unlock_micros: int = 0) -> int:
    """Add to a balance and give back what was locked of it; returns the new balance in micros."""
    moved = query.row(
        "UPDATE wallet SET balance_micros = balance_micros + ?, locked_micros = locked_micros - ?"
        " WHERE id = ? RETURNING balance_micros",
        amount_micros,
        unlock_micros,
        wallet_id,
    )
    if moved is None:
        raise LookupError(f"there is no wallet {wallet_id}")
    return int(moved["balance_micros"])


def _write_bill(callback: Row, rated: _RatedLeg, balance_after_micros: int, at: datetime) -> None:
    """The xDR of a leg, and the ledger row where it costs anything."""
    usage, pricing, charge = rated.usage, rated.pricing, rated.charge
    written = query.row(
        _XDR,
        callback["id"],
        usage.leg,
        callback["account_id"],
        callback["customer_id"],
        rated.row["cli"],
        rated.row["cld"],
        pricing.access_code,
        pricing.destination,
        pricing.tariff_name,
        usage.connection_id,
        None if usage.answered_at is None else micros(usage.answered_at),
        micros(usage.ended_at),
        micros(at),
        usage.setup_ms,
        usage.used_seconds,
        charge.charged_seconds,
        charge.amount_micros,
        callback["currency"],
        usage.disconnect_cause,
        json.dumps(charge.explanation, separators=(",", ":")),
    )
    if written is not None and charge.amount_micros:
        query.change(
            _LEDGER,
            f"charge:{callback['id']}:{usage.leg}",
            callback["wallet_id"],
            callback["account_id"],
            "charge",
            -charge.amount_micros,
            balance_after_micros,
            written["id"],
            micros(at),
            _MADE_BY_ENGINE,
            "",
        )


def _end_rows(callback: Row, rated: Sequence[_RatedLeg], ending: str, at: datetime) -> None:
    for each in rated:
        query.change(
            "UPDATE leg SET ended_at = ?, connection_id = ? WHERE id = ?",
            micros(each.usage.ended_at),
            each.usage.connection_id,
            each.row["id"],
        )
    query.change(
        "UPDATE leg SET state = 'ended', ended_at = COALESCE(ended_at, ?), queue_position = NULL WHERE callback_id = ?",
        micros(at),
        callback["id"],
    )
    query.change(
        "UPDATE callback SET state = 'ended', ended_at = ?, ending = ? WHERE id = ?", micros(at), ending, callback["id"]
    )
    if any(each.usage.used_seconds for each in rated):
        _note_use(callback["account_id"], at)


def _note_use(account_id: int, at: datetime) -> None:
    """The availability days of an account run from its first and its last use or recharge (domain 5)."""
    query.change(
        "UPDATE account SET first_used_at = COALESCE(first_used_at, ?), last_used_at = ? WHERE id = ?",
        micros(at),
        micros(at),
        account_id,
    )


def _settlement(callback: Row) -> Settlement:
    bills = query.rows("SELECT leg, charged_micros FROM xdr WHERE callback_id = ?", callback["id"])
    charged_micros = {bill["leg"]: bill["charged_micros"] for bill in bills}
    return Settlement(charged_micros, sum(charged_micros.values()), callback["currency"])


# Adjustments ---------------------------------------------------------------------------------------------------------


def post(
    wallet_id: int,
    account_id: int | None,
    kind: Kind,
    amount_micros: int,
    event_key: str,
    made_by: str,
    note: str,
    at: datetime,
) -> bool:
    """Change a balance by `amount_micros` (negative takes), once for an `event_key`; returns whether this call did it.

    Nothing is written for an amount of 0. Raises ValueError where the sign does not suit the kind or the key was posted with
    another amount or wallet, LookupError where there is no such wallet.
    """
    if (kind in _ADDING and amount_micros < 0) or (kind in _TAKING and amount_micros > 0):
        raise ValueError(f"a {kind} of {amount_micros} micros has the wrong sign")
    with db.writing():
        if query.held_row("wallet", "SELECT id FROM wallet WHERE id = ?", wallet_id) is None:
            raise LookupError(f"there is no wallet {wallet_id}")
        known = query.row("SELECT wallet_id, amount_micros FROM ledger WHERE event_key = ?", event_key)
        if known is not None and known != {"wallet_id": wallet_id, "amount_micros": amount_micros}:
            raise ValueError(f"{event_key} was posted before, with another amount or wallet")
        if known is not None or amount_micros == 0:
            return False
        balance_micros = _move(wallet_id, amount_micros)
        query.change(
            _LEDGER,
            event_key,
            wallet_id,
            account_id,
            kind,
            amount_micros,
            balance_micros,
            None,
            micros(at),
            made_by,
            note,
        )
        if kind in _RECHARGES and account_id is not None:
            _note_use(account_id, at)
    return True


# The books -----------------------------------------------------------------------------------------------------------

# Each finds rows only where the books are wrong; `subject` names the place, `found` and `due` the two amounts.
_CHECKS = {
    "balance is not the sum of its ledger rows": """
        SELECT 'wallet ' || wallet.id AS subject, balance_micros AS found, COALESCE(SUM(ledger.amount_micros), 0) AS due
          FROM wallet LEFT JOIN ledger ON ledger.wallet_id = wallet.id
         GROUP BY wallet.id, balance_micros
        HAVING balance_micros <> COALESCE(SUM(ledger.amount_micros), 0)
    """,
    "locked funds are not the sum of the held locks": """
        SELECT 'wallet ' || wallet.id AS subject, locked_micros AS found, COALESCE(SUM(lock.amount_micros), 0) AS due
          FROM wallet LEFT JOIN lock ON lock.wallet_id = wallet.id AND lock.state = 'held'
         GROUP BY wallet.id, locked_micros
        HAVING locked_micros <> COALESCE(SUM(lock.amount_micros), 0)
    """,
    "balance after a ledger row is not the sum up to it": """
        SELECT subject, found, due
          FROM (SELECT 'ledger row ' || id AS subject, balance_after_micros AS found,
                       SUM(amount_micros) OVER (PARTITION BY wallet_id ORDER BY id) AS due
                  FROM ledger) AS running
         WHERE found <> due
    """,
    "charge in the ledger is not the xDR's": """
        SELECT 'xDR of callback ' || xdr.callback_id || ', leg ' || xdr.leg AS subject,
               COALESCE(-ledger.amount_micros, 0) AS found, charged_micros AS due
          FROM xdr LEFT JOIN ledger ON ledger.xdr_id = xdr.id
         WHERE COALESCE(-ledger.amount_micros, 0) <> charged_micros
    """,
    "callback has ended and its funds are still locked": """
        SELECT 'callback ' || callback.id AS subject, lock.amount_micros AS found, 0 AS due
          FROM callback JOIN lock ON lock.callback_id = callback.id
         WHERE callback.state = 'ended' AND lock.state = 'held'
    """,
}


def differences() -> list[str]:
    """Everything in which the books contradict themselves, a line each; [] is as it must be."""
    with db.reading():
        return [
            f"{found['subject']}: {what}: {money.format_amount(int(found['found']))} instead of"
            f" {money.format_amount(int(found['due']))}"
            for what, sql in _CHECKS.items()
            for found in query.rows(sql)
        ]
