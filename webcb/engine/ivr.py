"""The voice menu: what A hears and what its keys do, as a table of (place, event). Pure.

It confirms by key, logs in, asks for a destination, and says why something did not come off. It knows nothing of legs and of money:
what billing says comes as an event; what is to happen with B is a Turn, which callback.py acts on. Prompts are names (speech.py).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from webcb.billing.authorization import Reason
from webcb.engine import events, speech
from webcb.engine.causes import Ending
from webcb.engine.commands import Choose, ClearTimer, Command, Hush, LogIn, NeverCall, Say, SetTimer, Timer
from webcb.engine.replacing import replace

ATTEMPTS_MAX: Final = 3  # of a PIN (domain 7)
SILENCES_MAX: Final = 3  # in a row, each after everything was said once more
DIGITS_SECONDS: Final = 5  # of silence end a PIN or a number (domain 7)
CHOICE_SECONDS: Final = 8  # to press a key once all was said
STARS_SECONDS: Final = 2  # between the two that end a call
PIN_DIGITS_MAX: Final = 32
NUMBER_DIGITS_MAX: Final = 24
PROMPT_SECONDS_MAX: Final = 120  # of all that is said at once; then we go on, whatever the bridge says
SECOND_US: Final = 1_000_000


class Place(Enum):
    """Where the caller is."""

    CONFIRM = auto()  # 1 connects, 9 is never to be called again
    CODE = auto()  # hears a code; 9 as above
    PIN = auto()
    LOGGING_IN = auto()  # billing is asked
    MENU = auto()
    DESTINATION = auto()
    CHOOSING = auto()  # billing is asked
    ANNOUNCING = auto()  # how long they may talk
    CALLING = auto()  # B is called, or they talk
    FAREWELL = auto()  # the last that is said


class Turn(Enum):
    """What the menu came to in one step, as far as the callback is concerned."""

    CONFIRMED = auto()
    DIAL = auto()
    ANOTHER = auto()  # B is to be released, A wants another destination
    ENDED = auto()  # everything was said; `ending` says why


@dataclass(frozen=True, slots=True)
class Setup:
    """What a trigger wants of the menu. `ani` is the account ID that the number of A names, "" none.

    `has_menu`: A chooses whom to call (Hosted); `confirms`: A presses 1 before anything else; `code`: figures that are said, and
    that is all. `languages` in the order of key 3;
    `prompts_folder` has the recordings that replace the voice.
    """

    languages: tuple[str, ...] = ("en",)
    has_menu: bool = False
    confirms: bool = False
    ani: str = ""
    prompts_folder: str = ""
    code: str = ""

    @property
    def is_alone(self) -> bool:
        """Whether A is called before there is a B, if any."""
        return self.has_menu or bool(self.code)


@dataclass(frozen=True, slots=True)
class Ivr:
    """The state of one menu. `silences` in a row; `attempts` of a PIN; `star_us`: when the last star was pressed in a call."""

    setup: Setup
    language: str
    place: Place = Place.CALLING
    digits: str = ""
    attempts: int = 0
    silences: int = 0
    balance_micros: int = 0
    currency: str = ""
    star_us: int | None = None
    ending: Ending = Ending.A_HUNG_UP


Step = tuple[Ivr, list[Command], Turn | None]


def begin(setup: Setup) -> Ivr:
    """A menu in which nothing was said yet."""
    return Ivr(setup, setup.languages[0])


def start(ivr: Ivr, now_us: int) -> Step:
    """A has answered: confirm, log in by the number of A, or ask for the PIN."""
    if ivr.setup.confirms and ivr.place is Place.CALLING:
        return _say(replace(ivr, place=Place.CONFIRM), ("press-1",), now_us)
    if ivr.setup.code:
        return _say_code(ivr, now_us)
    if ivr.setup.ani:
        # Nothing is said until billing has answered: it would be cut off by what comes then.
        return replace(ivr, place=Place.LOGGING_IN), [LogIn(ivr.setup.ani, by_ani=True)], None
    return _ask_pin(ivr, ("welcome",), now_us)


def step(ivr: Ivr, event: events.MenuEvent, now_us: int) -> Step:
    """One event. What has no entry in the table came too late or means nothing here."""
    action = TABLE.get((ivr.place, type(event)))
    return (ivr, [], None) if action is None else action(ivr, event, now_us)


def print_place(ivr: Ivr) -> str:
    """Where the caller is, as JSON: what another process needs to go on with the menu. Keys pressed half-way are not in it."""
    said = {"place": ivr.place.name, "language": ivr.language, "attempts": ivr.attempts, "ending": ivr.ending}
    return json.dumps(said, separators=(",", ":"))


def read_place(setup: Setup, text: str) -> Ivr:
    """What `print_place` wrote. ValueError, KeyError: it is no such thing."""
    said = json.loads(text)
    if said["language"] not in setup.languages:
        raise ValueError(f"the menu does not speak {said['language']!r}")
    return Ivr(
        setup, said["language"], Place[said["place"]], attempts=int(said["attempts"]), ending=Ending(said["ending"])
    )


def has_moved(before: Ivr, after: Ivr) -> bool:
    """Whether a step was made that another process must know of. Where billing is asked it goes on from before."""
    if after.place in (Place.LOGGING_IN, Place.CHOOSING, Place.ANNOUNCING, Place.CALLING):
        return False
    return (before.place, before.language, before.attempts) != (after.place, after.language, after.attempts)


def go_on(ivr: Ivr, logged_in: bool, now_us: int) -> Step:
    """Another process goes on with the menu: it says again what was asked last. `logged_in`: A has an account by now."""
    match ivr.place:
        case Place.CONFIRM:
            return _ask_confirmation(ivr, (), now_us)
        case Place.FAREWELL:
            return _say(ivr, ("goodbye",), now_us)
        case Place.MENU:
            return _open_menu(ivr, (), now_us)
        case Place.PIN | Place.LOGGING_IN if logged_in:
            return _open_menu(ivr, _balance(ivr), now_us)
        case Place.PIN:
            return _ask_pin(ivr, (), now_us)
        case Place.LOGGING_IN:
            return start(ivr, now_us)
    return _ask_destination(ivr, (), now_us)


def calling(ivr: Ivr) -> Ivr:
    """B is being called, by the menu or without it."""
    return replace(ivr, place=Place.CALLING, star_us=None)


def after_call(ivr: Ivr, why: speech.Prompts, now_us: int) -> Step:
    """B has hung up, or could not be reached: say so and ask for another destination (domain 7)."""
    return _ask_destination(ivr, why, now_us)


def farewell(ivr: Ivr, why: speech.Prompts, ending: Ending, now_us: int) -> Step:
    """Say why it ends, then end."""
    ivr, commands, _ = _say(replace(ivr, place=Place.FAREWELL, ending=ending), why, now_us)
    return ivr, commands, None


_NOT_IN_SERVICE: Final = frozenset({404, 410, 484, 604})  # nobody has that number (RFC 3261, 21.4)
_WHY_B_FAILED: Final[dict[Ending, speech.Prompts]] = {
    Ending.B_BUSY: ("busy",),
    Ending.B_NO_ANSWER: ("no-answer",),
    Ending.B_REFUSED: ("refused",),
    Ending.B_UNREACHABLE: ("congestion",),
    Ending.B_HUNG_UP: ("call-ended",),
    Ending.TIME_IS_OUT: ("no-funds",),
}


def why_b_ended(ending: Ending | None, status: int) -> speech.Prompts:
    """What A is told of a B that is not, or no longer, there; `status` is the last of SIP."""
    if ending is Ending.B_UNREACHABLE and status in _NOT_IN_SERVICE:
        return ("not-in-service",)
    return _WHY_B_FAILED.get(ending or Ending.B_HUNG_UP, ("call-ended",))


WHY_NOT_CHOSEN: Final[dict[Reason, str]] = {
    Reason.NO_FUNDS: "no-funds",
    Reason.DAILY_SPEND: "no-funds",
    Reason.NO_ROUTE: "not-in-service",
    Reason.SAME_NUMBER: "wrong-number",
    Reason.BAD_NUMBER: "wrong-number",
    Reason.NO_RATE: "not-permitted",
    Reason.FORBIDDEN: "not-permitted",
    Reason.PREMIUM: "not-permitted",
    Reason.EMERGENCY: "not-permitted",
    Reason.NOT_PERMITTED: "not-permitted",
    Reason.BARRED: "not-permitted",
    Reason.OWN_NUMBER: "not-permitted",
}


# Saying and listening --------------------------------------------------------------------------------------------------


def _say(ivr: Ivr, prompts: speech.Prompts, now_us: int) -> Step:
    """Everything is said in one go; what waits for a key waits from its end on. The guard is for a bridge that says nothing."""
    guard = SetTimer(Timer.KEYS, now_us + PROMPT_SECONDS_MAX * SECOND_US)
    return ivr, [Say(ivr.language, prompts, barge_in=ivr.place not in (Place.FAREWELL, Place.CODE)), guard], None


def _wait_for_key(ivr: Ivr, _: events.Said, now_us: int) -> Step:
    seconds = DIGITS_SECONDS if ivr.place in (Place.PIN, Place.DESTINATION) else CHOICE_SECONDS
    return ivr, [SetTimer(Timer.KEYS, now_us + seconds * SECOND_US)], None


def _silent(again: Callable[[Ivr, speech.Prompts, int], Step], ivr: Ivr, now_us: int, why: speech.Prompts = ()) -> Step:
    """Nothing was pressed, or nothing that helps: once more, but not for ever, as A pays for the line."""
    ivr = replace(ivr, silences=ivr.silences + 1, digits="")
    if ivr.silences >= SILENCES_MAX:
        return farewell(ivr, (*why, "goodbye"), Ending.NO_KEY, now_us)
    return again(ivr, why, now_us)


def _collect(ivr: Ivr, digit: str, now_us: int) -> Step:
    ivr = replace(ivr, digits=ivr.digits + digit, silences=0)
    return ivr, [Hush(), SetTimer(Timer.KEYS, now_us + DIGITS_SECONDS * SECOND_US)], None


# Confirm by key --------------------------------------------------------------------------------------------------------


def _confirm(ivr: Ivr, event: events.Digit, now_us: int) -> Step:
    if event.digit == "1":
        if ivr.setup.is_alone:
            return start(replace(ivr, place=Place.PIN, silences=0), now_us)
        return calling(ivr), [Hush(), ClearTimer(Timer.KEYS)], Turn.CONFIRMED
    if event.digit == "9":
        return _never_again(ivr, now_us)
    return _silent(_ask_confirmation, ivr, now_us, ("wrong-choice",))


def _never_again(ivr: Ivr, now_us: int) -> Step:
    ivr, commands, turn = farewell(ivr, ("never-again", "goodbye"), Ending.NEVER_AGAIN, now_us)
    return ivr, [NeverCall(), *commands], turn


def _ask_confirmation(ivr: Ivr, why: speech.Prompts, now_us: int) -> Step:
    return _say(ivr, (*why, "press-1"), now_us)


def _unconfirmed(ivr: Ivr, _: events.KeysDue, now_us: int) -> Step:
    """Who says nothing is a voicemail or nobody: said twice, then goodbye."""
    return _silent(_ask_confirmation, ivr, now_us)


# A code ------------------------------------------------------------------------------------------------------------------


def _say_code(ivr: Ivr, now_us: int) -> Step:
    """Twice, then what to do for whoever has not asked for it. No key cuts it short."""
    figures = speech.digits(ivr.setup.code)
    said = ("code", *figures, "code-again", *figures, "code-stranger", "goodbye")
    return _say(replace(ivr, place=Place.CODE, ending=Ending.CODE_SAID), said, now_us)


def _in_code(ivr: Ivr, event: events.Digit, now_us: int) -> Step:
    if event.digit != "9":
        return ivr, [], None
    ivr, commands, turn = _never_again(ivr, now_us)
    return ivr, [Hush(), *commands], turn


# The PIN -----------------------------------------------------------------------------------------------------------------


def _ask_pin(ivr: Ivr, why: speech.Prompts, now_us: int) -> Step:
    return _say(replace(ivr, place=Place.PIN, digits=""), (*why, "enter-pin"), now_us)


def _pin_digit(ivr: Ivr, event: events.Digit, now_us: int) -> Step:
    if event.digit == "*":
        return _silent(_ask_pin, ivr, now_us)
    if event.digit == "#":
        return _pin_over(ivr, now_us) if ivr.digits else _silent(_ask_pin, ivr, now_us)
    ivr, commands, turn = _collect(ivr, event.digit, now_us)
    return _pin_over(ivr, now_us) if len(ivr.digits) >= PIN_DIGITS_MAX else (ivr, commands, turn)


def _pin_due(ivr: Ivr, _: events.KeysDue, now_us: int) -> Step:
    return _pin_over(ivr, now_us) if ivr.digits else _silent(_ask_pin, ivr, now_us)


def _pin_over(ivr: Ivr, _: int) -> Step:
    pin = LogIn(ivr.digits)
    return replace(ivr, place=Place.LOGGING_IN, digits="", silences=0), [Hush(), ClearTimer(Timer.KEYS), pin], None


def _logged_in(ivr: Ivr, event: events.LoggedIn, now_us: int) -> Step:
    spoken = event.language if event.language in ivr.setup.languages else ivr.language
    was_asked = ivr.attempts or not ivr.setup.ani
    ivr = replace(ivr, language=spoken, balance_micros=event.balance_micros, currency=event.currency)
    return _open_menu(ivr, (*(() if was_asked else ("welcome",)), *_balance(ivr)), now_us)


def _not_logged_in(ivr: Ivr, event: events.NotLoggedIn, now_us: int) -> Step:
    if event.by_ani and event.reason is Reason.WRONG_CREDENTIALS:  # the number names no account: no attempt of anybody
        return _ask_pin(ivr, ("welcome",), now_us)
    said = {Reason.WRONG_CREDENTIALS: "wrong-pin", Reason.NO_FUNDS: "no-funds", Reason.DAILY_SPEND: "no-funds"}
    why = (*(("welcome",) if event.by_ani else ()), said.get(event.reason, "login-refused"))
    ivr = replace(ivr, attempts=ivr.attempts + 1)
    # Too many tries: none is looked at, the right one as little as another.
    if ivr.attempts >= ATTEMPTS_MAX or event.reason is Reason.TOO_MANY_TRIES:
        return farewell(ivr, (*why, "goodbye"), Ending.NOT_LOGGED_IN, now_us)
    return _ask_pin(ivr, why, now_us)


# The menu ----------------------------------------------------------------------------------------------------------------


def _balance(ivr: Ivr) -> speech.Prompts:
    """What there is to spend; nothing where that is not known, after another engine began the call."""
    if not ivr.currency:
        return ()
    return ("balance", *speech.amount(ivr.language, ivr.balance_micros, ivr.currency))


def _open_menu(ivr: Ivr, why: speech.Prompts, now_us: int) -> Step:
    return _say(replace(ivr, place=Place.MENU, digits=""), (*why, "menu"), now_us)


def _choose_from_menu(ivr: Ivr, event: events.Digit, now_us: int) -> Step:
    if event.digit not in "0123*":
        return _silent(_open_menu, ivr, now_us, ("wrong-choice",))
    ivr = replace(ivr, silences=0)
    match event.digit:
        case "1":
            return _ask_destination(ivr, (), now_us)
        case "2":
            return _open_menu(ivr, _balance(ivr), now_us)
        case "3":
            spoken = ivr.setup.languages
            ivr = replace(ivr, language=spoken[(spoken.index(ivr.language) + 1) % len(spoken)])
            return _open_menu(ivr, ("language",), now_us)
        case "0":
            return _open_menu(ivr, ("help",), now_us)
    return _open_menu(ivr, (), now_us)


def _menu_due(ivr: Ivr, _: events.KeysDue, now_us: int) -> Step:
    return _silent(_open_menu, ivr, now_us)


# The destination -----------------------------------------------------------------------------------------------------------


def _ask_destination(ivr: Ivr, why: speech.Prompts, now_us: int) -> Step:
    return _say(replace(ivr, place=Place.DESTINATION, digits=""), (*why, "destination"), now_us)


def _destination_digit(ivr: Ivr, event: events.Digit, now_us: int) -> Step:
    if event.digit == "*":  # back: from a number to its beginning, from there to the menu
        return _silent(_ask_destination, ivr, now_us) if ivr.digits else _open_menu(ivr, (), now_us)
    if event.digit == "#":
        return _destination_over(ivr) if ivr.digits else _silent(_ask_destination, ivr, now_us)
    ivr, commands, turn = _collect(ivr, event.digit, now_us)
    return _destination_over(ivr) if len(ivr.digits) >= NUMBER_DIGITS_MAX else (ivr, commands, turn)


def _destination_due(ivr: Ivr, _: events.KeysDue, now_us: int) -> Step:
    return _destination_over(ivr) if ivr.digits else _silent(_ask_destination, ivr, now_us)


def _destination_over(ivr: Ivr) -> Step:
    number = Choose(ivr.digits)
    return replace(ivr, place=Place.CHOOSING, digits="", silences=0), [Hush(), ClearTimer(Timer.KEYS), number], None


def _chosen(ivr: Ivr, event: events.Chosen, now_us: int) -> Step:
    ivr = replace(ivr, place=Place.ANNOUNCING)
    return _say(ivr, ("you-may-talk", *speech.duration(ivr.language, event.talk_seconds)), now_us)


def _not_chosen(ivr: Ivr, event: events.NotChosen, now_us: int) -> Step:
    return _silent(_ask_destination, ivr, now_us, (WHY_NOT_CHOSEN.get(event.reason, "try-later"),))


def _dial(ivr: Ivr, event: events.MenuEvent, now_us: int) -> Step:
    """All was said, or A does not want to hear it; a star may be the first of two."""
    star_us = now_us if isinstance(event, events.Digit) and event.digit == "*" else None
    return replace(calling(ivr), star_us=star_us), [Hush(), ClearTimer(Timer.KEYS)], Turn.DIAL


# In a call -----------------------------------------------------------------------------------------------------------------


def _in_call(ivr: Ivr, event: events.Digit, now_us: int) -> Step:
    """Two stars end it; every other key is B's."""
    if event.digit != "*" or not ivr.setup.has_menu:
        return replace(ivr, star_us=None), [], None
    if ivr.star_us is not None and now_us - ivr.star_us <= STARS_SECONDS * SECOND_US:
        return replace(ivr, star_us=None), [], Turn.ANOTHER
    return replace(ivr, star_us=now_us), [], None


