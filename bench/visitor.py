"""Somebody at the pages without a browser: fetches the form, sends it with its token and cookie, as a person would."""

import re
from html import unescape
from http.client import HTTPConnection, HTTPResponse, RemoteDisconnected
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"
ANSWER_SECONDS_MAX = 30.0


class Visitor:
    """One session at `host:port`; keeps its cookie, its connection, and the hidden fields of the form it saw last."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = HTTPConnection(host, port, timeout=ANSWER_SECONDS_MAX)
        self._cookie = ""
        self._hidden: dict[str, str] = {}

    def open_form(self) -> None:
        """Fetch the front page with a fresh form."""
        self._hidden = {}
        self._see(self._ask("GET", "/")[1])

    def order(self, login: str, password: str, number_a: str, number_b: str) -> str:
        """Ask for the price, then connect; returns the id of the callback. RuntimeError with the page where it was refused."""
        typed = {"login": login, "password": password, "number_a": number_a, "number_b": number_b}
        for step in ("quote", "connect"):
            answer, page = self._ask("POST", "/", urlencode(typed | self._hidden | {"step": step}))
            if answer.status == 303:
                return (answer.getheader("Location") or "").rpartition("/")[2]
            self._see(page)
            typed["password"] = ""  # proven by the first step; a person leaves the field as the page gives it back
        raise RuntimeError(f"status {answer.status}, no callback: {_words(page)}")

    def progress(self, callback_id: str) -> str:
        """The words of the page that follows a callback."""
        return _words(self._ask("GET", f"/callbacks/{callback_id}")[1])

    def close(self) -> None:
        """Leave."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[HTTPResponse, str]:
        headers = {"Cookie": self._cookie} | ({"Content-Type": FORM} if body else {})
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        except RemoteDisconnected:  # the server closes a connection that was idle for a while; a browser asks again too
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        page = answer.read().decode()
        if cookie := answer.getheader("Set-Cookie"):
            self._cookie = cookie.partition(";")[0]
        return answer, page

    def _see(self, page: str) -> None:
        for tag in re.findall(r"<input\b[^>]*>", page):
            fields = dict(re.findall(r'(\w+)="([^"]*)"', tag))
            if fields.get("type") == "hidden" and "name" in fields:
                self._hidden[fields["name"]] = unescape(fields.get("value", ""))


def _words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())
