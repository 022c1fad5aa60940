"""The joint machine of legs A and B: A is called, then B, they are joined, both end together. Pure.

`begin` makes it, `step` moves it: (callback, event, moment) -> (callback, commands). Inside a leg leg.py decides; here stands
what a leg's turn means for the callback, as a table of (phase, leg and turn). Money is asked of billing.limit; nothing here
reads a clock or a row.
"""

from collections.abc import Callable
from typing import Any, Final

from webcb.billing import rating
from webcb.billing.limit import joint_limit, sole_limit
from webcb.billing.slices import UNLIMITED_MICROS, Alone, Need, Talking, Waiting
from webcb.engine import events, ivr, leg, speech, warning
from webcb.engine.causes import Ending, LegName, release_cause
from webcb.engine.codecs import DIGITS, askable_codecs, spoken_codecs
from webcb.engine.commands import (
    ClearTimer,
    Command,
    Inquire,
    Join,
    PlayRingback,
    Renew,
    SetTimer,
    Settle,
    SettleB,
    Split,
    Timer,
    WriteCallback,
)
from webcb.engine.leg import SECOND_US, Leg, Turn
from webcb.engine.replacing import replace
from webcb.engine.state import Callback as Callback
from webcb.engine.state import Hears as Hears
from webcb.engine.state import Phase as Phase
from webcb.engine.state import Plan as Plan

WAITING_SECONDS_MAX: Final = 3600  # A alone on the line while B is tried; the ring times end it long before


Step = tuple[Callback, list[Command]]


def begin(plan: Plan, now_us: int) -> Step:
    """A callback claimed and authorized, its row in state "calling A": call A."""
    menu = ivr.begin(plan.menu or ivr.Setup())
    a, b = Leg("A", plan.a), Leg("B", plan.b)
    callback = Callback(plan, a, b, plan.funds_micros, menu=menu, spare_micros=plan.spare_micros)
    # A is offered first what some route of B carries, and B what A then answers: that needs no recoding.
    voices = dict.fromkeys(name for route in plan.b.routes or plan.a.routes for name in route.codecs)
    if menu.setup.is_alone or menu.setup.confirms:  # A is spoken to, and answers by keys: Opus is only passed on
        voices = dict.fromkeys(spoken_codecs(tuple(voices)))
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


# A with the menu --------------------------------------------------------------------------------------------------------


def _a_answered(callback: Callback, turn: Turn, now_us: int) -> Step:
    setup = callback.plan.menu
    if setup is None or not (setup.is_alone or setup.confirms):
        return _call_b(callback, turn, now_us)
    callback, waiting = _wait(replace(callback, phase=Phase.MENU), now_us)
    callback, saying = _act(callback, ivr.start(callback.menu, now_us), now_us)
    return callback, [WriteCallback("A answered", menu=callback.place or None), *waiting, *saying]


def _in_menu(callback: Callback, event: events.MenuEvent, now_us: int) -> Step:
    return _act(callback, ivr.step(callback.menu, event, now_us), now_us)


def _act(callback: Callback, step: ivr.Step, now_us: int) -> Step:
    """The menu has moved on; what its turn means for the callback stands in MENU_TURNS."""
    menu, commands, turn = step
    before, callback = callback.menu, replace(callback, menu=menu)
    if turn is None:
        is_step = callback.phase is Phase.MENU and callback.goes_on and ivr.has_moved(before, menu)
        return callback, [*commands, WriteCallback("A answered", menu=callback.place)] if is_step else commands
    callback, following = MENU_TURNS[turn](callback, turn, now_us)
    return callback, commands + following


