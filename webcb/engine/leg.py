"""One leg: its routes tried in order, ringing, answered, ended; a table of (state, event) and the steps under it. Pure.

It knows nothing of the other leg and of money; what its turns mean for the callback stands in callback.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final

from webcb.engine import causes, events
from webcb.engine.causes import Q850, Ending, LegName
from webcb.engine.codecs import shared_codecs
from webcb.engine.commands import (
    ClearTimer,
    Command,
    EndAttempt,
    HangUp,
    Inquire,
    Place,
    Reoffer,
    SetTimer,
    Timer,
    Usage,
    WriteAttempt,
    WriteDialog,
    WriteInvite,
    WriteLeg,
    WriteQueue,
)
from webcb.engine.events import LegPlan
from webcb.engine.replacing import replace

ROUTES_MAX: Final = 8  # more vendors in a row than this only keep the caller waiting
REDIRECTIONS_MAX: Final = 3  # of one route, so that two switches do not send us to and fro
SETUP_SECONDS_MAX: Final = 20  # without ringing, progress or answer the vendor is taken for dead and the next one tried
ADDRESS_SECONDS_MAX: Final = 4  # without a word (four INVITEs over UDP), where the route has another address for it
SILENT_SECONDS_MAX: Final = 50  # on top of the bridge's silence time (media.SILENCE_MS): a minute in all

SECOND_US: Final = 1_000_000


class LegState(StrEnum):
    """As on the leg's row."""

    WAITING = "waiting"
    CALLING = "calling"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"


class Turn(Enum):
    """What became of a leg in one step, as far as the callback is concerned."""

    RINGING = "ringing"
    EARLY_MEDIA = "early media"
    QUIET = "quiet again"  # what rang or spoke is gone: the next route is tried
    ANSWERED = "answered"
    ENDED = "ended"
    VOICE_LOST = "voice lost"
    RECODED = "another codec"  # by its own wish
    DECIDED = "our offer is answered"


@dataclass(frozen=True, slots=True)
class Leg:
    """The state of one leg. `attempts` counts the INVITEs sent; `*_us` are monotonic; the last attempt's times are kept.

    `offered` are the codecs of our re-INVITE that waits for its answer, `declined` those that it did not want.
    `redirected` are the URIs to which the route in hand has sent us on; `more`: it has another address than the one that has the
    INVITE, and `reached`: that one has said something. `proven_us` is the last proof of life of a leg about which there is doubt.
    """

    name: LegName
    plan: LegPlan
    state: LegState = LegState.WAITING
    codecs: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()
    declined: frozenset[str] = frozenset()
    route: int = 0
    attempts: int = 0
    on_wire: bool = False
    placed_us: int = 0
    progress_us: int | None = None
    rang: bool = False
    answered_us: int | None = None
    ended_us: int | None = None
    ending: Ending | None = None
    status: int = 0
    q850: int = Q850.NO_ROUTE
    connection_id: int | None = None
    redirected: tuple[str, ...] = ()
    more: bool = False
    reached: bool = False
    held: bool = False
    silent: bool = False
    proven_us: int | None = None

    @property
    def setup_ms(self) -> int | None:
        """Post-dial delay of the last attempt: INVITE to ringing, early media or answer."""
        return None if self.progress_us is None else (self.progress_us - self.placed_us) // 1000

    @property
    def no_answer(self) -> Timer:
        return Timer.NO_ANSWER_A if self.name == "A" else Timer.NO_ANSWER_B

    @property
    def voice_lost(self) -> Timer:
        return Timer.VOICE_LOST_A if self.name == "A" else Timer.VOICE_LOST_B


Step = tuple[Leg, list[Command], Turn | None]


def call(leg: Leg, codecs: tuple[str, ...], now_us: int) -> Step:
    """Begin to call: the first route. A leg without any ends at once."""
    return _try_route(replace(leg, state=LegState.CALLING, codecs=codecs), 0, now_us)


def release(leg: Leg, q850: int, now_us: int) -> tuple[Leg, list[Command]]:
    """End the leg from our side, at whatever moment; a leg that has ended, or was never called, stays silent."""
    if leg.state is LegState.ENDED:
        return leg, []
    ended = replace(leg, state=LegState.ENDED, ended_us=now_us, q850=q850)
    if leg.state is LegState.WAITING:
        return ended, []
    return ended, [HangUp(leg.name, q850), *_end_attempt(leg, None, "released", now_us)]


