"""The state of one callback, and the plan it goes by: values only. What changes them stands in callback.py. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, NamedTuple

from webcb.billing.formula import Intervals
from webcb.billing.limit import joint_limit
from webcb.billing.pricing import Pricing
from webcb.engine import ivr
from webcb.engine.causes import Ending, LegName
from webcb.engine.events import LegPlan
from webcb.engine.ivr import Ivr, Setup
from webcb.engine.leg import Leg

NOBODY: Final = LegPlan("", "", (), 0, "")  # B, where none was chosen
NOTHING_YET: Final = Pricing(Intervals(1, 1, 0, 0))  # what it costs


class Phase(Enum):
    """Where the callback is. Before CALLING_A it is only a row; SETTLING has hung up everything."""

    CALLING_A = auto()
    MENU = auto()  # A is on the line alone, and hears what it may choose
    CALLING_B = auto()
    TALKING = auto()
    FAREWELL = auto()  # A hears why it ends
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

    `spare_micros` is what more could have been set aside when that was done; None: not known.

    `menu` is what A hears and may choose, None: nothing. Where it has a menu, B is nobody until one was chosen.

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
    menu: Setup | None = None
    spare_micros: int | None = None

    def instant(self, at_us: int) -> datetime:
        """A moment of the monotonic clock as an instant."""
        return self.origin_at + timedelta(microseconds=at_us - self.origin_us)


@dataclass(frozen=True, slots=True)
class Callback:
    """The state of one callback. `deadline_us` is the moment at which `deadline_ending` comes, and the last that is billed.

    `funds_micros` is what is set aside for it; `renewing` while more is asked for, `starved` since no more was to be had.
    `charged_meanwhile_micros` is what a B was charged since more was asked for: the answer has it still.
    `spare_micros` could be set aside besides, when that was looked at last, None: not known; `warned` are the seconds before the end
    at which both were told of it.
    `b_answered`: one of several B has; `logged_in`: A has, by keys or its number.
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
    charged_meanwhile_micros: int = 0
    starved: bool = False
    spare_micros: int | None = None
    warned: frozenset[int] = frozenset()
    menu: Ivr = field(default_factory=lambda: ivr.begin(Setup()))
    b_answered: bool = False
    logged_in: bool = False

    def leg(self, name: LegName) -> Leg:
        """Leg A or B."""
        return self.a if name == "A" else self.b

    @property
    def goes_on(self) -> bool:
        """Whether another process could carry it on: both talk, or A is in a menu where it chooses whom to call."""
        has_menu = self.plan.menu is not None and self.plan.menu.has_menu
        return self.phase is Phase.TALKING or (self.phase is Phase.MENU and has_menu)

    @property
    def place(self) -> str:
        """Where A is in the menu, as JSON; "": it has none to choose from."""
        return ivr.print_place(self.menu) if self.plan.menu is not None and self.plan.menu.has_menu else ""

    @property
    def pricings_of_a(self) -> tuple[Pricing, ...]:
        """Whatever A, which has answered, may be settled by: first the one for when B answers too."""
        plan, at = self.plan, self.plan.instant(self.a.answered_us or 0)
        fails = plan.pricing_a_if_b_fails
        return (plan.pricing_a.answered(at),) if fails is None else (plan.pricing_a.answered(at), fails.answered(at))

    @property
    def talk(self) -> "Talk":
        """What both are charged by since B has answered."""
        answered_us = self.b.answered_us or 0
        pricing_b = self.plan.pricing_b.answered(self.plan.instant(answered_us))
        return Talk(answered_us, self.pricings_of_a[0], pricing_b, answered_us - (self.a.answered_us or 0))


class Talk(NamedTuple):
    """When B answered, what both are charged by since, and how long A had run by then; moments and durations monotonic."""

    answered_us: int
    pricing_a: Pricing
    pricing_b: Pricing
    ran_a_us: int

    def limit_seconds(self, funds_micros: int, seconds_max: int) -> int:
        """The longest talk that the funds pay."""
        return joint_limit(self.pricing_a, self.pricing_b, self.ran_a_us, funds_micros, seconds_max)
