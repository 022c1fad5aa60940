"""API keys: who a program acts for. Only a hash of a key is kept.

A key is one account's, at one voice application, or the operator's, for all accounts; which of the two, its scopes say.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from ipaddress import ip_address, ip_network
from typing import Any, Final

from flask import Response, current_app, g, request
from peewee import IntegrityError

from webcb import clock, db, webhook
from webcb.billing import credentials, guard, tally
from webcb.models import Account, ApiKey, Audit, VoiceApplication
from webcb.web import found
from webcb.web.problem import problem

PREFIX: Final = "webcb_"
ACCOUNT_SCOPES: Final = ("calls", "account")
OPERATOR_SCOPES: Final = ("accounts", "funds", "provisioning")
SCOPES: Final = ACCOUNT_SCOPES + OPERATOR_SCOPES
NAME_LENGTH_MAX: Final = 64
NETWORKS_LENGTH_MAX: Final = 1000
WINDOW: Final = timedelta(minutes=1)
WRONG_WINDOW: Final = timedelta(minutes=15)
WRONG_KEYS_OF_SOURCE: Final = 30
USED_EVERY: Final = timedelta(minutes=1)  # how exactly the last use is written

View = Callable[..., Any]


class KeyProblem(ValueError):
    """A key that cannot be made; `field` is what is wrong, the message what would be right."""

    def __init__(self, field: str, said: str) -> None:
        super().__init__(said)
        self.field = field


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key as it is asked for. Its account and voice application are rows, or None for a key of the operator."""

    name: str
    scopes: tuple[str, ...]
    account: Any = None
    voice_application: Any = None
    networks: str = ""
    requests_per_minute: int = 120
    days: int | None = None
    webhook_url: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What is shown once: the key, and the secret that signs what it is told."""

    key: str
    webhook_secret: str


def make(wanted: Wanted, networks: tuple[Any, ...], made_by: str, at: datetime) -> Made:
    """Make a key, and audit it; only a hash of it is kept. `networks`: private ones a webhook may be in. Raises KeyProblem."""
    _check(wanted, networks)
    key = PREFIX + secrets.token_urlsafe(32)
    secret = webhook.SECRET_PREFIX + base64.b64encode(secrets.token_bytes(webhook.SECRET_BYTES)).decode()
    try:
        with db.writing():
            ApiKey.create(
                name=wanted.name,
                key_hash=hashed(key),
                account=wanted.account,
                voice_application=wanted.voice_application,
                scopes=",".join(wanted.scopes),
                networks=wanted.networks,
                requests_per_minute=wanted.requests_per_minute,
                expires_at=at + timedelta(days=wanted.days) if wanted.days else None,
                made_at=at,
                webhook_url=wanted.webhook_url,
                sealed_webhook_secret=credentials.seal(secret),
            )
            subject = f"API key {wanted.name}"[:120]
            Audit.create(at=at, made_by=made_by, action="API key made", subject=subject, detail=",".join(wanted.scopes))
    except IntegrityError:
        raise KeyProblem("name", f"there is a key {wanted.name!r} already") from None
    return Made(key, secret)


def _check(wanted: Wanted, networks: tuple[Any, ...]) -> None:
    if not 1 <= len(wanted.name) <= NAME_LENGTH_MAX or not wanted.name.isprintable():
        raise KeyProblem("name", f"write 1 to {NAME_LENGTH_MAX} characters")
    possible = ACCOUNT_SCOPES if wanted.account is not None else OPERATOR_SCOPES
    if not wanted.scopes or not set(wanted.scopes) <= set(possible):
        whose = "an account" if wanted.account is not None else "the operator"
        raise KeyProblem("scopes", f"a key of {whose} may have {', '.join(possible)}")
    try:
        read_networks(wanted.networks)
    except ValueError as wrong:
        raise KeyProblem("networks", f"{wrong}; write networks as in 192.0.2.0/24") from None
    if len(wanted.networks) > NETWORKS_LENGTH_MAX:
        raise KeyProblem("networks", f"write at most {NETWORKS_LENGTH_MAX} characters")
    if wanted.webhook_url:
        if wanted.account is None:
            raise KeyProblem("webhook_url", "a key of the operator places no calls of which it could be told")
        try:
            webhook.read_url(wanted.webhook_url, networks)
        except ValueError as wrong:
            raise KeyProblem("webhook_url", str(wrong)) from None


def revoke(name: str, made_by: str, at: datetime) -> bool:
    """End a key at once, and audit it; False where there is none of this name that is good."""
    with db.writing():
        ended = ApiKey.update(revoked_at=at).where((ApiKey.name == name) & ApiKey.revoked_at.is_null()).execute()
        if ended:
            Audit.create(at=at, made_by=made_by, action="API key revoked", subject=f"API key {name}"[:120])
    return bool(ended)


def hashed(key: str) -> str:
    """A key has 256 random bits: nobody finds it from a plain hash."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def read_networks(text: str) -> list[Any]:
    """The networks a key may be used from, comma between; raises ValueError."""
    return [ip_network(each.strip()) for each in text.split(",") if each.strip()]


def webhook_networks() -> tuple[Any, ...]:
    """The networks that are not public and may be told all the same, as the operator has set them."""
    return webhook.read_networks(current_app.extensions["webcb_settings"].webhook_networks)


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
            with db.counting():
                tally.take([wrong], WRONG_WINDOW, at)
        return problem(401)
    if not _is_from(source, row.networks):
        return problem(403, "This API key may not be used from this address.")
    if scope not in row.scopes.split(","):
        return problem(403, f"This API key has no scope {scope!r}.")
    g.api_key = row
    if row.used_at is None or at - row.used_at > USED_EVERY:
        with db.counting():
            ApiKey.update(used_at=at).where(ApiKey.id == row.id).execute()
    return None


def _key_of(key: str) -> Any:
    row: Any = found.one(ApiKey, "key_hash = ?", hashed(key))
    if row is not None and row.account_id is not None:
        row.account = found.one(Account, "id = ?", row.account_id)
        row.voice_application = found.one(VoiceApplication, "id = ?", row.voice_application_id)
    return row


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
    with db.counting():
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
