"""`webcb archive`: old bills leave for a file that every command reads; what is left is right after every step, on either database."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from peewee import DatabaseError

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import begun, used
from tests.keeping.test_copy import said  # noqa: F401 - a fixture
from webcb import clock, db, models
from webcb.billing import archived, books, ledger, query, settlement
from webcb.billing.statement import Statement, statement
from webcb.clerk.runner import Clerk
from webcb.keeping import archiving
from webcb.keeping.copying import CopyProblem
from webcb.settings import Settings

Says = Callable[..., tuple[int, str, str]]
OLD, YOUNG = 4, 3  # callbacks of each
MIDDLE = NOON + timedelta(days=20)
LATE = NOON + timedelta(days=40)
TODAY = NOON + timedelta(days=60)


@pytest.fixture
def house(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[rows.House]:
    """Callbacks at NOON and at LATE, payments between, one old call given back lately; no table is read by another test."""
    monkeypatch.setenv("WEBCB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WEBCB_CONFIG", os.devnull)
    monkeypatch.setenv("WEBCB_DATABASE_URL", database_url)
    opened = db.connect(database_url)
    opened.connect()
    db.migrate()
    rows.no_limits()
    house = rows.house(first=60, following=6)
    for number in range(OLD):
        settle(house, f"old {number}", NOON)
    ledger.post(house.account.wallet_id, house.account.id, "payment", 1_000_000, "p:1", "test", "", NOON)
    for number in range(YOUNG):
        settle(house, f"young {number}", LATE)
    settlement.refund(ids_of("old 0")[0], "B", 10_000, "refund:1", "test", "noise", LATE)
    assert books.differences() == []
    yield house
    if not db.database.is_closed():
        db.database.close()


def settle(house: rows.House, key: str, at: object) -> None:
    callback_id = begun(house, key)
    settlement.settle(callback_id, [used("A", 61), used("B", 30)], "B hung up", True, at)
    query.change(
        "UPDATE callback SET requested_at = ?, ended_at = ? WHERE id = ?", *[query.micros(at)] * 2, callback_id
    )


def ids_of(key: str) -> list[str]:
    return [row.id for row in models.Callback.select().where(models.Callback.idempotency_key == key)]


def old_ledger_rows() -> int:
    return models.Ledger.select().where(models.Ledger.at < MIDDLE).count()


def begin(tmp_path: Path, name: str = "old.sqlite") -> models.Archive:
    source = db.open_database(os.environ["WEBCB_DATABASE_URL"])
    try:
        return archiving.begin(source, tmp_path / name, MIDDLE, "test", TODAY, lambda _table, _rows: None)
    finally:
        source.close()


def steps() -> int:
    taken = 0
    while archived.let_go(TODAY):
        taken += 1
        assert books.differences() == []
    return taken


def in_file(file: Path, what: Callable[[], Statement]) -> Statement:
    bound = db.database.obj
    opened = db.open_database(f"sqlite:///{file}?mode=ro")
    db.database.initialize(opened)
    try:
        return what()
    finally:
        opened.close()
        db.database.initialize(bound)


def test_what_is_old_leaves_and_the_books_stay_right(
    house: rows.House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet_id = house.account.wallet_id
    of_then = statement(wallet_id, NOON - timedelta(days=1), MIDDLE)
    of_now = statement(wallet_id, MIDDLE, TODAY)
    sums, balance = books.balances(), models.Wallet.get_by_id(wallet_id).balance_micros
    head = models.Wallet.get_by_id(wallet_id).ledger_head
    for name in ("LEDGER_ROWS_PER_STEP", "XDRS_PER_STEP", "CALLBACKS_PER_STEP"):
        monkeypatch.setattr(archived, name, 3)
    made = begin(tmp_path)
    assert steps() > 5
    made = models.Archive.get_by_id(made.id)
    assert made.ended_at == TODAY
    assert (made.callbacks, made.xdrs) == (OLD - 1, 2 * OLD - 1)  # one bill is still referred to by what was given back
    # The tables have what is young, and what that refers to.
    assert old_ledger_rows() == 0
    assert ids_of("old 1") == []
    assert len(ids_of("young 1")) == len(ids_of("old 0")) == 1
    assert models.Xdr.select().where(models.Xdr.bill_time < MIDDLE).count() == 1
    # Money is what it was, and so is what can be proven of it.
    assert books.balances() == sums
    assert models.Wallet.get_by_id(wallet_id).balance_micros == balance
    assert statement(wallet_id, MIDDLE, TODAY) == of_now
    with pytest.raises(archived.Archived, match=r"what was before .* is in the archive .*old\.sqlite"):
        statement(wallet_id, NOON - timedelta(days=1), MIDDLE)
    assert in_file(tmp_path / "old.sqlite", lambda: statement(wallet_id, NOON - timedelta(days=1), MIDDLE)) == of_then
    assert archiving.digest(tmp_path / "old.sqlite") == made.sha256
    # Life goes on from there.
    ledger.post(wallet_id, house.account.id, "payment", 5, "p:2", "test", "", TODAY)
    settle(house, "after", TODAY)
    assert books.differences() == []
    assert models.CarriedChain.get().hash != head


def test_a_carried_sum_that_is_changed_is_seen(house: rows.House, tmp_path: Path) -> None:
    begin(tmp_path)
    steps()
    for table, column in (("carried_chain", "balance_micros"), ("carried_book", "amount_micros")):
        query.change(f"UPDATE {table} SET {column} = {column} + 1 WHERE id = (SELECT MIN(id) FROM {table})")
        assert books.differences() != []
        query.change(f"UPDATE {table} SET {column} = {column} - 1 WHERE id = (SELECT MIN(id) FROM {table})")
    query.change("UPDATE carried_chain SET hash = ? WHERE id = (SELECT MIN(id) FROM carried_chain)", "0" * 64)
    assert "its chain is broken" in " ".join(books.differences())


def test_nothing_leaves_that_no_archive_has(house: rows.House, tmp_path: Path) -> None:
    def refused(sql: str) -> bool:
        try:
            with db.writing():
                query.change(sql)
        except DatabaseError:
            return True
        return False

    one = "DELETE FROM ledger WHERE id = (SELECT MAX(id) FROM ledger WHERE vendor_id IS NULL)"
    old = "DELETE FROM ledger WHERE id = (SELECT MIN(id) FROM ledger)"
    assert refused(one)
    assert refused(old)
    made = begin(tmp_path)
    assert refused(one)  # it is young
    steps()
    assert refused("DELETE FROM xdr WHERE id = (SELECT MIN(id) FROM xdr WHERE refund_of_id IS NOT NULL)")
    assert models.Archive.get_by_id(made.id).ended_at is not None
    assert refused(old)


def test_an_archive_that_was_broken_off_is_gone_on_with_by_the_clerk(house: rows.House, tmp_path: Path) -> None:
    begin(tmp_path)
    archived.let_go(TODAY)
    with pytest.raises(CopyProblem, match="is not done"):
        begin(tmp_path, "another.sqlite")
    assert not (tmp_path / "another.sqlite").exists()
    db.database.close()
    Clerk(Settings(data_dir=tmp_path), lambda: True).work()
    with db.database.connection_context():
        assert models.Archive.get().ended_at is not None
        assert old_ledger_rows() == 0


def test_the_command(
    house: rows.House,
    tmp_path: Path,
    said: Says,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    database_url: str,
) -> None:
    db.database.close()
    yesterday = f"{clock.utc_now() - timedelta(days=1):%Y-%m-%d}"
    status, _, wrong = said("archive", "--before", yesterday, str(tmp_path / "young.sqlite"))
    assert (status, "younger than 31 days stays" in wrong) == (1, True)
    status, out, _ = said("archive", "--before", f"{NOON + timedelta(hours=12):%Y-%m-%d}")
    file = tmp_path / "data/archives" / f"{NOON + timedelta(hours=12):%Y-%m-%d}.sqlite"
    assert (status, file.stat().st_mode & 0o077) == (0, 0)
    assert f"rows in {file}; the books of the archive are right" in out
    assert "left the database: " in out
    assert said("check", "--only", "books")[0] == 0
    monkeypatch.setenv("WEBCB_DATABASE_URL", f"sqlite:///{file}?mode=ro")
    assert len(said("xdrs", "--csv")[1].splitlines()) == 1 + 2 * (OLD + YOUNG) + 1
    assert "readonly" in said("accounts", "credit", house.account.login, "1")[2]
    assert archiving.digest(file) in out
    monkeypatch.setenv("WEBCB_DATABASE_URL", database_url)
    listed = said("archive", "--csv")[1].splitlines()
    assert [line.split(",")[3] for line in listed] == ["state", "done"]
    assert said("archive", "--resume")[1] == "left the database: 0 ledger rows, 0 xDRs, 0 callbacks\n"


def test_every_table_that_refers_to_a_callback_is_thought_of() -> None:
    """A new one would keep callbacks from leaving, by its foreign key."""
    source = Path(archived.__file__).read_text()
    referring = {
        table._meta.table_name
        for table in models.ALL_TABLES
        for field in table._meta.sorted_fields
        if getattr(field, "rel_model", None) in (models.Callback, models.Leg, models.Sink)
    }
    assert {table for table in referring if f"{table} WHERE" not in source} == set()
