"""Being registered with a carrier: REGISTER, its refreshing, its failures and its end (RFC 3261, 10.2), as two tables.

What a connection that is not registered may still be used for is not decided here.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from webcb.sip.causes import cause_of_response, printable, retry_after
from webcb.sip.digest import Credentials, DigestClient
from webcb.sip.events import Address, Cause, Closed, Registered, SessionId, Unregistered
from webcb.sip.grammar import ProtocolError, parse_number
from webcb.sip.indialog import TRIES_MAX
from webcb.sip.message import Fields, Request, Response
from webcb.sip.stack import CALL_ID_BYTES, TAG_BYTES, Stack
from webcb.sip.transaction import ClientTransaction
from webcb.sip.uri import NameAddress, parse_name_address, parse_uri

SECONDS_MIN: Final = 60  # of a binding that we ask for
SECONDS_MAX: Final = 86_400
GRANTED_SECONDS_MAX: Final = 604_800  # a week: nobody is believed that a binding lasts longer, or must
# A binding is refreshed when a tenth of it is left, so that one REGISTER may time out (32 s) and another one still comes in
# time; the short ones half-way.
LEFT_SECONDS_MIN: Final = 40.0
REFRESH_SECONDS_MIN: Final = 2.0  # a registrar that grants less is not asked more often
# Between two failures in a row the pause doubles; the random half of it keeps the trunks of an outage apart (RFC 5626, 4.5).
PAUSE_SECONDS: Final = {"unavailable": (10.0, 300.0), "refused": (60.0, 1800.0)}  # the first at most, all at most
ROUTES_MAX: Final = 8

# States
ASKING: Final = "asking"  # a REGISTER waits for its answer
RESTING: Final = "resting"  # until the refresh or the next try
LEAVING: Final = "leaving"  # the binding is being taken back
OVER: Final = "over"

# What is heard
GRANTED: Final = "2xx with a binding"
ANEW: Final = "401, 407, 423 that we can answer"
ELSEWHERE: Final = "no answer or 5xx, and another target to try"
FAILURE: Final = "anything else, or nothing"

# What a timer or the owner tells
DUE: Final = "due"
EXPIRED: Final = "expired"
LEAVE: Final = "leave"
LEAVE_NOTHING: Final = "leave, and nothing to take back"


@dataclass(frozen=True, slots=True)
class Registrar:
    """What is to be registered: the address of record `sip:user@domain`, for `seconds` at a time.

    `token` is the user part of our Contact, the same after every start, so that an engine that comes back finds its own
    binding and adds none (RFC 3261, 10.2.1).
    """

    domain: str
    user: str
    token: str
    seconds: int
    credentials: Credentials | None = None


class Heard(NamedTuple):
    """An answer, or its absence: `seconds` are granted, `cause` says what is wrong, `is_refusal` that somebody said no."""

    response: Response | None
    seconds: int
    cause: Cause
    now: float

    @property
    def is_refusal(self) -> bool:
        """Whether asking again soon would be of no use; the registrar that is away or overloaded may be back any moment."""
        return not (self.cause.status in (408, 480) or 500 <= self.cause.status < 600)


class Registration:
    """One binding, kept alive. `targets` are where a REGISTER may go, best first; `on_closed` is called at its end."""

    __slots__ = (
        "_asked_at", "_bound_until", "_call_id", "_cseq", "_digest", "_failures", "_id", "_next", "_on_closed", "_realms",
        "_registrar", "_seconds", "_stack", "_tag", "_targets", "_there", "_transaction", "_transport", "_tries", "deadlines",
        "state",
    )  # fmt: skip

    def __init__(
        self, stack: Stack, number: SessionId, registrar: Registrar, on_closed: Callable[[SessionId], None]
    ) -> None:
        parse_uri(f"sip:{registrar.user}@{registrar.domain}")
        self.state = RESTING
        self.deadlines: dict[str, float] = {}
        self._stack = stack
        self._id = number
        self._registrar = registrar
        self._on_closed = on_closed
        self._digest = DigestClient(registrar.credentials, stack.entropy)
        self._seconds = registrar.seconds
        self._call_id = stack.token(CALL_ID_BYTES)  # one for all REGISTERs to this registrar (RFC 3261, 10.2.4)
        self._tag = stack.token(TAG_BYTES)
        self._cseq = 0
        self._targets: tuple[Address, ...] = ()
        self._next = 0  # the target after the one in hand
        self._there: Address | None = None
        self._transaction: ClientTransaction | None = None
        self._realms: set[tuple[bool, str]] = set()
        self._tries = 0
        self._failures = 0
        self._asked_at = 0.0
        self._bound_until: float | None = None

    def begin(self, targets: Sequence[Address], now: float) -> None:
        """Send the first REGISTER; `targets` has one at least."""
        self.aim(targets)
        self._told(DUE, now)

    def aim(self, targets: Sequence[Address]) -> None:
        """From the next REGISTER on, these are the targets; without any the old ones stay."""
        self._targets = tuple(targets) or self._targets

    def refresh(self, now: float) -> None:
        """Ask before its time: the registrar may have forgotten us. Nothing is done where an answer is being waited for."""
        self._told(DUE, now)

    def leave(self, now: float) -> None:
        """Take the binding back (RFC 3261, 10.2.2). A second time changes nothing."""
        has_something = self._bound_until is not None or self.state == ASKING
        self._told(LEAVE if has_something else LEAVE_NOTHING, now)

    # What comes

    def on_response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """An answer to the REGISTER in hand."""
        if transaction is not self._transaction or response.status < 200:
            return
        cause = cause_of_response(response)
        seconds = 0
        if response.status < 300:
            seconds = granted_seconds(response, self._registrar.token, self._seconds)
            if not seconds:
                cause = Cause(200, 41, "no binding was granted")
        self._hear(Heard(response, seconds, cause, now))

    def on_silence(self, transaction: ClientTransaction, status: int, now: float) -> None:
        """No answer came, or the REGISTER could not be sent."""
        if transaction is self._transaction:
            self._hear(Heard(None, 0, Cause(status, 41, printable(transaction.trouble or "no answer")), now))

    def on_timer(self, timer: str, now: float) -> None:
        """The time of a refresh or another try, or the end of the binding."""
        self._told(timer, now)

    def _hear(self, heard: Heard) -> None:
        row = HEARD.get((self.state, self._happening(heard)))
        if row:
            self.state, action = row
            action(self, heard)

    def _told(self, happening: str, now: float) -> None:
        row = TOLD.get((self.state, happening))
        if row:
            self.state, action = row
            action(self, now)

    def _happening(self, heard: Heard) -> str:
        if heard.seconds or (self.state == LEAVING and heard.cause.status < 300):
            return GRANTED
        if heard.response and self._may_retry(heard.response):
            return ANEW
        return ELSEWHERE if not heard.is_refusal and self._next < len(self._targets) else FAILURE

    def _may_retry(self, response: Response) -> bool:
        if self._tries >= TRIES_MAX:
            return False
        if response.status == 423:  # it wants longer bindings (RFC 3261, 10.2.8)
            wanted = _number(response.first("Min-Expires"), GRANTED_SECONDS_MAX)
            is_longer = wanted is not None and wanted > self._seconds
            self._seconds = max(self._seconds, wanted or 0)
            return is_longer
        return response.status in (401, 407) and self._digest.learn(response, self._realms)

    # What is done

    def _ask(self, now: float) -> None:
        """A new round: the targets from the first on."""
        self._next = 0
        self._seconds = max(self._seconds, self._registrar.seconds)
        self._ask_next(now)

    def _ask_elsewhere(self, heard: Heard) -> None:
        """The next target at once (RFC 3263, 4.3)."""
        self._ask_next(heard.now)

    def _ask_next(self, now: float) -> None:
        self._there = self._targets[self._next]
        self._next += 1
        self._tries = 0
        self._realms = set()
        self._send(self._seconds, now)

    def _ask_anew(self, heard: Heard) -> None:
        self._send(0 if self.state == LEAVING else self._seconds, heard.now)

    def _send(self, seconds: int, now: float) -> None:
        """One REGISTER (RFC 3261, 10.2): same Call-ID, next CSeq."""
        there = self._there
        assert there is not None  # noqa: S101  there was a target before anything could be sent
        self._tries += 1
        self._cseq += 1
        self._asked_at = now
        record = f"<sip:{self._registrar.user}@{self._registrar.domain}>"
        fields: Fields = {
            "Via": [],
            "Max-Forwards": ["70"],
            "From": [f"{record};tag={self._tag}"],
            "To": [record],
            "Call-ID": [self._call_id],
            "CSeq": [f"{self._cseq} REGISTER"],
            "Contact": [f"{self._stack.contact(self._registrar.token, there.transport)};expires={seconds}"],
            "Expires": [str(seconds)],  # for the registrar that looks for it here
        }
        request = Request("REGISTER", f"sip:{self._registrar.domain}", fields)
        self._digest.authorize(request)
        self._stack.seal(request, there.transport)
        request.from_tag = self._tag
        self._transaction = self._stack.layer.request(request, there, self, now)

    def _registered(self, heard: Heard) -> None:
        self._failures = 0
        self._bound_until = self._asked_at + heard.seconds
        refresh = max(REFRESH_SECONDS_MIN, refresh_after(heard.seconds))
        self._start(DUE, self._asked_at + refresh)
        self._start(EXPIRED, self._bound_until)
        routes = service_routes(heard.response) if heard.response else ()
        self._stack.tell(Registered(self._id, heard.seconds, routes))

    def _failed(self, heard: Heard) -> None:
        """Say so, unless the registrar is only away and the binding goes on; and try again later."""
        first, most = PAUSE_SECONDS["refused" if heard.is_refusal else "unavailable"]
        pause = min(first * 2 ** min(self._failures, 16), most)
        pause *= 0.5 + self._stack.entropy(1)[0] / 512
        if heard.response:
            pause = max(pause, retry_after(heard.response) or 0)
        self._failures += 1
        if self._bound_until is not None and not heard.is_refusal:
            pause = min(pause, max((self._bound_until - heard.now) / 2, REFRESH_SECONDS_MIN))
            self._start(DUE, heard.now + pause)
            return
        self._bound_until = None
        self.deadlines.pop(EXPIRED, None)
        self._start(DUE, heard.now + pause)
        self._stack.tell(Unregistered(self._id, heard.cause, round(pause)))

    def _lose(self, _now: float) -> None:
        """Nobody refreshed it in time. What is on its way, or waits for its time, goes on."""
        self._bound_until = None
        self._stack.tell(Unregistered(self._id, Cause(408, 102, "the registration was not refreshed"), 0))

    def _take_back(self, now: float) -> None:
        self.deadlines.clear()
        if self._transaction:
            self._transaction.abandon(now)
        self._tries = 0
        self._realms = set()
        self._send(0, now)

    def _close_heard(self, _heard: Heard) -> None:
        self._close()

    def _close_told(self, _now: float) -> None:
        self._close()

    def _close(self) -> None:
        self.deadlines.clear()
        self._on_closed(self._id)
        self._stack.tell(Closed(self._id))

    def _start(self, timer: str, at: float) -> None:
        self._stack.layer.timers.start(self, timer, at)


# State and what the REGISTER was answered; the state that follows and what is done. What is not here is without effect.
HEARD: Final[dict[tuple[str, str], tuple[str, Callable[[Registration, Heard], None]]]] = {
    (ASKING, GRANTED): (RESTING, Registration._registered),
    (ASKING, ANEW): (ASKING, Registration._ask_anew),
    (ASKING, ELSEWHERE): (ASKING, Registration._ask_elsewhere),
    (ASKING, FAILURE): (RESTING, Registration._failed),
    (LEAVING, GRANTED): (OVER, Registration._close_heard),
    (LEAVING, ANEW): (LEAVING, Registration._ask_anew),
    (LEAVING, ELSEWHERE): (OVER, Registration._close_heard),
    (LEAVING, FAILURE): (OVER, Registration._close_heard),
}

# The same for what a timer or the owner told.
TOLD: Final[dict[tuple[str, str], tuple[str, Callable[[Registration, float], None]]]] = {
    (RESTING, DUE): (ASKING, Registration._ask),
    (RESTING, EXPIRED): (RESTING, Registration._lose),
    (ASKING, EXPIRED): (ASKING, Registration._lose),
    (ASKING, LEAVE): (LEAVING, Registration._take_back),
    (RESTING, LEAVE): (LEAVING, Registration._take_back),
    (RESTING, LEAVE_NOTHING): (OVER, Registration._close_told),
}


def refresh_after(seconds: int) -> float:
    """How long after a REGISTER that was granted so many seconds the next one is sent."""
    return seconds - min(seconds / 2, max(seconds / 10, LEFT_SECONDS_MIN))


def granted_seconds(response: Response, token: str, asked: int) -> int:
    """For how long a 2xx has bound our Contact (RFC 3261, 10.2.4): its own `expires`, else Expires, else what was asked.

    A registrar behind which addresses are rewritten may tell our Contact in other words: a single one is taken for ours.
    """
    contacts: list[NameAddress] = []
    with suppress(ProtocolError):
        contacts = [parse_name_address(value) for value in response.values("Contact")]
    own = [each for each in contacts if _user(each.uri) == token] or (contacts if len(contacts) == 1 else [])
    said = own[0].parameters.get("expires", "") if own else ""
    for text in (said, response.first("Expires")):
        seconds = _number(text, 2**32 - 1)
        if seconds is not None:
            return min(seconds, GRANTED_SECONDS_MAX)
    return asked


def service_routes(response: Response) -> tuple[str, ...]:
    """The Service-Route values that our requests are to carry as Route (RFC 3608, 5); none where one is unusable or not loose."""
    try:
        values = response.values("Service-Route")
        is_loose = all(parse_uri(parse_name_address(value).uri).is_loose_router for value in values)
    except ProtocolError:
        return ()
    return tuple(values) if is_loose and len(values) <= ROUTES_MAX else ()


def _user(uri: str) -> str:
    try:
        return parse_uri(uri).user
    except ProtocolError:
        return ""


def _number(text: str, most: int) -> int | None:
    try:
        return parse_number(text, most, "a number of seconds")
    except ProtocolError:
        return None
