"""Callbacks in virtual time, at each of the steps of the domain (section 1), and what can happen to them there.

A scene is how a callback goes when nothing happens: which phones there are, which keys A presses when. A step is a moment of a scene.
An event is a thing that happens; it says whether it can happen at all at that moment.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rtpbridge import EventKind
from tests.billing import rows as house_rows
from tests.billing.rows import NUMBER_A, NUMBER_B
from tests.engine.ears import HearingWorld
from tests.engine.world import Phone, World
from webcb import models
from webcb.billing import ledger, reception
from webcb.engine.causes import LegName

A, B = NUMBER_A.digits, NUMBER_B.digits
PIN = "4711"
NUMBER_KEYS = f"{B}#"
SLICE_SECONDS = 10
SILENCE_SECONDS = 10  # after which the bridge says that nothing comes
GOES_ON_SECONDS = 130  # longer than any time there is for setting up a call
TALKS: list[tuple[float, int]] = [(0.0, 100), (1.0, 180), (4.0, 200)]
EARLY: list[tuple[float, int]] = [(0.0, 100), (1.0, 183), (4.0, 200)]
BUSY: list[tuple[float, int]] = [(1.0, 486)]


@dataclass(frozen=True)
class Scene:
    """How a callback of a kind goes. `presses`: (moment, keys); `b_hangs_up` at that moment; `away`: the database is, from then on."""

    kind: str
    b: list[tuple[float, int]] = field(default_factory=lambda: TALKS)
    confirms: bool = False
    presses: tuple[tuple[float, str], ...] = ()
    b_hangs_up: float | None = None
    a_hangs_up: float | None = None
    away: float | None = None
    a: list[tuple[float, int]] = field(default_factory=lambda: TALKS)


@dataclass(frozen=True)
class Moment:
    """When something happens in a scene."""

    scene: Scene
    seconds: float


def _called(kind: str) -> dict[str, Moment]:
    plain, confirming = Scene(kind), Scene(kind, confirms=True, presses=((6.0, "1"),))
    return {
        "requested": Moment(Scene(kind, away=0.0), 0.5),
        "A is called": Moment(plain, 0.5),
        "A rings": Moment(plain, 2.0),
        "A is asked for a key": Moment(confirming, 4.5),
        "B is called": Moment(plain, 4.5),
        "B rings": Moment(plain, 6.0),
        "B's network speaks": Moment(Scene(kind, b=EARLY), 6.0),
        "they talk": Moment(plain, 10.0),
        "A hears why B failed": Moment(Scene(kind, b=BUSY), 5.5),
        "it is settled": Moment(Scene(kind, a_hangs_up=10.0, away=9.9), 10.5),
    }


_CHOOSES = ((7.0, f"{PIN}#"), (9.0, "1"), (10.0, NUMBER_KEYS), (12.0, "0"))


def _hosted() -> dict[str, Moment]:
    whole = Scene("hosted", presses=_CHOOSES)
    return {
        "requested": Moment(Scene("hosted", presses=_CHOOSES, away=0.0), 0.5),
        "A is called": Moment(whole, 0.5),
        "A rings": Moment(whole, 2.0),
        "A is asked for a key": Moment(
            Scene("hosted", confirms=True, presses=((5.5, "1"), *((at + 2, keys) for at, keys in _CHOOSES))), 4.5
        ),
        "A is asked for the PIN": Moment(whole, 5.0),
        "A is logged in": Moment(Scene("hosted", presses=_CHOOSES, away=6.9), 7.5),
        "A hears the menu": Moment(whole, 8.0),
        "A is asked for a destination": Moment(whole, 9.5),
        "the destination is authorized": Moment(Scene("hosted", presses=_CHOOSES, away=9.9), 10.5),
        "A hears how long": Moment(whole, 11.0),
        "B is called": Moment(whole, 12.5),
        "B rings": Moment(whole, 14.0),
        "B's network speaks": Moment(Scene("hosted", b=EARLY, presses=_CHOOSES), 14.0),
        "they talk": Moment(whole, 18.0),
        "A is asked for another destination": Moment(Scene("hosted", presses=_CHOOSES, b_hangs_up=18.0), 19.0),
        "A hears goodbye": Moment(Scene("hosted", presses=((7.0, "1#"), (8.0, "2#"), (9.0, "3#"))), 9.5),
        "it is settled": Moment(Scene("hosted", presses=_CHOOSES, a_hangs_up=18.0, away=17.9), 18.5),
    }


STEPS: dict[str, dict[str, Moment]] = {
    "simple": _called("simple"),
    "extended": _called("extended"),
    "hosted": _hosted(),
}


# The stage ------------------------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """A world in which a scene goes on."""

    world: Any
    callback_id: str
    a: Phone
    b: Phone

    @property
    def payer(self) -> models.Account:
        """The account on which the callback is now."""
        return self.world.row(self.callback_id).account

    def phone(self, leg: LegName) -> Phone:
        return self.a if leg == "A" else self.b

    def hang_up(self, leg: LegName) -> bool:
        """Put the receiver down, or refuse to lift it; False where the phone neither rings nor talks."""
        phone = self.phone(leg)
        if phone.up:
            self.world.request(phone, "BYE")
            return True
        if phone.invites and not phone.is_over:
            self.world.decline(phone, 603)
            return True
        return False

    def press(self, keys: str) -> None:
        for key in keys:
            if self.a.up and not self.a.is_mute:
                self.world.press(self.a, key)

    def set_away(self, away: bool) -> None:
        self.world.journal.is_away = away
        if not away:
            self.world.journal.go_on()
            self.world.lookout.look()
            self.world.pass_seconds(0)


def prepare(world: World, kind: str) -> None:
    """The trigger and who pays: slices of SLICE_SECONDS, and for hosted callbacks an account with a PIN and the internal one."""
    models.UsageCharge.update(slice_seconds=SLICE_SECONDS).execute()
    if kind != "hosted":
        return
    house = world.house
    desk = models.Customer.create(name="Desk", wallet=house_rows.wallet("0", credit_limit="3"))
    house_rows.account(house.customer, house.product, PIN, balance="5.00")
    internal = house_rows.account(desk, house.product, "internal", wallet=desk.wallet, type="credit")
    models.VoiceApplication.update(internal_account=internal).execute()


def play(world: HearingWorld, moment: Moment) -> Stage:
    """A scene up to a moment of it. What is still to come of it will come by itself."""
    scene = moment.scene
    prepare(world, scene.kind)
    models.VoiceApplication.update(
        kinds=scene.kind, second_number=B, confirm_by_key=scene.confirms, languages="en"
    ).execute()
    a = world.phone(A, "A", script=scene.a)
    b = world.phone(B, "B", script=scene.b, early_media=scene.b is EARLY)
    asked = {
        "simple": {"kind": "simple", "number_b": None},
        "extended": {},
        "hosted": {"kind": "hosted", "login": "", "number_b": None},
    }
    time = world.time
    if scene.away == 0.0:
        world.journal.is_away = True
    stage = Stage(world, world.place(**asked[scene.kind]), a, b)
    for at, keys in scene.presses:
        time.call_at(world.begun_at + at, stage.press, keys)
    for at, leg in ((scene.a_hangs_up, "A"), (scene.b_hangs_up, "B")):
        if at is not None:
            time.call_at(world.begun_at + at, stage.hang_up, leg)
    if scene.away:
        time.call_at(world.begun_at + scene.away, stage.set_away, True)
    world.pass_seconds(moment.seconds)
    return stage


# What can happen --------------------------------------------------------------------------------------------------------


def _asks_for_release(by: str) -> Callable[[Stage], bool]:
    def ask(stage: Stage) -> bool:
        reception.ask_release(stage.callback_id, by, stage.world.utc_now())  # type: ignore[arg-type]
        stage.world.lookout.look()
        return True

    return ask


def _money_is_out(stage: Stage) -> bool:
    """All that is not set aside is taken from whoever pays: the deadline comes, and no slice after it."""
    account = stage.payer
    wallet = account.wallet
    left = wallet.balance_micros + wallet.credit_limit_micros - wallet.locked_micros
    at = stage.world.utc_now()
    if left > 0:
        ledger.post(wallet.id, account.id, "manual charge", -left, f"taken:{at.isoformat()}:{left}", "test", "", at)
    return True


def _account_is_blocked(stage: Stage) -> bool:
    models.Account.update(blocked=True).where(models.Account.id == stage.payer.id).execute()
    return True


def _falls_silent(leg: LegName) -> Callable[[Stage], bool]:
    """Nothing of its voice comes any more; its phone is there and knows the call."""

    def fall_silent(stage: Stage) -> bool:
        running = stage.world.exchange._running.get(stage.callback_id)
        if running is None or running.callback.leg(leg).answered_us is None or leg not in running.voices:
            return False
        stage.world.time.call_at(stage.world.time.now + SILENCE_SECONDS, _tell_silence, stage, leg)
        return True

    return fall_silent


def _tell_silence(stage: Stage, leg: LegName) -> None:
    running = stage.world.exchange._running.get(stage.callback_id)
    if running is not None and leg in running.voices:
        stage.world.media.tell(running.voices[leg], EventKind.SILENT)


def _is_lost(leg: LegName) -> Callable[[Stage], bool]:
    """The phone is gone without a word: its switch knows the call no longer, or lets it ring for ever."""

    def lose(stage: Stage) -> bool:
        phone = stage.phone(leg)
        if not phone.invites or (phone.is_over and not phone.up):
            return False
        phone.is_mute, phone.knows_calls, phone.up = True, False, False
        _falls_silent(leg)(stage)
        return True

    return lose


def _database_stalls(stage: Stage) -> bool:
    stage.set_away(True)
    stage.world.pass_seconds(5)
    return True


EVENTS: dict[str, Callable[[Stage], bool]] = {
    "A hangs up": lambda stage: stage.hang_up("A"),
    "B hangs up": lambda stage: stage.hang_up("B"),
    "cancel on the page": _asks_for_release("user"),
    "the money is out": _money_is_out,
    "operator disconnects": _asks_for_release("operator"),
    "account blocked": _account_is_blocked,
    "A's media dead": _falls_silent("A"),
    "B's media dead": _falls_silent("B"),
    "A's connection lost": _is_lost("A"),
    "B's connection lost": _is_lost("B"),
    "database stalled 5 s": _database_stalls,
}


# What comes of it -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What came of an event: how the callback ended, what we said on the wire, what was heard, what it cost whom."""

    ending: str
    wire: str
    heard: str
    bill: str


