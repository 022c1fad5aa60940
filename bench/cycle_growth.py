"""What a callback costs the engine while others talk: its CPU a callback at 1, 10, 100, 500 and 1,000 that are going on.

What those that talk cost by themselves is measured first and taken off. `bench.growth` draws the curve beside the others.
"""

import time

from bench.cycle_house import Figures, cpu_seconds, house, place, place_many, talk_long, talking, wait
from webcb import db, doorbell
from webcb.settings import Settings

CONCURRENT = (1, 10, 100, 500, 1_000)
PROBES = 40
A_SECOND = 10
PLACED_A_SECOND = 40
STANDING_SECONDS = 5.0
TALK_SECONDS = 3600


def measure(numbers: tuple[int, ...] = CONCURRENT) -> Figures:
    """The points of the curve: milliseconds of the engine's CPU a callback, and what those that talk cost a second."""
    points: list[tuple[int, float, float]] = []
    for concurrent in numbers:
        with house() as (chosen, engine, _):  # anew each time: phones that say nothing are hung up on after a minute
            talk_long(TALK_SECONDS)
            place_many(chosen, range(concurrent), PLACED_A_SECOND, "stays")
            wait(lambda concurrent=concurrent: talking() == concurrent, f"{concurrent} talk")  # type: ignore[misc]
            time.sleep(1)
            points.append((concurrent, *_cost(chosen, engine, concurrent)))
        print(
            f"    {points[-1][0]:>5} going on: {points[-1][1]:6.2f} ms a callback, {points[-1][2]:6.1f} ms a second to stand",
            flush=True,
        )
    figures: Figures = {f"cpu_ms_per_callback_at_{each}": round(ms, 2) for each, ms, _ in points}
    return figures | {f"standing_cpu_ms_per_second_at_{each}": round(ms, 1) for each, _, ms in points}


def curve() -> dict[int, float]:
    """The points alone, in milliseconds."""
    figures = measure()
    return {each: float(figures[f"cpu_ms_per_callback_at_{each}"]) for each in CONCURRENT}


def _cost(chosen: Settings, engine: int, concurrent: int) -> tuple[float, float]:
    before, began = cpu_seconds(engine), time.monotonic()
    time.sleep(STANDING_SECONDS)
    standing = (cpu_seconds(engine) - before) / (time.monotonic() - began)
    before, began = cpu_seconds(engine), time.monotonic()
    for number in range(PROBES):
        place(number, f"probe-{concurrent}-{number}")
        doorbell.ring(chosen.doorbell)
        time.sleep(1 / A_SECOND)
    wait(lambda: _going_on() == concurrent, "the others have ended")
    used = cpu_seconds(engine) - before - standing * (time.monotonic() - began)
    return used / PROBES * 1000, standing * 1000


def _going_on() -> int:
    return int(db.database.execute_sql("SELECT COUNT(*) FROM callback WHERE state <> 'ended'").fetchone()[0])
