"""How many callbacks at once talk with voice on this machine until some of it is lost: through the kernel, and through user space.

Every callback is placed by the engine, its two phones of bench/media_load.c talk as soon as all are up. A round has an engine and
phones of its own. The rounds end with the first that loses more than LOST_PERCENT_MAX.
"""

import sys

from bench.cycle_house import Figures, Load, cpu_seconds, heard, house, place_many, talk_long, wait

STEPS = (50, 100, 200, 400, 600, 800, 1_000, 1_400, 1_800)
LOST_PERCENT_MAX = 0.1
SECONDS = 5
PLACED_A_SECOND = 40
PHONES = 2


def measure(steps: tuple[int, ...] = STEPS) -> Figures:
    """The largest number without loss on either way, and what the first beyond it lost."""
    figures: Figures = {}
    for kernel, name in ((True, "kernel"), (False, "user_space")):
        figures[f"calls_with_voice_{name}"] = 0
        for calls in steps:
            lost_percent = _lost_percent(calls, kernel=kernel)
            if lost_percent > LOST_PERCENT_MAX:
                figures[f"lost_percent_{name}_at_{calls}"] = round(lost_percent, 3)
                break
            figures[f"calls_with_voice_{name}"] = calls
    return figures


def _lost_percent(calls: int, *, kernel: bool) -> float:
    with house(load=Load(PHONES * calls, SECONDS), kernel=kernel) as (chosen, engine, _):
        talk_long(3600)
        before = cpu_seconds(engine)
        place_many(chosen, range(calls), PLACED_A_SECOND, "speaks")
        wait(lambda: heard(chosen) is not None, f"{calls} have talked")
        told, used = heard(chosen), cpu_seconds(engine) - before
    assert told is not None
    lost = (1 - told["received"] / told["sent"]) * 100
    way = "kernel" if kernel else "user space"
    told_ms = {name: told[name] / 1e6 for name in ("p50_ns", "p99_ns", "late_p99_ns")}
    print(
        f"    {way:<10} {calls:>5} calls: {told['per_second']:8,.0f} packets a second, {lost:6.3f} % lost,"
        f" p50 {told_ms['p50_ns']:.2f} ms, p99 {told_ms['p99_ns']:.2f} ms,"
        f" phones late p99 {told_ms['late_p99_ns']:.1f} ms, engine {used:.1f} s of CPU",
        flush=True,
    )
    return lost


if __name__ == "__main__":
    print(measure(tuple(map(int, sys.argv[1:])) or STEPS))
