"""Every way in which B can fail, in every language: what A is told of it, and how the callback is written down to have ended."""

from dataclasses import replace

import pytest

from tests.engine.plans import plan
from tests.engine.test_menu_calls import A_ANSWERS, DIALLED, Script, hosted_plan, later, of_kind, play
from webcb.engine import events
from webcb.engine.callback import Phase, Plan
from webcb.engine.causes import Ending
from webcb.engine.commands import Say, Settle
from webcb.engine.events import Deadline, Failed, NoAnswer, Placed, Ringing, Skipped
from webcb.engine.ivr import Setup
from webcb.prompts import catalogue

B_PLACED: Script = [(0, Placed("B"))]
B_RINGS: Script = [*B_PLACED, (1, Ringing("B"))]

# What happens to B, how that ends, what A hears.
WHY: dict[str, tuple[Script, Ending, str]] = {
    **{
        f"{status}": ([*B_PLACED, (2, Failed("B", status, 17))], ending, prompt)
        for ending, prompt, statuses in (
            (Ending.B_BUSY, "busy", (486, 600)),
            (Ending.B_REFUSED, "refused", (402, 403, 603, 607)),
            (Ending.B_UNREACHABLE, "not-in-service", (404, 410, 484, 604)),
            (Ending.B_UNREACHABLE, "congestion", (0, 408, 480, 482, 483, 500, 502, 503, 504, 513)),
        )
        for status in statuses
    },
    **{
        f"{status} after ringing": ([*B_RINGS, (9, Failed("B", status, 18))], Ending.B_NO_ANSWER, "no-answer")
        for status in (408, 480, 487)
    },
    "busy after ringing": ([*B_RINGS, (9, Failed("B", 486, 17))], Ending.B_BUSY, "busy"),
    "rings for its time": ([*B_RINGS, (61, NoAnswer("B"))], Ending.B_NO_ANSWER, "no-answer"),
    "nothing comes": ([*B_PLACED, (20, NoAnswer("B"))], Ending.B_UNREACHABLE, "congestion"),
    "no route can be used": ([(0, Skipped("B", 38))], Ending.B_UNREACHABLE, "congestion"),
}


def in_language(language: str, of: Plan) -> Plan:
    setup = of.menu
    assert setup is not None
    return replace(of, menu=replace(setup, languages=(language,)))


def heard(commands: list[object], language: str) -> list[str]:
    """The prompts of the last that was said, all in this language, and known to it."""
    saying = [each for each in commands if isinstance(each, Say)]
    assert {each.language for each in saying} == {language}
    assert {name for each in saying for name in each.prompts} <= set(catalogue.texts(language).by_name)
    return list(saying[-1].prompts)


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
@pytest.mark.parametrize("why", WHY)
def test_a_hears_why_b_failed(why: str, language: str) -> None:
    script, ending, prompt = WHY[why]
    state, commands = play([*A_ANSWERS, *later(4, script)], plan(menu=Setup((language,))))
    assert state.phase is Phase.FAREWELL
    assert heard(commands, language) == [prompt, "goodbye"]
    state, commands = play([*A_ANSWERS, *later(4, script), (100, events.Said())], plan(menu=Setup((language,))))
    (settle,) = of_kind(commands, Settle)
    assert isinstance(settle, Settle)
    assert settle.ending is ending


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
@pytest.mark.parametrize("why", WHY)
def test_a_with_a_menu_hears_it_too_and_is_asked_for_another(why: str, language: str) -> None:
    script, _, prompt = WHY[why]
    dialled = [(at, _spoken_in(language, event)) for at, event in DIALLED]
    state, commands = play([*dialled, *later(12, script)], in_language(language, hosted_plan()))
    assert state.phase is Phase.MENU
    assert heard(commands, language) == [prompt, "destination"]


def _spoken_in(language: str, event: events.Event) -> events.Event:
    return replace(event, language=language) if isinstance(event, events.LoggedIn) else event


@pytest.mark.parametrize("language", catalogue.LANGUAGES)
def test_a_whose_money_pays_no_second_of_both_hears_that(language: str) -> None:
    """A has answered at 4: a second of both costs 20,000 micros, and one of A alone half of that."""
    poor = plan(menu=Setup((language,)), funds_micros=19_000)
    state, commands = play(A_ANSWERS, poor)
    assert state.phase is Phase.FAREWELL
    assert heard(commands, language) == ["no-funds", "goodbye"]
    state, commands = play([*A_ANSWERS, (5, Deadline())], poor)
    (settle,) = of_kind(commands, Settle)
    assert isinstance(settle, Settle)
    assert (settle.ending, [(usage.leg, usage.used_us) for usage in settle.usages]) == (
        Ending.TIME_IS_OUT,
        [("A", 1_000_000)],
    )
