"""`webcb serve`: the pages under gunicorn, an engine and a spare one, one clerk, each started again when it dies, all ended together.

The supervisor knows nothing of them but their commands. Every child leads a process group of its own, is told to end when the
supervisor dies however that happens, and writes to the supervisor's standard error: one stream for journald or a file.
"""

import contextlib
import ctypes
import http.client
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import IO

from webcb import clock, db, haste, watchdog
from webcb.settings import Bind, Settings
from webcb.watchdog import Ear, Lifeline
from webcb.watching import counting
from webcb.watching import log as logs

STEADY_SECONDS = 10.0  # who lived so long has started well: his next death is the first in a row again
RESTART_SECONDS_MIN = 0.25
RESTART_SECONDS_MAX = 30.0
QUICK_DEATHS_MAX = 12  # in a row, about three minutes; then whoever supervises the supervisor should hear of it
GRACE_SECONDS = 5  # what gunicorn gives open requests; the engine releases its calls in as much
END_SECONDS_MAX = 8.0  # then what is still there is killed
SILENCE_SECONDS_MAX = 15.0  # of an engine: a loop that stands still so long sends no BYE and renews no funds
READY_SECONDS_MAX = 60.0  # then systemd is told so all the same: what is missing may be mended while we run
READY_LOOK_SECONDS = 0.2
ANSWER_SECONDS_MAX = 1.0
LISTEN_SECONDS = 1.0  # between two looks at who gives signs of life, and two of our own to systemd
SPARE_SECONDS = 3.0  # before the spare engine is started beside what is needed at once
CANNOT_START = 2  # the exit status of a program that says why it cannot run as things stand
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = logging.getLogger("webcb.serve")


@dataclass(frozen=True, slots=True)
class Program:
    """What is kept running, and the signal by which it loads anew or ends, to be started anew (None: it is left alone at SIGHUP).

    `tells_apart`: SIGINT means another end to it than SIGTERM. Of one `role` there may be several: one works, the others stand by,
    and who works may change without our doing. `starts_after` so many seconds, so that it does not hold up the others.
    """

    name: str
    command: tuple[str, ...]
    renewed_by: int | None = None
    tells_apart: bool = False
    role: str = ""
    starts_after: float = 0.0
    comes_first: bool = (
        False  # from its first instruction on: callers may be waiting in silence; it goes back by itself
    )
    beats: bool = False  # gives signs of life once it works: who then falls silent for SILENCE_SECONDS_MAX is killed


def restart_seconds(deaths: int) -> float:
    """How long to wait before starting again after so many quick deaths in a row: doubling, with a limit."""
    return min(RESTART_SECONDS_MIN * 2.0 ** max(0, deaths - 1), RESTART_SECONDS_MAX)


def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    output: IO[str] | None = None,
    comes_first: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a child that leads its own process group and gets SIGTERM when this process dies, be it by kill -9.

    `output` takes both of its streams; without it they go to our standard error. `comes_first`: before all other processes, see haste.
    """
    stream = output or sys.stderr
    return subprocess.Popen(  # noqa: S603 - commands of our own, no shell
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=stream,
        start_new_session=True,
        preexec_fn=_tie_to(os.getpid(), comes_first),  # noqa: PLW1509 - the callers have one thread
    )


def _tie_to(parent: int, comes_first: bool) -> Callable[[], None]:
    prctl = ctypes.CDLL(None).prctl

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a blocked signal would stay blocked in the child
        if os.getppid() != parent:  # it died before the tie was there
            os._exit(1)
        if comes_first:
            haste.come_first()

    return tie


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of a child's process group, such as workers that outlived their master."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class _Child:
    """A program and its present process; None while it waits to be started again."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.start_at = clock.monotonic() + program.starts_after if program.starts_after else 0.0
        self.quick_deaths = 0
        self.has_been_steady = False
        self.is_renewed = False  # told to end, to be started anew
        self._ear: Ear | None = None
        self._heard_at: float | None = None  # None: it has not given a sign of life yet; who stands by gives none

    def start(self) -> None:
        environment = watchdog.unwatched()
        if self.program.beats:
            self.stop_listening()
            self._ear = Ear()
            environment |= self._ear.environment
        self.process = spawn(self.program.command, environment=environment, comes_first=self.program.comes_first)
        self.started_at = clock.monotonic()
        log.info("%s started, process %d", self.program.name, self.process.pid)

    def listen(self) -> None:
        """Kill who gave signs of life and gives none any more: another goes on with its work at once."""
        if self._ear is None or self.process is None:
            return
        now = clock.monotonic()
        if self._ear.has_heard():
            self._heard_at = now
        elif self._heard_at is not None and now - self._heard_at > SILENCE_SECONDS_MAX:
            log.error("%s gives no sign of life for %d s: it is killed", self.program.name, now - self._heard_at)
            self._heard_at = None
            self.process.kill()

    def stop_listening(self) -> None:
        if self._ear is not None:
            self._ear.close()
            self._ear, self._heard_at = None, None

    def signal(self, number: int) -> None:
        if self.process:
            self.process.send_signal(number)  # looks whether it is still there first


