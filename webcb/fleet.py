"""The nodes as an operator sees them: whether an engine of each is alive, and whether it takes new callbacks."""

from datetime import datetime, timedelta
from typing import Final

HEARD_WITHIN: Final = timedelta(seconds=10)  # an engine writes its heart-beat every second
NOT_HEARD: Final = "not heard from"


def is_up(heard_at: datetime | None, at: datetime) -> bool:
    """Whether an engine of the node has given a sign of life lately."""
    return heard_at is not None and at - heard_at < HEARD_WITHIN


def node_state(heard_at: datetime | None, draining: bool, callbacks: int, at: datetime) -> str:
    """How a node with so many callbacks in progress stands, in words."""
    if not is_up(heard_at, at):
        return NOT_HEARD
    if not draining:
        return "up"
    return "drains" if callbacks else "drained"
