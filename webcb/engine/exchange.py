"""The exchange: the callbacks in progress. It feeds their machines with events and carries out what they want.

Rules stand in callback.py and leg.py; here commands become alarms, tones, jobs for the journal, and by calls.py SIP. Nothing
here waits: time, lines, media and journal are handed in, so all of it runs in virtual time too. A fault in one callback ends
that callback and no other.
"""

import errno
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

from webcb.billing.authorization import Reason
from webcb.engine import archive, callback, counted, doubt, events, hearing, ports, rows, warning
from webcb.engine.callback import Plan
from webcb.engine.calls import Calls, Connections, Resolver
from webcb.engine.causes import Q850, Ending, LegName
from webcb.engine.commands import (
    Choose,
    ClearTimer,
    Command,
    HangUp,
    Hush,
    Inquire,
    Join,
    LogIn,
    NeverCall,
    Place,
    PlayRingback,
    Renew,
    Reoffer,
    Say,
    SetTimer,
    Settle,
    SettleB,
    Split,
    Timer,
    Warn,
    Write,
    WriteInvite,
    WriteLeg,
)
from webcb.engine.line import Line, Timekeeper
from webcb.engine.media import Media
from webcb.engine.resumption import Resumable
from webcb.engine.running import Running
from webcb.engine.spool import Spool, b_taken
from webcb.engine.starts import Starts
from webcb.number import mask_number
from webcb.sip.grammar import ProtocolError
from webcb.watching import counting
from webcb.watching import log as logs

log = logging.getLogger(__name__)

EVENTS_WAITING_MAX: Final = 100  # of one callback, begotten by its own commands
SETTLE_AGAIN_SECONDS: Final = 5  # after a settlement failed for a reason that is not the database's

SECOND_US: Final = 1_000_000

_TIMER_EVENTS: Final[dict[Timer, events.Event]] = {
    Timer.NO_ANSWER_A: events.NoAnswer("A"),
    Timer.NO_ANSWER_B: events.NoAnswer("B"),
    Timer.VOICE_LOST_A: events.VoiceLost("A"),
    Timer.VOICE_LOST_B: events.VoiceLost("B"),
    Timer.DEADLINE: events.Deadline(),
    Timer.RENEW: events.RenewDue(),
    Timer.KEYS: events.KeysDue(),
    **{timer: events.WarnDue(seconds) for seconds, timer in warning.TIMERS.items()},
}


