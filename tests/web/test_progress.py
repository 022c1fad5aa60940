"""The progress page: what it shows at every state, its events, hanging up, the bill."""

import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.hand import Hand
from webcb import doorbell
from webcb.models import Account, Callback, Leg, VoiceApplication
from webcb.web import follow, progress


@pytest.fixture
def hand(client: FlaskClient) -> Hand:
    return Hand(client)


@pytest.fixture
def engine(hand: Hand) -> scene.Engine:
    """A callback just placed, and who plays its engine."""
    return scene.Engine(hand.connect())


def shown(hand: Hand, engine: scene.Engine) -> str:
    """The text of the page as it is read, without its tags."""
    page = hand.client.get(f"/callbacks/{engine.callback_id}").text
    body = re.sub(r"<[^>]+>", " ", page[page.index("<main") :])
    return re.sub(r"\s+", " ", body).replace("\u00a0", " ")


def events(hand: Hand, engine: scene.Engine) -> list[dict[str, object]]:
    with hand.client.get(f"/callbacks/{engine.callback_id}/events") as answer:
        assert answer.mimetype == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


def test_the_page_at_every_state(hand: Hand, engine: scene.Engine) -> None:
    assert "Getting ready" in shown(hand, engine)
    engine.claim()
    assert "Calling you" in shown(hand, engine)
    engine.ring_a()
    assert "Your phone is ringing" in shown(hand, engine)
    assert "Cost so far" not in shown(hand, engine)
    engine.answer_a(ago=42)
    assert "You answered" in shown(hand, engine)
    engine.call_b()
    assert "Calling the other side" in shown(hand, engine)
    engine.ring_b()
    # A has run for 43 s: the first interval, 60 s at 0.05.
    # Its next steps are of 6 s, 0.005 each: the cost is written with their decimals from the beginning.
    assert "Cost so far 0.050 USD" in shown(hand, engine)
    engine.answer_b(seconds_max=760, ago=42)
    talking = shown(hand, engine)
    assert re.search(r"0:4[23] of 12:40", talking)
    assert "Cost so far 0.150 USD" in talking
    assert "Hang up" in talking


def test_how_long_they_may_talk_keeps_to_the_limits_of_the_day(hand: Hand, engine: scene.Engine) -> None:
    engine.talk()
    by_funds = progress.look(engine.callback_id).reachable_seconds
    assert by_funds is not None
    VoiceApplication.update(daily_spend_max_a_micros=1_000_000).execute()
    of_day = progress.look(engine.callback_id).reachable_seconds
    assert of_day is not None and 0 < of_day < by_funds
    VoiceApplication.update(daily_spend_max_a_micros=None, daily_spend_max_micros=1_000_000).execute()
    assert progress.look(engine.callback_id).reachable_seconds == of_day


def test_who_waits_for_a_line_reads_how_many_are_before_them(hand: Hand, engine: scene.Engine) -> None:
    engine.claim()
    Leg.update(queue_position=4).where(Leg.callback == engine.callback_id, Leg.name == "A").execute()
    assert "Waiting for a free line, 3 before you" in shown(hand, engine)
    Leg.update(queue_position=1).where(Leg.callback == engine.callback_id, Leg.name == "A").execute()
    assert "Waiting for a free line All lines are busy." in shown(hand, engine)
    Leg.update(queue_position=None).where(Leg.callback == engine.callback_id, Leg.name == "A").execute()
    assert "Calling you" in shown(hand, engine)


def test_the_bill_of_an_ended_call(hand: Hand, engine: scene.Engine) -> None:
    engine.talk()
    # A 75 s by 60/6 at 0.05: 60 + 18 s = 0.065. B 61 s by 60/60 at 0.10: 0.20. 5.00 - 0.265 = 4.735.
    engine.end("B hung up", used_a=75, used_b=61)
    ended = shown(hand, engine)
    assert "The other side hung up." in ended
    assert "To you +55 11 99988-7766 1:15 0.065 USD" in ended
    assert "To them +1 206-555-0123 1:01 0.200 USD" in ended
    assert "Total 0.265 USD" in ended
    assert "Balance left 4.735 USD" in ended
    assert "Call again" in ended


def test_the_bill_when_b_was_busy_charges_a_by_the_special_price(hand: Hand, engine: scene.Engine) -> None:
    engine.claim()
    engine.answer_a()
    engine.call_b()
    engine.end("B busy", used_a=30, used_b=0)
    ended = shown(hand, engine)
    assert "The other side is busy" in ended
    assert "0:30 0.01 USD" in ended  # 30 s by 1/1 at 0.02
    assert "0:00 0.00 USD" in ended


