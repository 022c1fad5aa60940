"""How many callbacks at once talk with voice on this machine until some of it is lost: through the kernel, and through user space.

Every callback is placed by the engine, its two phones of bench/media_load.c talk as soon as all are up. A round has an engine and
phones of its own. The rounds end with the first that loses more than LOST_PERCENT_MAX, or in which the phones, which are on the same
cores, could not send what they were to: of more, such a machine can tell nothing.
"""

import sys
from dataclasses import dataclass

from bench.cycle_carrier import BEGINNING_SECONDS
from bench.cycle_house import Figures, Load, cpu_seconds, heard, house, place_many, talk_long, talking, wait

STEPS = (50, 100, 200, 400, 600, 800, 1_000, 1_400, 1_800)
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


def measure(steps: tuple[int, ...] = STEPS) -> Figures:
    """The largest number without loss on either way, and what ended the rounds: loss, or phones that could do no more."""
    figures: Figures = {}
    for kernel, name in ((True, "kernel"), (False, "user_space")):
        figures[f"calls_with_voice_{name}"] = 0
        for calls in steps:
            found = _talk(calls, kernel=kernel)
            if found.lost_percent > LOST_PERCENT_MAX:
                figures[f"lost_percent_{name}_at_{calls}"] = round(found.lost_percent, 3)
                break
            if found.sent_part < SENT_PART_MIN:
                figures[f"phones_sent_percent_{name}_at_{calls}"] = round(found.sent_part * 100, 1)
                print("    that is what the phones can do on this machine: nothing got lost, and more cannot be tried")
                break
            figures[f"calls_with_voice_{name}"] = calls
    return figures


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
    lost = (1 - told["received"] / told["sent"]) * 100
    way = "kernel" if kernel else "user space"
    told_ms = {name: told[name] / 1e6 for name in ("p50_ns", "p99_ns", "late_p99_ns")}
    print(
        f"    {way:<10} {calls:>5} calls: {told['per_second']:8,.0f} packets a second, {lost:6.3f} % lost,"
        f" p50 {told_ms['p50_ns']:.2f} ms, p99 {told_ms['p99_ns']:.2f} ms,"
        f" phones late p99 {told_ms['late_p99_ns']:.1f} ms, engine's CPU {all_up - before:.1f} s to set up,"
        f" {ended - all_up:.1f} s in {BEGINNING_SECONDS + SECONDS} s of talk",
        flush=True,
    )
    return Round(lost, told["per_second"] / (calls * PACKETS_A_SECOND))


if __name__ == "__main__":
    print(measure(tuple(map(int, sys.argv[1:])) or STEPS))
