"""What the user agent tells its owner: values only, one class a happening. The engine reads these and nothing deeper.

A *session* is one call leg that we placed: one INVITE, however often it was challenged or forked, and the dialog that came
of it. It is named by a `SessionId` from `UserAgent.invite` until `Closed`, which is always its last event.
"""

from dataclasses import dataclass
from typing import NewType

SessionId = NewType("SessionId", int)


@dataclass(frozen=True, slots=True)
class Address:
    """A transport address: where a message came from or goes to."""

    host: str
    port: int
    transport: str = "udp"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something ended, in both of the field's languages.

    `status` is the SIP status (RFC 3261, 21), 0 where none was seen; `q850` the cause of a Reason header (RFC 3326) or, where
    there was none, of the mapping in RFC 3398; `text` the peer's words, at most 80 printable characters.
    """

    status: int
    q850: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Trying:
    """The next hop has the INVITE (100): it is there, whatever comes of the call."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class Progress:
    """A provisional answer above 100. `sdp` is early media's answer, b"" where there was none."""

    session: SessionId
    status: int
    reason: str
    sdp: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The first 2xx of the INVITE; its ACK is already among what is to be sent. Comes once a session.

    `sdp` is the answer to our offer: that of the 2xx, else the last that its early dialog brought (RFC 3261, 13.2.1).
    `dialog` is everything needed to go on with the dialog in another process (RFC 3261, 12), as JSON text: see
    `UserAgent.adopt`.
    """

    session: SessionId
    sdp: bytes
    dialog: str


@dataclass(frozen=True, slots=True)
class Inviting:
    """An INVITE is ready to leave, the first one or one with credentials: `invite` is what `UserAgent.take_back` needs of it.

    Only of a call that is written ahead: it leaves with `UserAgent.confirm`.
    """

    session: SessionId
    invite: str


@dataclass(frozen=True, slots=True)
class Moved:
    """An answered dialog is another than it was when it was last read: it was refreshed, or its target moved."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class Alive:
    """The peer answered `UserAgent.inquire`: it still knows the call."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class Failed:
    """The INVITE ended without an answer: refused by the peer, timed out (408), unreachable (503), or cancelled (487).

    `local` is true where no final response came from the peer. `retry_after` in seconds, None where not said.
    `targets` are the URIs that a 3xx named, best first (RFC 3261, 21.3).
    """

    session: SessionId
    cause: Cause
    local: bool
    retry_after: int | None = None
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HungUp:
    """The peer ended an answered call (BYE), or its dialog died (481, 408 to a request of ours): the leg is over now."""

    session: SessionId
    cause: Cause


@dataclass(frozen=True, slots=True)
class Offered:
    """The peer made an offer inside the dialog (re-INVITE, UPDATE); `sdp` is b"" where it wants ours.

    The owner replies with `UserAgent.accept_offer` or `UserAgent.reject_offer`.
    """

    session: SessionId
    sdp: bytes


@dataclass(frozen=True, slots=True)
class OfferAnswered:
    """The peer's answer `sdp` to an offer of ours in mid-call: to that of `UserAgent.offer`, to the one that `accept_offer` made
    where the peer had asked for ours (`Offered` with b""), or to a re-INVITE that refreshes the session, where it is another
    answer than before."""

    session: SessionId
    offer: bytes
    sdp: bytes


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """An offer of `UserAgent.offer` came to nothing; the session goes on as it was (RFC 3261, 14.1).

    The status of `cause` is 0 where an offer of the peer came in between, so that ours was not sent, or not again.
    """

    session: SessionId
    offer: bytes
    cause: Cause


@dataclass(frozen=True, slots=True)
class Digit:
    """The peer pressed a key, told by INFO in an answered call: `digit` is one of 0-9 * # A-D; 0 ms where no duration was said."""

    session: SessionId
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing of the session is left on the wire: every request it sent was answered or timed out. The last event of a session."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class Probed:
    """What an OPTIONS of ours was answered; `Closed` follows. `cause.status` is 408 where nothing came, 503 where nothing could
    be sent."""

    session: SessionId
    cause: Cause


@dataclass(frozen=True, slots=True)
class Registered:
    """A REGISTER of ours was granted, the first one or a refresh: the binding holds for `seconds` from now, and is refreshed.

    `routes` are the Service-Route values that requests to this registrar's network are to carry as Route (RFC 3608).
    """

    session: SessionId
    seconds: int
    routes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unregistered:
    """There is no binding: it was refused, nobody answers, or it ran out. The next try comes in `retry_seconds`."""

    session: SessionId
    cause: Cause
    retry_seconds: int


Event = (
    Inviting
    | Trying
    | Progress
    | Answered
    | Failed
    | HungUp
    | Moved
    | Alive
    | Offered
    | OfferAnswered
    | OfferRefused
    | Digit
    | Probed
    | Registered
    | Unregistered
    | Closed
)
