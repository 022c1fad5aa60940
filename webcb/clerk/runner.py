"""The clerk as a process: takes jobs one after another, sends the mails that are due, sleeps until the doorbell rings.

Beside it, on a thread of its own, the courier tells sinks how their calls go on: a long job keeps no call's news waiting.
"""

import logging
import os
import select
import signal
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from webcb import clock, db, doorbell, jobs
from webcb.billing import batch, credentials, erasure, spending, tally
from webcb.clerk import mail
from webcb.clerk.courier import Courier
from webcb.clerk.patrol import Patrol
from webcb.jobs import Work
from webcb.keeping import archiving, forgetting, retention
from webcb.settings import Settings
from webcb.watching import counting
from webcb.watching import log as logs

log = logging.getLogger("webcb.clerk")

LOOK_SECONDS: Final = 15.0  # a missed ring costs no more
AGAIN_SECONDS: Final = 5.0  # after the database was away
TIDY_SECONDS_MAX: Final = 1.0  # at a look
SHARE_SECONDS: Final = 60.0  # between two looks at what was erased on other hosts
MASKED_PIECES_MAX: Final = 20  # of callbacks whose numbers are old, at a look
FAULTS_MAX: Final = 3  # of a job in one process: then it is said to have failed

Run = Callable[[Work, Settings, Callable[[int], bool]], bool]

RUNS: Final[dict[str, Run]] = {
    batch.KIND: lambda work, settings, keep_on: batch.run(work, settings.data_dir, clock.utc_now, keep_on),
}


def owner(settings: Settings) -> str:
    """Who holds the leases of this process."""
    return f"{settings.node_name[:40]}:{os.getpid()}"


def main(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT; what is in hand then is given back, to be gone on with. Returns 0."""
    logs.start(settings.log_format, settings.node_name)
    counting.share(settings.data_dir)
    db.connect(settings.database)
    db.migrate()
    credentials.use_key(settings.secret_key)
    wakes, woken = socket.socketpair()
    for end in (wakes, woken):
        end.setblocking(False)
    told: list[int] = []
    signal.set_wakeup_fd(woken.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.append(number))
    bell = doorbell.listen(settings.clerk_bell)
    log.info("clerk of node %s is up", settings.node_name)
    courier = Courier(settings)
    courier.start()
    clerk = Clerk(settings, lambda: not told)
    while not told:
        seconds = clerk.work()
        ready, _, _ = select.select([bell, wakes], [], [], 0 if told else seconds)
        for each in ready:
            _drain(each)
    courier.stop()
    bell.close()
    settings.clerk_bell.unlink(missing_ok=True)
    log.info("ended")
    return 0


def _drain(ringing: socket.socket) -> None:
    try:
        while ringing.recv(64) or ringing.family == socket.AF_UNIX:
            pass
    except BlockingIOError:
        return


class Clerk:
    """Works at what is there. `keep_on` tells whether the process goes on."""

    def __init__(self, settings: Settings, keep_on: Callable[[], bool]) -> None:
        self._settings = settings
        self._keep_on = keep_on
        self._faults: dict[int, int] = {}
        self._patrol = Patrol()
        self._shared_at: float | None = None

    def work(self) -> float:
        """Do all that can be done now; returns after how many seconds to look again."""
        try:
            with db.database.connection_context():
                while self._keep_on() and self._take_one():
                    pass
                with db.writing():
                    tally.sweep(clock.utc_now())
                    spending.sweep(clock.utc_now())
                self._mask_old_numbers()
                self._share_erasures()
                self._patrol.go(clock.utc_now())
                self._tidy()
                return self._seconds_to(mail.send_due(self._settings, clock.utc_now()))
        except db.UNAVAILABLE as wrong:
            log.warning("the database is away: %s", wrong)
            counting.numbers().database_failures.labels("clerk").inc()
            return AGAIN_SECONDS

    def _tidy(self) -> None:
        """Let go of what is past its days, and of what was archived, for a second at most: others wait for the database, too."""
        until = clock.monotonic() + TIDY_SECONDS_MAX

        def keeps_on() -> bool:
            return self._keep_on() and clock.monotonic() < until

        while keeps_on() and retention.forget(self._settings, clock.utc_now()):
            pass
        archiving.go_on(clock.utc_now, keeps_on, lambda _: None)

    def _share_erasures(self) -> None:
        """What was erased on one host is erased on all: after a restore, too."""
        now = clock.monotonic()
        if self._shared_at is None or now - self._shared_at >= SHARE_SECONDS:
            self._shared_at = now
            for line in forgetting.share(self._settings.data_dir, "clerk"):
                log.warning("left: %s", line)

    def _mask_old_numbers(self) -> None:
        """Some at every look: who has many that are old loses no time for calls."""
        days = self._settings.personal_days
        for _ in range(MASKED_PIECES_MAX if days else 0):
            if not self._keep_on() or not erasure.mask_older(clock.utc_now() - timedelta(days=days)):
                break

    def _take_one(self) -> bool:
        work = jobs.claim(owner(self._settings), clock.utc_now())
        if work is None:
            return False
        log.info("job %d: %s, from %d of %d", work.id, work.kind, work.done, work.total)
        try:
            RUNS[work.kind](work, self._settings, lambda _: self._keep_on())
            counting.numbers().jobs.labels(work.kind, "ended").inc()
        except jobs.LeaseLost as wrong:
            log.warning("%s", wrong)
        except db.UNAVAILABLE:
            raise
        except Exception:
            log.exception("job %d: a fault of ours", work.id)
            self._note_fault(work)
        return True

    def _note_fault(self, work: Work) -> None:
        counting.numbers().jobs.labels(work.kind, "fault").inc()
        self._faults[work.id] = self._faults.get(work.id, 0) + 1
        if self._faults[work.id] < FAULTS_MAX:
            jobs.give_back(work)
        else:
            jobs.end(
                work,
                "It failed by a fault of the program; the log of the clerk tells more.",
                clock.utc_now(),
                failed=True,
            )

    def _seconds_to(self, due_at: datetime | None) -> float:
        if due_at is None:
            return LOOK_SECONDS
        return min(LOOK_SECONDS, max(0.0, (due_at - clock.utc_now()).total_seconds()))