class Supervisor:
    """Keeps programs running until it is told to end. Blocks the signals it waits for, so it is one to a process.

    `is_ready` says whether they do what they are for: systemd is told that the service has started only then.
    """

    def __init__(self, programs: Sequence[Program], is_ready: Callable[[], bool] = lambda: True) -> None:
        self._children = [_Child(program) for program in programs]
        self._is_ready = is_ready
        self._ended_by: int = signal.SIGTERM

    def run(self) -> int:
        """Start all, keep them, end them; 0 when told to end, CANNOT_START or 1 when they cannot be kept running."""
        watch_signals()
        lifeline = Lifeline()
        began, has_told = clock.monotonic(), not lifeline.is_watched
        try:
            while True:
                lifeline.beat()
                for child in self._children:
                    child.listen()
                for child in self._children:
                    if child.process is None and child.start_at <= clock.monotonic():
                        child.start()
                if not has_told and (self._is_ready() or clock.monotonic() - began > READY_SECONDS_MAX):
                    lifeline.say(watchdog.READY)
                    has_told = True
                seconds = self._seconds_to_next_start()
                received = wait_for_signal(seconds if has_told else min(seconds, READY_LOOK_SECONDS))
                if received in (signal.SIGTERM, signal.SIGINT):
                    self._ended_by = received
                    log.info("%s: ending", signal.Signals(received).name)
                    return 0
                if received == signal.SIGHUP:
                    self._renew()
                for child in self._children:
                    status = self._bury(child)
                    if status:
                        return status
        finally:
            lifeline.say(watchdog.STOPPING)
            self._end()
            lifeline.close()

    def _seconds_to_next_start(self) -> float:
        waiting = [child.start_at for child in self._children if child.process is None]
        return min(LISTEN_SECONDS, max(0.0, min(waiting) - clock.monotonic())) if waiting else LISTEN_SECONDS

    def _renew(self) -> None:
        for child in self._children:
            if child.program.renewed_by is not None and child.process is not None:
                log.info("SIGHUP: %s loads anew", child.program.name)
                child.is_renewed = True
                child.signal(child.program.renewed_by)

    def _has_twin(self, child: _Child) -> bool:
        """Whether another is alive that works, or would, in its place."""
        role = child.program.role
        return bool(role) and any(
            each is not child and each.program.role == role and each.process is not None for each in self._children
        )

    def _bury(self, child: _Child) -> int:
        """See whether a child has died and when it is to be started again; non-zero where it is not."""
        if child.process is None or child.process.poll() is None:
            return 0
        name, code = child.program.name, child.process.returncode
        end_group(child.process)
        child.process = None
        now = clock.monotonic()
        if now - child.started_at >= STEADY_SECONDS:
            child.quick_deaths, child.has_been_steady = 0, True
        if child.is_renewed:
            child.is_renewed, child.start_at = False, now
            log.info("%s ended to be started anew", name)
            return 0
        has_twin = self._has_twin(child)  # then nobody misses it yet
        if code == CANNOT_START and not child.has_been_steady and child.quick_deaths == 0 and not has_twin:
            log.error("%s cannot start; what it says stands above", name)
            return CANNOT_START
        child.quick_deaths += 1
        if child.quick_deaths > QUICK_DEATHS_MAX and not has_twin:
            log.error("%s died %d times in a row soon after its start: giving up", name, child.quick_deaths)
            return 1
        delay = restart_seconds(child.quick_deaths)
        child.start_at = now + delay
        log.warning("%s ended (%s); starting it again in %.2f s", name, _how(code), delay)
        return 0

    def _end(self) -> None:
        """SIGTERM to all, or what we got to who tells them apart; what is left after END_SECONDS_MAX, or at a second one, is killed."""
        for child in reversed(self._children):  # who stands by first: he must not take over what ends
            child.signal(self._ended_by if child.program.tells_apart else signal.SIGTERM)
        give_up_at = clock.monotonic() + END_SECONDS_MAX
        while any(child.process and child.process.poll() is None for child in self._children):
            left = give_up_at - clock.monotonic()
            if left <= 0 or wait_for_signal(left) in (signal.SIGTERM, signal.SIGINT):
                log.warning("not all ended in time: killing the rest")
                break
        for child in self._children:
            if child.process:
                end_group(child.process)
                child.process.wait()
            child.stop_listening()
        log.info("ended")


