"""The exchange: the callbacks in progress. It feeds their machines with events and carries out what they want.

Rules stand in callback.py and leg.py; here commands become SIP sessions, RTP ports, alarms and jobs for the journal. Nothing
here waits: time, lines, media and journal are handed in, so all of it runs in virtual time too. A fault in one callback ends
that callback and no other.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from webcb.engine import callback, events, rows
from webcb.engine.callback import Callback, Plan
from webcb.engine.causes import Q850, Ending, LegName
from webcb.engine.commands import (
    ClearTimer,
    Command,
    EndAttempt,
    HangUp,
    Join,
    Place,
    PlayRingback,
    SetTimer,
    Settle,
    Split,
    Timer,
    WriteAttempt,
    WriteCallback,
    WriteDialog,
    WriteLeg,
)
from webcb.engine.line import Alarm, Line, Timekeeper
from webcb.engine.media import Media, Voice, offered_codecs
from webcb.engine.transport import family_of
from webcb.number import mask_number
from webcb.sip import events as sip_events
from webcb.sip.events import Address, Cause, SessionId
from webcb.sip.grammar import ProtocolError, print_host_port
from webcb.sip.useragent import Call, Credentials

log = logging.getLogger(__name__)

EVENTS_WAITING_MAX: Final = 100  # of one callback, begotten by its own commands
REST_SECONDS_MAX: Final = 120  # a connection that asks for longer (Retry-After) is tried again all the same
SETTLE_AGAIN_SECONDS: Final = 5  # after a settlement failed for a reason that is not the database's

SECOND_US: Final = 1_000_000

_TIMER_EVENTS: Final[dict[Timer, events.Event]] = {
    Timer.NO_ANSWER_A: events.NoAnswer("A"),
    Timer.NO_ANSWER_B: events.NoAnswer("B"),
    Timer.VOICE_LOST_A: events.VoiceLost("A"),
    Timer.VOICE_LOST_B: events.VoiceLost("B"),
    Timer.DEADLINE: events.Deadline(),
}

Write = WriteCallback | WriteLeg | WriteDialog | WriteAttempt | EndAttempt


class Resolver(Protocol):
    """Names to literals: see transport.Resolver."""

    def resolve(self, host: str, family: int, done: Callable[[str | None], None]) -> None: ...


class Journal(Protocol):
    """The desk at the database: see journal.Journal."""

    def post(self, work: Callable[[], Any], done: Callable[[Any], None] | None = None) -> None: ...


@dataclass(slots=True)
class Running:
    """One callback in progress: the state of its machine, and what stands behind it in the world."""

    callback: Callback
    voices: dict[LegName, Voice] = field(default_factory=dict)
    sessions: dict[LegName, tuple[Line, SessionId]] = field(default_factory=dict)
    placing: dict[LegName, Place] = field(default_factory=dict)  # their host's name is being resolved
    early: dict[LegName, bytes] = field(default_factory=dict)
    alarms: dict[Timer, Alarm] = field(default_factory=dict)
    waiting: deque[tuple[events.Event, int]] = field(default_factory=deque)
    writes: list[Write] = field(default_factory=list)
    is_stepping: bool = False
    is_faulty: bool = False
    is_settling: bool = False

    @property
    def id(self) -> str:
        """The callback's id."""
        return self.callback.plan.callback_id


