"""The database is held by another for five seconds while callbacks are at every step: none ends for that, none costs a second more
or less, who hangs up meanwhile is let go at once, and who was released on the page as soon as the engine can know.
"""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import webcb
from tests.billing import rows
from tests.engine.dutiful_phone import DutifulPhones, PhoneCall
from tests.engine.test_kill_points import COMMAND
from tests.engine.test_runner import SECRET
from tests.ports import free_port
from tests.waiting import wait_until
from webcb import clock, db, doorbell, models
from webcb.billing import credentials, reception

STALL_SECONDS = 5.0
SLICE_SECONDS = 10  # renewed at half of it: in the stall
TOLERANCE_SECONDS = 0.3  # between the phone's clock and the engine's, on a loaded host
LET_GO_SECONDS_MAX = 1.0
RELEASED_SECONDS_MAX = 2.0  # after the stall; the journal waits up to a second before it tries again
# Every transaction of an engine looks at its node first (lease.hold): on PostgreSQL that holds up all, in one place.
HOLD_TABLES = "LOCK TABLE node IN EXCLUSIVE MODE"


@dataclass(frozen=True)
class Step:
    """A callback that is placed so long before the stall, whose phones ring and whose B talks so long."""

    name: str
    placed_before: float
    ring_a: float
    ring_b: float
    talk: float
    is_released: bool = False


STEPS = (
    Step("its slice is renewed", 2.5, 0.1, 0.1, 13.0),
    Step("B hangs up", 2.4, 0.1, 0.1, 4.0),
    Step("B answers", 2.0, 0.1, 4.0, 5.0),
    Step("A answers", 1.0, 3.0, 0.5, 2.0),
    Step("it is released", 2.2, 0.1, 0.1, 60.0, is_released=True),
    Step("it is claimed", 0.0, 0.5, 0.5, 2.0),
)


def test_a_database_that_is_held_for_five_seconds_ends_no_call(database: str, tmp_path: Path) -> None:
    credentials.use_key(SECRET)
    house = rows.house(balance="50.00", first=1, following=1, price="0.60")
    rows.no_limits()
    models.UsageCharge.update(slice_seconds=SLICE_SECONDS).execute()
    numbers = {
        step: [replace(number, digits=f"{number.digits[:-1]}{place}") for number in (rows.NUMBER_A, rows.NUMBER_B)]
        for place, step in enumerate(STEPS)
    }
    rings = {a.digits: step.ring_a for step, (a, _) in numbers.items()} | {
        b.digits: step.ring_b for step, (_, b) in numbers.items()
    }
    phones = DutifulPhones(rings, {b.digits: step.talk for step, (_, b) in numbers.items()})
    models.Connection.update(port=phones.port).execute()
    bell = tmp_path / "engine.sock"
    engine = start(tmp_path, database, tmp_path / "log")
    try:
        wait_until(lambda: "is up: SIP on" in (tmp_path / "log").read_text(), "the engine is up")
        first = STEPS[0].placed_before
        began = time.monotonic()
        callbacks: dict[Step, str] = {}
        for step in STEPS:
            time.sleep(max(0.0, began + first - step.placed_before - time.monotonic()))
            a, b = numbers[step]
            callbacks[step] = rows.place(house, step.name, clock.utc_now(), number_a=a, number_b=b)
            if step is not STEPS[-1]:
                doorbell.ring(bell)
        (released,) = (callbacks[step] for step in STEPS if step.is_released)
        assert reception.ask_release(released, "user", clock.utc_now())
        let_go = _stall(lambda: _by_number(phones), numbers[STEPS[1]][0].digits, bell)
        wait_until(lambda: models.Callback.get_by_id(released).state == "ended", "it is released", RELEASED_SECONDS_MAX)
        for step, callback_id in callbacks.items():
            wait_until(lambda of=callback_id: models.Callback.get_by_id(of).state == "ended", step.name, 30)  # type: ignore[misc]
        wait_until(lambda: not phones.up(), "nobody is on the line")
        assert let_go, "A was kept on the line while the database was away"
        for step, callback_id in callbacks.items():
            ending = "user released" if step.is_released else "B hung up"
            assert models.Callback.get_by_id(callback_id).ending == ending, step.name
            for leg, number in zip("AB", numbers[step], strict=True):
                call = _by_number(phones)[number.digits]
                assert call.answered_at is not None
                assert call.over_at is not None
                up = (call.hung_up_at or call.over_at) - call.answered_at
                xdr = models.Xdr.get((models.Xdr.callback == callback_id) & (models.Xdr.leg == leg))
                assert ceil(up - TOLERANCE_SECONDS) <= xdr.used_quantity <= ceil(up + TOLERANCE_SECONDS), step.name
        assert "is kept on file until the database takes it" in (tmp_path / "log").read_text()  # it was held indeed
    finally:
        engine.terminate()
        engine.wait()
        phones.close()
        print((tmp_path / "log").read_text())


def start(folder: Path, database_url: str, log: Path) -> subprocess.Popen[bytes]:
    """An engine on a data folder."""
    values = {
        "WEBCB_DATA_DIR": str(folder),
        "WEBCB_DATABASE_URL": database_url,
        "WEBCB_SIP_BINDS": f"127.0.0.1:{free_port()}",
        "WEBCB_SECRET_KEY": SECRET,
        "WEBCB_NODE_NAME": "one",
        "PYTHONPATH": str(Path(webcb.__file__).parent.parent),
    }
    with log.open("wb") as file:
        return subprocess.Popen(COMMAND, env=os.environ | values, cwd=folder, stderr=file)


def _by_number(phones: DutifulPhones) -> dict[str, PhoneCall]:
    return {call.number: call for call in list(phones.calls.values())}


def _stall(calls: Callable[[], dict[str, PhoneCall]], who_is_let_go: str, bell: Path) -> bool:
    """Hold the database for writing, as a backup or an import that is badly made would, and ring for what was placed last;
    whether that leg was over soon after its peer had hung up, while it was held."""
    with db.writing():
        if db.dialect() == "postgresql":
            db.database.execute_sql(HOLD_TABLES)
        doorbell.ring(bell)
        end = time.monotonic() + STALL_SECONDS
        is_let_go = False
        while time.monotonic() < end:
            call = calls().get(who_is_let_go)
            is_let_go |= call is not None and call.over_at is not None and call.over_at < end - LET_GO_SECONDS_MAX
            time.sleep(0.05)
    return is_let_go
