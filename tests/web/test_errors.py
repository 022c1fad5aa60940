"""Pages for what went wrong: in the same clothes, with what to do, and without the database."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.hand import Hand
from webcb import db
from webcb.models import VoiceApplication
from webcb.web.application import BODY_BYTES_MAX, FORM_FIELDS_MAX


@pytest.mark.parametrize(
    ("method", "address", "status", "said"),
    [
        ("GET", "/nowhere", 404, "There is nothing here"),
        ("GET", "/callbacks/x/y/z", 404, "There is nothing here"),
        ("GET", "/%00", 404, "There is nothing here"),
        ("GET", "/static/nothing.css", 404, "There is nothing here"),
        ("PUT", "/", 405, "This address does not work like that"),
        ("GET", "/second/quote", 405, "This address does not work like that"),
        ("POST", "/", 400, "This page has become too old"),
    ],
)
def test_an_error_page(client: FlaskClient, method: str, address: str, status: int, said: str) -> None:
    answer = client.open(address, method=method)
    assert answer.status_code == status
    assert said in answer.text
    assert 'class="sheet narrow"' in answer.text
    assert "Set-Cookie" not in answer.headers


def test_405_says_what_is_allowed(client: FlaskClient) -> None:
    assert set(client.put("/").headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize(
    "body", [{"login": "x" * BODY_BYTES_MAX}, {f"field{number}": "" for number in range(FORM_FIELDS_MAX + 1)}]
)
def test_too_much(client: FlaskClient, body: dict[str, str]) -> None:
    answer = client.post("/", data=body, content_type="multipart/form-data")
    assert answer.status_code == 413
    assert "Shorten what you entered" in answer.text


def test_our_own_fault(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("webcb.web.visitor.new_mark", fail)
    answer = app.test_client().get("/")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "secret detail" not in answer.text


@pytest.mark.parametrize("address", ["/", "/healthz", "/callbacks/0123456789abcdef0123"])
def test_the_database_is_away(app: Flask, address: str, tmp_path: Path) -> None:
    db.database.close()
    db.connect(f"sqlite:///{tmp_path}")  # a folder cannot be opened
    answer = app.test_client().get(address)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "The service is away for a moment" in answer.text


def test_health(client: FlaskClient, tmp_path: Path) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
    db.database.close()
    db.connect(f"sqlite:///{tmp_path}/empty.sqlite")
    assert client.get("/healthz").status_code == 503


def test_an_installation_without_a_front_page(client: FlaskClient) -> None:
    VoiceApplication.delete().execute()
    assert client.get("/").status_code == 404


def test_every_connection_is_given_back(client: FlaskClient) -> None:
    """To the pool on PostgreSQL; on SQLite the thread keeps its own, which then holds nobody up."""
    Hand(client)
    assert db.database.is_closed() if db.dialect() == "postgresql" else not db.database.in_transaction()
