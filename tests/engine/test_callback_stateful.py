"""Whatever comes in whatever order: no leg is left up, nothing is settled or joined twice, nothing is overdrawn."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.engine.plans import SECOND, per_second, plan, route
from webcb.billing import rating
from webcb.billing.slices import Need, fitting
from webcb.engine import callback, events
from webcb.engine.callback import Phase
from webcb.engine.causes import Ending
from webcb.engine.commands import (
    ClearTimer,
    Command,
    HangUp,
    Join,
    Place,
    PlayRingback,
    Renew,
    SetTimer,
    Settle,
    Split,
    Timer,
)

LEGS = st.sampled_from(["A", "B"])
STATUSES = st.sampled_from([0, 302, 403, 404, 408, 480, 486, 487, 488, 500, 503, 600, 603])


class Scene(RuleBasedStateMachine):
    """A world that says anything at any time, and keeps its own account of what the machine did."""

    @initialize(
        funds=st.integers(0, 3_000_000),
        price_a=st.integers(0, 3_000_000),
        price_b=st.integers(0, 3_000_000),
        fails=st.none() | st.integers(0, 3_000_000),
        talk_seconds_max=st.integers(1, 100),
        routes=st.integers(0, 3),
        slice_seconds=st.none() | st.integers(10, 30),
        available=st.integers(0, 3_000_000),
        both_answer=st.booleans(),
    )
    def begin(
        self,
        funds: int,
        price_a: int,
        price_b: int,
        fails: int | None,
        talk_seconds_max: int,
        routes: int,
        slice_seconds: int | None,
        available: int,
        both_answer: bool,
    ) -> None:
        self.plan = plan(
            funds_micros=funds,
            pricing_a=per_second(price_a),
            pricing_b=per_second(price_b),
            pricing_a_if_b_fails=None if fails is None else per_second(fails),
            talk_seconds_max=talk_seconds_max,
            routes_a=tuple(route(number + 1) for number in range(max(1, routes))),
            routes_b=tuple(route(number + 1) for number in range(routes)),
            slice_seconds=slice_seconds,
        )
        self.held, self.available = funds, available  # in the ledger: set aside for it, and left for all
        self.asked: Need | None = None
        self.now_us = 0
        self.up: set[str] = set()
        self.joined = False
        self.settled: list[Settle] = []
        self.timers: dict[Timer, int] = {}
        self.state, commands = callback.begin(self.plan, 0)
        self.obey(commands)
        for leg in ("A", "B") if both_answer else ():
            self.placed(leg)
            self.answers(leg)

    def obey(self, commands: list[Command]) -> None:
        for command in commands:
            assert not self.settled, "nothing is commanded after the settlement"
            match command:
                case Place():
                    assert command.leg not in self.up
                    self.up.add(command.leg)
                case HangUp():
                    self.up.discard(command.leg)
                case Join():
                    assert not self.joined
                    self.joined = True
                case Split():
                    assert self.joined
                    self.joined = False
                case PlayRingback():
                    assert not self.joined
                case SetTimer():
                    self.timers[command.timer] = command.at_us
                case ClearTimer():
                    self.timers.pop(command.timer, None)
                case Renew():
                    assert self.asked is None, "one renewal at a time"
                    self.asked = command.need
                case Settle():
                    self.settled.append(command)

    def happens(self, event: events.Event) -> None:
        if isinstance(event, events.Failed | events.HungUp | events.Skipped):
            if event.leg not in self.up:
                return  # what is not up can say nothing: the exchange does not listen to it any more
            if isinstance(event, events.HungUp) == (self.state.leg(event.leg).answered_us is None):
                return  # only an answered leg hangs up, only an unanswered one fails
            if isinstance(event, events.Skipped) and self.state.leg(event.leg).on_wire:
                return
            self.up.discard(event.leg)
        self.state, commands = callback.step(self.state, event, self.now_us)
        self.obey(commands)

    @rule(seconds=st.floats(0, 40), answers=st.booleans())
    def time_passes(self, seconds: float, answers: bool = True) -> None:
        """`answers`: the ledger answers what is asked of it at once."""
        until_us = self.now_us + round(seconds * SECOND)
        while due := [timer for timer, at_us in self.timers.items() if at_us <= until_us]:
            timer = min(due, key=lambda each: self.timers[each])
            self.now_us = max(self.now_us, self.timers.pop(timer))
            self.happens(TIMERS[timer])
            if answers:
                self.is_funded()
        self.now_us = until_us

    @rule(leg=LEGS)
    def placed(self, leg: str) -> None:
        if leg in self.up:
            self.happens(events.Placed(leg))  # type: ignore[arg-type]

    @rule(leg=LEGS)
    def skipped(self, leg: str) -> None:
        self.happens(events.Skipped(leg, 34))  # type: ignore[arg-type]

    @rule(leg=LEGS, early=st.booleans())
    def rings(self, leg: str, early: bool) -> None:
        self.happens(events.Ringing(leg, early_media=early))  # type: ignore[arg-type]

    @rule(leg=LEGS)
    def answers(self, leg: str) -> None:
        if leg in self.up:
            self.happens(events.Answered(leg, ("PCMU",), "{}", 20000))  # type: ignore[arg-type]

    @rule(leg=LEGS, status=STATUSES, final=st.booleans())
    def fails(self, leg: str, status: int, final: bool) -> None:
        self.happens(events.Failed(leg, status, 41, "", final))  # type: ignore[arg-type]

    @rule(leg=LEGS)
    def hangs_up(self, leg: str) -> None:
        self.happens(events.HungUp(leg, 16))  # type: ignore[arg-type]

    @rule(leg=LEGS, heard=st.booleans())
    def voice(self, leg: str, heard: bool) -> None:
        self.happens(events.Heard(leg) if heard else events.Silent(leg))  # type: ignore[arg-type]

    @rule()
    def is_funded(self) -> None:
        """The ledger answers, committed: with all that is needed, or what is left of it."""
        if self.asked is not None:
            need, self.asked = self.asked, None
            total = max(self.held, fitting(need, self.held + self.available))
            self.available -= total - self.held
            self.held = total
            if not self.settled:
                self.happens(events.Funded(total))

    @rule(micros=st.integers(-1_000_000, 2_000_000))
    def others_use_the_balance(self, micros: int) -> None:
        self.available = max(0, self.available + micros)

    @rule()
    def funds_are_free(self) -> None:
        if self.available and not self.settled:
            self.happens(events.FundsFree())

    @rule(ending=st.sampled_from([Ending.USER_RELEASED, Ending.ENGINE_STOPPED]))
    def released(self, ending: Ending) -> None:
        self.happens(events.Release(ending))

    @invariant()
    def ended_means_all_ended(self) -> None:
        if self.settled:
            assert not self.up
            assert len(self.settled) == 1
            assert self.state.phase in (Phase.SETTLING, Phase.ENDED)
        else:
            assert self.state.phase not in (Phase.SETTLING, Phase.ENDED)
            # Whatever is awaited, a timer stands behind it, or the exchange owes an answer to Place.
            waits_for_placing = any(
                leg in self.up and not self.state.leg(leg).on_wire and self.state.leg(leg).answered_us is None
                for leg in ("A", "B")
            )
            assert waits_for_placing or self.timers

    @invariant()
    def never_overdrawn(self) -> None:
        for settle in self.settled:
            total = 0
            for usage in settle.usages:
                pricing = self.plan.pricing_a if usage.leg == "A" else self.plan.pricing_b
                if not settle.b_answered and usage.leg == "A":
                    pricing = self.plan.pricing_a_if_b_fails or pricing
                if usage.answered_us is not None:
                    total += rating.amount(pricing, -(-usage.used_us // SECOND))
            assert total <= self.held

    def teardown(self) -> None:
        if hasattr(self, "state"):
            for _ in range(100):
                self.time_passes(100.0)
                for leg in list(self.up):  # the exchange always answers Place
                    if not self.state.leg(leg).on_wire and self.state.leg(leg).answered_us is None:
                        self.placed(leg)
                if self.settled:
                    break
            assert self.settled, "left alone, a callback comes to its end by its timers"
            self.ended_means_all_ended()
            self.never_overdrawn()


TIMERS = {
    Timer.NO_ANSWER_A: events.NoAnswer("A"),
    Timer.NO_ANSWER_B: events.NoAnswer("B"),
    Timer.VOICE_LOST_A: events.VoiceLost("A"),
    Timer.VOICE_LOST_B: events.VoiceLost("B"),
    Timer.DEADLINE: events.Deadline(),
    Timer.RENEW: events.RenewDue(),
}

TestScene = Scene.TestCase
TestScene.settings = settings(max_examples=150, stateful_step_count=40)
