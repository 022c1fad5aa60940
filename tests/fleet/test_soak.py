"""Calls and faults by chance for an hour: what goes on all the time grows in nothing, and the books are exact.

`--soak-seconds` says how long.
"""

import random
import statistics
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.fleet.ground import WEB, Ground, ground
from tests.fleet.laws import assert_laws
from tests.fleet.traffic import Traffic, wait_until_over
from tests.waiting import descendants, wait_until
from webcb import db
from webcb.models import Callback

PER_SECOND: Final = 1.0
NUMBERS: Final = 200
LOOK_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = (10.0, 40.0)  # between two faults
DOWN_SECONDS: Final = (0.0, 15.0)  # of a node that was killed: sometimes it goes on itself, sometimes others take over
CUT_SECONDS: Final = (1.0, 20.0)
CUT_SECONDS_OF_ONE: Final = (0.5, 6.0)  # of the node that is measured: nobody takes it for dead
AWAY_SECONDS: Final = (0.0, 5.0)
GROWTH_MAX: Final = 0.01
WARM_UP: Final = 0.25  # of the time: until every cache has been filled
JUDGED_SECONDS: Final = 1200  # what goes on for less is not warm yet: its growth is told, and not judged


@dataclass(frozen=True)
class Size:
    """What a process has. Of its memory what is its own: pages of programs and files come and go as the kernel needs room."""

    own_kib: int
    file_kib: int
    descriptors: int
    threads: int


class Faults:
    """What happens to the fleet, by chance; `died` is when each node was killed."""

    def __init__(self, there: Ground, chance: random.Random) -> None:
        self._there, self._chance = there, chance
        self.died: defaultdict[str, list[float]] = defaultdict(list)
        self.counts: Counter[str] = Counter()

    def one_more(self) -> None:
        """Let one happen, and be over."""
        happens = self._chance.choice(
            [self._kill, self._cut, self._cut_one, self._restart_database, self._pause_carrier]
        )
        self.counts[happens.__name__.strip("_")] += 1
        happens()

    def _wait(self, between: tuple[float, float]) -> None:
        time.sleep(self._chance.uniform(*between))

    def _kill(self) -> None:
        node = self._there.nodes[self._chance.choice(("two", "three"))]
        self.died[node.name].append(time.time())
        node.kill()
        self._wait(DOWN_SECONDS)
        node.start()
        node.wait_until_up()

    def _cut(self) -> None:
        name = self._chance.choice(("two", "three"))
        self._there.cut(name)
        self._wait(CUT_SECONDS)
        self._there.mend(name)

    def _cut_one(self) -> None:
        self._there.cut("one")
        self._wait(CUT_SECONDS_OF_ONE)
        self._there.mend("one")

    def _restart_database(self) -> None:
        db.database.close()  # ours: we ask again when it is back
        self._there.server.stop()
        self._wait(AWAY_SECONDS)
        self._there.server.start()

    def _pause_carrier(self) -> None:
        with self._there.paused("edge"):
            self._wait(AWAY_SECONDS)


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
def test_an_hour_of_calls_and_faults(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    seconds = float(request.config.getoption("--soak-seconds"))
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with ground(tmp_path) as there:
        there.start_all()
        there.start_clerk()
        traffic = Traffic(there, random.Random(seed + 1), 10**9, PER_SECOND, NUMBERS)
        faults = Faults(there, chance)
        traffic.start()
        sizes: defaultdict[str, list[Size]] = defaultdict(list)
        end = time.monotonic() + seconds
        fault_at = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
            for name, pid in _measured(there).items():
                sizes[name].append(_size(pid))
            (tmp_path / "sizes.txt").write_text("\n".join(f"{name} {each}" for name, each in sizes.items()))
            if time.monotonic() >= fault_at:
                faults.one_more()
                fault_at = time.monotonic() + chance.uniform(*PAUSE_SECONDS)
        traffic.stop()
        wait_until_over(120)
        wait_until(lambda: not there.calls().up(), "nobody is on the line", 120)
        print(f"{seconds:.0f} s, {Callback.select().count()} callbacks, {len(there.refused)} refused, {faults.counts}")
        grown = {name: growth(each) for name, each in sizes.items()}
        for name, of in grown.items():
            print(f"{name}: {sizes[name][-1]}; growth from the first to the last quarter after warming up: {of}")
        assert_laws(there, faults.died, frozenset(there.nodes), AWAY_SECONDS[1])
        for name, of in grown.items():
            assert seconds < JUDGED_SECONDS or max(of.values()) <= GROWTH_MAX, f"{name} grows: {of}"


def growth(sizes: list[Size]) -> dict[str, float]:
    """By how much each figure has grown, as a share of it, from the first to the last quarter once it is warm.

    Memory by the median; of what a call has and gives back the least that there is at any time, where one more is no growth: a
    connection to the database is there or not.
    """
    warm = sizes[int(len(sizes) * WARM_UP) :]
    quarter = max(1, len(warm) // 4)
    typical = {"own_kib": statistics.median, "descriptors": min, "threads": min}
    first, last = (
        {what: of([getattr(each, what) for each in part]) for what, of in typical.items()}
        for part in (warm[:quarter], warm[-quarter:])
    )
    spare = {"descriptors": 1, "threads": 1}
    return {what: max(0.0, last[what] - spare.get(what, 0) - first[what]) / first[what] for what in typical}


def _measured(there: Ground) -> dict[str, int]:
    """The processes that live all the time."""
    one, pages, clerk = there.nodes["one"].process, there.processes[WEB], there.processes["clerk"]
    assert one is not None
    workers = {f"pages {number}": pid for number, pid in enumerate(descendants(pages.pid))}
    return {"engine": one.pid, "clerk": clerk.pid, **workers}


def _size(pid: int) -> Size:
    process = Path(f"/proc/{pid}")
    words = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    links = []
    for descriptor in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(descriptor.readlink()))
    # A file of metrics is opened as its first one is counted, once for ever.
    kib = {name: int(words[name].split()[0]) for name in ("RssAnon", "RssShmem", "RssFile")}
    own_kib = kib["RssAnon"] + kib["RssShmem"]
    return Size(own_kib, kib["RssFile"], sum("/metrics/" not in link for link in links), int(words["Threads"]))
