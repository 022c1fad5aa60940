"""The integrators' API: who may, CAMARA's calls, once and only once, prices and xDRs, and that nothing sent to it is our fault."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.api.conftest import CALLS, PARTIES, bearing, make_key
from webcb import clock, db
from webcb.billing import code_call, credentials
from webcb.models import Callback, NeverCall, PhoneProof, VoiceApplication

CODES = "/api/v1/codes"


def test_a_call_from_its_order_to_its_end(client: FlaskClient, key: str) -> None:
    placed = client.post(CALLS, json=PARTIES, headers=bearing(key, x_correlator="abc-1"))
    assert placed.status_code == 201, placed.text
    call = placed.json
    assert placed.headers["Location"] == f"{CALLS}/{call['callId']}"
    assert placed.headers["x-correlator"] == "abc-1"
    assert {name: call[name] for name in PARTIES} == PARTIES
    assert call["status"] == "initiating"

    def state() -> Any:
        return client.get(f"{CALLS}/{call['callId']}", headers=bearing(key)).json["status"]

    db.database.connect(reuse_if_open=True)
    engine = scene.Engine(call["callId"])
    engine.claim()
    assert state() == "callingCaller"
    db.database.connect(reuse_if_open=True)
    engine.answer_a()
    engine.call_b()
    assert state() == "callingCallee"
    db.database.connect(reuse_if_open=True)
    engine.answer_b(100)
    assert state() == "connected"
    assert client.delete(f"{CALLS}/{call['callId']}", headers=bearing(key)).status_code == 204
    db.database.connect(reuse_if_open=True)
    assert Callback.get().release_asked_by == "user"
    engine.end("user released", 12, 8)
    ended = client.get(f"{CALLS}/{call['callId']}", headers=bearing(key)).json
    assert (ended["status"], ended["reason"]) == ("disconnected", "hangUp")
    assert int(ended["callDuration"]) >= 0
    again = client.delete(f"{CALLS}/{call['callId']}", headers=bearing(key))
    assert (again.status_code, again.json["code"]) == (409, "CONFLICT")
    assert client.get(f"{CALLS}/{call['callId']}/recording", headers=bearing(key)).status_code == 404

    first = client.get("/api/v1/xdrs?limit=1", headers=bearing(key)).json
    second = client.get(f"/api/v1/xdrs?limit=1&after={first['next']}", headers=bearing(key)).json
    assert [row["leg"] for row in first["items"] + second["items"]] == ["B", "A"]
    assert second["next"] is None
    balance = client.get("/api/v1/account", headers=bearing(key)).json
    assert (balance["id"], balance["currency"], balance["locked"]) == ("alice", "USD", "0.00")


def test_one_idempotency_key_is_one_call(client: FlaskClient, key: str) -> None:
    said = [client.post(CALLS, json=PARTIES, headers=bearing(key, Idempotency_Key="order 1")) for _ in range(5)]
    assert {(answer.status_code, answer.json["callId"]) for answer in said} == {(201, said[0].json["callId"])}
    other = PARTIES | {"callee": {"number": "+12065550199"}}
    refused = client.post(CALLS, json=other, headers=bearing(key, Idempotency_Key="order 1"))
    assert (refused.status_code, refused.json["code"]) == (409, "CONFLICT")
    db.database.connect(reuse_if_open=True)
    assert Callback.select().count() == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "INVALID_ARGUMENT"),
        ([], 400, "INVALID_ARGUMENT"),
        (PARTIES | {"caller": 5}, 400, "INVALID_ARGUMENT"),
        (PARTIES | {"caller": {"number": "12065550123"}}, 422, "INVALID_PHONE_NUMBER"),
        (PARTIES | {"callee": {"number": "+\u0661206555012"}}, 422, "INVALID_PHONE_NUMBER"),
        (PARTIES | {"callee": PARTIES["caller"]}, 422, "SAME_CALLER_CALLEE"),
        (PARTIES | {"callee": {"number": "+19005550123"}}, 422, "CALLEE_NOT_AVAILABLE"),
        (PARTIES | {"recordingEnabled": True}, 422, "RECORDING_NOT_SUPPORTED"),
        (PARTIES | {"caller": "+12065550123"}, 400, "INVALID_ARGUMENT"),
        (PARTIES | {"unknown": 1}, 400, "INVALID_ARGUMENT"),
        (PARTIES | {"sink": "not a url"}, 400, "INVALID_ARGUMENT"),
        (PARTIES | {"sink": "http://example.com"}, 400, "INVALID_ARGUMENT"),
        (PARTIES | {"sink": "https://127.0.0.1/x"}, 400, "INVALID_ARGUMENT"),
        (PARTIES | {"sink": "https://[::ffff:10.0.0.1]/x"}, 400, "INVALID_ARGUMENT"),
        (PARTIES | {"sinkCredential": {}}, 400, "INVALID_ARGUMENT"),
        (PARTIES | {"sink": "https://example.com", "sinkCredential": {}}, 400, "INVALID_CREDENTIAL"),
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
        make_key(revoked_at=at).key: 401,
        make_key(expires_at=at - timedelta(seconds=1)).key: 401,
        make_key(networks="192.0.2.0/24").key: 403,
        make_key(scopes="account").key: 403,
        make_key(networks="127.0.0.0/8").key: 201,
    }
    for each, status in keys.items():
        answer = client.post(CALLS, json=PARTIES, headers=bearing(each))
        assert answer.status_code == status, answer.text
    assert client.post(CALLS, json=PARTIES, headers={"Authorization": f"Basic {key}"}).status_code == 401
    for _ in range(40):
        answer = client.get("/api/v1/account", headers=bearing("webcb_guess"))
    assert answer.status_code == 429
    assert client.get("/api/v1/account", headers=bearing(key)).status_code == 429, "not even with a right one"


def test_a_call_of_another_account_does_not_exist(client: FlaskClient, key: str) -> None:
    call = client.post(CALLS, json=PARTIES, headers=bearing(key)).json["callId"]
    db.database.connect(reuse_if_open=True)
    stranger = make_key("sue").key
    for method in ("GET", "DELETE"):
        answer = client.open(f"{CALLS}/{call}", method=method, headers=bearing(stranger))
        assert (answer.status_code, answer.json["code"]) == (404, "NOT_FOUND")
    db.database.connect(reuse_if_open=True)
    assert Callback.get().release_asked_at is None


def test_how_often_a_key_may_ask(client: FlaskClient, app: Flask) -> None:
    db.database.connect(reuse_if_open=True)
    key = make_key(requests_per_minute=2).key
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
    key = make_key(requests_per_minute=10_000).key
    header = nasty.encode("ascii", "ignore").decode().replace("\r\n", "").replace("\0", "") or "x"
    asked = [
        client.post(path, json=PARTIES | {field: nasty}, headers=bearing(key))
        for path in (CALLS, "/api/v1/quotes")
        for field in ("caller", "callee", "sink", "more")
    ]
    asked += [client.get(f"{CALLS}/{nasty.replace('..', '.')}", headers=bearing(key))]
    asked += [
        client.get("/api/v1/xdrs", query_string={name: nasty}, headers=bearing(key)) for name in ("limit", "after")
    ]
    asked += [client.post(CALLS, data=nasty, content_type="application/json", headers=bearing(key))]
    asked += [
        client.post(CALLS, json=PARTIES, headers=bearing(key) | {name: header})
        for name in ("Idempotency-Key", "x-correlator", "Authorization", "Content-Type")
    ]
    assert all(answer.status_code < 500 for answer in asked), [answer.status_code for answer in asked]
    assert all("<html" not in answer.text for answer in asked if answer.status_code != 308)


def test_a_caller_that_has_to_be_proven_is_proven_by_the_code_he_heard(client: FlaskClient, key: str) -> None:
    VoiceApplication.update(prove_a="always", proof_days=2).execute()
    refused = client.post(CALLS, json=PARTIES, headers=bearing(key))
    assert (refused.status_code, refused.json["code"]) == (403, "CALLER_NOT_PROVEN")
    assert "POST /api/v1/codes" in refused.json["message"]

    def heard(code: str) -> Any:
        return client.post(f"{CODES}/heard", json=PARTIES | {"code": code}, headers=bearing(key))

    def kinds() -> list[str]:
        return sorted(each.kind for each in Callback.select())

    early = heard("123456")
    assert (early.status_code, early.json["title"]) == (409, "NO_CODE")
    assert kinds() == [], "nobody's phone rings by an order or a guess"
    said = client.post(CODES, json=PARTIES | {"language": "es"}, headers=bearing(key))
    assert (said.status_code, said.json["state"]) == (202, "being said")
    assert client.post(CODES, json=PARTIES, headers=bearing(key)).json == {"state": "said before"}
    (call,) = Callback.select()
    assert (call.kind, PhoneProof.get().language) == ("code", "es")
    wrong = heard("x")
    assert (wrong.status_code, wrong.json["title"], wrong.content_type) == (
        422,
        "CODE_WRONG",
        "application/problem+json",
    )
    assert client.post(CALLS, json=PARTIES, headers=bearing(key)).status_code == 403
    right = heard(credentials.spoken_code(call.id))
    assert right.status_code == 200
    assert datetime.fromisoformat(right.json["provenUntil"]) > clock.utc_now() + timedelta(hours=47)
    assert client.post(CODES, json=PARTIES, headers=bearing(key)).json == {"state": "not needed"}
    assert client.post(CALLS, json=PARTIES, headers=bearing(key)).status_code == 201
    assert kinds() == ["code", "extended"]


def test_a_code_is_said_to_nobody_who_could_not_be_called_and_not_too_often(client: FlaskClient, key: str) -> None:
    VoiceApplication.update(prove_a="always").execute()
    dear = client.post(CODES, json=PARTIES | {"callee": {"number": "+19005550123"}}, headers=bearing(key))
    assert (dear.status_code, dear.json["title"]) == (422, "CALLEE_NOT_AVAILABLE")
    NeverCall.create(number=PARTIES["caller"]["number"][1:], asked_at=clock.utc_now())
    assert client.post(CODES, json=PARTIES, headers=bearing(key)).status_code == 422
    assert Callback.select().count() == 0
    NeverCall.delete().execute()
    for _ in range(code_call.OF_NUMBER):
        said = client.post(CODES, json=PARTIES | {"again": True}, headers=bearing(key))
        assert said.status_code == 202, said.text
        Callback.update(state="ended", ended_at=clock.utc_now(), ending="A did not answer").execute()
    refused = client.post(CODES, json=PARTIES | {"again": True}, headers=bearing(key))
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")
    for wrong in ({"language": "xx"}, {"again": "yes"}, {"language": 5}):
        assert client.post(CODES, json=PARTIES | wrong, headers=bearing(key)).status_code == 400