def _logged_in(callback: Callback, event: events.LoggedIn, now_us: int) -> Step:
    """From here on A is another account's: its prices, its funds."""
    plan = replace(
        callback.plan,
        pricing_a=event.pricing_a,
        pricing_a_if_b_fails=event.pricing_a_if_b_fails,
        slice_seconds=event.slice_seconds,
        beyond_balance=event.beyond_balance,
        funds_micros=event.funds_micros,
    )
    callback = replace(callback, plan=plan, funds_micros=event.funds_micros, logged_in=True, starved=False)
    callback, waiting = _wait(callback, now_us)
    callback, saying = _in_menu(callback, event, now_us)
    return callback, [*waiting, *saying]


def _chosen(callback: Callback, event: events.Chosen, now_us: int) -> Step:
    plan = replace(callback.plan, b=event.b, pricing_b=event.pricing_b, funds_micros=event.funds_micros)
    callback = replace(callback, plan=plan, b=Leg("B", event.b), funds_micros=event.funds_micros, starved=False)
    callback = replace(callback, spare_micros=event.spare_micros)
    callback, waiting = _wait(callback, now_us)
    callback, saying = _in_menu(callback, event, now_us)
    return callback, [*waiting, *saying]


def _another(callback: Callback, _: ivr.Turn, now_us: int) -> Step:
    """A wants another destination: B is released."""
    return _without_b(callback, ("call-ended",), now_us)


def _b_is_over(callback: Callback, _: Turn, now_us: int) -> Step:
    """B has hung up, or could not be had: A hears it, and may choose another where it has a menu (domain 1.6, 7)."""
    why = ivr.why_b_ended(callback.b.ending, callback.b.status)
    ending = callback.b.ending or Ending.B_HUNG_UP
    setup = callback.plan.menu
    if setup is not None and setup.has_menu:
        return _without_b(callback, why, now_us)
    if setup is None or callback.phase is Phase.TALKING:
        return _end(callback, ending, now_us)
    b_heard: list[Command] = [Split()] if callback.hears is Hears.B else []
    callback = replace(callback, phase=Phase.FAREWELL, hears=Hears.NOTHING, deadline_ending=ending)
    callback, saying = _act(callback, ivr.farewell(callback.menu, (*why, "goodbye"), ending, now_us), now_us)
    return callback, [*b_heard, *saying]


