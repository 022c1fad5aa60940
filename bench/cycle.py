"""The whole cycle: callbacks from row to settled bill on real SIP, web and engine and carrier each a process of its own.

Both legs are authorized, routed, rated, locked, called, joined, hung up by B after half a second, and settled in the ledger,
every transaction durable. At the end 500 talk at once and run into their deadlines. No voice flows: that is what bench.media measures.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import cycle_deadlines
from bench.cycle_carrier import TALK_MS
from bench.visitor import Visitor
from webcb import clock, db, doorbell, settings
from webcb.billing import books, credentials, reception
from webcb.demo.phones import CALLER, SPEAKS
from webcb.demo.reach import pages_answer, sip_answers
from webcb.demo.show import configuration
from webcb.number import parse_number
from webcb.provisioning.apply import apply
from webcb.provisioning.document import read
from webcb.serve import end_group, programs, spawn
from webcb.settings import Bind, Settings

RUNS = 3
CALLBACKS_A_RUN = 200
SINGLE_CALLBACKS = 20
ORDERS_BY_HTTP = 30
ACCOUNTS = 10
SECONDS_MAX = 60.0  # for any one step
LOOK_SECONDS = 0.01
HOST = "127.0.0.1"

Figures = dict[str, float | int | str]


def run() -> Figures:
    """Measure, print a table, return the figures: medians of RUNS, seconds and milliseconds as their names say."""
    with house() as (chosen, engine, web):
        bursts = [_burst(chosen, engine, number) for number in range(RUNS)]
        to_invite_ms = _to_first_invite_ms(chosen)
        by_http = _orders_by_http(chosen, web)
        late = cycle_deadlines.measure(chosen, "bench0")
        wait(all_ended, "all callbacks have ended")
        differences = books.differences()
    assert not differences, differences
    figures: Figures = {
        "callbacks_a_run": CALLBACKS_A_RUN,
        "runs": RUNS,
        "talk_ms": TALK_MS,
        "callbacks_per_second": round(statistics.median(rate for rate, _ in bursts), 1),
        "engine_cpu_ms_per_callback": round(statistics.median(cpu for _, cpu in bursts) * 1000, 2),
        "row_to_invite_ms_median": round(statistics.median(to_invite_ms), 2),
        "row_to_invite_ms_worst": round(max(to_invite_ms), 2),
        **by_http,
        **late,
    }
    for name, value in figures.items():
        print(f"  {name:<34} {value:>10}")
    return figures


# The house --------------------------------------------------------------------------------------------------------------


@contextmanager
def house(talk_ms: int = TALK_MS) -> Iterator[tuple[Settings, int, int]]:
    """Web, engine and carrier on a fresh database; yields the settings and the process numbers of engine and web."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="webcb-bench-")))
        carrier = Bind(HOST, _free_port(socket.SOCK_DGRAM))
        config = folder / "webcb.toml"
        config.write_text(
            f'data_dir = "{folder}"\nnode_name = "bench"\nhttp_workers = 1\n'
            f'http_bind = "{HOST}:{_free_port(socket.SOCK_STREAM)}"\n'
            f'sip_binds = ["{HOST}:{_free_port(socket.SOCK_DGRAM)}"]\n'
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
        web, engine = (_start(commands[name], environment, log, ends) for name in ("web", "engine"))
        _start((sys.executable, "-m", "bench.cycle_carrier", str(carrier.port), str(talk_ms)), environment, log, ends)
        wait(lambda: sip_answers(carrier), "the carrier answers")
        wait(lambda: sip_answers(chosen.sip_binds[0]), "the engine answers")
        wait(lambda: pages_answer(chosen.http_bind), "the pages answer")
        yield chosen, engine.pid, web.pid


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


def _configuration(carrier: Bind) -> str:
    """The demo's, with accounts that have money enough and an application that lets each call often."""
    accounts = "".join(
        f"  - {{login: bench{number}, customer: Card holders, product: Callback, service_password: bench,"
        " opening_balance: 100000}\n"
        for number in range(ACCOUNTS)
    )
    many = ("asks_per_minute_account", "asks_per_minute_a", "asks_per_minute_block", "asks_per_minute_source")
    at_once = ("concurrent_per_account", "concurrent_per_a", "concurrent_per_source")
    limits = "    talk_seconds_max: 60\n" + "".join(f"    {limit}: 1000\n" for limit in (*many, *at_once))
    return configuration(carrier).replace("accounts:\n", "accounts:\n" + accounts) + limits


def _free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait(condition: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + SECONDS_MAX
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"not within {SECONDS_MAX:g} s: {what}")
        time.sleep(LOOK_SECONDS)


# Measuring --------------------------------------------------------------------------------------------------------------


def place(number: int, key: str) -> str:
    order = reception.Order(
        voice_application="-",
        login=f"bench{number % ACCOUNTS}",
        password=None,
        number_a=parse_number(f"+{CALLER.number}", "BR"),
        number_b=parse_number(f"+{SPEAKS.number}", "BR"),
        idempotency_key=key,
        requested_from="bench",
    )
    placed = reception.place(order, clock.utc_now())
    assert isinstance(placed, reception.Placed), placed
    return placed.callback_id


def all_ended() -> bool:
    return not db.database.execute_sql("SELECT 1 FROM callback WHERE state <> 'ended' LIMIT 1").fetchone()


def _burst(chosen: Settings, engine: int, run_number: int) -> tuple[float, float]:
    """Callbacks per second from the commit of all rows to the last settled, and the engine's CPU seconds for each."""
    cpu_before = cpu_seconds(engine)
    with db.writing():
        ids = [place(number, f"burst-{run_number}-{number}") for number in range(CALLBACKS_A_RUN)]
    began = time.monotonic()
    doorbell.ring(chosen.doorbell)
    wait(all_ended, "the burst has ended")
    seconds = time.monotonic() - began
    marks = ",".join("?" * len(ids))
    found = db.database.execute_sql(f"SELECT DISTINCT ending FROM callback WHERE id IN ({marks})", ids).fetchall()
    assert [row[0] for row in found] == ["B hung up"], found
    return CALLBACKS_A_RUN / seconds, (cpu_seconds(engine) - cpu_before) / CALLBACKS_A_RUN


def _to_first_invite_ms(chosen: Settings) -> list[float]:
    """One callback at a time: from its committed row, doorbell rung, to the INVITE of leg A as its attempt tells."""
    waits = []
    for number in range(SINGLE_CALLBACKS):
        callback_id = place(number, f"single-{number}")
        committed_us = int(clock.utc_now().timestamp() * 1_000_000)
        doorbell.ring(chosen.doorbell)
        wait(all_ended, "the callback has ended")
        first = db.database.execute_sql(
            "SELECT MIN(attempt.placed_at) FROM attempt JOIN leg ON leg.id = attempt.leg_id WHERE leg.callback_id = ?",
            (callback_id,),
        ).fetchone()[0]
        waits.append((first - committed_us) / 1000)
    return waits


def _orders_by_http(chosen: Settings, web: int) -> Figures:
    """Form, price and order as a browser sends them, one after the other: the web's CPU for each, and how long each took."""
    cpu_before = cpu_seconds(web)
    seconds = []
    for number in range(ORDERS_BY_HTTP):
        began = time.monotonic()
        visitor = Visitor(chosen.http_bind.host, chosen.http_bind.port)
        visitor.open_form()
        visitor.order(f"bench{number % ACCOUNTS}", "bench", f"+{CALLER.number}", f"+{SPEAKS.number}")
        visitor.close()
        seconds.append(time.monotonic() - began)
    cpu = cpu_seconds(web) - cpu_before
    return {
        "orders_by_http": ORDERS_BY_HTTP,
        "web_cpu_ms_per_order": round(cpu / ORDERS_BY_HTTP * 1000, 2),
        "web_order_ms_median": round(statistics.median(seconds) * 1000, 1),
    }


def cpu_seconds(pid: int) -> float:
    """What a process and the children it has used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu_seconds(int(child)) for child in children)


if __name__ == "__main__":
    run()
