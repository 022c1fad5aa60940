"""The SIP side of the exchange: legs placed and hung up, and what is heard of them turned into the machine's events.

Which leg is called when is callback.py's; busy connections are waited for here, and resting ones passed over, as only here is
known what is up.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

from rtpbridge import Event as VoiceEvent
from rtpbridge import EventKind
from webcb.billing.routing import RouteChoice
from webcb.engine import events, ports, presentation, starts
from webcb.engine.addresses import family_of
from webcb.engine.causes import Q850, LegName
from webcb.engine.codecs import offered_codecs
from webcb.engine.commands import HangUp, Inquire, Place
from webcb.engine.keypad import Way
from webcb.engine.leg import ROUTES_MAX
from webcb.engine.line import Line, Timekeeper
from webcb.engine.media import SILENCE_MS, Media
from webcb.engine.offers import Offers
from webcb.engine.replacing import replace
from webcb.engine.resumption import OpenDialog
from webcb.engine.running import Running
from webcb.engine.shaping import SECOND_US
from webcb.engine.starts import Starts, Ticket
from webcb.engine.trust import Trust
from webcb.sip import events as sip_events
from webcb.sip.caller import caller_headers
from webcb.sip.dialog import read_dialog
from webcb.sip.events import Address, Cause
from webcb.sip.grammar import ProtocolError, print_host_port
from webcb.sip.location import Located, NextHop
from webcb.sip.redirection import is_same_number_elsewhere
from webcb.sip.uri import parse_uri
from webcb.sip.useragent import Call, Credentials

log = logging.getLogger(__name__)

# In all of a callback's routes. A watches the page meanwhile; while B waits, A is on the line and pays.
WAIT_SECONDS_MAX: Final[dict[LegName, int]] = {"A": 60, "B": 10}
ADDRESSES_MAX: Final = 4  # tried of one route
REST_SECONDS: Final = 60  # of an address that did not answer; else every call would wait for it anew
AUTO: Final = "auto"  # the transport of a connection that leaves it to NAPTR and SRV
TIMED_OUT: Final = 408
ACK_SECONDS_MAX: Final = 0.4  # within timer T1, so that a peer need not say its 200 again
OVERLOADED: Final = 503  # with Retry-After it speaks of the switch; with others, of whom we call


def request_uri(route: RouteChoice, cld: str) -> str:
    """The Request-URI of a number at a route's own host. ValueError: the connection's rule makes no number of it."""
    return f"sip:{presentation.dialled(route, cld)}@{at_host(route.host, route.port, route.transport)}"


def at_host(host: str, port: int | None, transport: str) -> str:
    """The end of a URI at a connection's host."""
    over = f";transport={transport}" if transport not in (AUTO, "udp") else ""
    return f"{print_host_port(host, port)}{over}"


def next_hop(host: str, port: int | None, transport: str) -> NextHop:
    """Where the addresses of a connection are looked for."""
    return NextHop(host, port, "" if transport == AUTO else transport)


class Resolver(Protocol):
    """Next hops to addresses: see names.Resolver."""

    def resolve(self, hop: NextHop, found: Callable[[Located], None]) -> None: ...

    def resolve_all(self, hop: NextHop, found: Callable[[Located], None]) -> None: ...

    def rest(self, address: Address, seconds: float) -> None: ...

    def wake(self, address: Address) -> None: ...


class Connections(Protocol):
    """How the connections stand: see standing.Standing."""

    def trouble(self, connection_id: int) -> str: ...

    def routes(self, connection_id: int) -> tuple[str, ...]: ...


