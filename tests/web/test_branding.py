"""What an operator makes of his page, what it says when nobody can be called, and the writing of numbers as they are typed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.hand import Hand, hidden, notice
from webcb import clock
from webcb.models import Callback, Node, VoiceApplication

PNG = bytes.fromhex("89504e470d0a1a0a")


def dress(**columns: object) -> None:
    VoiceApplication.update(**columns).where(VoiceApplication.path == "-").execute()


def test_name_texts_and_colour(client: FlaskClient) -> None:
    dress(
        brand_name="Ola <Telecom>",
        headline="Talk to us. [pt] Fale conosco.",
        welcome="We are here.",
        foot_note="Help: +55 11 4004",
        color="#1e40af",
    )
    page = client.get("/?lang=pt").text
    assert "Ola &lt;Telecom&gt;" in page
    assert "Fale conosco." in page
    assert "Talk to us." not in page
    assert "We are here." in page
    assert "Help: +55 11 4004" in page
    assert '<link rel="stylesheet" href="/brand.css?color=1e40af">' in page
    sheet = client.get("/brand.css?color=1e40af")
    assert sheet.mimetype == "text/css"
    assert "--accent: #1e40af" in sheet.text
    assert sheet.headers["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in sheet.headers
    callback_id = Hand(client).connect()
    assert "Ola &lt;Telecom&gt;" in client.get(f"/callbacks/{callback_id}").text


def test_nothing_of_it_where_the_operator_wrote_none(client: FlaskClient) -> None:
    page = client.get("/").text
    assert "brand.css" not in page
    assert "brand-mark" in page
    for address in ("/brand.css", "/logo", "/second/logo", "/nowhere/logo", "/nowhere/brand.css"):
        assert client.get(address).status_code == 404


def test_a_picture_is_served_and_can_do_nothing(app: Flask, client: FlaskClient) -> None:
    folder: Path = app.extensions["webcb_settings"].data_dir / "logos"
    folder.mkdir()
    dress(logo_file="own.svg")
    assert "brand-logo" not in client.get("/").text  # not there yet
    (folder / "own.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    assert 'src="/logo?file=own.svg"' in client.get("/").text
    answer = client.get("/logo")
    assert answer.mimetype == "image/svg+xml"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    (folder / "own.svg").write_bytes(PNG * 100_000)
    assert client.get("/logo").status_code == 404


def test_closed_by_the_clock_says_when_it_opens_and_places_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand(client)
    assert hand.press("quote").status_code == 200
    dress(opening_hours="hr{9am-5pm} wd{mo-fr}", time_zone="America/Sao_Paulo")
    saturday = datetime(2026, 11, 28, 15, 0, tzinfo=UTC)
    monkeypatch.setattr(clock, "utc_now", lambda: saturday)
    page = client.get("/").text
    assert "This service is closed at the moment." in page
    assert "It opens 30 Nov 2026, 09:00 (America/Sao_Paulo)." in page
    assert 'id="order"' not in page
    assert hand.press("connect").status_code == 422
    assert Callback.select().count() == 0
    monkeypatch.setattr(clock, "utc_now", lambda: saturday + timedelta(days=2))
    assert 'id="order"' in client.get("/").text


def test_where_no_engine_is_heard_of_nothing_is_placed_in_vain(client: FlaskClient) -> None:
    hand = Hand(client)
    assert hand.press("quote").status_code == 200
    Node.update(heard_at=clock.utc_now() - timedelta(minutes=1)).execute()
    answer = hand.press("connect")
    assert answer.status_code == 503
    assert Callback.select().count() == 0
    page = client.get("/").text
    assert "Calls cannot be made for the moment." in page
    assert 'id="order"' not in page
    Node.update(heard_at=clock.utc_now()).execute()
    assert Hand(client).connect()


def test_a_callback_that_was_placed_is_found_when_the_engine_is_gone(client: FlaskClient) -> None:
    hand = Hand(client)
    callback_id = hand.connect()
    Node.update(heard_at=scene.LONG_AGO).execute()
    assert hand.press("connect").headers["Location"].endswith(callback_id)


def test_full_is_said_before_somebody_types(client: FlaskClient) -> None:
    dress(concurrent_max=1)
    callback_id = Hand(client).connect()
    page = client.get("/").text
    assert notice(page) == "All lines are busy at the moment. Try again in a few minutes."
    assert 'id="order"' in page
    scene.Engine(callback_id).end("expired", None, None)
    assert notice(client.get("/").text) == ""


@pytest.mark.parametrize(
    ("typed", "country", "text", "name"),
    [
        ("+5511999887766", "US", "+55 11 99988-7766", "Brazil"),
        ("12065550123", "US", "1 (206) 555-0123", "United States"),
        ("11999887766", "BR", "11 99988-7766", "Brazil"),
        ("+44", "US", "+44", ""),
        ("+1 (206", "US", "+1 206", "United States"),
        ("+1 416 555 0123", "US", "+1 416-555-0123", "Canada"),
        ("1-800-FLOWERS", "US", "1-800-FLOWERS", "United States"),
        ("<b>+55</b>", "US", "<b>+55</b>", ""),
        ("٠١٢", "US", "٠١٢", "United States"),
        ("", "US", "", ""),
        ("+8816", "US", "+881 6", ""),
        ("9" * 100, "US", "9" * 100, ""),
    ],
)
def test_a_number_as_it_is_typed(client: FlaskClient, typed: str, country: str, text: str, name: str) -> None:
    token = hidden(client.get("/").text, "csrf_token")
    answer = client.post("/numbers", data={"csrf_token": token, "typed": typed, "country": country})
    assert answer.json == {"text": text, "country": name}


def test_numbers_are_for_our_own_page(client: FlaskClient) -> None:
    assert client.post("/numbers", data={"typed": "1", "country": "US"}).status_code == 400
    token = hidden(client.get("/").text, "csrf_token")
    assert client.post("/numbers", data={"csrf_token": token, "typed": "1", "country": "<b>"}).status_code == 400


def test_the_country_stands_beside_the_price(client: FlaskClient) -> None:
    page = Hand(client).press("quote").text
    assert "<small>Brazil</small>" in page
    assert "<small>United States</small>" in page
