"""Relays that carry the same phones by turns: slices of half a second, in an order by chance; what is compared are neighbours.

Between two runs of the phones everything changes: ports, memory, what else the machine does and how fast it is. So there is one run,
one process, one set of sockets; each phone has a destination by every relay, and all change over at once. What differs between two
slices is the relay. The share of each pair is taken, and the median of these has an interval.
"""

import glob
import math
import random
import statistics
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.relays import Missing, Relay

BEGINNING_MS = 1_000
IDLE_MS = 100  # of talk after a change-over, not counted: a flow has paused meanwhile, caches are another's
SLICE_MS = 500
PAIRS = 24
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Slice:
    """What was sent and came within one slice, and the CPU seconds it took: of phones, relay, and of all threads of the machine."""

    sent: int
    received: int
    phones_s: float
    relay_s: float
    machine_s: float

    @property
    def both_s(self) -> float:
        """Of phones and relay, per million packets sent: on loopback the work of delivering a packet falls to whoever sent it."""
        return (self.phones_s + self.relay_s) / self.sent * 1e6

    @property
    def relay_each_s(self) -> float:
        """Per million that arrived: who loses packets has less to do for each that was sent."""
        return self.relay_s / self.received * 1e6


@dataclass(frozen=True)
class Run:
    """What came of one relay: CPU seconds per million packets (medians of the slices), latency in microseconds.

    `late_p99_us` is how late the phones themselves were: with much of it the machine had no more to give, and they sent in heaps.
    `begin_p999_us` is the latency of the first second, in which every call begins, `begin_both_cpu_s` what phones and relay took in it.
    """

    per_second: float
    lost_percent: float
    machine_cpu_s: float
    phones_cpu_s: float
    relay_cpu_s: float
    both_cpu_s: float
    p50_us: float
    p99_us: float
    p999_us: float
    late_p99_us: float
    begin_both_cpu_s: float
    begin_p999_us: float


@dataclass(frozen=True)
class Interval:
    """The median of some values, and between what it lies with the probability CONFIDENCE."""

    median: float
    low: float
    high: float


def interval(values: Sequence[float]) -> Interval:
    """By ranks, so that nothing is supposed about how the values are spread: a value is above the median as often as a coin falls.

    Fewer than six values cannot say it: then the interval is all of them.
    """
    ordered, count = sorted(values), len(values)
    rank = 0
    while sum(math.comb(count, heads) for heads in range(rank + 1)) / 2**count <= (1 - CONFIDENCE) / 2:
        rank += 1
    rank = max(rank - 1, 0)
    return Interval(statistics.median(ordered), ordered[rank], ordered[count - 1 - rank])


def _tasks_ns() -> dict[str, int]:
    """How long each thread of the machine has run, those of the kernel (ksoftirqd, kworker, io_uring's) among them.

    Without this one, which looks. As the scheduler has it, in nanoseconds: /proc/stat counts who runs when the clock ticks, from
    which those hide that wake with the tick. Not in it: interrupts that find the core idle, threads that ended before they were
    looked at again.
    """
    ran = {}
    for name in glob.iglob("/proc/[0-9]*/task/[0-9]*/schedstat"):  # noqa: PTH207 - Path.glob breaks off when a process ends
        with suppress(OSError):  # it has ended meanwhile
            ran[name.split("/")[4]] = int(Path(name).read_text().split()[0])
    ran.pop(str(threading.get_native_id()), None)
    return ran


def _since(before: dict[str, int]) -> float:
    """Seconds of CPU of all threads since then."""
    return sum(now - before.get(task, 0) for task, now in _tasks_ns().items()) / 1e9


class Phones:
    """bench/media_load.c as a process, with a list of destinations for each relay, which are joined meanwhile."""

    def __init__(self, load: Path, calls: int, relays: Sequence[Relay], seconds: int) -> None:
        self._relays = relays
        self._parts = 2 * len(relays)  # of each the beginning, and the rest
        command = [str(load), *map(str, (2 * calls, len(relays), self._parts, seconds))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ports = [int(self._read()) for _ in range(2 * calls)]
        for relay in relays:
            self._write(*relay.join(ports))
            relay.take_turn(False)

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _write(self, *lines: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{line}\n" for line in lines))
        self._process.stdin.flush()

    def talk(self, place: int, idle_ms: int, counted_ms: int, *, is_beginning: bool = False) -> Slice:
        """By the relay of that place."""
        relay = self._relays[place]
        relay.take_turn(True)
        self._write(f"{place} {2 * place + (not is_beginning)} {idle_ms} {counted_ms}")
        assert self._read() == "begun\n"
        relay_s = relay.cpu_s()
        machine = _tasks_ns()
        sent, received, cpu_us = map(int, self._read().split())
        relay_s = relay.cpu_s() - relay_s
        machine_s = _since(machine)
        relay.take_turn(False)
        assert received > 0, "nothing came through the relay"
        return Slice(sent, received, cpu_us / 1e6, relay_s, machine_s)

    def end(self) -> list[list[int]]:
        """For each part what media_load.c says of it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return [list(map(int, self._read().split())) for _ in range(self._parts)]

    def close(self) -> None:
        """Whatever it does."""
        self._process.kill()
        with suppress(BrokenPipeError), self._process:
            pass


def _run(begin: Slice, slices: Sequence[Slice], first: Sequence[int], rest: Sequence[int]) -> Run:
    *_, begin_p999_ns, _late_ns = first
    sent, received, _cpu_us, per_second, p50_ns, p99_ns, p999_ns, late_ns = rest
    return Run(
        per_second=per_second,
        lost_percent=(sent - received) / sent * 100,
        machine_cpu_s=statistics.median(one.machine_s / one.sent * 1e6 for one in slices),
        phones_cpu_s=statistics.median(one.phones_s / one.sent * 1e6 for one in slices),
        relay_cpu_s=statistics.median(one.relay_each_s for one in slices),
        both_cpu_s=statistics.median(one.both_s for one in slices),
        p50_us=p50_ns / 1e3,
        p99_us=p99_ns / 1e3,
        p999_us=p999_ns / 1e3,
        late_p99_us=late_ns / 1e3,
        begin_both_cpu_s=begin.both_s,
        begin_p999_us=begin_p999_ns / 1e3,
    )


def take_turns(
    load: Path, calls: int, starts: dict[str, Callable[[], Relay]], *, pairs: int = PAIRS, slice_ms: int = SLICE_MS
) -> tuple[dict[str, Run], dict[str, list[Slice]]]:
    """Of each relay that is here what came of it, and its slices, which are neighbours of the others' with the same number."""
    with ExitStack() as stack:
        relays: dict[str, Relay] = {}
        for name, start in starts.items():
            try:
                relays[name] = start()
            except Missing as missing:
                print(f"  {name}: left out. {missing}")
                continue
            stack.callback(relays[name].close)
        seconds = max(BEGINNING_MS, pairs * slice_ms) // 1_000 + 1
        phones = Phones(load, calls, list(relays.values()), seconds)
        stack.callback(phones.close)
        begun = [phones.talk(place, 0, BEGINNING_MS, is_beginning=True) for place in range(len(relays))]
        slices: dict[str, list[Slice]] = {name: [] for name in relays}
        for _ in range(pairs):
            order = list(enumerate(relays))
            random.shuffle(order)
            for place, name in order:
                slices[name].append(phones.talk(place, IDLE_MS, slice_ms))
        parts = phones.end()
    runs = {
        name: _run(begun[place], slices[name], parts[2 * place], parts[2 * place + 1])
        for place, name in enumerate(relays)
    }
    return runs, slices
