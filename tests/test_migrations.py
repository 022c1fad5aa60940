"""An older database becomes what schema.sql makes, its rows with it, on SQLite and PostgreSQL; what goes wrong leaves it as it was."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from peewee import DatabaseError

from tests import databases
from tests.billing.rows import NOON, NUMBER_A, NUMBER_B
from tests.billing.test_ledger import used
from tests.keeping.test_copy import live_in
from tests.releases import frozen
from webcb import db, models
from webcb.billing import books, reception, settlement

TOP = Path(__file__).parent.parent

MIGRATION = """
-- Since version 2 a distributor has a mail, and whom he has sold to is noted.
ALTER TABLE distributor ADD COLUMN mail TEXT NOT NULL DEFAULT '' CHECK (length(mail) <= 254);

CREATE TABLE sale (
  id INTEGER PRIMARY KEY,
  distributor_id BIGINT NOT NULL REFERENCES distributor (id)
);
CREATE INDEX sale_distributor ON sale (distributor_id);
--[sqlite
UPDATE distributor SET mail = 'sqlite@' || name;
--]
--[postgresql
UPDATE distributor SET mail = 'postgresql@' || name;
--]
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A lived-in database of the schema of today, which the next program finds."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'older.sqlite'}"
        yield from _lived_in(url)
    else:
        with databases.database_of(request.getfixturevalue("postgresql_url")) as url:
            yield from _lived_in(url)


def _lived_in(url: str) -> Iterator[str]:
    opened = db.connect(url)
    opened.connect()
    db.migrate()
    live_in()
    models.Distributor.create(name="ann")
    yield url
    opened.close()


def comes(monkeypatch: pytest.MonkeyPatch, *files: str) -> None:
    """The next program has these migrations."""
    monkeypatch.setattr(db, "_migrations", lambda: dict(enumerate(files, db.SCHEMA_VERSION + 1)))


def rows(sql: str) -> list[tuple]:
    return db.database.execute_sql(sql).fetchall()


def test_an_older_database_is_carried_up_with_its_rows(older: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = models.Ledger.select().count()
    comes(monkeypatch, MIGRATION, "CREATE INDEX sale_twice ON sale (id, distributor_id);\n")
    assert db.migrate() == (1, 3)
    assert db.migrate() == (3, 3)
    assert rows("SELECT name, mail FROM distributor") == [("ann", f"{db.dialect()}@ann")]
    assert rows("SELECT COUNT(*) FROM sale") == [(0,)]
    assert rows("SELECT version FROM schema_version ORDER BY version") == [(1,), (2,), (3,)]
    assert models.Ledger.select().count() == ledger
    assert books.differences() == []


def test_a_migration_that_fails_leaves_everything_as_it_was(older: str, monkeypatch: pytest.MonkeyPatch) -> None:
    comes(monkeypatch, MIGRATION, "UPDATE nothing_of_that_name SET x = 1;\n")
    with pytest.raises(DatabaseError):
        db.migrate()
    assert db.version() == 1
    assert not db.database.table_exists("sale")
    comes(monkeypatch, MIGRATION)
    assert db.migrate() == (1, 2)


def test_an_older_program_leaves_a_newer_database_alone(older: str, monkeypatch: pytest.MonkeyPatch) -> None:
    comes(monkeypatch, MIGRATION)
    db.migrate()
    comes(monkeypatch)
    with pytest.raises(db.DatabaseProblem, match="schema version 2, this program knows 1: install the newer webcb"):
        db.migrate()


def test_rows_that_refer_to_nothing_afterwards_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a migration that makes a table anew, as SQLite wants it for a changed CHECK, with its foreign keys looked at late."""
    opened = db.connect(f"sqlite:///{tmp_path / 'sound.sqlite'}")
    opened.connect()
    db.migrate()
    db.database.execute_sql("PRAGMA foreign_keys = off")
    comes(monkeypatch, "INSERT INTO batch (name, customer_id, created_at) VALUES ('lost', 99, 0);\n")
    with pytest.raises(db.DatabaseProblem, match="After migration 2 a row of batch refers to nothing"):
        db.migrate()
    assert db.version() == 1
    assert models.Batch.select().count() == 0
    opened.close()


def test_the_files_are_numbered_without_a_gap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    monkeypatch.setattr(db.resources, "files", lambda _package: tmp_path)
    (tmp_path / "migrations/0002_first.sql").write_text("SELECT 1;\n")
    (tmp_path / "migrations/0003_second.sql").write_text("SELECT 1;\n")
    assert sorted(db._migrations()) == [2, 3]
    (tmp_path / "migrations/0005_gap.sql").write_text("SELECT 1;\n")
    with pytest.raises(db.DatabaseProblem, match="not numbered"):
        db._migrations()


# From every version that was released ------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
    else:
        with databases.database_of(request.getfixturevalue("postgresql_url")) as url:
            yield url


def _migrated_by_the_command(url: str, folder: Path) -> str:
    """What `webcb migrate` says, in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBCB_")}
    environment |= {"WEBCB_DATABASE_URL": url, "WEBCB_DATA_DIR": str(folder)}
    command = [sys.executable, "-m", "webcb.cli", "migrate"]
    done = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("version", frozen.versions())
def test_a_database_of_every_version_is_carried_up_to_this_one(version: str, empty_url: str, tmp_path: Path) -> None:
    """Its rows are all there, its books exact, its tables those of a new one; the call that goes on is ended, another placed."""
    opened = db.connect(empty_url)
    opened.connect()
    try:
        frozen.make(version)
        opened.close()
        _migrated_by_the_command(empty_url, tmp_path)
        opened.connect()
        assert db.version() == db.newest_version()
        for table, columns in frozen.rows_of(version):
            key = next(iter(columns))
            mark = "?" if db.dialect() == "sqlite" else "%s"
            counted = db.database.execute_sql(
                f'SELECT COUNT(*) FROM "{table}" WHERE {key} = {mark}', (columns[key],)
            ).fetchone()
            assert counted == (1,), (table, columns)
        assert books.differences() == []
        (going_on,) = (
            columns for table, columns in frozen.rows_of(version) if table == "lock" and columns["state"] == "held"
        )
        settlement.settle(going_on["callback_id"], [used("A", 10)], "A hung up", False, NOON + timedelta(seconds=300))
        models.Node.update(heard_at=NOON + timedelta(hours=1)).execute()
        asked = reception.Order("-", "cb1001", None, NUMBER_A, NUMBER_B, "upgraded", "192.0.2.7")
        assert isinstance(reception.place(asked, NOON + timedelta(hours=1)), reception.Placed)
        assert books.differences() == []
        carried_up = frozen.shape()
    finally:
        opened.close()
    fresh = db.connect(f"sqlite:///{tmp_path / 'fresh.sqlite'}" if db.dialect() == "sqlite" else _emptied(empty_url))
    fresh.connect()
    db.migrate()
    assert carried_up == frozen.shape()
    fresh.close()


def _emptied(url: str) -> str:
    """That PostgreSQL database once more, without a table."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("DROP SCHEMA public CASCADE")
        owner.execute("CREATE SCHEMA public")
    return url
