"""What is counted of calls as they go on: attempts with their delays, the voice of legs, how late the loop is."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from rtpbridge import Counters
from webcb.engine.commands import Command, EndAttempt, WriteAttempt
from webcb.watchdog import Lifeline
from webcb.watching import counting

if TYPE_CHECKING:  # these count by this file
    from webcb.engine.line import Alarm, Line, Timekeeper
    from webcb.engine.running import Running

BEAT_SECONDS: Final = 0.25
GIVEN_UP: Final = 0  # the status of an attempt without a final one


def attempt(running: "Running", command: Command) -> None:
    """Count an attempt as it ends, by the name of its connection."""
    if isinstance(command, WriteAttempt):
        running.tried[command.leg] = command.connection_id
    elif isinstance(command, EndAttempt):
        name = _connection(running, running.tried.pop(command.leg, None))
        counting.numbers().attempts.labels(name, str(command.status or GIVEN_UP)).inc()
        if command.setup_ms is not None:
            counting.numbers().post_dial_delay.labels(name).observe(command.setup_ms / 1000)


def _connection(running: "Running", connection_id: int | None) -> str:
    routes = (*running.callback.plan.a.routes, *running.callback.plan.b.routes)
    return next((route.name for route in routes if route.connection_id == connection_id), "unknown")


def voice(port: Counters) -> None:
    """Count what went through the port of a leg that has ended."""
    numbers = counting.numbers()
    for way, packets in (
        ("received", port.received_packets),
        ("kernel", port.kernel_packets),
        ("sent", port.sent_packets),
    ):
        if packets:
            numbers.voice_packets.labels(way).inc(packets)
    for reason, packets in (
        ("strangers", port.dropped_strangers),
        ("system", port.dropped_by_system),
        ("late", port.dropped_late),
        ("unauthentic", port.dropped_unauthentic),
    ):
        if packets:
            numbers.voice_dropped.labels(reason).inc(packets)
    if port.received_packets:
        if port.lost_packets > 0:
            numbers.voice_lost.inc(port.lost_packets)
        numbers.voice_jitter.observe(port.jitter_ms / 1000)


class Calling(Protocol):
    """The exchange's figures."""

    @property
    def room(self) -> int: ...
    @property
    def talking(self) -> int: ...
    @property
    def running(self) -> int: ...


class Pulse:
    """Beats in the engine's loop, which is its sign of life (watchdog.py): how late each is, and what there is at it."""

    def __init__(
        self, timekeeper: "Timekeeper", calling: Calling, jobs_waiting: Callable[[], int], lines: Iterable["Line"]
    ) -> None:
        self._timekeeper = timekeeper
        self._calling = calling
        self._jobs_waiting = jobs_waiting
        self._lines = tuple(lines)
        self._due = timekeeper.time()
        self._alarm: Alarm | None = None
        self._lifeline = Lifeline()
        self.beat()

    def beat(self) -> None:
        """Count now, and again in BEAT_SECONDS."""
        numbers, now = counting.numbers(), self._timekeeper.time()
        numbers.loop_lag.observe(max(0.0, now - self._due))
        self._lifeline.beat()
        numbers.callbacks_running.set(self._calling.running)
        numbers.callbacks_talking.set(self._calling.talking)
        numbers.callbacks_room.set(self._calling.room)
        numbers.journal_waiting.set(self._jobs_waiting())
        for line in self._lines:
            line.count()
        self._due = now + BEAT_SECONDS
        self._alarm = self._timekeeper.call_at(self._due, self.beat)

    def close(self) -> None:
        """Beat no more."""
        self._lifeline.close()
        if self._alarm is not None:
            self._alarm.cancel()
