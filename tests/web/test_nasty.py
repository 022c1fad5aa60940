"""Every nasty string through every route, field, parameter and header, as everybody who can be: no fault, nothing unescaped."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.admin.conftest import enter
from tests.web.admin.conftest import users as users
from tests.web.api.conftest import CALLS, PARTIES, bearing, make_key
from tests.web.hand import Hand
from tests.web.nasty import MARK, MORE, STRINGS, fields_of, wrong_with
from webcb import db
from webcb.models import ALL_TABLES, Callback, Leg
from webcb.web.admin.permission import ROLES

WEB = Path(scene.__file__).parent.parent.parent / "webcb" / "web"
PARAMETERS = {
    name for file in WEB.rglob("*.py") for name in re.findall(r"""args\.get(?:list)?\(\s*"(\w+)\"""", file.read_text())
}
HEADERS = ("User-Agent", "Referer", "Accept-Language", "X-Forwarded-For", "Origin", "Cookie", "Range", "If-None-Match")
ENDS_THE_SESSION = {"sign_in.leave", "sign_in.set_password", "sign_in.end_one", "sign_in.set_second_factor"}
ENDS_THE_SESSION |= {"admin.user_session"}
ENDS_THE_SESSION |= {"selfcare.sign_out", "selfcare.password", "progress.events"}


class Browser:
    """Somebody before a browser: strings go out by it, and what must not come of them is looked for."""

    def __init__(self, app: Flask, client: FlaskClient, token_page: str) -> None:
        self.app, self.client, self.token_page = app, client, token_page
        self.wrong: list[str] = []
        self.forms: dict[str, set[str]] = {}
        self._token = ""

    @property
    def token(self) -> str:
        if not self._token:
            found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.client.get(self.token_page).text)
            self._token = found[1] if found else ""
        return self._token

    def look(self, address: str) -> None:
        """Learn the forms of a page."""
        with self.client.get(address, buffered=False) as answer:
            page = answer.text if answer.content_type.startswith("text/html") else ""
        for action, names in fields_of(page).items():
            self.forms.setdefault((action or address).partition("?")[0], set()).update(names)

    def send(self, method: str, address: str, sent: str, **what: Any) -> None:
        if address.startswith("//"):
            # What a server gets as a path, the test's client takes for the name of a host.
            what["environ_overrides"] = {"PATH_INFO": unquote(address)}
            address_sent = "/"
        else:
            address_sent = address
        with self.client.open(address_sent, method=method, buffered=False, **what) as answer:
            wrong = wrong_with(answer, sent)
        if wrong:
            self.wrong.append(f"{method} {address} {what} -> {wrong}")

    def through(self, rule: Any, strings: tuple[str, ...], *, one_at_a_time: bool = True) -> None:
        """All the strings through a route: in its address, its parameters, its fields, all at once and one at a time."""
        numbers = cycle(("1", str(2**63), "0"))
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            plain = self._address(rule, "1")
            if method == "GET":
                self.look(plain)
            names = PARAMETERS if method == "GET" else self.forms.get(plain, set()) - {"csrf_token"}
            one_by_one = cycle(strings)
            for sent in strings:
                nasty = self._address(rule, sent) if rule.arguments else plain
                self._send(method, nasty if nasty != plain else plain, sent, dict.fromkeys(names, sent))
                if rule.arguments:
                    self._send(method, self._address(rule, next(numbers)), sent, dict.fromkeys(names, sent))
            for name in sorted(names) if method == "POST" and one_at_a_time else ():
                sent = next(one_by_one)
                self._send(method, plain, sent, {name: sent})

    def _send(self, method: str, address: str, sent: str, fields: dict[str, str]) -> None:
        if method == "GET":
            self.send(method, address, sent, query_string=fields)
        else:
            self.send(method, address, sent, data=fields | {"csrf_token": self.token})

    @staticmethod
    def _address(rule: Any, value: str) -> str:
        """The address of a route with this in each of its places; where only a number fits, with one."""

        def put(found: re.Match[str]) -> str:
            return (
                (value if value.isascii() and value.isdigit() and len(value) < 25 else "1")
                if found[1]
                else quote(value, safe="")
            )

        return re.sub(r"<(int:)?\w+>", put, rule.rule)


