"""The courier with a real HTTP server: what a program is told, what proves it is ours, and what is never sent where."""

import asyncio
import json
import logging
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import yaml

from tests import postgresql
from tests.billing import rows
from tests.billing.rows import NOON
from tests.clerk import sink_server
from tests.clerk.sink_server import Program
from tests.engine import certificates
from tests.ports import free_port
from tests.waiting import wait_until
from webcb import clock, db, sinks, webhook
from webcb.billing import credentials
from webcb.clerk import courier
from webcb.clerk.courier import Courier, Outcome
from webcb.models import ApiKey, Callback, Leg, Sink, SinkEvent
from webcb.settings import Settings

KEY = "a key of the tests alone"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "the-token-of-the-order"
LOOPBACK = "127.0.0.0/8,::1/128"
CONTRACT = Path(__file__).parent.parent / "web" / "api" / "click-to-dial.yaml"


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    made = Settings(data_dir=tmp_path, secret_key=KEY, node_name="one", webhook_networks=LOOPBACK)
    opened = db.connect(made.database)
    opened.connect()
    db.migrate()
    credentials.use_key(KEY)
    yield made
    db.database.close()


@pytest.fixture
def program() -> Iterator[Program]:
    with sink_server.running() as listening:
        yield listening


def place(url: str, **columns: Any) -> str:
    """A callback that a program follows."""
    house = rows.house()
    key = ApiKey.create(
        name="program",
        key_hash="0" * 64,
        account=house.account,
        voice_application=house.application,
        scopes="calls",
        made_at=NOON,
        sealed_webhook_secret=credentials.seal(SECRET),
    )
    callback_id = rows.place(house)
    Sink.create(callback=callback_id, api_key=key, url=url, **columns)
    return callback_id


def go_through(callback_id: str, *states: str, ending: str = "B hung up") -> None:
    """Give the callback its states, as the engine writes them."""
    for number, state in enumerate(states):
        at = NOON + timedelta(seconds=number * 10)
        moments: dict[str, Any] = {"talking": {"talking_at": at}, "ended": {"ended_at": at, "ending": ending}}
        with db.writing():
            if state == "calling B":
                Leg.update(placed_at=at).where((Leg.callback == callback_id) & (Leg.name == "B")).execute()
            Callback.update(state=state, **moments.get(state, {})).where(Callback.id == callback_id).execute()


def undelivered() -> int:
    return SinkEvent.select().where(SinkEvent.delivered_at.is_null()).count()


THROUGH = ("calling A", "A answered", "calling B", "talking", "releasing", "ended")


def schema_of_events() -> Any:
    contract = yaml.safe_load(CONTRACT.read_text())
    return {"$ref": "#/components/schemas/EventCTDStatusChanged", "components": contract["components"]}


