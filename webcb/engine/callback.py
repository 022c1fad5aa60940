"""The joint machine of legs A and B: A is called, then B, they are joined, both end together. Pure.

`begin` makes it, `step` moves it: (callback, event, moment) -> (callback, commands). Inside a leg leg.py decides; here stands
what a leg's turn means for the callback, as a table of (phase, leg and turn). Money is asked of billing.limit; nothing here
reads a clock or a row.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

from webcb.billing.limit import joint_limit, sole_limit
from webcb.billing.pricing import Pricing
from webcb.billing.slices import Need, Talking, Waiting
from webcb.engine import events, leg
from webcb.engine.causes import Ending, LegName, release_cause
from webcb.engine.codecs import DIGITS, heard_codecs
from webcb.engine.commands import (
    Command,
    Join,
    PlayRingback,
    Renew,
    SetTimer,
    Settle,
    Split,
    Timer,
    WriteCallback,
)
from webcb.engine.events import LegPlan
from webcb.engine.leg import SECOND_US, Leg, Turn

WAITING_SECONDS_MAX: Final = 3600  # A alone on the line while B is tried; the ring times end it long before


class Phase(Enum):
    """Where the callback is. Before CALLING_A it is only a row; SETTLING has hung up everything."""

    CALLING_A = auto()
    CALLING_B = auto()
    TALKING = auto()
    SETTLING = auto()
    ENDED = auto()


class Hears(Enum):
    """What A hears."""

    NOTHING = auto()
    RINGBACK = auto()
    B = auto()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that was authorized: prices frozen, funds locked, whom to call and how. Amounts in micros.

    `funds_micros` is what it may cost; where `slice_seconds` is a number, only as yet: slices of so many seconds are set aside
    on the way, `beyond_balance` even where the balance does not cover them.

    `origin_us` of the monotonic clock was the instant `origin_at`: all instants of a callback are told from this one reading
    of the wall clock, so a clock that is set while they talk neither lengthens nor shortens what is written.
    """

    callback_id: str
    pricing_a: Pricing
    pricing_a_if_b_fails: Pricing | None
    pricing_b: Pricing
    funds_micros: int
    talk_seconds_max: int
    a: LegPlan
    b: LegPlan
    origin_us: int
    origin_at: datetime
    slice_seconds: int | None = None
    beyond_balance: bool = False

    def instant(self, at_us: int) -> datetime:
        """A moment of the monotonic clock as an instant."""
        return self.origin_at + timedelta(microseconds=at_us - self.origin_us)


@dataclass(frozen=True, slots=True)
class Callback:
    """The state of one callback. `deadline_us` is the moment at which `deadline_ending` comes, and the last that is billed.

    `funds_micros` is what is set aside for it; `renewing` while more is asked for, `starved` since no more was to be had.
    """

    plan: Plan
    a: Leg
    b: Leg
    funds_micros: int
    phase: Phase = Phase.CALLING_A
    hears: Hears = Hears.NOTHING
    deadline_us: int | None = None
    deadline_ending: Ending = Ending.TIME_IS_OUT
    renewing: bool = False
    starved: bool = False

    def leg(self, name: LegName) -> Leg:
        """Leg A or B."""
        return self.a if name == "A" else self.b


Step = tuple[Callback, list[Command]]


def begin(plan: Plan, now_us: int) -> Step:
    """A callback claimed and authorized, its row in state "calling A": call A."""
    callback = Callback(plan, Leg("A", plan.a), Leg("B", plan.b), plan.funds_micros)
    # A is offered first what some route of B carries, and B what A then answers: that needs no recoding.
    voices = dict.fromkeys(name for route in plan.b.routes for name in route.codecs)
    a, commands, turn = leg.call(callback.a, (*voices, DIGITS), now_us)
    callback, following = _turn(replace(callback, a=a), "A", turn, now_us)
    return callback, commands + following


