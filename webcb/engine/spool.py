"""The spool: settlements that the database has not taken in time, kept in a file until it has.

Each is a line of JSON, on the disk before anything goes on. Who starts finds them there and settles again: a settlement that was
taken meanwhile, here or by another node, changes nothing. The file is empty while the database answers.
"""

import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from webcb.billing import settlement
from webcb.billing.query import instant, micros, moment
from webcb.billing.settlement import LegUsage
from webcb.engine.line import Timekeeper
from webcb.watching import counting

log = logging.getLogger(__name__)

FILE: Final = "settlements.spool"
SPOOL_SECONDS: Final = 0.5  # that the database has for a settlement; then it is kept on file


class Spool:
    """The file of one engine. Its owner alone may read it: it has no numbers, but what calls cost follows from it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: set[tuple[str, str]] = set()

    def unless_taken(
        self, timekeeper: Timekeeper, callback_id: str, line: Callable[[], str], part: str = ""
    ) -> Callable[[], None]:
        """Keep what `line` prints if the database has not taken it in time; what is returned has to be told once it has.

        `part` is the leg B that is charged while its callback goes on; "": all of the callback.
        """
        alarm = timekeeper.call_at(timekeeper.time() + SPOOL_SECONDS, lambda: self.keep(callback_id, line(), part))

        def taken() -> None:
            alarm.cancel()
            self.taken(callback_id, part)

        return taken

    def keep(self, callback_id: str, line: str, part: str = "") -> None:
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
        self._open.add((callback_id, part))
        self._tell()
        log.warning("callback %s: its settlement is kept on file until the database takes it", callback_id)

    def taken(self, callback_id: str, part: str = "") -> None:
        """The database has this one; with the last, the file is emptied."""
        if (callback_id, part) in self._open:
            self._open.discard((callback_id, part))
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
    legs = [_printed(usage) for usage in usages]
    return json.dumps(
        {"callback": callback_id, "legs": legs, "ending": ending, "b_answered": b_answered, "at": micros(at)}
    )


def print_settlement_of_b(callback_id: str, usage: LegUsage, at: datetime) -> str:
    """The arguments of `settlement.settle_b` as a line: A stays on the line.

    Which of its Bs it is need not be said: another can be chosen once the database has this one, and who starts replays first.
    """
    return json.dumps({"callback": callback_id, "b": _printed(usage), "at": micros(at)})


def _printed(usage: LegUsage) -> dict[str, Any]:
    answered_at = None if usage.answered_at is None else micros(usage.answered_at)
    return asdict(usage) | {"answered_at": answered_at, "ended_at": micros(usage.ended_at)}


def _read(leg: dict[str, Any]) -> LegUsage:
    return LegUsage(**leg | {"answered_at": instant(leg["answered_at"]), "ended_at": moment(leg["ended_at"])})


def replay(line: str) -> str:
    """Settle what stands on a line, once however often it is called; the callback's id."""
    kept: dict[str, Any] = json.loads(line)
    if "b" in kept:
        settlement.settle_b(kept["callback"], _read(kept["b"]), moment(kept["at"]))
    else:
        usages = [_read(leg) for leg in kept["legs"]]
        settlement.settle(kept["callback"], usages, kept["ending"], kept["b_answered"], moment(kept["at"]))
    return str(kept["callback"])


def b_taken(taken: Callable[[], None], confirm: Callable[[Any], None] | None, result: Any) -> None:
    """The charge of a B was written, or cannot be for a reason of ours."""
    taken()
    if confirm is not None:
        confirm(result)
    elif isinstance(result, Exception):
        log.error("a leg B could not be charged", exc_info=result)
