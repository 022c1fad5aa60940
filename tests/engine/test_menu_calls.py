"""The joint machine with a menu, in virtual time: hosted callbacks, confirm by key, why B failed, warnings; what each costs."""

import json
import random
from dataclasses import replace

import pytest

from tests.engine.plans import SECOND, per_second, plan, route
from webcb.billing import rating
from webcb.billing.authorization import Reason
from webcb.billing.slices import UNLIMITED_MICROS, Alone
from webcb.engine import callback, events, ivr, resumption
from webcb.engine.callback import Callback, Phase, Plan
from webcb.engine.causes import Ending
from webcb.engine.commands import (
    Choose,
    Command,
    HangUp,
    Join,
    LogIn,
    NeverCall,
    Place,
    Renew,
    Say,
    SetTimer,
    Settle,
    SettleB,
    Timer,
    Warn,
    WriteCallback,
)
from webcb.engine.events import (
    Answered,
    Chosen,
    Deadline,
    Digit,
    Failed,
    Funded,
    HungUp,
    LegPlan,
    LoggedIn,
    NotChosen,
    NotLoggedIn,
    Placed,
    Release,
    Ringing,
    Said,
    WarnDue,
)
from webcb.engine.ivr import Setup

CODECS = ("PCMU", "PCMA", "telephone-event")
B = LegPlan("441632960000", "12065550100", (route(3),), 60, "GB")
HOSTED = Setup(("en",), has_menu=True)
A_ANSWERS = [(0, Placed("A")), (1, Ringing("A")), (4, Answered("A", CODECS, "{}", 20000))]
LOGIN = LoggedIn(5_000_000, "USD", "en", per_second(600_000), None, 5_000_000, None, False)
CHOICE = Chosen(240, B, per_second(600_000), 5_000_000)
B_TALKS = [(0, Placed("B")), (1, Ringing("B")), (2, Answered("B", CODECS[:1], "{}", 20002))]

Script = list[tuple[float, events.Event]]


def keys(at: float, pressed: str) -> Script:
    return [(at + number / 10, Digit(key)) for number, key in enumerate(pressed)]


def later(seconds: float, script: Script) -> Script:
    return [(at + seconds, event) for at, event in script]


IN_THE_MENU = [*A_ANSWERS, *keys(5, "1234#"), (6, LOGIN)]
DIALLED = [*IN_THE_MENU, *keys(7, "1"), *keys(8, "44#"), (9, CHOICE), (12, Said())]
THEY_TALK = [*DIALLED, *later(12, B_TALKS)]  # B has answered at 14


def hosted_plan(**changes: object) -> Plan:
    return plan(routes_b=(), menu=HOSTED, **changes)  # type: ignore[arg-type]


def play(script: Script, of: Plan) -> tuple[Callback, list[Command]]:
    state, wanted = callback.begin(of, 0)
    for seconds, event in script:
        state, commands = callback.step(state, event, round(seconds * SECOND))
        wanted = wanted + commands
    return state, wanted


def of_kind(commands: list[Command], kind: type) -> list[Command]:
    return [each for each in commands if isinstance(each, kind)]


def said(commands: list[Command]) -> list[str]:
    return [name for each in commands if isinstance(each, Say) for name in each.prompts]


def last_deadline(commands: list[Command]) -> float:
    return [each.at_us for each in commands if isinstance(each, SetTimer) and each.timer is Timer.DEADLINE][-1] / SECOND


# Hosted ------------------------------------------------------------------------------------------------------------------


def test_a_alone_is_on_the_internal_account_until_it_has_logged_in() -> None:
    state, commands = play([*A_ANSWERS, *keys(5, "1234#")], hosted_plan(funds_micros=600_000))
    assert (state.phase, said(commands)) == (Phase.MENU, ["welcome", "enter-pin"])
    assert last_deadline(commands) == 64  # 60 s of A at 0.60 a minute
    assert of_kind(commands, LogIn) == [LogIn("1234")]
    state, commands = callback.step(state, LOGIN, 6 * SECOND)
    assert (state.funds_micros, state.logged_in) == (5_000_000, True)
    assert last_deadline(commands) == 504
    assert said(commands)[0] == "balance"


def test_a_destination_is_called_and_both_talk() -> None:
    state, commands = play(THEY_TALK, hosted_plan())
    assert of_kind(commands, Choose) == [Choose("44")]
    assert [each.leg for each in commands if isinstance(each, Place)] == ["A", "B"]
    assert (state.phase, len(of_kind(commands, Join))) == (Phase.TALKING, 1)
    # 5.00 pays for A since 4 and B since 14, a cent a second each: 500 = (T + 10) + T.
    assert last_deadline(commands) == 14 + 245


