"""The database is away while calls end: what they cost is on file, is settled once when it is back, and by the next engine too."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.billing.rows import NUMBER_A, NUMBER_B
from tests.engine.laws import on_a_file
from tests.engine.scenes import STEPS, play
from tests.engine.test_exchange import assert_over
from tests.engine.world import World
from tests.waiting import wait_until
from webcb import db, models
from webcb.billing import books
from webcb.engine import spool
from webcb.engine.causes import Ending
from webcb.engine.journal import Journal
from webcb.engine.spool import Spool
from webcb.watching import counting

A, B = NUMBER_A.digits, NUMBER_B.digits


@pytest.fixture
def file(world: World, tmp_path: Path) -> Path:
    path = tmp_path / spool.FILE
    world.exchange._spool = Spool(path)
    return path


def talk_and_end(world: World) -> str:
    """A from 4 s, B from 8 s; the database is away from 20 s on, B hangs up at 25.4 s."""
    phones = world.phone(A, "A"), world.phone(B, "B")
    callback_id = world.place()
    world.pass_seconds(20)
    world.journal.is_away = True
    world.pass_seconds(5.4)
    world.request(phones[1], "BYE")
    return callback_id


def test_while_the_database_answers_nothing_is_written(world: World, file: Path) -> None:
    phones = world.phone(A, "A"), world.phone(B, "B")
    callback_id = world.place()
    world.pass_seconds(20)
    world.request(phones[1], "BYE")
    world.pass_seconds(5)
    assert world.row(callback_id).ending == Ending.B_HUNG_UP
    assert not file.exists()


def test_when_it_is_back_all_is_settled_once_and_the_file_is_gone(world: World, file: Path) -> None:
    callback_id = talk_and_end(world)
    world.pass_seconds(0.4)
    assert not file.exists()
    world.pass_seconds(0.2)
    (line,) = file.read_text().splitlines()
    assert callback_id in line
    assert not {A, B} & set(line.split('"'))
    assert file.stat().st_mode & 0o077 == 0
    assert counting.numbers().spooled._value.get() == 1
    world.pass_seconds(54)
    world.journal.is_away = False
    world.journal.go_on()
    world.pass_seconds(3)
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 22, "B": 18})
    assert not file.exists()
    assert counting.numbers().spooled._value.get() == 0


def test_an_engine_that_is_killed_meanwhile_has_lost_nothing(world: World, file: Path) -> None:
    callback_id = talk_and_end(world)
    world.pass_seconds(2)
    world.crash()
    world.pass_seconds(60)
    with file.open("a") as cut_off:
        cut_off.write('{"callback": "0123')  # it was killed while it wrote the next one
    (line,) = Spool(file).left()
    for _ in range(3):
        with db.writing():
            assert spool.replay(line) == callback_id
    world.engine()
    world.pass_seconds(3)
    # To the second of the BYE, not to the last sign of life.
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 22, "B": 18})


def test_what_a_destination_cost_is_on_file_too_while_a_stays_on_the_line(tmp_path: Path) -> None:
    file = tmp_path / spool.FILE
    with on_a_file(tmp_path / "webcb.sqlite") as world:
        world.exchange._spool = Spool(file)
        stage = play(world, replace(STEPS["hosted"]["they talk"], seconds=18))  # B has answered at 16
        stage.set_away(True)
        world.pass_seconds(2.4)
        assert stage.hang_up("B")
        world.pass_seconds(2)
        assert stage.a.up
        (line,) = file.read_text().splitlines()
        world.crash()
        world.pass_seconds(30)
        for _ in range(2):
            with db.writing():
                assert spool.replay(line) == stage.callback_id
        file.unlink()
        world.journal.is_away = False
        world.engine()
        world.pass_seconds(60)
        bills = {leg: xdr.used_quantity for leg, xdr in world.xdrs(stage.callback_id).items()}
        assert bills["B1"] == 5  # to the second of its BYE
        assert bills.keys() == {"A", "B1"}
        assert books.differences() == []


def test_when_it_is_back_a_destination_is_charged_once_and_the_file_is_gone(tmp_path: Path) -> None:
    file = tmp_path / spool.FILE
    with on_a_file(tmp_path / "webcb.sqlite") as world:
        world.exchange._spool = Spool(file)
        stage = play(world, replace(STEPS["hosted"]["they talk"], seconds=18))
        stage.set_away(True)
        world.pass_seconds(2.4)
        stage.hang_up("B")
        world.pass_seconds(2)
        (line,) = file.read_text().splitlines()
        stage.set_away(False)
        assert not file.exists()
        with db.writing():  # it was killed before it knew
            spool.replay(line)
        stage.hang_up("A")
        world.pass_seconds(2)
        assert {leg: xdr.used_quantity for leg, xdr in world.xdrs(stage.callback_id).items()} == {"A": 19, "B1": 5}


def test_a_disk_that_takes_nothing_costs_nothing_but_the_file(world: World, file: Path) -> None:
    file.mkdir()
    callback_id = talk_and_end(world)
    world.pass_seconds(2)
    world.journal.is_away = False
    world.journal.go_on()
    world.pass_seconds(3)
    assert_over(world, callback_id, Ending.B_HUNG_UP, {"A": 22, "B": 18})


@pytest.mark.sqlite_alone
@pytest.mark.parametrize(
    ("pragma", "value", "mended"),
    [("max_page_count", 1, 1_073_741_823), ("query_only", "on", "off")],
    ids=["full", "only to be read"],
)
def test_a_disk_that_takes_no_rows_is_waited_for(
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    pragma: str,
    value: int,
    mended: int,
) -> None:
    monkeypatch.setitem(db.SQLITE_PRAGMAS, pragma, value)
    db.connect(database)
    told: list[object] = []
    arrived = threading.Event()

    def take(result: object) -> None:
        told.append(result)
        arrived.set()

    journal = Journal(lambda work: work())
    for number in range(200):  # more than the free pages have room for
        journal.post(lambda number=number: models.Tally.create(subject=f"{number}" * 50, until_at=1).subject)
    journal.post(lambda: "done", take)
    journal.start()
    wait_until(lambda: "not available" in caplog.text, "the journal waits")
    assert told == []
    monkeypatch.setitem(db.SQLITE_PRAGMAS, pragma, mended)
    db.connect(database)
    assert arrived.wait(20)
    assert journal.close(20)
    assert told == ["done"]
    assert models.Tally.select().count() == 200
