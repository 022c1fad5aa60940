"""The supervisor with small programs of our own, all of them real processes: what dies comes back, what ends leaves nothing."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import alive, wait_until
from webcb import watchdog
from webcb.serve import (
    CANNOT_START,
    QUICK_DEATHS_MAX,
    RESTART_SECONDS_MAX,
    RESTART_SECONDS_MIN,
    restart_seconds,
    why_not_bindable,
)
from webcb.settings import Bind

# A program that writes its process number, has a child of its own as gunicorn has workers, and ends at SIGTERM.
FAMILY = textwrap.dedent("""
    import os, signal, sys
    worker = os.fork()
    if worker == 0:
        signal.pause()
    folder, name = sys.argv[1:]
    def note(number, frame):
        open(f"{folder}/{name}.hangups", "a").write("x")
    signal.signal(signal.SIGHUP, note)
    def end(number, frame):
        os.kill(worker, signal.SIGKILL)
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    with open(f"{folder}/{name}.pids", "a") as file:
        file.write(f"{os.getpid()} {worker}\\n")
    while True:
        signal.pause()
""")
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"

SUPERVISOR = textwrap.dedent("""
    import logging, pathlib, sys
    from webcb import serve
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    serve.END_SECONDS_MAX = 1.0
    serve.RESTART_SECONDS_MIN = 0.01
    serve.RESTART_SECONDS_MAX = 0.05
    serve.LISTEN_SECONDS = 0.05
    serve.SILENCE_SECONDS_MAX = 0.5
    commands = [line.split("\\x1f") for line in sys.argv[1:]]
    programs = [
        serve.Program(
            words[0],
            tuple(words[1:]),
            renewed_by=1 if words[0] == "web" else None,
            role="engine" if "engine" in words[0] else "",
            beats="beats" in words[0],
        )
        for words in commands
    ]
    ready = pathlib.Path(sys.argv[1].split("\\x1f")[-2], "ready")
    sys.exit(serve.Supervisor(programs, ready.exists).run())
""")


class Supervised:
    """A supervisor over programs given as (name, Python text)."""

    def __init__(self, folder: Path, *programs: tuple[str, str]) -> None:
        self.folder = folder
        lines = ["\x1f".join((name, sys.executable, "-c", text, str(folder), name)) for name, text in programs]
        with (folder / "log").open("w") as log:
            command = [sys.executable, "-c", SUPERVISOR, *lines]
            self.process = subprocess.Popen(command, stderr=log, start_new_session=True)

    def pids(self, name: str) -> list[tuple[int, int]]:
        """The (program, its worker) of every start so far."""
        file = self.folder / f"{name}.pids"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(int(line.split()[0]), int(line.split()[1])) for line in lines if line.count(" ") == 1]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def all_pids(self) -> list[int]:
        return [pid for name in ("web", "engine") for pair in self.pids(name) for pid in pair]


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Supervised]:
    supervised = Supervised(tmp_path, ("web", FAMILY), ("engine", FAMILY))
    wait_until(lambda: supervised.pids("web") and supervised.pids("engine"), "both programs run")
    yield supervised
    supervised.process.kill()
    supervised.process.wait()
    try:
        wait_until(lambda: not any(map(alive, supervised.all_pids())), "nothing is left")
    finally:
        for pid in filter(alive, supervised.all_pids()):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("name", ["web", "engine"])
def test_who_is_killed_comes_back_and_its_orphans_are_gone(family: Supervised, name: str) -> None:
    first, worker = family.pids(name)[0]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(family.pids(name)) == 2, "it was started again")
    wait_until(lambda: not alive(worker), "its worker did not outlive it")
    assert f"{name} ended (by SIGKILL)" in family.log
    other = "engine" if name == "web" else "web"
    assert len(family.pids(other)) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_everything_and_exits_0(family: Supervised, number: signal.Signals) -> None:
    family.process.send_signal(number)
    assert family.process.wait(10) == 0
    assert not any(map(alive, family.all_pids()))


def test_killed_it_leaves_no_stray(family: Supervised) -> None:
    family.process.kill()
    family.process.wait()
    wait_until(lambda: not any(map(alive, family.all_pids())), "the children ended with their supervisor")


def test_a_hangup_reaches_only_who_knows_it(family: Supervised) -> None:
    family.process.send_signal(signal.SIGHUP)
    wait_until((family.folder / "web.hangups").exists, "the web was told")
    assert alive(family.pids("engine")[0][0])
    assert not (family.folder / "engine.hangups").exists()
    assert family.process.poll() is None


def test_who_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, ("engine", STUBBORN))
    wait_until(lambda: "deaf" in supervised.log, "it runs")
    supervised.process.terminate()
    assert supervised.process.wait(10) == 0
    assert "killing the rest" in supervised.log


def test_who_cannot_start_ends_the_others_at_once(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, ("web", FAMILY), ("engine", f"raise SystemExit({CANNOT_START})"))
    assert supervised.process.wait(10) == CANNOT_START
    assert "engine cannot start" in supervised.log
    assert not any(map(alive, supervised.all_pids()))


def test_who_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, ("engine", "raise SystemExit(3)"))
    assert supervised.process.wait(30) == 1
    assert supervised.log.count("starting it again") == QUICK_DEATHS_MAX
    assert "giving up" in supervised.log


@pytest.mark.parametrize("status", [3, CANNOT_START])
def test_who_has_a_twin_is_tried_again_and_again_and_ends_nobody(tmp_path: Path, status: int) -> None:
    supervised = Supervised(tmp_path, ("engine", FAMILY), ("spare engine", f"raise SystemExit({status})"))
    try:
        tries = QUICK_DEATHS_MAX + 2
        wait_until(lambda: supervised.log.count("starting it again") >= tries, "it is not given up")
        assert supervised.process.poll() is None
        assert len(supervised.pids("engine")) == 1
    finally:
        supervised.process.terminate()
        assert supervised.process.wait(10) == 0


BEATS = """
import os, signal, sys, threading
from webcb.watchdog import Lifeline
with open(f"{sys.argv[1]}/{sys.argv[2]}.pids", "a") as file:
    file.write(f"{os.getpid()} {os.getpid()}\\n")
