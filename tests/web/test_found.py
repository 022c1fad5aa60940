"""What makes the pages quick says what the slow way says: whole rows, attributes of fields, a connection that is kept."""

import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from markupsafe import Markup
from wtforms.widgets.core import html_params

from tests.web.hand import Hand
from webcb import db
from webcb.billing import query
from webcb.models import Account, ApiKey, Callback, Node, VoiceApplication
from webcb.web import found
from webcb.web.forms import attributes


@pytest.mark.parametrize("model", [VoiceApplication, Account, Callback, Node, ApiKey])
def test_a_whole_row_is_the_object_that_peewee_makes_of_it(client: FlaskClient, model: type) -> None:
    Hand(client).press("quote")
    callback = Hand(client).press("connect")
    assert callback.status_code == 200
    slow = {row.id: row.__data__ for row in model.select()}
    quick = {row.id: row.__data__ for row in found.each(model, "1 = ?", 1)}
    assert quick == slow
    assert {name: type(value) for row in quick.values() for name, value in row.items()} == {
        name: type(value) for row in slow.values() for name, value in row.items()
    }


def test_a_row_leads_to_the_rows_it_refers_to(client: FlaskClient) -> None:
    account = found.one(Account, "login = ?", "alice")
    assert account is not None
    assert account.customer.id == Account.get(login="alice").customer_id
    assert account.dirty_fields == []
    assert found.one(Account, "login = ?", "nobody") is None


def test_attributes_are_those_of_wtforms() -> None:
    for given in (
        {"name": "a", "class_": "b c", "data_x_y": 1, "aria_label": "x", "required": True, "disabled": False},
        {"value": "<&>'\"", "title": Markup('<b>"</b>'), "n": None, "for_": "", "accept-charset": "utf-8"},
        {},
    ):
        assert attributes(**given) == html_params(**given)
        assert isinstance(attributes(**given), Markup)


@pytest.mark.sqlite_alone
def test_a_connection_is_kept_until_another_file_stands_there(client: FlaskClient) -> None:
    def connection() -> object:
        assert client.get("/").status_code == 200
        return db.database.obj._state.conn

    first = connection()
    assert connection() is first
    path = Path(db.database.obj.database)
    query.values("PRAGMA wal_checkpoint(TRUNCATE)")
    other = path.with_name("other")
    shutil.copy(path, other)
    VoiceApplication.update(brand_name="Not in the copy").execute()
    assert "Not in the copy" in client.get("/").text
    query.values("PRAGMA wal_checkpoint(TRUNCATE)")
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    other.rename(path)
    assert connection() is not first
    assert "Not in the copy" not in client.get("/").text


def test_a_transaction_that_was_left_open_ends_with_its_request(client: FlaskClient) -> None:
    db.take_connection()
    db.database.obj.connection().execute("BEGIN")
    db.give_back_connection()
    assert db.database.is_closed() or not db.database.in_transaction()
    assert client.get("/").status_code == 200
