"""What carrying the voice costs: CPU per packet, loss and latency of every relay in bench/relays.py, in one run.

The phones are bench/media_load.c, in a process of its own; our bridge is this process. All relays take turns, and the
medians are reported, so that other work on the machine falls on all alike. `python -m bench.media CALLS ...` measures
other sizes than those of the table.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.relays import RELAYS, Missing, Relay

CALLS = (100, 500, 1_000, 2_000)
SECONDS = 4
RUNS = 3
PACKETS_PER_CALL_SECOND = 100
PLOT = Path(__file__).parent / "results" / "media.svg"
_DESCRIPTORS_PER_CALL = 8  # of rtpengine, which inherits the limit


@dataclass(frozen=True)
class Run:
    """One run of the phones; CPU seconds per million packets sent, latency in microseconds."""

    lost_percent: float
    machine_cpu_s: float
    phones_cpu_s: float
    relay_cpu_s: float
    p50_us: float
    p99_us: float
    p999_us: float


def _machine_cpu_s() -> float:
    """Of all cores, whoever used them: user, nice, system, irq, softirq."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[place]) for place in (0, 1, 2, 5, 6)) / 100


def _measure(load: Path, relay: Relay, calls: int, seconds: int) -> Run:
    phones_count = 2 * calls
    command = [str(load), str(phones_count), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        phones = [int(process.stdout.readline()) for _ in range(phones_count)]
        destinations = relay.join(phones)
        machine_s, relay_s = _machine_cpu_s(), relay.cpu_s()
        process.stdin.write("\n".join(map(str, destinations)) + "\n")
        process.stdin.close()
        sent, received, cpu_us, p50_ns, p99_ns, p999_ns = map(int, process.stdout.readline().split())
        machine_s, relay_s = _machine_cpu_s() - machine_s, relay.cpu_s() - relay_s
    million = sent / 1e6
    return Run(
        lost_percent=(sent - received) / sent * 100,
        machine_cpu_s=machine_s / million,
        phones_cpu_s=cpu_us / 1e6 / million,
        relay_cpu_s=relay_s / million,
        p50_us=p50_ns / 1e3,
        p99_us=p99_ns / 1e3,
        p999_us=p999_ns / 1e3,
    )


def _median(runs: Sequence[Run]) -> Run:
    return Run(**{name: statistics.median(getattr(one, name) for one in runs) for name in Run.__dataclass_fields__})


def compare(load: Path, calls: int, *, seconds: int = SECONDS, runs: int = RUNS) -> dict[str, Run]:
    """The medians of every relay at so many calls; one that is not here is said and left out."""
    measured: dict[str, list[Run]] = {}
    for _ in range(runs):
        for name, start in RELAYS.items():
            try:
                relay = start()
            except Missing as missing:
                print(f"  {name}: left out. {missing}")
                continue
            try:
                measured.setdefault(name, []).append(_measure(load, relay, calls, seconds))
            finally:
                relay.close()
    return {name: _median(taken) for name, taken in measured.items()}


def build_load(folder: Path) -> Path:
    """Compiles the phones into the folder."""
    load = folder / "media_load"
    source = Path(__file__).with_name("media_load.c")
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-pthread", str(source), "-o", str(load)], check=True)
    return load


def _print_table(calls: int, compared: dict[str, Run]) -> None:
    floor_s = compared["no relay"].machine_cpu_s
    print(f"\n{calls:,} calls, {calls * PACKETS_PER_CALL_SECOND:,} packets a second")
    print(f"{'':14}{'CPU s per million packets':>36}{'lost':>9}{'latency, microseconds':>30}")
    print(f"{'':14}{'machine':>9}{'added':>9}{'phones':>9}{'relay':>9}{'%':>9}{'p50':>10}{'p99':>10}{'p99.9':>10}")
    for name, run in compared.items():
        cpu = f"{run.machine_cpu_s:9.1f}{run.machine_cpu_s - floor_s:9.1f}{run.phones_cpu_s:9.1f}{run.relay_cpu_s:9.1f}"
        print(f"{name:14}{cpu}{run.lost_percent:9.3f}{run.p50_us:10,.0f}{run.p99_us:10,.0f}{run.p999_us:10,.0f}")


def _plot(tables: dict[int, dict[str, Run]]) -> None:
    """CPU of the relay and latency over the number of calls, as one SVG."""
    from matplotlib.figure import Figure

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


def run(calls: Sequence[int] = CALLS, *, seconds: int = SECONDS, runs: int = RUNS) -> dict[str, object]:
    """Runs the comparison (four minutes), prints its tables, plots them and returns the figures.

    `machine` is all the machine did, `added` what it did beyond the phones' own talk: on loopback the work of delivering a
    packet falls to whoever sent it. `no relay` also says how fast the machine was.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < _DESCRIPTORS_PER_CALL * max(calls):
        raise SystemExit(
            f"{max(calls)} calls need {_DESCRIPTORS_PER_CALL * max(calls)} descriptors; ulimit -Hn is {hard}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tables: dict[int, dict[str, Run]] = {}
    with tempfile.TemporaryDirectory() as folder:
        load = build_load(Path(folder))
        for size in calls:
            tables[size] = compare(load, size, seconds=seconds, runs=runs)
            _print_table(size, tables[size])
    _plot(tables)
    return {
        str(size): {
            name: {field: round(getattr(one, field), 3) for field in Run.__dataclass_fields__}
            for name, one in compared.items()
        }
        for size, compared in tables.items()
    }


def main() -> int:
    """For one size, by hand."""
    parser = argparse.ArgumentParser(prog="python -m bench.media", description=__doc__)
    parser.add_argument("calls", nargs="*", type=int, default=CALLS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--runs", type=int, default=RUNS)
    arguments = parser.parse_args()
    run(arguments.calls, seconds=arguments.seconds, runs=arguments.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
