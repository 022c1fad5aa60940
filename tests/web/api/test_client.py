"""The Python client and the examples of the handbook, against the real server."""

import os
import re
import subprocess
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.web import scene
from tests.web.api.conftest import DIGITS, make_key
from tests.web.conftest import Server
from webcb import clock, db, webhook
from webcb.billing import credentials
from webcb.client import ApiProblem, Client, is_ours
from webcb.models import Account, Callback, Ledger, OwnNumber, VoiceApplication

HANDBOOK = Path(__file__).parent.parent.parent.parent / "docs" / "integrators.md"
CALLER, CALLEE = f"+{DIGITS['caller']}", f"+{DIGITS['callee']}"


def account_key() -> str:
    return make_key("alice", requests_per_minute=10_000).key


def operator_key() -> str:
    return make_key(None, "accounts,funds,provisioning", requests_per_minute=10_000).key


def engine_ends(call_id: str) -> None:
    """The engine puts the call through, and B hangs up."""
    with db.database.connection_context():
        engine = scene.Engine(call_id)
        engine.talk(100, ago=9)
        engine.end("B hung up", 12, 8)


def test_a_program_places_follows_and_ends_calls(server: Server) -> None:
    with Client(server.url, account_key()) as webcb:
        call = webcb.place(CALLER, CALLEE, order="4711")
        assert (call.caller, call.callee, call.status, call.is_over) == (CALLER, CALLEE, "initiating", False)
        assert webcb.place(CALLER, CALLEE, order="4711") == call
        ended = threading.Timer(0.3, engine_ends, [call.id])
        ended.start()
        followed = list(webcb.follow(call.id, every_seconds=0.05))
        assert followed[0].status == "initiating"
        assert (followed[-1].status, followed[-1].reason) == ("disconnected", "hangUp")
        assert followed[-1].duration_seconds == 9
        ended.join()
        webcb.hang_up(call.id)

        with db.database.connection_context():
            funds = Account.get(login="alice").wallet.balance_micros
        own = webcb.account()
        assert (own.id, own.balance, own.locked) == ("alice", Decimal(funds) / 10**6, 0)
        xdrs = list(webcb.xdrs())
        assert [(xdr.leg, xdr.call_id) for xdr in xdrs[:2]] == [("B", call.id), ("A", call.id)]
        assert webcb.quote(CALLER, CALLEE).callee_per_minute == Decimal("0.10")

        with pytest.raises(ApiProblem) as wrong:
            webcb.place(CALLER, CALLER)
        assert (wrong.value.status, wrong.value.code) == (422, "SAME_CALLER_CALLEE")
        with pytest.raises(ApiProblem, match="NOT_FOUND"):
            webcb.call("../account")


def test_the_operators_systems(server: Server) -> None:
    with Client(server.url, operator_key()) as webcb:
        accounts = {each.id: each for each in webcb.accounts()}
        assert (accounts["alice"].customer, accounts["alice"].state) == ("Easy Call", "active")
        assert (accounts["bob"].state, accounts["sue"].credit_limit) == ("blocked", Decimal(3))
        assert {each.id for each in webcb.accounts(customer="Bad Debts")} == {"dora"}
        before = webcb.account_of("nina").balance
        for _ in range(2):  # one order is one payment
            paid = webcb.change_funds("nina", "payment", Decimal("10.50"), note="invoice 4711", order="4711")
        assert paid.balance == before + Decimal("10.50")
        with pytest.raises(ApiProblem, match="CONFLICT"):
            webcb.change_funds("nina", "payment", Decimal(11), order="4711")
        for turn in range(2):
            webcb.change_funds("nina", "payment", Decimal(400_000_000), order=f"much {turn}")
        with pytest.raises(
            ApiProblem, match="422 UNPROCESSABLE: The amount is not taken: no balance is beyond 1,000,000,000"
        ):
            webcb.change_funds("nina", "payment", Decimal(400_000_000))
        for turn in range(2):
            webcb.change_funds("nina", "manual charge", Decimal(400_000_000), order=f"back {turn}")
        charged = webcb.change_funds("nina", "manual charge", Decimal("0.50"))
        assert charged.balance == before + 10
        with db.database.connection_context():
            row = Ledger.select().where(Ledger.note == "invoice 4711").get()
            assert (row.kind, row.amount_micros, row.made_by[:4]) == ("payment", 10_500_000, "key:")
        assert list(webcb.xdrs_of("nina")) == []

        exported = yaml.safe_load(webcb.export())
        assert {"tariffs", "accounts", "voice_applications"} <= set(exported)
        assert webcb.apply(webcb.export(), dry_run=True).changes == ()
        file = "own_numbers: [{digits: '12065550100', description: main}]"
        assert webcb.apply(file, dry_run=True).changes == webcb.apply(file).changes
        assert webcb.apply(file).changes == ()
        with db.database.connection_context():
            assert OwnNumber.get(digits="12065550100").description == "main"
        with pytest.raises(ApiProblem) as wrong:
            webcb.apply("own_numbers: [{digits: 'x'}]\naccounts: 5")
        assert wrong.value.status == 422
        assert [each["line"] for each in wrong.value.details] == [1, 2]
        with pytest.raises(ApiProblem, match="PERMISSION_DENIED"):
            webcb.account()