def usage(leg: Leg, deadline_us: int | None) -> Usage | None:
    """What an ended leg is charged for, capped at the deadline; None where no INVITE was ever sent."""
    if not leg.attempts or leg.ended_us is None:
        return None
    ended_us = leg.ended_us if deadline_us is None else min(leg.ended_us, deadline_us)
    used_us = 0 if leg.answered_us is None else max(0, ended_us - leg.answered_us)
    return Usage(leg.name, leg.answered_us, ended_us, used_us, leg.setup_ms, leg.q850, leg.connection_id)


def step(leg: Leg, event: events.LegEvent, now_us: int) -> Step:
    """One event. What has no entry in the table came too late or too early, and changes nothing."""
    action = TABLE.get((leg.state, type(event)))
    return (leg, [], None) if action is None else action(leg, event, now_us)


# Routes --------------------------------------------------------------------------------------------------------------


def _try_route(leg: Leg, route: int, now_us: int) -> Step:
    if route < min(len(leg.plan.routes), ROUTES_MAX):
        leg = replace(leg, route=route, state=LegState.CALLING, on_wire=False, redirected=())
        return leg, [Place(leg.name, route, leg.codecs)], None
    leg = replace(leg, state=LegState.ENDED, on_wire=False, ended_us=now_us)
    return replace(leg, ending=causes.leg_ending(leg.name, leg.status, leg.rang)), [], Turn.ENDED


def _queued(leg: Leg, event: events.Queued, _: int) -> Step:
    return leg, [WriteQueue(leg.name, event.position)], None


def _inviting(leg: Leg, event: events.Inviting, _: int) -> Step:
    return leg, [WriteInvite(leg.name, event.invite)], None


def _placed(leg: Leg, event: events.Placed, now_us: int) -> Step:
    connection_id = leg.plan.routes[leg.route].connection_id
    leg = replace(
        leg,
        attempts=leg.attempts + 1,
        on_wire=True,
        placed_us=now_us,
        progress_us=None,
        connection_id=connection_id,
        more=event.more,
        reached=False,
    )
    seconds_max = ADDRESS_SECONDS_MAX if event.more else SETUP_SECONDS_MAX
    commands: list[Command] = [
        SetTimer(leg.no_answer, now_us + seconds_max * SECOND_US),
        WriteLeg(leg.name, LegState.CALLING, now_us, connection_id),
        WriteAttempt(leg.name, leg.attempts, connection_id, event.address, now_us),
    ]
    return leg, commands, None


def _trying(leg: Leg, _: events.Trying, __: int) -> Step:
    """Somebody is there: now it may take its time to find whom we call."""
    if leg.reached or not leg.on_wire:
        return leg, [], None
    return replace(leg, reached=True), [SetTimer(leg.no_answer, leg.placed_us + SETUP_SECONDS_MAX * SECOND_US)], None


def _skipped(leg: Leg, event: events.Skipped, now_us: int) -> Step:
    if not leg.attempts:
        leg = replace(leg, q850=event.q850)
    return _try_route(leg, leg.route + 1, now_us)


def _failed(leg: Leg, event: events.Failed, now_us: int) -> Step:
    commands = _end_attempt(leg, event.status, event.text, now_us)
    was_heard = leg.state is LegState.RINGING
    leg = replace(leg, status=event.status, q850=event.q850)
    if event.unreachable and leg.more:
        target = leg.redirected[-1] if leg.redirected else ""
        leg = replace(leg, state=LegState.CALLING, on_wire=False)
        again = Place(leg.name, leg.route, leg.codecs, target, again=True)
        return leg, [*commands, again], Turn.QUIET if was_heard else None
    target = next((each for each in event.targets if each not in leg.redirected), "")
    if target and len(leg.redirected) < REDIRECTIONS_MAX:
        leg = replace(leg, state=LegState.CALLING, on_wire=False, redirected=(*leg.redirected, target))
        placing: list[Command] = [Place(leg.name, leg.route, leg.codecs, target)]
        return leg, commands + placing, Turn.QUIET if was_heard else None
    if event.final or not causes.may_fail_over(event.status):
        ending = causes.leg_ending(leg.name, event.status, leg.rang)
        return replace(leg, state=LegState.ENDED, on_wire=False, ended_us=now_us, ending=ending), commands, Turn.ENDED
    leg, placing, turn = _try_route(leg, leg.route + 1, now_us)
    return leg, commands + placing, turn or (Turn.QUIET if was_heard else None)


