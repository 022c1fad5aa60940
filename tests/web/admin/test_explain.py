"""Explain this call: the checks, the arithmetic, the messages, the money; and what may be done to a call."""

import struct
from datetime import UTC, datetime, timedelta

from tests.web import scene
from tests.web.admin.conftest import Operator, text_of
from tests.web.hand import Hand
from webcb import clock
from webcb.models import Account, Attempt, Audit, Callback, Connection, Destination, Leg, Message, Rate
from webcb.money import format_amount
from webcb.web.admin import explain

INVITE = (
    "INVITE sip:5511999887766@192.0.2.9 SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\n<b>v=0</b>"
)


def placed(operator: Operator) -> str:
    return Hand(operator.client.application.test_client()).connect()


def message(callback_id: str, position: int, text: str, *, sent: bool, leg: str = "A") -> None:
    Message.create(callback=callback_id, position=position, leg=leg, at=datetime(2026, 11, 26, tzinfo=UTC), sent=sent,
                   local_host="192.0.2.1", local_port=5060, remote_host="192.0.2.9", remote_port=5060, transport="udp",
                   octets=len(text), text=text)  # fmt: skip


def test_everything_of_a_call(admin: Operator) -> None:
    callback_id = placed(admin)
    engine = scene.Engine(callback_id)
    engine.talk(ago=61)
    engine.end("A hung up", 61, 61)
    message(callback_id, 1, INVITE, sent=True)
    message(callback_id, 2, "SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n", sent=False)
    page = admin.get(f"/admin/callbacks/{callback_id}")
    said = text_of(page)
    assert said.count(" passed") == len(explain._CHECKS)
    assert "66 s charged, rounded up to 5 decimals: 0.055 USD" in said  # 60 + 6 s at 0.05
    assert "120 s charged, rounded up to 5 decimals: 0.20 USD" in said  # 2 x 60 s at 0.10
    assert "60 s at 0.05 a minute, then every 6 s at 0.05 a minute" in said
    assert "by the longest prefix" not in said
    assert "Leg A, if B cannot be reached" in said  # CALLBACK_FAIL
    assert "INVITE sdp" in said
    assert "486 Busy Here (INVITE)" in said
    assert "<b>v=0</b>" not in page
    assert "Charged 0.255" in said
    assert "opening balance" not in said  # movements of this call only
    assert said.count("charge revenue") == 2


def test_each_attempt_has_the_vendors_price_of_its_moment(admin: Operator, support: Operator) -> None:
    callback_id = placed(admin)
    engine = scene.Engine(callback_id)
    engine.talk(ago=61)
    at, carrier = clock.utc_now(), Connection.get()
    leg = Leg.get((Leg.callback == callback_id) & (Leg.name == "A"))
    Attempt.create(leg=leg, position=1, connection=carrier, placed_at=at - timedelta(minutes=1), status=200)
    dearer = {
        "first_interval_seconds": 1,
        "next_interval_seconds": 1,
        "first_price_micros": 70_000,
        "next_price_micros": 70_000,
    }
    brazil = Destination.get(Destination.prefix == "55")
    Rate.create(tariff=carrier.tariff, destination=brazil, effective_at=at, **dearer)  # later than the attempt
    assert "Carrier 1" in text_of(admin.get(f"/admin/callbacks/{callback_id}"))
    assert " 200 0.01 USD " in text_of(admin.get(f"/admin/callbacks/{callback_id}"))
    Attempt.update(placed_at=at + timedelta(seconds=1)).execute()
    assert " 200 0.07 USD " in text_of(admin.get(f"/admin/callbacks/{callback_id}"))
    assert "0.07" not in support.get(f"/admin/callbacks/{callback_id}")


def test_the_arithmetic_is_that_of_the_limit(admin: Operator) -> None:
    callback_id = placed(admin)
    scene.Engine(callback_id).talk()
    callback = Callback.get_by_id(callback_id)
    leg_a, leg_b = callback.legs.order_by("name")
    found = explain.arithmetic(leg_a, leg_b, 1_000_000, 7200)
    assert found is not None
    # A, which has begun its first second before, 60/6 at 0.05; B 60/60 at 0.10: 366 s cost 0.305, six minutes 0.60, seven 0.70.
    assert (found.seconds, sum(found.costs)) == (360, 905_000)
    assert sum(found.costs_after) == 305_000 + 700_000
    assert format_amount(sum(found.costs_after)) == "1.005"


def test_the_check_that_failed_is_shown(admin: Operator) -> None:
    made = explain.checks("refused: no funds", False)
    results = {each.text: each.result for each in made}
    assert results["The customer is active"] == "passed"
    assert results["The funds pay the first interval of both legs"] == "failed"
    assert results["The two numbers differ"] == "not reached"


