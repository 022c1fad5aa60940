"""The journal on a real SQLite file: order, groups, savepoints, and a database that is locked for a while."""

import gc
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from peewee import OperationalError

from tests.waiting import wait_until
from webcb import db, models
from webcb.billing import query
from webcb.engine.journal import Journal

PATIENCE_SECONDS = 20


class Results:
    """What the journal delivered, and a way to wait for so many of them."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._changed = threading.Condition()

    def take(self, result: Any) -> None:
        with self._changed:
            self.values.append(result)
            self._changed.notify_all()

    def wait(self, count: int) -> list[Any]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.values) >= count, PATIENCE_SECONDS)
            return self.values


def at_once(deliver: Callable[[], None]) -> None:
    deliver()


@pytest.fixture
def journal(database: str) -> Iterator[Journal]:
    made = Journal(at_once)
    yield made
    made.close(PATIENCE_SECONDS)


def add_node(name: str) -> str:
    query.change("INSERT INTO node (name) VALUES (?)", name)
    return name


def names() -> list[str]:
    return [node.name for node in models.Node.select().order_by(models.Node.id)]


def commits(path: Path) -> int:
    """How many transactions the write-ahead log of the file holds."""
    log = Path(f"{path}-wal").read_bytes()
    page_bytes = int.from_bytes(log[8:12])
    frames = range(32, len(log), 24 + page_bytes)
    return sum(int.from_bytes(log[start + 4 : start + 8]) > 0 for start in frames)


@pytest.mark.sqlite_alone
def test_jobs_that_wait_share_a_commit_and_keep_their_order(journal: Journal, database: str) -> None:
    path = Path(database.removeprefix("sqlite:///"))
    before = commits(path)
    results = Results()
    for number in range(50):
        journal.post(lambda number=number: add_node(f"n{number}"), results.take)
    journal.start()
    assert results.wait(50) == [f"n{number}" for number in range(50)]
    assert names() == [f"n{number}" for number in range(50)]
    assert commits(path) - before == 1


def test_what_nobody_waits_for_is_committed_with_what_somebody_does(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leg's row and the INVITE that follows a moment later share a commit; alone the row is written soon all the same."""
    sizes: list[int] = []
    commit = journal._commit
    monkeypatch.setattr(journal, "_commit", lambda jobs: (sizes.append(len(jobs)), commit(jobs)))
    results = Results()
    journal.start()
    journal.post(partial(add_node, "lazy"))
    journal.post(partial(add_node, "awaited"), results.take)
    results.wait(1)
    assert sizes == [2]
    journal.post(partial(add_node, "alone"))
    wait_until(lambda: len(sizes) == 2, "the last is written")
    assert journal.close(PATIENCE_SECONDS)
    assert models.Node.select().count() == 3


def test_a_job_that_fails_undoes_nothing_but_itself(journal: Journal) -> None:
    results = Results()

    def fail_half_way() -> None:
        add_node("half")
        raise RuntimeError("a fault of ours")

    journal.post(lambda: add_node("before"), results.take)
    journal.post(fail_half_way, results.take)
    journal.post(lambda: add_node("after"), results.take)
    journal.start()
    _, failed, _ = results.wait(3)
    assert isinstance(failed, RuntimeError)
    assert names() == ["before", "after"]


@pytest.mark.sqlite_alone
def test_a_locked_database_is_waited_for_and_nothing_is_lost(
    journal: Journal, database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(db.SQLITE_PRAGMAS, "busy_timeout", 20)
    db.connect(database)  # with the impatient pragma; the fixture's own connection stays as it is
    other = sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    results = Results()
    journal.post(lambda: add_node("one"), results.take)
    journal.start()
    while "not available" not in caplog.text:
        threading.Event().wait(0.01)
    journal.post(lambda: add_node("two"), results.take)
    assert results.values == []
    other.execute("COMMIT")
    assert results.wait(2) == ["one", "two"]
    other.close()


class Failure(OperationalError):
    """As the driver's: its own frames know it, and it has what a connection has."""

    def __init__(self) -> None:
        super().__init__("the server closed the connection")
        self.knows_itself = self


def test_what_tries_in_vain_have_left_is_freed_once_one_succeeds(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")  # what is captured is kept, failure and all
    tried: list[weakref.ref[Failure]] = []

    def work() -> str:
        if len(tried) < 3:
            failure = Failure()
            tried.append(weakref.ref(failure))
            raise failure
        return "done"

    results = Results()
    gc.disable()
    try:
        journal.post(work, results.take)
        journal.start()
        assert results.wait(1) == ["done"]
        wait_until(lambda: not any(failure() for failure in tried), "the failures are freed", PATIENCE_SECONDS)
    finally:
        gc.enable()


def test_close_finishes_what_waits(database: str) -> None:
    journal = Journal(at_once)
    for number in range(300):  # more than one group
        journal.post(lambda number=number: add_node(f"n{number}"))
    journal.start()
    assert journal.close(PATIENCE_SECONDS)
    assert len(names()) == 300


def test_a_result_nobody_can_take_stops_nothing(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    results = Results()

    def refuse(_: object) -> None:
        raise RuntimeError("a fault of ours")

    journal.post(lambda: 1, refuse)
    journal.post(lambda: 2, results.take)
    journal.start()
    assert results.wait(1) == [2]
    assert "could not be taken" in caplog.text


def test_jobs_that_are_broken_off_together_are_done_one_by_one(database: str, caplog: pytest.LogCaptureFixture) -> None:
    """PostgreSQL breaks a transaction off where two engines hold what the other wants."""

    class DeadlockDetected(sqlite3.OperationalError):
        sqlstate = "40P01"

    broken = []

    def once_too_many(name: str) -> str:
        if name == "second" and not broken:
            broken.append(name)
            raise OperationalError(DeadlockDetected("deadlock detected"))
        return add_node(name)

    journal, results = Journal(at_once), Results()
    for name in ("first", "second", "third"):
        journal.post(partial(once_too_many, name), results.take)
    journal.start()
    assert results.wait(3) == ["first", "second", "third"]
    assert journal.close(PATIENCE_SECONDS)
    assert names() == ["first", "second", "third"]
    assert "not available" not in caplog.text
