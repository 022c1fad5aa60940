"""`webcb copy`: a lived-in database becomes the same one of the other kind, and back; what is not like its original is not kept."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests import databases
from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import begun, used
from webcb import cli, clock, db, models
from webcb.billing import books, ledger, query, settlement
from webcb.keeping import copying


def live_in() -> None:
    """A day of an operator: calls that were charged, one that goes on, one refused, a payment."""
    house = rows.house(first=60, following=6)
    ended = begun(house, "ended")
    settlement.settle(ended, [used("A", 85.2), used("B", 60.001)], "B hung up", True, NOON + timedelta(seconds=200))
    begun(house, "goes on")
    ledger.post(house.account.wallet_id, house.account.id, "payment", 1_000_000, "p:1", "test", "Grüße, „Ж“\n", NOON)
    models.RefusalCount.create(hour_at=NOON, reason="no funds", refusals=3)
    query.change("INSERT INTO tally (subject, until_at) VALUES (?, ?), (?, ?)", "é", 1, "Z", 2)


def every_row(url: str) -> dict[str, list[tuple]]:
    side = copying._Side(db.open_database(url))
    with side.database.atomic():
        found = {table._meta.table_name: list(side.rows(table)) for table in copying.TABLES}
    side.database.close()
    return found


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Iterator[str]:
    url = f"sqlite:///{tmp_path / 'lived-in.sqlite'}"
    opened = db.connect(url)
    opened.connect()
    db.migrate()
    live_in()
    yield url
    db.database.close()


def copied(source: str, target: str) -> int:
    opened = db.open_database(source), db.open_database(target)
    try:
        return copying.copy(*opened, lambda _table, _rows: None, hold=True)
    finally:
        for each in opened:
            each.close()


def test_there_and_back_every_row_is_the_same(sqlite_url: str, postgresql_url: str, tmp_path: Path) -> None:
    db.database.close()
    back = f"sqlite:///{tmp_path / 'back.sqlite'}"
    with databases.database_of(postgresql_url) as there:
        total = copied(sqlite_url, there)
        assert total == copied(there, back)
        assert every_row(sqlite_url) == every_row(there) == every_row(back)
        # The copy lives on: its numbers go on after those it has, its calls end and are charged.
        db.connect(there).connect()
        (going_on,) = query.rows("SELECT id FROM callback WHERE state = 'calling A' OR state = 'requested'")
        settlement.settle(going_on["id"], [used("A", 10)], "A hung up", False, NOON + timedelta(seconds=300))
        ledger.post(1, None, "payment", 5, "p:2", "test", "", NOON)
        assert books.differences() == []
        db.database.close()


def test_a_row_that_was_changed_on_the_way_is_found_and_nothing_kept(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = f"sqlite:///{tmp_path / 'target.sqlite'}"
    write = copying._Side.write

    def damaged(self, table, given):
        spoilt = [(*row[:-1], "f" * 64) if table is models.Ledger and row[0] == 2 else row for row in given]
        return write(self, table, spoilt)

    monkeypatch.setattr(copying._Side, "write", damaged)
    with pytest.raises(copying.CopyProblem, match="row 2 of ledger is not what it was: differs in hash"):
        copied(sqlite_url, target)
    assert not any(every_row(target).values())


def test_books_that_were_wrong_before_are_not_moved(sqlite_url: str, tmp_path: Path) -> None:
    query.change("UPDATE wallet SET balance_micros = balance_micros + 1 WHERE id = 1")
    with pytest.raises(copying.CopyProblem, match="the books of the copy contradict themselves: wallet 1"):
        copied(sqlite_url, f"sqlite:///{tmp_path / 'target.sqlite'}")


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        status = cli.run(list(words))
        return (status, *capfd.readouterr())

    return run


def test_the_command_refuses_what_would_lose_something(said, sqlite_url: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'target.sqlite'}"
    assert said("copy", "--from", sqlite_url, "--to", sqlite_url)[2] == "webcb: the target is the source\n"
    assert "no database at" in said("copy", "--from", f"sqlite:///{tmp_path}/no.sqlite", "--to", target)[2]
    models.Node.update(heard_at=clock.utc_now()).execute()
    status, _, wrong = said("copy", "--from", sqlite_url, "--to", target)
    assert (status, "an engine is running (node one)" in wrong) == (1, True)
    status, out, _ = said("copy", "--from", sqlite_url, "--to", target, "--while-running")
    assert (status, out.splitlines()[-1].split(" copied")[0]) == (
        0,
        f"{sum(map(len, every_row(sqlite_url).values()))} rows",
    )
    assert Path(tmp_path / "target.sqlite").stat().st_mode & 0o077 == 0
    models.Node.update(heard_at=NOON).execute()
    assert "the target is not empty: there are rows in wallet" in said("copy", "--from", sqlite_url, "--to", target)[2]
