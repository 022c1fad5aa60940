"""How many callbacks at once talk with voice on this machine until some of it is lost: through the kernel, and through user space.

Every callback is placed by the engine, its two phones of bench/media_load.c talk as soon as all are up. A round has an engine and
phones of its own. The phones have all cores, the engine the last one. How many of them could talk to each other with no engine at all
is found first: the ceiling of what makes the load. The rounds of a way end with the first that loses more than LOST_PERCENT_MAX, or in
which the phones could not send what they were to, as voice took the cores that they need: of more, such a machine can tell nothing.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cycle_carrier import BEGINNING_SECONDS, start_load, told_of
from bench.cycle_house import (
    Figures,
    Load,
    cpu_seconds,
    heard,
    house,
    place_many,
    raise_descriptors,
    talk_long,
    talking,
    wait,
)
from bench.media import build_load

STEPS = (50, 100, 200, 400, 600, 800, 1_000, 1_200, 1_400, 1_600, 1_800, 2_000)  # the most that an engine takes at once
LOST_PERCENT_MAX = 0.1
SECONDS = 5
PLACED_A_SECOND = 60
PHONES = 2
PACKETS_A_SECOND = 100  # of a call, both ways
SENT_PART_MIN = 0.97  # of what the phones were to send; with less they are the ceiling


@dataclass(frozen=True)
class Round:
    """So much of what was said got lost, and so much of what was to be said was said."""

    lost_percent: float
    sent_part: float


def measure(steps: Sequence[int] = STEPS) -> Figures:
    """The largest number without loss on either way, and what ended the rounds: loss, or phones that could do no more."""
    figures: Figures = {"calls_of_phones_alone": ceiling(steps)}
    for kernel, name in ((True, "kernel"), (False, "user_space")):
        figures[f"calls_with_voice_{name}"] = 0
        for calls in steps:
            found = _talk(calls, kernel=kernel)
            if found.lost_percent > LOST_PERCENT_MAX:
                figures[f"lost_percent_{name}_at_{calls}"] = round(found.lost_percent, 3)
                break
            if found.sent_part < SENT_PART_MIN:
                figures[f"phones_sent_percent_{name}_at_{calls}"] = round(found.sent_part * 100, 1)
                print(
                    "    that is what the phones can do beside it on this machine: nothing got lost, and more cannot be tried"
                )
                break
            figures[f"calls_with_voice_{name}"] = calls
    return figures


def ceiling(steps: Sequence[int]) -> int:
    """Of these numbers of calls the largest whose phones can talk to each other, with nothing in between and nothing to set up."""
    largest = 0
    raise_descriptors()
    with tempfile.TemporaryDirectory() as folder:
        load = build_load(Path(folder))
        for calls in steps:
            told = _talk_alone(load, PHONES * calls)
            _say("no engine", calls, told)
            if _round(calls, told).sent_part < SENT_PART_MIN:
                break
            largest = calls
    return largest


def _talk_alone(load: Path, phones: int) -> dict[str, float]:
    process, ports = start_load(str(load), phones, SECONDS)
    with process:
        return told_of(process, [ports[place ^ 1] for place in range(phones)], SECONDS)


def _round(calls: int, told: dict[str, float]) -> Round:
    return Round((1 - told["received"] / told["sent"]) * 100, told["per_second"] / (calls * PACKETS_A_SECOND))


def _say(way: str, calls: int, told: dict[str, float], besides: str = "") -> None:
    ms = {name: told[name] / 1e6 for name in ("p50_ns", "p99_ns", "late_p99_ns")}
    print(
        f"    {way:<10} {calls:>5} calls: {told['per_second']:8,.0f} packets a second, {_round(calls, told).lost_percent:6.3f} % lost,"
        f" p50 {ms['p50_ns']:.2f} ms, p99 {ms['p99_ns']:.2f} ms, phones late p99 {ms['late_p99_ns']:.1f} ms{besides}",
        flush=True,
    )


def _talk(calls: int, *, kernel: bool) -> Round:
    with house(load=Load(PHONES * calls, SECONDS), kernel=kernel) as (chosen, engine, _):
        talk_long(3600)
        before = cpu_seconds(engine)
        place_many(chosen, range(calls), PLACED_A_SECOND, "speaks")
        wait(lambda: talking() == calls, f"{calls} talk")
        all_up = cpu_seconds(engine)
        wait(lambda: heard(chosen) is not None, f"{calls} have talked")
        told, ended = heard(chosen), cpu_seconds(engine)
    assert told is not None
    _say(
        "kernel" if kernel else "user space",
        calls,
        told,
        f", engine's CPU {all_up - before:.1f} s to set up, {ended - all_up:.1f} s in {BEGINNING_SECONDS + SECONDS} s of talk",
    )
    return _round(calls, told)


if __name__ == "__main__":
    print(measure(tuple(map(int, sys.argv[1:])) or STEPS))