def test_a_program_is_told_every_state_as_camara_has_it(settings: Settings, program: Program, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    callback_id = place(program.url, sealed_token=credentials.seal(TOKEN), token_expires_at=NOON + timedelta(days=9000))
    working = Courier(replace(settings, public_url="https://calls.example.com"))
    working.start()
    go_through(callback_id, *THROUGH)
    wait_until(lambda: len(program.told) == 4 and not undelivered(), "all four states told")
    working.stop()

    events = {}
    for told in program.told:
        assert told.headers["content-type"] == "application/cloudevents+json"
        assert told.headers["authorization"] == f"Bearer {TOKEN}"
        assert told.headers["host"] == f"127.0.0.1:{program.port}"
        assert webhook.is_signed_by(SECRET, told.headers, told.body, clock.utc_now())
        event = json.loads(told.body)
        jsonschema_rs.Draft4Validator(schema_of_events()).validate(event)
        assert told.headers["webhook-id"] == event["id"]
        events[event["data"]["status"]["state"]] = event
    assert set(events) == {"callingCaller", "callingCallee", "connected", "disconnected"}
    assert len({event["id"] for event in events.values()}) == 4
    assert {event["source"] for event in events.values()} == {"https://calls.example.com/api/v1/click-to-dial"}
    last = events["disconnected"]["data"]
    assert last == {
        "callId": callback_id,
        "caller": "+5511999887766",
        "callee": "+12065554123",
        "status": {"state": "disconnected", "reason": "hangUp"},
        "callDuration": "20",
        "timestamp": "2026-03-02T12:00:50.000Z",
    }
    assert "reason" not in events["connected"]["data"]["status"]

    sinks.sweep(NOON + timedelta(minutes=5))
    assert Sink.get().sealed_token == "", "a token does not outlive its use"
    sinks.sweep(clock.utc_now() + timedelta(days=8))
    assert SinkEvent.select().count() == 0
    for secret in (TOKEN, SECRET, "in-the-query"):
        assert secret not in caplog.text


def test_nobody_who_did_not_ask_is_told(settings: Settings) -> None:
    go_through(rows.place(rows.house()), *THROUGH)
    assert SinkEvent.select().count() == 0


def test_what_is_not_taken_is_sent_again_and_at_last_given_up(settings: Settings, program: Program) -> None:
    program.statuses = [500, 204]
    go_through(place(program.url), "calling A")
    assert try_due(settings, NOON) == ["answered 500"]
    event = SinkEvent.get()
    assert (event.tries, event.due_at) == (1, NOON + timedelta(seconds=5))
    assert try_due(settings, NOON + timedelta(seconds=4)) == []
    assert try_due(settings, NOON + timedelta(seconds=5)) == ["answered 204"]
    assert {told.headers["webhook-id"] for told in program.told} == {program.told[0].headers["webhook-id"]}
    assert SinkEvent.get().delivered_at is not None

    program.statuses = [503]
    go_through(Callback.get().id, "ended")
    at = NOON
    for _ in range(len(webhook.BACK_OFF) + 1):
        assert try_due(settings, at) == ["answered 503"]
        at = SinkEvent.select().order_by(SinkEvent.id.desc()).get().due_at or at
    dead = SinkEvent.select().order_by(SinkEvent.id.desc()).get()
    assert (dead.due_at, dead.dead_at, dead.said) == (None, at, "answered 503")
    assert sinks.revive(SinkEvent.id == dead.id, at) == 1
    program.statuses = [200]
    assert try_due(settings, at) == ["answered 200"]


def try_due(settings: Settings, at: Any, resolve: Any = None, tls: Any = None) -> list[str]:
    """One round of the courier at this moment; what is said of each try."""
    networks = webhook.read_networks(settings.webhook_networks)

    async def all_of_them() -> list[str]:
        said = []
        async with httpx.AsyncClient(
            verify=tls or ssl.create_default_context(), trust_env=False, timeout=None
        ) as client:
            for row in sinks.due(at, 100):
                assert sinks.claim(row, at)
                assert not sinks.claim(row, at), "two couriers would send it"
                try:
                    parcel = courier.parcel_of(row, networks, at)
                except courier.Undeliverable as wrong:
                    outcome = Outcome(False, str(wrong), is_final=True)
                else:
                    outcome = await courier.deliver(client, parcel, networks, resolve or courier._resolve, at)
                sinks.note(
                    row.id, row.tries + 1, outcome.said, at, is_taken=outcome.is_taken, is_final=outcome.is_final
                )
                said.append(outcome.said)
        return said

    return asyncio.run(all_of_them())


def names(**known: list[str]) -> Any:
    """A name service that knows these names."""

    async def resolve(host: str, _port: int) -> list[str]:
        return known[host.replace(".", "_")]

    return resolve


def test_a_redirect_is_not_followed(settings: Settings, program: Program) -> None:
    with sink_server.running() as other:
        program.statuses, program.extra = [307], {"location": other.url}
        go_through(place(program.url), "calling A")
        assert try_due(settings, NOON) == ["answered 307"]
        assert other.told == []
    assert SinkEvent.get().due_at is not None


def test_who_says_that_he_is_gone_is_told_no_more(settings: Settings, program: Program) -> None:
    program.statuses = [410]
    go_through(place(program.url), "calling A")
    assert try_due(settings, NOON) == ["answered 410"]
    assert SinkEvent.get().dead_at is not None


@pytest.mark.parametrize("how", ["is_silent", "drips"])
def test_who_is_slow_is_left(settings: Settings, program: Program, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "DELIVERY_SECONDS_MAX", 0.6)
    setattr(program, how, True)
    go_through(place(program.url), "calling A")
    began = clock.monotonic()
    assert try_due(settings, NOON) == ["no answer within 1 s"]
    assert clock.monotonic() - began < 3


def test_who_says_too_much_is_left(settings: Settings, program: Program) -> None:
    program.statuses, program.content = [200], b"x" * (courier.ANSWER_BYTES_MAX + 1)
    go_through(place(program.url), "calling A")
    assert try_due(settings, NOON) == ["it answered with more than 64 KB"]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1%eth0"]
)
def test_a_name_that_leads_inside_is_not_connected_to(settings: Settings, program: Program, address: str) -> None:
    public = replace(settings, webhook_networks="")
    go_through(place(f"https://crm.example.com:{program.port}/"), "calling A")
    said = try_due(public, NOON, names(crm_example_com=[address]))
    assert said == ["its name leads to no public address"]
    assert program.told == []


