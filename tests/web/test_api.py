"""The integrators' API: who may, CAMARA's calls, once and only once, prices and xDRs, and that nothing sent to it is our fault."""

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.conftest import Server
from webcb import clock, db
from webcb.models import Account, ApiKey, Callback, VoiceApplication
from webcb.web import bearer, contract

CALLS = "/api/v1/click-to-dial/calls"
NUMBERS = {"caller": f"+{scene.DIGITS_A}", "callee": f"+{scene.DIGITS_B}"}


def make_key(login: str = "alice", **columns: Any) -> str:
    key, key_hash = bearer.new_key()
    fields: dict[str, Any] = {
        "name": key_hash[:20],
        "scopes": "calls,account",
        "account": Account.get(login=login),
        "voice_application": VoiceApplication.get(path="-"),
        "made_at": clock.utc_now(),
    }
    with db.database.connection_context() if db.database.is_closed() else db.reading():
        ApiKey.create(key_hash=key_hash, **fields | columns)
    return key


@pytest.fixture
def key(app: Flask) -> str:
    db.database.connect(reuse_if_open=True)
    return make_key()


def bearing(key: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} | {name.replace("_", "-"): value for name, value in headers.items()}


def test_a_call_from_its_order_to_its_end(client: FlaskClient, key: str) -> None:
    placed = client.post(CALLS, json=NUMBERS, headers=bearing(key, x_correlator="abc-1"))
    assert placed.status_code == 201, placed.text
    call = placed.json
    assert placed.headers["Location"] == f"{CALLS}/{call['callId']}"
    assert placed.headers["x-correlator"] == "abc-1"
    assert {name: call[name] for name in NUMBERS} == NUMBERS
    assert call["status"] == {"state": "initiating"}

    def state() -> Any:
        return client.get(f"{CALLS}/{call['callId']}", headers=bearing(key)).json["status"]

    db.database.connect(reuse_if_open=True)
    engine = scene.Engine(call["callId"])
    engine.claim()
    assert state() == {"state": "callingCaller"}
    db.database.connect(reuse_if_open=True)
    engine.answer_a()
    engine.call_b()
    assert state() == {"state": "callingCallee"}
    db.database.connect(reuse_if_open=True)
    engine.answer_b(100)
    assert state() == {"state": "connected"}
    assert client.delete(f"{CALLS}/{call['callId']}", headers=bearing(key)).status_code == 204
    db.database.connect(reuse_if_open=True)
    assert Callback.get().release_asked_by == "user"
    engine.end("user released", 12, 8)
    ended = client.get(f"{CALLS}/{call['callId']}", headers=bearing(key)).json
    assert ended["status"] == {"state": "disconnected", "reason": "hangUp"}
    assert ended["callDuration"] >= 0
    assert client.delete(f"{CALLS}/{call['callId']}", headers=bearing(key)).status_code == 204

    first = client.get("/api/v1/xdrs?limit=1", headers=bearing(key)).json
    second = client.get(f"/api/v1/xdrs?limit=1&after={first['next']}", headers=bearing(key)).json
    assert [row["leg"] for row in first["items"] + second["items"]] == ["B", "A"]
    assert second["next"] is None
    balance = client.get("/api/v1/account", headers=bearing(key)).json
    assert (balance["id"], balance["currency"], balance["locked"]) == ("alice", "USD", "0.00")


def test_one_idempotency_key_is_one_call(client: FlaskClient, key: str) -> None:
    said = [client.post(CALLS, json=NUMBERS, headers=bearing(key, Idempotency_Key="order 1")) for _ in range(5)]
    assert {(answer.status_code, answer.json["callId"]) for answer in said} == {(201, said[0].json["callId"])}
    other = NUMBERS | {"callee": "+12065550199"}
    refused = client.post(CALLS, json=other, headers=bearing(key, Idempotency_Key="order 1"))
    assert (refused.status_code, refused.json["code"]) == (409, "CONFLICT")
    db.database.connect(reuse_if_open=True)
    assert Callback.select().count() == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "INVALID_ARGUMENT"),
        ([], 400, "INVALID_ARGUMENT"),
        (NUMBERS | {"caller": 5}, 400, "INVALID_ARGUMENT"),
        (NUMBERS | {"caller": "12065550123"}, 422, "INVALID_PHONE_NUMBER"),
        (NUMBERS | {"callee": "+\u0661206555012"}, 422, "INVALID_PHONE_NUMBER"),
        (NUMBERS | {"callee": NUMBERS["caller"]}, 422, "SAME_CALLER_CALLEE"),
        (NUMBERS | {"callee": "+19005550123"}, 422, "CALLEE_NOT_AVAILABLE"),
        (NUMBERS | {"recordingEnabled": True}, 422, "RECORDING_NOT_SUPPORTED"),
        (NUMBERS | {"sink": "https://example.com"}, 400, "INVALID_SINK"),
    ],
)
def test_what_is_refused_in_camaras_words(client: FlaskClient, key: str, body: Any, status: int, code: str) -> None:
    answer = client.post(CALLS, json=body, headers=bearing(key))
    assert (answer.status_code, answer.json["status"], answer.json["code"]) == (status, status, code)
    assert answer.content_type == "application/json"
    assert answer.json["message"]