def step(callback: Callback, event: events.Event, now_us: int) -> Step:
    """One event. What fits neither table came too late or too early, and changes nothing."""
    if isinstance(event, events.CallbackEvent):
        action = TABLE.get((callback.phase, type(event)))
        return (callback, []) if action is None else action(callback, event, now_us)
    moved, commands, turn = leg.step(callback.leg(event.leg), event, now_us)
    callback, following = _turn(_with(callback, moved), event.leg, turn, now_us)
    return callback, commands + following


def _turn(callback: Callback, name: LegName, turn: Turn | None, now_us: int) -> Step:
    action = None if turn is None else TABLE.get((callback.phase, (name, turn)))
    return (callback, []) if action is None else action(callback, turn, now_us)


def _with(callback: Callback, moved: Leg) -> Callback:
    return replace(callback, a=moved) if moved.name == "A" else replace(callback, b=moved)


# A has answered --------------------------------------------------------------------------------------------------------


def _call_b(callback: Callback, _: Turn, now_us: int) -> Step:
    """A is on the line. Alone it may cost no more than the funds, under whichever pricing it is settled by."""
    plan = callback.plan
    callback, waiting = _wait(callback, now_us)
    answered: list[Command] = [WriteCallback("A answered"), *waiting]
    pricing_a = _pricings_of_a(callback)[0]
    if joint_limit(pricing_a, plan.pricing_b, 0, callback.funds_micros, plan.talk_seconds_max) < 1:
        callback, ending = _end(callback, Ending.TIME_IS_OUT, now_us)
        return callback, answered + ending
    b, placing, turn = leg.call(callback.b, heard_codecs(callback.a.codecs), now_us)
    callback, following = _turn(replace(callback, b=b, phase=Phase.CALLING_B), "B", turn, now_us)
    return callback, [*answered, WriteCallback("calling B"), *placing, *following]


def _pricings_of_a(callback: Callback) -> tuple[Pricing, ...]:
    """Whatever A, which has answered, may be settled by: first the one for when B answers too."""
    plan, at = callback.plan, callback.plan.instant(callback.a.answered_us or 0)
    fails = plan.pricing_a_if_b_fails
    return (plan.pricing_a.answered(at),) if fails is None else (plan.pricing_a.answered(at), fails.answered(at))