class Exchange:
    """All callbacks of one engine, `callbacks_max` at once. `lines` by address family; all calls come from one thread."""

    def __init__(
        self,
        timekeeper: Timekeeper,
        lines: Mapping[int, Line],
        media: Media,
        journal: Journal,
        resolver: Resolver,
        callbacks_max: int,
    ) -> None:
        self._timekeeper = timekeeper
        self._lines = lines
        self._media = media
        self._journal = journal
        self._resolver = resolver
        self._callbacks_max = callbacks_max
        self._running: dict[str, Running] = {}
        self._legs_up: Counter[int] = Counter()  # by connection
        self._resting: dict[int, float] = {}  # connections that asked to be left alone, until when
        self._carry_out: dict[type, Callable[[Running, Any], None]] = {
            Place: self._place,
            HangUp: self._hang_up,
            PlayRingback: self._play_ringback,
            Join: self._join,
            Split: self._split,
            SetTimer: self._set_timer,
            ClearTimer: self._clear_timer,
            Settle: self._settle,
        }

    # From the runner

    @property
    def room(self) -> int:
        """How many callbacks more may begin."""
        return self._callbacks_max - len(self._running)

    @property
    def known(self) -> frozenset[str]:
        """The ids of the callbacks in progress."""
        return frozenset(self._running)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in progress: no callback, and no session left on the wire."""
        return not self._running and not any(line.sessions for line in self._lines.values())

    def begin(self, plan: Plan) -> None:
        """A callback was claimed and authorized: call A."""
        log.info(
            "callback %s: A %s, B %s, %d micros locked",
            plan.callback_id,
            mask_number(plan.a.cld),
            mask_number(plan.b.cld),
            plan.funds_micros,
        )
        begun, commands = callback.begin(plan, self._now_us())
        running = Running(begun)
        self._running[running.id] = running
        running.is_stepping = True
        self._guarded(running, commands)
        running.is_stepping = False
        self._go_on(running)

    def release(self, callback_id: str, ending: Ending) -> None:
        """Somebody wants a callback ended; one that is unknown here has ended already."""
        running = self._running.get(callback_id)
        if running is not None:
            self._feed(running, events.Release(ending))

    def release_all(self, ending: Ending) -> None:
        """End every callback."""
        for running in list(self._running.values()):
            self._feed(running, events.Release(ending))

    # The machine

    def _now_us(self) -> int:
        return int(self._timekeeper.time() * SECOND_US)

    def _feed(self, running: Running, event: events.Event, at_us: int | None = None) -> None:
        if len(running.waiting) >= EVENTS_WAITING_MAX:
            log.error("callback %s: too many events wait, %s is dropped", running.id, type(event).__name__)
            return
        running.waiting.append((event, self._now_us() if at_us is None else at_us))
        if not running.is_stepping:
            self._go_on(running)

    def _go_on(self, running: Running) -> None:
        running.is_stepping = True
        while running.waiting:
            event, at_us = running.waiting.popleft()
            self._guarded(running, event, at_us)
        running.is_stepping = False
        self._post_writes(running)
        if running.callback.phase is callback.Phase.ENDED:
            self._running.pop(running.id, None)
        self._flush()

    def _flush(self) -> None:
        for line in self._lines.values():
            line.flush()

    def _guarded(self, running: Running, what: events.Event | list[Command], at_us: int = 0) -> None:
        """One step, or the commands of one; our fault in it costs this callback, not the engine."""
        try:
            if isinstance(what, list):
                commands = what
            else:
                running.callback, commands = callback.step(running.callback, what, at_us)
            for command in commands:
                action = self._carry_out.get(type(command))
                if action is None:
                    running.writes.append(command)  # type: ignore[arg-type]
                else:
                    action(running, command)
        except Exception:
            log.exception("callback %s: a step failed, the callback is ended", running.id)
            self._end_faulty(running)

    def _end_faulty(self, running: Running) -> None:
        if not running.is_faulty and running.callback.phase is not callback.Phase.SETTLING:
            running.is_faulty = True
            self._feed(running, events.Release(Ending.ENGINE_FAULT))
        elif not running.is_settling:
            self._abandon(running)

    def _abandon(self, running: Running) -> None:
        """Not even its ending goes as it should: end the legs; the next look at the rows settles what nobody owns (recovery)."""
        running.is_settling = True
        for leg in list(running.sessions):
            line, session = running.sessions.pop(leg)
            try:
                line.hang_up(session, Cause(0, Q850.TEMPORARY_FAILURE))
            except Exception:
                log.exception("callback %s: leg %s could not be hung up", running.id, leg)
        self._let_go(running)
        self._running.pop(running.id, None)

    # SIP: what a leg is told, and what it tells

    def _place(self, running: Running, place: Place) -> None:
        route = running.callback.leg(place.leg).plan.routes[place.route]
        full = route.capacity is not None and self._legs_up[route.connection_id] >= route.capacity
        if not offered_codecs(route.codecs, place.codecs):
            self._skip(running, place, Q850.INCOMPATIBLE_DESTINATION, f"{route.name} has no codec in common")
        elif full:
            self._skip(running, place, Q850.NO_CIRCUIT, f"{route.name} is at its capacity")
        elif self._resting.get(route.connection_id, 0.0) > self._timekeeper.time():
            self._skip(running, place, Q850.CONGESTION, f"{route.name} asked not to be tried yet")
        else:
            running.placing[place.leg] = place
            family = next(iter(self._lines)) if len(self._lines) == 1 else 0
            self._resolver.resolve(route.host, family, partial(self._resolved, running, place))

    def _skip(self, running: Running, place: Place, q850: int, why: str) -> None:
        log.warning("callback %s: leg %s not placed: %s", running.id, place.leg, why)
        running.placing.pop(place.leg, None)
        self._feed(running, events.Skipped(place.leg, q850))

    def _resolved(self, running: Running, place: Place, literal: str | None) -> None:
        if running.placing.get(place.leg) is not place:
            return  # hung up meanwhile
        route = running.callback.leg(place.leg).plan.routes[place.route]
        line = self._lines.get(family_of(literal)) if literal else None
        if literal is None or line is None:
            self._skip(running, place, Q850.NETWORK_OUT_OF_ORDER, f"{route.name}: {route.host} has no address of ours")
            return
        del running.placing[place.leg]
        try:
            self._invite(running, place, line, literal)
        except (OSError, ValueError) as wrong:  # no port or descriptor is left, or what is configured fits no URI
            self._skip(running, place, Q850.NO_CIRCUIT, f"{route.name}: {wrong}")

    def _invite(self, running: Running, place: Place, line: Line, literal: str) -> None:
        leg = running.callback.leg(place.leg)
        route = leg.plan.routes[place.route]
        voice = running.voices.get(place.leg)
        if voice is None:
            voice = running.voices[place.leg] = self._media.open_voice(partial(self._heard, running, place.leg))
        call = Call(
            uri=f"sip:{route.tech_prefix}{leg.plan.cld}@{print_host_port(route.host, route.port)}",
            next_hop=Address(literal, route.port),
            from_uri=f"sip:{leg.plan.cli or 'anonymous'}@{print_host_port(line.advertised.host, None)}",
            offer=voice.make_offer(offered_codecs(route.codecs, place.codecs)),
            credentials=Credentials(route.username, route.password) if route.username else None,
        )
        session = line.invite(
            call, partial(self._told, running, place.leg), partial(self._leg_down, route.connection_id)
        )
        self._legs_up[route.connection_id] += 1
        running.sessions[place.leg] = (line, session)
        self._feed(running, events.Placed(place.leg))

    def _leg_down(self, connection_id: int) -> None:
        self._legs_up[connection_id] -= 1

    def _hang_up(self, running: Running, hang_up: HangUp) -> None:
        running.placing.pop(hang_up.leg, None)
        running.early.pop(hang_up.leg, None)
        line, session = running.sessions.pop(hang_up.leg, (None, None))
        if line is not None and session is not None:
            line.hang_up(session, Cause(0, hang_up.q850))

    def _told(self, running: Running, leg: LegName, event: sip_events.Event) -> None:
        try:
            self._understand(running, leg, event)
        except Exception:
            log.exception("callback %s: leg %s could not take %s", running.id, leg, type(event).__name__)
            self._end_faulty(running)

    def _understand(self, running: Running, leg: LegName, event: sip_events.Event) -> None:
        match event:
            case sip_events.Progress():
                self._feed(running, events.Ringing(leg, early_media=self._has_early_media(running, leg, event.sdp)))
            case sip_events.Answered():
                self._answered(running, leg, event)
            case sip_events.Failed(_, cause, _, retry_after):
                if retry_after:
                    self._let_rest(running, leg, retry_after)
                running.sessions.pop(leg, None)
                running.early.pop(leg, None)
                self._feed(running, events.Failed(leg, cause.status, cause.q850, cause.text))
            case sip_events.HungUp():
                running.sessions.pop(leg, None)
                self._feed(running, events.HungUp(leg, event.cause.q850))
            case sip_events.Offered():
                self._offered(running, leg, event)
            case sip_events.OfferAnswered():
                self._offer_answered(running, leg, event)

    def _has_early_media(self, running: Running, leg: LegName, sdp: bytes) -> bool:
        """Connect what B's network plays before the answer; what cannot be read is done without."""
        if not sdp or leg == "A":
            return False
        try:
            running.voices[leg].take_answer(sdp)
        except ProtocolError:
            return False
        running.early[leg] = sdp
        return True

    def _answered(self, running: Running, leg: LegName, event: sip_events.Answered) -> None:
        voice = running.voices[leg]
        try:
            # A 200 may leave out the answer that a 183 has brought already (RFC 3261, 13.2.1).
            codecs = voice.take_answer(event.sdp or running.early.pop(leg, b""))
        except ProtocolError as wrong:
            log.warning("callback %s: leg %s answered without a usable voice: %s", running.id, leg, wrong)
            line, session = running.sessions.pop(leg)
            line.hang_up(session, Cause(488, Q850.INCOMPATIBLE_DESTINATION))
            self._feed(running, events.Failed(leg, 488, Q850.INCOMPATIBLE_DESTINATION, str(wrong), final=True))
            return
        self._feed(running, events.Answered(leg, codecs, event.dialog, voice.port.rtp_port))

    def _offered(self, running: Running, leg: LegName, event: sip_events.Offered) -> None:
        line, session = running.sessions[leg]
        other = running.callback.leg("B" if leg == "A" else "A")
        try:
            answer, held = running.voices[leg].answer_offer(event.sdp, other.codecs or running.callback.leg(leg).codecs)
        except ProtocolError as wrong:
            log.warning("callback %s: leg %s made an offer we cannot take: %s", running.id, leg, wrong)
            line.reject_offer(session, 488)
            return
        line.accept_offer(session, answer)
        self._feed(running, events.Held(leg, held, line.dialog(session)))

    def _offer_answered(self, running: Running, leg: LegName, event: sip_events.OfferAnswered) -> None:
        try:
            running.voices[leg].take_answer(event.sdp)
        except ProtocolError as wrong:  # the silence watch ends the call if it matters
            log.warning("callback %s: leg %s answered our offer unusably: %s", running.id, leg, wrong)

    def _let_rest(self, running: Running, leg: LegName, seconds: int) -> None:
        """503 with Retry-After: leave the connection alone for so long (RFC 3261, 21.5.4)."""
        connection_id = running.callback.leg(leg).connection_id
        if connection_id is not None:
            self._resting[connection_id] = self._timekeeper.time() + min(seconds, REST_SECONDS_MAX)

    # Voice

    def _heard(self, running: Running, leg: LegName, heard: bool) -> None:
        self._feed(running, events.Heard(leg) if heard else events.Silent(leg))

    def _play_ringback(self, running: Running, ringback: PlayRingback) -> None:
        self._media.play_ringback(running.voices["A"], ringback.country)

    def _join(self, running: Running, _: Join) -> None:
        self._media.join(running.voices["A"], running.voices["B"])

    def _split(self, running: Running, _: Split) -> None:
        self._media.split(running.voices["A"], running.voices["B"])

    # Time

    def _set_timer(self, running: Running, timer: SetTimer) -> None:
        self._clear_timer(running, ClearTimer(timer.timer))
        running.alarms[timer.timer] = self._timekeeper.call_at(
            timer.at_us / SECOND_US, self._passed, running, timer.timer, timer.at_us
        )

    def _clear_timer(self, running: Running, timer: ClearTimer) -> None:
        alarm = running.alarms.pop(timer.timer, None)
        if alarm is not None:
            alarm.cancel()

    def _passed(self, running: Running, timer: Timer, at_us: int) -> None:
        running.alarms.pop(timer, None)
        self._feed(running, _TIMER_EVENTS[timer], max(at_us, self._now_us()))

    # Rows

    def _post_writes(self, running: Running) -> None:
        if running.writes:
            writes, running.writes = running.writes, []
            self._journal.post(partial(rows.write, running.callback.plan, writes))

    def _settle(self, running: Running, settle: Settle) -> None:
        running.is_settling = True
        self._flush()  # the hang-ups go first: closing ports takes its time
        self._let_go(running)
        self._post_writes(running)
        self._post_settle(running, settle)

    def _let_go(self, running: Running) -> None:
        for alarm in running.alarms.values():
            alarm.cancel()
        running.alarms.clear()
        for voice in running.voices.values():
            self._media.close_voice(voice)
        running.voices.clear()

    def _post_settle(self, running: Running, settle: Settle) -> None:
        at = running.callback.plan.instant(self._now_us())
        self._journal.post(
            partial(rows.settle, running.callback.plan, settle, at), partial(self._settled, running, settle)
        )

    def _settled(self, running: Running, settle: Settle, result: Any) -> None:
        if isinstance(result, Exception):
            log.error(
                "callback %s: not settled, tried again in %d s", running.id, SETTLE_AGAIN_SECONDS, exc_info=result
            )
            again = self._timekeeper.time() + SETTLE_AGAIN_SECONDS
            self._timekeeper.call_at(again, self._post_settle, running, settle)
            return
        log.info("callback %s: %s", running.id, settle.ending)
        self._feed(running, events.Settled())