CANNOT_BE = Outcome("cannot be", "", "", "")


def happen(stage: Stage, event: str) -> Outcome:
    """Let it happen, and the callback go on; one that goes on for so long is hung up by A in the end."""
    world = stage.world
    said, heard = len(world.ladder), len(world.heard)
    if not EVENTS[event](stage):
        return CANNOT_BE
    if world.journal.is_away:
        stage.set_away(False)
    world.pass_seconds(GOES_ON_SECONDS)
    row = world.row(stage.callback_id)
    ending = row.ending if row.state == "ended" else "goes on"
    outcome = _from_us(world.ladder[said:]), "; ".join(line.partition(" ")[2] for line in world.heard[heard:])
    if row.state != "ended":
        assert row.state == "talking", row.state
        world.request(stage.a, "BYE")
    world.pass_seconds(40)
    return Outcome(ending, *outcome, _bill(stage))


def _from_us(ladder: list[str]) -> str:
    """Requests, but for those that only acknowledge."""
    lines = [line.split() for line in ladder]
    return " ".join(
        f"{phone}:{what}" for _, phone, arrow, what, *_ in lines if arrow == "->" and what.isalpha() and what != "ACK"
    )


def _bill(stage: Stage) -> str:
    bills = sorted(stage.world.xdrs(stage.callback_id).values(), key=lambda xdr: xdr.leg)
    for xdr in bills:
        assert xdr.charged_micros == xdr.used_quantity * 10_000
    legs = " ".join(f"{xdr.leg}={xdr.used_quantity}" for xdr in bills)
    logins = {xdr.account.login for xdr in bills}
    assert len(logins) <= 1
    return f"{legs} {'' if not logins or stage.world.house.account.login in logins else logins.pop()}".strip()