def test_a_call_that_was_never_made_has_no_bill(hand: Hand, engine: scene.Engine) -> None:
    engine.end("expired", used_a=None, used_b=None)
    ended = shown(hand, engine)
    assert "Nothing was charged." in ended
    assert "Total" not in ended


def test_funds_of_a_customer_are_not_shown_to_its_subordinate_account(client: FlaskClient) -> None:
    hand = Hand(client)
    engine = scene.Engine(hand.connect(login="sue"))
    engine.talk()
    engine.end("A hung up", used_a=75, used_b=61)
    ended = shown(hand, engine)
    assert "Total 0.265 USD" in ended
    assert "Balance left" not in ended


def test_the_moment_is_shown_in_the_accounts_zone(hand: Hand, engine: scene.Engine) -> None:
    assert "(America/Sao_Paulo)" in shown(hand, engine)


def test_without_script_the_page_loads_itself_again_until_the_end(hand: Hand, engine: scene.Engine) -> None:
    address = f"/callbacks/{engine.callback_id}"
    assert '<noscript><meta http-equiv="refresh"' in hand.client.get(address).text
    engine.end("expired", None, None)
    assert "http-equiv" not in hand.client.get(address).text


def test_changes_are_announced_politely(hand: Hand, engine: scene.Engine) -> None:
    assert 'role="status" aria-live="polite"' in hand.client.get(f"/callbacks/{engine.callback_id}").text


# Events ----------------------------------------------------------------------------------------------------------------


def test_events_of_an_ended_call_say_so_and_end(hand: Hand, engine: scene.Engine) -> None:
    engine.talk()
    engine.end("A hung up", 75, 61)
    (event,) = events(hand, engine)
    assert event["is_ended"] is True
    assert event["headline"] == "Call ended"
    assert "0.265\u00a0USD" in str(event["html"])


def test_events_follow_the_rows(hand: Hand, engine: scene.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = iter(
        [engine.claim, engine.ring_a, engine.answer_a, lambda: None, lambda: engine.end("A hung up", 60, None)]
    )
    monkeypatch.setattr("webcb.web.progress._stopping.wait", lambda _: next(steps)())
    assert [event["headline"] for event in events(hand, engine)] == [
        "Getting ready",
        "Calling you",
        "Your phone is ringing",
        "You answered",
        "Call ended",
    ]


def test_when_too_many_follow_the_next_asks_for_the_view_once(app: Flask, hand: Hand, engine: scene.Engine) -> None:
    app.extensions["webcb_viewers"] = follow.Viewers(1)
    address = f"/callbacks/{engine.callback_id}"
    first = hand.client.get(f"{address}/events", buffered=False)
    full = hand.client.get(f"{address}/events")
    assert (full.status_code, full.headers["Retry-After"]) == (503, "3")
    assert hand.client.get(f"{address}/now").get_json()["headline"] == "Getting ready"
    first.close()
    with hand.client.get(f"{address}/events", buffered=False) as again:
        assert again.status_code == 200


# Hanging up ------------------------------------------------------------------------------------------------------------


def press_hang_up(hand: Hand, engine: scene.Engine) -> None:
    token = {"csrf_token": hand.fields["csrf_token"]}
    answer = hand.client.post(f"/callbacks/{engine.callback_id}/release", data=token)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/callbacks/{engine.callback_id}")


def test_hang_up_asks_the_engine(hand: Hand, engine: scene.Engine) -> None:
    engine.talk()
    press_hang_up(hand, engine)
    callback = Callback.get()
    assert callback.release_asked_by == "user"
    assert callback.release_asked_at is not None
    page = hand.client.get(f"/callbacks/{engine.callback_id}").text
    assert "Ending the call" in page
    assert re.search(r'<button class="btn btn-danger btn-lg" disabled>', page)


def test_hanging_up_what_has_ended_changes_nothing(hand: Hand, engine: scene.Engine) -> None:
    engine.end("expired", None, None)
    press_hang_up(hand, engine)
    assert Callback.get().release_asked_at is None


def test_the_doorbell_rings_for_a_new_callback_and_for_a_release(app: Flask, hand: Hand) -> None:
    bell = doorbell.listen(app.extensions["webcb_doorbell"])
    try:
        engine = scene.Engine(hand.connect())
        assert bell.recv(1) == b""
        press_hang_up(hand, engine)
        assert bell.recv(1) == b""
        hand.press("connect")  # found again, not placed: nobody need wake up
        with pytest.raises(BlockingIOError):
            bell.recv(1)
    finally:
        bell.close()


def test_a_callback_of_a_service_closed_meanwhile_is_still_followed(hand: Hand, engine: scene.Engine) -> None:
    VoiceApplication.update(active=False).execute()
    Account.update(blocked=True).execute()
    assert "Getting ready" in shown(hand, engine)
