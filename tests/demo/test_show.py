"""`webcb demo` as a person starts it: it comes up, tells, connects two phones, and Ctrl-C ends all of it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.visitor import Visitor
from tests.demo.test_carrier import sipp
from tests.ports import free_port
from tests.waiting import alive, descendants, wait_until
from webcb.demo import show
from webcb.demo.phones import BUSY, CALLER, SHORT
from webcb.settings import Bind

HOST = "127.0.0.1"


class Demo:
    """A `webcb demo` and what it printed so far."""

    def __init__(self, folder: Path, *arguments: str, **more: str) -> None:
        self.printed = folder / "printed"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBCB_")}
        with self.printed.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "webcb.cli", "demo", *arguments],
                env=environment | {"TMPDIR": str(folder)} | more,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.printed.read_text()

    def wait_until_told(self, words: str, seconds: float = 60) -> None:
        wait_until(lambda: words in self.text or self.process.poll() is not None, f"it tells {words!r}", seconds)
        assert words in self.text, self.text

    def interrupt(self) -> int:
        """Ctrl-C; the exit status, nothing of it being left."""
        everybody = descendants(self.process.pid)
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(20)
        assert not any(map(alive, everybody))
        return status


@contextlib.contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[Demo]:
    shown = Demo(folder, *arguments)
    try:
        yield shown
    finally:
        everybody = descendants(shown.process.pid)
        shown.process.kill()
        shown.process.wait()
        wait_until(lambda: not any(map(alive, everybody)), "nothing is left of the demo")


def test_it_comes_up_connects_two_phones_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    """One person, a call to the phone that hangs up after 10 seconds, one to the busy phone; then Ctrl-C."""
    port = free_port()
    with demo(tmp_path, "--http-port", str(port)) as shown:
        shown.wait_until_told("To end all of it press Ctrl-C")
        assert f"http://{HOST}:{port}/" in shown.text
        visitor = Visitor(HOST, port)
        with contextlib.closing(visitor):
            visitor.open_form()
            callback_id = visitor.order("alice", "demo-alice", "(11) 5555-0100", f"+{SHORT.number}")
            shown.wait_until_told("+1 206-555-0105 hangs up", 30)
            wait_until(lambda: "Call ended" in visitor.progress(callback_id), "the page says that it has ended")
            assert "Total" in visitor.progress(callback_id)

            visitor.open_form()
            callback_id = visitor.order("elena", "demo-elena", f"+{CALLER.number}", f"+{BUSY.number}")
            shown.wait_until_told("+1 206-555-0103 refuses: 486 Busy Here", 30)
            wait_until(lambda: "busy" in visitor.progress(callback_id), "the page says that it was busy")
        assert shown.interrupt() == 0
        assert "Ending." in shown.text
        assert "Traceback" not in shown.text
    assert [path.name for path in tmp_path.iterdir()] == ["printed"]


def test_a_softphone_is_really_called_and_the_data_are_kept_where_asked(tmp_path: Path) -> None:
    softphone = free_port()
    folder = tmp_path / "kept"
    port = free_port()
    answering = sipp(tmp_path, "-sn", "uas", "-aa", "-m", "1", "-p", str(softphone))  # silent: it is asked by OPTIONS
    try:
        arguments = ("--http-port", str(port), "--data-dir", str(folder))
        with demo(tmp_path, *arguments, "--phone", f"+{CALLER.number}=sip:me@{HOST}:{softphone}") as shown:
            shown.wait_until_told("To end all of it press Ctrl-C")
            assert f"is sip:me@{HOST}:{softphone}" in shown.text
            with contextlib.closing(Visitor(HOST, port)) as visitor:
                visitor.open_form()
                visitor.order("alice", "demo-alice", f"+{CALLER.number}", f"+{SHORT.number}")
                shown.wait_until_told(f"is called at sip:me@{HOST}:{softphone}", 30)
                shown.wait_until_told("+1 206-555-0105 hangs up", 30)
            assert answering.wait(20) == 0  # it was called, acknowledged, and hung up on
            assert shown.interrupt() == 0
            assert f"kept in {folder}" in shown.text
    finally:
        answering.kill()
        answering.communicate()
    assert (folder / "webcb.sqlite").exists()


def test_ports_in_use_are_gone_around_and_that_is_said() -> None:
    notes: list[str] = []
    with socket.create_server((HOST, 0)) as pages, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        sip.bind((HOST, 0))
        taken = Bind(HOST, sip.getsockname()[1])
        found = show.sip_bind(taken, "the engine", notes)
        assert found.port != taken.port
        assert notes == [f"port {taken.port} is in use, so the engine speaks SIP at {found}."]
        with pytest.raises(show.DemoProblem, match="choose another --http-port"):
            show.http_bind(pages.getsockname()[1], notes)
    assert show.sip_bind(taken, "the engine", notes) == taken
    assert len(notes) == 1


def test_a_part_that_dies_is_said(tmp_path: Path) -> None:
    with demo(tmp_path, "--http-port", str(free_port())) as shown:
        shown.wait_until_told("To end all of it press Ctrl-C")
        carrier = next(
            pid
            for pid in descendants(shown.process.pid)
            if "webcb.demo.carrier" in Path(f"/proc/{pid}/cmdline").read_text()
        )
        os.kill(carrier, signal.SIGKILL)
        assert shown.process.wait(20) == 1
        assert "the carrier ended unexpectedly (-9)" in shown.text


def test_an_http_port_in_use_is_said_where_it_was_asked_for(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with demo(tmp_path, "--http-port", str(port)) as shown:
            assert shown.process.wait(30) == 1
            assert f"{HOST}:{port}: Address already in use; choose another --http-port" in shown.text
            assert "Traceback" not in shown.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--phone", "nonsense"), "write number=URI"),
        (("--phone", "+4930123456=sip:me@127.0.0.1"), "prices for +1 and +55 only"),
        (("--data-dir", "/proc"), "name another"),
        (("--data-dir", "/proc/new"), "name a folder this user may write"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    with demo(tmp_path, *arguments) as shown:
        assert shown.process.wait(30) == 1
        assert said in shown.text
        assert len(shown.text.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["printed"]
