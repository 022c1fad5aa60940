"""The disk of an SQLite installation is full while calls go on, with a real engine: nobody is kept on the line for that, no order is
taken, and when there is room again everything is charged once, to the second.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest

from tests.billing import rows
from tests.engine.dutiful_phone import DutifulPhones
from tests.engine.test_runner import SECRET
from tests.engine.test_stalled_database import LET_GO_SECONDS_MAX, TOLERANCE_SECONDS, start
from tests.waiting import wait_until
from webcb import clock, db, doorbell, models
from webcb.billing import books, credentials

SHORT_SECONDS, LONG_SECONDS = 2.0, 6.0
DISK = "16m"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own, of DISK bytes, in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left; the file that has it."""
    path = folder / "somebody's file"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return path


@pytest.mark.sqlite_alone
def test_a_full_disk_ends_no_call_and_loses_no_charge(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk):
        url = f"sqlite:///{disk}/webcb.sqlite"
        opened = db.connect(url)
        db.migrate()
        credentials.use_key(SECRET)
        house = rows.house(balance="50.00", first=1, following=1, price="0.60")
        rows.no_limits()
        numbers = [
            [replace(number, digits=f"{number.digits[:-1]}{place}") for number in (rows.NUMBER_A, rows.NUMBER_B)]
            for place in range(2)
        ]
        talks = {b.digits: seconds for (_, b), seconds in zip(numbers, (SHORT_SECONDS, LONG_SECONDS), strict=True)}
        phones = DutifulPhones({each.digits: 0.1 for pair in numbers for each in pair}, talks)
        models.Connection.update(port=phones.port).execute()
        engine = start(disk, url, tmp_path / "log")
        try:
            wait_until(lambda: "is up: SIP on" in (tmp_path / "log").read_text(), "the engine is up")
            placed = [
                rows.place(house, f"{place}", clock.utc_now(), number_a=a, number_b=b)
                for place, (a, b) in enumerate(numbers)
            ]
            doorbell.ring(disk / "engine.sock")
            wait_until(lambda: all(models.Callback.get_by_id(each).state == "talking" for each in placed), "both talk")
            file = fill(disk)
            with pytest.raises(db.UNAVAILABLE):
                for number in range(100_000):  # until what the files still have is used up
                    models.Tally.create(subject=f"{number}" * 50, until_at=1)
            with pytest.raises(db.UNAVAILABLE):
                rows.place(house, "in vain", clock.utc_now())
            by_number = {call.number: call for call in phones.calls.values()}
            for (a, b), seconds in zip(numbers, (SHORT_SECONDS, LONG_SECONDS), strict=True):
                wait_until(lambda who=b: by_number[who.digits].hung_up_at, "B hangs up", seconds + 2)  # type: ignore[misc]
                wait_until(lambda who=a: by_number[who.digits].over_at, "A is let go", LET_GO_SECONDS_MAX)  # type: ignore[misc]
            assert "not available" in (tmp_path / "log").read_text()
            file.unlink()
            for callback_id in placed:
                wait_until(lambda of=callback_id: models.Callback.get_by_id(of).state == "ended", "it is settled")  # type: ignore[misc]
            for callback_id, pair in zip(placed, numbers, strict=True):
                for leg, number in zip("AB", pair, strict=True):
                    call = by_number[number.digits]
                    assert call.answered_at is not None
                    up = (call.hung_up_at or call.over_at or time.monotonic()) - call.answered_at
                    xdr = models.Xdr.get((models.Xdr.callback == callback_id) & (models.Xdr.leg == leg))
                    assert ceil(up - TOLERANCE_SECONDS) <= xdr.used_quantity <= ceil(up + TOLERANCE_SECONDS)
            assert books.differences() == []
        finally:
            engine.terminate()
            engine.wait()
            phones.close()
            opened.close()
            print((tmp_path / "log").read_text())
