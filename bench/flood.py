"""What a flood of junk costs callers: set-up of callbacks on a real engine, quiet and under 5,000 datagrams a second, in turns.

Set-up is from the INVITE of leg A to the 200 of leg B, as the rows tell, with phones that answer at once; so the database and
the page are not in it. The junk comes from a process of its own, see junk.py.
"""

import statistics
import subprocess
import sys
import time

from bench.cycle_house import all_ended, cpu_seconds, house, place, wait
from bench.junk import PER_SECOND
from bench.table import Beside
from webcb import db, doorbell
from webcb.settings import Settings

ROUNDS = 3
SECONDS = 6.0  # of one half of a round
CALLBACKS_PER_SECOND = 10
SETTLE_SECONDS = 0.5  # the flood begins so long before the first callback

Figures = dict[str, float | int | str]

_SETUPS = """
    SELECT callback.talking_at - leg.placed_at FROM callback
      JOIN leg ON leg.callback_id = callback.id AND leg.name = 'A'
     WHERE callback.talking_at IS NOT NULL AND callback.idempotency_key LIKE ?
"""


def run() -> Figures:
    """Measure, print a table, return the figures."""
    cpu = {"quiet": 0.0, "flooded": 0.0}
    sent = 0
    with house() as (chosen, engine, _):
        _calls(chosen, "warm")
        for number in range(ROUNDS):
            for name in cpu:
                began = cpu_seconds(engine)
                if name == "quiet":
                    _calls(chosen, f"quiet-{number}")
                else:
                    sent += _flooded(chosen, f"flooded-{number}")
                cpu[name] += cpu_seconds(engine) - began
        setups = {name: _setup_ms(f"{name}-%") for name in cpu}
    placed = int(ROUNDS * SECONDS * CALLBACKS_PER_SECOND)
    assert [len(each) for each in setups.values()] == [placed, placed], "every callback comes to talk"
    figures: Figures = {
        "callbacks_each": placed,
        "junk_per_second": PER_SECOND,
        "junk_sent": sent,
    }
    for name, each in setups.items():
        figures[f"{name}_setup_ms_p50"] = round(statistics.median(each), 2)
        figures[f"{name}_setup_ms_p99"] = round(statistics.quantiles(each, n=100)[98], 2)
        figures[f"{name}_engine_cpu_seconds"] = round(cpu[name], 2)
    figures["p99_ratio"] = round(float(figures["flooded_setup_ms_p99"]) / float(figures["quiet_setup_ms_p99"]), 2)
    for name, value in figures.items():
        print(f"  {name:<34} {value:>10}")
    return figures


def _flooded(chosen: Settings, key: str) -> int:
    """The calls under a flood; how many datagrams were sent."""
    seconds = SECONDS + 2 * SETTLE_SECONDS
    command = [sys.executable, "-m", "bench.junk", str(chosen.sip_binds[0].port), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flooder:
        time.sleep(SETTLE_SECONDS)
        _calls(chosen, key)
        told, _ = flooder.communicate()
    return int(told)


def _calls(chosen: Settings, key: str) -> None:
    """Callbacks evenly spread over SECONDS; returns when all have ended."""
    began = time.monotonic()
    for number in range(int(SECONDS * CALLBACKS_PER_SECOND)):
        time.sleep(max(0.0, began + number / CALLBACKS_PER_SECOND - time.monotonic()))
        with db.writing():
            place(number, f"{key}-{number}")
        doorbell.ring(chosen.doorbell)
    wait(all_ended, "the callbacks have ended")


def _setup_ms(keys: str) -> list[float]:
    return [row[0] / 1000 for row in db.database.execute_sql(_SETUPS, (keys,)).fetchall()]


def beside(figures: Figures) -> list[Beside]:
    """Under a flood beside quiet."""
    return [
        Beside(
            f"under a flood: {said}", float(figures[f"flooded_{name}"]), unit, "quiet", float(figures[f"quiet_{name}"])
        )
        for said, name, unit in (
            ("set-up, middle", "setup_ms_p50", "ms"),
            ("set-up, slowest hundredth", "setup_ms_p99", "ms"),
            ("the engine's CPU", "engine_cpu_seconds", "s"),
        )
    ]


if __name__ == "__main__":
    run()
