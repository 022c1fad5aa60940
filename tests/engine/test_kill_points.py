"""kill -9 of the engine at every commit and every datagram of one callback, by strace: nothing is lost, nothing doubled, nobody
left on the line. A few of the points here, all of them in the soak.

strace kills before the n-th call of its kind is made, so one point is after what came before it, too. The next engine stands by.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import pytest

import webcb
from tests.billing import rows
from tests.callback.installation import waits_for_its_turn
from tests.engine.dutiful_phone import T1, T2, DutifulPhones
from tests.engine.test_runner import SECRET
from tests.ports import free_port
from tests.waiting import wait_until
from webcb import clock, doorbell, models
from webcb.billing import books, credentials

pytestmark = pytest.mark.sqlite_alone  # strace finds its commits by fdatasync

RING_SECONDS, TALK_SECONDS = 0.3, 0.6
OVER_SECONDS_MAX = 5.0  # after the next engine is there nobody is on the line
STRACE_SECONDS_MAX = 5.0
POINTS_MAX, PART = 200, 40  # of a sweep, and of one test of it
COMMAND = [sys.executable, "-m", "webcb", "engine", "--stand-by"]
COMMIT, WRITE, DATAGRAM = "fdatasync", "pwrite64", "sendto"
SWEEP = [(COMMIT, 1), (DATAGRAM, 1), *((WRITE, first) for first in range(1, POINTS_MAX, PART))]


class Chain:
    """Engines on one folder, one after the other: the first works, the second stands by."""

    def __init__(self, folder: Path, house: rows.House, phones: DutifulPhones) -> None:
        self.phones = phones
        self.bell = folder / "engine.sock"
        self.log = folder / "log"
        self._folder, self.house = folder, house
        values = {
            "WEBCB_DATA_DIR": str(folder),
            "WEBCB_SIP_BINDS": f"127.0.0.1:{free_port()}",
            "WEBCB_SECRET_KEY": SECRET,
            "WEBCB_NODE_NAME": "one",
            "PYTHONPATH": str(Path(webcb.__file__).parent.parent),
        }
        self._environment = os.environ | values
        self.engine = self._start()
        wait_until(lambda: self._ups() == 1, "the engine is up")
        self.spare = self._start()
        wait_until(self._is_warm, "the spare engine is warm")

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(COMMAND, env=self._environment, cwd=self._folder, stderr=log)

    def _ups(self) -> int:
        return self.log.read_text().count("is up: SIP on")

    def _is_warm(self) -> bool:
        assert self.spare.poll() is None, self.log.read_text()
        return waits_for_its_turn(self.spare.pid)

    def hangs_up(self) -> bool:
        """Whether a phone has said BYE."""
        return any(call.hung_up_at for call in self.phones.calls.values())

    def restart(self, after: Callable[[], None]) -> None:
        """Kill both engines, and start another once `after` returns."""
        for engine in (self.spare, self.engine):
            engine.kill()
            engine.wait()
        after()
        self.engine = self._start()

    def call_and_kill(self, what: str, point: int) -> bool:
        """One callback, the engine killed before its `point`-th call of `what`; False where it made no so many. Holds the laws."""
        ups, key = self._ups(), f"{what} {point}"
        with self._killed_at(what, point) as died:
            callback_id = rows.place(self.house, key, clock.utc_now())
            doorbell.ring(self.bell)
            wait_until(lambda: died() or self._is_over(callback_id), f"{key}: the engine dies, or the callback ends")
        is_dead = self.engine.poll() is not None  # strace may have found its call while it was told to go
        if is_dead:
            self.engine.wait()
            wait_until(lambda: self._ups() == ups + 1, f"{key}: the next engine is up")
            up_at = time.monotonic()
            self.engine, self.spare = self.spare, self._start()
            wait_until(lambda: self._is_over(callback_id) and not self.phones.up(), key, OVER_SECONDS_MAX)
            print(f"{key}: over {time.monotonic() - up_at:.1f} s after the restart, {self._ending(callback_id)}")
        self._assert_laws(callback_id, key)
        if is_dead:
            wait_until(self._is_warm, "the next spare engine is warm")
        return is_dead

    @contextmanager
    def _killed_at(self, what: str, point: int) -> Iterator[Callable[[], bool]]:
        pid = self.engine.pid
        inject = f"inject={what}:signal=SIGKILL:when={point}"
        strace = subprocess.Popen(
            ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", f"trace={what}", "-e", inject, "-p", str(pid)],
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: self.engine.poll() is not None or _is_traced(pid), "strace is there")
            yield lambda: self.engine.poll() is not None
        finally:
            strace.terminate()
            try:
                strace.wait(STRACE_SECONDS_MAX)
            except subprocess.TimeoutExpired:  # it waits for a thread that it has killed itself
                strace.kill()
                strace.wait()

    def _is_over(self, callback_id: str) -> bool:
        return bool(models.Callback.get_by_id(callback_id).state == "ended")

    def _ending(self, callback_id: str) -> str:
        return str(models.Callback.get_by_id(callback_id).ending)

    def _assert_laws(self, callback_id: str, key: str) -> None:
        """One xDR for each leg that was called, of more than nothing where it was answered; each phone called once; no lock left."""
        wait_until(lambda: not self.phones.up(), f"{key}: nobody is on the line")
        calls = {call.number: call for call in self.phones.calls.values()}
        assert len(calls) == len(self.phones.calls), f"{key}: a phone was called twice"
        xdrs = {xdr.leg: xdr for xdr in models.Xdr.select().where(models.Xdr.callback == callback_id)}
        assert models.Xdr.select().where(models.Xdr.callback == callback_id).count() == len(xdrs), key
        for leg in models.Leg.select().where(models.Leg.callback == callback_id):
            call = calls.get(leg.cld)
            assert (leg.name in xdrs) == (leg.placed_at is not None), key
            assert call is None or leg.placed_at is not None, (
                f"{key}: leg {leg.name} was called, and nothing is known of it"
            )
            talked = call is not None and call.acknowledged_at is not None and leg.answered_at is not None
            assert not talked or xdrs[leg.name].used_quantity >= 1, f"{key}: leg {leg.name} talked for nothing"
        assert not models.Lock.select().where(models.Lock.state == "held").count(), key
        assert books.differences() == [], key
        self.phones.calls.clear()

    def close(self) -> None:
        for engine in (self.spare, self.engine):
            engine.kill()
            engine.wait()


def _is_traced(pid: int) -> bool:
    statuses = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return bool(statuses) and all("TracerPid:\t0\n" not in status for status in statuses)


@pytest.fixture
def chain(database: str, tmp_path: Path) -> Iterator[Chain]:
    with chained(tmp_path, T1, T2) as made:
        yield made


@contextmanager
def chained(tmp_path: Path, *again_seconds: float) -> Iterator[Chain]:
    """Engines, and phones of which B's hangs up soon and says it again so often."""
    credentials.use_key(SECRET)
    numbers = rows.NUMBER_A.digits, rows.NUMBER_B.digits
    phones = DutifulPhones(dict.fromkeys(numbers, RING_SECONDS), {numbers[1]: TALK_SECONDS}, again_seconds)
    house = rows.house(balance="5000.00", first=1, following=1, price="0.60")
    rows.no_limits()
    models.Connection.update(port=phones.port).execute()
    made = None
    try:
        made = Chain(tmp_path, house, phones)
        yield made
    finally:
        if made is not None:
            made.close()
            print(made.log.read_text())
        phones.close()