def _over(ivr: Ivr, _: events.MenuEvent, __: int) -> Step:
    return ivr, [ClearTimer(Timer.KEYS)], Turn.ENDED


Action = Callable[[Ivr, Any, int], Step]

TABLE: Final[dict[tuple[Place, type], Action]] = {
    (Place.CONFIRM, events.Said): _wait_for_key,
    (Place.CONFIRM, events.Digit): _confirm,
    (Place.CONFIRM, events.KeysDue): _unconfirmed,
    (Place.CODE, events.Said): _over,
    (Place.CODE, events.KeysDue): _over,
    (Place.CODE, events.Digit): _in_code,
    (Place.PIN, events.Said): _wait_for_key,
    (Place.PIN, events.Digit): _pin_digit,
    (Place.PIN, events.KeysDue): _pin_due,
    (Place.LOGGING_IN, events.LoggedIn): _logged_in,
    (Place.LOGGING_IN, events.NotLoggedIn): _not_logged_in,
    (Place.MENU, events.Said): _wait_for_key,
    (Place.MENU, events.Digit): _choose_from_menu,
    (Place.MENU, events.KeysDue): _menu_due,
    (Place.DESTINATION, events.Said): _wait_for_key,
    (Place.DESTINATION, events.Digit): _destination_digit,
    (Place.DESTINATION, events.KeysDue): _destination_due,
    (Place.CHOOSING, events.Chosen): _chosen,
    (Place.CHOOSING, events.NotChosen): _not_chosen,
    (Place.ANNOUNCING, events.Said): _dial,
    (Place.ANNOUNCING, events.Digit): _dial,
    (Place.ANNOUNCING, events.KeysDue): _dial,
    (Place.CALLING, events.Digit): _in_call,
    (Place.FAREWELL, events.Said): _over,
    (Place.FAREWELL, events.KeysDue): _over,
}
