"""CAMARA ClickToDial's words for what a callback is at: state, reason, and the event that tells a program of it. Pure.

The contract is 0.1.0-rc.1 (release r1.2) with the codes of 0.2.0-rc.1. Where it says two things, `disconnected` with a reason is a
call that a phone or a person ended, `failed` one that the service itself could not go through with.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

EVENT_TYPE: Final = "org.camaraproject.click-to-dial.v0.status-changed"
ROOT: Final = "/api/v1/click-to-dial"
CONTENT_TYPE: Final = "application/cloudevents+json"

_STATES: Final = {
    "requested": "initiating",
    "calling A": "callingCaller",
    "A answered": "callingCallee",
    "calling B": "callingCallee",
    "talking": "connected",
}
_REASONS: Final = {
    "A busy": "callerBusy",
    "A did not answer": "callerNoAnswer",
    "A unreachable": "callerFailure",
    "A refused": "callerFailure",
    "A hung up": "callerAbandon",
    "B busy": "calleeBusy",
    "B did not answer": "calleeNoAnswer",
    "B unreachable": "calleeFailure",
    "B refused": "calleeFailure",
    "user released": "hangUp",
}
_HUNG_UP: Final = frozenset({"A hung up", "B hung up", "user released"})

STATES: Final = ("initiating", "callingCaller", "callingCallee", "connected", "disconnected", "failed")
REASONS: Final = (
    *("hangUp", "callerBusy", "callerNoAnswer", "callerFailure", "callerAbandon"),
    *("calleeBusy", "calleeNoAnswer", "calleeFailure", "other"),
)


@dataclass(frozen=True, slots=True)
class Status:
    """A state, and the reason of `disconnected`."""

    state: str
    reason: str = ""


def status(state: str, ending: str | None, *, has_talked: bool) -> Status:
    """What a callback in this state of ours is to CAMARA; `ending` is engine/causes.py's, where it has ended."""
    if state == "releasing":
        return Status("connected" if has_talked else "callingCaller")
    if state != "ended":
        return Status(_STATES[state])
    if has_talked:
        return Status("disconnected", "hangUp" if ending in _HUNG_UP else "other")
    reason = _REASONS.get(ending or "")
    return Status("disconnected", reason) if reason else Status("failed")


@dataclass(frozen=True, slots=True)
class Change:
    """That a call has another state: which call between whom (E.164 digits), since when, how long they talked in seconds."""

    event_id: int
    call_id: str
    caller: str
    callee: str
    status: Status
    at: datetime
    duration_seconds: int


def event(change: Change, public_url: str = "") -> dict[str, Any]:
    """The CloudEvent of a change (CloudEvents 1.0.2, structured mode); its source is absolute where the pages' address is known."""
    said: dict[str, Any] = {"state": change.status.state}
    of: dict[str, Any] = {
        "callId": change.call_id,
        "caller": f"+{change.caller}",
        "callee": f"+{change.callee}",
        "status": said,
        "timestamp": instant(change.at),
    }
    if change.status.reason:
        said["reason"] = change.status.reason
        of["callDuration"] = str(change.duration_seconds)  # text, in the contract
    return {
        "id": str(uuid5(NAMESPACE_OID, f"{change.call_id}/{change.event_id}")),
        "source": f"{public_url.rstrip('/')}{ROOT}",
        "type": EVENT_TYPE,
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "time": instant(change.at),
        "data": of,
    }


def written(event: dict[str, Any]) -> bytes:
    """An event as it is sent, and signed."""
    return json.dumps(event, separators=(",", ":")).encode()


def instant(at: datetime) -> str:
    """RFC 3339, to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
