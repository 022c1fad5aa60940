"""A callback as its user sees it at one moment: what its rows say, and the words for it.

Pure but for the reader's language. The rows are read by `progress`; how a call ended is worded by `endings`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from webcb.money import Micros
from webcb.web import endings
from webcb.web.languages import gettext, marked, ngettext

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class LegSight:
    """One phone: `number` in E.164 digits, `state` as on the leg's row; `queue_position` while it waits for a line, 1: next."""

    name: str  # A or B
    number: str
    state: str
    is_placed: bool = False
    answered_at: datetime | None = None
    queue_position: int | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What the rows of a callback say; `cost_micros` is None while nothing can have been charged.

    `is_led_by_voice`: A says by keys whom to call (Hosted).
    `reachable_seconds` is how long they may talk if nobody else uses what is left of the funds, where that is known. `cost_decimals`
    are those every step of the cost can be written with, so that it does not jump in width as it runs.
    """

    state: str
    leg_a: LegSight
    leg_b: LegSight
    currency: str
    is_release_asked: bool = False
    talking_at: datetime | None = None
    deadline_at: datetime | None = None
    reachable_seconds: int | None = None
    ended_at: datetime | None = None
    ending: str | None = None
    cost_micros: Micros | None = None
    cost_decimals: int = 2
    is_led_by_voice: bool = False

    @property
    def is_ended(self) -> bool:
        return self.state == "ended"

    @property
    def is_releasing(self) -> bool:
        return self.state == "releasing" or (self.is_release_asked and not self.is_ended)

    @property
    def is_talking(self) -> bool:
        return self.state == "talking" and not self.is_releasing

    @property
    def headline(self) -> str:
        """The call in two or three words."""
        return self._words()[0]

    @property
    def detail(self) -> str:
        """The same as a sentence: what happens next, or what to do."""
        return self._words()[1]

    def _words(self) -> tuple[str, str]:
        if self.is_ended:
            ending = endings.words(self.ending or "")
            return ending.headline, ending.detail
        if self.is_releasing:
            return gettext(_RELEASING[0]), gettext(_RELEASING[1])
        leg = self.leg_b if self.state == "calling B" else self.leg_a
        if leg.queue_position is not None:
            before = leg.queue_position - 1
            waiting = (
                ngettext(
                    "Waiting for a free line, %(num)d before you", "Waiting for a free line, %(num)d before you", before
                )
                if before
                else gettext("Waiting for a free line")
            )
            return waiting, gettext(_WORDS_QUEUED[leg.name])
        if self.is_led_by_voice and self.state == "A answered":
            return gettext(_LED[0]), gettext(_LED[1])
        headline, detail = _RINGING.get((self.state, leg.state)) or _WORDS[self.state]
        return gettext(headline), gettext(detail)

    def leg_words(self, leg: LegSight) -> str:
        """What one phone is doing, in a word or two."""
        if not self.is_ended:
            if leg.queue_position is not None:
                return gettext("Waiting")
            was_called = leg.is_placed or leg.state != "ended"
            return gettext(_LEG_WORDS[leg.state] if was_called else _NOT_CALLED)
        ending = endings.words(self.ending or "")
        told = ending.leg_a if leg.name == "A" else ending.leg_b
        return told or gettext("Ended" if leg.answered_at else _NO_ANSWER if leg.is_placed else _NOT_CALLED)

    def talked_ms(self, at: datetime) -> int:
        """How long the two have been talking; never past the deadline."""
        if self.talking_at is None:
            return 0
        until = min(instant for instant in (at, self.deadline_at, self.ended_at) if instant)
        return max(0, (until - self.talking_at) // _MILLISECOND)

    def talked_seconds(self, at: datetime) -> int:
        """The same in whole seconds."""
        return self.talked_ms(at) // 1000

    @property
    def talk_seconds_max(self) -> int | None:
        """Whole seconds they may talk in all, once it is known."""
        if self.talking_at is None or self.deadline_at is None:
            return None
        return max(0, round((self.deadline_at - self.talking_at).total_seconds()), self.reachable_seconds or 0)


_NOT_CALLED = marked("Not called")
_NO_ANSWER = marked("No answer")
_RELEASING = (marked("Ending the call"), marked("One moment, both phones are being released."))
_WORDS = {
    "requested": (marked("Getting ready"), marked("Your phone will ring in a moment.")),
    "calling A": (marked("Calling you"), marked("Your phone will ring in a moment.")),
    "A answered": (marked("You answered"), marked("Stay on the line; the other side is being called.")),
    "calling B": (marked("Calling the other side"), marked("Stay on the line.")),
    "talking": (marked("Talking"), marked("You are connected.")),
}
_LED = (marked("You answered"), marked("Stay on the line, and do what the voice says."))
_WORDS_QUEUED = {
    "A": marked("All lines are busy. Your phone will ring as soon as it is your turn."),
    "B": marked("Stay on the line; the other side is called as soon as it is your turn."),
}
_RINGING = {
    ("calling A", "ringing"): (marked("Your phone is ringing"), marked("Answer it; then the other side is called.")),
    ("calling B", "ringing"): (marked("It is ringing there"), marked("Stay on the line until somebody answers.")),
}
_LEG_WORDS = {
    "waiting": marked("Waiting"),
    "calling": marked("Calling"),
    "ringing": marked("Ringing"),
    "answered": marked("Connected"),
    "ended": marked("Ended"),
}