def watch_signals() -> None:
    """Hold back the signals of WATCHED from now on: `wait_for_signal` takes them one by one, none is missed in between."""
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)


def wait_for_signal(seconds: float | None) -> int | None:
    """The next signal of WATCHED; None when none came in that time."""
    if seconds is None:
        return signal.sigwaitinfo(WATCHED).si_signo
    received = signal.sigtimedwait(WATCHED, seconds)
    return received.si_signo if received else None


def _how(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def programs(settings: Settings) -> tuple[Program, ...]:
    """The programs of one node: they read the same settings by themselves."""
    web = (
        sys.executable,
        "-m",
        "gunicorn",
        "wsgi:app",
        f"--bind={settings.http_bind}",
        "--worker-class=gthread",
        f"--workers={settings.http_workers}",
        f"--threads={settings.http_threads}",
        f"--graceful-timeout={GRACE_SECONDS}",
        "--no-control-socket",
    )
    command = sys.executable, "-m", "webcb"
    engine = Program(
        "engine",
        (*command, "engine", "--stand-by"),
        signal.SIGHUP,
        tells_apart=True,
        role="engine",
        beats=True,
        comes_first=True,
    )
    return (
        Program("web", web, signal.SIGHUP),
        Program("clerk", (*command, "clerk"), signal.SIGTERM),
        engine,
        replace(engine, name="spare engine", starts_after=SPARE_SECONDS),
    )


def why_not_bindable(bind: Bind, kind: int = socket.SOCK_STREAM) -> str | None:
    """What keeps an address from being listened on, in words; None where nothing does."""
    try:
        family, _, _, _, address = socket.getaddrinfo(bind.host, bind.port, type=kind)[0]
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as wrong:
        return wrong.strerror or str(wrong)
    return None


def main(settings: Settings) -> int:
    """Bring the database up to date, then run all until told to end. Exit status as `Supervisor.run`."""
    logs.start(settings.log_format, settings.node_name)
    counting.start_anew(settings.data_dir)
    reason = why_not_bindable(settings.http_bind)
    if reason:
        log.error("the pages cannot be served at %s: %s; set http_bind to another address", settings.http_bind, reason)
        return CANNOT_START
    opened = db.connect(settings.database)
    before, after = db.migrate()
    opened.close()
    if before != after:
        log.info("database brought from version %d to %d", before, after)
    making = _make_prompts()
    try:
        return Supervisor(programs(settings), partial(_is_ready, settings.http_bind)).run()
    finally:
        end_group(making)
        making.wait()


def _is_ready(pages: Bind) -> bool:
    """Whether the pages answer, and say that an engine would call whoever asks now."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(pages.host, pages.host)  # noqa: S104 - compared, not bound
    asked = http.client.HTTPConnection(host, pages.port, timeout=ANSWER_SECONDS_MAX)
    try:
        asked.request("GET", "/readyz", headers={"Host": "localhost"})
        return asked.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asked.close()


def _make_prompts() -> subprocess.Popen[bytes]:
    """Speak the prompts that are missing, beside everything else and behind it: calls go on meanwhile without them."""
    return spawn(("nice", "-n", "19", sys.executable, "-m", "webcb.prompts"))
