"""The joint machine by tables of events in virtual time: every ending, every release moment, what is charged."""

import pytest

from tests.engine.plans import SECOND, per_second, plan, route
from webcb.billing import rating
from webcb.engine import callback, events
from webcb.engine.callback import Callback, Phase, Plan
from webcb.engine.causes import Q850, Ending
from webcb.engine.commands import (
    Command,
    EndAttempt,
    HangUp,
    Inquire,
    Join,
    Place,
    PlayRingback,
    SetTimer,
    Settle,
    Split,
    Timer,
    WriteCallback,
)
from webcb.engine.events import (
    Agreed,
    Alive,
    Answered,
    Deadline,
    Failed,
    HungUp,
    NoAnswer,
    PeerLost,
    Placed,
    Queued,
    Release,
    Ringing,
    Settled,
    Silent,
    Skipped,
    VoiceLost,
)

CODECS = ("PCMU", "PCMA", "telephone-event")
A_ANSWERS = Answered("A", CODECS, "{}", 20000)
B_ANSWERS = Answered("B", CODECS[:1], "{}", 20002)

# (seconds, event) from the claim on
A_RINGS = [(0, Placed("A")), (1, Ringing("A"))]
A_IS_ON_THE_LINE = [*A_RINGS, (4, A_ANSWERS)]
B_RINGS = [*A_IS_ON_THE_LINE, (4, Placed("B")), (6, Ringing("B"))]
THEY_TALK = [*B_RINGS, (10, B_ANSWERS)]


def play(script: list[tuple[float, events.Event]], of: Plan | None = None) -> tuple[Callback, list[Command]]:
    """Everything the machine wanted, in order, while the script was played to it."""
    state, wanted = callback.begin(of or plan(), 0)
    for seconds, event in script:
        state, commands = callback.step(state, event, round(seconds * SECOND))
        wanted = wanted + commands
    return state, wanted


def settle_of(commands: list[Command]) -> Settle:
    (settle,) = [each for each in commands if isinstance(each, Settle)]
    return settle


def used(settle: Settle) -> dict[str, float]:
    return {usage.leg: usage.used_us / SECOND for usage in settle.usages}


def busy(leg: str) -> Failed:
    return Failed(leg, 486, 17, "Busy here")  # type: ignore[arg-type]