def _end_attempt(leg: Leg, status: int | None, reason: str, now_us: int) -> list[Command]:
    if not leg.on_wire:
        return []
    return [
        ClearTimer(leg.no_answer),
        EndAttempt(leg.name, leg.attempts, now_us, status, reason, leg.setup_ms),
    ]


# Ringing and answer --------------------------------------------------------------------------------------------------


def _ringing(leg: Leg, event: events.Ringing, now_us: int) -> Step:
    turn = Turn.EARLY_MEDIA if event.early_media else Turn.RINGING
    if leg.state is LegState.RINGING:
        return leg, [], turn
    leg = replace(leg, state=LegState.RINGING, rang=True, progress_us=now_us)
    commands: list[Command] = [
        SetTimer(leg.no_answer, now_us + leg.plan.ring_seconds * SECOND_US),
        WriteLeg(leg.name, LegState.RINGING, now_us),
    ]
    return leg, commands, turn


def _answered(leg: Leg, event: events.Answered, now_us: int) -> Step:
    progress_us = now_us if leg.progress_us is None else leg.progress_us
    leg = replace(leg, progress_us=progress_us)
    commands = _end_attempt(leg, 200, "OK", now_us)
    leg = replace(leg, state=LegState.ANSWERED, on_wire=False, answered_us=now_us, codecs=event.codecs)
    written = WriteLeg(
        leg.name,
        LegState.ANSWERED,
        now_us,
        leg.connection_id,
        dialog=event.dialog,
        rtp_port=event.rtp_port,
        voice=event.voice,
    )
    return leg, [*commands, written], Turn.ANSWERED


def _nobody_answers(leg: Leg, _: events.NoAnswer, now_us: int) -> Step:
    """The phone rang its time: the leg is over, whatever other routes there are (domain 8)."""
    leg, commands = release(leg, Q850.NO_ANSWER, now_us)
    return replace(leg, ending=causes.no_answer(leg.name)), commands, Turn.ENDED


def _nothing_comes(leg: Leg, _: events.NoAnswer, now_us: int) -> Step:
    """Neither ringing nor a refusal: as if there had been no response at all, so the next address or route."""
    commands: list[Command] = [HangUp(leg.name, Q850.NO_USER_RESPONDING)]
    failed = events.Failed(leg.name, 408, Q850.NO_USER_RESPONDING, "no progress in time", unreachable=not leg.reached)
    leg, following, turn = _failed(leg, failed, now_us)
    return leg, commands + following, turn


# An answered leg -----------------------------------------------------------------------------------------------------


def _hung_up(leg: Leg, event: events.HungUp, now_us: int) -> Step:
    ending = causes.hung_up(leg.name)
    return replace(leg, state=LegState.ENDED, ended_us=now_us, q850=event.q850, ending=ending), [], Turn.ENDED


def _peer_lost(leg: Leg, event: events.PeerLost, now_us: int) -> Step:
    leg = replace(leg, state=LegState.ENDED, ended_us=now_us, q850=event.q850, ending=Ending.PEER_LOST)
    return leg, [], Turn.ENDED


def _agreed(leg: Leg, event: events.Agreed, now_us: int) -> Step:
    codecs = event.codecs or leg.codecs
    turn = Turn.DECIDED if event.asked else Turn.RECODED if codecs != leg.codecs else None
    if event.asked:  # who takes the second best of what was offered is not asked for the best again
        leg = replace(leg, offered=(), declined=leg.declined.union(leg.offered[:1]).difference(codecs))
    leg = replace(leg, held=event.held, codecs=codecs, proven_us=now_us)
    return leg, [WriteDialog(leg.name, event.dialog, event.voice), watch_voice(leg, now_us)], turn


