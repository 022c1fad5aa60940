"""The whole at a glance: what stands in it on either database, how it is sorted, and the live view in a real terminal."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_ledger import begun, used
from tests.cli.conftest import typed  # noqa: F401 - a fixture
from tests.waiting import wait_until
from webcb import db, models
from webcb.billing import query, settlement
from webcb.cli import top
from webcb.watching import overview
from webcb.watching.overview import Section

TALKS, ENDED = 60, 30


@pytest.fixture
def lived_in(database_url: str) -> Iterator[tuple[str, str]]:
    """A call that talks for TALKS seconds at NOON + a minute, one that has ended, one that waits. Their IDs: talking, ended."""
    opened = db.connect(database_url)
    opened.connect()
    db.migrate()
    rows.no_limits()
    house = rows.house(first=60, following=60)
    ended = begun(house, "ended")
    settlement.settle(ended, [used("A", 61), used("B", ENDED)], "B hung up", True, NOON + timedelta(seconds=40))
    talking = begun(house, "talks")
    rows.place(house, "waits", NOON + timedelta(seconds=10))
    connection = models.Connection.select().first()
    models.Leg.update(connection=connection, state="answered", answered_at=NOON).where(
        models.Leg.callback == talking
    ).execute()
    models.Leg.update(connection=connection, score_milli=4321).where(models.Leg.callback == ended).execute()
    query.change(
        "UPDATE callback SET state = 'talking', talking_at = ?, deadline_at = ? WHERE id = ?",
        query.micros(NOON),
        query.micros(NOON + timedelta(seconds=90)),
        talking,
    )
    models.Node.update(heard_at=NOON + timedelta(seconds=59)).execute()
    models.Node.create(name="silent", heard_at=NOON - timedelta(hours=1))
    models.RefusalCount.create(hour_at=NOON, reason="no funds", refusals=3)
    yield talking, ended
    opened.close()


def by_title(seen: overview.Overview, sort: str = "age") -> dict[str, Section]:
    return {each.title.partition(":")[0].partition(",")[0]: each for each in seen.sections(sort)}


def test_what_goes_on_stands_in_it(lived_in: tuple[str, str]) -> None:
    talking, ended = lived_in
    seen = by_title(overview.look(NOON + timedelta(seconds=TALKS)))
    nodes = {row[0]: row for row in seen["Nodes"].rows}
    assert nodes["silent"][1] == "not heard from"
    assert [seen["Nodes"].rows[each][0] for each in seen["Nodes"].alarms] == ["silent"]
    assert ("requests not claimed", 1, "50 s") in seen["Queues"].rows
    assert seen["Queues"].alarms == {0}
    assert seen["Refusals since the hour began"].rows == (("no funds", 3),)
    (route,) = [row for row in seen["Connections"].rows if row[2] != "0"]
    assert (route[2].partition("/")[0], route[6]) == ("2", "4.32")
    (call,) = [row for row in seen["Calls"].rows if row[0] == talking]
    assert (call[4], call[6], call[7]) == ("talking", "1:00", "30 s")
    assert call[8].endswith("USD")
    assert float(call[8].split()[0]) > 0
    assert str(call[2]).endswith("***")
    assert str(call[3]).endswith("***")
    (last,) = seen["Ended last"].rows
    assert (last[0], last[2], last[5]) == (ended, "B hung up", "4.32")
    charged = models.Xdr.select().where(models.Xdr.callback == ended)
    assert last[4] == f"{sum(each.charged_micros for each in charged) / 1e6:.2f} USD"


def test_a_quiet_night_is_told_too(database_url: str) -> None:
    opened = db.connect(database_url)
    opened.connect()
    db.migrate()
    said = top.plain(overview.look(NOON), "age")
    assert "Calls: 0, by age\n-\n" in said
    opened.close()


@pytest.mark.parametrize(
    ("sort", "first"), [("age", "talks"), ("left", "talks"), ("cost", "talks"), ("state", "waits"), ("newest", "waits")]
)
def test_calls_are_sorted(lived_in: tuple[str, str], sort: str, first: str) -> None:
    seen = overview.look(NOON + timedelta(seconds=TALKS))
    ids = [row[0] for row in by_title(seen, sort)["Calls"].rows]
    assert len(ids) == 2
    assert (ids[0] == lived_in[0]) == (first == "talks")


def test_what_does_not_fit_is_said() -> None:
    section = Section("Calls: 9, by age", ("id",), tuple((str(each),) for each in range(9)))
    assert overview.shortened(section, 9) is section
    assert overview.shortened(section, 4).title == "Calls: 9, by age (5 not shown)"
    assert len(overview.shortened(section, 4).rows) == 4


def test_the_sorts_go_round() -> None:
    seen, sort = [], "age"
    for _ in overview.SORTS:
        seen.append(sort)
        sort = overview.next_sort(sort)
    assert (seen, sort) == (list(overview.SORTS), "age")
    option = next(each for each in top.top.params if each.name == "sort")
    assert list(option.type.choices) == seen


class Terminal:
    """A process in a terminal of its own: what it has shown, and keys for it."""

    def __init__(self, *command: str) -> None:
        self._ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "140", "LINES": "50"}
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
        )
        os.close(theirs)
        self.shown = ""

    def has_shown(self, text: str) -> bool:
        while select.select([self._ours], [], [], 0)[0]:
            try:
                self.shown += os.read(self._ours, 65536).decode(errors="replace")
            except OSError:  # it has ended
                break
        return text in self.shown

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def close(self) -> int:
        """Take the terminal away, as a window that is closed or a line that breaks."""
        os.close(self._ours)
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()

    def end(self) -> int:
        try:
            wait_until(lambda: self.has_shown("") and self.process.poll() is not None, "it ends")
        finally:
            self.process.kill()
            os.close(self._ours)
        return self.process.wait()


@pytest.mark.sqlite_alone  # a terminal is a terminal
def test_the_live_view_takes_keys_and_gives_the_terminal_back(typed) -> None:  # noqa: F811
    assert typed("init").status == 0
    terminal = Terminal("-m", "webcb.cli", "top", "--every", "0.2")
    wait_until(lambda: terminal.has_shown("Queues"), "the queues are shown")
    assert "s sorts, q ends" in terminal.shown
    terminal.press("\x1b[A")  # an arrow is no key of ours
    terminal.press("s")
    terminal.press("q")
    assert terminal.end() == 0
    assert terminal.shown.count("\x1b[?1049h") == terminal.shown.count("\x1b[?1049l") == 1
    assert typed("top").out.startswith("20")  # no terminal: once


@pytest.mark.sqlite_alone
def test_the_live_view_ends_with_its_terminal(typed) -> None:  # noqa: F811
    assert typed("init").status == 0
    terminal = Terminal("-m", "webcb.cli", "top", "--every", "0.2")
    wait_until(lambda: terminal.has_shown("Queues"), "the queues are shown")
    assert terminal.close() >= 0  # by itself, not killed


def test_a_database_that_is_away_is_said_and_asked_again() -> None:
    look = (
        "from webcb.cli import top; from webcb.watching.overview import Overview, Section; from datetime import *\n"
        "none = Section('None', ('x',), ()); some = Section('Back', ('x',), (('here [again]',),)); tries = []\n"
        "def look():\n"
        "    tries.append(1)\n"
        "    if len(tries) < 3: raise OSError('gone')\n"
        "    return Overview(datetime.now(UTC), some, none, none, none, none, ())\n"
        "top._live(look, (OSError,), 0.2, 'age')"
    )
    terminal = Terminal("-c", look)
    wait_until(lambda: terminal.has_shown("the database is away: gone"), "that it is away is said")
    wait_until(lambda: terminal.has_shown("here [again]"), "it is asked again")
    terminal.press("q")
    assert terminal.end() == 0
