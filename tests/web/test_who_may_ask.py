"""Simple and Hosted ask for no password: networks from which they are asked for, signed links, a sum for the browser (domain 9)."""

import re
from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.test import TestResponse

from tests.web import scene
from tests.web.conftest import Server
from tests.web.hand import hidden, notice
from tests.web.test_kinds import Visitor
from webcb import clock, db
from webcb.billing import guard
from webcb.billing.guard import Guards
from webcb.models import Callback, RefusalCount, VoiceApplication
from webcb.web import challenge, links

FROM_ELSEWHERE = "Calls cannot be asked for from where you are. Ask the service provider."
NO_LINK = "This page works by the link that you were given, for a while."


def restrict(**columns: object) -> None:
    VoiceApplication.update(columns).where(VoiceApplication.path == "all").execute()


def refusals() -> dict[str, int]:
    return {row.reason: row.refusals for row in RefusalCount.select()}


def ask(client: FlaskClient, kind: str) -> tuple[int, str]:
    """Ask for a callback, the price first where there is one; the status and what is said."""
    visitor = Visitor(client, kind)
    if kind != "hosted":
        visitor.press("quote")
    answer = visitor.press("connect")
    return answer.status_code, notice(answer.text)


@pytest.mark.parametrize("kind", ["simple", "hosted"])
def test_from_which_networks_it_is_asked(client: FlaskClient, kind: str) -> None:
    restrict(allowed_networks="192.0.2.0/24, 2001:db8::/32")
    assert ask(client, kind) == (422, FROM_ELSEWHERE)
    assert Callback.select().count() == 0
    assert refusals()["source not allowed"] >= 1
    client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert ask(client, kind)[0] == 303
    assert Callback.get().requested_from == "192.0.2.7"