class Calls:
    """The legs of all callbacks on the wire. `feed` takes an event for a callback's machine, `fail` a fault of ours."""

    def __init__(
        self,
        timekeeper: Timekeeper,
        lines: Mapping[int, Line],
        media: Media,
        resolver: Resolver,
        feed: Callable[[Running, events.Event], None],
        fail: Callable[[Running], None],
        standing: Connections,
    ) -> None:
        self._timekeeper = timekeeper
        self._lines = lines
        self._media = media
        self._resolver = resolver
        self._feed = feed
        self._fail = fail
        self._standing = standing
        self.starts = Starts(timekeeper)
        self.offers = Offers(feed)
        self._resting: dict[int, float] = {}  # connections that asked to be left alone, until when

    @property
    def is_idle(self) -> bool:
        """Whether no session is left on the wire."""
        return self.sessions == 0

    @property
    def sessions(self) -> int:
        """How many sessions are left on the wire."""
        return sum(line.sessions for line in self._lines.values())

    def flush(self) -> None:
        """Send what is to be sent, and tell what has happened."""
        for line in self._lines.values():
            line.flush()

    def place(self, running: Running, place: Place) -> None:
        """Send an INVITE by a route: now, when its turn comes, or when its host's name is resolved; or say why not."""
        if place.again:
            self._place_again(running, place)
            return
        route = self._route(running, place)
        obstacle = self._obstacle(route, place.codecs)
        if obstacle is not None:
            self._skip(running, place, *obstacle)
            return
        ticket = Ticket(
            route.connection_id,
            start=partial(self._start, running, place.leg),
            give_up=partial(self._give_up, running, place.leg),
            tell=partial(self._tell_place, running, place.leg),
        )
        if place.target:  # who was redirected keeps the place that he took; he does not stand in line again
            self.starts.enter_unasked(ticket)
        elif self.starts.is_full(route) and self._has_other(running, place):
            self._skip(running, place, Q850.NO_CIRCUIT, f"{route.name} is at its capacity")
            return
        else:
            until = running.waits_until.get(place.leg, self._timekeeper.time() + WAIT_SECONDS_MAX[place.leg])
            if not self.starts.enter(route, ticket, until, is_first=place.leg == "B"):
                self._skip(running, place, Q850.NO_CIRCUIT, f"too many wait for {route.name}")
                return
            if not ticket.is_in:
                running.waits_until[place.leg] = until
        running.placing[place.leg] = place, ticket
        if ticket.is_in:
            self._resolve(running, place.leg)

    def _place_again(self, running: Running, place: Place) -> None:
        """Send the INVITE to the next address, in the place that the leg has already: it is the same call to the connection."""
        running.placing[place.leg] = place, running.tickets[place.leg]
        self._try(running, place)

    def _route(self, running: Running, place: Place) -> RouteChoice:
        return running.callback.leg(place.leg).plan.routes[place.route]

    def _obstacle(self, route: RouteChoice, codecs: tuple[str, ...]) -> tuple[Q850, str] | None:
        """Why a route cannot be used at all at this moment, whoever else is calling."""
        if not offered_codecs(route.codecs, codecs):
            return Q850.INCOMPATIBLE_DESTINATION, f"{route.name} has no codec in common"
        if self._resting.get(route.connection_id, 0.0) > self._timekeeper.time():
            return Q850.CONGESTION, f"{route.name} asked not to be tried yet"
        if trouble := self._standing.trouble(route.connection_id):
            return Q850.NETWORK_OUT_OF_ORDER, f"{route.name} {trouble}"
        return None

    def _has_other(self, running: Running, place: Place) -> bool:
        """Whether one of the routes that come next could carry the leg now."""
        others = running.callback.leg(place.leg).plan.routes[place.route + 1 : ROUTES_MAX]
        return any(not self.starts.is_full(each) and not self._obstacle(each, place.codecs) for each in others)

    def _skip(self, running: Running, place: Place, q850: int, why: str) -> None:
        log.warning("callback %s: leg %s not placed: %s", running.id, place.leg, why)
        self._unplace(running, place.leg)
        self._feed(running, events.Skipped(place.leg, q850))

    def _unplace(self, running: Running, leg: LegName) -> None:
        """Forget an INVITE that was not sent yet."""
        if leg in running.placing:
            self.starts.leave(running.placing.pop(leg)[1])

    def _start(self, running: Running, leg: LegName) -> None:
        """The turn of a leg that waited has come; meanwhile its connection may have gone down."""
        place, _ = running.placing[leg]
        obstacle = self._obstacle(self._route(running, place), place.codecs)
        if obstacle is not None:
            self._skip(running, place, *obstacle)
            return
        self._resolve(running, leg)

    def _give_up(self, running: Running, leg: LegName) -> None:
        place, _ = running.placing[leg]
        self._skip(running, place, Q850.NO_CIRCUIT, f"{self._route(running, place).name} had no free line in time")

    def _tell_place(self, running: Running, leg: LegName, position: int) -> None:
        self._feed(running, events.Queued(leg, position))

    def _resolve(self, running: Running, leg: LegName) -> None:
        place, ticket = running.placing[leg]
        route = self._route(running, place)
        hop = next_hop(route.host, route.port, route.transport)
        if place.target:  # a redirection that names no transport is followed over the same one
            there = parse_uri(place.target).next_hop
            hop = there._replace(transport=there.transport or hop.transport)
        self._resolver.resolve(hop, partial(self._located, running, place, ticket))

    def _located(self, running: Running, place: Place, ticket: Ticket, located: Located) -> None:
        if running.placing.get(place.leg) != (place, ticket):
            return  # hung up meanwhile
        if not located.targets:
            name = self._route(running, place).name
            self._skip(running, place, Q850.NETWORK_OUT_OF_ORDER, f"{name}: {located.trouble}")
            return
        running.targets[place.leg] = located.targets[:ADDRESSES_MAX]
        running.tickets[place.leg] = ticket
        self._try(running, place)

    def _try(self, running: Running, place: Place) -> None:
        """Send the INVITE to the first of the addresses that are left."""
        route = self._route(running, place)
        first, *left = running.targets[place.leg]
        running.targets[place.leg] = tuple(left)
        try:
            self._invite(running, place, first)
        except (OSError, ValueError) as wrong:  # no port or descriptor is left, or what is configured fits no URI
            self._skip(running, place, Q850.NO_CIRCUIT, f"{route.name}: {wrong}")
        except Exception:
            log.exception("callback %s: leg %s could not be placed", running.id, place.leg)
            self._fail(running)

    def _invite(self, running: Running, place: Place, there: Address) -> None:
        line = self._lines[family_of(there.host)]
        leg = running.callback.leg(place.leg)
        route = self._route(running, place)
        voice = ports.voice_for(self._media, running, place.leg, there.host, partial(self._tell_voice, running))
        uri = place.target or request_uri(route, leg.plan.cld)
        if (
            there.transport == "tls"
        ):  # the certificate is for the name that is configured, whatever SRV says (RFC 5922, 4)
            files = (route.tls_ca_file, route.tls_certificate_file, route.tls_key_file)
            line.trust(there.host, there.port, Trust(parse_uri(uri).next_hop.host, *files))
        caller = presentation.calling(route, leg.plan.cli, print_host_port(line.advertised.host, None))
        call = Call(
            uri=uri,
            next_hop=there,
            from_uri=caller.from_uri,
            from_name=caller.from_name,
            headers=caller_headers(caller),
            routes=self._standing.routes(route.connection_id),
            offer=voice.make_offer(offered_codecs(route.codecs, place.codecs), route.srtp),
            credentials=Credentials(route.username, route.password) if route.username else None,
            is_written_ahead=True,
        )
        ticket = running.placing[place.leg][1]
        session = line.invite(call, partial(self._told, running, place.leg), partial(self._closed, running, ticket))
        ticket.sessions += 1
        del running.placing[place.leg]
        running.sessions[place.leg] = (line, session)
        running.hops[place.leg] = there
        running.reached.discard(place.leg)
        address = f"{there.transport} {print_host_port(there.host, there.port)}"
        self._feed(running, events.Placed(place.leg, address, more=bool(running.targets[place.leg])))

    def _closed(self, running: Running, ticket: Ticket) -> None:
        """Nothing of a session is left on the wire. Its place is given back in the next round: another address may need it now."""
        ticket.sessions -= 1
        self._timekeeper.call_at(self._timekeeper.time(), self._leave, running, ticket)

    def _leave(self, running: Running, ticket: Ticket) -> None:
        if not ticket.sessions and not any(ticket is placing for _, placing in running.placing.values()):
            self.starts.leave(ticket)

    def hang_up(self, running: Running, hang_up: HangUp) -> None:
        """End a leg whatever its moment; nothing more is heard of it."""
        self._unplace(running, hang_up.leg)
        if hang_up.q850 == Q850.NO_USER_RESPONDING and hang_up.leg in running.sessions:
            self._rest_silent(running, hang_up.leg)
        line, session = running.sessions.pop(hang_up.leg, (None, None))
        if line is not None and session is not None:
            line.hang_up(session, Cause(0, hang_up.q850))

    def reserve(self, running: Running) -> None:
        """Have a port wait for the next B of an A that is on the line. Where there is none left, B is told so when it is called."""
        if (there := running.hops.get("A")) is not None:
            with suppress(OSError):
                ports.reserve(self._media, running, there.host, partial(self._tell_voice, running))

    # What is written ahead

    def confirmation(self, running: Running, legs: Sequence[LegName]) -> Callable[[Any], None] | None:
        """What is to be called once the rows of these legs are written: their INVITE or ACK leaves then.

        An ACK waits no longer than ACK_SECONDS_MAX: a database that is away must not end a call.
        """
        waiting = [running.sessions[leg] for leg in legs if leg in running.sessions]
        if not waiting:
            return None
        answered = [each for leg, each in running.sessions.items() if running.callback.leg(leg).answered_us is not None]
        for line, session in answered:
            if (line, session) in waiting:
                self._timekeeper.call_at(self._timekeeper.time() + ACK_SECONDS_MAX, line.confirm, session)
        return partial(starts.let_go, [self._sending(running, leg) for leg in legs if leg in running.sessions])

    def _sending(self, running: Running, leg: LegName) -> Callable[[], None]:
        """What lets the ACK of an answered leg go, or the INVITE of another, which has to keep the pace."""
        line, session = running.sessions[leg]
        send, ticket = partial(line.confirm, session), running.tickets.get(leg)
        if running.callback.leg(leg).answered_us is not None or ticket is None:
            return send
        return partial(self.starts.send, ticket, send)

    # An engine before this one

    def take_over(self, running: Running, leg: LegName, there: OpenDialog, voice: str) -> None:
        """Go on with an answered leg: its port, its dialog, its place at the connection. OSError, ValueError: that cannot be."""
        state = running.callback.leg(leg)
        age_seconds = (self._timekeeper.time() * SECOND_US - (state.answered_us or 0)) / SECOND_US
        heard = partial(self._tell_voice, running, leg)
        resumed = self._media.resume_voice(voice, heard, age_seconds, is_joined=running.is_resumed)
        running.voices[leg] = resumed
        state = replace(state, codecs=resumed.codecs, held=resumed.is_held)
        callback = running.callback
        running.callback = replace(callback, a=state) if leg == "A" else replace(callback, b=state)
        hop = read_dialog(there.dialog).next_hop
        line = self._lines.get(family_of(hop.host)) or next(iter(self._lines.values()))
        if there.trust is not None:
            line.trust(hop.host, hop.port, there.trust)
        ticket = Ticket(state.connection_id or 0, start=_nothing, give_up=_nothing, tell=_no_place)
        descriptions = running.voices[leg].told, running.voices[leg].theirs
        told, closed = partial(self._told, running, leg), partial(self._closed, running, ticket)
        running.sessions[leg] = line, line.take_over(there.dialog, there.credentials, descriptions, told, closed)
        ticket.sessions += 1
        self.starts.enter_unasked(ticket)
        running.hops[leg] = hop
        running.reached.add(leg)

    def let_go(self, running: Running) -> None:
        """Forget the legs that were taken over, as another could not be: they are not ended here."""
        for line, session in running.sessions.values():
            line.forget(session)
        running.sessions.clear()

    def inquire(self, running: Running, inquire: Inquire) -> None:
        """Ask a leg's peer whether it still knows the call."""
        line, session = running.sessions.get(inquire.leg, (None, None))
        if line is not None and session is not None:
            line.inquire(session)

    # What is heard

    def _told(self, running: Running, leg: LegName, event: sip_events.Event) -> None:
        try:
            self._understand(running, leg, event)
        except Exception:
            log.exception("callback %s: leg %s could not take %s", running.id, leg, type(event).__name__)
            self._fail(running)

    def _understand(self, running: Running, leg: LegName, event: sip_events.Event) -> None:
        match event:
            case sip_events.Trying():
                self._reach(running, leg)
                self._feed(running, events.Trying(leg))
            case sip_events.Progress():
                self._reach(running, leg)
                self._feed(running, events.Ringing(leg, early_media=self._has_early_media(running, leg, event.sdp)))
            case sip_events.Answered():
                self._answered(running, leg, event)
            case sip_events.Failed():
                self._failed(running, leg, event)
            case sip_events.HungUp():
                running.sessions.pop(leg, None)
                is_lost = event.cause.status == TIMED_OUT  # nobody said BYE
                ended = events.PeerLost if is_lost else events.HungUp
                self._feed(running, ended(leg, event.cause.q850))
            case sip_events.Inviting():
                self._feed(running, events.Inviting(leg, event.invite))
            case sip_events.Moved():
                line, session = running.sessions[leg]
                self._feed(running, events.Moved(leg, line.dialog(session)))
            case sip_events.Alive():
                self._feed(running, events.Alive(leg))
            case sip_events.Offered() | sip_events.OfferAnswered() | sip_events.OfferRefused():
                self.offers.hear(running, leg, event)
            case sip_events.Digit():
                self._press(running, leg, "info", event.digit)

    def _failed(self, running: Running, leg: LegName, event: sip_events.Failed) -> None:
        cause = event.cause
        if event.local:
            self._rest_silent(running, leg)
        elif cause.status == OVERLOADED and event.retry_after:
            self._let_rest(running, leg, event.retry_after)
        running.sessions.pop(leg, None)
        # A 408 of theirs speaks of whom we call; ours, of them (RFC 3263, 4.3).
        unreachable = cause.status == OVERLOADED or (event.local and cause.status == TIMED_OUT)
        targets = self._followed(running, leg, event.targets)
        failed = events.Failed(leg, cause.status, cause.q850, cause.text, targets=targets, unreachable=unreachable)
        self._feed(running, failed)

    def _reach(self, running: Running, leg: LegName) -> None:
        """Something came from the address that has the INVITE."""
        if leg not in running.reached:
            running.reached.add(leg)
            self._resolver.wake(running.hops[leg])

    def _rest_silent(self, running: Running, leg: LegName) -> None:
        """Nothing came from the address, or nothing could be sent there: leave it alone for a while."""
        if leg not in running.reached:
            self._resolver.rest(running.hops[leg], REST_SECONDS)

    def _has_early_media(self, running: Running, leg: LegName, sdp: bytes) -> bool:
        """Connect what B's network says that it plays before the answer; what cannot be read is done without.

        True where it does play already. Else A goes on hearing ringback until it does, which the bridge tells: many describe a voice
        and send none.
        """
        if not sdp or leg == "A":
            return False
        try:
            running.voices[leg].take_answer(sdp)
        except ProtocolError:
            return False
        return running.voices[leg].port.counters().received_packets > 0

    def _answered(self, running: Running, leg: LegName, event: sip_events.Answered) -> None:
        voice = running.voices[leg]
        try:
            voice.take_answer(event.sdp)
        except ProtocolError as wrong:
            log.warning("callback %s: leg %s answered without a usable voice: %s", running.id, leg, wrong)
            line, session = running.sessions.pop(leg)
            line.hang_up(session, Cause(488, Q850.INCOMPATIBLE_DESTINATION))
            self._feed(running, events.Failed(leg, 488, Q850.INCOMPATIBLE_DESTINATION, str(wrong), final=True))
            return
        self._feed(running, events.Answered(leg, voice.codecs, event.dialog, voice.port.rtp_port, voice.print()))

    def _let_rest(self, running: Running, leg: LegName, seconds: int) -> None:
        """503 with Retry-After: leave the address alone for so long, and the connection if it has no other (RFC 3261, 21.5.4)."""
        self._resolver.rest(running.hops[leg], seconds)
        if running.targets[leg]:
            return
        connection_id = running.callback.leg(leg).connection_id
        if connection_id is not None:
            self._resting[connection_id] = self._timekeeper.time() + seconds

    def _followed(self, running: Running, leg: LegName, targets: tuple[str, ...]) -> tuple[str, ...]:
        """Those of a redirection's targets that are the very number that was rated: any other might cost more."""
        plan = running.callback.leg(leg).plan
        uri = request_uri(plan.routes[running.callback.leg(leg).route], plan.cld)
        return tuple(target for target in targets if is_same_number_elsewhere(target, uri))

    def _tell_voice(self, running: Running, leg: LegName, event: VoiceEvent) -> None:
        match event.kind:
            case EventKind.DIGIT:
                self._press(running, leg, "voice", event.digit)
            case EventKind.PLAYED if leg == "A":
                self._feed(running, events.Said())
            case EventKind.MEDIA_BEGAN | EventKind.RESUMED:
                self._feed(running, events.Heard(leg))
            case EventKind.SILENT:
                self._feed(running, events.Silent(leg, SILENCE_MS * 1000))

    def _press(self, running: Running, leg: LegName, way: Way, digit: str) -> None:
        if leg == "A" and running.keypad.is_new(way):
            self._feed(running, events.Digit(digit))


def _nothing() -> None:
    return


def _no_place(_position: int) -> None:
    return
