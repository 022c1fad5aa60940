"""The database goes away under running calls, with real processes: no new ones, those that go on keep to their funds, whoever hangs up
is let go at once, and each settlement is on file and made once when it is back.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.fleet.configuration import ACCOUNTS
from tests.fleet.ground import DATABASE, WEB, Ground, ground
from tests.fleet.laws import assert_laws
from tests.fleet.traffic import wait_until_over
from tests.waiting import wait_until
from webcb import clock, db
from webcb.billing import reception
from webcb.engine import spool
from webcb.models import Callback, UsageCharge

NODE = "one"
SLICE_SECONDS = 20  # what is set aside at a time, renewed at half of it
SHORT_TALK_MS, LONG_TALK_MS = 4_000, 600_000
SHORT_ONES_MAX = 5  # as many as the limited connection has at once
SLACK_SECONDS = 2.0
BACK_SECONDS_MAX = 30


@contextmanager
def stopped(there: Ground) -> Iterator[None]:
    """The server's process is gone."""
    there.server.stop()
    yield
    there.server.start()


@contextmanager
def cut(there: Ground) -> Iterator[None]:
    """Nothing passes between the server and anybody, and nobody is told."""
    for host in (NODE, WEB):
        there.network.cut(host, DATABASE)
    yield
    for host in (NODE, WEB):
        there.network.mend(host, DATABASE)


@contextmanager
def read_only(there: Ground) -> Iterator[None]:
    """It answers, and takes nothing."""
    reload = "SELECT pg_reload_conf()"
    drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'webcb'"
    there.server.say("ALTER SYSTEM SET default_transaction_read_only = on", reload, drop)
    yield
    there.server.say(
        "SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", reload
    )


def test_it_is_stopped_for_six_seconds(tmp_path: Path) -> None:
    go_away(tmp_path, stopped, callbacks=6, seconds=6)


@pytest.mark.soak
@pytest.mark.timeout(400)
@pytest.mark.parametrize("away", [stopped, cut, read_only])
def test_it_is_away_for_a_minute_while_twenty_talk(
    tmp_path: Path, away: Callable[[Ground], AbstractContextManager[None]]
) -> None:
    go_away(tmp_path, away, callbacks=20, seconds=60)


def go_away(
    folder: Path, away: Callable[[Ground], AbstractContextManager[None]], callbacks: int, seconds: float
) -> None:
    """So many callbacks talk, some of whom soon hang up while it is away for so long, and the rest would talk for ever."""
    with ground(folder, (NODE,)) as there:
        UsageCharge.update(slice_seconds=SLICE_SECONDS).execute()
        there.start_all(LONG_TALK_MS, SHORT_TALK_MS)
        short = min(SHORT_ONES_MAX, callbacks // 2)
        for number in range(callbacks):
            connection = "limited" if number >= callbacks - short else "B"
            assert there.place(f"account{number % ACCOUNTS}", number, number, connection), there.refused
        wait_until(lambda: Callback.select().where(Callback.state == "talking").count() == callbacks, "all talk", 30)
        db.database.close()
        with away(there):
            went_at = time.time()
            answer = there.ask("account0", 900, 900)
            assert (answer.status_code, "away for a moment" in answer.text) == (503, True)
            assert there.ready().status_code == 503
            wait_until(lambda: len(there.calls().up()) <= 2 * (callbacks - short), "who hangs up is let go", 10)
            time.sleep(max(0.0, went_at + seconds - time.time()))
            back_at = time.time()
            kept = (there.folder / NODE / spool.FILE).read_text().splitlines()
        for call in there.calls().all:  # nobody has talked for longer than was set aside
            assert (call.over_at or back_at) <= went_at + SLICE_SECONDS + SLACK_SECONDS
        print(f"{len(kept)} settlements were on file after {back_at - went_at:.0f} s")
        assert len(kept) == (callbacks if seconds > SLICE_SECONDS else short)
        wait_until(lambda: there.ready().status_code == 200, "the pages are back", BACK_SECONDS_MAX)
        wait_until(lambda: not (there.folder / NODE / spool.FILE).exists(), "all is settled", BACK_SECONDS_MAX)
        for row in Callback.select().where(Callback.state != "ended"):
            assert reception.ask_release(row.id, "user", clock.utc_now())
        wait_until_over()
        rest = "time is out" if seconds > SLICE_SECONDS else "user released"
        assert sorted(row.ending for row in Callback.select()) == ["B hung up"] * short + [rest] * (callbacks - short)
        assert there.place("account0", 901, 901) is not None
        wait_until(lambda: Callback.select().where(Callback.state == "talking").exists(), "calls begin again", 10)
        reception.ask_release(Callback.get(Callback.state == "talking").id, "user", clock.utc_now())
        wait_until_over()
        assert_laws(there)
