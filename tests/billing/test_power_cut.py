"""Whatever was acknowledged is there after a power cut between any two system calls, and the books agree."""

import random
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from tests.billing import power_cut, rows
from webcb import db
from webcb.billing import books

CALLBACKS = 2

# Payments and whole callbacks; each is acknowledged on standard output when its transaction has returned.
PROGRAM = """
import sys
from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import used
from webcb import db, models
from webcb.billing import ledger, reception, settlement

def say(mark):
    sys.stdout.write(mark + " ")
    sys.stdout.flush()

db.connect(sys.argv[1]).connect()
db.database.execute_sql("PRAGMA wal_autocheckpoint = 12")  # so that writing back into the file is cut as well
account = models.Account.get()
say("begins")
for number in range(int(sys.argv[2])):
    ledger.post(account.wallet_id, account.id, "payment", 1_000_000, f"p{number}", "test", "", NOON)
    say(f"p{number}")
    order = reception.Order("-", account.login, None, rows.NUMBER_A, rows.NUMBER_B, f"k{number}", "test")
    callback_id = reception.place(order, NOON).callback_id
    reception.begin(callback_id, NOON)
    say(f"locked:{callback_id}")
    settlement.settle(callback_id, [used("A", 20), used("B", 10)], "A hung up", True, NOON)
    say(f"charge:{callback_id}:B")
"""


def test_what_was_acknowledged_outlives_a_power_cut(tmp_path: Path) -> None:
    path = tmp_path / "webcb.sqlite"
    opened = db.connect(f"sqlite:///{path}")
    opened.connect()
    db.migrate()
    rows.house()
    opened.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()
    before = path.read_bytes()
    command = [sys.executable, "-c", PROGRAM, f"sqlite:///{path}", str(CALLBACKS)]
    lines = power_cut.record(command, tmp_path / "strace")
    seen: set[int] = set()
    most_marks = 0
    for files, marks in power_cut.images(lines, tmp_path, path.name, before, random.Random(1)):
        key = hash((tuple(sorted(files.items())), tuple(marks)))
        if key not in seen:
            seen.add(key)
            folder = tmp_path / "image"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_bytes(content)
            assert_nothing_is_lost(folder / path.name, marks, also_books=len(seen) % 4 == 0)
            most_marks = max(most_marks, len(marks))
    assert most_marks == 1 + 3 * CALLBACKS, "the last acknowledgement was seen"
    assert len(seen) > 100


def assert_nothing_is_lost(path: Path, marks: list[str], also_books: bool) -> None:
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA synchronous = off")  # an image is looked at and thrown away: no disk need be waited for
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
        posted = {key for (key,) in plain.execute("SELECT event_key FROM ledger")}
        locked = {callback_id for (callback_id,) in plain.execute("SELECT callback_id FROM lock")}
    for mark in marks[1:]:
        assert mark in posted or mark.removeprefix("locked:") in locked, f"{mark} was acknowledged and is lost"
    if also_books:
        opened = db.connect(f"sqlite:///{path}")
        opened.connect()
        opened.execute_sql("PRAGMA synchronous = off")
        assert books.differences() == []
        opened.close()
