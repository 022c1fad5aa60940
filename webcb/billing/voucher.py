"""The voucher door: prepaid amounts sold as codes, made in series, each redeemed once.

A code is 16 random digits, its last one a check digit (ISO/IEC 7812, Luhn), so that a slip of the finger is told from a guess.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from webcb import db
from webcb.billing import credentials, ledger, query
from webcb.billing.query import micros

CODE_DIGITS: Final = 16
QUANTITY_MAX: Final = 100_000

Reason = Literal["mistyped", "unknown", "used", "expired", "another currency"]


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a voucher brought, and the balance after it, in micros of `currency`."""

    amount_micros: int
    balance_micros: int
    currency: str


@db.transaction
def make(
    series: str,
    quantity: int,
    amount_micros: int,
    currency: str,
    expires_at: datetime | None,
    made_by: str,
    at: datetime,
) -> list[str]:
    """Make vouchers and return their codes, which nobody can read again. Raises ValueError for a series that exists already."""
    if not 1 <= quantity <= QUANTITY_MAX:
        raise ValueError(f"1 to {QUANTITY_MAX:,} vouchers at a time")
    if query.row("SELECT id FROM voucher WHERE series = ? LIMIT 1", series) is not None:
        raise ValueError(f"there is a series {series!r} already; choose another name")
    codes = list({_draw() for _ in range(quantity)})
    while len(codes) < quantity:
        codes = list({*codes, _draw()})
    expires = None if expires_at is None else micros(expires_at)
    query.change_each(
        "INSERT INTO voucher (code_hash, series, amount_micros, currency, expires_at, made_at, made_by)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (credentials.hash_code(code), series, amount_micros, currency, expires, micros(at), made_by)
            for code in codes
        ],
    )
    return codes


def _draw() -> str:
    digits = "".join(secrets.choice("0123456789") for _ in range(CODE_DIGITS - 1))
    return digits + next(check for check in "0123456789" if _is_well_typed(digits + check))


def _is_well_typed(code: str) -> bool:
    if len(code) != CODE_DIGITS or not (code.isascii() and code.isdigit()):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(code))]
    return sum(each - 9 * (each > 9) for each in doubled) % 10 == 0


_FIND = "SELECT id, series, amount_micros, currency, expires_at, used_at FROM voucher WHERE code_hash = ?"


@db.transaction
def redeem(code: str, account_id: int, made_by: str, at: datetime) -> Redeemed | Reason:
    """Put the amount of a voucher on the funds of an account, once; or why not. Spaces and dashes in the code do not matter."""
    plain = "".join(each for each in code if each not in " -")
    if not _is_well_typed(plain):
        return "mistyped"
    found = query.row(_FIND, credentials.hash_code(plain))
    if found is None:
        return "unknown"
    (wallet_id,) = query.values("SELECT wallet_id FROM account WHERE id = ?", account_id)
    wallet = ledger.held_wallet(wallet_id)
    if found["used_at"] is not None:
        return "used"
    if found["expires_at"] is not None and micros(at) >= found["expires_at"]:
        return "expired"
    if found["currency"] != wallet.currency:
        return "another currency"
    # Two accounts may try one code at once: the count of this change says whose it is.
    taken = query.change(
        "UPDATE voucher SET used_at = ?, used_by_id = ? WHERE id = ? AND used_at IS NULL",
        micros(at),
        account_id,
        found["id"],
    )
    if taken != 1:
        return "used"
    amount_micros, key = int(found["amount_micros"]), f"voucher:{found['id']}"
    ledger.post(wallet_id, account_id, "voucher", amount_micros, key, made_by, f"series {found['series']}", at)
    return Redeemed(amount_micros, wallet.balance_micros + amount_micros, found["currency"])