def test_kills_at_commits_and_datagrams_lose_nothing_and_double_nothing(chain: Chain) -> None:
    for what, point in ((COMMIT, 3), (DATAGRAM, 2), (COMMIT, 5)):
        assert chain.call_and_kill(what, point)


def test_a_bye_that_comes_while_an_engine_starts_is_that_of_a_known_call(database: str, tmp_path: Path) -> None:
    """B hangs up while no engine is there, and says so every few milliseconds: the next one never says that it knows of no call."""
    with chained(tmp_path, 0.005, 0.005) as chain:
        callback_id = rows.place(chain.house, "once", clock.utc_now())
        doorbell.ring(chain.bell)
        wait_until(lambda: models.Callback.get_by_id(callback_id).state == "talking", "they talk")
        chain.restart(after=lambda: wait_until(chain.hangs_up, "B hangs up"))
        wait_until(lambda: models.Callback.get_by_id(callback_id).state == "ended", "it has ended")
        assert models.Callback.get_by_id(callback_id).ending == "B hung up"
        assert set(chain.phones.answers) == {200}


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("what", "first"), SWEEP)
def test_a_kill_at_any_commit_write_or_datagram_loses_nothing_and_doubles_nothing(
    chain: Chain, what: str, first: int
) -> None:
    """Up to the point that is not reached any more, which must be among those of the sweep."""
    died = sum(1 for _ in takewhile(lambda point: chain.call_and_kill(what, point), range(first, first + PART)))
    print(f"{what}: killed at each of {died} points from {first} on")
    assert died >= 5 or first > 1
    assert died < PART or (what, first + PART) in SWEEP, "there are more points than the sweep has"
