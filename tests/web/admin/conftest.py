"""Operators of every role, signed in."""

import re
from dataclasses import dataclass
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web import scene
from webcb import db
from webcb.billing import credentials
from webcb.models import User

PASSWORD = "correct horse battery"
_HASH = credentials.hash_password(PASSWORD)


@dataclass
class Operator:
    """A browser with an operator before it."""

    client: FlaskClient
    login: str

    def get(self, address: str, status: int = 200) -> str:
        answer = self.client.get(address)
        assert answer.status_code == status, (address, answer.status_code, text_of(answer.text))
        return answer.text

    def post(self, address: str, status: int = 303, **fields: object) -> TestResponse:
        """Send a form with the token of our pages."""
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.client.get("/admin/me").text)
        assert token is not None
        answer = self.client.post(address, data={"csrf_token": token[1], **fields})
        assert answer.status_code == status, (address, answer.status_code, text_of(answer.text))
        return answer


def text_of(page: str) -> str:
    """What is read on a page."""
    body = re.sub(r"(?s)<(script|style|nav|header).*?</\1>", "", page)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body))).strip()


def enter(client: FlaskClient, login: str, password: str = PASSWORD) -> TestResponse:
    page = client.get("/admin/sign-in").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token is not None
    return client.post("/admin/sign-in", data={"csrf_token": token[1], "login": login, "password": password})


@pytest.fixture
def users(app: Flask) -> Flask:
    """The application with an operator of each role, named for it."""
    db.database.connect(reuse_if_open=True)
    credentials.use_key(scene.SECRET_KEY)
    for role in ("administrator", "billing", "support", "read only"):
        User.create(login=role.replace(" ", "-"), password=_HASH, role=role)
    db.database.close()
    return app


def signed_in(app: Flask, role: str) -> Operator:
    client = app.test_client()
    assert enter(client, role.replace(" ", "-")).status_code == 303
    return Operator(client, role.replace(" ", "-"))


@pytest.fixture
def admin(users: Flask) -> Operator:
    return signed_in(users, "administrator")


@pytest.fixture
def support(users: Flask) -> Operator:
    return signed_in(users, "support")


@pytest.fixture
def reader(users: Flask) -> Operator:
    return signed_in(users, "read only")


@pytest.fixture
def billing(users: Flask) -> Operator:
    return signed_in(users, "billing")
