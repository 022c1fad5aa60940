"""Alarms: each stands there while it holds, for who may know of it, and goes when it is mended."""

from datetime import timedelta

import pytest

from tests.web.admin.conftest import Operator, text_of
from webcb import clock
from webcb.models import Account, Callback, Connection, Job, LowBalance, Node, RefusalCount, VoiceApplication


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