def _without_b(callback: Callback, why: speech.Prompts, now_us: int, released: Ending = Ending.A_HUNG_UP) -> Step:
    """A goes on alone. What B has cost is no longer there for what comes. `released`: why a B that is up is hung up."""
    plan = callback.plan
    b, hanging = leg.release(callback.b, release_cause(released, is_answered=True), now_us)
    usage = leg.usage(b, _billed_until(replace(callback, b=b), b.ending or Ending.B_HUNG_UP))
    cost_micros = 0
    if usage is not None and usage.answered_us is not None:
        pricing_b = plan.pricing_b.answered(plan.instant(usage.answered_us))
        cost_micros = rating.amount(pricing_b, -(-usage.used_us // SECOND_US))
    unlimited = plan.slice_seconds is None and callback.funds_micros >= UNLIMITED_MICROS
    callback = replace(
        callback,
        phase=Phase.MENU,
        b=Leg("B", plan.b),
        b_answered=callback.b_answered or b.answered_us is not None,
        hears=Hears.NOTHING,
        funds_micros=callback.funds_micros if unlimited else callback.funds_micros - cost_micros,
        charged_meanwhile_micros=callback.charged_meanwhile_micros + (cost_micros if callback.renewing else 0),
        deadline_ending=Ending.TIME_IS_OUT,
        starved=False,
        menu=replace(callback.menu, balance_micros=callback.menu.balance_micros - cost_micros),
    )
    callback, waiting = _wait(callback, now_us)
    menu, saying, _ = ivr.after_call(callback.menu, why, now_us)
    callback = replace(callback, menu=menu)
    timers = (Timer.WARN_EARLY, Timer.WARN_LATE, Timer.NO_ANSWER_B, Timer.VOICE_LOST_B)
    alone = WriteCallback("A answered", menu=callback.place)  # before B is charged, and so in one transaction with that
    return callback, [*hanging, alone, SettleB(usage), *(ClearTimer(timer) for timer in timers), *waiting, *saying]


def _menu_ended(callback: Callback, _: ivr.Turn, now_us: int) -> Step:
    return _end(callback, callback.menu.ending, now_us)


def _end_after_farewell(callback: Callback, _: Turn | events.Deadline, now_us: int) -> Step:
    return _end(callback, callback.menu.ending, now_us)


# A has answered --------------------------------------------------------------------------------------------------------


def _call_b(callback: Callback, _: Turn | ivr.Turn, now_us: int) -> Step:
    """A is on the line, and B known. A alone may cost no more than the funds, under whichever pricing it is settled by."""
    plan = callback.plan
    callback, waiting = _wait(callback, now_us)
    answered: list[Command] = [WriteCallback("A answered"), *waiting]
    pricing_a = callback.pricings_of_a[0]
    ran_us = now_us - (callback.a.answered_us or 0)
    if joint_limit(pricing_a, plan.pricing_b, ran_us, callback.funds_micros, plan.talk_seconds_max) < 1:
        callback, ending = _cannot_pay(callback, now_us)
        return callback, answered + ending
    b, placing, turn = leg.call(callback.b, askable_codecs(callback.a.codecs), now_us)
    # B may wait for a line, and its phone be looked for: A is not left in silence meanwhile.
    ringback = PlayRingback(plan.b.country)
    callback = replace(callback, b=b, phase=Phase.CALLING_B, hears=Hears.RINGBACK)
    callback, following = _turn(callback, "B", turn, now_us)
    return callback, [*answered, WriteCallback("calling B"), ringback, *placing, *following]


def _cannot_pay(callback: Callback, now_us: int) -> Step:
    """Not a second of both can be paid; A is told, for as long as A alone can be."""
    if callback.plan.menu is None:
        return _end(callback, Ending.TIME_IS_OUT, now_us)
    callback = replace(callback, phase=Phase.FAREWELL, hears=Hears.NOTHING, deadline_ending=Ending.TIME_IS_OUT)
    why = (*ivr.why_b_ended(Ending.TIME_IS_OUT, 0), "goodbye")
    return _act(callback, ivr.farewell(callback.menu, why, Ending.TIME_IS_OUT, now_us), now_us)


def _wait(callback: Callback, now_us: int) -> Step:
    """How long A can be paid for while B is tried, and when to see to more."""
    alone_seconds = sole_limit(callback.pricings_of_a, callback.funds_micros, WAITING_SECONDS_MAX)
    deadline_us = (callback.a.answered_us or 0) + alone_seconds * SECOND_US
    callback = replace(callback, deadline_us=deadline_us)
    slice_seconds = callback.plan.slice_seconds
    renewal = [] if slice_seconds is None else [SetTimer(Timer.RENEW, now_us + slice_seconds * SECOND_US // 2)]
    return callback, [SetTimer(Timer.DEADLINE, deadline_us), *renewal]


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
    callback, warnings = warning.set_timers(warning.begin(callback, now_us), now_us)
    callback, joining = _let_a_hear_b(callback, turn, now_us)
    commands: list[Command] = [
        *joining,
        *timers,
        *warnings,
        WriteCallback("talking", talking_us=now_us, deadline_us=callback.deadline_us, menu=callback.place),
        leg.watch_voice(callback.a, now_us),
        *([Inquire("A")] if callback.a.silent and not callback.a.held else []),
    ]
    callback, asking = _spare_recoding(replace(callback, phase=Phase.TALKING), "A")
    return callback, commands + asking


def _spare_recoding(callback: Callback, name: LegName) -> Step:
    """Ask this leg for what the other speaks; until it agrees, and where it does not, the bridge recodes."""
    asked, asking = leg.reoffer(callback.leg(name), callback.leg("B" if name == "A" else "A"))
    return _with(callback, asked), asking


def _ask_a(callback: Callback, _: Turn, __: int) -> Step:
    return _spare_recoding(callback, "A")


def _ask_b(callback: Callback, _: Turn, __: int) -> Step:
    return _spare_recoding(callback, "B")


def _limit_talk(callback: Callback, now_us: int) -> tuple[Callback, int, list[Command]]:
    """The deadline that the funds set from the answer of B on: with it, the seconds of talk and the timers to set."""
    plan = callback.plan
    talk = callback.talk
    seconds = talk.limit_seconds(callback.funds_micros, plan.talk_seconds_max)
    deadline_us = talk.answered_us + seconds * SECOND_US
    is_longest = seconds >= plan.talk_seconds_max
    ending = Ending.LONGEST_TALK if is_longest else Ending.TIME_IS_OUT
    callback = replace(callback, deadline_us=deadline_us, deadline_ending=ending)
    timers: list[Command] = [SetTimer(Timer.DEADLINE, deadline_us)]
    if plan.slice_seconds is not None and not is_longest:
        usual_us = max(now_us, deadline_us - plan.slice_seconds * SECOND_US // 2)
        timers.append(SetTimer(Timer.RENEW, warning.renewal_us(callback, usual_us, now_us)))
    return callback, seconds, timers


def _warn(callback: Callback, event: events.WarnDue, now_us: int) -> Step:
    return warning.warn(callback, event.seconds, now_us)


# After a crash -----------------------------------------------------------------------------------------------------------


def resume(callback: Callback, now_us: int) -> Step:
    """Go on with a callback whose engine died: two that talked are joined, who was in the menu hears again what was asked last.

    Every deadline is where it was. Whoever is not there any more is found by asking, as its BYE may have come while nobody listened.
    """
    return _talk_on(callback, now_us) if callback.phase is Phase.TALKING else _choose_on(callback, now_us)


def _choose_on(callback: Callback, now_us: int) -> Step:
    """A goes on in the menu. A B that was chosen, or was being called, is none any more; A hears that it could not be reached."""
    if callback.b.plan.cld:
        was_called = callback.phase is Phase.CALLING_B
        why = ("congestion",) if was_called else ()
        callback, commands = _without_b(callback, why, now_us, Ending.ENGINE_STOPPED)
    else:
        callback, commands = _wait(callback, now_us)
        callback, saying = _act(callback, ivr.go_on(callback.menu, callback.logged_in, now_us), now_us)
        commands = [*commands, *saying]
    deadline_us = callback.deadline_us or 0  # _wait has set it
    if deadline_us <= now_us:
        callback, ending = _end(callback, callback.deadline_ending, now_us)
        return callback, [*commands, *ending]
    slice_seconds = callback.plan.slice_seconds
    if slice_seconds is not None:  # nobody has seen to more for a while
        half_us = slice_seconds * SECOND_US // 2
        renew_us = min(now_us + half_us, max(now_us, deadline_us - half_us))
        commands = [*commands, SetTimer(Timer.RENEW, renew_us)]
    return callback, [*commands, Inquire("A")]


def _talk_on(callback: Callback, now_us: int) -> Step:
    callback, _, timers = _limit_talk(callback, now_us)
    callback = replace(callback, hears=Hears.B)
    callback, warnings = warning.set_timers(warning.begin(callback, now_us), now_us)
    if callback.deadline_us is not None and callback.deadline_us <= now_us:
        return _end(callback, callback.deadline_ending, now_us)
    return callback, [Join(), *timers, *warnings, Inquire("A"), Inquire("B")]


# Slices ------------------------------------------------------------------------------------------------------------------


def _renew(callback: Callback, _: events.RenewDue | events.FundsFree, now_us: int) -> Step:
    """Ask for the next slice ahead of time. The deadline stays where it is until the funds are committed (domain 4)."""
    slice_seconds = callback.plan.slice_seconds
    if slice_seconds is None or callback.renewing:
        return callback, []
    ran_us = now_us - (callback.a.answered_us or 0)
    if callback.phase is Phase.MENU:
        need: Need = Alone(callback.pricings_of_a, ran_us, slice_seconds)
    elif callback.phase is Phase.CALLING_B:
        need = Waiting(callback.pricings_of_a, callback.plan.pricing_b, ran_us, slice_seconds)
    else:
        answered_b_us, pricing_a, pricing_b, ran_a_us = callback.talk
        talked_seconds = -((answered_b_us - now_us) // SECOND_US)
        seconds = min(talked_seconds + slice_seconds, callback.plan.talk_seconds_max)
        need = Talking(pricing_a, pricing_b, ran_a_us, seconds)
    if need.funds(need.seconds) > callback.funds_micros:
        return replace(callback, renewing=True, starved=False), [Renew(need)]
    return (callback, []) if callback.phase is Phase.TALKING else _wait(callback, now_us)


def _funded_while_waiting(callback: Callback, event: events.Funded, now_us: int) -> Step:
    """More lets A wait longer. Without more it waits as long as it can, and any funds that come are asked for."""
    callback, is_more = _funded(callback, event)
    return _wait(callback, now_us) if is_more else (callback, [])


def _funded_while_talking(callback: Callback, event: events.Funded, now_us: int) -> Step:
    callback, is_more = _funded(callback, event)
    timers: list[Command] = []
    if is_more:
        callback, _, timers = _limit_talk(callback, now_us)
        timers.append(WriteCallback("talking", deadline_us=callback.deadline_us))
    callback, warnings = warning.set_timers(callback, now_us)
    return callback, [*timers, *warnings]


def _funded(callback: Callback, event: events.Funded) -> tuple[Callback, bool]:
    funds_micros = event.funds_micros - callback.charged_meanwhile_micros
    is_more = funds_micros > callback.funds_micros
    funds_micros = max(callback.funds_micros, funds_micros)
    callback = replace(callback, funds_micros=funds_micros, spare_micros=event.spare_micros)
    return replace(callback, renewing=False, charged_meanwhile_micros=0, starved=not is_more), is_more


def _funds_free(callback: Callback, event: events.FundsFree, now_us: int) -> Step:
    return _renew(callback, event, now_us) if callback.starved else (callback, [])


# The end ---------------------------------------------------------------------------------------------------------------


def _end_with_a(callback: Callback, _: Turn, now_us: int) -> Step:
    return _end(callback, callback.a.ending or Ending.A_HUNG_UP, now_us)


def _voice_lost(callback: Callback, _: Turn, now_us: int) -> Step:
    return _end(callback, Ending.MEDIA_LOST, now_us)


def _billed_until(callback: Callback, ending: Ending) -> int | None:
    """The last moment that is billed: the deadline, and of a dead call the last proof of life of the leg that died."""
    is_dead = ending in (Ending.MEDIA_LOST, Ending.PEER_LOST)
    legs = (callback.a, callback.b)
    dead = [each for each in legs if each.ending is Ending.PEER_LOST or (is_dead and each.silent and not each.held)]
    moments = [each.proven_us for each in dead if each.proven_us is not None]
    return min([*moments, *([] if callback.deadline_us is None else [callback.deadline_us])], default=None)


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
    until_us = _billed_until(callback, ending)
    usages = tuple(use for each in (a, b) if (use := leg.usage(each, until_us)) is not None)
    b_answered = callback.b_answered or b.answered_us is not None
    settling = Settle(usages, ending, b_answered, callback.logged_in)
    callback = replace(callback, a=a, b=b, phase=Phase.SETTLING)
    return callback, [*hanging_a, *hanging_b, WriteCallback("releasing"), settling]


def _settled(callback: Callback, _: events.Settled, __: int) -> Step:
    return replace(callback, phase=Phase.ENDED), []


Action = Callable[[Callback, Any, int], Step]

MENU_TURNS: Final[dict[ivr.Turn, Action]] = {
    ivr.Turn.CONFIRMED: _call_b,
    ivr.Turn.DIAL: _call_b,
    ivr.Turn.ANOTHER: _another,
    ivr.Turn.ENDED: _menu_ended,
}

TABLE: Final[dict[tuple[Phase, Any], Action]] = {
    (Phase.CALLING_A, ("A", Turn.ANSWERED)): _a_answered,
    (Phase.CALLING_A, ("A", Turn.ENDED)): _end_with_a,
    (Phase.CALLING_A, events.Release): _release,
    **{(Phase.MENU, each): _in_menu for each in (events.Digit, events.Said, events.KeysDue)},
    (Phase.MENU, events.LoggedIn): _logged_in,
    (Phase.MENU, events.NotLoggedIn): _in_menu,
    (Phase.MENU, events.Chosen): _chosen,
    (Phase.MENU, events.NotChosen): _in_menu,
    (Phase.MENU, ("A", Turn.ENDED)): _end_with_a,
    (Phase.MENU, ("A", Turn.VOICE_LOST)): _voice_lost,
    (Phase.MENU, events.Deadline): _deadline,
    (Phase.MENU, events.RenewDue): _renew,
    (Phase.MENU, events.Funded): _funded_while_waiting,
    (Phase.MENU, events.FundsFree): _funds_free,
    (Phase.MENU, events.Release): _release,
    (Phase.FAREWELL, events.Said): _in_menu,
    (Phase.FAREWELL, events.KeysDue): _in_menu,
    (Phase.FAREWELL, ("A", Turn.ENDED)): _end_after_farewell,
    (Phase.FAREWELL, events.Deadline): _end_after_farewell,
    (Phase.FAREWELL, events.Release): _release,
    (Phase.CALLING_B, events.Digit): _in_menu,
    (Phase.CALLING_B, ("B", Turn.EARLY_MEDIA)): _let_a_hear_b,
    (Phase.CALLING_B, ("B", Turn.QUIET)): _b_is_tried_anew,
    (Phase.CALLING_B, ("B", Turn.ANSWERED)): _talk,
    (Phase.CALLING_B, ("B", Turn.ENDED)): _b_is_over,
    (Phase.CALLING_B, ("A", Turn.ENDED)): _end_with_a,
    (Phase.CALLING_B, events.Deadline): _deadline,
    (Phase.CALLING_B, events.RenewDue): _renew,
    (Phase.CALLING_B, events.Funded): _funded_while_waiting,
    (Phase.CALLING_B, events.FundsFree): _funds_free,
    (Phase.CALLING_B, events.Release): _release,
    (Phase.TALKING, ("A", Turn.ENDED)): _end_with_a,
    (Phase.TALKING, ("B", Turn.ENDED)): _b_is_over,
    (Phase.TALKING, ("A", Turn.RECODED)): _ask_b,
    (Phase.TALKING, ("B", Turn.RECODED)): _ask_a,
    (Phase.TALKING, ("A", Turn.DECIDED)): _ask_a,
    (Phase.TALKING, ("B", Turn.DECIDED)): _ask_b,
    (Phase.TALKING, events.Digit): _in_menu,
    (Phase.TALKING, events.WarnDue): _warn,
    (Phase.TALKING, ("A", Turn.VOICE_LOST)): _voice_lost,
    (Phase.TALKING, ("B", Turn.VOICE_LOST)): _voice_lost,
    (Phase.TALKING, events.Deadline): _deadline,
    (Phase.TALKING, events.RenewDue): _renew,
    (Phase.TALKING, events.Funded): _funded_while_talking,
    (Phase.TALKING, events.FundsFree): _funds_free,
    (Phase.TALKING, events.Release): _release,
    (Phase.SETTLING, events.Settled): _settled,
}
