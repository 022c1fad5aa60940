"""The clerk as a process, and the mails it sends to a real mail server."""

import email
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_batch import ORDER, lines, make
from tests.ports import free_port
from tests.waiting import wait_until
from webcb import clock, db, doorbell
from webcb.billing import batch, credentials
from webcb.clerk import mail
from webcb.clerk.runner import Clerk
from webcb.models import Account, Callback, Customer, Job, Leg, LowBalance, Unusual, User, VoiceApplication
from webcb.settings import Settings

KEY = "a key of the tests alone"


class Inbox:
    """What a mail server was given; it refuses the first `refusals` mails for now."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.refusals = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        if self.refusals:
            self.refusals -= 1
            return "451 come again"
        self.received.append(email.message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        return "250 taken"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    box = Inbox()
    port = free_port()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    box.port = port  # type: ignore[attr-defined]
    yield box
    server.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """An installation with a house in it and no mail server."""
    made = Settings(data_dir=tmp_path, secret_key=KEY, node_name="one")
    opened = db.connect(made.database)
    opened.connect()
    db.migrate()
    credentials.use_key(KEY)
    rows.house()
    yield made
    db.database.close()


def with_mail(settings: Settings, inbox: Any) -> Settings:
    return replace(
        settings, smtp_host="127.0.0.1", smtp_port=inbox.port, smtp_security="none", mail_from="calls@example.com"
    )


def test_who_asked_gets_the_file(settings: Settings, inbox: Inbox) -> None:
    job = make(replace(ORDER, quantity=10), settings.data_dir)
    assert mail.send_due(with_mail(settings, inbox), NOON) is None
    (message,) = inbox.received
    assert (message["To"], message["From"]) == ("shop@example.com", "calls@example.com")
    assert message["Subject"] == "webcb: generate accounts, done"
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "000001-March.csv"
    assert attached.get_content().split() == (settings.data_dir / job.file).read_text().split()
    text = message.get_body().get_content()  # type: ignore[union-attr]
    assert "10 accounts in batch March, to be activated by hand." in text
    said = "10 accounts in batch March, to be activated by hand. Mailed to shop@example.com."
    assert Job.get_by_id(job.id).said == said
    mail.send_due(with_mail(settings, inbox), NOON)
    assert len(inbox.received) == 1  # once


def test_without_a_mail_server_it_is_said(settings: Settings) -> None:
    job = make(replace(ORDER, quantity=10), settings.data_dir)
    mail.send_due(settings, NOON)
    assert Job.get_by_id(job.id).said.endswith(". Not mailed: smtp_host is not set.")


def test_a_mail_that_is_not_taken_is_sent_again(settings: Settings, inbox: Inbox) -> None:
    job = make(replace(ORDER, quantity=10), settings.data_dir)
    inbox.refusals = 1
    assert mail.send_due(with_mail(settings, inbox), NOON) == NOON + timedelta(minutes=1)
    assert inbox.received == []
    assert mail.send_due(with_mail(settings, inbox), NOON + timedelta(minutes=1)) is None
    assert len(inbox.received) == 1
    assert "Mailed to" in Job.get_by_id(job.id).said


def test_after_five_tries_it_is_given_up(settings: Settings, inbox: Inbox) -> None:
    job = make(replace(ORDER, quantity=10), settings.data_dir)
    inbox.refusals = 9
    at, waits = NOON, []
    while (due := mail.send_due(with_mail(settings, inbox), at)) is not None:
        waits.append((due - at) // timedelta(minutes=1))
        at = due
    assert waits == [1, 5, 25, 125]
    assert "The mail could not be sent: (451, b'come again')." in Job.get_by_id(job.id).said


def low_balance() -> LowBalance:
    return LowBalance.create(
        wallet=Account.get().wallet, at=NOON, funds_micros=1_900_000, threshold_micros=2_000_000, mail_due_at=NOON
    )


def test_low_funds_are_told_to_whose_they_are(settings: Settings, inbox: Inbox) -> None:
    account = Account.get()
    Customer.update(mail="office@example.com").execute()
    for address, to in (("", "office@example.com"), ("ann@example.com", "ann@example.com")):
        Account.update(mail=address).execute()
        fall = low_balance()
        assert mail.send_due(with_mail(settings, inbox), NOON) is None
        message = inbox.received[-1]
        assert message["To"] == to
        assert message["Subject"] == f"webcb: the funds of account {account.login} are low"
        assert "below 2.00 USD: on 2026-03-02 at 12:00 UTC they were 1.90 USD" in message.get_content()
        assert LowBalance.get_by_id(fall.id).said == f"Mailed to {to}."


def test_without_an_address_it_is_said(settings: Settings, inbox: Inbox) -> None:
    low_balance()
    assert mail.send_due(with_mail(settings, inbox), NOON) is None
    assert (inbox.received, LowBalance.get().said) == ([], "Not mailed: there is no address.")


# The process ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def clerk(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"WEBCB_DATA_DIR": str(settings.data_dir), "WEBCB_SECRET_KEY": KEY}
    process = subprocess.Popen([sys.executable, "-m", "webcb.cli", "clerk"], env=environment)
    wait_until(settings.clerk_bell.exists, "the clerk is up")
    yield process
    process.kill()
    process.wait()


def is_done(job_id: int) -> bool:
    return bool(Job.get_by_id(job_id).state == "done")


def test_a_ring_and_it_works(settings: Settings, clerk: subprocess.Popen[bytes]) -> None:
    job_id = batch.ask(replace(ORDER, quantity=300), "ann", "", clock.utc_now())
    doorbell.ring(settings.clerk_bell)
    wait_until(lambda: is_done(job_id), "the job is done")
    assert len(lines(Job.get_by_id(job_id), settings.data_dir)) == 300
    clerk.send_signal(signal.SIGTERM)
    assert clerk.wait(5) == 0


def test_told_to_end_it_gives_the_job_back(settings: Settings, clerk: subprocess.Popen[bytes]) -> None:
    job_id = batch.ask(replace(ORDER, quantity=20_000), "ann", "", clock.utc_now())
    doorbell.ring(settings.clerk_bell)
    wait_until(lambda: Job.get_by_id(job_id).done > 0, "some are made")
    clerk.send_signal(signal.SIGTERM)
    assert clerk.wait(5) == 0
    job = Job.get_by_id(job_id)
    assert (job.state, job.lease_until) == ("waiting", None)
    assert 0 < job.done < 20_000


def test_numbers_that_are_old_enough_are_masked_at_every_look(settings: Settings) -> None:
    old, young = "0" * 20, "1" * 20
    ages = {old: 31, young: 29}
    for name, days in ages.items():
        at = clock.utc_now() - timedelta(days=days)
        Callback.create(
            id=name, kind="extended", voice_application=VoiceApplication.get(), account=Account.get(), idempotency_key=name,
            requested_at=at, requested_from="192.0.2.1", state="ended", ended_at=at, ending="A busy", force_insert=True,
        )  # fmt: skip
        Leg.create(callback=name, name="A", cli="", cld="5511999887766", state="ended", ended_at=at)
    db.database.close()

    def numbers() -> dict[str, str]:
        with db.database.connection_context():
            return {each.callback_id: each.cld for each in Leg.select()}

    Clerk(replace(settings, personal_days=0), lambda: True).work()
    assert set(numbers().values()) == {"5511999887766"}, "kept for as long as nobody says otherwise"
    Clerk(replace(settings, personal_days=30), lambda: True).work()
    assert numbers() == {old: "x" * 13, young: "5511999887766"}


def test_operators_are_told_of_what_is_unusual(settings: Settings, inbox: Any) -> None:
    for login, address, role in (("ann", "ann@example.com", "administrator"), ("bo", "bo@example.com", "billing")):
        User.create(login=login, mail=address, password="-", role=role)
    facts = {"calls": 64, "answered": 61, "short": 0, "seconds": 412, "charges": {"USD": 18_300_000}, "numbers": 60,
             "accounts": 1, "sources": 2}  # fmt: skip
    found = {
        "at": NOON,
        "application": VoiceApplication.get().name,
        "facts": json.dumps(facts),
        "usual": 5,
        "mail_due_at": NOON,
    }
    alarm = Unusual.create(pattern="many calls", kind="number B", subject="12065550123", seen=64, **found)
    mail.send_due(with_mail(settings, inbox), NOON)
    (sent,) = inbox.received
    assert (sent["To"], sent["Subject"]) == (
        "ann@example.com",
        "webcb: Unusual: 64 calls within an hour to +12065550123",
    )
    assert "the busiest hour of a usual day has 5" in sent.get_content().lower()
    assert f"/admin/unusual/{alarm.id}" in sent.get_content()
    VoiceApplication.update(unusual_mail="noc@example.com").execute()
    Unusual.create(pattern="high charges", kind="account", subject="cb1001", seen=18_300_000, currency="USD", **found)
    mail.send_due(with_mail(settings, inbox), NOON)
    assert inbox.received[1]["To"] == "noc@example.com"
    assert Unusual.select().where(Unusual.mail_due_at.is_null()).count() == 2
