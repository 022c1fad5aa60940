"""The hand of a visitor in the tests: opens the form, types, presses, and reads what comes back."""

import re
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web import scene


def hidden(html: str, name: str) -> str:
    """The value of a hidden field; "" where there is none."""
    found = re.search(rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"', html)
    return unescape(found.group(1)) if found else ""


def value(html: str, name: str) -> str:
    """What stands in a visible field."""
    field = re.search(rf'<input[^>]* name="{name}"[^>]*>', html)
    assert field, f"there is no field {name}"
    found = re.search(r' value="([^"]*)"', field.group(0))
    return unescape(found.group(1)) if found else ""


def error(html: str, name: str) -> str:
    """What is said beside a field."""
    found = re.search(rf'id="{name}-error">([^<]*)<', html)
    assert found, f"there is no place for what is wrong with {name}"
    return unescape(found.group(1)).strip()


def notice(html: str) -> str:
    """What is said about the form as a whole."""
    found = re.search(r'role="alert">([^<]*)<', html)
    return unescape(found.group(1)).strip() if found else ""


class Hand:
    """One visitor before one opened form."""

    def __init__(self, client: FlaskClient, path: str = "/") -> None:
        self.client = client
        self.path = path
        opened = client.get(path)
        assert opened.status_code == 200, opened.status
        self.fields: dict[str, Any] = {
            "csrf_token": hidden(opened.text, "csrf_token"),
            "nonce": hidden(opened.text, "nonce"),
            "login": "alice",
            "password": scene.PASSWORD,
            "number_a": scene.NUMBER_A,
            "number_b": scene.NUMBER_B,
        }

    def press(self, step: str, **typed: str) -> TestResponse:
        """Type and press "connect" or "quote"; the marks of the form that comes back are kept for the next press."""
        self.fields |= typed
        answer = self.client.post(self.path, data=self.fields | {"step": step})
        if answer.status_code in (200, 422):
            self.fields["nonce"] = hidden(answer.text, "nonce")
            self.fields["quoted"] = hidden(answer.text, "quoted")
        return answer

    def connect(self, **typed: str) -> str:
        """See the price, confirm it; returns the id of the callback."""
        assert self.press("quote", **typed).status_code == 200
        answer = self.press("connect")
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"].rsplit("/", 1)[1]
