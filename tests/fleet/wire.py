"""What the carrier's switches have seen, by sipp's own record of its messages: each call, when it began, was answered, was over."""

import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from webcb.models import Leg


@dataclass
class Call:
    """A call at a switch, of a number. Moments are of the wall clock; None: that did not happen."""

    switch: str
    call_id: str
    number: str
    invited_at: float
    answered_at: float | None = None
    acknowledged_at: float | None = None
    over_at: float | None = None
    heard_at: float | None = None  # when its BYE was answered: it was said again until somebody was there

    @property
    def is_up(self) -> bool:
        """Whether a person would hold the receiver; who never gets an ACK to his answer hangs up by himself (RFC 3261, 13.3.1.4)."""
        return self.acknowledged_at is not None and self.over_at is None

    @property
    def seconds(self) -> float:
        """How long it was up."""
        return 0.0 if self.answered_at is None or self.over_at is None else self.over_at - self.answered_at


class Calls:
    """The calls at the switches whose records these are."""

    def __init__(self, records: list[Path]) -> None:
        self.all = [call for record in records if record.exists() for call in _read(record)]
        self.by_id = {call.call_id: call for call in self.all}

    def of(self, leg: Leg) -> Call | None:
        """The call of a leg: its INVITE was on its row before it left."""
        return None if leg.invite is None else self.by_id.get(call_id(leg))

    def up(self) -> list[Call]:
        """Those that are up."""
        return [call for call in self.all if call.is_up]

    def at_once_max(self, switch: str) -> int:
        """How many calls were up at a switch at most, from the answer to the end."""
        up = [call for call in self.all if call.switch == switch and call.acknowledged_at is not None]
        return most_at_once([(call.acknowledged_at, call.over_at) for call in up])

    def in_a_second_max(self, switch: str) -> int:
        """How many INVITEs a switch got at most in any second, wherever it begins."""
        most, window = 0, deque[float]()
        for at in sorted(call.invited_at for call in self.all if call.switch == switch):
            window.append(at)
            while at - window[0] >= 1.0:
                window.popleft()
            most = max(most, len(window))
        return most


def call_id(leg: Leg) -> str:
    """The Call-ID of a leg that was invited."""
    (found,) = json.loads(leg.invite)["fields"]["Call-ID"]
    return str(found)


def most_at_once(spans: list[tuple[float | None, float | None]]) -> int:
    """How many of these spans there are at once at most; one without an end goes on."""
    steps = [(began, 1) for began, _ in spans if began is not None] + [(end, -1) for _, end in spans if end is not None]
    most = now = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


def _read(record: Path) -> list[Call]:
    """A line: day and time, epoch, S or R, Call-ID, CSeq, the first line of the message; between them tabulators."""
    calls: dict[str, Call] = {}
    for line in record.read_text(errors="replace").splitlines():
        words = line.split("\t")
        if len(words) != 7:
            continue  # the last one, not whole yet
        at, is_sent, call_id, method, first = float(words[2]), words[3] == "S", words[4], words[5].split()[-1], words[6]
        if call_id not in calls:
            if method == "INVITE" and not is_sent:
                number = first.partition("sip:")[2].partition("@")[0].lstrip("+")
                calls[call_id] = Call(record.parent.name, call_id, number, at)
            continue
        call = calls[call_id]
        is_request = not first.startswith("SIP/2.0")
        if method == "INVITE" and is_sent and first.startswith("SIP/2.0 200"):
            call.answered_at = call.answered_at or at
        elif is_request and method == "ACK" and call.answered_at is not None:
            call.acknowledged_at = call.acknowledged_at or at
        elif is_request and method in ("BYE", "CANCEL"):
            call.over_at = call.over_at or at
        elif not is_request and method == "BYE" and not is_sent:
            call.heard_at = call.heard_at or at
    return list(calls.values())
