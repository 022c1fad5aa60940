"""Alarms: each stands there while it holds, for who may know of it, and goes when it is mended."""

import json
from datetime import timedelta

import pytest

from tests.web.admin.conftest import Operator, text_of
from webcb import clock
from webcb.models import (
    Account,
    Audit,
    Callback,
    Connection,
    Job,
    LowBalance,
    Node,
    RefusalCount,
    Unusual,
    VoiceApplication,
)


def said(operator: Operator) -> str:
    return text_of(operator.get("/admin/alarms"))


def node_of_now() -> None:
    Node.create(name="here", heard_at=clock.utc_now())


def test_where_nothing_is_wrong_it_is_said(admin: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    node_of_now()
    monkeypatch.setattr("webcb.prompts.library.Library.unmade", lambda _: ())
    assert "Nothing is wrong" in said(admin)


def test_no_engine_a_silent_node_a_callback_that_waits(admin: Operator) -> None:
    Node.update(heard_at=None).execute()
    assert "No engine is running" in said(admin)
    node_of_now()
    at = clock.utc_now()
    Node.create(name="away", heard_at=at - timedelta(minutes=1))
    Node.create(name="gone", heard_at=at - timedelta(days=30))
    account = Account.get(Account.login == "alice")
    Callback.create(id="x" * 20, kind="extended", voice_application=VoiceApplication.get(), account=account,
                    idempotency_key="k", requested_at=at - timedelta(minutes=1))  # fmt: skip
    found = said(admin)
    assert "Node away is not heard from" in found
    assert "gone" not in found
    assert "1 callbacks wait" in found
    assert "No engine" not in found
    assert found.index("critical") < found.index("warning")


def test_connections_jobs_funds_refusals(admin: Operator, support: Operator) -> None:
    node_of_now()
    at = clock.utc_now()
    Connection.update(state="down", state_reason="no answer", state_at=at).execute()
    Job.create(
        kind="generate accounts",
        plan="{}",
        asked_at=at,
        asked_by="x",
        total=1,
        state="failed",
        ended_at=at,
        said="disk full",
    )
    alice = Account.get(Account.login == "alice")
    alice.wallet.low_balance_micros = 6_000_000
    alice.wallet.save()
    LowBalance.create(wallet=alice.wallet, at=at, funds_micros=5_000_000, threshold_micros=6_000_000)
    RefusalCount.create(hour_at=at, reason="too many tries", refusals=25)
    RefusalCount.create(hour_at=at, reason="no rate", refusals=500)
    found = said(admin)
    for each in ("Connection Carrier 1 is down: no answer", "failed: disk full", "Funds of account alice are low: 5.00 USD",
                 "Refused 25 times within an hour: too many tries"):  # fmt: skip
        assert each in found
    assert "no rate" not in found
    assert "5.00" not in said(support)
    assert "Carrier 1" not in said(support)
    Connection.update(state="up").execute()
    alice.wallet.low_balance_micros = 4_000_000
    alice.wallet.save()
    assert "Carrier 1" not in said(admin)
    assert "alice" not in said(admin)


def test_an_unusual_pattern_stands_there_until_somebody_has_looked_at_it(
    admin: Operator, support: Operator, reader: Operator
) -> None:
    node_of_now()
    at = clock.utc_now()
    facts = {"calls": 64, "answered": 61, "short": 58, "seconds": 412, "charges": {"USD": 18_300_000}, "numbers": 60,
             "accounts": 1, "sources": 2}  # fmt: skip
    found = {"at": at, "application": "Callback", "facts": json.dumps(facts), "usual": 0}
    charges = Unusual.create(
        pattern="high charges", kind="account", subject="alice", seen=18_300_000, currency="USD", **found
    )
    Unusual.create(pattern="short calls", kind="number B", subject="12065550123", seen=58, **found)
    assert "Unusual: 18.30 USD within an hour for calls of account alice" in said(admin)
    assert "58 calls within an hour that ended at once to +1 206-555-0123" in said(admin)
    assert "18.30" not in said(support)
    assert "555" not in said(reader)
    page = f"/admin/unusual/{charges.id}"
    assert "64 calls, 61 answered" in text_of(admin.get(page))
    assert "Charged 18.30 USD" in text_of(admin.get(page))
    assert "18.30" not in text_of(support.get(page)) + support.get("/admin/unusual?export=csv")
    reader.post(page, status=403)
    support.post(page)
    assert "alice" not in said(admin)
    closed = Unusual.get_by_id(charges.id)
    assert (closed.closed_by, Audit.select().where(Audit.action == "alarm closed").count()) == ("user:support", 1)
