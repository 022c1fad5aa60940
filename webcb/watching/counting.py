"""What the processes of a node count, in Prometheus' terms; web, engine and clerk share their numbers by files below the data folder.

Whoever serves pages shows the sum of all (`exposition`). Without `share`, as in a test, a process shows its own alone. What the tables
tell stands in tables.py. Names follow Prometheus' rules: the unit is in the name, a counter ends in _total.
"""

import os
from functools import cache
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER: Final = "metrics"
SHARED_BY: Final = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client looks there
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_QUICK: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
_RINGING: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)


class Numbers:
    """Every number that a process may count."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"webcb_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"webcb_{name}", text, registry=registry, multiprocess_mode="livesum")

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"webcb_{name}", text, labels, buckets=buckets, registry=registry)

        # Calls
        self.callbacks_begun = counter("callbacks_begun_total", "Callbacks whose A is called")
        self.callbacks_ended = counter("callbacks_ended_total", "Callbacks that ended in this node's engine", "ending")
        self.callbacks_running = gauge("engine_callbacks_running", "Callbacks in this node's engine")
        self.callbacks_talking = gauge("engine_callbacks_talking", "Of these, those where both talk")
        self.callbacks_room = gauge("engine_callbacks_room", "Callbacks more that this node's engine may begin")
        self.attempts = counter(
            "attempts_total", "INVITEs by connection and final status; 0: none came", "connection", "status"
        )
        self.post_dial_delay = histogram(
            "post_dial_delay_seconds", "From INVITE to ringing or answer", _RINGING, "connection"
        )
        # The engine itself
        self.loop_lag = histogram("engine_loop_lag_seconds", "By how much the engine's loop was late", _QUICK)
        self.sip_messages = counter("sip_messages_total", "SIP messages by direction: in, out", "direction")
        self.sip_dropped = counter("sip_dropped_total", "SIP messages dropped unread by the flood guard")
        # Voice
        self.voice_packets = counter(
            "voice_packets_total", "RTP packets of legs that ended: received, kernel (of these), sent", "way"
        )
        self.voice_lost = counter("voice_lost_packets_total", "RTP packets of legs that ended, which never came")
        self.voice_dropped = counter(
            "voice_dropped_packets_total",
            "RTP packets of legs that ended, not taken: strangers, system, late",
            "reason",
        )
        self.voice_jitter = histogram("voice_jitter_seconds", "Interarrival jitter of legs that ended", _QUICK)
        # The database
        self.commit_seconds = histogram(
            "database_commit_seconds", "A transaction of the engine with its commit", _QUICK
        )
        self.commit_jobs = counter("database_jobs_total", "Pieces of work done in these transactions")
        self.database_failures = counter(
            "database_failures_total", "How often a process found the database away", "process"
        )
        self.journal_waiting = gauge("engine_jobs_waiting", "Pieces of the engine's work that wait for the database")
        self.spooled = gauge("engine_settlements_spooled", "Settlements on file until the database is back")
        # Pages and clerk
        self.requests = counter("http_requests_total", "Requests by endpoint and status", "endpoint", "status")
        self.request_seconds = histogram("http_request_seconds", "What a request took", _QUICK, "endpoint")
        self.jobs = counter("clerk_jobs_total", "Runs of the clerk's jobs: ended, fault", "kind", "outcome")


@cache
def numbers() -> Numbers:
    """The numbers of this process."""
    return Numbers(CollectorRegistry())


_shared: list[Path] = []


def share(data_dir: Path) -> None:
    """Let the other processes of `data_dir` see what this one counts. To be called once, before anything is counted."""
    folder = data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ[SHARED_BY] = str(folder)
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
    numbers.cache_clear()
    _shared[:] = [folder]


def start_anew(data_dir: Path) -> None:
    """Forget what was counted before: for whoever starts all processes of a node."""
    for file in (data_dir / FOLDER).glob("*.db"):
        file.unlink(missing_ok=True)


def exposition(*more: CollectorRegistry) -> bytes:
    """The numbers of all processes, and what further registries collect, in Prometheus' text format."""
    if not _shared:
        registry = numbers().registry
    else:
        _forget_the_dead(_shared[0])
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(_shared[0]))  # type: ignore[no-untyped-call]
    return b"".join(generate_latest(each) for each in (registry, *more))


def _forget_the_dead(folder: Path) -> None:
    """A process that was killed says nothing any more of what is now; what it has counted stays."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call]
