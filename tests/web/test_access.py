"""Who may do what on the pages: guards, forged posts, strangers, redirects, cookies, headers."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.hand import Hand, hidden, notice, value
from webcb.models import Callback
from webcb.web import access, create_app

GUARDS = {
    "branding.logo": "public",
    "branding.style": "public",
    "health.healthz": "public",
    "health.metrics": "watchers",
    "health.readyz": "public",
    "api.description": "public",
    "api.create_call": "API key: calls",
    "api.say_code": "API key: calls",
    "api.enter_code": "API key: calls",
    "api.get_call": "API key: calls",
    "api.terminate_call": "API key: calls",
    "api.get_recording": "API key: calls",
    "api.quote": "API key: account",
    "api.account": "API key: account",
    "api.xdrs": "API key: account",
    "api.accounts": "API key: accounts",
    "api.account_of": "API key: accounts",
    "api.xdrs_of": "API key: accounts",
    "api.change_funds": "API key: funds",
    "api.exported": "API key: provisioning",
    "api.applied": "API key: provisioning",
    "widget.script": "public",
    "widget.look": "public",
    "widget.call": "public",
    "widget.now": "public",
    "widget.release": "public",
    "trigger.page": "public",
    "trigger.order": "public",
    "trigger.quote": "public",
    "trigger.number": "public",
    "selfcare.sign_in": "public",
    "selfcare.sign_out": "public",
    "selfcare.forgotten": "public",
    "selfcare.recover": "public",
    "selfcare.payment_notice": "public",
    "selfcare.home": "owner",
    "selfcare.live": "owner",
    "selfcare.top_up": "owner: top-up",
    "selfcare.pay": "owner: top-up",
    "selfcare.paid": "owner: top-up",
    "selfcare.test_payment": "owner: top-up",
    "selfcare.calls": "owner: calls",
    "selfcare.call": "owner: calls",
    "selfcare.own_call": "owner: call",
    "selfcare.numbers": "owner: numbers",
    "selfcare.forget_number": "owner: numbers",
    "selfcare.release": "logged in",
    "selfcare.settings": "logged in",
    "selfcare.password": "logged in",
    "selfcare.end_session": "logged in",
    "selfcare.statements": "logged in",
    "selfcare.company": "customer",
    "selfcare.company_block": "customer",
    "selfcare.company_calls": "customer",
    "progress.page": "placed here",
    "progress.events": "placed here",
    "progress.now": "placed here",
    "progress.release": "placed here",
}


def test_every_route_names_its_guard(app: Flask) -> None:
    named = {rule.endpoint: app.view_functions[rule.endpoint] for rule in app.url_map.iter_rules()}
    assert {
        endpoint: getattr(view, "guard", None)
        for endpoint, view in named.items()
        if endpoint not in access.STATIC_ENDPOINTS
        and not endpoint.startswith(("admin.", "sign_in."))  # admin/test_roles.py
    } == GUARDS


def test_a_route_without_a_guard_is_found(app: Flask) -> None:
    app.view_functions["forgotten"] = lambda: "everybody's"
    assert access.unguarded_endpoints(app) == ["forgotten"]
    with pytest.raises(AssertionError, match="forgotten"):
        access.require_guards(app)


OF_A_CALLBACK = [("GET", ""), ("GET", "/events"), ("GET", "/now"), ("POST", "/release")]


@pytest.mark.parametrize(("method", "part"), OF_A_CALLBACK)
def test_a_callback_is_seen_by_who_placed_it_and_does_not_exist_for_others(app: Flask, method: str, part: str) -> None:
    hand = Hand(app.test_client())
    address = f"/callbacks/{hand.connect()}{part}"
    token = {"csrf_token": hand.fields["csrf_token"]}
    assert hand.client.open(address, method=method, data=token, buffered=False).status_code in (200, 303)

    stranger = Hand(app.test_client())
    for visitor in (stranger.client, app.test_client()):
        answer = visitor.open(address, method=method, data={"csrf_token": stranger.fields["csrf_token"]})
        assert answer.status_code in ((404,) if visitor is stranger.client else (404, 400))
        assert scene.DIGITS_B not in answer.text
    assert Callback.get().release_asked_at is None or method == "POST"


@pytest.mark.parametrize("callback_id", ["0" * 20, "x", "..", "%00", "'", "é" * 20])
def test_a_callback_that_is_none(client: FlaskClient, callback_id: str) -> None:
    Hand(client)
    assert client.get(f"/callbacks/{callback_id}").status_code == 404


# Forged posts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "forged", "IjEi.aaaaaa.bbbbbb"])
@pytest.mark.parametrize("address", ["/", "/quote", "/second", "/callbacks/{id}/release"])
def test_a_post_without_our_token_does_nothing(client: FlaskClient, token: str, address: str) -> None:
    hand = Hand(client)
    callback_id = hand.connect()
    fields = hand.fields | {"csrf_token": token, "number_b": "+1 206 555 0199", "step": "connect"}
    answer = client.post(address.format(id=callback_id), data=fields, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 400
    assert "This page has become too old" in answer.text
    assert "0199" not in answer.text
    assert Callback.select().count() == 1
    assert Callback.get().release_asked_at is None


def test_anothers_token_is_not_ours(app: Flask) -> None:
    hand, other = Hand(app.test_client()), Hand(app.test_client())
    hand.fields["csrf_token"] = other.fields["csrf_token"]
    assert hand.client.post("/", data=hand.fields).status_code == 400


def test_our_own_form_that_was_open_too_long_comes_back_as_it_was_typed(client: FlaskClient) -> None:
    hand = Hand(client)
    hand.fields |= {"csrf_token": "IjEi.aaaaaa.bbbbbb", "number_b": "+1 206 555 0199", "step": "connect"}
    answer = client.post("/", data=hand.fields, headers={"Origin": "http://localhost"})
    assert answer.status_code == 400
    assert notice(answer.text).startswith("This page was open for too long")
    assert value(answer.text, "number_b") == "+1 206 555 0199"
    assert value(answer.text, "password") == ""
    assert scene.PASSWORD not in answer.text


# Redirects, cookies, headers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_no_parameter_leads_to_a_foreign_place(client: FlaskClient, target: str) -> None:
    hand = Hand(client)
    hand.press("quote")
    query = f"?next={target}&path={target}&again={target}"
    answer = client.post(f"/{query}", data=hand.fields | {"step": "connect", "next": target, "path": target})
    assert re.fullmatch(r"/callbacks/[0-9a-f]{20}", answer.headers["Location"])


def test_the_hosts_name_is_not_in_a_redirect(client: FlaskClient) -> None:
    hand = Hand(client)
    hand.press("quote")
    answer = client.post("/", data=hand.fields | {"step": "connect"}, headers={"Host": "evil.example"})
    assert answer.headers.get("Location", "/").startswith("/")
    assert "evil" not in str(answer.headers)


def test_the_session_cookie(client: FlaskClient) -> None:
    cookie = client.get("/").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


@pytest.mark.parametrize(("proxies", "is_secure"), [(0, False), (1, True)])
def test_behind_tls_the_cookie_is_secure_and_only_trusted_proxies_are_believed(
    app: Flask, proxies: int, is_secure: bool
) -> None:
    data_dir = app.extensions["webcb_doorbell"].parent
    client = create_app(scene.settings(data_dir, trusted_proxies=proxies)).test_client()
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    answer = client.get("/", headers=headers)
    assert ("Secure" in answer.headers["Set-Cookie"]) is is_secure
    assert ("Strict-Transport-Security" in answer.headers) is is_secure


@pytest.mark.parametrize(("referrer", "status"), [("https://call.example/", 303), ("https://evil.example/", 400)])
def test_an_order_through_a_proxy_that_ends_tls(app: Flask, referrer: str, status: int) -> None:
    data_dir = app.extensions["webcb_doorbell"].parent
    client = create_app(scene.settings(data_dir, trusted_proxies=1)).test_client()
    client.environ_base |= {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "call.example"}
    headers = {"Referer": "https://call.example/"}
    opened = client.get("/").text
    fields = Hand(client).fields | {"csrf_token": hidden(opened, "csrf_token"), "step": "connect"}
    quoted = client.post("/", data=fields, headers=headers).text
    answer = client.post("/", data=fields | {"quoted": hidden(quoted, "quoted")}, headers={"Referer": referrer})
    assert answer.status_code == status


@pytest.mark.parametrize(("proxies", "source"), [(0, "127.0.0.1"), (1, "192.0.2.7")])
def test_the_source_of_a_callback_is_the_clients_address(app: Flask, proxies: int, source: str) -> None:
    data_dir = app.extensions["webcb_doorbell"].parent
    client = create_app(scene.settings(data_dir, trusted_proxies=proxies)).test_client()
    client.environ_base["HTTP_X_FORWARDED_FOR"] = "198.51.100.1, 192.0.2.7"
    Hand(client).connect()
    assert Callback.get().requested_from == source


@pytest.mark.parametrize("address", ["/", "/nowhere", "/healthz", "/static/webcb.css", "/quote", "/callbacks/x"])
def test_every_answer_carries_the_security_headers(client: FlaskClient, address: str) -> None:
    with client.get(address) as answer:
        headers = answer.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_are_kept_by_nobody_and_files_may_be(client: FlaskClient) -> None:
    assert client.get("/").headers["Cache-Control"] == "no-store"
    with client.get("/static/webcb.css") as answer:
        assert answer.headers["Cache-Control"] != "no-store"


@pytest.mark.parametrize("address", ["/", "/second", "/closed", "/nowhere"])
def test_no_page_needs_inline_code_or_a_foreign_host(client: FlaskClient, address: str) -> None:
    page = client.get(address).text
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|https?://", page)


def test_bootstrap_comes_from_here(client: FlaskClient) -> None:
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', client.get("/").text)
    assert len(sheets) == 2
    for sheet in sheets:
        with client.get(sheet) as answer:
            assert answer.status_code == 200
