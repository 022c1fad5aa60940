"""What the machine wants done: values only. The exchange carries them out, in order.

Moments are microseconds of the monotonic clock; the exchange turns them into instants where they are written.
"""

from dataclasses import dataclass
from enum import Enum

from webcb.billing.slices import Need
from webcb.engine.causes import Ending, LegName


class Timer(Enum):
    """A callback's timers; setting one again moves it."""

    NO_ANSWER_A = "no answer A"
    NO_ANSWER_B = "no answer B"
    VOICE_LOST_A = "voice lost A"
    VOICE_LOST_B = "voice lost B"
    DEADLINE = "deadline"
    RENEW = "renew"
    KEYS = "keys"
    WARN_EARLY = "warn early"
    WARN_LATE = "warn late"


@dataclass(frozen=True, slots=True)
class Place:
    """Send an INVITE by the leg's route at `route`; answered by Placed or Skipped. `codecs`: what may be offered.

    `target` is the URI to which the vendor redirected the call, "" for the route's own host. `again`: to the next address of
    those that were found for it.
    """

    leg: LegName
    route: int
    codecs: tuple[str, ...]
    target: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the leg's session, whatever its moment: nothing (not sent yet), CANCEL or BYE. Nothing more is heard of it."""

    leg: LegName
    q850: int


@dataclass(frozen=True, slots=True)
class Inquire:
    """Ask the leg's peer whether it still knows the call; answered by Alive or PeerLost."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class Reoffer:
    """Offer these codecs to an answered leg by a re-INVITE, once that is on its row; answered by Agreed or Declined."""

    leg: LegName
    codecs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlayRingback:
    """Let A hear the ringback of this country until the legs are joined."""

    country: str


@dataclass(frozen=True, slots=True)
class Join:
    """Let A and B hear each other."""


@dataclass(frozen=True, slots=True)
class Split:
    """Undo Join: early media ended without an answer."""


@dataclass(frozen=True, slots=True)
class Say:
    """Let A hear these prompts in a row instead of whatever plays; answered by Said. A key cuts it off where it may barge in."""

    language: str
    prompts: tuple[str, ...]
    barge_in: bool = True


@dataclass(frozen=True, slots=True)
class Hush:
    """A key was pressed: what is being said ends."""


@dataclass(frozen=True, slots=True)
class Warn:
    """Let both hear the warning tone, and A these prompts after it; then they hear each other again."""

    language: str
    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogIn:
    """Find the account of this PIN, or of the ID that the number of A names, and put leg A on it; answered by LoggedIn, NotLoggedIn."""

    typed: str
    by_ani: bool = False


@dataclass(frozen=True, slots=True)
class Choose:
    """May this destination be called? Answered by Chosen or NotChosen."""

    number: str


@dataclass(frozen=True, slots=True)
class NeverCall:
    """The number of A is never to be called again."""


@dataclass(frozen=True, slots=True)
class SetTimer:
    timer: Timer
    at_us: int


@dataclass(frozen=True, slots=True)
class ClearTimer:
    timer: Timer


@dataclass(frozen=True, slots=True)
class Renew:
    """Set funds aside for the next slice; answered by Funded, once they are committed."""

    need: Need


@dataclass(frozen=True, slots=True)
class WriteCallback:
    """The callback's row has reached this state; a moment that is None stays as it was, but "A answered" has no deadline.

    `menu` is where A is in the menu, as JSON, "" where it has none: with it the terms are written, by which another process can go on.
    """

    state: str
    talking_us: int | None = None
    deadline_us: int | None = None
    menu: str | None = None


@dataclass(frozen=True, slots=True)
class WriteLeg:
    """The leg's row has reached this state at this moment. The rest is written where it is not None."""

    leg: LegName
    state: str
    at_us: int
    connection_id: int | None = None
    dialog: str | None = None
    rtp_port: int | None = None
    voice: str | None = None


@dataclass(frozen=True, slots=True)
class WriteInvite:
    """An INVITE is about to leave."""

    leg: LegName
    invite: str


@dataclass(frozen=True, slots=True)
class WriteDialog:
    """The dialog of an answered leg has moved on, and its voice where that is not None."""

    leg: LegName
    dialog: str
    voice: str | None = None


@dataclass(frozen=True, slots=True)
class WriteQueue:
    """The leg waits for a connection; `position` 1 is the next. Every WriteLeg ends it."""

    leg: LegName
    position: int


@dataclass(frozen=True, slots=True)
class WriteAttempt:
    """An INVITE was sent to an address of a connection."""

    leg: LegName
    position: int
    connection_id: int
    address: str
    placed_us: int


@dataclass(frozen=True, slots=True)
class EndAttempt:
    """The final status of an attempt, None where we gave it up; `setup_ms` is its post-dial delay, None if it never rang."""

    leg: LegName
    position: int
    at_us: int
    status: int | None
    reason: str
    setup_ms: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What one placed leg is charged for."""

    leg: LegName
    answered_us: int | None
    ended_us: int
    used_us: int
    setup_ms: int | None
    q850: int
    connection_id: int | None


@dataclass(frozen=True, slots=True)
class SettleB:
    """Charge leg B alone and let it go, as A stays on the line; `usage` None where no INVITE of it was ever sent."""

    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Settle:
    """Charge the callback and end its row, once; answered by Settled."""

    usages: tuple[Usage, ...]
    ending: Ending
    b_answered: bool
    logged_in: bool = False


Write = WriteCallback | WriteLeg | WriteInvite | WriteDialog | WriteQueue | WriteAttempt | EndAttempt
Voiced = PlayRingback | Join | Split | Say | Hush | Warn
Asked = Renew | LogIn | Choose | NeverCall | SettleB | Settle
Command = Place | HangUp | Inquire | Reoffer | Voiced | SetTimer | ClearTimer | Asked | Write