def scored(callback_id: str, **scores: str) -> None:
    for name, text in scores.items():
        Leg.update(scores=text).where((Leg.callback == callback_id) & (Leg.name == name)).execute()


def test_mos_over_time_is_a_picture_a_table_and_a_file(admin: Operator) -> None:
    callback_id = placed(admin)
    engine = scene.Engine(callback_id)
    engine.talk(ago=61)
    admin.get(f"/admin/callbacks/{callback_id}/scores.svg", 404)  # nothing was measured yet
    scored(callback_id, A="[[1795694400000000,5,[440,null,312]]]", B="[[1795694403000000,5,[440,436]]]")
    running = admin.get(f"/admin/callbacks/{callback_id}")
    assert "Noted every 10 s." in running
    engine.end("A hung up", 61, 61)
    Leg.update(codec="PCMU", received_packets=1, sent_packets=1, lost_packets=0, jitter_us=0).execute()
    page = admin.get(f"/admin/callbacks/{callback_id}")
    assert f"/admin/callbacks/{callback_id}/scores.svg" in page
    said = text_of(page)
    assert "A 2026-11-26 12:00:00 5 4.40 A 2026-11-26 12:00:05 5 — A 2026-11-26 12:00:10 5 3.12" in said
    assert "what came after" not in said
    chart = admin.client.get(f"/admin/callbacks/{callback_id}/scores.svg")
    assert chart.mimetype == "image/svg+xml"
    assert "Leg A" in chart.text and "Leg B" in chart.text
    assert "<script" not in chart.text
    lines = admin.client.get(f"/admin/callbacks/{callback_id}/scores.csv").text.splitlines()
    assert lines[0].lstrip("\ufeff") == "Leg,From,Seconds,MOS"
    assert lines[1:] == [
        "A,2026-11-26 12:00:00.000,5,4.40",
        "A,2026-11-26 12:00:05.000,5,",
        "A,2026-11-26 12:00:10.000,5,3.12",
        "B,2026-11-26 12:00:03.000,5,4.40",
        "B,2026-11-26 12:00:08.000,5,4.36",
    ]


def test_what_was_not_measured_is_said(admin: Operator) -> None:
    """One engine crashed and another went on with the call; and one that crashed had no next one in time."""
    callback_id = placed(admin)
    engine = scene.Engine(callback_id)
    engine.talk(ago=61)
    engine.end("engine stopped", 61, 61)
    scored(callback_id, A="[[1795694400000000,5,[440]],[1795694460000000,5,[430]]]")
    said = text_of(admin.get(f"/admin/callbacks/{callback_id}"))
    assert "nothing was measured from 12:00:05 to 12:01:00, until another engine carried the call on" in said
    assert "what came after 12:01:05 is not known" in said


def test_the_capture_is_for_who_sees_numbers(admin: Operator, reader: Operator) -> None:
    callback_id = placed(admin)
    message(callback_id, 1, INVITE, sent=True)
    answer = admin.client.get(f"/admin/callbacks/{callback_id}/messages.pcap")
    assert struct.unpack("<I", answer.data[:4]) == (0xA1B2C3D4,)
    assert b"INVITE sip:5511999887766" in answer.data
    reader.get(f"/admin/callbacks/{callback_id}/messages.pcap", 403)
    assert "5511999887766" not in reader.get(f"/admin/callbacks/{callback_id}")


def test_support_sees_the_call_and_no_money(admin: Operator, support: Operator) -> None:
    callback_id = placed(admin)
    engine = scene.Engine(callback_id)
    engine.talk(ago=61)
    engine.end("A hung up", 61, 61)
    said = text_of(support.get(f"/admin/callbacks/{callback_id}"))
    for word in ("0.055", "0.255", "USD", "a minute", "Funds"):
        assert word not in said.replace("The funds pay", ""), word


def test_block_and_disconnect_asks_first(admin: Operator, support: Operator, billing: Operator) -> None:
    callback_id = placed(admin)
    scene.Engine(callback_id).talk()
    address = f"/admin/callbacks/{callback_id}/block"
    assert "Block account alice?" in support.get(address)
    assert not Account.get(login="alice").blocked
    billing.post(address, 403)
    support.post(address)
    assert Account.get(login="alice").blocked
    assert Callback.get_by_id(callback_id).release_asked_by == "operator"
    made = [(row.made_by, row.action, row.subject) for row in Audit.select().order_by(Audit.id)]
    assert made[-2:] == [
        ("user:support", "block", "account alice"),
        ("user:support", "disconnect", f"callback {callback_id}"),
    ]