def _declined(leg: Leg, event: events.Declined, now_us: int) -> Step:
    declined = leg.declined if event.superseded else leg.declined.union(leg.offered)
    leg = replace(leg, offered=(), declined=declined, proven_us=now_us)
    return leg, [WriteDialog(leg.name, event.dialog, event.voice)], Turn.DECIDED


def reoffer(leg: Leg, other: Leg) -> tuple[Leg, list[Command]]:
    """Ask a leg for what the other has agreed to, where that spares recoding and it has not declined it (RFC 3725, 4)."""
    if LegState.ENDED in (leg.state, other.state) or leg.offered or other.offered or not leg.plan.routes:
        return leg, []
    codecs = shared_codecs(leg.codecs, other.codecs, leg.plan.routes[leg.route].codecs)
    if not codecs or codecs[0] in leg.declined:
        return leg, []
    return replace(leg, offered=codecs), [Reoffer(leg.name, codecs)]


def _moved(leg: Leg, event: events.Moved, now_us: int) -> Step:
    return replace(leg, proven_us=now_us), [WriteDialog(leg.name, event.dialog)], None


def _alive(leg: Leg, _: events.Alive, now_us: int) -> Step:
    return replace(leg, proven_us=now_us), [], None


def _heard_early(leg: Leg, _: events.Heard, __: int) -> Step:
    """Its network said that it would play something, and does."""
    return leg, [], Turn.EARLY_MEDIA


def _silent(leg: Leg, event: events.Silent, now_us: int) -> Step:
    """No voice comes: the peer is asked whether it is still there, unless it is on hold and has nothing to say."""
    leg = replace(leg, silent=True, proven_us=max(leg.proven_us or 0, now_us - event.silence_us))
    asking: list[Command] = [] if leg.held else [Inquire(leg.name)]
    return leg, [*asking, watch_voice(leg, now_us)], None


def _heard(leg: Leg, _: events.Heard, now_us: int) -> Step:
    leg = replace(leg, silent=False, proven_us=None)
    return leg, [watch_voice(leg, now_us)], None


def watch_voice(leg: Leg, now_us: int) -> Command:
    """Set or clear the voice-lost timer as the leg now stands; a leg on hold may be silent as long as it likes."""
    if leg.silent and not leg.held:
        return SetTimer(leg.voice_lost, now_us + SILENT_SECONDS_MAX * SECOND_US)
    return ClearTimer(leg.voice_lost)


def _voice_lost(leg: Leg, _: events.VoiceLost, __: int) -> Step:
    return leg, [], Turn.VOICE_LOST if leg.silent and not leg.held else None


Action = Callable[[Leg, Any, int], Step]

TABLE: Final[dict[tuple[LegState, type], Action]] = {
    (LegState.CALLING, events.Queued): _queued,
    (LegState.CALLING, events.Inviting): _inviting,
    (LegState.CALLING, events.Placed): _placed,
    (LegState.CALLING, events.Trying): _trying,
    (LegState.CALLING, events.Skipped): _skipped,
    (LegState.CALLING, events.Ringing): _ringing,
    (LegState.CALLING, events.Answered): _answered,
    (LegState.CALLING, events.Failed): _failed,
    (LegState.CALLING, events.NoAnswer): _nothing_comes,
    (LegState.RINGING, events.Inviting): _inviting,
    (LegState.RINGING, events.Ringing): _ringing,
    (LegState.RINGING, events.Answered): _answered,
    (LegState.RINGING, events.Failed): _failed,
    (LegState.RINGING, events.NoAnswer): _nobody_answers,
    (LegState.RINGING, events.Heard): _heard_early,
    (LegState.ANSWERED, events.HungUp): _hung_up,
    (LegState.ANSWERED, events.PeerLost): _peer_lost,
    (LegState.ANSWERED, events.Agreed): _agreed,
    (LegState.ANSWERED, events.Declined): _declined,
    (LegState.ANSWERED, events.Moved): _moved,
    (LegState.ANSWERED, events.Alive): _alive,
    (LegState.ANSWERED, events.Silent): _silent,
    (LegState.ANSWERED, events.Heard): _heard,
    (LegState.ANSWERED, events.VoiceLost): _voice_lost,
}
