"""`webcb backup` and `webcb restore`: made while others write, of either database into either, nothing half or damaged counts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import databases
from tests.keeping.test_copy import every_row, live_in, said, sqlite_url  # noqa: F401 - fixtures
from webcb import db
from webcb.billing import books, query
from webcb.keeping import backup
from webcb.keeping.copying import CopyProblem

Says = Callable[..., tuple[int, str, str]]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Sets the database of the settings."""
    monkeypatch.setenv("WEBCB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WEBCB_CONFIG", "/dev/null")
    return lambda url: monkeypatch.setenv("WEBCB_DATABASE_URL", url)


def test_what_is_kept_is_found_again(sqlite_url: str, tmp_path: Path, said: Says, at: Callable[[str], None]) -> None:  # noqa: F811
    at(sqlite_url)
    before = every_row(sqlite_url)
    with db.writing():  # somebody writes meanwhile, and what he has not committed is not in it
        query.change("UPDATE node SET name = 'another'")
        status, out, _ = said("backup", str(tmp_path / "kept"))
        db.connect(sqlite_url)
    assert (status, out.splitlines()[-1]) == (
        0,
        f"{sum(map(len, before.values()))} rows in {tmp_path / 'kept'}; the books of the backup are right",
    )
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("kept?*"))
    at(f"sqlite:///{tmp_path / 'restored.sqlite'}")
    assert said("restore", str(tmp_path / "kept"))[0] == 0
    assert every_row(f"sqlite:///{tmp_path / 'restored.sqlite'}") == before
    assert "nothing was restored: the target is not empty" in said("restore", str(tmp_path / "kept"))[2]
    assert "is there already" in said("backup", str(tmp_path / "kept"))[2]


def test_a_postgresql_is_kept_in_the_same_kind_of_file(postgresql_url: str, tmp_path: Path) -> None:
    with databases.database_of(postgresql_url) as url, databases.database_of(postgresql_url) as other:
        opened = db.connect(url)
        opened.connect()
        db.migrate()
        live_in()
        opened.close()
        source, target = db.open_database(url), db.open_database(other)
        rows = backup.make(source, tmp_path / "kept", lambda _table, _rows: None)
        assert backup.restore(tmp_path / "kept", target, lambda _table, _rows: None) == rows
        source.close(), target.close()
        assert every_row(other) == every_row(url)
        db.connect(other).connect()
        assert books.differences() == []
        db.database.close()


def test_a_damaged_file_and_wrong_books_are_seen(sqlite_url: str, tmp_path: Path) -> None:  # noqa: F811
    source = db.open_database(sqlite_url)
    target = db.open_database(f"sqlite:///{tmp_path / 'target.sqlite'}")

    def nobody(_table: str, _rows: int) -> None:
        return

    backup.make(source, tmp_path / "kept", nobody)
    octets = bytearray((tmp_path / "kept").read_bytes())
    octets[len(octets) // 2 : len(octets) // 2 + 20_000] = bytes(20_000)
    (tmp_path / "damaged").write_bytes(octets)
    (tmp_path / "strange").write_text("a letter")
    for wrong in ("damaged", "strange"):
        with pytest.raises(CopyProblem):
            backup.restore(tmp_path / wrong, target, nobody)
    query.change("UPDATE wallet SET balance_micros = balance_micros + 1 WHERE id = 1")
    with pytest.raises(CopyProblem, match="the books contradict themselves"):
        backup.make(source, tmp_path / "wrong", nobody)
    assert not (tmp_path / "wrong").exists()
    source.close(), target.close()
