"""The set-up checklist: each line finds what is missing, its link opens the form filled in, and the end of it is a call."""

import re
import shutil
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from tests.web import scene
from tests.web.admin.conftest import PASSWORD, Operator, enter, text_of
from webcb import clock, db
from webcb.billing import credentials
from webcb.models import Audit, Callback, Connection, Leg, Node, Rate, UsageCharge, User, VoiceApplication
from webcb.web import create_app


def lines(page: str) -> dict[str, tuple[bool, str]]:
    """Text -> whether it is done, and its link."""
    found = {}
    for done, text, rest in re.findall(
        r'(?s)<li class="is-(done|missing)">.*?<span class="what">(.*?) <small>(.*?)</li>', page
    ):
        link = re.search(r'href="([^"]+)"', rest)
        found[unescape(text)] = (done == "done", unescape(link[1]) if link else "")
    return found


def test_what_is_there_is_done(admin: Operator) -> None:
    admin.get("/admin/")
    Node.update(heard_at=clock.utc_now()).execute()
    Connection.update(state="up", probe_seconds=30).execute()
    table = lines(admin.get("/admin/checklist"))
    missing = {text for text, (done, _) in table.items() if not done}
    assert missing == {"The prompts are complete"}
    assert "CALLBACK_FAIL" in " ".join(table)


@pytest.mark.parametrize(
    ("breaks", "text", "said"),
    [
        (lambda: Node.update(heard_at=clock.utc_now() - timedelta(minutes=2)).execute(), "A node is running", "no engine"),
        (lambda: Connection.update(state="down", state_reason="no answer").execute(), "Connection Carrier 1 is there",
         "does not answer OPTIONS: no answer"),
        (lambda: Connection.update(must_register=True, registration="unregistered").execute(), "Connection Carrier 1 is there",
         "does not have us registered"),
        (lambda: VoiceApplication.update(active=False).execute(),
         "Configure the parameters of the WEB callback trigger instance", "switched off"),
        (lambda: VoiceApplication.update(kinds="extended,hosted").execute(), "An internal account pays for hosted calls",
         "nobody who pays"),
        (lambda: Rate.delete().execute(), "A rate for leg B, as for +12065550123", "tariff Callback has none"),
        (lambda: UsageCharge.delete().where(UsageCharge.access_code == "CALLBACK_FAIL").execute(),
         "Its rating list has an entry with CALLBACK_FAIL", "the ordinary entry is used"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(admin: Operator, breaks, text: str, said: str) -> None:  # type: ignore[no-untyped-def]
    admin.get("/admin/")
    Node.update(heard_at=clock.utc_now()).execute()
    Connection.update(state="up", probe_seconds=30).execute()
    breaks()
    page = admin.get("/admin/checklist")
    done, link = lines(page)[text]
    assert not done
    assert said in text_of(page)
    if link:
        admin.get(link)


def test_from_an_empty_database_each_link_opens_its_form(tmp_path: Path) -> None:
    chosen = scene.settings(tmp_path)
    db.connect(chosen.database)
    db.migrate()
    credentials.use_key(scene.SECRET_KEY)
    User.create(login="ann", password=credentials.hash_password(PASSWORD), role="administrator")
    db.database.close()
    client = create_app(chosen).test_client()
    assert enter(client, "ann").status_code == 303
    ann = Operator(client, "ann")
    table = lines(ann.get("/admin/checklist"))
    assert [text for text, (done, _) in table.items() if done] == ["Create an internal account"]
    for _, link in table.values():
        if link:
            ann.get(link)
    assert 'value="Web callback"' in ann.get(table["Add a new WEB callback trigger instance"][1])
    ann.post("/admin/checklist", 422, application="-", login="x", a="1", b="2")
    db.database.close()
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_the_test_callback_is_a_call_of_the_account(admin: Operator, reader: Operator) -> None:
    order = {"application": "-", "login": "alice", "a": scene.NUMBER_A, "b": scene.NUMBER_B}
    mark = re.search(r'name="mark" value="([^"]+)"', admin.get("/admin/checklist"))
    assert mark is not None
    address = admin.post("/admin/checklist", **order, mark=mark[1]).headers["Location"]
    assert admin.post("/admin/checklist", **order, mark=mark[1]).headers["Location"] == address
    callback = Callback.get()
    assert (callback.account.login, callback.requested_from) == ("alice", "user:administrator")
    assert {leg.cld for leg in Leg.select()} == {scene.DIGITS_A, scene.DIGITS_B}
    assert Audit.select().where(Audit.action == "test callback").count() == 1
    page = admin.get(address)
    assert "data-live=" in page
    part = admin.get(f"{address}?part=1")
    assert "<html" not in part
    assert "data-over" not in part
    said = text_of(admin.post("/admin/checklist", 422, **order | {"login": "bob"}).text)
    assert "This account is blocked." in said
    assert "xx: " in text_of(admin.post("/admin/checklist", 422, **order | {"a": "xx"}).text)
    reader.post("/admin/checklist", 403, **order)