def rules(app: Flask, *prefixes: str) -> Iterator[Any]:
    """The routes of these blueprints, those that end a session last."""
    found = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(prefixes)]
    return iter(sorted(found, key=lambda rule: (rule.endpoint in ENDS_THE_SESSION, rule.rule)))


FEW = (STRINGS[0], STRINGS[1], STRINGS[6])
AMOUNTS = [
    pytest.param(FEW, id="short"),
    pytest.param(STRINGS + MORE, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
]


@pytest.mark.parametrize("strings", AMOUNTS)
def test_visitors_and_owners(app: Flask, strings: tuple[str, ...]) -> None:
    for log_in in (True, False):  # who has not logged in guesses passwords until nobody may from here
        hand = Hand(app.test_client())
        hand.connect()
        if log_in:
            page = hand.client.get("/selfcare/sign-in").text
            token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
            fields = {"csrf_token": token[1], "login": "alice.web", "password": scene.PASSWORD}  # type: ignore[index]
            assert hand.client.post("/selfcare/sign-in", data=fields).status_code == 303
        browser = Browser(app, hand.client, "/")
        for rule in rules(app, "trigger.", "progress.", "selfcare.", "sign_in.", "health."):
            if rule.endpoint != "progress.events":  # never ends; its address is that of the others
                browser.through(rule, strings)
        assert browser.wrong == []
    db.database.connect(reuse_if_open=True)
    assert Callback.select().count() >= 2
    for leg in Leg.select():
        assert (leg.cld + leg.cli).isdigit(), "SIP is told digits, whatever was typed"


@pytest.mark.parametrize("strings", [pytest.param(FEW[:2], id="short"), AMOUNTS[1]])
def test_the_administrator(users: Flask, strings: tuple[str, ...]) -> None:
    client = users.test_client()
    assert enter(client, "administrator").status_code == 303
    browser = Browser(users, client, "/admin/me")
    for rule in rules(users, "admin."):
        if rule.endpoint in ENDS_THE_SESSION:  # until now everything was asked by somebody who is signed in
            assert client.get("/admin/me").status_code == 200
        browser.through(rule, strings, one_at_a_time=len(strings) > len(FEW))
    assert browser.wrong == []
    nothing_foreign_is_stored()


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"administrator"}))
def test_every_other_role(users: Flask, role: str) -> None:
    client = users.test_client()
    assert enter(client, role.replace(" ", "-")).status_code == 303
    browser = Browser(users, client, "/admin/me")
    for rule in rules(users, "admin."):
        browser.through(rule, FEW[:1], one_at_a_time=False)
    assert browser.wrong == []


def nothing_foreign_is_stored() -> None:
    """No column of one line, of which SIP, mails and headers are made, has taken another line or a control character."""
    db.database.connect(reuse_if_open=True)
    one_line = {
        "login",
        "name",
        "host",
        "username",
        "mail",
        "tech_prefix",
        "cli",
        "path",
        "prompts_folder",
        "realm",
        "registrar",
    }
    for table in ALL_TABLES:
        columns = one_line & set(table._meta.sorted_field_names)
        for row in table.select() if columns else ():
            for column in columns:
                value = getattr(row, column)
                assert value is None or str(value).isprintable(), (table.__name__, column, value)


JSON = (
    "null",
    "5",
    '"x"',
    "[]",
    "[" * 2000 + "]" * 2000,
    '{"a":' * 500 + "1" + "}" * 500,
    "1e999",
    "{",
    "\xff",
    '{"caller":{}}',
)


