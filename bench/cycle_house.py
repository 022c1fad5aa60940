"""Web, engine and carrier, each a process of its own, on a fresh database: what the benchmarks of the cycle are measured on.

On a machine of several cores the engine has the last one to itself, and everybody else the others: what it carries is what a core
carries, and not what the phones leave it.
"""

import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.cycle_carrier import STAYS, TALK_MS
from bench.media import build_load
from webcb import clock, db, doorbell, settings
from webcb.billing import credentials, reception
from webcb.demo.phones import CALLER, SPEAKS, Phone
from webcb.demo.reach import pages_answer, sip_answers
from webcb.demo.show import configuration
from webcb.number import parse_number
from webcb.provisioning.apply import apply
from webcb.provisioning.document import read
from webcb.serve import end_group, programs, spawn
from webcb.settings import Bind, Settings

ACCOUNTS = 10
SECONDS_MAX = 60.0  # for any one step
LOOK_SECONDS = 0.01
HOST = "127.0.0.1"
HEARD = "heard.json"
PORTS = range(5_000, 9_000)
LOG_SHOWN = 4_000  # characters of its end, where something does not come in time
LIMITS = {  # of the application, as high as they go
    "concurrent_per_account": 1_000,
    "concurrent_per_a": 100_000,
    "concurrent_per_b": 100_000,
    "concurrent_per_block": 100_000,
    "concurrent_per_source": 100_000,
    "asks_per_minute_account": 100_000,
    "asks_per_minute_a": 100_000,
    "asks_per_minute_b": 100_000,
    "asks_per_minute_block": 100_000,
    "asks_per_minute_source": 100_000,
}

Figures = dict[str, float | int | str]


@dataclass(frozen=True)
class Load:
    """Phones with voice: so many of them, on so many callbacks as that is for, talk for so long once all are up."""

    phones: int
    seconds: int


# The house --------------------------------------------------------------------------------------------------------------


@contextmanager
def house(
    talk_ms: int = TALK_MS, *, load: Load | None = None, kernel: bool = True, profile: Path | None = None
) -> Iterator[tuple[Settings, int, int]]:
    """Web, engine and carrier on a fresh database; yields the settings and the process numbers of engine and web.

    With `load` the phones speak, see `heard`; `kernel`: their voice may pass through the kernel. With `profile` the engine writes
    there at its end where its time went.
    """
    with ExitStack() as ends:
        raise_descriptors()
        others, last = _cores()
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, others)
        ends.callback(os.sched_setaffinity, 0, before)
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="webcb-bench-")))
        carrier = Bind(HOST, _free_port(socket.SOCK_DGRAM))
        config = folder / "webcb.toml"
        config.write_text(
            f'data_dir = "{folder}"\nnode_name = "bench"\nhttp_workers = 1\n'
            f'http_bind = "{HOST}:{_free_port(socket.SOCK_STREAM)}"\n'
            f'sip_binds = ["{HOST}:{_free_port(socket.SOCK_DGRAM)}"]\n'
            f'rtp_kernel = "{"auto" if kernel else "off"}"\n'
        )
        chosen = settings.load({}, config)
        ends.callback(db.connect(chosen.database).close)
        credentials.use_key(chosen.secret_key)
        db.migrate()
        document = read(_configuration(carrier).encode())
        assert not document.problems, document.problems
        apply(document, clock.utc_now(), "bench", file="bench.yaml")

        environment = {**os.environ, "WEBCB_CONFIG": str(config)}
        log = ends.enter_context((folder / "log").open("w+"))
        commands = {program.name: program.command for program in programs(chosen)}
        if profile:
            commands["engine"] = (sys.executable, "-m", "bench.cycle_profile", str(profile))
        carrying = [sys.executable, "-m", "bench.cycle_carrier", str(carrier.port), str(talk_ms)]
        if load:
            carrying += [str(build_load(folder)), str(load.phones), str(load.seconds), str(folder / HEARD)]
        web = _start(commands["web"], environment, log, ends)
        _start(tuple(carrying), environment, log, ends)
        os.sched_setaffinity(0, last)  # a process begins where the one is that starts it
        engine = _start(commands["engine"], environment, log, ends)
        os.sched_setaffinity(0, others)
        try:
            wait(lambda: sip_answers(carrier), "the carrier answers")
            wait(lambda: sip_answers(chosen.sip_binds[0]), "the engine answers")
            wait(lambda: pages_answer(chosen.http_bind), "the pages answer")
            yield chosen, engine.pid, web.pid
        except TimeoutError:
            print((folder / "log").read_text()[-LOG_SHOWN:], file=sys.stderr)
            raise


