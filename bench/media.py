"""What the RTP bridge costs: CPU per packet and added latency, against the same phones with no relay between them.

The phones are bench/media_load.c, in a process of its own; the bridge is this process. Both kinds of run take turns,
and the medians are reported, so that other work on the machine falls on both alike.
"""

import resource
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rtpbridge import Bridge

CALLS = 100
SECONDS = 2
RUNS = 5
PORT_MIN, PORT_MAX = 10_000, 29_999
HOST = "127.0.0.1"
PAYLOADS = {"PCMU/8000": 0, "telephone-event/8000": 101}


@dataclass(frozen=True)
class Run:
    """One run of the phones; CPU seconds of the phones and of the relay, latency in microseconds."""

    sent: int
    received: int
    phones_cpu_s: float
    relay_cpu_s: float
    p50_us: float
    p99_us: float
    p999_us: float

    @property
    def relay_cpu_s_per_million(self) -> float:
        return self.relay_cpu_s / self.received * 1e6

    @property
    def cpu_s_per_million(self) -> float:
        return (self.relay_cpu_s + self.phones_cpu_s) / self.received * 1e6


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _destinations(bridge: Bridge | None, phones: list[int]) -> list[int]:
    """Where each phone sends: phones 2n and 2n+1 talk to each other, through the bridge or directly."""
    if bridge is None:
        return [phones[index ^ 1] for index in range(len(phones))]
    ports = [bridge.open_port() for _ in phones]
    for port, phone in zip(ports, phones, strict=True):
        port.connect(HOST, phone, PAYLOADS)
    for a, b in zip(ports[::2], ports[1::2], strict=True):
        bridge.join(a, b)
    return [port.rtp_port for port in ports]


def _measure(load: Path, bridge: Bridge | None) -> Run:
    command = [str(load), str(2 * CALLS), str(SECONDS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        phones = [int(process.stdout.readline()) for _ in range(2 * CALLS)]
        destinations = _destinations(bridge, phones)
        cpu_before_s = _own_cpu_s()
        process.stdin.write("\n".join(map(str, destinations)) + "\n")
        process.stdin.close()
        sent, received, cpu_us, p50_ns, p99_ns, p999_ns = map(int, process.stdout.readline().split())
        relay_cpu_s = _own_cpu_s() - cpu_before_s
    return Run(sent, received, cpu_us / 1e6, relay_cpu_s, p50_ns / 1e3, p99_ns / 1e3, p999_ns / 1e3)


def run() -> dict[str, float]:
    """Runs the comparison in well under a minute, prints its table and returns it; figures are medians of RUNS runs.

    `relay_cpu` is what this process used; `added_cpu` is what both processes used beyond `floor_cpu`, for on loopback
    the work of delivering a packet falls to whoever sent it. `floor_cpu` also says how fast the machine was.
    """
    floor: list[Run] = []
    relayed: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        load = Path(folder) / "media_load"
        source = Path(__file__).with_name("media_load.c")
        subprocess.run(
            ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-pthread", str(source), "-o", str(load)], check=True
        )
        for _ in range(RUNS):
            floor.append(_measure(load, None))
            with Bridge(HOST, PORT_MIN, PORT_MAX) as bridge:
                relayed.append(_measure(load, bridge))
    p50_us = statistics.median(one.p50_us for one in floor), statistics.median(one.p50_us for one in relayed)
    p99_us = statistics.median(one.p99_us for one in floor), statistics.median(one.p99_us for one in relayed)
    floor_cpu = statistics.median(one.cpu_s_per_million for one in floor)
    figures = {
        "calls": CALLS,
        "packets_per_second": 2 * CALLS * 50,
        "packets_lost_per_million": statistics.median((one.sent - one.received) / one.sent * 1e6 for one in relayed),
        "floor_cpu_s_per_million_packets": floor_cpu,
        "relay_cpu_s_per_million_packets": statistics.median(one.relay_cpu_s_per_million for one in relayed),
        "added_cpu_s_per_million_packets": statistics.median(one.cpu_s_per_million for one in relayed) - floor_cpu,
        "floor_latency_p50_us": p50_us[0],
        "floor_latency_p99_us": p99_us[0],
        "relay_latency_p50_us": p50_us[1],
        "relay_latency_p99_us": p99_us[1],
        "added_latency_p50_us": p50_us[1] - p50_us[0],
        "added_latency_p99_us": p99_us[1] - p99_us[0],
    }
    for name, figure in figures.items():
        print(f"{name:36}{figure:12,.2f}")
    return {name: round(figure, 2) for name, figure in figures.items()}


if __name__ == "__main__":
    run()