def test_who_may(client: FlaskClient, app: Flask, key: str) -> None:
    at = clock.utc_now()
    keys = {
        "": 401,
        "webcb_wrong": 401,
        make_key(revoked_at=at): 401,
        make_key(expires_at=at - timedelta(seconds=1)): 401,
        make_key(networks="192.0.2.0/24"): 403,
        make_key(scopes="account"): 403,
        make_key(networks="127.0.0.0/8"): 201,
    }
    for each, status in keys.items():
        answer = client.post(CALLS, json=NUMBERS, headers=bearing(each))
        assert answer.status_code == status, answer.text
    assert client.post(CALLS, json=NUMBERS, headers={"Authorization": f"Basic {key}"}).status_code == 401
    for _ in range(40):
        answer = client.get("/api/v1/account", headers=bearing("webcb_guess"))
    assert answer.status_code == 429
    assert client.get("/api/v1/account", headers=bearing(key)).status_code == 429, "not even with a right one"


def test_a_call_of_another_account_does_not_exist(client: FlaskClient, key: str) -> None:
    call = client.post(CALLS, json=NUMBERS, headers=bearing(key)).json["callId"]
    db.database.connect(reuse_if_open=True)
    stranger = make_key("sue")
    for method in ("GET", "DELETE"):
        answer = client.open(f"{CALLS}/{call}", method=method, headers=bearing(stranger))
        assert (answer.status_code, answer.json["code"]) == (404, "NOT_FOUND")
    db.database.connect(reuse_if_open=True)
    assert Callback.get().release_asked_at is None


def test_how_often_a_key_may_ask(client: FlaskClient, app: Flask) -> None:
    db.database.connect(reuse_if_open=True)
    key = make_key(requests_per_minute=2)
    said = [client.get("/api/v1/account", headers=bearing(key)) for _ in range(3)]
    assert [answer.status_code for answer in said] == [200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in said] == ["1", "0", "0"]
    assert said[2].headers["RateLimit-Limit"] == "2"
    assert said[2].headers["Retry-After"] == "60"
    assert said[2].content_type == "application/problem+json"


NASTY = [
    "\0",
    "'",
    "' OR 1=1 --",
    "<script>",
    "\u202e",
    "\U0001d7d9" * 300,
    "%00",
    "../..",
    "\r\nX: y",
    "{}",
    "-1",
    "9" * 400,
    "nan",
]


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_that_is_sent_is_our_fault(client: FlaskClient, app: Flask, nasty: str) -> None:
    db.database.connect(reuse_if_open=True)
    key = make_key(requests_per_minute=10_000)
    header = nasty.encode("ascii", "ignore").decode().replace("\r\n", "").replace("\0", "") or "x"
    asked = [
        client.post(path, json=NUMBERS | {field: nasty}, headers=bearing(key))
        for path in (CALLS, "/api/v1/quotes")
        for field in ("caller", "callee", "sink", "more")
    ]
    asked += [client.get(f"{CALLS}/{nasty.replace('..', '.')}", headers=bearing(key))]
    asked += [
        client.get("/api/v1/xdrs", query_string={name: nasty}, headers=bearing(key)) for name in ("limit", "after")
    ]
    asked += [client.post(CALLS, data=nasty, content_type="application/json", headers=bearing(key))]
    asked += [
        client.post(CALLS, json=NUMBERS, headers=bearing(key) | {name: header})
        for name in ("Idempotency-Key", "x-correlator", "Authorization", "Content-Type")
    ]
    assert all(answer.status_code < 500 for answer in asked), [answer.status_code for answer in asked]
    assert all("<html" not in answer.text for answer in asked if answer.status_code != 308)


def test_every_route_is_in_the_contract(app: Flask, client: FlaskClient) -> None:
    routes = {
        (rule.rule.removeprefix("/api/v1").replace("<call_id>", "{callId}"), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.endpoint != "api.description"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, methods in contract.OPENAPI["paths"].items() for method in methods}
    assert routes == described
    assert client.get("/api/v1/openapi.json").json == contract.OPENAPI


def test_schemathesis_finds_nothing_against_the_real_server(server: Server) -> None:
    key = make_key(requests_per_minute=100_000)
    with db.database.connection_context():
        VoiceApplication.update(asks_per_minute_source=None, asks_per_minute_account=None).execute()
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/api/v1/openapi.json"]
    options = f"--url {server.url}/api/v1 --max-examples 15 --seed 1 --phases examples,fuzzing --workers 1"
    checks = "--checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    done = subprocess.run(
        [*command, *options.split(), *checks.split(), "--header", f"Authorization: Bearer {key}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "6 selected / 6 total" in done.stdout, done.stdout[-4000:]
