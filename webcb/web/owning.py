"""Account owners who have logged in to self-care: the session, and the guard of their pages.

The signed cookie names the account and a digest of its stored password: a new password ends every session of the old one.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Final

from flask import redirect, session, url_for

from webcb import clock
from webcb.billing import credentials
from webcb.models import Account
from webcb.web import throttle

IDLE_MAX: Final = timedelta(minutes=30)
SESSION_MAX: Final = timedelta(hours=12)
_SESSION: Final = "owner"
_KEPT: Final = ("language",)
_DIGEST_LENGTH: Final = 16

View = Callable[..., Any]


def owner(view: View) -> View:
    """Guard: the owner of an account, who has logged in; the view gets the Account. A stranger is asked to log in."""

    @wraps(view)
    def guarded(**kwargs: Any) -> Any:
        account = current(clock.utc_now())
        if account is None:
            return redirect(url_for("selfcare.sign_in"), 303)
        return view(account, **kwargs)

    guarded.guard = "owner"  # type: ignore[attr-defined]
    return guarded


def check(login: str, password: str, at: datetime) -> Account | None:
    """The account whose self-care login and password these are; as slow for a login that does not exist. Notes the try."""
    account: Account | None = Account.get_or_none(Account.web_login == login)
    right = credentials.verify_password(account.web_password if account else "", password)
    if account is None or not right or account.closed:
        throttle.note(_name(login), at, failed=True)
        return None
    throttle.note(_name(login), at, failed=False)
    return account


def is_closed(login: str, at: datetime) -> bool:
    """Whether too many tries have failed."""
    return throttle.is_closed(_name(login), at)


def _name(login: str) -> str:
    return f"self-care {login}"


def begin(account: Account, at: datetime) -> None:
    """The owner is who he says: a new session, and nothing of an earlier one but the language."""
    kept = {name: session[name] for name in _KEPT if name in session}
    session.clear()
    session.update(kept)
    now = int(at.timestamp())
    session[_SESSION] = [account.id, _digest(account), now, now]


def end() -> None:
    """Log out."""
    session.pop(_SESSION, None)


def current(at: datetime) -> Account | None:
    """The account of who has logged in; None where nobody has, or not lately."""
    found = session.get(_SESSION)
    if not isinstance(found, list) or len(found) != 4:
        return None
    account_id, digest, began, seen = found
    now = int(at.timestamp())
    account: Account | None = Account.get_or_none(Account.id == account_id)
    is_old = now - seen > IDLE_MAX.total_seconds() or now - began > SESSION_MAX.total_seconds()
    if account is None or account.closed or is_old or digest != _digest(account):
        end()
        return None
    session[_SESSION] = [account_id, digest, began, now]
    return account


def _digest(account: Account) -> str:
    return hashlib.sha256(account.web_password.encode()).hexdigest()[:_DIGEST_LENGTH]
