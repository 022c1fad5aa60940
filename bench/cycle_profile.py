"""Where the engine's CPU of a callback goes, by parts of the house: for the cycle benchmark.

`python -m bench.cycle_profile FOLDER` is `webcb engine` under cProfile, its loop and its journal each by the time of their own thread,
so that C is told apart from waiting. What is built in is counted to who calls it.
"""

import cProfile
import pstats
import sys
import time
from collections import Counter
from pathlib import Path

import webcb.engine.runner  # noqa: F401 - what is read in at the start is no callback's cost
from webcb.cli import run
from webcb.engine.journal import Journal

LOOP, JOURNAL = "loop.prof", "journal.prof"

# The first that fits the path of a file; what fits none is Python's own.
PARTS = (
    ("webcb/sip", "SIP: reading, writing, transactions, dialogs"),
    ("webcb/billing", "billing: verdict, locks, rating, ledger"),
    ("webcb/models", "billing: verdict, locks, rating, ledger"),
    ("webcb/engine/rows", "rows: progress of callbacks and legs"),
    ("webcb/engine/resumption", "rows: progress of callbacks and legs"),
    ("webcb/engine/archive", "traces"),
    ("webcb/engine/trace", "traces"),
    ("webcb/ladder", "traces"),
    ("webcb/engine/media", "voice: descriptions, ports"),
    ("rtpbridge", "voice: descriptions, ports"),
    ("webcb/engine/transport", "sockets and loop"),
    ("webcb/engine/runner", "sockets and loop"),
    ("asyncio", "sockets and loop"),
    ("selectors", "sockets and loop"),
    ("webcb/engine", "engine: machines, exchange, lines"),
    ("webcb/watching", "figures and log"),
    ("prometheus_client", "figures and log"),
    ("logging", "figures and log"),
    ("webcb/db", "database: transactions, driver"),
    ("peewee", "database: transactions, driver"),
    ("sqlite", "database: transactions, driver"),
    ("psycopg", "database: transactions, driver"),
    ("webcb", "values: money, numbers, clock"),
)
REST = "Python's own"
STATEMENTS = "statements in the database's own C"


def shares(folder: Path, callbacks: int) -> list[tuple[str, float]]:
    """Milliseconds of CPU a callback by part, the largest first."""
    seconds: Counter[str] = Counter()
    for name in (LOOP, JOURNAL):
        for (file, _, function), (_, _, own, _, callers) in pstats.Stats(str(folder / name)).stats.items():  # type: ignore[attr-defined]
            if file != "~":
                seconds[part_of(file)] += own
            elif "execute" in function or "commit" in function or "fetch" in function:
                seconds[STATEMENTS] += own
            else:
                for (caller, _, _), (_, _, share, _) in callers.items():
                    seconds[part_of(caller)] += share
    return [(part, of_all / callbacks * 1000) for part, of_all in seconds.most_common()]


def part_of(file: str) -> str:
    """The part of the house that a file belongs to."""
    return next((part for sign, part in PARTS if sign in file), REST)


def _profiled(folder: Path) -> None:
    work = Journal._work

    def profiled_work(journal: Journal) -> None:
        profile = cProfile.Profile(time.thread_time)
        try:
            profile.runcall(work, journal)
        finally:
            profile.dump_stats(folder / JOURNAL)

    Journal._work = profiled_work  # type: ignore[method-assign]
    profile = cProfile.Profile(time.thread_time)
    try:
        profile.runcall(run)
    finally:
        profile.dump_stats(folder / LOOP)


if __name__ == "__main__":
    destination = Path(sys.argv[1])
    sys.argv = ["webcb", "engine", *sys.argv[2:]]
    _profiled(destination)
