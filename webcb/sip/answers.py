"""What name servers have said, for as long as it is to be believed. Pure: the moment is handed in, in seconds of a monotonic clock.

An answer that is out of date is kept for a while: where nobody answers, what was true a minute ago is better than no call
(RFC 8767).
"""

from dataclasses import dataclass
from typing import Final

from webcb.sip.location import Question, Reply

ANSWERS_MAX: Final = 4000
TTL_SECONDS_MIN: Final = 5  # a TTL of 0 must not mean a question a call
TTL_SECONDS_MAX: Final = 3600
NOTHING_SECONDS_MAX: Final = 300  # "there is no such name" is believed for no longer
SILENCE_SECONDS: Final = 5  # nobody could say: then it is not asked again for so long
STALE_SECONDS_MAX: Final = 3600


@dataclass(frozen=True, slots=True)
class _Answer:
    reply: Reply | None
    until: float  # to be believed
    stale_until: float  # to be used where there is nothing better


class Answers:
    """Answers by question, ANSWERS_MAX at most."""

    def __init__(self) -> None:
        self._known: dict[Question, _Answer] = {}

    def find(self, question: Question, at: float) -> tuple[Reply | None] | None:
        """The answer that is to be believed now, in a tuple of one; None: ask."""
        known = self._known.get(question)
        return (known.reply,) if known is not None and known.until > at else None

    def take(self, question: Question, reply: Reply, ttl_seconds: float, at: float) -> None:
        """What was answered, `()` where there is no such record."""
        seconds_max = TTL_SECONDS_MAX if reply else NOTHING_SECONDS_MAX
        until = at + min(max(ttl_seconds, TTL_SECONDS_MIN), seconds_max)
        self._keep(question, _Answer(reply, until, until + STALE_SECONDS_MAX))

    def take_silence(self, question: Question, at: float) -> Reply | None:
        """Nobody could say: what is known of earlier stays in use, and is returned."""
        reply = self.stale(question, at)
        stale_until = self._known[question].stale_until if question in self._known else 0.0
        self._keep(question, _Answer(reply, at + SILENCE_SECONDS, stale_until))
        return reply

    def stale(self, question: Question, at: float) -> Reply | None:
        """The last answer, though it may be out of date; None: there is none that could still be used."""
        known = self._known.get(question)
        return known.reply if known is not None and max(known.until, known.stale_until) > at else None

    def _keep(self, question: Question, answer: _Answer) -> None:
        self._known.pop(question, None)
        if len(self._known) >= ANSWERS_MAX:
            del self._known[next(iter(self._known))]  # the one that was asked longest ago
        self._known[question] = answer
