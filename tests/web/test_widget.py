"""The button on an operator's own site: who may have it, what it is told, and one press to the end in Chromium from another origin."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.test import TestResponse

from tests.web import scene
from tests.web.admin.test_in_browser import AXE, RUN_AXE
from tests.web.conftest import Server, dress
from webcb import db
from webcb.billing import credentials
from webcb.models import Account, Callback, Leg, Node, Tally, VoiceApplication
from webcb.web import visitor

SITE = "https://www.example.com"
WAIT_SECONDS_MAX = 15


def allow(*sites: str, payer: str | None = "alice", **more: object) -> None:
    """Let these sites have the button of /all."""
    account = Account.get(Account.login == payer) if payer else None
    own = {"widget_origins": ",".join(sites), "widget_account": account} | more
    VoiceApplication.update(**own).where(VoiceApplication.path == "all").execute()


def ask(client: FlaskClient, path: str = "calls", origin: str = SITE, **said: Any) -> TestResponse:
    return client.post(f"/widget/all/{path}", json=said, headers={"Origin": origin})


def press(client: FlaskClient, **said: Any) -> TestResponse:
    return ask(client, **{"number": scene.NUMBER_A, "mark": visitor.new_mark()} | said)


def test_the_number_alone_calls_the_operators_own_on_the_account_he_named(client: FlaskClient) -> None:
    allow(SITE)
    answer = press(client)
    assert answer.status_code == 201
    callback = Callback.get()
    assert (callback.kind, callback.account.login, callback.id) == ("simple", "alice", answer.json["id"])
    assert {leg.cld for leg in Leg.select()} == {scene.DIGITS_A, scene.DIGITS_B}
    place = f"calls/{callback.id}"
    token = answer.json["token"]
    assert ask(client, f"{place}/now", token=token).json["headline"] == "Getting ready"
    assert ask(client, f"{place}/release", token=token).status_code == 204
    assert Callback.get().release_asked_by == "user"
    for wrong in ("", "0" * 64, token[:-1], None, ["x"]):
        assert ask(client, f"{place}/now", token=wrong).status_code == 404
    assert ask(client, "calls/nobody/now", token=token).status_code == 404


def test_one_press_is_one_call_however_often_it_comes(client: FlaskClient) -> None:
    allow(SITE)
    mark = visitor.new_mark()
    answers = [press(client, mark=mark).json for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert Callback.select().count() == 1
    assert press(client, mark="x").status_code == press(client, mark=None).status_code == 400


def test_where_the_visitor_pays_he_sees_the_price_first(client: FlaskClient) -> None:
    allow(SITE, payer=None, kinds="simple")
    assert client.get("/widget/all/look", headers={"Origin": SITE}).json["asks"] == ["login", "number"]
    mark = visitor.new_mark()
    assert "account ID" in press(client, mark=mark).json["error"]
    seen = press(client, mark=mark, login="alice").json
    assert "0.10 USD a minute" in " ".join(seen["price"]).replace("\u00a0", " ")
    assert Callback.select().count() == 0
    assert press(client, mark=mark, login="alice", quoted=seen["quoted"]).status_code == 201
    assert press(client, login="nobody").json["error"].startswith("There is no account with this ID.")


def test_hosted_rings_at_once(client: FlaskClient) -> None:
    allow(SITE, payer=None)
    assert press(client).status_code == 201
    assert Callback.get().kind == "hosted"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "https://www.example.com.evil.example"])
def test_for_other_sites_there_is_nothing(client: FlaskClient, origin: str) -> None:
    allow(SITE)
    look = client.get("/widget/all/look", headers={"Origin": origin})
    assert look.status_code == 404
    answer = ask(client, origin=origin, number=scene.NUMBER_A, mark=visitor.new_mark())
    assert answer.status_code == 404
    for each in (look, answer):
        assert "Access-Control-Allow-Origin" not in each.headers
    assert Callback.select().count() == 0


def test_nothing_without_leave_and_no_password_on_other_sites(client: FlaskClient) -> None:
    assert client.get("/widget/all.js").status_code == 404
    allow(SITE, kinds="extended")
    assert client.get("/widget/all/look", headers={"Origin": SITE}).status_code == 404
    assert press(client).status_code == 404
    assert client.get("/widget/nowhere.js").status_code == 404


@pytest.mark.parametrize("wanted", [{"needs_link": True}, {"challenge_bits": 12}, {"allowed_networks": "192.0.2.0/24"}])
def test_it_is_no_way_around_what_the_page_asks_for(client: FlaskClient, wanted: dict[str, object]) -> None:
    allow(SITE, **wanted)
    assert press(client).status_code in (404, 422)
    assert Callback.select().count() == 0


def test_no_cookie_and_headers_for_one_site(client: FlaskClient) -> None:
    allow("https://other.example", SITE)
    answers = [
        client.get("/widget/all.js"),
        client.get("/widget/all/look?language=de-AT", headers={"Origin": SITE}),
        client.options("/widget/all/calls", headers={"Origin": SITE, "Access-Control-Request-Method": "POST"}),
        press(client),
    ]
    for answer in answers:
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answers[1].json["words"]["call"] == "Jetzt anrufen lassen!"
    for answer in answers[1:]:
        assert answer.headers["Access-Control-Allow-Origin"] == SITE
        assert "Origin" in answer.headers["Vary"]
    assert answers[2].headers["Access-Control-Allow-Headers"] == "Content-Type"


@pytest.mark.parametrize("number", ["", "<b>", "\0", "911", "x" * 999, "'; DROP TABLE callback; --", 7, None, {}])
def test_what_is_no_number_is_said(client: FlaskClient, number: Any) -> None:
    allow(SITE)
    answer = press(client, number=number)
    assert answer.status_code == 422
    assert answer.json["error"]
    for body in (b"", b"[]", b"{", b'"x"', b"\xff"):
        headers = {"Origin": SITE, "Content-Type": "application/json"}
        assert client.post("/widget/all/calls", data=body, headers=headers).status_code == 400


def test_closed_and_down_are_said(app: Flask, client: FlaskClient) -> None:
    allow(SITE)
    Node.update(heard_at=scene.LONG_AGO).execute()
    assert client.get("/widget/all/look", headers={"Origin": SITE}).json["state"] == "down"
    assert press(client).status_code == 503
    Node.update(heard_at=scene.FAR_AHEAD).execute()
    allow(SITE, active=False)
    assert client.get("/widget/all/look", headers={"Origin": SITE}).json["state"] == "closed"
    assert press(client).status_code == 422
    assert Callback.select().count() == 0


# Another origin --------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_site(server: Server) -> Iterator[str]:
    """An operator's own site with a strict policy of its own and the one line; its address."""
    page = f'<!doctype html><html lang="pt"><title>Shop</title><h1>Shop</h1><script src="{server.url}/widget/all.js" defer></script>'
    policy = f"default-src 'none'; script-src {server.url}; connect-src {server.url}"

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(page.encode() if self.path == "/" else b"")

        def log_message(self, *_: Any) -> None: ...

    site = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{site.server_port}"
    site.shutdown()
    site.server_close()


