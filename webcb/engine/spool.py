"""The spool: settlements that the database has not taken in time, kept in a file until it has.

Each is a line of JSON, on the disk before anything goes on. Who starts finds them there and settles again: a settlement that was
taken meanwhile, here or by another node, changes nothing. The file is empty while the database answers.
"""

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from webcb.billing import settlement
from webcb.billing.query import instant, micros, moment
from webcb.billing.settlement import LegUsage
from webcb.watching import counting

log = logging.getLogger(__name__)

FILE: Final = "settlements.spool"


class Spool:
    """The file of one engine. Its owner alone may read it: it has no numbers, but what calls cost follows from it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: set[str] = set()

    def keep(self, callback_id: str, line: str) -> None:
        """Write a settlement; returns when it is on the disk. A disk that does not take it is only logged: it stays in memory."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, f"{line}\n".encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as wrong:
            log.error("callback %s: its settlement cannot be kept on file: %s", callback_id, wrong)
            return
        self._open.add(callback_id)
        self._tell()
        log.warning("callback %s: its settlement is kept on file until the database takes it", callback_id)

    def taken(self, callback_id: str) -> None:
        """The database has this one; with the last, the file is emptied."""
        if callback_id in self._open:
            self._open.discard(callback_id)
            if not self._open:
                self.clear()
            self._tell()

    def left(self) -> list[str]:
        """The lines that an engine before this one left; a last one that was cut off in the middle was never promised."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [line for line in lines if _is_whole(line)]

    def clear(self) -> None:
        """Everything in it has been taken."""
        self._path.unlink(missing_ok=True)

    def _tell(self) -> None:
        counting.numbers().spooled.set(len(self._open))


def _is_whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def print_settlement(callback_id: str, usages: Sequence[LegUsage], ending: str, b_answered: bool, at: datetime) -> str:
    """The arguments of `settlement.settle` as a line."""
    legs = [
        asdict(usage)
        | {
            "answered_at": None if usage.answered_at is None else micros(usage.answered_at),
            "ended_at": micros(usage.ended_at),
        }
        for usage in usages
    ]
    return json.dumps(
        {"callback": callback_id, "legs": legs, "ending": ending, "b_answered": b_answered, "at": micros(at)}
    )


def replay(line: str) -> str:
    """Settle what stands on a line, once however often it is called; the callback's id."""
    kept: dict[str, Any] = json.loads(line)
    usages = [
        LegUsage(**leg | {"answered_at": instant(leg["answered_at"]), "ended_at": moment(leg["ended_at"])})
        for leg in kept["legs"]
    ]
    settlement.settle(kept["callback"], usages, kept["ending"], kept["b_answered"], moment(kept["at"]))
    return str(kept["callback"])
