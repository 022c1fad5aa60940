"""The engine's desk at the database: one thread, one connection, jobs done in order and committed in groups.

A durable commit costs milliseconds, whatever is in it: all jobs that wait share one. Here is only how they are done; what
they do stands in rows.py and recovery.py.
"""

import gc
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from webcb import clock, db
from webcb.engine.lease import Fenced
from webcb.watching import counting
from webcb.watching import log as logs

log = logging.getLogger(__name__)

JOBS_PER_COMMIT_MAX: Final = 256
LINGER_SECONDS: Final = (
    0.02  # an INVITE follows what is written of its leg within a millisecond; a page can wait for so long
)
BACK_OFF_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # then always the last

Done = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work in the database, and who is told its result (or its exception)."""

    work: Callable[[], Any]
    done: Done | None
    about: str  # the callback it is for; "": none


class Journal:
    """Jobs for the database. `deliver` runs a function in the thread that owns the engine (loop.call_soon_threadsafe)."""

    def __init__(self, deliver: Callable[[Callable[[], None]], Any]) -> None:
        self._deliver = deliver
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._fence: Callable[[], None] | None = None
        self._at_fence: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def fence(self, holds: Callable[[], None], lost: Callable[[], None]) -> None:
        """From now on every transaction begins with `holds`; where that raises Fenced nothing more is written, and `lost` is called."""
        self._fence, self._at_fence = holds, lost

    def post(self, work: Callable[[], Any], done: Done | None = None) -> None:
        """Do `work` in a transaction, after what was posted before; then `done` gets its result or exception.

        While the database is away or locked the jobs wait, all in their order; a job may so be tried more than once.
        """
        self._jobs.put(Job(work, done, logs.current()))

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return self._jobs.qsize()

    def close(self, seconds_max: float) -> bool:
        """Finish what waits and stop; False where the database did not let it in time."""
        self._jobs.put(None)
        self._thread.join(seconds_max)
        if not self._thread.is_alive():
            return True
        self._given_up.set()
        self._thread.join(seconds_max)
        return False

    def _work(self) -> None:
        stopping = False
        while not stopping:
            jobs, stopping = self._take()
            if jobs:
                self._commit(jobs)
        if not db.database.is_closed():
            db.database.close()

    def _take(self) -> tuple[list[Job], bool]:
        """All jobs that wait, at least one, up to the limit; and whether they are the last.

        Jobs for whose result nobody waits are not committed alone, where one that somebody waits for comes within LINGER_SECONDS.
        """
        jobs: list[Job] = []
        job = self._jobs.get()
        until = clock.monotonic() + LINGER_SECONDS
        is_awaited = False
        while job is not None:
            jobs.append(job)
            is_awaited = is_awaited or job.done is not None
            if len(jobs) >= JOBS_PER_COMMIT_MAX:
                return jobs, False
            seconds = 0.0 if is_awaited else max(0.0, until - clock.monotonic())
            try:
                job = self._jobs.get(seconds > 0, seconds)
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _commit(self, jobs: list[Job]) -> None:
        """Do the jobs in one transaction, as often as it takes.

        Savepoints are half of the statements of a callback, and a fault is rare: only where there was one the jobs are done again,
        each in a savepoint.
        """
        failures = 0
        run: Callable[[Job], Any] = _run_plainly
        while not self._given_up.is_set():
            try:
                db.database.connect(reuse_if_open=True)
                began = clock.monotonic()
                with db.writing():
                    if self._fence is not None:
                        self._fence()
                    results = [run(job) for job in jobs]
                counting.numbers().commit_seconds.observe(clock.monotonic() - began)
                counting.numbers().commit_jobs.inc(len(jobs))
            except Fenced:
                self._given_up.set()
                if self._at_fence is not None:
                    self._deliver(self._at_fence)
                return
            except db.UNAVAILABLE as wrong:
                if len(jobs) > 1 and db.was_broken_off(wrong):
                    # Two engines held wallets that the other wanted: a job by itself holds few, in less time.
                    _drop_connection()
                    for job in jobs:
                        self._commit([job])
                    return
                seconds = BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)]
                failures += 1
                counting.numbers().database_failures.labels("engine").inc()
                log.warning("the database is not available (%s); %d jobs wait %.2f s", wrong, len(jobs), seconds)
                _drop_connection()
                self._given_up.wait(seconds)
                continue
            except Exception:
                if run is _run:  # no job's fault
                    raise
                run = _run
                continue
            told = [
                (job.about, job.done, result) for job, result in zip(jobs, results, strict=True) if job.done is not None
            ]
            if told:
                self._deliver(partial(_tell, told))
            if failures:
                collect_failures()
            return
        log.error("%d jobs are given up, as the database does not come back", len(jobs))


def collect_failures() -> None:
    """Free what tries in vain have left: errors whose frames know them, each with a connection of the driver, jobs and all.

    The engine looks for garbage too seldom to find it: circles of few objects, and most of their memory is in C.
    """
    gc.collect(1)


def _drop_connection() -> None:
    """A connection that failed once may go on failing: the next try makes a new one."""
    try:
        db.database.close()
    except db.UNAVAILABLE as wrong:
        log.warning("the database connection could not be closed: %s", wrong)


def _run_plainly(job: Job) -> Any:
    with logs.about(job.about):
        return job.work()


def _run(job: Job) -> Any:
    """One job in a savepoint: its fault undoes nothing but itself."""
    with logs.about(job.about):
        try:
            with db.writing():
                return job.work()
        except db.UNAVAILABLE:
            raise
        except Exception as wrong:
            if job.done is None:
                log.exception("a job for the database failed")
            return wrong


def _tell(told: list[tuple[str, Done, Any]]) -> None:
    for about, done, result in told:
        with logs.about(about):
            try:
                done(result)
            except Exception:
                log.exception("the result of a job could not be taken")
