"""The flood guard: what a host may send us before anything of it is read. Pure: a token bucket per source, time handed in.

A *peer* is a host that we have sent a request to (carriers are, from the first call or probe); everybody else is a stranger.
Strangers share one more bucket, as sources of datagrams are easily forged. What is refused is counted for the log.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

PEER_PER_SECOND: Final = 2000.0  # more than an engine that is full hears from one carrier
PEER_BURST: Final = 4000.0
STRANGER_PER_SECOND: Final = 20.0
STRANGER_BURST: Final = 100.0
STRANGERS_PER_SECOND: Final = 200.0  # all together
STRANGERS_BURST: Final = 400.0
PEERS_MAX: Final = 10_000  # beyond, who was called longest ago is a stranger again
STRANGERS_MAX: Final = 10_000  # beyond, who was silent longest is forgotten, and has a full bucket when he comes back
TELL_SECONDS: Final = 60.0  # between two reports
TOLD_MAX: Final = 10  # sources named in a report


@dataclass(slots=True)
class Bucket:
    """Tokens that come back at `per_second` up to `burst`; a message takes one."""

    per_second: float
    burst: float
    tokens: float
    filled_at: float

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        tokens = self.tokens + (now - self.filled_at) * self.per_second
        self.filled_at = now
        if tokens > self.burst:
            tokens = self.burst
        if tokens < 1.0:
            self.tokens = tokens
            return False
        self.tokens = tokens - 1.0
        return True


class Guard:
    """The buckets of one SIP address. Every `now` is in seconds of one monotonic clock."""

    def __init__(self, now: float) -> None:
        self._peers: OrderedDict[str, Bucket] = OrderedDict()
        self._strangers: OrderedDict[str, Bucket] = OrderedDict()
        self._together = Bucket(STRANGERS_PER_SECOND, STRANGERS_BURST, STRANGERS_BURST, now)
        self._refused: dict[str, int] = {}
        self._refused_others = 0
        self._told_at = now - TELL_SECONDS

    def call(self, host: str, now: float) -> None:
        """We send a request to this literal: it is a peer."""
        if host in self._peers:
            self._peers.move_to_end(host)
            return
        self._strangers.pop(host, None)
        self._peers[host] = Bucket(PEER_PER_SECOND, PEER_BURST, PEER_BURST, now)
        if len(self._peers) > PEERS_MAX:
            self._peers.popitem(last=False)

    def admits(self, host: str, now: float) -> bool:
        """Whether one message from this literal may be read; where not, it is counted."""
        bucket = self._peers.get(host)
        if bucket is None:  # first its own, so that one alone does not empty what strangers share
            bucket = self._stranger(host, now)
            admitted = bucket.take(now) and self._together.take(now)
        else:
            admitted = bucket.take(now)
        if not admitted:
            self._count(host)
        return admitted

    def report_at(self) -> float | None:
        """When `report` is due; None while nothing was refused."""
        return self._told_at + TELL_SECONDS if self._refused else None

    def report(self, now: float) -> str:
        """What was refused since the last report, the worst sources first, in one line."""
        worst = sorted(self._refused.items(), key=lambda each: -each[1])
        named = ", ".join(f"{count} of {host}" for host, count in worst[:TOLD_MAX])
        others = sum(count for _, count in worst[TOLD_MAX:]) + self._refused_others
        self._refused.clear()
        self._refused_others = 0
        self._told_at = now
        return named + (f", {others} of others" if others else "")

    def _stranger(self, host: str, now: float) -> Bucket:
        bucket = self._strangers.get(host)
        if bucket is None:
            bucket = self._strangers[host] = Bucket(STRANGER_PER_SECOND, STRANGER_BURST, STRANGER_BURST, now)
            if len(self._strangers) > STRANGERS_MAX:
                self._strangers.popitem(last=False)
        else:
            self._strangers.move_to_end(host)
        return bucket

    def _count(self, host: str) -> None:
        if host in self._refused or len(self._refused) < STRANGERS_MAX:
            self._refused[host] = self._refused.get(host, 0) + 1
        else:
            self._refused_others += 1
