"""The archive: the traces of callbacks that have ended, written in one piece. A job of the journal; the clerk forgets them."""

from collections.abc import Sequence
from typing import Final

from webcb.billing import query
from webcb.billing.query import micros
from webcb.engine.callback import Plan
from webcb.engine.trace import Traced, readable

MESSAGES_PER_INSERT: Final = 50

_COLUMNS: Final = (
    "callback_id, position, leg, at, sent, local_host, local_port, remote_host, remote_port, transport, octets, text"
)


def write(plan: Plan, messages: Sequence[Traced]) -> None:
    """Write the messages of a callback that has ended."""
    origin_micros = micros(plan.origin_at) - plan.origin_us
    for first in range(0, len(messages), MESSAGES_PER_INSERT):
        some = messages[first : first + MESSAGES_PER_INSERT]
        values = [value for message in some for value in _values(plan.callback_id, origin_micros, message)]
        marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(some))
        query.change(f"INSERT INTO message ({_COLUMNS}) VALUES {marks}", *values)  # noqa: S608


def _values(callback_id: str, origin_micros: int, message: Traced) -> tuple[object, ...]:
    local, remote = message.local, message.remote
    return (
        callback_id,
        message.position,
        message.leg,
        origin_micros + message.at_us,
        message.sent,
        local.host,
        local.port,
        remote.host,
        remote.port,
        remote.transport,
        len(message.message),
        readable(message.message),
    )