class Journal(Protocol):
    """The desk at the database: see journal.Journal."""

    def post(self, work: Callable[[], Any], done: Callable[[Any], None] | None = None) -> None: ...


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
        standing: Connections,
        spool: Spool | None = None,
    ) -> None:
        self._timekeeper = timekeeper
        self._media = media
        self._journal = journal
        self._spool = spool
        self._calls = Calls(timekeeper, lines, media, resolver, self._feed, self._end_faulty, standing)
        self._callbacks_max = callbacks_max
        self._running: dict[str, Running] = {}
        self._carry_out: dict[type, Callable[[Running, Any], None]] = {
            Place: self._calls.place,
            HangUp: self._calls.hang_up,
            Inquire: self._calls.inquire,
            Reoffer: self._reoffer,
            PlayRingback: self._play_ringback,
            Join: self._join,
            Split: self._split,
            Say: self._say,
            Hush: self._hush,
            Warn: self._warn,
            LogIn: self._log_in,
            Choose: self._choose,
            NeverCall: self._never_call,
            SettleB: self._settle_b,
            SetTimer: self._set_timer,
            ClearTimer: self._clear_timer,
            Renew: self._renew,
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
        return not self._running and self._calls.is_idle

    def begin(self, plan: Plan) -> None:
        """A callback was claimed and authorized: call A."""
        log.info(
            "callback %s: A %s, B %s, %d micros locked",
            plan.callback_id,
            mask_number(plan.a.cld),
            mask_number(plan.b.cld),
            plan.funds_micros,
        )
        counting.numbers().callbacks_begun.inc()
        begun, commands = callback.begin(plan, self._now_us())
        self._start(Running(begun), commands)

    def resume(self, resumable: Resumable, end_rest: Callable[[], None]) -> bool:
        """Go on with a callback of an engine before this one. Where that cannot be, it stays unknown here: recovery ends it.

        `end_rest` ends what else is up of it, once it is certain that it goes on and before anything of it is written. False: it can
        perhaps a moment later, for who died still has its ports.
        """
        running = Running(resumable.callback, is_resumed=resumable.b is not None, heard=dict(resumable.heard))
        try:
            self._calls.take_over(running, "A", resumable.a, resumable.voice_a)
            if resumable.b is not None:
                self._calls.take_over(running, "B", resumable.b, resumable.voice_b)
        except (OSError, ValueError, KeyError, ProtocolError) as wrong:
            log.warning("callback %s cannot go on: %s", running.id, wrong)
            self._calls.let_go(running)
            self._let_go(running)
            return getattr(wrong, "errno", None) != errno.EADDRINUSE
        for leg in running.sessions:
            self._trace(running, leg)
        end_rest()
        running.callback, commands = callback.resume(running.callback, self._now_us())
        doubt.begin(running)
        log.info("callback %s goes on", running.id)
        self._start(running, commands)
        for leg in list(running.sessions):
            self._calls.offers.go_on(running, leg)
        return True

    def end_leftovers(self) -> None:
        """All callbacks that go on have been taken over: what else an engine before this one left in the kernel is ended."""
        self._media.end_leftovers()

    def _start(self, running: Running, commands: list[Command]) -> None:
        self._running[running.id] = running
        running.is_stepping = True
        with logs.about(running.id):
            self._guarded(running, commands)
        running.is_stepping = False
        self._go_on(running)

    def release(self, callback_id: str, ending: Ending) -> None:
        """Somebody wants a callback ended; one that is unknown here has ended already."""
        running = self._running.get(callback_id)
        if running is not None:
            self._feed(running, events.Release(ending))

    def funds_free(self, callback_id: str) -> None:
        """The funds that a callback uses have something free: one that got none may ask again."""
        running = self._running.get(callback_id)
        if running is not None and running.callback.starved:
            self._feed(running, events.FundsFree())

    @property
    def starts(self) -> Starts:
        """The gates of the connections."""
        return self._calls.starts

    def heard(self) -> list[hearing.Heard]:
        """How well those who talk were heard, of whom it is to be noted again; to be asked about every second."""
        return hearing.due(self._running.values(), self._now_us())

    def proven(self) -> list[doubt.Proven]:
        """Whose legs, of those taken over, have said since the last question that they are there."""
        return doubt.proven(self._running.values())

    @property
    def running(self) -> int:
        """How many callbacks are in progress."""
        return len(self._running)

    @property
    def talking(self) -> int:
        """How many callbacks talk."""
        return sum(each.callback.phase is callback.Phase.TALKING for each in self._running.values())

    @property
    def going_on(self) -> int:
        """How many callbacks the next engine could carry on."""
        return sum(each.callback.goes_on for each in self._running.values())

    @property
    def is_still(self) -> bool:
        """Whether nothing is in progress but callbacks that can be carried on: two sessions on the wire each, one in a menu."""
        going_on, talking = self.going_on, self.talking
        return going_on == len(self._running) and self._calls.sessions == going_on + talking

    def release_all(self, ending: Ending, and_those_that_go_on: bool = True) -> None:
        """End every callback, or those only that nobody could carry on."""
        for running in list(self._running.values()):
            if and_those_that_go_on or not running.callback.goes_on:
                self._feed(running, events.Release(ending))

    # The machine

    def _now_us(self) -> int:
        return int(self._timekeeper.time() * SECOND_US)

    def _feed(self, running: Running, event: events.Event, at_us: int | None = None) -> None:
        if len(running.waiting) >= EVENTS_WAITING_MAX:
            log.error("callback %s: too many events wait, %s is dropped", running.id, type(event).__name__)
            return
        if isinstance(event, events.Placed):
            self._trace(running, event.leg)
        running.waiting.append((event, self._now_us() if at_us is None else at_us))
        if not running.is_stepping:
            self._go_on(running)

    def _go_on(self, running: Running) -> None:
        with logs.about(running.id):
            running.is_stepping = True
            while running.waiting:
                event, at_us = running.waiting.popleft()
                self._guarded(running, event, at_us)
            running.is_stepping = False
            self._post_writes(running)
            if running.callback.phase is callback.Phase.ENDED:
                self._running.pop(running.id, None)
                self._archive(running)
            self._calls.flush()

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
                    counted.attempt(running, command)
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
        for leg in [*running.sessions, *running.placing]:
            try:
                self._calls.hang_up(running, HangUp(leg, Q850.TEMPORARY_FAILURE))
            except Exception:
                log.exception("callback %s: leg %s could not be hung up", running.id, leg)
        self._let_go(running)
        self._running.pop(running.id, None)
        self._archive(running)

    # Its messages

    def _trace(self, running: Running, leg: LegName) -> None:
        line, session = running.sessions[leg]
        running.open_traces += 1
        line.trace(session, partial(running.trace.note, leg), partial(self._said_all, running))

    def _said_all(self, running: Running) -> None:
        running.open_traces -= 1
        self._archive(running)

    def _archive(self, running: Running) -> None:
        """Write what was said of a callback that has ended, once nothing more is to come."""
        if not running.open_traces and running.id not in self._running and (messages := running.trace.take()):
            self._journal.post(partial(archive.write, running.callback.plan, messages))

    # Voice

    def _reoffer(self, running: Running, reoffer: Reoffer) -> None:
        self._post_writes(running)
        written, send = self._calls.offers.propose(running, reoffer)
        self._journal.post(partial(rows.write, running.callback.plan, [written]), send)

    def _play_ringback(self, running: Running, ringback: PlayRingback) -> None:
        self._media.play_ringback(running.voices["A"], ringback.country)

    def _join(self, running: Running, _: Join) -> None:
        join = self._media.resume_join if running.is_resumed else self._media.join
        join(running.voices["A"], running.voices["B"])
        running.is_resumed = False  # another B of it is joined as any
        if running.callback.deadline_us is not None:
            self._media.set_deadline(running.voices["A"], running.callback.deadline_us)

    def _split(self, running: Running, _: Split) -> None:
        self._media.split(running.voices["A"], running.voices["B"])

    def _say(self, running: Running, say: Say) -> None:
        """What cannot be said has been said: the menu goes on without it."""
        folder = running.menu.prompts_folder
        if not self._media.say(running.voices["A"], folder, say.language, say.prompts, barge_in=say.barge_in):
            self._feed(running, events.Said())

    def _hush(self, running: Running, _: Hush) -> None:
        self._media.hush(running.voices["A"])

    def _warn(self, running: Running, warn: Warn) -> None:
        folder = running.menu.prompts_folder
        self._media.warn(running.voices["A"], running.voices["B"], folder, warn.language, warn.prompts)

    # Time

    def _set_timer(self, running: Running, timer: SetTimer) -> None:
        self._clear_timer(running, ClearTimer(timer.timer))
        if timer.timer is Timer.DEADLINE and "A" in running.voices:
            self._media.set_deadline(running.voices["A"], timer.at_us)  # holds without us as well
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

    # Funds

    def _renew(self, running: Running, renew: Renew) -> None:
        at = running.callback.plan.instant(self._now_us())
        self._journal.post(partial(rows.renew, running.callback.plan, renew, at), partial(self._renewed, running))

    def _renewed(self, running: Running, result: Any) -> None:
        if isinstance(result, Exception):
            log.error("callback %s: funds could not be set aside", running.id, exc_info=result)
            result = 0, 0
        if self._running.get(running.id) is running:
            self._feed(running, events.Funded(*result))

    # The menu

    def _log_in(self, running: Running, log_in: LogIn) -> None:
        self._post_writes(running)
        work = partial(rows.log_in, running.callback.plan, log_in, running.ran_us(self._now_us()), self._at(running))
        otherwise = events.NotLoggedIn(Reason.APPLICATION_CLOSED, log_in.by_ani)
        self._journal.post(work, partial(self._answered, running, otherwise))

    def _choose(self, running: Running, choose: Choose) -> None:
        self._post_writes(running)
        pricings, ran_us = running.callback.pricings_of_a, running.ran_us(self._now_us())
        work = partial(rows.choose, running.callback.plan, choose, pricings, ran_us, self._at(running))
        self._journal.post(work, partial(self._answered, running, events.NotChosen(Reason.APPLICATION_CLOSED)))

    def _answered(self, running: Running, otherwise: events.Event, result: Any) -> None:
        if isinstance(result, Exception):
            log.error("callback %s: the menu got no answer", running.id, exc_info=result)
            result = otherwise
        if self._running.get(running.id) is running:
            self._feed(running, result)

    def _never_call(self, running: Running, _: NeverCall) -> None:
        self._journal.post(partial(rows.never_call, running.callback.plan, self._at(running)))

    def _settle_b(self, running: Running, settle: SettleB) -> None:
        """B is over and A is not: its charge is written, its voice freed, and another may take its place."""
        writes, confirm = self._take_writes(running)
        figures = hearing.measured(running).get("B")
        at, done = self._at(running), confirm
        if self._spool is not None and settle.usage is not None:
            line = partial(rows.settlement_line_of_b, running.callback.plan, settle.usage, at, figures)
            done = partial(b_taken, self._spool.unless_taken(self._timekeeper, running.id, line, "B"), confirm)
        self._journal.post(partial(rows.settle_b, running.callback.plan, settle.usage, at, figures, writes), done)
        if (voice := running.voices.pop("B", None)) is not None:
            if voice.joined_to is not None:
                self._media.split(running.voices["A"], voice)
            self._media.close_voice(voice)
        if running.callback.plan.menu is not None:
            self._calls.reserve(running)
        running.waits_until.pop("B", None)
        running.heard.pop("B", None)

    def _at(self, running: Running) -> datetime:
        return running.callback.plan.instant(self._now_us())

    # Rows

    def _post_writes(self, running: Running) -> None:
        if running.writes:
            writes, confirm = self._take_writes(running)
            self._journal.post(partial(rows.write, running.callback.plan, writes), confirm)

    def _take_writes(self, running: Running) -> tuple[list[Write], Callable[[Any], None] | None]:
        """What the rows lack, and who is to be told that they have it."""
        writes, running.writes = running.writes, []
        ahead = [leg for each in writes if (leg := _written_ahead(each)) is not None]
        return writes, self._calls.confirmation(running, ahead) if ahead else None

    def _settle(self, running: Running, settle: Settle) -> None:
        self._calls.flush()  # the hang-ups go first: the rest takes its time
        running.figures = hearing.measured(running)
        self._post_settle(running, settle, self._take_writes(running)[0])  # nobody is up who would have to be told
        running.is_settling = True
        self._let_go(running)

    def _let_go(self, running: Running) -> None:
        for alarm in running.alarms.values():
            alarm.cancel()
        running.alarms.clear()
        ports.let_go(self._media, running)

    def _post_settle(self, running: Running, settle: Settle, writes: Sequence[Write] = ()) -> None:
        """Settle, and write in the same transaction what the rows lack: no engine may find a callback that is over but for its bill."""
        at = running.callback.plan.instant(self._now_us())
        if running.taken is None and self._spool is not None:
            line = partial(rows.settlement_line, running.callback.plan, settle, at, running.figures)
            running.taken = self._spool.unless_taken(self._timekeeper, running.id, line)
        self._journal.post(
            partial(rows.settle, running.callback.plan, settle, at, running.figures, writes),
            partial(self._settled, running, settle, writes),
        )

    def _settled(self, running: Running, settle: Settle, writes: Sequence[Write], result: Any) -> None:
        if isinstance(result, Exception):
            log.error(
                "callback %s: not settled, tried again in %d s", running.id, SETTLE_AGAIN_SECONDS, exc_info=result
            )
            if writes:  # by themselves: where the fault is in them, the bill does not wait for it
                self._journal.post(partial(rows.write, running.callback.plan, writes))
            again = self._timekeeper.time() + SETTLE_AGAIN_SECONDS
            self._timekeeper.call_at(again, self._post_settle, running, settle)
            return
        if running.taken is not None:
            running.taken()
        log.info("callback %s: %s", running.id, settle.ending)
        counting.numbers().callbacks_ended.labels(settle.ending).inc()
        self._feed(running, events.Settled())


def _written_ahead(write: Write) -> LegName | None:
    """The leg whose INVITE, or ACK, waits for this to be written."""
    if isinstance(write, WriteInvite) or (isinstance(write, WriteLeg) and write.dialog is not None):
        return write.leg
    return None
