"""When both are told that the end of their talk is near, and what A is told then. Pure.

The end is that of all the money that can be had, not of the slice in hand: what could be set aside besides is known from the last
time that a slice was. So the warnings come in time with slices too, and are put off when money comes. Just before one is due the
slice is renewed, as others may have used the same money meanwhile.
"""

from typing import Final

from webcb.billing.slices import UNLIMITED_MICROS
from webcb.engine import speech
from webcb.engine.causes import Ending
from webcb.engine.commands import ClearTimer, Command, SetTimer, Timer, Warn
from webcb.engine.replacing import replace
from webcb.engine.state import Callback

TIMERS: Final = {60: Timer.WARN_EARLY, 10: Timer.WARN_LATE}  # by seconds before the end
SECONDS_MIN: Final = {60: 20, 10: 3}  # known later, it is told at once, while so much is left
LOOK_AHEAD_SECONDS: Final = 1  # before the first warning the slice is renewed
SECOND_US: Final = 1_000_000


def end_us(callback: Callback) -> int | None:
    """When the talk will end as far as is known; None: not known, as what could be set aside besides is not."""
    plan, deadline_us = callback.plan, callback.deadline_us
    is_last = plan.slice_seconds is None or callback.starved or callback.deadline_ending is Ending.LONGEST_TALK
    if is_last or deadline_us is None:
        return deadline_us
    if callback.spare_micros is None:
        return None
    funds_micros = min(UNLIMITED_MICROS, callback.funds_micros + callback.spare_micros)
    talk = callback.talk
    return max(deadline_us, talk.answered_us + talk.limit_seconds(funds_micros, plan.talk_seconds_max) * SECOND_US)


def renewal_us(callback: Callback, usual_us: int, now_us: int) -> int:
    """When the slice is renewed: as usual, or so that what is told is true, if that comes first."""
    end = end_us(callback)
    if end is None:
        return usual_us
    before_warning_us = end - (max(TIMERS) + LOOK_AHEAD_SECONDS) * SECOND_US
    return min(usual_us, before_warning_us) if before_warning_us > now_us else usual_us


def begin(callback: Callback, now_us: int) -> Callback:
    """They begin to talk: of an end that is near already A has just been told, or will be ten seconds before it."""
    end = end_us(callback)
    is_near = end is not None and end - now_us <= max(TIMERS) * SECOND_US
    return replace(callback, warned=frozenset({max(TIMERS)} if is_near else ()))


def set_timers(callback: Callback, now_us: int) -> tuple[Callback, list[Command]]:
    """Set the warnings by the end as it is known now; one that was told is told again only if the end has moved away."""
    if callback.plan.menu is None:
        return callback, []
    end = end_us(callback)
    if end is None:
        return callback, [ClearTimer(timer) for timer in TIMERS.values()]
    left_us = end - now_us
    told = {seconds for seconds in callback.warned if left_us <= seconds * SECOND_US}
    timers: list[Command] = []
    for seconds, timer in TIMERS.items():
        if left_us > seconds * SECOND_US:
            timers.append(SetTimer(timer, end - seconds * SECOND_US))
        elif seconds not in told and left_us > SECONDS_MIN[seconds] * SECOND_US:
            timers.append(SetTimer(timer, now_us))
        else:
            timers.append(ClearTimer(timer))
    return replace(callback, warned=frozenset(told)), timers


def warn(callback: Callback, seconds: int, now_us: int) -> tuple[Callback, list[Command]]:
    """Tell both, and A how long there is left."""
    end = end_us(callback)
    left_seconds = 0 if end is None else round((end - now_us) / SECOND_US)
    if left_seconds < min(SECONDS_MIN.values()):
        return callback, []
    language = callback.menu.language
    callback = replace(callback, warned=callback.warned | {seconds})
    return callback, [Warn(language, ("left", *speech.duration(language, left_seconds)))]