def test_after_b_hung_up_another_destination_and_the_funds_are_less() -> None:
    script = [*THEY_TALK, (34, HungUp("B", 16))]
    state, commands = play(script, hosted_plan())
    assert said(commands)[-2:] == ["call-ended", "destination"]
    (settled,) = of_kind(commands, SettleB)
    assert isinstance(settled, SettleB)
    assert settled.usage is not None
    assert settled.usage.used_us == 20 * SECOND
    assert not of_kind(commands, HangUp)
    assert not of_kind(commands, Settle)
    assert (state.phase, state.funds_micros) == (Phase.MENU, 4_800_000)
    assert last_deadline(commands) == 4 + 480  # A alone, of what B has left
    again = [*keys(36, "33#"), (37, Chosen(100, B, per_second(600_000), 4_800_000)), (40, Said()), *later(40, B_TALKS)]
    state, more = play([*script, *again, (50, HungUp("A", 16))], hosted_plan())
    assert [each.leg for each in more if isinstance(each, Place)] == ["A", "B", "B"]
    (settle,) = of_kind(more, Settle)
    assert isinstance(settle, Settle)
    assert (settle.ending, settle.b_answered, settle.logged_in) == (Ending.A_HUNG_UP, True, True)
    assert {usage.leg: usage.used_us / SECOND for usage in settle.usages} == {"A": 46, "B": 8}


def test_a_slice_that_was_asked_for_before_b_was_charged_has_its_cost_still() -> None:
    """The database is slow: B hangs up at 34 while more is asked for, and the answer, of before B's charge, comes after it."""
    state, _ = play([*THEY_TALK, (30, events.RenewDue())], hosted_plan(slice_seconds=60))
    state, _ = callback.step(replace(state, renewing=True, funds_micros=900_000), HungUp("B", 16), 34 * SECOND)
    assert state.funds_micros == 700_000
    state, commands = callback.step(state, Funded(1_100_000), 35 * SECOND)
    assert (state.funds_micros, last_deadline(commands)) == (900_000, 4 + 90)


def test_two_stars_release_b_while_it_talks_and_while_it_rings() -> None:
    for script, at in ((THEY_TALK, 20), (THEY_TALK[:-1], 13.5)):
        state, commands = play([*script, *keys(at, "**")], hosted_plan())
        assert [each.leg for each in commands if isinstance(each, HangUp)] == ["B"]
        assert (state.phase, said(commands)[-1]) == (Phase.MENU, "destination")


WHY = [
    (Failed("B", 486, 17), "busy"),
    (Failed("B", 404, 1), "not-in-service"),
    (Failed("B", 603, 21), "refused"),
    (Failed("B", 503, 34), "congestion"),
]


@pytest.mark.parametrize(("failure", "why"), WHY)
def test_a_hears_why_b_failed_and_may_choose_another(failure: Failed, why: str) -> None:
    state, commands = play([*DIALLED, (12, Placed("B")), (13, failure)], hosted_plan())
    assert said(commands)[-2:] == [why, "destination"]
    assert state.phase is Phase.MENU
    assert state.funds_micros == 5_000_000


def test_three_wrong_pins_end_on_the_internal_account() -> None:
    no = NotLoggedIn(Reason.WRONG_CREDENTIALS)
    script = [*A_ANSWERS, *keys(5, "1#"), (6, no), *keys(7, "2#"), (8, no), *keys(9, "3#"), (10, no)]
    state, commands = play(script, hosted_plan())
    assert said(commands)[-2:] == ["wrong-pin", "goodbye"]
    assert not of_kind(commands, Settle)
    state, commands = callback.step(state, Said(), 12 * SECOND)
    (settle,) = of_kind(commands, Settle)
    assert isinstance(settle, Settle)
    assert (settle.ending, settle.logged_in, settle.b_answered) == (Ending.NOT_LOGGED_IN, False, False)
    assert [usage.used_us for usage in settle.usages] == [8 * SECOND]
    assert [each.leg for each in commands if isinstance(each, HangUp)] == ["A"]


ENDS = [
    (HungUp("A", 16), Ending.A_HUNG_UP),
    (Release(Ending.OPERATOR_RELEASED), Ending.OPERATOR_RELEASED),
    (Release(Ending.USER_RELEASED), Ending.USER_RELEASED),
    (Deadline(), Ending.TIME_IS_OUT),
]
MOMENTS = {
    "before log-in": A_ANSWERS,
    "in the menu": IN_THE_MENU,
    "announcing": DIALLED[:-1],
    "B rings": THEY_TALK[:-1],
}