def _start(
    command: tuple[str, ...], environment: dict[str, str], log: object, ends: ExitStack
) -> subprocess.Popen[bytes]:
    process = spawn(command, environment=environment, output=log)  # type: ignore[arg-type]

    def end() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            end_group(process)
            process.wait()

    ends.callback(end)
    return process


def _cores() -> tuple[set[int], set[int]]:
    """The cores of everybody else, and that of the engine; on a machine of one they are the same."""
    *others, last = sorted(os.sched_getaffinity(0))
    return set(others or [last]), {last}


def raise_descriptors() -> None:
    """Let this process and those that it starts open as many files as they may at all."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _configuration(carrier: Bind) -> str:
    """The demo's, with accounts that have money enough and an application that lets each call often."""
    accounts = "".join(
        f"  - {{login: bench{number}, customer: Card holders, product: Callback, service_password: bench,"
        " opening_balance: 100000}\n"
        for number in range(ACCOUNTS)
    )
    limits = "    talk_seconds_max: 60\n" + "".join(f"    {limit}: {most}\n" for limit, most in LIMITS.items())
    return configuration(carrier).replace("accounts:\n", "accounts:\n" + accounts) + limits


def _free_port(kind: int) -> int:
    """A port below those that the kernel draws from by itself: thousands of phones do so before this one is bound."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise OSError(f"no port of {PORTS} is free")


def wait(condition: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + SECONDS_MAX
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"not within {SECONDS_MAX:g} s: {what}")
        time.sleep(LOOK_SECONDS)


# What is done in it ----------------------------------------------------------------------------------------------------


def place(number: int, key: str, to: Phone = SPEAKS) -> str:
    """Ask for a callback between A's phone and another."""
    order = reception.Order(
        voice_application="-",
        login=f"bench{number % ACCOUNTS}",
        password=None,
        number_a=parse_number(f"+{CALLER.number}", "BR"),
        number_b=parse_number(f"+{to.number}", "BR"),
        idempotency_key=key,
        requested_from="bench",
    )
    placed = reception.place(order, clock.utc_now())
    assert isinstance(placed, reception.Placed), placed
    return placed.callback_id


def place_many(chosen: Settings, numbers: range, a_second: int, key: str) -> None:
    """Ask for callbacks to the phone that never hangs up, so many a second."""
    for number in numbers:
        began = time.monotonic()
        place(number, f"{key}-{number}", STAYS)
        doorbell.ring(chosen.doorbell)
        time.sleep(max(0.0, 1 / a_second - (time.monotonic() - began)))


def talk_long(seconds: int) -> None:
    """So long may callbacks last that are asked for from now on."""
    with db.writing():
        db.database.execute_sql(f"UPDATE voice_application SET talk_seconds_max = {seconds}")


def talking() -> int:
    """How many callbacks talk."""
    return int(db.database.execute_sql("SELECT COUNT(*) FROM callback WHERE state = 'talking'").fetchone()[0])


def heard(chosen: Settings) -> dict[str, float] | None:
    """What the phones of a load sent and heard, once they have ended."""
    report = chosen.data_dir / HEARD
    return dict(json.loads(report.read_text())) if report.exists() else None


def all_ended() -> bool:
    """Whether nothing is going on any more."""
    return not db.database.execute_sql("SELECT 1 FROM callback WHERE state <> 'ended' LIMIT 1").fetchone()


def cpu_seconds(pid: int) -> float:
    """What a process and the children it has used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu_seconds(int(child)) for child in children)