def _wait(callback: Callback, now_us: int) -> Step:
    """How long A can be paid for while B is tried, and when to see to more."""
    alone_seconds = sole_limit(_pricings_of_a(callback), callback.funds_micros, WAITING_SECONDS_MAX)
    deadline_us = (callback.a.answered_us or 0) + alone_seconds * SECOND_US
    callback = replace(callback, deadline_us=deadline_us)
    slice_seconds = callback.plan.slice_seconds
    renewal = [] if slice_seconds is None else [SetTimer(Timer.RENEW, now_us + slice_seconds * SECOND_US // 2)]
    return callback, [SetTimer(Timer.DEADLINE, deadline_us), *renewal]


def _let_a_hear_ringback(callback: Callback, _: Turn, __: int) -> Step:
    if callback.hears is not Hears.NOTHING:
        return callback, []
    return replace(callback, hears=Hears.RINGBACK), [PlayRingback(callback.plan.b.country)]


def _let_a_hear_b(callback: Callback, _: Turn, __: int) -> Step:
    """B's network speaks before the answer, an announcement or its own ringback: A hears that instead (RFC 3960)."""
    if callback.hears is Hears.B:
        return callback, []
    return replace(callback, hears=Hears.B), [Join()]


def _b_is_tried_anew(callback: Callback, _: Turn, __: int) -> Step:
    """The route that rang has failed and the next is tried; A goes on hearing ringback."""
    if callback.hears is not Hears.B:
        return callback, []
    return replace(callback, hears=Hears.RINGBACK), [Split(), PlayRingback(callback.plan.b.country)]


# B has answered --------------------------------------------------------------------------------------------------------


def _talk(callback: Callback, turn: Turn, now_us: int) -> Step:
    """The deadline is computed anew, as A has been running while B rang."""
    callback, seconds, timers = _limit_talk(callback, now_us)
    if seconds < 1:  # no second of both can be paid any more: B is charged nothing
        return _end(callback, callback.deadline_ending, now_us)
    callback, joining = _let_a_hear_b(callback, turn, now_us)
    commands: list[Command] = [
        *joining,
        *timers,
        WriteCallback("talking", talking_us=now_us, deadline_us=callback.deadline_us),
        leg.watch_voice(callback.a, now_us),
    ]
    return replace(callback, phase=Phase.TALKING), commands


def _limit_talk(callback: Callback, now_us: int) -> tuple[Callback, int, list[Command]]:
    """The deadline that the funds set from the answer of B on: with it, the seconds of talk and the timers to set."""
    plan = callback.plan
    answered_b_us, pricing_a, pricing_b, ran_a_us = _talking(callback)
    seconds = joint_limit(pricing_a, pricing_b, ran_a_us, callback.funds_micros, plan.talk_seconds_max)
    deadline_us = answered_b_us + seconds * SECOND_US
    is_longest = seconds >= plan.talk_seconds_max
    ending = Ending.LONGEST_TALK if is_longest else Ending.TIME_IS_OUT
    callback = replace(callback, deadline_us=deadline_us, deadline_ending=ending)
    timers: list[Command] = [SetTimer(Timer.DEADLINE, deadline_us)]
    if plan.slice_seconds is not None and not is_longest:
        timers.append(SetTimer(Timer.RENEW, max(now_us, deadline_us - plan.slice_seconds * SECOND_US // 2)))
    return callback, seconds, timers


def _talking(callback: Callback) -> tuple[int, Pricing, Pricing, int]:
    """When B answered, what both are charged by since, and how long A had run by then; moments and durations monotonic."""
    plan = callback.plan
    answered_b_us = callback.b.answered_us or 0
    pricing_a = _pricings_of_a(callback)[0]
    pricing_b = plan.pricing_b.answered(plan.instant(answered_b_us))
    return answered_b_us, pricing_a, pricing_b, answered_b_us - (callback.a.answered_us or 0)


# Slices ------------------------------------------------------------------------------------------------------------------


def _renew(callback: Callback, _: events.RenewDue | events.FundsFree, now_us: int) -> Step:
    """Ask for the next slice ahead of time. The deadline stays where it is until the funds are committed (domain 4)."""
    slice_seconds = callback.plan.slice_seconds
    if slice_seconds is None or callback.renewing:
        return callback, []
    if callback.phase is Phase.CALLING_B:
        ran_us = now_us - (callback.a.answered_us or 0)
        need: Need = Waiting(_pricings_of_a(callback), callback.plan.pricing_b, ran_us, slice_seconds)
    else:
        answered_b_us, pricing_a, pricing_b, ran_a_us = _talking(callback)
        talked_seconds = -((answered_b_us - now_us) // SECOND_US)
        seconds = min(talked_seconds + slice_seconds, callback.plan.talk_seconds_max)
        need = Talking(pricing_a, pricing_b, ran_a_us, seconds)
    if need.funds(need.seconds) > callback.funds_micros:
        return replace(callback, renewing=True, starved=False), [Renew(need)]
    return _wait(callback, now_us) if callback.phase is Phase.CALLING_B else (callback, [])


def _funded_while_waiting(callback: Callback, event: events.Funded, now_us: int) -> Step:
    """More lets A wait longer. Without more it waits as long as it can, and any funds that come are asked for."""
    callback, is_more = _funded(callback, event)
    return _wait(callback, now_us) if is_more else (callback, [])


def _funded_while_talking(callback: Callback, event: events.Funded, now_us: int) -> Step:
    callback, is_more = _funded(callback, event)
    if not is_more:
        return callback, []
    callback, _, timers = _limit_talk(callback, now_us)
    return callback, [*timers, WriteCallback("talking", deadline_us=callback.deadline_us)]


def _funded(callback: Callback, event: events.Funded) -> tuple[Callback, bool]:
    is_more = event.funds_micros > callback.funds_micros
    funds_micros = max(callback.funds_micros, event.funds_micros)
    return replace(callback, funds_micros=funds_micros, renewing=False, starved=not is_more), is_more


def _funds_free(callback: Callback, event: events.FundsFree, now_us: int) -> Step:
    return _renew(callback, event, now_us) if callback.starved else (callback, [])


# The end ---------------------------------------------------------------------------------------------------------------


def _end_with_a(callback: Callback, _: Turn, now_us: int) -> Step:
    return _end(callback, callback.a.ending or Ending.A_HUNG_UP, now_us)


def _end_with_b(callback: Callback, _: Turn, now_us: int) -> Step:
    return _end(callback, callback.b.ending or Ending.B_HUNG_UP, now_us)


def _voice_lost(callback: Callback, _: Turn, now_us: int) -> Step:
    return _end(callback, Ending.MEDIA_LOST, now_us)


def _deadline(callback: Callback, _: events.Deadline, now_us: int) -> Step:
    return _end(callback, callback.deadline_ending, now_us)


def _release(callback: Callback, event: events.Release, now_us: int) -> Step:
    return _end(callback, event.ending, now_us)


def _end(callback: Callback, ending: Ending, now_us: int) -> Step:
    """Hang up whatever is up, then settle: from our BYE on nothing more is charged, so its answer is not waited for.

    The hang-ups stand first among the commands: nothing may come between the deadline and the two BYEs.
    """
    a, hanging_a = leg.release(callback.a, release_cause(ending, callback.a.answered_us is not None), now_us)
    b, hanging_b = leg.release(callback.b, release_cause(ending, callback.b.answered_us is not None), now_us)
    usages = tuple(use for each in (a, b) if (use := leg.usage(each, callback.deadline_us)) is not None)
    settling = Settle(usages, ending, b_answered=b.answered_us is not None)
    callback = replace(callback, a=a, b=b, phase=Phase.SETTLING)
    return callback, [*hanging_a, *hanging_b, WriteCallback("releasing"), settling]


def _settled(callback: Callback, _: events.Settled, __: int) -> Step:
    return replace(callback, phase=Phase.ENDED), []


Action = Callable[[Callback, Any, int], Step]

TABLE: Final[dict[tuple[Phase, Any], Action]] = {
    (Phase.CALLING_A, ("A", Turn.ANSWERED)): _call_b,
    (Phase.CALLING_A, ("A", Turn.ENDED)): _end_with_a,
    (Phase.CALLING_A, events.Release): _release,
    (Phase.CALLING_B, ("B", Turn.RINGING)): _let_a_hear_ringback,
    (Phase.CALLING_B, ("B", Turn.EARLY_MEDIA)): _let_a_hear_b,
    (Phase.CALLING_B, ("B", Turn.QUIET)): _b_is_tried_anew,
    (Phase.CALLING_B, ("B", Turn.ANSWERED)): _talk,
    (Phase.CALLING_B, ("B", Turn.ENDED)): _end_with_b,
    (Phase.CALLING_B, ("A", Turn.ENDED)): _end_with_a,
    (Phase.CALLING_B, events.Deadline): _deadline,
    (Phase.CALLING_B, events.RenewDue): _renew,
    (Phase.CALLING_B, events.Funded): _funded_while_waiting,
    (Phase.CALLING_B, events.FundsFree): _funds_free,
    (Phase.CALLING_B, events.Release): _release,
    (Phase.TALKING, ("A", Turn.ENDED)): _end_with_a,
    (Phase.TALKING, ("B", Turn.ENDED)): _end_with_b,
    (Phase.TALKING, ("A", Turn.VOICE_LOST)): _voice_lost,
    (Phase.TALKING, ("B", Turn.VOICE_LOST)): _voice_lost,
    (Phase.TALKING, events.Deadline): _deadline,
    (Phase.TALKING, events.RenewDue): _renew,
    (Phase.TALKING, events.Funded): _funded_while_talking,
    (Phase.TALKING, events.FundsFree): _funds_free,
    (Phase.TALKING, events.Release): _release,
    (Phase.SETTLING, events.Settled): _settled,
}
