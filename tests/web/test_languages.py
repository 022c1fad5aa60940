"""The languages of the pages: how one is chosen, that every catalogue is complete, and what a page says in each."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale

import webcb
from tests.web import scene
from tests.web.hand import Hand, error
from tests.web.test_selfcare import log_in, post
from webcb.billing.authorization import Reason, Refusal
from webcb.web import endings, languages, printing, refusals
from webcb.web.sight import LegSight, Sight

PACKAGE = Path(webcb.__file__).parent
TRANSLATED = [code for code in languages.NAMES if code != "en"]
KEYWORDS = dict.fromkeys(("_", "gettext", "lazy_gettext", "marked", "NumberError")) | {"ngettext": (1, 2)}
MAPPING = [("number.py", "python"), ("web/*.py", "python"), ("web/templates/admin/**.html", "ignore")]


@cache
def texts() -> frozenset[str | tuple[str, ...]]:
    """Every text the pages can say, as the sources have it."""
    return frozenset(_gathered())


def _gathered() -> Iterator[str | tuple[str, ...]]:
    mapping = [*MAPPING, ("web/templates/**.html", "jinja2")]
    for name, _, said, _, _ in extract_from_dir(PACKAGE, mapping, keywords=KEYWORDS):
        if not name.startswith("web/templates/admin"):
            yield said


def catalogue(code: str) -> Catalog:
    with (languages.CATALOGUES / f"{code}.po").open("rb") as written:
        return read_po(written, locale=code)


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%\((\w+)\)[sd]|%%", text))


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_text_is_translated_with_its_placeholders(code: str) -> None:
    found = catalogue(code)
    wanted = texts()
    assert len(wanted) > 150
    assert {message.id for message in found if message.id} == wanted, "`make translations`, and translate what is new"
    assert not [message.id for message in found if message.fuzzy and message.id]
    for said in wanted:
        message = found.get(said if isinstance(said, str) else said[0])
        answers = [message.string] if isinstance(said, str) else list(message.string)
        assert len(answers) == (1 if isinstance(said, str) else found.num_plurals)
        for answer in answers:
            assert answer.strip(), said
            assert placeholders(answer) == placeholders(said if isinstance(said, str) else said[1]), said


def test_nothing_but_texts_is_formatted() -> None:
    # Another way of writing a placeholder would be said as it stands.
    assert not [said for said in texts() for _, name, _, _ in Formatter().parse(str(said)) if name]


@pytest.mark.parametrize(
    ("accepted", "code", "direction"),
    [
        ("de-CH,de;q=0.9,en;q=0.5", "de", "ltr"),
        ("ar-EG", "ar", "rtl"),
        ("pt-BR", "pt", "ltr"),
        ("nl,fr;q=0.3", "fr", "ltr"),
        ("nl", "en", "ltr"),
        ("", "en", "ltr"),
        ("*", "en", "ltr"),
        ("\x01;q=x, ,,", "en", "ltr"),
    ],
)
def test_the_browser_chooses(client: FlaskClient, accepted: str, code: str, direction: str) -> None:
    page = client.get("/", headers={"Accept-Language": accepted}).text
    assert f'<html lang="{code}" dir="{direction}">' in page


def test_who_chooses_by_hand_keeps_it(client: FlaskClient) -> None:
    german = {"Accept-Language": "de"}
    assert '<html lang="ru"' in client.get("/?lang=ru", headers=german).text
    assert '<html lang="ru"' in client.get("/second", headers=german).text
    assert '<html lang="ru"' in client.get("/nowhere", headers=german).text
    for nonsense in ("xx", "../de", "<b>", "", "EN"):
        assert '<html lang="ru"' in client.get("/", query_string={"lang": nonsense}, headers=german).text
    assert '<html lang="en"' in client.get("/?lang=en", headers=german).text


def test_the_same_page_in_another_language(client: FlaskClient) -> None:
    """Kind and filter stay; a page that only a form leads to is left for the one with the form."""
    page = client.get("/all?kind=simple&link=secret&x=<b>").text
    assert 'href="?kind=simple&amp;lang=de"' in page
    hand = Hand(client, "/all?kind=hosted")
    refused = hand.client.post("/all", data=hand.fields | {"kind": "hosted", "number_a": "12", "step": "connect"})
    assert refused.status_code == 422
    assert 'href="?kind=hosted&amp;lang=de"' in refused.text
    log_in(client)
    assert 'href="?since=2026-01-01&amp;lang=de"' in client.get("/selfcare/calls?since=2026-01-01").text
    wrong = post(client, "/selfcare/top-up", "/selfcare/", code="12")
    assert wrong.status_code == 422
    assert 'href="/selfcare/?lang=de"' in wrong.text


def test_the_admin_site_is_english(client: FlaskClient) -> None:
    page = client.get("/admin/?lang=de", headers={"Accept-Language": "de"}, follow_redirects=True).text
    assert '<html lang="en"' in page
    assert '<html lang="en"' in client.get("/").text


@pytest.mark.parametrize("code", TRANSLATED)
def test_what_is_said_about_an_order_is_in_the_visitors_language(client: FlaskClient, code: str) -> None:
    client.get(f"/?lang={code}")
    english = {
        "login": "Enter your account ID.",
        "password": "Enter your password.",
        "number_a": "Enter the number of the phone you are at.",
        "number_b": "This is not a telephone number. Write it like %(example)s.",
    }
    answer = Hand(client).press("quote", login="", password="", number_a="", number_b="abc")
    for name, said in english.items():
        told = catalogue(code).get(said).string.replace("%(example)s", "+55 11 2345-6789")
        assert error(answer.text, name).replace("\u2066", "").replace("\u2069", "") == told
    refused = client.post("/quote", data=Hand(client).fields | {"password": "wrong"})
    assert refused.json == {"errors": {"password": catalogue(code).get(refusal_text()).string}}


def refusal_text() -> str:
    return refusals.words(Refusal(Reason.WRONG_CREDENTIALS)).text


def test_a_call_in_german(client: FlaskClient) -> None:
    client.get("/?lang=de")
    hand = Hand(client)
    quoted = hand.press("quote").text.replace("\u00a0", " ")
    assert "0,05 USD pro Minute" in quoted
    assert "abgerechnet in Schritten von 6 Sek. nach den ersten 60 Sek." in quoted
    assert "kostet der Anruf zu Ihnen 0,02 USD pro Minute" in quoted
    callback_id = hand.press("connect").headers["Location"].rsplit("/", 1)[1]
    engine = scene.Engine(callback_id)
    engine.talk(ago=42)
    now = client.get(f"/callbacks/{callback_id}/now").json
    assert now is not None
    assert now["headline"] == "Im Gespräch"
    assert "0,150" in now["html"]
    engine.end("B hung up", 75, 61)
    page = client.get(f"/callbacks/{callback_id}").text
    assert "Die andere Seite hat aufgelegt." in page
    assert "0,265" in page


@pytest.mark.parametrize(
    ("code", "amount", "moment"),
    [
        ("en", "1,234.565 USD", "22 Nov 2026, 09:05 (America/Sao_Paulo)"),
        ("de", "1.234,565 USD", "22. Nov. 2026, 09:05 (America/Sao_Paulo)"),
        ("pt", "1.234,565 USD", "22 de nov. de 2026, 09:05 (America/Sao_Paulo)"),
        ("ru", "1 234,565 USD", "22 нояб. 2026, 09:05 (America/Sao_Paulo)"),
        ("fr", "1 234,565 USD", "22 nov. 2026, 09:05 (America/Sao_Paulo)"),
    ],
)
def test_amounts_and_instants(app: Flask, code: str, amount: str, moment: str) -> None:
    with app.test_request_context(), force_locale(code):
        written = printing.money(1_234_565_000, "USD").replace("\u00a0", " ").replace("\u202f", " ")
        assert written == amount
        assert printing.local_time(datetime(2026, 11, 22, 12, 5, tzinfo=UTC), "America/Sao_Paulo") == moment


@pytest.mark.parametrize(("before", "word"), [(1, "человек"), (2, "человека"), (5, "человек"), (21, "человек")])
def test_russian_counts_by_its_own_rules(app: Flask, before: int, word: str) -> None:
    waiting = LegSight("A", "1", "waiting", queue_position=before + 1)
    sight = Sight("calling A", waiting, LegSight("B", "2", "waiting"), "USD")
    with app.test_request_context(), force_locale("ru"):
        assert sight.headline == f"Ожидание свободной линии, перед вами {before} {word}"


@pytest.mark.parametrize("code", TRANSLATED)
def test_endings_and_refusals_are_said(app: Flask, code: str) -> None:
    with app.test_request_context(), force_locale(code):
        told = endings.words("A busy")
        assert told.detail.endswith(catalogue(code).get("Nothing was charged.").string)
        for reason in Reason:
            refusal = Refusal(reason, needed_micros=250_000, currency="USD")
            assert refusals.words(refusal).text not in texts()
