"""The engine in virtual time: the real exchange, lookout, lines and journal jobs on a real database and a real RTP bridge.

Only the clock and the wire are simulated: phones at the other end speak SIP message by message, and every message leaves a
line in `ladder` with its moment: "4.0 A <- 200 INVITE".
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from rtpbridge import Bridge, Event, EventKind
from tests.billing import rows as house_rows
from tests.ports import MEDIA_MAX, MEDIA_MIN
from webcb import db, models
from webcb.engine import lease
from webcb.engine.exchange import Exchange
from webcb.engine.line import Line
from webcb.engine.lookout import Lookout
from webcb.engine.media import Media, Voice
from webcb.engine.prober import Prober
from webcb.engine.registrar import Registrations
from webcb.engine.standing import Standing
from webcb.engine.state import Phase
from webcb.sip.events import Address
from webcb.sip.location import Located, NextHop, family_of
from webcb.sip.message import Request, Response, read_message
from webcb.sip.offer_answer import Codec, make_offer, read_offer
from webcb.sip.useragent import Identity

US = Address("127.0.0.1", 5070)
PCMU = Codec("PCMU", 0, 8000)
PCMA = Codec("PCMA", 8, 8000)
CALLBACKS_MAX = 5
FIRST_AGAIN = 0.5  # seconds: T1
REASONS = {100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 487: "Request Terminated"}


@dataclass(eq=False)
class Alarm:
    """A thing that will happen in virtual time."""

    action: Callable[[], Any]

    def cancel(self) -> None:
        self.action = _nothing  # an asyncio handle keeps nothing of it either


def _nothing() -> None:
    return


class VirtualTime:
    """A clock that goes only when told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = count()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> Alarm:
        alarm = Alarm(lambda: callback(*args))
        heapq.heappush(self._alarms, (when, next(self._numbers), alarm))
        return alarm

    def pass_until(self, end: float) -> None:
        while self._alarms and self._alarms[0][0] <= end:
            when, _, alarm = heapq.heappop(self._alarms)
            self.now = max(self.now, when)
            action, alarm.action = alarm.action, _nothing
            action()
        self.now = max(self.now, end)


class Lifetime:
    """Virtual time as one engine has it: what it has set ends with it."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._alarms: list[Alarm] = []
        self._is_over = False

    @property
    def now(self) -> float:
        return self._time.now

    def time(self) -> float:
        return self._time.now

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> Alarm:
        if self._is_over:
            return Alarm(callback)
        alarm = self._time.call_at(when, callback, *args)
        self._alarms.append(alarm)
        return alarm

    def end(self) -> None:
        self._is_over = True
        for alarm in self._alarms:
            alarm.cancel()


class StraightJournal:
    """The journal without its thread: a job is done at once, its result told in the next turn. `is_away` holds jobs back.

    `jobs_left`: how many are done before it is away; None: no end.
    """

    def __init__(self, time: Lifetime) -> None:
        self._time = time
        self.is_away = False
        self.jobs_left: int | None = None
        self.waiting: list[tuple[Callable[[], Any], Callable[[Any], None] | None]] = []

    def post(self, work: Callable[[], Any], done: Callable[[Any], None] | None = None) -> None:
        self.waiting.append((work, done))
        self.go_on()

    def go_on(self) -> None:
        while self.waiting and not self.is_away and self.jobs_left != 0:
            if self.jobs_left is not None:
                self.jobs_left -= 1
            work, done = self.waiting.pop(0)
            try:
                with db.writing():
                    result = work()
            except Exception as wrong:
                if done is None:
                    raise
                result = wrong
            if done is not None:
                self._time.call_at(self._time.now, done, result)


class Names:
    """A resolver for tests: literals, and the names it was given."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.known: dict[str, tuple[Address, ...]] = {}
        self.asked: list[tuple[NextHop, Callable[[Located], None]]] = []
        self.rests: dict[Address, float] = {}  # for how long, and until when
        self._until: dict[Address, float] = {}

    def resolve(self, hop: NextHop, found: Callable[[Located], None]) -> None:
        def tell(located: Located) -> None:
            found(
                Located(
                    tuple(each for each in located.targets if self._until.get(each, 0) <= self._time.now),
                    located.trouble,
                )
            )

        self.resolve_all(hop, tell)

    def resolve_all(self, hop: NextHop, found: Callable[[Located], None]) -> None:
        if family_of(hop.host):
            found(Located((Address(hop.host, hop.port or 5060, hop.transport or "udp"),)))
        elif hop.host in self.known:
            found(Located(self.known[hop.host]))
        else:
            self.asked.append((hop, found))

    def rest(self, address: Address, seconds: float) -> None:
        self.rests[address] = seconds
        self._until[address] = self._time.now + seconds

    def wake(self, address: Address) -> None:
        self.rests.pop(address, None)
        self._until.pop(address, None)


