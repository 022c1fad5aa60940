"""What can happen to a callback: values only, one class a happening. The moment is handed to the machine beside them.

They are the engine's words; what is said on the wire is sip.events, and the exchange turns the one into the other.
"""

from dataclasses import dataclass

from webcb.billing.authorization import Reason
from webcb.billing.pricing import Pricing
from webcb.billing.routing import RouteChoice
from webcb.engine.causes import Ending, LegName


@dataclass(frozen=True, slots=True)
class LegPlan:
    """What is to be called: E.164 digits, the routes in order, how long each may ring, the country of the number."""

    cld: str
    cli: str
    routes: tuple[RouteChoice, ...]
    ring_seconds: int
    country: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The route in hand is busy; the leg waits for it, `position` 1 is the next. Then comes Placed or Skipped."""

    leg: LegName
    position: int


@dataclass(frozen=True, slots=True)
class Inviting:
    """An INVITE of the leg is ready, and leaves once `invite` is on its row."""

    leg: LegName
    invite: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The INVITE of the route in hand is on the wire, to `address`; `more`: the route has another address for it."""

    leg: LegName
    address: str = ""
    more: bool = False


@dataclass(frozen=True, slots=True)
class Trying:
    """The address has the INVITE: something came from there."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class Skipped:
    """The route in hand cannot be used now and no INVITE was sent; `q850` says why."""

    leg: LegName
    q850: int


@dataclass(frozen=True, slots=True)
class Ringing:
    """The phone rings (180), or the network plays something itself (`early_media`: 183 with SDP, and its voice flows)."""

    leg: LegName
    early_media: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """200 OK, and the voice of this leg connected. `codecs` is what it answered with, in its order.

    The ACK leaves once `dialog` and `voice`, by which another process can go on, are on the leg's row.
    """

    leg: LegName
    codecs: tuple[str, ...]
    dialog: str
    rtp_port: int
    voice: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt ended without a leg. `status` is SIP's, 0 for a transport failure; `final` forbids the next route.

    `targets` are the URIs at which a redirecting vendor has the same number, best first. `unreachable`: not the call failed but
    its address, and another one of the route may carry it (RFC 3263, 4.3).
    """

    leg: LegName
    status: int
    q850: int
    text: str = ""
    final: bool = False
    targets: tuple[str, ...] = ()
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class HungUp:
    """The peer ended its answered leg."""

    leg: LegName
    q850: int


@dataclass(frozen=True, slots=True)
class Agreed:
    """An offer in mid-call was answered: `held` while the peer does not want to send voice (RFC 3264, 8.4).

    `dialog` and `voice` are the newer state; `codecs` what was agreed on, empty where that is as it was; `asked`: by us.
    """

    leg: LegName
    held: bool
    dialog: str
    voice: str = ""
    codecs: tuple[str, ...] = ()
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Declined:
    """Our offer in mid-call came to nothing, and everything is as it was. `superseded`: only because the peer made one itself."""

    leg: LegName
    dialog: str
    voice: str = ""
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """The dialog has moved on: it was refreshed."""

    leg: LegName
    dialog: str


@dataclass(frozen=True, slots=True)
class Alive:
    """The peer was asked and still knows the call."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class PeerLost:
    """The peer knows the call no longer, or has not answered a request inside it: the leg is over."""

    leg: LegName
    q850: int


@dataclass(frozen=True, slots=True)
class Silent:
    """No voice came from the leg for the bridge's silence time, `silence_us`."""

    leg: LegName
    silence_us: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """Voice comes from the leg: for the first time, or again."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The time of the attempt in hand is over."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class VoiceLost:
    """The leg has been silent too long."""

    leg: LegName


@dataclass(frozen=True, slots=True)
class Deadline:
    """The money or the longest talk ends here."""


@dataclass(frozen=True, slots=True)
class WarnDue:
    """The end of the talk is near enough to be told: so many seconds before it, or as soon as that was known."""

    seconds: int


@dataclass(frozen=True, slots=True)
class RenewDue:
    """Half of the slice in hand is used: it is time to set funds aside for the next."""


@dataclass(frozen=True, slots=True)
class Funded:
    """So much is set aside for the callback now, in micros, and committed; `spare_micros` could be had besides at that moment."""

    funds_micros: int
    spare_micros: int = 0


@dataclass(frozen=True, slots=True)
class FundsFree:
    """Funds have come, or become free, of which a callback that got none may have some."""


@dataclass(frozen=True, slots=True)
class Release:
    """Somebody wants the callback ended: the user, the operator, who blocked the account, the engine stopping, or its fault."""

    ending: Ending


@dataclass(frozen=True, slots=True)
class Settled:
    """The callback is charged and its row ended."""


# Of the voice menu ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Digit:
    """A pressed a key: 0 to 9, *, #, A to D; however it came, once."""

    digit: str


@dataclass(frozen=True, slots=True)
class Said:
    """All that was to be said has been said, or a key has cut it off."""


@dataclass(frozen=True, slots=True)
class KeysDue:
    """The time to press a key is over."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A is on its own account now: what there is to spend, its language, and what A is charged by and has set aside from here on.

    `funds_micros`, `slice_seconds` and `beyond_balance` are those of a plan.
    """

    balance_micros: int
    currency: str
    language: str
    pricing_a: Pricing
    pricing_a_if_b_fails: Pricing | None
    funds_micros: int
    slice_seconds: int | None
    beyond_balance: bool


@dataclass(frozen=True, slots=True)
class NotLoggedIn:
    """The PIN, or the number of A (`by_ani`), names no account or one that may not call."""

    reason: Reason
    by_ani: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """The destination may be called, so long as is announced; its leg, what that is charged by, what is set aside now, and what
    could be had besides."""

    talk_seconds: int
    b: LegPlan
    pricing_b: Pricing
    funds_micros: int
    spare_micros: int = 0


@dataclass(frozen=True, slots=True)
class NotChosen:
    """The destination may not be called."""

    reason: Reason


MenuEvent = Digit | Said | KeysDue | LoggedIn | NotLoggedIn | Chosen | NotChosen
LegEvent = (
    Queued | Inviting | Placed | Trying | Skipped | Ringing | Answered | Failed | HungUp | PeerLost | Agreed | Declined | Moved | Alive
    | Silent | Heard | NoAnswer | VoiceLost
)  # fmt: skip
CallbackEvent = Deadline | RenewDue | Funded | FundsFree | Release | Settled | WarnDue | MenuEvent
Event = LegEvent | CallbackEvent
