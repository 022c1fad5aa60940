"""What carrying the voice costs: CPU per packet, loss and latency of every relay in bench/relays.py, in one run.

The phones are bench/media_load.c, in a process of its own; our bridge is this process. What is compared carries the same phones by
turns (bench/turns.py): the kernel path and no relay at all, our user space and rtpengine. The beginning, when all calls are set up at
once and flows are laid, is measured apart from what follows, and printed beside it. `python -m bench.media CALLS ...` measures other
sizes than those of the table.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from bench import codecs, pacing
from bench.loopback import network_apart
from bench.relays import RELAYS
from bench.table import Beside
from bench.turns import PAIRS, SLICE_MS, Interval, Run, Slice, interval, take_turns

CALLS = (100, 500, 1_000, 2_000)
PACKETS_PER_CALL_SECOND = 100
QUICK_PAIRS = 6
PLOT = Path(__file__).parent / "results" / "media.svg"
_DESCRIPTORS_PER_CALL = 8  # of rtpengine, which inherits the limit

# What takes turns, and what the first of them is beside the second: for it has a bound.
BESIDE: Final[dict[tuple[str, str], Callable[[Slice, Slice], float]]] = {
    # how much more phones and relay take than phones alone
    ("kernel", "no relay"): lambda ours, bare: ours.both_s / bare.both_s - 1,
    # what part of the other relay's CPU
    ("user space", "rtpengine"): lambda ours, theirs: ours.relay_each_s / theirs.relay_each_s,
}


def compare(
    load: Path, calls: int, *, pairs: int = PAIRS, slice_ms: int = SLICE_MS
) -> tuple[dict[str, Run], dict[str, Interval]]:
    """What came of every relay at so many calls, and the shares; a relay that is not here is said and left out."""
    runs: dict[str, Run] = {}
    shares: dict[str, Interval] = {}
    for names, beside in BESIDE.items():
        starts = {name: start for name, start in RELAYS.items() if name in names}
        found, slices = take_turns(load, calls, starts, pairs=pairs, slice_ms=slice_ms)
        runs |= found
        if len(found) == len(names):
            shares[names[0]] = interval([beside(*pair) for pair in zip(*(slices[name] for name in names), strict=True)])
    return {name: runs[name] for name in RELAYS if name in runs}, shares


def build_load(folder: Path) -> Path:
    """Compiles the phones into the folder."""
    load = folder / "media_load"
    source = Path(__file__).with_name("media_load.c")
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-pthread", str(source), "-o", str(load)], check=True)
    return load


def _print_table(calls: int, compared: dict[str, Run], shares: dict[str, Interval]) -> None:
    print(f"\n{calls:,} calls, {calls * PACKETS_PER_CALL_SECOND:,} packets a second wanted")
    print(
        f"{'':11}{'CPU s per million packets':>46}{'packets':>12}{'lost':>8}"
        f"{'latency, microseconds':>27}{'begin':>16}{'phones':>12}"
    )
    print(
        f"{'':11}{'machine':>8}{'phones':>7}{'relay':>6}{'both':>6}{'share (95 % of all)':>23}{'a second':>8}{'%':>8}"
        f"{'p50':>9}{'p99':>9}{'p99.9':>9}{'both':>8}{'p99.9':>9}{'late p99':>11}"
    )
    for name, run in compared.items():
        share = _share(name, shares[name]) if name in shares else ""
        cpu = f"{run.machine_cpu_s:8.1f}{run.phones_cpu_s:7.1f}{run.relay_cpu_s:6.1f}{run.both_cpu_s:6.1f}{share:>23}"
        print(
            f"{name:11}{cpu}{run.per_second:8,.0f}{run.lost_percent:8.3f}"
            f"{run.p50_us:9,.0f}{run.p99_us:9,.0f}{run.p999_us:9,.0f}"
            f"{run.begin_both_cpu_s:8.1f}{run.begin_p999_us:9,.0f}{run.late_p99_us:11,.0f}"
        )


def _share(name: str, share: Interval) -> str:
    if name == "kernel":
        return f"{share.median:+.1%} ({share.low:+.1%} {share.high:+.1%})"
    return f"{share.median:.2f} ({share.low:.2f} {share.high:.2f})"


def _plot(tables: dict[int, dict[str, Run]]) -> None:
    """CPU of the relay and latency over the number of calls, as one SVG; without matplotlib the tables have to do."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("\nnot plotted: matplotlib is not here. `make bench` installs it, as does: pip install -e '.[bench]'")
        return

    figure = Figure(figsize=(10, 4), layout="constrained")
    cpu, latency = figure.subplots(1, 2)
    for name in RELAYS:
        points = [(calls, compared[name]) for calls, compared in tables.items() if name in compared]
        if not points:
            continue
        where = [calls for calls, _ in points]
        if name != "no relay":
            cpu.plot(where, [run.relay_cpu_s for _, run in points], marker="o", label=name)
        (line,) = latency.plot(where, [run.p50_us for _, run in points], marker="o", label=f"{name}, p50")
        latency.plot(where, [run.p99_us for _, run in points], "--", color=line.get_color(), label=f"{name}, p99")
    cpu.set(title="CPU of the relay", xlabel="calls", ylabel="seconds per million packets", ylim=(0, None))
    latency.set(title="Latency", xlabel="calls", ylabel="microseconds", yscale="log")
    for axes in (cpu, latency):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT)
    print(f"\nplotted as {PLOT}")


