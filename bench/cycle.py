"""The whole cycle: callbacks from row to settled bill on real SIP, web and engine and carrier each a process of its own.

Both legs are authorized, routed, rated, locked, called, joined, hung up by B after half a second, and settled in the ledger,
every transaction durable. `python -m bench.cycle PART ...` measures some parts alone; each is said where it is written.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import cycle_deadlines, cycle_growth, cycle_media, cycle_profile
from bench.cycle_carrier import TALK_MS
from bench.cycle_house import ACCOUNTS, Figures, all_ended, cpu_seconds, house, place, wait
from bench.table import Beside
from bench.visitor import Visitor
from webcb import clock, db, doorbell
from webcb.billing import books
from webcb.demo.phones import CALLER, SPEAKS
from webcb.settings import Settings

RUNS = 3
CALLBACKS_A_RUN = 200
SINGLE_CALLBACKS = 20
PROFILED_CALLBACKS = 60
ORDERS_BY_HTTP = 30
LARGEST = 3  # costs that are named


def bursts() -> Figures:
    """Callbacks a second that the engine's core carries, all asked for at once; how soon one alone is called; orders by HTTP."""
    with house() as (chosen, engine, web):
        runs = [_burst(chosen, engine, number) for number in range(RUNS)]
        to_invite_ms, single_cpu_ms = _single(chosen, engine)
        by_http = _orders_by_http(chosen, web)
        wait(all_ended, "all callbacks have ended")
        _assert_books_balance()
    return {
        "callbacks_a_run": CALLBACKS_A_RUN,
        "runs": RUNS,
        "talk_ms": TALK_MS,
        "callbacks_per_second": round(statistics.median(rate for rate, _ in runs), 1),
        "engine_core_used_percent": round(statistics.median(100 * rate * cpu for rate, cpu in runs), 1),
        "engine_cpu_ms_per_callback": round(statistics.median(cpu for _, cpu in runs) * 1000, 2),
        "engine_cpu_ms_per_single_callback": round(single_cpu_ms, 2),
        "row_to_invite_ms_median": round(statistics.median(to_invite_ms), 2),
        "row_to_invite_ms_worst": round(max(to_invite_ms), 2),
        **by_http,
    }


def deadlines() -> Figures:
    """How late the BYEs of 500 are that run into their deadline while all talk."""
    with house() as (chosen, _, _):
        late = cycle_deadlines.measure(chosen, "bench0")
        wait(all_ended, "all callbacks have ended")
        _assert_books_balance()
    return late


def profile() -> Figures:
    """Where the CPU of a callback goes: the largest parts, in milliseconds under the profiler."""
    with tempfile.TemporaryDirectory() as folder:
        with house(profile=Path(folder)) as (chosen, _, _):
            for number in range(PROFILED_CALLBACKS):
                place(number, f"profiled-{number}")
                doorbell.ring(chosen.doorbell)
                time.sleep(0.15)
            wait(all_ended, "all callbacks have ended")
        found = cycle_profile.shares(Path(folder), PROFILED_CALLBACKS)
    whole = sum(ms for _, ms in found)
    print(f"  where the CPU of a callback goes ({whole:.1f} ms under the profiler):")
    for part, ms in found:
        print(f"    {ms / whole:5.0%} {ms:7.2f} ms  {part}")
    return {
        f"profile_{place}_of_{LARGEST}": f"{part}: {ms / whole:.0%}"
        for place, (part, ms) in enumerate(found[:LARGEST], 1)
    }


def floor() -> Figures:
    """What a callback must cost at the least; the one part that needs the extra `bench`."""
    from bench import cycle_floor

    return cycle_floor.measure()


PARTS: dict[str, Callable[[], Figures]] = {
    "bursts": bursts,
    "floor": floor,
    "growth": cycle_growth.measure,
    "media": cycle_media.measure,
    "deadlines": deadlines,
    "profile": profile,
}


def run(names: tuple[str, ...] = tuple(PARTS)) -> Figures:
    """Measure these parts, print their figures, return them: medians of RUNS, seconds and milliseconds as their names say."""
    figures: Figures = {}
    for name in names:
        print(f" {name}", flush=True)
        part = PARTS[name]()
        for figure, value in part.items():
            print(f"  {figure:<36} {value:>10}", flush=True)
        figures |= part
    return figures


def quick() -> Figures:
    """Bursts and their floor."""
    return run(("bursts", "floor"))


def beside(figures: Figures) -> list[Beside]:
    """The engine's CPU beside its floor; a BYE beside the deadline's own second."""
    floor = float(figures["floor_cpu_ms_per_callback"])
    rows = [
        Beside(f"a callback {said}", float(figures[name]), "ms of CPU", "its SQL by hand and its SIP alone", floor)
        for said, name in (
            ("in a burst", "engine_cpu_ms_per_callback"),
            ("by itself", "engine_cpu_ms_per_single_callback"),
        )
    ]
    at = [float(value) for name, value in figures.items() if name.startswith("cpu_ms_per_callback_at_")]
    if at:
        rows.append(Beside("a callback while others go on, the dearest", max(at), "ms of CPU", "the cheapest", min(at)))
    ways = [float(figures.get(f"calls_with_voice_{way}", 0)) for way in ("kernel", "user_space")]
    if all(ways):
        rows.append(Beside("calls with voice, none lost: kernel", ways[0], "calls", "user space", ways[1], "more"))
    return rows


def _assert_books_balance() -> None:
    differences = books.differences()
    assert not differences, differences


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


def _single(chosen: Settings, engine: int) -> tuple[list[float], float]:
    """One callback at a time: from its committed row, doorbell rung, to the INVITE of leg A as its attempt tells; and the CPU."""
    waits = []
    before = cpu_seconds(engine)
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
    return waits, (cpu_seconds(engine) - before) / SINGLE_CALLBACKS * 1000


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


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - set(PARTS):
        sys.exit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    run(tuple(sys.argv[1:]) or tuple(PARTS))
