"""Who goes on with calls comes first until they are heard again, and then as before; all of its threads."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from webcb.engine.succession import LOCK_FILE

SAID = """
import os, threading
from webcb import haste
before = haste.niceness()
haste.come_first()
there, end = threading.Event(), threading.Event()
tell = []
threading.Thread(target=lambda: (tell.append(haste.niceness()), there.set(), end.wait(), tell.append(haste.niceness()))).start()
there.wait()
first = haste.niceness()
haste.come_as(before)
now = haste.niceness()
end.set()
while len(tell) < 2: pass
print(before, first, now, *tell)
"""


@pytest.mark.parametrize(
    ("as_whom", "expected"),
    [
        (("nice", "-n", "3"), "3 -15 3 -15 3"),
        (("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"), "0 0 0 0 0"),
    ],
)
def test_all_threads_come_first_and_then_as_before(as_whom: tuple[str, ...], expected: str) -> None:
    """Without CAP_SYS_NICE nothing is changed, and nothing goes wrong."""
    done = subprocess.run(
        [*as_whom, sys.executable, "-c", SAID], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == expected.split()


SESSION = """
from pathlib import Path
from webcb import haste
def session():
    where = Path("/proc/self/autogroup")
    return where.read_text().split()[-1] if where.exists() else "none"
said = [session()]
haste.come_first()
said.append(session())
haste.come_as(0)
print(*said, session())
"""


@pytest.mark.parametrize(("leads", "expected"), [(True, "0 -15 0"), (False, "0 0 0")])
def test_a_session_that_we_lead_comes_first_too(leads: bool, expected: str) -> None:
    """Where the kernel shares processors out by session (sched_autogroup); one that others are in as well is left alone."""
    command = [sys.executable, "-c", SESSION] if leads else ["sh", "-c", f"{sys.executable} -c '{SESSION}'; true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, start_new_session=True)
    assert done.stdout.strip() in (expected, "none none none")


PROGRAM = """
import sys
from webcb.__main__ import main
class Watched:
    def find_spec(self, name, *_):
        if name in ("pathlib", "webcb.settings", "webcb.cli", "webcb.db"):
            from webcb import haste
            print(name, haste.niceness(), flush=True)
sys.meta_path.insert(0, Watched())
sys.modules.pop("pathlib", None)
main()
"""


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (("engine",), "pathlib -15 webcb.settings -15"),
        (("engine", "--help"), "webcb.cli 0 pathlib 0"),
        (("quote", "--help"), "webcb.cli 0 pathlib 0"),
    ],
)
def test_an_engine_comes_first_before_it_reads_anything_in(
    typed: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    """And reads in nothing of the command line; another runs on the folder here, so that it goes no further."""
    held = os.open(tmp_path / LOCK_FILE, os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *typed],
            env=os.environ | {"WEBCB_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=30,
        )
    finally:
        os.close(held)
    assert done.stdout.split("Usage")[0].split() == expected.split(), done.stderr
    assert ("another engine runs" in done.stderr) == (len(typed) == 1)