def run(calls: Sequence[int] = CALLS, *, pairs: int = PAIRS, slice_ms: int = SLICE_MS) -> dict[str, object]:
    """Runs the comparison (six minutes), prints its tables, plots them and returns the figures.

    `machine` is what all threads of the machine did, whoever they belong to. `both` is of phones and relay. The share is how much
    more than with no relay that is in the kernel path, and what part of rtpengine's CPU the relay of our user space takes: the
    median of all pairs, and between what it lies.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < _DESCRIPTORS_PER_CALL * max(calls):
        raise SystemExit(
            f"{max(calls)} calls need {_DESCRIPTORS_PER_CALL * max(calls)} descriptors; ulimit -Hn is {hard}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tables: dict[int, dict[str, Run]] = {}
    shares: dict[int, dict[str, Interval]] = {}
    with tempfile.TemporaryDirectory() as folder, network_apart():
        load = build_load(Path(folder))
        for size in calls:
            tables[size], shares[size] = compare(load, size, pairs=pairs, slice_ms=slice_ms)
            _print_table(size, tables[size], shares[size])
    _plot(tables)
    return {
        str(size): {
            **{name: _rounded(asdict(one)) for name, one in compared.items()},
            "shares": {name: _rounded(asdict(share)) for name, share in shares[size].items()},
        }
        for size, compared in tables.items()
    }


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(figure, 3) for name, figure in figures.items()}


def quick() -> dict[str, object]:
    """One size, a few turns."""
    return run((100,), pairs=QUICK_PAIRS)


def beside(figures: dict[str, Any]) -> list[Beside]:
    """Our user space beside rtpengine's, our kernel path beside no relay at all; a relay that was not there is in no row."""
    rows = []
    million = "s a million packets"
    for size, one in figures.items():
        shares = {name: share["median"] for name, share in one["shares"].items()}
        if "user space" in shares:
            ours, theirs = one["user space"], one["rtpengine"]
            of_cpu = f"{size} calls in user space: CPU"
            rows += [
                Beside(
                    of_cpu,
                    ours["relay_cpu_s"],
                    million,
                    "rtpengine",
                    theirs["relay_cpu_s"],
                    of_pairs=shares["user space"],
                ),
                Beside(
                    f"{size} calls in user space: slowest hundredth",
                    ours["p99_us"],
                    "µs",
                    "rtpengine",
                    theirs["p99_us"],
                ),
            ]
        if "kernel" in shares:
            ours, bare = one["kernel"], one["no relay"]
            of_cpu = f"{size} calls in the kernel: CPU, phones and relay"
            rows.append(
                Beside(
                    of_cpu, ours["both_cpu_s"], million, "no relay", bare["both_cpu_s"], of_pairs=1 + shares["kernel"]
                )
            )
    return rows


def main() -> int:
    """By hand, for any sizes; what else the bridge does to a packet, and how exactly it sends its own, stands below."""
    parser = argparse.ArgumentParser(prog="python -m bench.media", description=__doc__)
    parser.add_argument("calls", nargs="*", type=int, default=CALLS)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="slices of each relay")
    parser.add_argument("--slice-ms", type=int, default=SLICE_MS, help="how long a slice is")
    parser.add_argument("--relays-only", action="store_true", help="without codecs, SRTP and pacing")
    arguments = parser.parse_args()
    run(arguments.calls, pairs=arguments.pairs, slice_ms=arguments.slice_ms)
    if not arguments.relays_only:
        print()
        codecs.run()
        print()
        pacing.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
