"""An older database becomes what schema.sql makes, its rows with it, on SQLite and PostgreSQL; what goes wrong leaves it as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import DatabaseError

from tests import databases
from tests.keeping.test_copy import live_in
from webcb import db, models
from webcb.billing import books

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
