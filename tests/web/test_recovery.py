"""A forgotten self-care password: the mail a real mail server gets, the link in it, and what nobody learns from it."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from tests.clerk.test_clerk import Inbox, inbox  # noqa: F401 - a fixture
from tests.web import scene
from tests.web.hand import error
from tests.web.test_selfcare import log_in, post
from webcb import clock, db
from webcb.clerk import mail
from webcb.models import Account, Recovery
from webcb.settings import Settings
from webcb.web import create_app

PLACE = "/selfcare/forgotten"
NEW_PASSWORD = "a better staple"


@pytest.fixture
def chosen(tmp_path: Path, scene_file: Path, inbox: Inbox) -> Settings:  # noqa: F811
    """Settings with a mail server, over a fresh scene."""
    shutil.copy(scene_file, tmp_path)
    mails = {"smtp_host": "127.0.0.1", "smtp_port": inbox.port, "smtp_security": "none"}  # type: ignore[attr-defined]
    return scene.settings(tmp_path, public_url="https://call.example.com/x", mail_from="calls@example.com", **mails)


@pytest.fixture
def site(chosen: Settings) -> Iterator[Flask]:
    """The application with mails; alice has an address."""
    app = create_app(chosen)
    Account.update(mail="alice@example.com", language="pt").where(Account.login == "alice").execute()
    yield app
    db.database.close()


def mailed_link(chosen: Settings, box: Inbox) -> str:
    """Let the clerk send what is due; the path of the link in the last mail."""
    mail.send_due(chosen, clock.utc_now())
    text = box.received[-1].get_content()
    found = re.search(r"https://call\.example\.com/x(/selfcare/recover/\S+)", text)
    assert found, text
    return found.group(1)


def test_the_link_sets_a_new_password_once(site: Flask, chosen: Settings, inbox: Inbox) -> None:  # noqa: F811
    client, elsewhere = site.test_client(), site.test_client()
    log_in(elsewhere)
    assert post(client, PLACE, PLACE, login="alice.web").status_code == 200
    link = mailed_link(chosen, inbox)
    assert inbox.received[0]["To"] == "alice@example.com"
    assert inbox.received[0]["Subject"] == "Sua nova senha"
    assert "alice.web" in inbox.received[0].get_content()
    assert error(post(client, link, link, new="short").text, "new").startswith("Take 10 to")
    answer = post(client, link, link, new=NEW_PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/selfcare/sign-in")
    assert elsewhere.get("/selfcare/").status_code == 303
    assert log_in(site.test_client(), password=scene.PASSWORD).status_code == 422
    assert log_in(site.test_client(), password=NEW_PASSWORD).status_code == 303
    assert client.get(link).status_code == 410
    assert mail.send_due(chosen, clock.utc_now()) is None
    assert len(inbox.received) == 1


def test_a_link_that_is_old_or_somebody_elses_opens_nothing(
    site: Flask,
    chosen: Settings,
    inbox: Inbox,  # noqa: F811
) -> None:
    client = site.test_client()
    post(client, PLACE, PLACE, login="alice.web")
    link = mailed_link(chosen, inbox)
    row, _, mark = link.rpartition("/")
    for wrong in (f"{row}/{'0' * 64}", f"{row}/{mark[:-1]}", f"/selfcare/recover/999/{mark}", f"{row}/%00"):
        assert client.get(wrong).status_code == 410
    assert client.get(f"/selfcare/recover/{'9' * 40}/{mark}").status_code == 410
    Recovery.update(asked_at=clock.utc_now() - timedelta(hours=2)).execute()
    assert client.get(link).status_code == 410


def test_the_answer_is_one_for_all(site: Flask, chosen: Settings, inbox: Inbox) -> None:  # noqa: F811
    """Of a login with an address, one without, a closed account's, and of none."""
    Account.update(web_login="paula.web").where(Account.login == "paula").execute()
    answers = set()
    for login in ("alice.web", "paula.web", "carl.web", "nobody", "' OR 1=1 --", "<b>"):
        client = site.test_client()
        answer = post(client, PLACE, PLACE, login=login)
        answers.add((answer.status_code, re.sub(r'value="[^"]*"', "", answer.text)))
        assert login not in answer.text
    assert len(answers) == 1
    mail.send_due(chosen, clock.utc_now())
    assert [each["To"] for each in inbox.received] == ["alice@example.com"]
    assert Recovery.select().count() == 6


def test_nobody_fills_another_ones_mailbox(site: Flask) -> None:
    client = site.test_client()
    for number in range(6):
        client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
        answer = post(client, PLACE, PLACE, login="alice.web")
    assert error(answer.text, "login").startswith("Too many tries failed.")
    assert Recovery.select().count() == 5


def test_without_mail_it_is_said_so(tmp_path: Path, chosen: Settings) -> None:
    for missing in ({"smtp_host": ""}, {"public_url": ""}):
        client = create_app(replace(chosen, **missing)).test_client()
        assert "Forgot your password?" not in client.get("/selfcare/sign-in").text
        assert "This service sends no mails." in client.get(PLACE).text
        assert "This service sends no mails." in post(client, PLACE, "/selfcare/sign-in", login="alice.web").text
        assert Recovery.select().count() == 0
    db.database.close()
