"""One callback in progress: the state of its machine, and what stands behind it in the world. No behaviour."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from webcb.engine import events
from webcb.engine.callback import Callback
from webcb.engine.causes import LegName
from webcb.engine.commands import Place, Timer, Write
from webcb.engine.figures import Figures
from webcb.engine.ivr import Setup
from webcb.engine.keypad import Keypad
from webcb.engine.line import Alarm, Line
from webcb.engine.media import Voice
from webcb.engine.starts import Ticket
from webcb.engine.trace import Trace
from webcb.sip.events import Address, SessionId


@dataclass(slots=True)
class Running:
    """`waiting` are events begotten by its own commands, each with its moment; `writes` what its rows still lack."""

    callback: Callback
    voices: dict[LegName, Voice] = field(default_factory=dict)
    reserved: Voice | None = None  # for B, from before A is called
    sessions: dict[LegName, tuple[Line, SessionId]] = field(default_factory=dict)
    placing: dict[LegName, tuple[Place, Ticket]] = field(default_factory=dict)  # until the INVITE is sent
    # Of the session in hand: where it goes, which addresses are left, whose place it has at the connection, who has said something.
    hops: dict[LegName, Address] = field(default_factory=dict)
    targets: dict[LegName, tuple[Address, ...]] = field(default_factory=dict)
    tickets: dict[LegName, Ticket] = field(default_factory=dict)
    reached: set[LegName] = field(default_factory=set)
    waits_until: dict[LegName, float] = field(default_factory=dict)  # of those that had to wait for a turn
    tried: dict[LegName, int] = field(default_factory=dict)  # the connection of the attempt in hand
    trace: Trace = field(default_factory=Trace)
    open_traces: int = 0  # sessions that may still say something
    alarms: dict[Timer, Alarm] = field(default_factory=dict)
    taken: Callable[[], None] | None = None  # tells the spool that the database has its settlement
    waiting: deque[tuple[events.Event, int]] = field(default_factory=deque)
    writes: list[Write] = field(default_factory=list)
    keypad: Keypad = field(default_factory=Keypad)
    figures: dict[LegName, Figures] = field(default_factory=dict)  # at its end
    heard: dict[LegName, str | None] = field(default_factory=dict)  # scores that were noted by engines before this one
    heard_next_us: int = 0  # when the scores up to now are noted again
    in_doubt: dict[LegName, int | None] = field(
        default_factory=dict
    )  # of legs taken over: `proven_us`, until heard of here
    is_resumed: bool = False  # an engine before this one began it, and it is not joined here yet
    is_stepping: bool = False
    is_faulty: bool = False
    is_settling: bool = False

    @property
    def id(self) -> str:
        """The callback's id."""
        return self.callback.plan.callback_id

    @property
    def menu(self) -> Setup:
        """What its trigger wants of the menu."""
        return self.callback.plan.menu or Setup()

    def ran_us(self, now_us: int) -> int:
        """How long A has been on the line."""
        answered_us = self.callback.a.answered_us
        return 0 if answered_us is None else now_us - answered_us
