"""Mean opinion scores over time, as the row of a leg keeps them: printed and read here, nothing measured.

A list of stretches as JSON, one for each engine that carried the call on: when it begins (microseconds since 1970), of how many
seconds each score is, and the scores in hundredths, null where there was nothing to judge. Between two stretches nobody measured.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

STRETCHES_MAX: Final = 10  # of a leg; of more engines the first ones' are forgotten

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PRINTED: Final = ("null", *(str(2 * fiftieths) for fiftieths in range(1, 256)))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Scores one after the other, `seconds` each, in hundredths of a point."""

    begins_at: datetime
    seconds: int
    hundredths: tuple[int | None, ...]

    @property
    def length(self) -> timedelta:
        """Of one score."""
        return timedelta(seconds=self.seconds)

    @property
    def ends_at(self) -> datetime:
        """When its last score ends."""
        return self.begins_at + self.length * len(self.hundredths)


def print_scores(before: str | None, begins_at: datetime, seconds: int, fiftieths: bytes) -> str | None:
    """What a row keeps: what it had `before` this engine, and a stretch of scores in fiftieths, 0: none. None: nothing is known."""
    if not fiftieths:
        return before
    begins_us = (begins_at - _EPOCH) // timedelta(microseconds=1)
    stretch = f"[{begins_us},{seconds},[{','.join([_PRINTED[each] for each in fiftieths])}]]"
    return f"{before[:-1]},{stretch}]" if before else f"[{stretch}]"


def before_another(text: str | None) -> str | None:
    """What of a row's scores is kept where another engine adds a stretch."""
    stretches = json.loads(text) if text else []
    return json.dumps(stretches[1 - STRETCHES_MAX :], separators=(",", ":")) if stretches else None


def read_scores(text: str | None) -> list[Stretch]:
    """The stretches of a row, the first one first."""
    return [
        Stretch(_EPOCH + timedelta(microseconds=begins_us), seconds, tuple(hundredths))
        for begins_us, seconds, hundredths in (json.loads(text) if text else ())
    ]


def latest(text: str | None) -> int | None:
    """The score that is known last, in hundredths; None: there is none, or nothing was to be judged."""
    stretches = read_scores(text)
    return stretches[-1].hundredths[-1] if stretches else None