lifeline = Lifeline()
for _ in range(1 if os.path.exists(f"{sys.argv[1]}/silent") else 10**6):
    lifeline.beat()
    threading.Event().wait(0.05)
signal.pause()
"""


def test_who_stands_still_is_killed_and_who_never_said_anything_is_not(tmp_path: Path) -> None:
    (tmp_path / "silent").touch()
    supervised = Supervised(tmp_path, ("beats engine", BEATS), ("beats later", STUBBORN))
    try:
        wait_until(lambda: len(supervised.pids("beats engine")) > 1, "it was started again")
        (tmp_path / "silent").unlink()
        wait_until(lambda: "beats engine gives no sign of life for" in supervised.log, "it is said why")
        assert "beats later gives no sign" not in supervised.log
        seen = len(supervised.pids("beats engine"))
        wait_until(
            lambda: len(supervised.pids("beats engine")) > seen or alive(supervised.pids("beats engine")[-1][0]),
            "it is back",
        )
        steady = supervised.pids("beats engine")[-1][0]
        os.kill(steady, signal.SIGSTOP)  # as a loop that hangs
        wait_until(lambda: not alive(steady), "it is killed")
    finally:
        supervised.process.terminate()
        supervised.process.wait()


def test_it_tells_systemd_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ear = watchdog.Ear()
    monkeypatch.setenv(watchdog.SOCKET, ear.environment[watchdog.SOCKET])
    supervised = Supervised(tmp_path, ("web", FAMILY))
    try:
        for _ in range(2):
            wait_until(ear.has_heard, "a sign of life")
    finally:
        supervised.process.terminate()
        supervised.process.wait()
        ear.close()


def test_it_tells_systemd_that_it_has_started_once_it_does_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        monkeypatch.setenv(watchdog.SOCKET, str(tmp_path / "notify"))
        supervised = Supervised(tmp_path, ("web", FAMILY))
        try:
            wait_until(lambda: supervised.pids("web"), "its program runs")
            said = [systemd.recv(100) for _ in range(3)]
            assert set(said) == {watchdog.BEAT}
            (tmp_path / "ready").touch()
            while systemd.recv(100) != watchdog.READY:
                pass
        finally:
            supervised.process.terminate()
            supervised.process.wait()


def test_the_wait_before_a_restart_doubles_up_to_its_limit() -> None:
    waits = [restart_seconds(deaths) for deaths in range(1, 13)]
    assert waits[:4] == [RESTART_SECONDS_MIN * factor for factor in (1, 2, 4, 8)]
    assert waits[-1] == RESTART_SECONDS_MAX
    assert waits == sorted(waits)


def test_an_address_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert why_not_bindable(Bind("127.0.0.1", port)) == "Address already in use"
    assert why_not_bindable(Bind("127.0.0.1", port)) is None
