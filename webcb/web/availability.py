"""Whether a voice application can call anybody now, and when it can again: closed, full, or nobody there to call."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from webcb.billing import guard, query
from webcb.models import VoiceApplication

HEARD_WITHIN: Final = timedelta(
    seconds=30
)  # an engine writes its heart-beat every second; one that starts anew needs some

_HEARD: Final = "SELECT id FROM node WHERE heard_at > ? AND NOT draining LIMIT 1"
_GOING_ON: Final = "SELECT COUNT(*) FROM callback WHERE voice_application_id = ? AND state <> 'ended'"

State = Literal["open", "closed", "full", "down"]


@dataclass(frozen=True, slots=True)
class Availability:
    """`opens_at` is known where it is closed by the clock alone."""

    state: State
    opens_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is worth filling in a form: who finds all lines busy may find one free when he has done so."""
        return self.state in ("open", "full")


def look(application: VoiceApplication, at: datetime) -> Availability:
    """What holds now. Only a page asks: what is placed is judged by billing, and waits for its engine."""
    if not application.active:
        return Availability("closed")
    hours, zone = application.opening_hours, application.time_zone
    if not guard.is_open(hours, zone, at):
        return Availability("closed", guard.opens_at(hours, zone, at))
    if query.values_if_any(_HEARD, query.micros(at - HEARD_WITHIN)) is None:
        return Availability("down")
    most = application.concurrent_max
    if most is not None and _going_on(application) >= most:
        return Availability("full")
    return Availability("open")


def _going_on(application: VoiceApplication) -> int:
    return int(query.values(_GOING_ON, application.id)[0])
