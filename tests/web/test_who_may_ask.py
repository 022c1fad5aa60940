"""Simple and Hosted ask for no password: networks from which they are asked for, and signed links (domain 9)."""

from datetime import timedelta

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from tests.web import scene
from tests.web.hand import notice
from tests.web.test_kinds import Visitor
from webcb import clock
from webcb.billing import guard
from webcb.billing.guard import Guards
from webcb.models import Callback, RefusalCount, VoiceApplication
from webcb.web import links

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
    monkeypatch.setenv("WEBCB_SECRET_KEY", scene.SECRET_KEY)
    made = CliRunner().invoke(cli.commands, ["link", "all", "--base", "http://localhost"])
    assert made.exit_code == 0, made.output
    client = app.test_client()
    client.get(made.output.strip().removeprefix("http://localhost") + "&kind=hosted")
    assert ask(client, "hosted")[0] == 303