# What happens -> how it ends, seconds used by each placed leg, which legs we hang up
ENDINGS = {
    "A busy": ([*A_RINGS, (2, busy("A"))], Ending.A_BUSY, {"A": 0}, ""),
    "A rings out": ([*A_RINGS, (46, NoAnswer("A"))], Ending.A_NO_ANSWER, {"A": 0}, "A"),
    "A not in service": ([(0, Placed("A")), (1, Failed("A", 404, 1))], Ending.A_UNREACHABLE, {"A": 0}, ""),
    "A declines": ([*A_RINGS, (3, Failed("A", 603, 21))], Ending.A_REFUSED, {"A": 0}, ""),
    "A unavailable after ringing": ([*A_RINGS, (9, Failed("A", 480, 18))], Ending.A_NO_ANSWER, {"A": 0}, ""),
    "A has no route that can be used": ([(0, Skipped("A", Q850.NO_CIRCUIT))], Ending.A_UNREACHABLE, {}, ""),
    "A's carrier is silent": ([(0, Placed("A")), (20, NoAnswer("A"))], Ending.A_UNREACHABLE, {"A": 0}, "A"),
    "A answers without a voice": (
        [*A_RINGS, (4, Failed("A", 488, 88, final=True))],
        Ending.A_REFUSED,
        {"A": 0},
        "",
    ),
    "B busy": ([*A_IS_ON_THE_LINE, (4, Placed("B")), (5, busy("B"))], Ending.B_BUSY, {"A": 1, "B": 0}, "A"),
    "B rings out": ([*B_RINGS, (66, NoAnswer("B"))], Ending.B_NO_ANSWER, {"A": 62, "B": 0}, "AB"),
    "B refuses": ([*B_RINGS, (7, Failed("B", 603, 21))], Ending.B_REFUSED, {"A": 3, "B": 0}, "A"),
    "B has no route": ([*A_IS_ON_THE_LINE, (4, Skipped("B", 34))], Ending.B_UNREACHABLE, {"A": 0}, "A"),
    "A hangs up while B rings": ([*B_RINGS, (8, HungUp("A", 16))], Ending.A_HUNG_UP, {"A": 4, "B": 0}, "B"),
    "A hangs up": ([*THEY_TALK, (30, HungUp("A", 16))], Ending.A_HUNG_UP, {"A": 26, "B": 20}, "B"),
    "B hangs up": ([*THEY_TALK, (30.2, HungUp("B", 16))], Ending.B_HUNG_UP, {"A": 26.2, "B": 20.2}, "A"),
    "voice lost": (
        [*THEY_TALK, (40, Silent("B")), (90, VoiceLost("B"))],
        Ending.MEDIA_LOST,
        {"A": 36, "B": 30},
        "AB",
    ),
    "released before A's INVITE is sent": ([(0, Release(Ending.USER_RELEASED))], Ending.USER_RELEASED, {}, "A"),
    "released while A rings": (
        [*A_RINGS, (2, Release(Ending.USER_RELEASED))],
        Ending.USER_RELEASED,
        {"A": 0},
        "A",
    ),
    "released as B's INVITE goes out": (
        [*A_IS_ON_THE_LINE, (4, Release(Ending.OPERATOR_RELEASED))],
        Ending.OPERATOR_RELEASED,
        {"A": 0},
        "AB",
    ),
    "released while B rings": (
        [*B_RINGS, (7, Release(Ending.USER_RELEASED))],
        Ending.USER_RELEASED,
        {"A": 3, "B": 0},
        "AB",
    ),
    "released while they talk": (
        [*THEY_TALK, (12, Release(Ending.ENGINE_STOPPED))],
        Ending.ENGINE_STOPPED,
        {"A": 8, "B": 2},
        "AB",
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_ending(name: str) -> None:
    script, ending, seconds, hung_up = ENDINGS[name]
    state, commands = play(script)
    settle = settle_of(commands)
    assert settle.ending == ending
    assert used(settle) == seconds
    assert "".join(sorted(each.leg for each in commands if isinstance(each, HangUp))) == hung_up
    assert settle.b_answered == ("B" in seconds and seconds["B"] > 0)
    assert state.phase is Phase.SETTLING
    assert callback.step(state, Settled(), 99 * SECOND)[0].phase is Phase.ENDED


def test_hang_ups_come_before_anything_else_at_the_deadline() -> None:
    state, _ = play(THEY_TALK)
    _, commands = callback.step(state, Deadline(), state.deadline_us or 0)
    assert [type(each) for each in commands[:2]] == [HangUp, HangUp]


def test_a_late_deadline_charges_no_second_more() -> None:
    # 10 units, 0.01 a second each: A has run 6 s when B answers, so 6 + T + T <= 1000, T = 497.
    state, _ = play(THEY_TALK)
    assert state.deadline_us == (10 + 497) * SECOND
    _, commands = callback.step(state, Deadline(), state.deadline_us + 80_000)
    assert settle_of(commands).ending == Ending.TIME_IS_OUT
    assert used(settle_of(commands)) == {"A": 503, "B": 497}


def test_a_bye_that_comes_after_the_deadline_is_charged_up_to_it() -> None:
    state, _ = play(THEY_TALK)
    _, commands = callback.step(state, HungUp("B", 16), (state.deadline_us or 0) + 900_000)
    assert used(settle_of(commands)) == {"A": 503, "B": 497}


def test_the_longest_talk_is_said_to_be_it() -> None:
    state, commands = play([*THEY_TALK, (40, Deadline())], plan(talk_seconds_max=30))
    assert settle_of(commands).ending == Ending.LONGEST_TALK
    assert state.deadline_us == 40 * SECOND


def test_money_that_runs_out_while_b_rings_ends_the_call() -> None:
    # 0.06 pays six seconds of A alone; A answered at 4 s.
    state, commands = play(B_RINGS, plan(funds_micros=60_000))
    assert SetTimer(Timer.DEADLINE, 10 * SECOND) in commands
    _, commands = callback.step(state, Deadline(), 10 * SECOND + 500)
    assert settle_of(commands).ending == Ending.TIME_IS_OUT
    assert used(settle_of(commands)) == {"A": 6, "B": 0}


def test_b_that_answers_when_no_second_can_be_paid_costs_nothing() -> None:
    # 0.07: A has run 6 s (0.06); one second more of both would be 0.08.
    _, commands = play(THEY_TALK, plan(funds_micros=70_000))
    settle = settle_of(commands)
    assert settle.ending == Ending.TIME_IS_OUT
    assert used(settle) == {"A": 6, "B": 0}
    assert not any(isinstance(each, Join) for each in commands)


def test_b_is_not_called_when_the_first_second_of_both_cannot_be_paid() -> None:
    _, commands = play(A_IS_ON_THE_LINE, plan(funds_micros=19_999))
    assert settle_of(commands).ending == Ending.TIME_IS_OUT
    assert [each.leg for each in commands if isinstance(each, Place)] == ["A"]


def test_alone_a_may_cost_no_more_under_either_pricing() -> None:
    dear = per_second(1_200_000)  # CALLBACK_FAIL at twice the price: 0.10 pays five seconds, not ten
    _, commands = play(A_IS_ON_THE_LINE, plan(funds_micros=100_000, pricing_a_if_b_fails=dear))
    assert SetTimer(Timer.DEADLINE, 9 * SECOND) in commands


def test_never_overdrawn_at_whatever_moment_b_answers() -> None:
    of = plan(funds_micros=333_333, pricing_a=per_second(7_777_777 // 10), pricing_b=per_second(1_234_567))
    for answer_ms in range(4000, 22_000, 37):
        script = [*A_IS_ON_THE_LINE, (4, Placed("B")), (answer_ms / 1000, B_ANSWERS)]
        state, commands = play(script, of)
        if state.phase is Phase.TALKING:
            _, commands = callback.step(state, Deadline(), (state.deadline_us or 0) + 100_000)
        cost = sum(
            rating.amount(getattr(of, f"pricing_{usage.leg.lower()}"), -(-usage.used_us // SECOND))
            for usage in settle_of(commands).usages
            if usage.answered_us is not None
        )
        assert cost <= of.funds_micros


# Routes ----------------------------------------------------------------------------------------------------------------

TWO = (route(1), route(3))


@pytest.mark.parametrize("status", [0, 302, 401, 407, 408, 488, 500, 502, 503, 504, 606])
def test_the_next_route_is_tried_after(status: int) -> None:
    state, commands = play([(0, Placed("A")), (1, Failed("A", status, 41))], plan(routes_a=TWO))
    assert [each.route for each in commands if isinstance(each, Place)] == [0, 1]
    state, commands = callback.step(state, Placed("A"), SECOND)
    state, commands = callback.step(state, Failed("A", 486, 17), 2 * SECOND)
    assert settle_of(commands).ending == Ending.A_BUSY
    (usage,) = settle_of(commands).usages
    assert usage.connection_id == 3


def test_a_redirection_is_followed_and_then_the_next_route_tried() -> None:
    there = ("sip:1@192.0.2.50", "sip:1@192.0.2.51")
    moved = Failed("A", 302, 23, targets=there)
    script = [(0, Placed("A")), (1, moved), (1, Placed("A")), (2, moved), (2, Placed("A")), (3, moved)]
    _, commands = play(script, plan(routes_a=TWO))
    placed = [(each.route, each.target) for each in commands if isinstance(each, Place)]
    assert placed == [(0, ""), (0, there[0]), (0, there[1]), (1, "")]


def test_redirections_have_an_end() -> None:
    script = []
    for turn in range(9):
        script += [(turn, Placed("A")), (turn, Failed("A", 302, 23, targets=(f"sip:1@192.0.2.{turn}",)))]
    _, commands = play(script, plan())
    assert len([each for each in commands if isinstance(each, Place)]) == 1 + 3
    assert settle_of(commands).ending == Ending.A_UNREACHABLE


def test_a_route_is_redirected_anew() -> None:
    moved = Failed("A", 302, 23, targets=("sip:1@192.0.2.50",))
    script = [(0, Placed("A")), (1, moved), (1, Placed("A")), (2, Failed("A", 503, 41)), (2, Placed("A")), (3, moved)]
    _, commands = play(script, plan(routes_a=TWO))
    placed = [(each.route, each.target) for each in commands if isinstance(each, Place)]
    assert placed == [(0, ""), (0, "sip:1@192.0.2.50"), (1, ""), (1, "sip:1@192.0.2.50")]


@pytest.mark.parametrize("status", [403, 404, 410, 480, 484, 486, 487, 600, 603, 604, 607])
def test_no_other_route_is_tried_after(status: int) -> None:
    _, commands = play([(0, Placed("A")), (1, Failed("A", status, 21))], plan(routes_a=TWO))
    assert [each.route for each in commands if isinstance(each, Place)] == [0]
    assert settle_of(commands).usages[0].q850 == 21


def test_a_silent_carrier_is_hung_up_before_the_next_is_tried() -> None:
    _, commands = play([(0, Placed("A")), (20, NoAnswer("A"))], plan(routes_a=TWO))
    order = [each for each in commands if isinstance(each, HangUp | Place | EndAttempt)]
    assert [type(each) for each in order] == [Place, HangUp, EndAttempt, Place]


def test_no_route_is_tried_after_an_answer_that_brought_no_voice() -> None:
    _, commands = play([*A_RINGS, (4, Failed("A", 488, 88, final=True))], plan(routes_a=TWO))
    assert [each.route for each in commands if isinstance(each, Place)] == [0]


def test_skipped_routes_leave_no_attempt_and_the_last_failure_says_why() -> None:
    script = [(0, Skipped("A", 34)), (0, Placed("A")), (1, Failed("A", 503, 41, "no")), (1, Skipped("A", 34))]
    _, commands = play(script, plan(routes_a=(*TWO, route(4))))
    (ended,) = [each for each in commands if isinstance(each, EndAttempt)]
    assert (ended.position, ended.status, ended.reason) == (1, 503, "no")
    (usage,) = settle_of(commands).usages
    assert (usage.connection_id, usage.q850) == (3, 41)


def test_post_dial_delay_is_from_invite_to_ringing() -> None:
    _, commands = play([*THEY_TALK, (30, HungUp("B", 16))])
    assert {usage.leg: usage.setup_ms for usage in settle_of(commands).usages} == {"A": 1000, "B": 2000}


# What A hears ----------------------------------------------------------------------------------------------------------


def heard(commands: list[Command]) -> list[str]:
    return [type(each).__name__ for each in commands if isinstance(each, PlayRingback | Join | Split)]


def test_a_hears_ringback_of_bs_country_then_b() -> None:
    _, commands = play(THEY_TALK)
    assert heard(commands) == ["PlayRingback", "Join"]
    assert PlayRingback("BR") in commands


def test_a_hears_ringback_while_b_waits_for_a_line_and_its_phone_is_looked_for() -> None:
    _, commands = play(A_IS_ON_THE_LINE)
    assert heard(commands) == ["PlayRingback"]
    _, commands = play(
        [*A_IS_ON_THE_LINE, (4, Queued("B", 3)), (9, Placed("B")), (12, Failed("B", 503, 41))], plan(routes_b=TWO)
    )
    assert heard(commands) == ["PlayRingback"]


def test_early_media_takes_the_place_of_ringback_and_is_joined_once() -> None:
    script = [*A_IS_ON_THE_LINE, (4, Placed("B")), (5, Ringing("B", early_media=True)), (9, B_ANSWERS)]
    assert heard(play(script)[1]) == ["PlayRingback", "Join"]


def test_when_the_route_of_early_media_fails_a_hears_ringback_again() -> None:
    script = [
        *A_IS_ON_THE_LINE,
        (4, Placed("B")),
        (5, Ringing("B", early_media=True)),
        (7, Failed("B", 503, 41)),
        (7, Placed("B")),
        (9, B_ANSWERS),
    ]
    assert heard(play(script, plan(routes_b=TWO))[1]) == [
        "PlayRingback",
        "Join",
        "Split",
        "PlayRingback",
        "Join",
    ]


def test_a_is_offered_what_some_route_of_b_carries_and_b_what_a_answered() -> None:
    routes_b = (route(2, codecs=("PCMA",)), route(3, codecs=("PCMA", "PCMU")))
    _, commands = play([*A_RINGS, (4, Answered("A", ("PCMU",), "{}", 20000))], plan(routes_b=routes_b))
    offered = [each.codecs for each in commands if isinstance(each, Place)]
    assert offered == [("PCMA", "PCMU", "telephone-event"), ("PCMU",)]


# Silence ---------------------------------------------------------------------------------------------------------------


def test_a_leg_on_hold_may_be_silent() -> None:
    script = [*THEY_TALK, (20, Agreed("A", held=True, dialog="{}")), (40, Silent("A")), (90, VoiceLost("A"))]
    assert play(script)[0].phase is Phase.TALKING


def test_the_watch_begins_when_a_silent_leg_comes_back_from_hold() -> None:
    state, commands = play([*THEY_TALK, (20, Agreed("A", held=True, dialog="{}")), (40, Silent("A"))])
    assert not any(isinstance(each, SetTimer) and each.timer is Timer.VOICE_LOST_A for each in commands)
    _, commands = callback.step(state, Agreed("A", held=False, dialog="{}"), 100 * SECOND)
    assert SetTimer(Timer.VOICE_LOST_A, 150 * SECOND) in commands


def test_silence_before_b_answers_begins_to_count_when_they_talk() -> None:
    script = [*A_IS_ON_THE_LINE, (4, Placed("B")), (5, Ringing("B")), (14, Silent("A")), (30, B_ANSWERS)]
    assert SetTimer(Timer.VOICE_LOST_A, 80 * SECOND) in play(script)[1]


# Rows ------------------------------------------------------------------------------------------------------------------


def test_states_are_written_in_order() -> None:
    _, commands = play([*THEY_TALK, (30, HungUp("B", 16))])
    states = [each.state for each in commands if isinstance(each, WriteCallback)]
    assert states == ["A answered", "calling B", "talking", "releasing"]


# A dead call ------------------------------------------------------------------------------------------------------------


def test_a_silent_leg_is_asked_while_it_waits_too() -> None:
    """A that is gone must not let B ring, nor pay; one that is there and says nothing waits on."""
    _, commands = play([*THEY_TALK, (40, Silent("B", 10 * SECOND))])
    assert [each for each in commands if isinstance(each, Inquire)] == [Inquire("B")]
    script = [*THEY_TALK[:-1], (7, Silent("A", 10 * SECOND))]
    state, commands = play(script)
    assert [each for each in commands if isinstance(each, Inquire)] == [Inquire("A")]
    assert callback.step(state, Alive("A"), 8 * SECOND)[0].phase is callback.Phase.CALLING_B
    _, commands = play([*script, (8, PeerLost("A", 102))])
    (settle,) = [each for each in commands if isinstance(each, Settle)]
    assert settle.ending is Ending.PEER_LOST
    assert [use.used_us for use in settle.usages] == [0, 0]


def test_a_leg_that_holds_is_not_asked() -> None:
    _, commands = play([*THEY_TALK, (20, Agreed("B", True, "{}")), (40, Silent("B", 10 * SECOND))])
    assert not [each for each in commands if isinstance(each, Inquire)]


def test_a_peer_that_is_gone_is_paid_for_up_to_its_last_sign_of_life() -> None:
    """Its last packet came at 30; it is asked at 40 and knows nothing of the call."""
    _, commands = play([*THEY_TALK, (40, Silent("B", 10 * SECOND)), (41, PeerLost("B", 102))])
    settle = settle_of(commands)
    assert settle.ending == Ending.PEER_LOST
    assert used(settle) == {"A": 26, "B": 20}


def test_an_answer_is_a_sign_of_life() -> None:
    _, commands = play([*THEY_TALK, (40, Silent("B", 10 * SECOND)), (41, Alive("B")), (90, VoiceLost("B"))])
    settle = settle_of(commands)
    assert settle.ending == Ending.MEDIA_LOST
    assert used(settle) == {"A": 37, "B": 31}
