"""Signed links: who opens one may ask for a call by Simple or Hosted, where the voice application wants a link, until it is too old.

A link is for the page of one voice application and not for one person: it is given to those who may ask, by mail or behind a log-in.
"""

from datetime import datetime
from typing import Any, Final

from flask import current_app, session
from itsdangerous import BadData, URLSafeSerializer

PARAMETER: Final = "link"
LENGTH_MAX: Final = 500
_SALT: Final = "webcb signed link"


def make(path: str, secret_key: str, expires_at: datetime) -> str:
    """The value of `?link=` that opens the page of the voice application at `path`."""
    return str(URLSafeSerializer(secret_key, _SALT).dumps([path, int(expires_at.timestamp())]))


def take(token: str, path: str, at: datetime) -> None:
    """Remember a link that was opened, where it is a good one."""
    if _is_good(token, path, at):
        session[PARAMETER] = token


def is_held(path: str, at: datetime) -> bool:
    """Whether this visitor has opened a good link to the page at `path`, which is not too old by now."""
    return _is_good(session.get(PARAMETER), path, at)


def _is_good(token: Any, path: str, at: datetime) -> bool:
    if not isinstance(token, str) or not 1 <= len(token) <= LENGTH_MAX:
        return False
    try:
        of, until = URLSafeSerializer(current_app.config["SECRET_KEY"], _SALT).loads(token)
    except (BadData, ValueError, TypeError):
        return False
    return bool(of == path and at.timestamp() < until)