def test_a_program_has_a_code_said_and_hands_it_in(server: Server) -> None:
    with db.database.connection_context():
        VoiceApplication.update(prove_a="always").execute()
    with Client(server.url, account_key()) as webcb:
        assert webcb.say_code("+12065554321", CALLEE, language="de")
        with pytest.raises(ApiProblem, match="422 CODE_WRONG"):
            webcb.enter_code("+12065554321", CALLEE, "x")
        with db.database.connection_context():
            told = Callback.select().where(Callback.kind == "code").order_by(Callback.requested_at.desc()).first()
            code = credentials.spoken_code(told.id)
            scene.Engine(told.id).end("expired", None, None)
        assert webcb.enter_code("+12065554321", CALLEE, f" {code[:3]} {code[3:]}") > clock.utc_now()
        with db.database.connection_context():
            VoiceApplication.update(prove_a="never").execute()
        assert not webcb.say_code("+12065554321", CALLEE)


def test_what_fails_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Idempotency-Key"])
        if len(asked) == 1:
            raise httpx.ReadError("lost")
        if len(asked) == 2:
            return httpx.Response(503, headers={"Retry-After": "0"})
        return httpx.Response(429, json={"code": "TOO_MANY_REQUESTS", "message": "Wait."})

    monkeypatch.setattr("webcb.client._wait", lambda _: None)
    with Client("https://calls.example.com", "key") as webcb:
        webcb._http = httpx.Client(base_url="https://calls.example.com", transport=httpx.MockTransport(answer))
        with pytest.raises(ApiProblem, match="429 TOO_MANY_REQUESTS: Wait"):
            webcb.place(CALLER, CALLEE)
    assert len(asked) == 3
    assert len(set(asked)) == 1, "asked again under another name, it would be another call"


def test_a_program_knows_what_is_ours() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = clock.utc_now()
    headers = {"webhook-id": "1", "webhook-timestamp": str(int(at.timestamp()))}
    headers["webhook-signature"] = webhook.signature(secret, "1", at, b"{}")
    assert is_ours(secret, headers, b"{}")
    assert not is_ours(secret, headers, b"{}x")


def test_the_examples_of_the_handbook_do_what_they_say(server: Server) -> None:
    """Every curl of the page, in its order, as it is printed there."""
    with db.database.connection_context():
        Callback.update(state="ended", ended_at=clock.utc_now(), ending="A busy").where(
            Callback.state != "ended"
        ).execute()
        Account.update(login="cb1001").where(Account.login == "iris").execute()
    examples = re.findall(r"(?m)^    curl .*(?:\n     .*)*", HANDBOOK.read_text())
    assert len(examples) >= 12
    known = {"WEBCB": server.url, "KEY": account_key(), "OPERATOR": operator_key(), "CALL": ""}
    own = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    for example in examples:
        with db.database.connection_context():
            VoiceApplication.update(prove_a="always" if "/codes" in example else "never").execute()
            told = Callback.select().where(Callback.kind == "code").order_by(Callback.requested_at.desc()).first()
        example = example.replace("123456", credentials.spoken_code(told.id) if told else "")
        command = example.replace("curl ", "curl -sS --fail-with-body -w '\n%{http_code}' ", 1)
        done = subprocess.run(
            ["bash", "-c", command], env=own | known, capture_output=True, text=True, timeout=60, check=False
        )
        body, _, status = done.stdout.rpartition("\n")
        assert done.returncode == 0, (example, done.stdout, done.stderr)
        assert status in ("200", "201", "202", "204"), (example, done.stdout)
        found = re.search(r'"callId":\s*"(\w+)"', body)
        known["CALL"] = found[1] if found and "xdrs" not in example else known["CALL"]
