"""Who is asking: the visitor of a session, the callbacks he placed, and the account he lately proved to be his.

All of it lives in the signed session cookie. A visitor is a random mark; it begins the idempotency key of every callback he
places, so which callbacks are his is read from their rows and nothing grows with their number.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta

from flask import session

PROOF_SECONDS = 600  # how long the steps from the price to the call may take without the password being typed again
_MARK_BYTES = 16
_MARK = re.compile(r"[A-Za-z0-9_-]{22}")  # what token_urlsafe makes of 16 bytes
_DIGEST_LENGTH = 16


def new_mark() -> str:
    """A random mark, 22 letters: of a visitor, or the nonce of one form."""
    return secrets.token_urlsafe(_MARK_BYTES)


def is_mark(text: str | None) -> bool:
    """Whether the text could be a mark of ours."""
    return bool(text and _MARK.fullmatch(text))


def current() -> str:
    """The mark of this visitor; he gets one at his first look at a form."""
    if "visitor" not in session:
        session["visitor"] = new_mark()
    mark: str = session["visitor"]
    return mark


def idempotency_key(nonce: str, *order: str) -> str:
    """The key that makes identical posts one callback: this visitor, this form, these words; at most 64 letters.

    The words are in it so that a form found again by the back button and changed is another order, not the old one.
    """
    digest = hashlib.sha256("\n".join(order).encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{current()}.{nonce}.{digest}"


def has_placed(key: str) -> bool:
    """Whether the callback with this idempotency key was placed in this session."""
    return "visitor" in session and key.startswith(f"{session['visitor']}.")


def remember_proof(login: str, nonce: str, at: datetime) -> None:
    """The visitor has just typed the right password of this account into the form with this nonce."""
    session["proof"] = [login, nonce, int((at + timedelta(seconds=PROOF_SECONDS)).timestamp())]


def has_proof(login: str | None, nonce: str | None, at: datetime) -> bool:
    """Whether he did so within PROOF_SECONDS; another form or another account has to be proved anew."""
    proved_login, proved_nonce, until = session.get("proof", ("", "", 0))
    return bool(login) and (login, nonce) == (proved_login, proved_nonce) and at.timestamp() < until
