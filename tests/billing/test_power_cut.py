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
CARDS = "cards/000001-new.csv"

# Everything that moves money, and a batch of accounts; each is acknowledged on standard output when it has returned.
PROGRAM = """
import sys
from pathlib import Path
from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import used
from webcb import db, jobs, models
from webcb.billing import batch, credentials, ledger, reception, settlement, voucher

def say(mark):
    sys.stdout.write(mark + " ")
    sys.stdout.flush()

db.connect(sys.argv[1]).connect()
credentials.use_key("a key of the tests alone")
db.database.execute_sql("PRAGMA wal_autocheckpoint = 12")  # so that writing back into the file is cut as well
account = models.Account.get()
say("begins")
for number in range(int(sys.argv[2])):
    ledger.post(account.wallet_id, account.id, "payment", 1_000_000, f"p{number}", "test", "", NOON)
    say(f"p{number}")
    order = reception.Order("-", account.login, None, rows.NUMBER_A, rows.NUMBER_B, f"k{number}", "test")
    callback_id = reception.place(order, NOON).callback_id
    say(f"placed:{callback_id}")
    reception.begin(callback_id, NOON)
    say(f"locked:{callback_id}")
    settlement.settle(callback_id, [used("A", 20), used("B", 10)], "A hung up", True, NOON)
    say(f"charge:{callback_id}:A")
    say(f"charge:{callback_id}:B")
    settlement.refund(callback_id, "B", 1000, f"r{number}", "test", "", NOON)
    say(f"r{number}")
(code,) = voucher.make("spring", 1, 500_000, "USD", None, "test", NOON)
say("made:spring")
voucher.redeem(code, account.id, "test", NOON)
say("voucher:1")
ledger.post(account.wallet_id, account.id, "manual charge", -1_000_000, "m", "test", "", NOON)
say("m")
order = batch.Order("Retail", "Callback services", "new", 3, 9, "cb55", opening_balance_micros=1_000_000)
job_id = batch.ask(order, "test", "", NOON)
say("asked:new")
batch.run(jobs.claim("test", NOON, job_id), Path(sys.argv[3]), lambda: NOON)
say("generated:3")
"""
MARKS = 1 + 6 * CALLBACKS + 5


def test_what_was_acknowledged_outlives_a_power_cut(tmp_path: Path) -> None:
    path = tmp_path / "webcb.sqlite"
    opened = db.connect(f"sqlite:///{path}")
    opened.connect()
    db.migrate()
    rows.house()
    opened.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()
    before = path.read_bytes()
    command = [sys.executable, "-c", PROGRAM, f"sqlite:///{path}", str(CALLBACKS), str(tmp_path)]
    lines = power_cut.record(command, tmp_path / "strace")
    seen: set[int] = set()
    most_marks = 0
    for files, marks in power_cut.images(lines, tmp_path, path.name, before, random.Random(1), CARDS):
        key = hash((tuple(sorted(files.items())), tuple(marks)))
        if key not in seen:
            seen.add(key)
            folder = tmp_path / "image"
            shutil.rmtree(folder, ignore_errors=True)
            (folder / CARDS).parent.mkdir(parents=True)
            for name, content in files.items():
                (folder / name).write_bytes(content)
            assert_nothing_is_lost(folder / path.name, marks, also_books=len(seen) % 8 == 0)
            most_marks = max(most_marks, len(marks))
    assert most_marks == MARKS, "the last acknowledgement was seen"
    assert len(seen) > 200


def assert_nothing_is_lost(path: Path, marks: list[str], also_books: bool) -> None:
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA synchronous = off")  # an image is looked at and thrown away: no disk need be waited for
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
        known = {key for (key,) in plain.execute("SELECT event_key FROM ledger")}
        known |= {f"placed:{callback_id}" for (callback_id,) in plain.execute("SELECT id FROM callback")}
        known |= {f"locked:{callback_id}" for (callback_id,) in plain.execute("SELECT callback_id FROM lock")}
        known |= {f"made:{series}" for (series,) in plain.execute("SELECT series FROM voucher")}
        known |= {f"asked:{name}" for (name,) in plain.execute("SELECT name FROM batch JOIN job ON plan <> ''")}
        known |= {f"generated:{made}" for (made,) in plain.execute("SELECT total FROM job WHERE state = 'done'")}
        cards = [login for (login,) in plain.execute("SELECT login FROM account WHERE batch_id IS NOT NULL")]
    for mark in marks[1:]:
        assert mark in known, f"{mark} was acknowledged and is lost"
    assert len(cards) in ((3,) if "generated:3" in marks else (0, 3)), "a batch is made whole"
    if cards:
        written = (path.parent / CARDS).read_text()
        assert all(login in written for login in cards), "an account of whose passwords no file is left"
    if also_books:
        opened = db.connect(f"sqlite:///{path}")
        opened.connect()
        opened.execute_sql("PRAGMA synchronous = off")
        assert books.differences() == []
        opened.close()
