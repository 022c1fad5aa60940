"""What docs/security.md says: its tests are there; headers on every answer; log-ins that tell nothing by their work."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.reference_pages import GUARDED, between, guard_table
from tests.web import scene
from tests.web.admin.conftest import enter
from tests.web.admin.conftest import users as users
from tests.web.hand import Hand
from webcb.billing import credentials
from webcb.billing.guard import Guards
from webcb.web.access import STATIC_ENDPOINTS

TOP = Path(__file__).parent.parent.parent


def test_every_line_of_the_handbook_names_a_test_that_is_there() -> None:
    lines = [
        line
        for line in between((TOP / "docs/security.md").read_text(), "guards", "").splitlines()
        if line.startswith("|")
    ]
    lines = [line for line in lines if not re.match(r"\| ?(what \||---)", line)]
    assert len(lines) > 20
    for line in lines:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line)
        assert named, line
        for file, test in named:
            assert re.search(rf"^def {test}\(", (TOP / file).read_text(), re.MULTILINE), f"{file} has no {test}"


def test_every_answer_of_every_route_carries_the_headers(users: Flask) -> None:
    client = users.test_client()
    enter(client, "administrator")
    for rule in users.url_map.iter_rules():
        if rule.endpoint in STATIC_ENDPOINTS or rule.endpoint == "sign_in.leave":
            continue
        address = re.sub(r"<[^>]+>", "1", rule.rule)
        method = "GET" if "GET" in rule.methods else "POST"  # type: ignore[operator]
        with client.open(address, method=method, buffered=False) as answer:
            headers = answer.headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], address
        assert "unsafe" not in headers["Content-Security-Policy"], address
        expected = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        assert {name: headers.get(name) for name in expected} == expected, address


class Work:
    """How many passwords were looked at, each with all of argon2's work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        verify = credentials._hasher.verify

        class Counting:
            def verify(_self, stored: str, password: str) -> bool:  # noqa: N805 - the other self is who counts
                self.count += 1
                return verify(stored, password)

        monkeypatch.setattr(credentials, "_hasher", Counting())


def said(page: str, *names: str) -> str:
    """What is read, but for the name that was typed and what is drawn anew each time."""
    text = re.sub(r"<input[^>]*>|name=\"\w+\" value=\"[^\"]*\"", "", page)
    for name in names:
        text = text.replace(name, "")
    return text


@pytest.mark.parametrize("door", ["trigger", "self-care", "operators"])
def test_an_unknown_name_costs_what_a_wrong_password_costs(
    users: Flask, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"trigger": "alice", "self-care": "alice.web", "operators": "administrator"}[door]
    work = Work(monkeypatch)
    answers = []
    for name in (known, "nobody-of-this-name"):
        client = users.test_client()
        before = work.count
        answer = _try(door, client, name)
        answers.append((answer.status_code, work.count - before, said(answer.text, name)))
    assert answers[0] == answers[1]
    assert answers[0][:2] == (422, 1)


def _try(door: str, client: FlaskClient, name: str) -> object:
    if door == "operators":
        return enter(client, name, "wrong")
    if door == "self-care":
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/selfcare/sign-in").text)
        fields = {"csrf_token": token[1], "login": name, "password": "wrong"}  # type: ignore[index]
        return client.post("/selfcare/sign-in", data=fields)
    hand = Hand(client)
    return client.post("/", data=hand.fields | {"login": name, "password": f"not {scene.PASSWORD}"})


def test_the_page_names_every_limit_with_its_default() -> None:
    page = (TOP / "docs/security.md").read_text()
    assert between(page, "guards", guard_table()) == page, "python -m tests.reference_pages writes it anew"
    limits = {
        each for each in Guards.__dataclass_fields__ if each.startswith(("asks_per", "concurrent", "daily_spend"))
    }
    assert {each.removesuffix("_micros") for each in limits} <= {name for names in GUARDED.values() for name in names}
