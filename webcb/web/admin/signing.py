"""Who has signed in: operators' sessions, their passwords and second factors, and the guard of the admin views.

A session is a row; the cookie has only its token. Too many tries that fail have to wait, whether the login exists or not.
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Final

import pyotp
from flask import abort, g, request, session

from webcb import clock, db
from webcb.billing import credentials
from webcb.models import User, UserSession
from webcb.web import throttle
from webcb.web.admin.permission import ALL, may

TOKEN_BYTES: Final = 32
IDLE_MAX: Final = timedelta(hours=2)
SESSION_MAX: Final = timedelta(hours=12)
SEEN_EVERY: Final = timedelta(minutes=1)  # how exactly the last use of a session is written
SECOND_FACTOR_SECONDS: Final = 180  # between the password and the code
TOTP_STEP_SECONDS: Final = 30

View = Callable[..., Any]


class Refused(Exception):
    """A sign-in that does not go; the message is for the page and says nothing of which part was wrong."""


def guarded(permission: str) -> Callable[[View], View]:
    """Guard: a signed-in operator whose role has the permission. A stranger is asked to sign in, and learns nothing else."""
    assert permission == "" or permission in ALL, permission  # noqa: S101 - our own fault

    def guard(view: View) -> View:
        @wraps(view)
        def watched(*args: Any, **kwargs: Any) -> Any:
            user = current()
            if user is None:
                from webcb.web.admin.sign_in import ask

                return ask()
            if not may(user.role, permission):
                abort(403)
            return view(*args, **kwargs)

        watched.guard = f"operator: {permission or 'any'}"  # type: ignore[attr-defined]
        return watched

    return guard


def current() -> User | None:
    """The operator of this request; None where nobody has signed in, or the session has ended."""
    if "operator" not in g:
        g.operator = _read()
    found: User | None = g.operator
    return found


def _read() -> User | None:
    token = session.get("operator")
    if not isinstance(token, str):
        return None
    at = clock.utc_now()
    row = (
        UserSession.select(UserSession, User)
        .join(User)
        .where((UserSession.token_hash == _hashed(token)) & UserSession.ended_at.is_null())
        .first()
    )
    if row is None or row.user.blocked or at - row.seen_at > IDLE_MAX or at - row.began_at > SESSION_MAX:
        session.pop("operator", None)
        return None
    if at - row.seen_at > SEEN_EVERY:
        with db.writing():
            UserSession.update(seen_at=at).where(UserSession.id == row.id).execute()
    g.operator_session = row.id
    user: User = row.user
    return user


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


# Signing in ----------------------------------------------------------------------------------------------------------


def check_password(login: str, password: str) -> User:
    """The operator whose password this is; raises Refused. As slow for a login that does not exist."""
    at = clock.utc_now()
    with credentials.one_try(login):
        _throttle(login, at)
        user: User | None = User.get_or_none(User.login == login)
        right = credentials.verify_password(user.password if user else "", password)
        if user is None or not right or user.blocked:
            throttle.note(login, at, failed=True)
            raise Refused("Login or password is wrong.")
    return user


def check_code(user: User, code: str) -> None:
    """Take the code of a second factor, once; raises Refused."""
    at = clock.utc_now()
    _throttle(user.login, at)
    totp = pyotp.TOTP(credentials.unseal(user.sealed_totp))
    step = int(at.timestamp()) // TOTP_STEP_SECONDS
    for candidate in (step - 1, step, step + 1):  # clocks differ
        if secrets.compare_digest(totp.at(candidate * TOTP_STEP_SECONDS), "".join(code.split())[:8]):
            with db.writing():
                once = User.update(totp_step=candidate).where((User.id == user.id) & (User.totp_step < candidate))
                if once.execute() == 1:
                    return
            break
    throttle.note(user.login, at, failed=True)
    raise Refused("This code is wrong, or was used before. Wait for the next one.")


def _throttle(login: str, at: datetime) -> None:
    if throttle.is_closed(login, at):
        minutes = int(throttle.WINDOW.total_seconds() // 60)
        raise Refused(f"Too many tries failed. Wait {minutes} minutes and try again.")


def source() -> str:
    """Where the request comes from."""
    return throttle.source()


def begin_session(user: User) -> None:
    """The operator is who he says: a new session, and nothing of an earlier one in the cookie."""
    at = clock.utc_now()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with db.writing():
        UserSession.create(
            user=user,
            token_hash=_hashed(token),
            source=source(),
            agent=(request.user_agent.string or "")[:200],
            began_at=at,
            seen_at=at,
        )
    throttle.note(user.login, at, failed=False)
    session.clear()
    session["operator"] = token
    g.operator = user


def end_session() -> None:
    """Sign out."""
    if current() is not None:
        end_sessions(UserSession.id == g.operator_session)
    session.clear()
    g.operator = None


def end_sessions(which: Any) -> int:
    """Sign out elsewhere; returns how many sessions ended."""
    with db.writing():
        ending = UserSession.update(ended_at=clock.utc_now()).where(UserSession.ended_at.is_null(), which)
        return int(ending.execute())