def test_nothing_is_sent_any_more_to_a_network_that_is_no_longer_named(settings: Settings, program: Program) -> None:
    go_through(place(program.url), "calling A")
    assert try_due(replace(settings, webhook_networks=""), NOON) == ["not sent: this address is not a public one"]
    assert (SinkEvent.get().dead_at, program.told) == (NOON, [])


def test_a_token_that_has_expired_is_not_sent(settings: Settings, program: Program) -> None:
    go_through(place(program.url, sealed_token=credentials.seal(TOKEN), token_expires_at=NOON), "calling A")
    assert try_due(settings, NOON) == ["not sent: its access token has expired"]
    assert program.told == []


def test_nobody_there(settings: Settings) -> None:
    go_through(place(f"http://127.0.0.1:{free_port()}/"), "calling A")
    assert try_due(settings, NOON) == ["not reached: ConnectError"]


def test_the_certificate_is_judged_by_the_name_that_was_asked_for(settings: Settings, tmp_path: Path) -> None:
    authority = certificates.Authority(tmp_path, "authority")
    trusting = ssl.create_default_context(cafile=authority.file)
    said = []
    for certified in ("crm.example.com", "127.0.0.1"):
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        served.load_cert_chain(*authority.sign(certified))
        with sink_server.running(served) as program:
            event = SinkEvent.select().first()
            url = f"https://crm.example.com:{program.port}/calls"
            if event is None:
                go_through(place(url), "calling A")
            else:
                Sink.update(url=url).execute()
                SinkEvent.update(due_at=NOON, delivered_at=None).execute()
            said += try_due(settings, NOON, names(crm_example_com=["127.0.0.1"]), trusting)
            said += [told.headers["host"] for told in program.told]
    assert said == ["answered 204", f"crm.example.com:{said[1].rpartition(':')[2]}", "not reached: ConnectError"]


def test_on_postgresql_the_states_are_told_as_well(program: Program, tmp_path: Path) -> None:
    with postgresql.running() as url:
        opened = db.connect(url)
        opened.connect()
        db.migrate()
        credentials.use_key(KEY)
        made = Settings(data_dir=tmp_path, secret_key=KEY, node_name="one", database_url=url, webhook_networks=LOOPBACK)
        go_through(place(program.url), *THROUGH)
        assert try_due(made, NOON + timedelta(minutes=1)) == ["answered 204"] * 4
        states = [json.loads(told.body)["data"]["status"]["state"] for told in program.told]
        assert states == ["callingCaller", "callingCallee", "connected", "disconnected"]
        sinks.sweep(clock.utc_now() + timedelta(days=8))
        assert SinkEvent.select().count() == 0
        db.database.close()
