"""The contract: every route is in it, schemathesis finds nothing against the real server, and CAMARA's own client gets on with it."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.api.conftest import DIGITS, make_key
from tests.web.conftest import Server
from webcb import db
from webcb.models import Callback, VoiceApplication
from webcb.web.api import contract

CAMARA = Path(__file__).parent / "click-to-dial.yaml"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
OF_THE_ACCOUNT = {
    "createCall",
    "getCall",
    "terminateCall",
    "getRecording",
    "quote",
    "sayCode",
    "enterCode",
    "getAccount",
    "listXdrs",
}


def test_every_route_is_in_the_contract(app: Flask, client: FlaskClient) -> None:
    names = {"<call_id>": "{callId}", "<login>": "{accountId}"}
    routes = {
        (re.sub("<.*>", lambda found: names[found[0]], rule.rule.removeprefix("/api/v1")), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.endpoint != "api.description"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, methods in contract.OPENAPI["paths"].items() for method in methods}
    assert routes == described
    assert client.get("/api/v1/openapi.json").json == contract.OPENAPI


def schemathesis(server: Server, key: str, operations: set[str], examples: int) -> None:
    """Hold the operations of the contract against the server, with a key whose scopes they need."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/api/v1/openapi.json"]
    options = f"--url {server.url}/api/v1 --max-examples {examples} --seed 1 --phases examples,fuzzing --workers 1"
    chosen = [part for each in sorted(operations) for part in ("--include-operation-id", each)]
    done = subprocess.run(
        [*command, *options.split(), "--checks", CHECKS, "--header", f"Authorization: Bearer {key}", *chosen],
        capture_output=True,
        text=True,
        timeout=110 + examples * 10,
        check=False,
        cwd=server.data_dir,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"{len(operations)} selected / {len(described())} total" in done.stdout, done.stdout[-4000:]


def described() -> set[str]:
    return {each["operationId"] for methods in contract.OPENAPI["paths"].values() for each in methods.values()}


@pytest.mark.parametrize("examples", [10, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(7200)])])
def test_schemathesis_finds_nothing_against_the_real_server(server: Server, examples: int) -> None:
    with db.database.connection_context():
        VoiceApplication.update(asks_per_minute_source=None, asks_per_minute_account=None).execute()
    key = make_key(requests_per_minute=100_000).key
    schemathesis(server, key, OF_THE_ACCOUNT, examples)
    key = make_key(None, "accounts,funds,provisioning", requests_per_minute=100_000).key
    schemathesis(server, key, described() - OF_THE_ACCOUNT, examples)


@pytest.fixture
def camara(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client that openapi-python-client makes of CAMARA's contract as it stands."""
    (tmp_path / "plain.yaml").write_text("post_hooks: []\n")
    options = f"--path {CAMARA} --meta none --output-path {tmp_path}/click_to_dial --config {tmp_path}/plain.yaml"
    subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", *options.split()],
        check=True,
        capture_output=True,
        timeout=60,
    )
    monkeypatch.syspath_prepend(tmp_path)
    return lambda name: importlib.import_module(f"click_to_dial.{name}")


def test_a_client_made_of_camaras_contract_places_follows_and_ends_a_call(server: Server, camara: Any) -> None:
    models = camara("models")
    create, get, end = (camara(f"api.calls.{name}") for name in ("create_call", "get_call", "terminate_call"))
    camara_url = f"{server.url}/api/v1/click-to-dial"
    with camara("client").AuthenticatedClient(base_url=camara_url, token=make_key().key) as program:
        caller, callee = (getattr(models, name.title())(number=f"+{DIGITS[name]}") for name in ("caller", "callee"))
        wanted = models.CreateCallRequest(caller=caller, callee=callee)
        placed = create.sync_detailed(client=program, body=wanted, x_correlator="order-1")
        assert (placed.status_code, placed.headers["x-correlator"]) == (201, "order-1")
        call = placed.parsed
        assert (call.caller, call.callee, call.status) == (caller, callee, models.Status.INITIATING)
        engine = scene.Engine(call.call_id)

        def follow() -> Any:
            return get.sync(client=program, call_id=call.call_id).status

        with db.database.connection_context():
            engine.claim()
        assert follow() == models.Status.CALLINGCALLER
        with db.database.connection_context():
            engine.answer_a()
            engine.call_b()
        assert follow() == models.Status.CALLINGCALLEE
        with db.database.connection_context():
            engine.answer_b(100)
        assert follow() == models.Status.CONNECTED
        assert create.sync(client=program, body=wanted).code == "ALREADY_EXISTS"
        assert end.sync_detailed(client=program, call_id=call.call_id).status_code == 204
        with db.database.connection_context():
            assert Callback.get_by_id(call.call_id).release_asked_by == "user"
            engine.end("user released", 12, 8)
        assert follow() == models.Status.DISCONNECTED
        assert end.sync_detailed(client=program, call_id=call.call_id).status_code == 409
        missing = get.sync(client=program, call_id="nobody")
        assert (missing.status, missing.code) == (404, "NOT_FOUND")