@pytest.mark.parametrize(
    ("source", "is_allowed"),
    [
        ("192.0.2.255", True),
        ("192.0.3.0", False),
        ("::ffff:192.0.2.1", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_a_source_is_in_a_network_or_not(source: str, is_allowed: bool) -> None:
    guards = Guards(allowed_networks="192.0.2.0/24, 2001:db8::/32")
    assert guard.is_from_allowed(guards, source) is is_allowed
    assert guard.is_from_allowed(Guards(), source)


@pytest.mark.parametrize("kind", ["simple", "hosted"])
def test_only_who_has_opened_a_good_link_may_ask(app: Flask, kind: str) -> None:
    restrict(needs_link=True)
    at = clock.utc_now()
    bad = {
        "none": "",
        "forged": "IltcImFsbFwiLDk5OTk5OTk5OTldIg.AAAA",
        "of another page": links.make("second", scene.SECRET_KEY, at + timedelta(days=1)),
        "too old": links.make("all", scene.SECRET_KEY, at - timedelta(seconds=1)),
        "of another installation": links.make("all", "another key", at + timedelta(days=1)),
    }
    for name, token in bad.items():
        client = app.test_client()
        opened = client.get("/all", query_string={"kind": kind, "link": token}).text
        assert NO_LINK in notice(opened), name
        status, said = ask(client, kind)
        assert (status, said.startswith(NO_LINK)) == (422, True), name
    assert Callback.select().count() == 0
    assert refusals()["no signed link"] >= len(bad)

    client = app.test_client()
    good = links.make("all", scene.SECRET_KEY, at + timedelta(days=1))
    assert notice(client.get("/all", query_string={"kind": kind, "link": good}).text) == ""
    assert ask(client, kind)[0] == 303
    assert Callback.select().count() == 1


def test_who_proves_with_a_password_needs_neither(client: FlaskClient) -> None:
    restrict(needs_link=True, allowed_networks="192.0.2.0/24")
    assert ask(client, "extended")[0] == 303


def test_the_price_of_simple_is_told_to_nobody_without_a_link(client: FlaskClient) -> None:
    """It would say which accounts there are."""
    restrict(needs_link=True)
    answers = [Visitor(client, "simple").press("quote", login=login) for login in ("alice", "nobody")]
    assert {(answer.status_code, notice(answer.text)) for answer in answers} == {(422, notice(answers[0].text))}
    assert notice(answers[0].text).startswith(NO_LINK)


def test_the_command_makes_a_link_that_opens_the_page(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from webcb import cli

    restrict(needs_link=True)
    data_dir = app.extensions["webcb_settings"].data_dir
    monkeypatch.setenv("WEBCB_DATA_DIR", str(data_dir))
    monkeypatch.setenv("WEBCB_DATABASE_URL", app.extensions["webcb_settings"].database)
    monkeypatch.setenv("WEBCB_SECRET_KEY", scene.SECRET_KEY)
    made = CliRunner().invoke(cli.commands, ["link", "all", "--base", "http://localhost"])
    assert made.exit_code == 0, made.output
    client = app.test_client()
    client.get(made.output.strip().removeprefix("http://localhost") + "&kind=hosted")
    assert ask(client, "hosted")[0] == 303


# The challenge ---------------------------------------------------------------------------------------------------------

BITS = 16  # with few, an answer to another sum is right now and then


def solve(page: str, bits: int = BITS) -> str:
    """What a browser finds."""
    found = re.search(r'data-challenge="(\w+)" data-bits="(\d+)"', page)
    assert found is not None
    assert int(found[2]) == bits
    return next(str(number) for number in range(10**6) if challenge.zero_bits(found[1], str(number)) >= bits)


@pytest.mark.parametrize("kind", ["simple", "hosted"])
def test_a_browser_does_a_sum_for_each_form(app: Flask, kind: str) -> None:
    restrict(challenge_bits=BITS)
    visitor = Visitor(app.test_client(), kind)
    visitor.fields["nonce"] = hidden(visitor.opened, "nonce")
    answer = solve(visitor.opened)
    for wrong in ("", "x", "-1", "9" * 21, str(int(answer) + 1)):
        refused = press(visitor, wrong)
        assert (refused.status_code, notice(refused.text)[:12]) == (422, "Your browser"), wrong
    assert refusals()["challenge not solved"] == 5
    assert press(visitor, answer).status_code == 303
    assert visitor.press("connect", answer=answer).status_code == 303, "pressed again it is the same call"
    assert Callback.select().count() == 1

    other = Visitor(app.test_client(), kind)
    assert press(other, answer).status_code == 422, "another's answer"
    other.fields["nonce"] = visitor.fields["nonce"]
    assert press(other, answer).status_code == 422, "another's form"


def press(visitor: Visitor, answer: str) -> TestResponse:
    if visitor.fields["kind"] == "simple":
        visitor.press("quote")
    return visitor.press("connect", answer=answer)


def test_a_sum_is_good_as_long_as_its_form(app: Flask) -> None:
    at = clock.utc_now()
    with app.test_request_context():
        asked = challenge.of("all", "n", at)
        answer = next(str(number) for number in range(10**6) if challenge.zero_bits(asked, str(number)) >= BITS)
        assert challenge.is_solved("all", "n", answer, BITS, at + timedelta(hours=4))
        assert not challenge.is_solved("all", "n", answer, 40, at)
        assert challenge.of("all", "n", at + timedelta(hours=1)) != asked
        assert challenge.of("second", "n", at) != asked


def test_a_real_browser_does_it(server: Server, browser: webdriver.Chrome) -> None:
    with db.database.connection_context():
        VoiceApplication.update(challenge_bits=12).where(VoiceApplication.path == "all").execute()
    browser.get(f"{server.url}/all?kind=hosted")
    browser.find_element(By.NAME, "number_a").send_keys(scene.NUMBER_A)
    browser.find_element(By.CSS_SELECTOR, "button[value=connect]").click()
    WebDriverWait(browser, 20).until(lambda driver: "/callbacks/" in driver.current_url)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