@pytest.mark.parametrize("strings", AMOUNTS)
def test_programs(app: Flask, strings: tuple[str, ...]) -> None:
    db.database.connect(reuse_if_open=True)
    free = {"requests_per_minute": 100_000}
    keys = (make_key(**free).key, make_key(None, "accounts,funds,provisioning", **free).key)
    for key in (*keys, "webcb_wrong"):
        strings = strings if key in keys else strings[:1]
        browser = Browser(app, app.test_client(), "/")
        for rule in rules(app, "api."):
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                for sent in strings:
                    address = browser._address(rule, sent)
                    what: dict[str, Any] = {"headers": bearing(key, Idempotency_Key="x")}
                    fields = ("caller", "callee", "sink", "sinkCredential", "kind", "amount", "note", "more")
                    bodies: list[dict[str, Any]] = [{"query_string": dict.fromkeys(PARAMETERS, sent)}]
                    if method == "POST":
                        bodies = [
                            {"json": PARTIES | {"kind": "payment", "amount": "1"} | {name: sent}} for name in fields
                        ]
                        bodies += [{"data": sent.encode(), "content_type": "application/yaml"}]
                    for body in bodies:
                        browser.send(method, address, sent, **what, **body)
                for body in JSON if method == "POST" else ():
                    data = {"data": body.encode("latin-1"), "content_type": "application/json"}
                    browser.send(method, browser._address(rule, "alice"), "", headers=bearing(key), **data)
        assert browser.wrong == []


@pytest.mark.parametrize("strings", AMOUNTS)
def test_every_header(app: Flask, strings: tuple[str, ...]) -> None:
    db.database.connect(reuse_if_open=True)
    key = make_key(requests_per_minute=100_000).key
    browser = Browser(app, app.test_client(), "/")
    own = ("Authorization", "Idempotency-Key", "x-correlator", "Content-Type", "Accept")
    for sent in strings:
        # What no HTTP server lets through, line ends and characters beyond a byte, cannot be sent by the test's client either.
        value = re.sub(r"[\r\n\0]", " ", sent).encode("utf-8").decode("latin-1")
        for name in (*HEADERS, *own):
            for address in ("/", "/selfcare", "/admin/", "/nowhere"):
                browser.send("GET", address, sent, headers={name: value})
            browser.send("POST", CALLS, sent, json=PARTIES, headers=bearing(key) | {name: value})
    assert browser.wrong == []


def test_a_spreadsheet_calculates_nothing_of_what_was_typed(users: Flask) -> None:
    """What begins as a formula is a text in every .csv that can be fetched."""
    client = users.test_client()
    enter(client, "administrator")
    browser = Browser(users, client, "/admin/me")
    nasty = f"=cmd|' /C calc'!A0 {MARK}"
    for sign in "=+-@":
        fields = {
            "csrf_token": browser.token,
            "name": sign + nasty[1:],
            "currency": "USD",
            "balance_control": "postpaid",
        }
        client.post("/admin/customers/new", data=fields | {"billing_period": "monthly", "billing_time_zone": "UTC"})
    seen = 0
    for rule in rules(users, "admin."):
        if "GET" not in rule.methods or rule.arguments:
            continue
        answer = client.get(rule.rule, query_string={"export": "csv"})
        if not answer.content_type.startswith("text/csv"):
            continue
        seen += MARK in answer.text
        for row in csv.reader(io.StringIO(answer.text)):
            for cell in row:
                assert not re.match(r"[=@\t\r]|[+-](?!\d+(\.\d+)?$)", cell), (rule.rule, cell)
    assert seen >= 1, "no list had what was typed: the test looks at nothing"


def test_the_strings_are_what_breaks_the_careless() -> None:
    """The looker sees what it is to see."""
    from werkzeug.test import TestResponse
    from werkzeug.wrappers import Request

    def answer(text: str, status: int = 200, **headers: str) -> TestResponse:
        made = {"Content-Type": "text/html", **headers}
        return TestResponse([text.encode()], str(status), made, Request({}))  # type: ignore[arg-type]

    assert wrong_with(answer("", 500), "") == "500"
    assert wrong_with(answer(STRINGS[0]), STRINGS[0]) == "it is not escaped"
    assert wrong_with(answer(STRINGS[1]), STRINGS[1]) == "it is not escaped"
    assert wrong_with(answer("1787569"), STRINGS[0]) == "it was evaluated"
    assert wrong_with(answer("", 303, Location="//evil.example"), "")
    assert wrong_with(answer("fine"), STRINGS[0]) == ""
    assert len({*STRINGS, *MORE}) == len(STRINGS) + len(MORE)
