"""How log lines are written: by which callback, telephone numbers masked, as text or as JSON, one line an entry.

A line says which callback it is about where it was written within `about`, or where its text names one. Within is meant literally: what
a step leaves to be done later says it again, so that a connection or a look that many share is never told as one callback's.
"""

import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Literal


class _Told(threading.local):
    """What this thread's lines are about."""

    callback = ""


_told = _Told()

# Runs of digits as long as a telephone number; a callback's id, an instant or an amount has other neighbours.
_NUMBER: Final = re.compile(r"(?<![\w.:/#-])(\+?)(\d{8,15})(?![\w.:/*-]| micros)|(?<=sip:)(\+?)(\d{8,15})(?=@)")
_CALLBACK: Final = re.compile(r"\bcallback ([0-9a-f]{20})\b")


@contextmanager
def about(callback_id: str) -> Iterator[None]:
    """What is logged within is about this callback."""
    before, _told.callback = _told.callback, callback_id
    try:
        yield
    finally:
        _told.callback = before


def current() -> str:
    """The id of the callback that is being worked at in this thread; "": none."""
    return _told.callback


def masked(text: str) -> str:
    """The text with what may be a telephone number made unreadable."""
    return _NUMBER.sub(_mask, text)


def _mask(found: re.Match[str]) -> str:
    from webcb.number import mask_number  # what numbers are is read in where there is one

    return (found[1] or found[3] or "") + mask_number(found[2] or found[4])


def callback_of(message: str) -> str:
    """The id of the callback a line is about; "": none."""
    named = _CALLBACK.search(message)
    return named[1] if named else _told.callback


class TextFormatter(logging.Formatter):
    """For people and journald: time, level, where, [callback], what."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the trace of an exception below it."""
        message = record.getMessage()
        callback_id = callback_of(message)
        told = f" [{callback_id}]" if callback_id and callback_id not in message else ""
        at = datetime.fromtimestamp(record.created, UTC)
        line = f"{at:%Y-%m-%d %H:%M:%S},{int(record.msecs):03} {record.levelname} {record.name}:{told} {message}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return masked(line)


class JsonFormatter(logging.Formatter):
    """For machines: an object a line, the trace of an exception inside."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        """An object in one line; `callback` only where there is one."""
        message = record.getMessage()
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "node": self._node,
            "logger": record.name,
            "message": masked(message),
        }
        if callback_id := callback_of(message):
            entry["callback"] = callback_id
        if record.exc_info:
            entry["trace"] = masked(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def start(form: Literal["text", "json"], node: str) -> None:
    """Write the log of this process to standard error, from INFO on."""
    writer = logging.StreamHandler()
    writer.setFormatter(JsonFormatter(node) if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [writer]
    root.setLevel(logging.INFO)
