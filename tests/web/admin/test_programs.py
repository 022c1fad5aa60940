"""API keys are made, shown once and ended on their page; a dead webhook is sent again from its own."""

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.admin.conftest import Operator
from tests.web.api.conftest import CALLS, PARTIES, bearing
from webcb import clock, db
from webcb.models import ApiKey, Audit, Callback, SinkEvent

KEY: dict[str, Any] = {
    "name": "crm",
    "account": "alice",
    "voice_application": "-",
    "scopes": ["calls", "account"],
    "networks": "127.0.0.0/8",
    "requests_per_minute": "60",
    "days": "",
    "webhook_url": "https://crm.example.com/calls?of=secret",
}


def test_a_key_is_made_shown_once_used_and_revoked(admin: Operator, app: Flask) -> None:
    made = admin.post("/admin/api-keys/new", 201, **KEY)
    key = re.search(r'id="key">(webcb_[^<]+)<', made.text)[1]  # type: ignore[index]
    assert re.search(r'id="secret">whsec_[^<]+<', made.text)
    program: FlaskClient = app.test_client()
    assert program.post(CALLS, json=PARTIES, headers=bearing(key)).status_code == 201
    db.database.connect(reuse_if_open=True)
    row = ApiKey.get()
    assert (row.scopes, row.requests_per_minute, row.webhook_url) == ("calls,account", 60, KEY["webhook_url"])
    page = admin.get(f"/admin/api-keys/{row.id}")
    assert "https://crm.example.com/calls" in page
    assert key not in page + admin.get("/admin/api-keys")
    assert "of=secret" not in page
    admin.post(f"/admin/api-keys/{row.id}")
    assert program.post(CALLS, json=PARTIES, headers=bearing(key)).status_code == 401
    db.database.connect(reuse_if_open=True)
    actions = [each.action for each in Audit.select().order_by(Audit.id)]
    assert actions[-2:] == ["API key made", "API key revoked"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "Enter a name."),
        ({"account": "nobody"}, "There is no such account."),
        ({"scopes": ["funds"]}, "A key of an account may have calls, account."),
        ({"account": ""}, "A key of the operator may have accounts, funds, provisioning."),
        ({"networks": "somewhere"}, "write networks as in 192.0.2.0/24"),
        ({"webhook_url": "http://10.0.0.1/"}, "This address is not a public one."),
        ({"requests_per_minute": "0"}, "Write a number from 1 to 100000."),
        ({"requests_per_minute": "9" * 400}, "Write a number from 1 to 100000."),
        ({"days": "many"}, "Write a number from 1 to 3650."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(admin: Operator, changed: dict[str, Any], said: str) -> None:
    answer = admin.post("/admin/api-keys/new", 422, **KEY | changed)
    assert said in unescape(answer.text)
    db.database.connect(reuse_if_open=True)
    assert ApiKey.select().count() == 0


def test_what_is_dead_is_sent_again(admin: Operator, app: Flask) -> None:
    made = admin.post("/admin/api-keys/new", 201, **KEY)
    key = re.search(r'id="key">(webcb_[^<]+)<', made.text)[1]  # type: ignore[index]
    app.test_client().post(CALLS, json=PARTIES, headers=bearing(key))
    db.database.connect(reuse_if_open=True)
    Callback.update(state="calling A").execute()
    SinkEvent.update(due_at=None, dead_at=clock.utc_now(), tries=9, said="answered 500").execute()
    page = admin.get("/admin/webhooks?now=dead")
    assert "answered 500" in page
    assert "of=secret" not in page
    db.database.connect(reuse_if_open=True)
    event = SinkEvent.get()
    assert "Send it again" in admin.get(f"/admin/webhooks/{event.id}")
    admin.post(f"/admin/webhooks/{event.id}")
    db.database.connect(reuse_if_open=True)
    event = SinkEvent.get()
    assert (event.tries, event.dead_at) == (0, None)
    assert event.due_at is not None
