"""The first set-up: from an empty database to a checklist that lacks nothing the pages can give, and a callback that is placed."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from tests.web import scene
from tests.web.admin.conftest import PASSWORD, Operator, enter, text_of
from tests.web.admin.test_checklist import lines
from webcb import clock, db
from webcb.billing import credentials
from webcb.models import Account, Audit, Callback, Connection, Node, Rate, UsageCharge, User, VoiceApplication, Wallet
from webcb.web import create_app

PAGES = (
    {"vendor": "Acme", "currency": "EUR", "host": "192.0.2.1", "port": "5060", "transport": "udp", "username": "us",
     "password": "secret", "cost": "0.01"},
    {"country_a": "BR", "price_a": "0.05", "country_b": "US", "price_b": "0.02", "elsewhere": "", "failed": "0"},
    {"customer": "Easy Call", "time_zone": "America/Sao_Paulo", "login": "cb1000", "opening_balance": "5", "visible_name": "Callback",
     "credit_limit": "10"},
    {"name": "Web callback", "kinds": ["extended", "hosted"], "second_number": ""},
)  # fmt: skip


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Operator]:
    """The operator of an installation in which nothing is configured."""
    app = create_app(scene.settings(tmp_path))
    db.migrate()
    credentials.use_key(scene.SECRET_KEY)
    User.create(login="ann", password=credentials.hash_password(PASSWORD), role="administrator")
    db.database.close()
    client = app.test_client()
    assert enter(client, "ann").status_code == 303
    yield Operator(client, "ann")
    db.database.close()


def test_four_pages_lead_to_a_callback(owner: Operator) -> None:
    assert "Set up the service" in owner.get("/admin/")
    for number, typed in enumerate(PAGES, 1):
        assert owner.client.get("/admin/setup").headers["Location"] == f"/admin/setup/{number}"
        page = owner.get(f"/admin/setup/{number}")
        assert f"page {number} of 4" in page
        after = owner.post(f"/admin/setup/{number}", **typed).headers["Location"]
    assert owner.client.get("/admin/setup").headers["Location"] == "/admin/checklist"
    assert "Set up the service" not in owner.get("/admin/")
    Node.create(name="test", heard_at=clock.utc_now())
    Connection.update(state="up").execute()
    page = owner.get(after.partition("#")[0])
    missing = {text for text, (done, _) in lines(page).items() if not done}
    assert missing == {"The prompts are complete"}
    assert {(row.destination.prefix, row.first_price_micros) for row in Rate.select()} == {
        ("|", 10_000), ("55", 50_000), ("1", 20_000), ("|", 0),
    }  # fmt: skip
    application = VoiceApplication.get()
    assert (application.path, application.default_country, application.internal_account.login) == (
        "-",
        "BR",
        "internal",
    )
    assert {row.access_code for row in UsageCharge.select()} == {"WEBCALLBACK", "CALLBACK_FAIL"}
    assert Account.get(Account.login == "cb1000").wallet.balance_micros == 5_000_000
    form = dict(re.findall(r'name="(application|login|a|b|mark)" value="([^"]*)"', page))
    owner.post(
        "/admin/checklist",
        application="-",
        **{name: unescape(text) for name, text in form.items() if name != "application"},
    )
    assert Callback.get().account.login == "cb1000"
    assert Audit.select().where(Audit.subject == "page:wizard").count() == 4


def test_the_first_password_is_shown_once_and_is_right(owner: Operator) -> None:
    for number, typed in enumerate(PAGES[:3], 1):
        owner.post(f"/admin/setup/{number}", **typed)
    shown = re.search(r"shown only now: (\S+)", text_of(owner.get("/admin/setup/4")))
    assert shown is not None
    assert credentials.verify_password(Account.get(Account.login == "cb1000").service_password, shown[1])
    assert "shown only now" not in owner.get("/admin/setup/4")


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_written(owner: Operator) -> None:
    page = owner.post("/admin/setup/1", 422, **PAGES[0] | {"port": "x", "cost": "much", "currency": "euro"}).text
    assert page.count("is-invalid") == 3
    assert "Write an amount with a point, as in 0.10." in page
    assert "tariffs.rates" not in page
    assert Connection.select().count() == 0
    owner.get("/admin/setup/9", 404)


def test_a_page_that_is_sent_again_keeps_what_was_set_elsewhere(owner: Operator) -> None:
    for number, typed in enumerate(PAGES, 1):
        owner.post(f"/admin/setup/{number}", **typed)
    Connection.update(capacity=30, codecs="PCMA").execute()
    VoiceApplication.update(ring_seconds_a=12).execute()
    owner.post("/admin/setup/1", **PAGES[0] | {"host": "192.0.2.2", "password": ""})
    owner.post("/admin/setup/4", **PAGES[3])
    row = Connection.get()
    assert (row.host, row.capacity, row.codecs) == ("192.0.2.2", 30, "PCMA")
    assert credentials.unseal(row.sealed_password) == "secret"
    assert VoiceApplication.get().ring_seconds_a == 12


def test_hosted_calls_that_nobody_can_pay_for_are_said(owner: Operator) -> None:
    for number, typed in enumerate(PAGES, 1):
        owner.post(f"/admin/setup/{number}", **typed)
    line = "An internal account pays for hosted calls"
    assert lines(owner.get("/admin/checklist"))[line][0]
    Wallet.update(credit_limit_micros=0).execute()
    assert not lines(owner.get("/admin/checklist"))[line][0]


def test_a_guessable_internal_account_is_named(owner: Operator) -> None:
    for number, typed in enumerate(PAGES, 1):
        owner.post(f"/admin/setup/{number}", **typed)
    line = "The internal account cannot be entered by guessing"
    for password, done in (("", True), ("internal123", False), ("kJ8-vv0-aPq1", True)):
        hashed = credentials.hash_password(password) if password else ""
        Account.update(service_password=hashed).where(Account.login == "internal").execute()
        assert lines(owner.get("/admin/checklist"))[line][0] is done
