"""Signing in: passwords, the second factor, throttling, sessions that end, where one comes back to."""

import re
from datetime import timedelta

import pyotp
import pytest
from flask import Flask

from tests.web.admin.conftest import PASSWORD, Operator, enter, signed_in, text_of
from webcb import clock
from webcb.models import Audit, SignIn, User, UserSession


def test_a_wrong_password_and_an_unknown_login_are_told_the_same(users: Flask) -> None:
    said = []
    for login in ("administrator", "nobody"):
        answer = enter(users.test_client(), login, "wrong")
        assert answer.status_code == 422
        said.append(re.sub(login, "", text_of(answer.text)))
    assert said[0] == said[1]
    assert "Login or password is wrong." in said[0]


def test_after_five_failures_the_right_password_has_to_wait(users: Flask) -> None:
    for _ in range(5):
        enter(users.test_client(), "administrator", "wrong")
    answer = enter(users.test_client(), "administrator")
    assert answer.status_code == 422
    assert "Too many tries failed. Wait 15 minutes" in answer.text
    assert enter(users.test_client(), "billing").status_code == 303  # another login is not held up
    SignIn.update(at=clock.utc_now() - timedelta(minutes=16)).execute()
    assert enter(users.test_client(), "administrator").status_code == 303


def test_a_source_that_tries_many_logins_has_to_wait(users: Flask) -> None:
    for number in range(20):
        SignIn.create(at=clock.utc_now(), login=f"x{number}", source="127.0.0.1", failed=True)
    assert "Too many tries failed" in enter(users.test_client(), "administrator").text


def test_a_blocked_operator_does_not_come_in_and_is_put_out(users: Flask) -> None:
    operator = signed_in(users, "support")
    User.update(blocked=True).where(User.login == "support").execute()
    assert operator.client.get("/admin/").status_code == 403
    assert enter(users.test_client(), "support").status_code == 422


def test_one_comes_back_to_the_page_that_was_asked_for_and_nowhere_else(users: Flask) -> None:
    client = users.test_client()
    asked = client.get("/admin/accounts?q=cb")
    assert asked.status_code == 403
    assert 'name="wanted" value="/admin/accounts?q=cb"' in asked.text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', asked.text)
    assert token is not None
    for wanted, goes in (
        ("/admin/accounts?q=cb", "/admin/accounts?q=cb"),
        ("https://evil.example/admin", "/admin/"),
        ("//evil.example", "/admin/"),
        ("/admin\\@evil.example", "/admin/"),
    ):
        fields = {"csrf_token": token[1], "login": "billing", "password": PASSWORD, "wanted": wanted}
        fresh = users.test_client()
        page = fresh.get("/admin/sign-in").text
        fields["csrf_token"] = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]  # type: ignore[index]
        assert fresh.post("/admin/sign-in", data=fields).headers["Location"] == goes


def test_the_session_changes_at_sign_in_and_ends_at_sign_out(users: Flask) -> None:
    client = users.test_client()
    enter(client, "administrator")
    first = client.get_cookie("webcb")
    operator = Operator(client, "administrator")
    operator.post("/admin/sign-out")
    assert client.get("/admin/").status_code == 403
    client.set_cookie("webcb", first.value)  # type: ignore[union-attr]
    assert client.get("/admin/").status_code == 403  # the old cookie opens nothing any more


@pytest.mark.parametrize(("column", "age"), [("seen_at", timedelta(hours=2)), ("began_at", timedelta(hours=12))])
def test_a_session_that_is_old_or_idle_ends(admin: Operator, column: str, age: timedelta) -> None:
    admin.get("/admin/")
    UserSession.update(**{column: clock.utc_now() - age - timedelta(seconds=1)}).execute()
    assert admin.client.get("/admin/").status_code == 403


def test_signing_out_elsewhere(users: Flask) -> None:
    here, there = signed_in(users, "billing"), signed_in(users, "billing")
    other = UserSession.select().order_by(UserSession.id.desc()).get()
    stranger = signed_in(users, "support")
    stranger.post(f"/admin/me/sessions/{other.id}/end")
    there.get("/admin/")  # somebody else's session is not ended
    here.post(f"/admin/me/sessions/{other.id}/end")
    assert there.client.get("/admin/").status_code == 403
    here.get("/admin/")


def test_a_new_password_ends_the_other_sessions(users: Flask) -> None:
    here, there = signed_in(users, "billing"), signed_in(users, "billing")
    new = {"new": "another horse battery", "again": "another horse battery"}
    assert "not your present password" in here.post("/admin/me/password", 422, present="wrong", **new).text
    assert "Use 12 to" in here.post("/admin/me/password", 422, present=PASSWORD, new="short", again="short").text
    here.post("/admin/me/password", present=PASSWORD, **new)
    assert there.client.get("/admin/").status_code == 403
    assert enter(users.test_client(), "billing", "another horse battery").status_code == 303
    assert Audit.select().where(Audit.action == "password changed").count() == 1


def test_the_second_factor(users: Flask) -> None:
    operator = signed_in(users, "administrator")
    key = re.search(r"Without a camera: <code>(\w+)", operator.get("/admin/me"))
    assert key is not None
    totp = pyotp.TOTP(key[1])
    assert "This code is not right" in operator.post("/admin/me/second-factor", 422, code="000000").text
    operator.post("/admin/me/second-factor", code=totp.now())
    assert key[1] not in User.get(login="administrator").sealed_totp

    client = users.test_client()
    answer = enter(client, "administrator")
    assert answer.headers["Location"] == "/admin/code"
    assert client.get("/admin/").status_code == 403  # the password alone opens nothing
    page = client.get("/admin/code").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]  # type: ignore[index]
    assert client.post("/admin/code", data={"csrf_token": token, "code": "000000"}).status_code == 422
    code = totp.now()
    assert client.post("/admin/code", data={"csrf_token": token, "code": code}).status_code == 303
    assert client.get("/admin/").status_code == 200

    again = users.test_client()  # who has looked over the shoulder: the same code is not taken twice
    enter(again, "administrator")
    page = again.get("/admin/code").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]  # type: ignore[index]
    assert again.post("/admin/code", data={"csrf_token": token, "code": code}).status_code == 422
