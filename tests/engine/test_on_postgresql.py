"""The engine's jobs on PostgreSQL: a whole callback, and one that an engine left behind when it died."""

from collections.abc import Iterator

import pytest

from tests.engine.world import World
from webcb import db, models
from webcb.billing import books, credentials
from webcb.engine.causes import Ending


@pytest.fixture
def world(postgresql_url: str) -> Iterator[World]:
    opened = db.connect(postgresql_url)
    opened.connect()
    db.database.execute_sql("DROP SCHEMA public CASCADE")
    db.database.execute_sql("CREATE SCHEMA public")
    db.migrate()
    credentials.use_key("test")
    made = World(balance="5.00", first=1, following=1, price="0.60")
    yield made
    made.close()
    differences = books.differences()
    opened.close()
    assert differences == []


def test_a_callback_from_end_to_end(world: World) -> None:
    callback_id = world.place()
    world.pass_seconds(12)
    row = world.row(callback_id)
    assert row.state == "talking"
    assert row.deadline_at > row.talking_at
    world.exchange.release(callback_id, Ending.OPERATOR_RELEASED)
    world.pass_seconds(1)
    assert {leg: xdr.used_quantity for leg, xdr in world.xdrs(callback_id).items()} == {"A": 8, "B": 4}
    assert [each.status for each in models.Attempt.select().order_by(models.Attempt.id)] == [200, 200]


def test_what_an_engine_left_behind_is_settled(world: World) -> None:
    callback_id = world.place()
    world.pass_seconds(20)
    world.crash()
    world.pass_seconds(60)
    world.engine()
    assert world.row(callback_id).ending == Ending.ENGINE_STOPPED
    assert {leg: xdr.used_quantity for leg, xdr in world.xdrs(callback_id).items()} == {"A": 16, "B": 12}


def test_an_a_that_an_engine_left_alone_is_settled(world: World) -> None:
    callback_id = world.place()
    world.pass_seconds(6)  # B is not there yet: whether one was before is looked for on the rows
    world.crash()
    world.pass_seconds(60)
    world.engine()
    assert world.row(callback_id).ending == Ending.ENGINE_STOPPED
    assert world.xdrs(callback_id)["A"].used_quantity == 2