def inside(browser: Chrome, selector: str) -> Any:
    script = "return document.querySelector('body > div')?.shadowRoot?.querySelector(arguments[0])"
    return browser.execute_script(script, selector)


def await_inside(browser: Chrome, selector: str, text: str) -> None:
    waiting = WebDriverWait(browser, WAIT_SECONDS_MAX, 0.1)
    waiting.until(lambda _: (found := inside(browser, selector)) is not None and text in found.text, f"no {text!r}")


def barriers(browser: Chrome) -> list[str]:
    """What stands in somebody's way on the page as it is, the button's own tree with it."""
    browser.execute_script(AXE)
    found: list[str] = browser.execute_async_script(RUN_AXE, None, True)
    return found


def focused(browser: Chrome) -> Any:
    """What has the focus inside the button."""
    return browser.execute_script("return document.querySelector('body > div').shadowRoot.activeElement")


@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)])
def test_from_another_origin_to_the_end(server: Server, browser: Chrome, own_site: str, width: int, dark: bool) -> None:
    dress(browser, width=width, dark=dark, still=True)
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    allow(own_site, welcome="We are here.")
    db.database.close()
    browser.get(own_site)
    await_inside(browser, ".open", "Ligue para mim")
    assert barriers(browser) == []
    inside(browser, ".open").click()
    inside(browser, "input").send_keys("12")
    inside(browser, ".call").click()
    await_inside(browser, ".wrong", "número")
    assert barriers(browser) == []
    inside(browser, "input").clear()
    inside(browser, "input").send_keys(scene.NUMBER_A)
    inside(browser, ".call").click()
    await_inside(browser, "h2", "Preparando")
    engine = scene.Engine(Callback.get(Callback.state != "ended").id)
    engine.talk(ago=42)
    db.database.close()
    await_inside(browser, "h2", "Falando")
    assert barriers(browser) == []
    inside(browser, ".release").click()
    await_inside(browser, "h2", "Encerrando")
    engine.end("user released", 75, 61)
    db.database.close()
    await_inside(browser, "dialog", "Você encerrou a chamada")
    assert browser.execute_cdp_cmd("Network.getAllCookies", {})["cookies"] == [], "of no site"
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map(each => new URL(each.name).origin)"
    )
    assert set(asked) <= {server.url, own_site}, "nobody else is asked"
    wrong = [each["message"] for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    assert [each for each in wrong if "favicon" not in each and "422" not in each] == []


def test_a_site_that_may_not_have_it_shows_nothing(server: Server, browser: Chrome, own_site: str) -> None:
    allow(SITE)
    db.database.close()
    browser.get(own_site)
    WebDriverWait(browser, WAIT_SECONDS_MAX).until(
        lambda _: any("look" in each["message"] for each in browser.get_log("browser"))
    )
    assert browser.find_elements(By.CSS_SELECTOR, "body > div") == []


def test_a_code_by_keys_alone(server: Server, browser: Chrome, own_site: str) -> None:
    """In by the tabulator, out by Escape and back where one was; a wrong code, another call for it, the right one."""
    allow(own_site, prove_a="always")
    db.database.close()
    browser.get(own_site)
    await_inside(browser, ".open", "Ligue para mim")
    keys = browser.switch_to.active_element
    keys.send_keys(Keys.TAB)
    assert focused(browser) == inside(browser, ".open")
    focused(browser).send_keys(Keys.ENTER)
    assert inside(browser, "dialog").get_attribute("open")
    focused(browser).send_keys(Keys.ESCAPE)
    assert not inside(browser, "dialog").get_attribute("open")
    assert focused(browser) == inside(browser, ".open"), "back where one was"
    focused(browser).send_keys(Keys.ENTER)
    while focused(browser) != inside(browser, "input"):
        focused(browser).send_keys(Keys.TAB)
    focused(browser).send_keys(scene.NUMBER_A, Keys.ENTER)
    await_inside(browser, ".soft", "seis algarismos")
    assert focused(browser) == inside(browser, "#code")
    assert barriers(browser) == []
    focused(browser).send_keys("12", Keys.ENTER)
    await_inside(browser, ".wrong", "código")
    with db.database.connection_context():
        told = Callback.select().where(Callback.kind == "code").order_by(Callback.requested_at.desc()).first()
        code = credentials.spoken_code(told.id)
    inside(browser, "#code").clear()
    inside(browser, "#code").send_keys(code, Keys.ENTER)
    await_inside(browser, "h2", "Preparando")
    with db.database.connection_context():
        assert [each.kind for each in Callback.select().where(Callback.state != "ended")] == ["code", "simple"]
        for each in Callback.select().where(Callback.state != "ended"):
            scene.Engine(each.id).end("expired", None, None)
        Tally.delete().execute()
        VoiceApplication.update(prove_a="never").execute()
