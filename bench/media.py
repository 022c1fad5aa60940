"""What carrying the voice costs: CPU per packet, loss and latency of every relay in bench/relays.py, in one run.

The phones are bench/media_load.c, in a process of its own; our bridge is this process. All relays take turns, and the
medians are reported, so that other work on the machine falls on all alike. What a relay has over another is compared within
each turn, for between two turns the machine changes. The beginning, when all calls are set up at once and flows are laid, is
measured apart from what follows, and printed beside it. `python -m bench.media CALLS ...` measures other sizes than those of the table.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.relays import RELAYS, Missing, Relay

CALLS = (100, 500, 1_000, 2_000)
BEGINNING_SECONDS = 1
SECONDS = 4
RUNS = 3
PACKETS_PER_CALL_SECOND = 100
PLOT = Path(__file__).parent / "results" / "media.svg"
_DESCRIPTORS_PER_CALL = 8  # of rtpengine, which inherits the limit


@dataclass(frozen=True)
class Run:
    """One run of the phones; CPU seconds per million packets sent, the relay's per million that arrived, latency in microseconds.

    A relay that loses packets has less to do for each that was sent: only by those that arrived can two be compared.

    `late_p99_us` is how late the phones themselves were: with much of it the machine had no more to give, and they sent in heaps.
    `begin_p999_us` is the latency of the first second, in which every call begins, `begin_both_cpu_s` what phones and relay took in it.
    """

    per_second: float
    lost_percent: float
    machine_cpu_s: float
    phones_cpu_s: float
    relay_cpu_s: float
    p50_us: float
    p99_us: float
    p999_us: float
    late_p99_us: float
    begin_both_cpu_s: float
    begin_p999_us: float

    @property
    def both_cpu_s(self) -> float:
        """Of phones and relay: on loopback the work of delivering a packet falls to whoever sent it."""
        return self.phones_cpu_s + self.relay_cpu_s


def _tasks_ns() -> dict[str, int]:
    """How long each thread of the machine has run, those of the kernel (ksoftirqd, kworker, io_uring's) among them.

    As the scheduler has it, in nanoseconds: /proc/stat counts who runs when the clock ticks, from which those hide that wake
    with the tick. Not in it: interrupts that find the core idle, threads that ended before they were looked at again.
    """
    ran = {}
    for path in Path("/proc").glob("[0-9]*/task/[0-9]*/schedstat"):
        with suppress(OSError):  # it has ended meanwhile
            ran[path.parent.name] = int(path.read_text().split()[0])
    return ran


def _since(before: dict[str, int]) -> float:
    """Seconds of CPU of all threads since then."""
    return sum(now - before.get(task, 0) for task, now in _tasks_ns().items()) / 1e9


def _read_numbers(process: "subprocess.Popen[str]") -> list[int]:
    assert process.stdout is not None
    return [int(number) for number in process.stdout.readline().split()]


def _measure(load: Path, relay: Relay, calls: int, seconds: int) -> Run:
    phones_count = 2 * calls
    command = [str(load), str(phones_count), str(BEGINNING_SECONDS), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        phones = [int(process.stdout.readline()) for _ in range(phones_count)]
        destinations = "\n".join(map(str, relay.join(phones))) + "\n"
        begin_relay_s = relay.cpu_s()
        process.stdin.write(destinations)
        process.stdin.close()
        assert process.stdout.readline() == "begun\n"
        begin_relay_s = relay.cpu_s() - begin_relay_s
        machine, relay_s = _tasks_ns(), relay.cpu_s()
        assert process.stdout.readline() == "ended\n"
        relay_s = relay.cpu_s() - relay_s  # first: to look at all threads is work of this process
        machine_s = _since(machine)
        begin_sent, _received, begin_cpu_us, *_, begin_p999_ns, _late_ns = _read_numbers(process)
        sent, received, cpu_us, per_second, p50_ns, p99_ns, p999_ns, late_ns = _read_numbers(process)
    assert received > 0, "nothing came through the relay"
    million = sent / 1e6
    return Run(
        per_second=per_second,
        lost_percent=(sent - received) / sent * 100,
        machine_cpu_s=machine_s / million,
        phones_cpu_s=cpu_us / 1e6 / million,
        relay_cpu_s=relay_s / received * 1e6,
        p50_us=p50_ns / 1e3,
        p99_us=p99_ns / 1e3,
        p999_us=p999_ns / 1e3,
        late_p99_us=late_ns / 1e3,
        begin_both_cpu_s=begin_cpu_us / begin_sent + begin_relay_s / begin_sent * 1e6,
        begin_p999_us=begin_p999_ns / 1e3,
    )


def _median(runs: Sequence[Run]) -> Run:
    return Run(**{name: statistics.median(getattr(one, name) for one in runs) for name in Run.__dataclass_fields__})


def _shares(measured: dict[str, list[Run]]) -> dict[str, float]:
    """What the kernel path adds to no relay at all, and what part of rtpengine's CPU our user space takes: medians over the turns."""
    shares = {}
    if "kernel" in measured:
        turns = zip(measured["kernel"], measured["no relay"], strict=True)
        shares["kernel"] = statistics.median(ours.both_cpu_s / bare.both_cpu_s - 1 for ours, bare in turns)
    if "rtpengine" in measured:
        turns = zip(measured["user space"], measured["rtpengine"], strict=True)
        shares["user space"] = statistics.median(ours.relay_cpu_s / theirs.relay_cpu_s for ours, theirs in turns)
    return shares


def compare(
    load: Path, calls: int, *, seconds: int = SECONDS, runs: int = RUNS
) -> tuple[dict[str, Run], dict[str, float]]:
    """The medians of every relay at so many calls, and the shares; a relay that is not here is said and left out."""
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
    return {name: _median(taken) for name, taken in measured.items()}, _shares(measured)


def build_load(folder: Path) -> Path:
    """Compiles the phones into the folder."""
    load = folder / "media_load"
    source = Path(__file__).with_name("media_load.c")
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-pthread", str(source), "-o", str(load)], check=True)
    return load


def _print_table(calls: int, compared: dict[str, Run], shares: dict[str, float]) -> None:
    print(f"\n{calls:,} calls, {calls * PACKETS_PER_CALL_SECOND:,} packets a second wanted")
    print(
        f"{'':11}{'CPU s per million packets':>34}{'packets':>10}{'lost':>8}{'latency, microseconds':>27}{'begin':>16}{'phones':>12}"
    )
    print(
        f"{'':11}{'machine':>8}{'phones':>7}{'relay':>6}{'both':>6}{'':>7}{'a second':>10}{'%':>8}"
        f"{'p50':>9}{'p99':>9}{'p99.9':>9}{'both':>8}{'p99.9':>9}{'late p99':>11}"
    )
    for name, run in compared.items():
        share = ""
        if name in shares:
            share = f"{shares[name]:+7.0%}" if name == "kernel" else f"{shares[name]:7.2f}"
        cpu = f"{run.machine_cpu_s:8.1f}{run.phones_cpu_s:7.1f}{run.relay_cpu_s:6.1f}{run.both_cpu_s:6.1f}{share:7}"
        print(
            f"{name:11}{cpu}{run.per_second:10,.0f}{run.lost_percent:8.3f}"
            f"{run.p50_us:9,.0f}{run.p99_us:9,.0f}{run.p999_us:9,.0f}"
            f"{run.begin_both_cpu_s:8.1f}{run.begin_p999_us:9,.0f}{run.late_p99_us:11,.0f}"
        )


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


def run(calls: Sequence[int] = CALLS, *, seconds: int = SECONDS, runs: int = RUNS) -> dict[str, object]:
    """Runs the comparison (six minutes), prints its tables, plots them and returns the figures.

    `machine` is what all threads of the machine did, whoever they belong to. `both` is of phones and relay, and beside it how much
    more than with no relay that is in the kernel path, and what part of rtpengine's CPU the relay of our user space takes.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < _DESCRIPTORS_PER_CALL * max(calls):
        raise SystemExit(
            f"{max(calls)} calls need {_DESCRIPTORS_PER_CALL * max(calls)} descriptors; ulimit -Hn is {hard}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tables: dict[int, dict[str, Run]] = {}
    shares: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        load = build_load(Path(folder))
        for size in calls:
            tables[size], shares[size] = compare(load, size, seconds=seconds, runs=runs)
            _print_table(size, tables[size], shares[size])
    _plot(tables)
    return {
        str(size): {
            **{
                name: {field: round(getattr(one, field), 3) for field in Run.__dataclass_fields__}
                for name, one in compared.items()
            },
            "shares": {name: round(share, 3) for name, share in shares[size].items()},
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