@dataclass
class Phone:
    """What the phone behind a number does: (seconds after the INVITE, status) in order; it answers BYE and CANCEL itself."""

    script: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 100), (1.0, 180), (4.0, 200)])
    scripts: dict[str, list[tuple[float, int]]] = field(default_factory=dict)  # of those who came over these hosts
    codecs: tuple[Codec, ...] = (PCMU, PCMA)
    sdp_host: str = "127.0.0.1"
    sdp_port: int = 30_000
    headers: dict[str, str] = field(default_factory=dict)
    early_media: bool = False  # with its 183 a description, and a voice that flows, unless it only promises one
    promises: bool = False
    obeys_cancel: bool = True
    answers_bye: bool = True
    knows_calls: bool = True  # else it has forgotten those it had: OPTIONS and BYE inside them get a 481
    is_gone: bool = False  # whatever it is told, it answers nothing
    is_mute: bool = False  # it says nothing any more of its own accord: neither rings nor answers
    name: str = ""
    invites: list[Request] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)  # over which each INVITE came
    decisions: list[int] = field(default_factory=list)  # on the offers that come in mid-call, one each; then 200
    offers: list[Request] = field(default_factory=list)
    is_over: bool = False
    up: bool = False
    is_confirmed: bool = False  # the ACK of its answer has come
    tag: int = 0
    cseq: int = 0
    cseqs: list[int] = field(default_factory=list)  # of the BYEs that came


