"""The payments door: a top-up through a payment provider, from its asking to the ledger. What is paid is posted once."""

import secrets
from datetime import datetime
from typing import Literal

from webcb import db
from webcb.billing import ledger, query
from webcb.billing.query import micros
from webcb.models import Account, Payment

AMOUNT_MICROS_MIN = 1_000_000
AMOUNT_MICROS_MAX = 10_000_000_000
REFERENCE_BYTES = 18

Settled = Literal["paid", "declined", "before", "unknown", "another amount"]


def ask(account: Account, amount_micros: int, provider: str, at: datetime) -> Payment:
    """Note what is to be paid in, for the provider to speak of by its reference; amount in the account's currency.

    Raises ValueError where the amount is not between AMOUNT_MICROS_MIN and AMOUNT_MICROS_MAX.
    """
    if not AMOUNT_MICROS_MIN <= amount_micros <= AMOUNT_MICROS_MAX:
        raise ValueError("an amount that is not taken")
    with db.writing():
        made: Payment = Payment.create(
            account=account,
            reference=secrets.token_urlsafe(REFERENCE_BYTES),
            provider=provider,
            amount_micros=amount_micros,
            currency=account.wallet.currency,
            asked_at=at,
        )
    return made


@db.transaction
def settle(reference: str, amount_micros: int, currency: str, at: datetime, *, is_paid: bool) -> Settled:
    """What the provider says became of a payment; said twice it moves money once, and of another amount none."""
    found = query.held_row(
        "payment",
        "SELECT id, account_id, provider, amount_micros, currency, state FROM payment WHERE reference = ?",
        reference,
    )
    if found is None:
        return "unknown"
    if (found["amount_micros"], found["currency"]) != (amount_micros, currency):
        return "another amount"
    if found["state"] != "asked":
        return "before"
    state: Settled = "paid" if is_paid else "declined"
    query.change(
        "UPDATE payment SET state = ?, ended_at = ? WHERE id = ? AND state = 'asked'", state, micros(at), found["id"]
    )
    if is_paid:
        (wallet_id,) = query.values("SELECT wallet_id FROM account WHERE id = ?", found["account_id"])
        key, made_by = f"payment:{found['id']}", f"payments:{found['provider']}"[:64]
        ledger.post(wallet_id, found["account_id"], "payment", amount_micros, key, made_by, reference, at)
    return state