@pytest.mark.parametrize(("event", "ending"), ENDS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_every_moment_of_a_menu_can_be_ended(moment: str, event: events.Event, ending: Ending) -> None:
    state, commands = play([*MOMENTS[moment], (30, event)], hosted_plan())
    (settle,) = of_kind(commands, Settle)
    assert isinstance(settle, Settle)
    assert (state.phase, settle.ending) == (Phase.SETTLING, ending)
    assert state.menu is not None
    for late in (CHOICE, LOGIN, Said(), Digit("1"), NotChosen(Reason.NO_FUNDS)):  # what comes now comes too late
        assert callback.step(state, late, 31 * SECOND) == (state, [])


def test_a_call_that_another_engine_takes_over_goes_on_with_its_menu() -> None:
    """B hangs up at the new engine: A is asked for another destination, in the language that was spoken."""
    talked, commands = play(THEY_TALK, hosted_plan())
    terms = json.loads(resumption.print_terms(talked.plan, talked.place))
    assert terms["menu"]["has_menu"]
    assert of_kind(commands, WriteCallback)[-1].menu == talked.place == terms["place"]  # type: ignore[attr-defined]
    begun = replace(talked, menu=ivr.read_place(HOSTED, talked.place), hears=callback.Hears.NOTHING)
    state, commands = callback.resume(begun, 20 * SECOND)
    assert (state.phase, last_deadline(commands)) == (Phase.TALKING, 14 + 245)
    state, commands = callback.step(state, HungUp("B", 16), 34 * SECOND)
    assert (state.phase, said(commands)) == (Phase.MENU, ["call-ended", "destination"])
    _, commands = play_on(state, [*keys(36, "*"), *keys(38, "2")])
    assert said(commands) == ["menu", "menu"]


def play_on(state: Callback, script: Script) -> tuple[Callback, list[Command]]:
    wanted: list[Command] = []
    for seconds, event in script:
        state, commands = callback.step(state, event, round(seconds * SECOND))
        wanted += commands
    return state, wanted


def test_the_funds_of_who_logged_in_are_those_of_the_plan() -> None:
    """What is written for the next engine goes by them, not by the internal account's."""
    unlimited = replace(LOGIN, funds_micros=UNLIMITED_MICROS)
    state, _ = play([*A_ANSWERS, *keys(5, "1234#"), (6, unlimited)], hosted_plan(funds_micros=600_000))
    assert json.loads(resumption.print_terms(state.plan, ""))["is_unlimited"]
    state, _ = play(IN_THE_MENU, hosted_plan(funds_micros=UNLIMITED_MICROS))
    assert not json.loads(resumption.print_terms(state.plan, ""))["is_unlimited"]


def test_slices_are_renewed_for_a_alone() -> None:
    state, commands = play([*A_ANSWERS, (34, events.RenewDue())], hosted_plan(funds_micros=600_000, slice_seconds=60))
    (renew,) = of_kind(commands, Renew)
    assert isinstance(renew, Renew)
    assert isinstance(renew.need, Alone)
    assert renew.need.funds(renew.need.seconds) == 900_000  # 30 s that it has run and 60 more
    _, commands = callback.step(state, Funded(900_000), 34 * SECOND)
    assert last_deadline(commands) == 94


# Without a menu ------------------------------------------------------------------------------------------------------------


VOICED = Setup(("en",))
CALLED_B = [*A_ANSWERS, (4, Placed("B"))]


@pytest.mark.parametrize(("failure", "why"), WHY)
def test_why_b_failed_is_said_before_the_end(failure: Failed, why: str) -> None:
    state, commands = play([*CALLED_B, (6, failure)], plan(menu=VOICED))
    assert (state.phase, said(commands)) == (Phase.FAREWELL, [why, "goodbye"])
    before = len(commands)
    for event in (Said(), HungUp("A", 16), Deadline()):
        _, ended = callback.step(state, event, 9 * SECOND)
        (settle,) = of_kind(ended, Settle)
        assert isinstance(settle, Settle)
        assert settle.ending is state.b.ending
    assert before == len(commands)


def test_confirm_by_key() -> None:
    confirms = plan(menu=Setup(("en",), confirms=True))
    state, commands = play(A_ANSWERS, confirms)
    assert (said(commands), len(of_kind(commands, Place))) == (["press-1"], 1)
    state, commands = callback.step(state, Digit("1"), 6 * SECOND)
    assert (state.phase, len(of_kind(commands, Place))) == (Phase.CALLING_B, 1)
    assert WriteCallback("calling B") in commands
    state, commands = play([*A_ANSWERS, (5, Digit("9")), (8, Said())], confirms)
    assert of_kind(commands, NeverCall)
    (settle,) = of_kind(commands, Settle)
    assert isinstance(settle, Settle)
    assert settle.ending is Ending.NEVER_AGAIN
    assert [usage.leg for usage in settle.usages] == ["A"]


# Warnings --------------------------------------------------------------------------------------------------------------------


def test_both_are_warned_a_minute_and_ten_seconds_before_the_end() -> None:
    """2.00 pays for 100 s of both: they answer at 4 and 6."""
    script = [*CALLED_B, (5, Ringing("B")), (6, Answered("B", CODECS[:1], "{}", 20002))]
    state, commands = play(script, plan(menu=VOICED, funds_micros=2_020_000))
    due = {each.timer: each.at_us / SECOND for each in commands if isinstance(each, SetTimer)}
    assert due[Timer.DEADLINE] == 106
    assert (due[Timer.WARN_EARLY], due[Timer.WARN_LATE]) == (46, 96)
    _, warned = callback.step(state, WarnDue(60), 46 * SECOND)
    assert warned == [Warn("en", ("left", "number-1", "unit-minute-one"))]
    _, warned = callback.step(state, WarnDue(60), 96 * SECOND)
    assert warned == [Warn("en", ("left", "number-10", "unit-second-many"))]


def test_nobody_is_warned_while_more_may_be_had() -> None:
    script = [*CALLED_B, (5, Ringing("B")), (6, Answered("B", CODECS[:1], "{}", 20002))]
    state, commands = play(script, plan(menu=VOICED, funds_micros=1_220_000, slice_seconds=60))
    timers = {each.timer for each in commands if isinstance(each, SetTimer)}
    assert not timers & {Timer.WARN_EARLY, Timer.WARN_LATE}
    state, _ = callback.step(state, events.RenewDue(), 36 * SECOND)
    state, commands = callback.step(state, Funded(1_220_000), 36 * SECOND)  # no more is to be had: 30 s are left
    due = {each.timer: each.at_us / SECOND for each in commands if isinstance(each, SetTimer)}
    assert due == {Timer.WARN_EARLY: 36, Timer.WARN_LATE: 56}


# Whatever comes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_a_random_walk_keeps_the_laws(seed: int) -> None:
    """No leg is called twice at a time, one settlement, and all that is settled fits what was set aside."""
    chance = random.Random(seed)
    funds = chance.randint(100_000, 3_000_000)
    setup = Setup(("en", "de"), has_menu=chance.random() < 0.8, confirms=chance.random() < 0.3)
    state, commands = callback.begin(plan(funds_micros=funds, menu=setup), 0)
    up: set[str] = set()
    spent_micros, now_us = 0, 0
    timers: dict[Timer, int] = {}
    settled: Settle | None = None

    def obey(commands: list[Command]) -> None:
        nonlocal spent_micros, settled
        for command in commands:
            assert settled is None
            match command:
                case Place():
                    assert command.leg not in up
                    up.add(command.leg)
                case HangUp():
                    up.discard(command.leg)
                case SetTimer():
                    timers[command.timer] = command.at_us
                case SettleB(usage) if usage is not None and usage.answered_us is not None:
                    assert "B" not in up
                    spent_micros += rating.amount(state.plan.pricing_b, -(-usage.used_us // SECOND))
                case Settle():
                    settled = command

    obey(commands)
    for _ in range(400):
        now_us += chance.choice([0, 100_000, 1_000_000, 9_000_000])
        if timers.get(Timer.DEADLINE, now_us + 1) <= now_us:
            now_us = max(now_us, timers[Timer.DEADLINE])
            event: events.Event = Deadline()
        else:
            price = per_second(chance.randint(0, 900_000))
            left = max(1, funds - spent_micros)
            event = chance.choice(
                [
                    Digit(chance.choice("0123456789*#**##11")),
                    Said(),
                    events.KeysDue(),
                    LoggedIn(left, "USD", "de", state.plan.pricing_a, None, left, None, False),
                    NotLoggedIn(Reason.WRONG_CREDENTIALS),
                    Chosen(100, B, price, left),
                    NotChosen(Reason.NO_RATE),
                    *(Placed(leg) for leg in ("A", "B") if leg in up),
                    *(Ringing(leg) for leg in ("A", "B") if leg in up),
                    *(Answered(leg, CODECS, "{}", 20000) for leg in ("A", "B") if leg in up and state.leg(leg).on_wire),
                    *(HungUp(leg, 16) for leg in up if state.leg(leg).answered_us is not None),  # type: ignore[arg-type]
                    *(Failed(leg, 486, 17) for leg in up if state.leg(leg).on_wire),  # type: ignore[arg-type]
                ]
            )
        if isinstance(event, HungUp | Failed):
            up.discard(event.leg)
        state, commands = callback.step(state, event, now_us)
        obey(commands)
        if settled is not None:
            break
    if settled is None:
        state, commands = callback.step(state, Release(Ending.OPERATOR_RELEASED), now_us)
        obey(commands)
    assert settled is not None
    assert not up
    prices = {"A": state.plan.pricing_a, "B": state.plan.pricing_b}
    charged = sum(rating.amount(prices[usage.leg], -(-usage.used_us // SECOND)) for usage in settled.usages)
    assert spent_micros + charged <= funds