class World:
    """One engine and the phones it calls. Numbers not in `phones` answer after four seconds."""

    callbacks_max = CALLBACKS_MAX
    node_name = "one"

    def __init__(self, **house: Any) -> None:
        self.time = VirtualTime()
        self.ladder: list[str] = []
        self.phones: dict[str, Phone] = {}
        self.begun_at = self.time.now
        self._cseq = count(500)
        self.starts = 0
        self.house = house_rows.house(**house)
        self.names = Names(self.time)
        self.engine()

    def engine(self) -> None:
        """An engine starts: the first one, or one after a crash."""
        self.bridge = Bridge("127.0.0.1", MEDIA_MIN, MEDIA_MAX, silence_ms=600_000)
        self.starts += 1
        self.life = Lifetime(self.time)
        entropy = random.Random(self.starts).randbytes
        self.line = Line(Identity("test", US), entropy, self.life, self._to_phone)
        self.media = self.make_media(entropy)
        self.journal = StraightJournal(self.life)
        lines = {2: self.line}
        post = self.journal.post
        self.registrations = Registrations(self.life, self.utc_now, lines, post, self.names, "one")
        self.prober = Prober(self.life, self.utc_now, lines, post, self.names, self.registrations.refresh)
        standing = Standing(self.prober, self.registrations)
        self.exchange = Exchange(self.life, lines, self.media, self.journal, self.names, self.callbacks_max, standing)
        node = lease.take(self.node_name, "", self.utc_now())
        assert isinstance(node, lease.Node)
        self.lookout = Lookout(self.life, self.utc_now, lines, self.journal, self.exchange, node, lambda: None)
        self.lookout.look()
        self.pass_seconds(0)

    def make_media(self, entropy: Callable[[int], bytes]) -> Media:
        """The voice of an engine: a bridge without prompts, so that what is to be said has been said at once."""
        return Media(self.bridge, {"127.0.0.1": "127.0.0.1"}, entropy)

    def crash(self) -> None:
        """kill -9: nothing of the engine goes on; the phones do."""
        self.life.end()
        self.journal.waiting.clear()
        self.journal.is_away = True
        self.line.receive = lambda data, address: None  # type: ignore[method-assign]
        self.bridge.close()

    def close(self) -> None:
        self.bridge.close()

    def utc_now(self) -> Any:
        return house_rows.NOON + timedelta(seconds=self.time.now - self.begun_at)

    # The world goes on

    def place(self, key: str = "once", **order: Any) -> str:
        """Somebody places a callback on the page, and rings the doorbell."""
        callback_id = house_rows.place(self.house, key, self.utc_now(), **order)
        self.lookout.look()
        self.pass_seconds(0)
        return callback_id

    def pass_seconds(self, seconds: float) -> None:
        self.time.pass_until(self.time.now + seconds)

    def row(self, callback_id: str) -> models.Callback:
        return models.Callback.get_by_id(callback_id)

    def legs(self, callback_id: str) -> dict[str, models.Leg]:
        return {leg.name: leg for leg in models.Leg.select().where(models.Leg.callback == callback_id)}

    def xdrs(self, callback_id: str) -> dict[str, models.Xdr]:
        return {xdr.leg: xdr for xdr in models.Xdr.select().where(models.Xdr.callback == callback_id)}

    def voices(self, callback_id: str) -> dict[str, Voice]:
        return dict(self.exchange._running[callback_id].voices)

    # The wire

    def phone(self, number: str, name: str, **behaviour: Any) -> Phone:
        """Put a phone behind a number."""
        phone = Phone(name=name, **behaviour)
        self.phones[number] = phone
        return phone

    def _note(self, phone: Phone, arrow: str, what: str) -> None:
        self.ladder.append(f"{self.time.now - self.begun_at:.1f} {phone.name} {arrow} {what}")

    def _to_phone(self, data: bytes, address: Address) -> None:
        message = read_message(data)
        theirs = message.to if isinstance(message, Request) else message.from_
        user = theirs.uri.partition(":")[2].partition("@")[0]
        phone = self.phones.setdefault(user, Phone(name=user))
        self._note(phone, "->", message.method if isinstance(message, Request) else f"{message.status}")
        if isinstance(message, Request):
            self.time.call_at(self.time.now, self._on_request, phone, message, address)

    def _on_request(self, phone: Phone, request: Request, address: Address) -> None:
        if phone.is_gone:
            return
        match request.method:
            case "INVITE" if "tag=" in request.first("To"):
                self._decide(phone, request, address)
            case "INVITE":
                if any(request.via.branch == known.via.branch for known in phone.invites):
                    return
                phone.invites.append(request)
                phone.hosts.append(address.host)
                phone.is_over = False
                phone.tag += 1
                for seconds, status in phone.scripts.get(address.host, phone.script):
                    self.time.call_at(self.time.now + seconds, self._say_unasked, phone, request, status, address)
            case "ACK":
                phone.is_confirmed = True
            case "CANCEL":
                self.respond(phone, request, 200, address)
                if phone.obeys_cancel and not phone.is_over:
                    self._say(phone, phone.invites[-1], 487, address)
            case "OPTIONS":
                self.respond(phone, request, 200 if phone.up and phone.knows_calls else 481, address)
            case "BYE":
                phone.cseqs.append(request.cseq)
                phone.up = False
                if phone.answers_bye:
                    self.respond(phone, request, 200 if phone.knows_calls else 481, address)

    def _decide(self, phone: Phone, reinvite: Request, address: Address) -> None:
        """An offer in mid-call: accepted with what the phone has of it, 488 where that is nothing, 0: no answer at all."""
        if any(reinvite.via.branch == known.via.branch for known in phone.offers):
            return
        phone.offers.append(reinvite)
        status = phone.decisions.pop(0) if phone.decisions else 200
        wanted = {codec.name for codec in read_offer(reinvite.body).codecs}
        common = tuple(codec for codec in phone.codecs if codec.name in wanted)
        if status == 200 and common:
            phone.is_confirmed = False
            sdp = make_offer(phone.sdp_host, phone.sdp_port, common, 7, 2)
            self.respond(phone, reinvite, 200, address, sdp)
        elif status:
            self.respond(phone, reinvite, 488 if status == 200 else status, address)

    def _say_unasked(self, phone: Phone, invite: Request, status: int, address: Address) -> None:
        if not phone.is_mute:
            self._say(phone, invite, status, address)

    def _say(self, phone: Phone, invite: Request, status: int, address: Address) -> None:
        if phone.is_over or invite is not phone.invites[-1]:
            return
        phone.is_over = status >= 200
        phone.up = phone.up or status == 200
        if status == 200:
            phone.is_confirmed = False
            self.time.call_at(self.time.now + FIRST_AGAIN, self._say_again, phone, invite, address, FIRST_AGAIN)
        with_sdp = status == 200 or (status == 183 and phone.early_media)
        self.respond(phone, invite, status, address, self.sdp(phone) if with_sdp else b"")
        if with_sdp and status == 183 and not phone.promises:
            self.begin_voice()

    def begin_voice(self) -> None:
        """What the bridge tells when a voice comes from B, for all that are called."""
        for running in list(self.exchange._running.values()):
            voice = running.voices.get("B")
            if voice is not None and running.callback.phase is Phase.CALLING_B:
                self.media._watchers[voice.port.id](Event(voice.port.id, EventKind.MEDIA_BEGAN, 0))

    def _say_again(self, phone: Phone, invite: Request, address: Address, after: float) -> None:
        """An answer is said until its ACK comes, or for 64 times T1; then the phone is put down (RFC 3261, 13.3.1.4)."""
        if phone.is_confirmed or not phone.up or not phone.knows_calls or invite is not phone.invites[-1]:
            return
        if after >= 32:
            self.request(phone, "BYE")
            return
        self.time.call_at(self.time.now + after, self._say_again, phone, invite, address, 2 * after)
        self.respond(phone, invite, 200, address, self.sdp(phone))

    def sdp(self, phone: Phone, port: int | None = None, **changes: Any) -> bytes:
        return make_offer(phone.sdp_host, port or phone.sdp_port, phone.codecs, 7, 1, **changes)

    def respond(self, phone: Phone, request: Request, status: int, address: Address, sdp: bytes = b"") -> None:
        """The phone answers a request."""
        fields = {name: request.fields[name] for name in ("Via", "From", "Call-ID", "CSeq")}
        to = request.first("To")
        fields["To"] = [to if "tag=" in to or status == 100 else f"{to};tag={phone.name}{phone.tag}"]
        fields["Contact"] = [f"<sip:{phone.name}@{address.host}:{address.port}>"]
        if sdp:
            fields["Content-Type"] = ["application/sdp"]
        for name, value in phone.headers.items():
            fields[name] = [value]
        self._from_phone(phone, Response(status, REASONS.get(status, "No"), fields, sdp), f"{status} {request.method}")

    def decline(self, phone: Phone, status: int) -> None:
        """The phone refuses the call that it was asked to take last."""
        self._say(phone, phone.invites[-1], status, Address(phone.hosts[-1], 5060))

    def press(self, phone: Phone, key: str) -> None:
        """A key, told by INFO."""
        self.request(phone, "INFO", f"Signal={key}\r\nDuration=160\r\n".encode(), "application/dtmf-relay")

    def request(self, phone: Phone, method: str, body: bytes = b"", content_type: str = "application/sdp") -> None:
        """The phone sends a request inside its dialog."""
        invite = phone.invites[-1]
        number = phone.cseq if method == "ACK" else next(self._cseq)
        phone.cseq = number
        fields = {
            "Via": [f"SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{phone.name}{number}"],
            "Max-Forwards": ["70"],
            "From": [f"{invite.first('To')};tag={phone.name}{phone.tag}"],
            "To": [invite.first("From")],
            "Call-ID": [invite.call_id],
            "CSeq": [f"{number} {method}"],
            "Contact": [f"<sip:{phone.name}@127.0.0.1:5060>"],
        }
        if body:
            fields["Content-Type"] = [content_type]
        if method == "BYE":
            phone.up = False
        self._from_phone(phone, Request(method, "sip:127.0.0.1:5070", fields, body), method)

    def _from_phone(self, phone: Phone, message: Request | Response, what: str) -> None:
        self._note(phone, "<-", what)
        self.line.receive(message.encode(), Address("127.0.0.1", 5060))
        self.line.flush()
        self.pass_seconds(0)
