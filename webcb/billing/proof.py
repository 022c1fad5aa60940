"""The door of proven numbers: who of late has shown, by a code that was said there, to be at a phone (domain 9).

The code of a proof is no part of its row (credentials.spoken_code). That it is asked for, and the call that says it: code_call.py.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from webcb import db
from webcb.billing import credentials, query
from webcb.billing.query import micros

GOOD_FOR: Final = timedelta(minutes=10)  # a code, from when it was asked for
TRIES_MAX: Final = 5  # of one code


@dataclass(frozen=True, slots=True)
class Claim:
    """That who asks is at a number (E.164 digits). `holder` is the visitor whose proof is nobody else's, "" that of the account."""

    account_id: int
    digits: str
    holder: str = ""


class Answer(Enum):
    """What became of a code that was typed."""

    RIGHT = auto()
    WRONG = auto()
    OVER = auto()  # too old, or tried too often
    NONE_ASKED = auto()


_NEWEST = """
    SELECT id, callback_id, asked_at, tries, proven_at FROM phone_proof
     WHERE account_id = ? AND digits = ? AND holder = ? ORDER BY id DESC LIMIT 1
"""


def is_proven(claim: Claim, days: int, at: datetime) -> bool:
    """Whether it was proven within so many days; with 0 days, within the time a code is good for."""
    since = at - max(timedelta(days=days), GOOD_FOR)
    found = query.row(
        "SELECT id FROM phone_proof WHERE account_id = ? AND digits = ? AND holder = ? AND proven_at >= ?",
        claim.account_id,
        claim.digits,
        claim.holder,
        micros(since),
    )
    return found is not None


def asked(claim: Claim, at: datetime) -> str | None:
    """The callback that says, or has said, a code that can still be typed; None: there is none."""
    newest = query.row(_NEWEST, claim.account_id, claim.digits, claim.holder)
    if newest is None or newest["proven_at"] is not None or newest["tries"] >= TRIES_MAX:
        return None
    return str(newest["callback_id"]) if newest["asked_at"] > micros(at - GOOD_FOR) else None


@db.transaction
def enter(claim: Claim, code: str, at: datetime) -> Answer:
    """Compare what was typed with the code that was said last. Each compared one is counted first: many at once get no more tries."""
    newest = query.row(_NEWEST, claim.account_id, claim.digits, claim.holder)
    if newest is None or newest["proven_at"] is not None:
        return Answer.NONE_ASKED
    counted = query.change(
        "UPDATE phone_proof SET tries = tries + 1 WHERE id = ? AND tries < ? AND asked_at > ? AND proven_at IS NULL",
        newest["id"],
        TRIES_MAX,
        micros(at - GOOD_FOR),
    )
    if counted != 1:
        return Answer.OVER
    right = credentials.spoken_code(newest["callback_id"])
    if not hmac.compare_digest(right.encode(), code.encode(errors="replace")):
        return Answer.WRONG
    query.change("UPDATE phone_proof SET proven_at = ? WHERE id = ?", micros(at), newest["id"])
    # Who types it has heard it: his phone is not kept from the call that he wants.
    query.change(
        "UPDATE callback SET release_asked_at = COALESCE(release_asked_at, ?), release_asked_by = COALESCE(release_asked_by, 'user')"
        " WHERE id = ? AND state <> 'ended'",
        micros(at),
        newest["callback_id"],
    )
    return Answer.RIGHT
