"""The floor that billing is measured beside writes what billing writes: every row of every table, the same."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench import billing

TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


def everything(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as opened:
        names = [name for (name,) in opened.execute(TABLES)]
        return {name: opened.execute(f'SELECT * FROM "{name}" ORDER BY rowid').fetchall() for name in names}


@pytest.mark.parametrize("group", [1, 3])
def test_the_same_sql_by_hand_writes_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    monkeypatch.setattr(billing, "CALLBACKS_A_RUN", 6)
    monkeypatch.setattr(billing, "DESTINATIONS", 5)
    copy = tmp_path / "by-hand.sqlite"
    with billing._house(tmp_path) as house:
        ids = billing._placed(house, 0)
        billing._copy(copy)
        with billing._recorded() as recorded:
            billing._begin_and_settle(ids, group, recorded)
        billing._empty_log()
    billing._by_hand(copy, recorded)
    written, by_hand = everything(tmp_path / "webcb.sqlite"), everything(copy)
    assert {name: len(rows) for name, rows in by_hand.items()} == {name: len(rows) for name, rows in written.items()}
    assert by_hand == written
    assert len(written["xdr"]) == 12 and len(written["ledger"]) >= 24
