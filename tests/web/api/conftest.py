"""What the tests of the API share: keys, and the headers that carry one."""

from typing import Any

import pytest
from flask import Flask

from tests.web import scene
from webcb import clock, db
from webcb.models import Account, ApiKey, VoiceApplication
from webcb.web import bearer

CALLS = "/api/v1/click-to-dial/calls"
DIGITS = {"caller": scene.DIGITS_A, "callee": scene.DIGITS_B}
PARTIES = {name: {"number": f"+{digits}"} for name, digits in DIGITS.items()}


def make_key(login: str | None = "alice", scopes: str = "calls,account", **columns: Any) -> bearer.Made:
    """A key of an account, or of the operator (login None); `columns` are what differs from a good one."""
    with db.database.connection_context() if db.database.is_closed() else db.reading():
        wanted = bearer.Wanted(
            name=f"key {ApiKey.select().count() + 1}",
            scopes=tuple(scopes.split(",")),
            account=None if login is None else Account.get(login=login),
            voice_application=None if login is None else VoiceApplication.get(path="-"),
        )
        made = bearer.make(wanted, (), "test", clock.utc_now())
        if columns:
            ApiKey.update(**columns).where(ApiKey.key_hash == bearer.hashed(made.key)).execute()
    return made


def bearing(key: str, **headers: str) -> dict[str, str]:
    """Headers with a key, and others."""
    return {"Authorization": f"Bearer {key}"} | {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def key(app: Flask) -> str:
    """A key of alice."""
    db.database.connect(reuse_if_open=True)
    return make_key().key
