"""API keys: who a program acts for. Only a hash of a key is kept; a key is one account's, at one voice application."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from ipaddress import ip_address, ip_network
from typing import Any, Final

from flask import Response, g, request

from webcb import clock, db
from webcb.billing import guard, tally
from webcb.models import Account, ApiKey, VoiceApplication
from webcb.web.problem import problem

PREFIX: Final = "webcb_"
SCOPES: Final = ("calls", "account")
WINDOW: Final = timedelta(minutes=1)
WRONG_WINDOW: Final = timedelta(minutes=15)
WRONG_KEYS_OF_SOURCE: Final = 30
USED_EVERY: Final = timedelta(minutes=1)  # how exactly the last use is written

View = Callable[..., Any]


def new_key() -> tuple[str, str]:
    """A key, shown once, and the hash that is kept of it."""
    key = PREFIX + secrets.token_urlsafe(32)
    return key, hashed(key)


def hashed(key: str) -> str:
    """A key has 256 random bits: nobody finds it from a plain hash."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def read_networks(text: str) -> list[Any]:
    """The networks a key may be used from, comma between; raises ValueError."""
    return [ip_network(each.strip()) for each in text.split(",") if each.strip()]


def with_key(scope: str) -> Callable[[View], View]:
    """Guard: a program with an API key that has the scope. It finds its key as `current()`."""
    assert scope in SCOPES, scope  # noqa: S101 - our own fault

    def guarded(view: View) -> View:
        @wraps(view)
        def watched(*args: Any, **kwargs: Any) -> Any:
            return _let_in(scope) or _full() or view(*args, **kwargs)

        watched.guard = f"API key: {scope}"  # type: ignore[attr-defined]
        return watched

    return guarded


def current() -> Any:
    """The key of this request, with its account and voice application."""
    return g.api_key


def _let_in(scope: str) -> Any:
    """None where the key is good, or the answer that says why not: the same for a key that is wrong, expired or revoked."""
    at, source = clock.utc_now(), request.remote_addr or ""
    wrong = tally.Ask(f"key from {guard.source_network(source)}", WRONG_KEYS_OF_SOURCE)
    if tally.full([wrong], WRONG_WINDOW, at):
        return problem(429, "Too many wrong API keys came from here. Wait a quarter of an hour.", Retry_After="900")
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    row = _key_of(key.strip()) if scheme.lower() == "bearer" and key.strip() else None
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= at):
        if key.strip():
            with db.writing():
                tally.take([wrong], WRONG_WINDOW, at)
        return problem(401)
    if not _is_from(source, row.networks):
        return problem(403, "This API key may not be used from this address.")
    if scope not in row.scopes.split(","):
        return problem(403, f"This API key has no scope {scope!r}.")
    g.api_key = row
    if row.used_at is None or at - row.used_at > USED_EVERY:
        with db.writing():
            ApiKey.update(used_at=at).where(ApiKey.id == row.id).execute()
    return None


def _key_of(key: str) -> Any:
    return (
        ApiKey.select(ApiKey, Account, VoiceApplication)
        .join(Account)
        .switch(ApiKey)
        .join(VoiceApplication)
        .where(ApiKey.key_hash == hashed(key))
        .first()
    )


def _is_from(source: str, networks: str) -> bool:
    if not networks:
        return True
    try:
        address = ip_address(source)
    except ValueError:
        return False
    return any(address in network for network in read_networks(networks))


def _full() -> Any:
    """Count the request; None where there is room for it, or the answer that says when there will be."""
    at = clock.utc_now()
    g.room_of = tally.Ask(f"key {current().id}", current().requests_per_minute)
    with db.writing():
        is_full = bool(tally.take([g.room_of], WINDOW, at))
    return problem(429, Retry_After="60") if is_full else None


def say_room(answer: Response) -> Response:
    """What room is left for the key (draft-ietf-httpapi-ratelimit-headers)."""
    ask = g.get("room_of")
    if ask is not None:
        room = tally.room(ask, WINDOW, clock.utc_now())
        answer.headers["RateLimit-Limit"] = str(ask.most)
        answer.headers["RateLimit-Remaining"] = str(room.left)
        answer.headers["RateLimit-Reset"] = str(room.reset_seconds)
    return answer
