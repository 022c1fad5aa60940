"""The voice menu in virtual time: what is said, in which order, and what keys, silence and billing's answers lead to."""

import random
from dataclasses import dataclass, field

import pytest

from webcb.billing.authorization import Reason
from webcb.billing.formula import Intervals
from webcb.billing.pricing import Pricing
from webcb.engine import events, ivr
from webcb.engine.causes import Ending
from webcb.engine.commands import Choose, ClearTimer, Command, Hush, LogIn, NeverCall, Say, SetTimer
from webcb.engine.events import Chosen, Digit, KeysDue, LegPlan, LoggedIn, NotChosen, NotLoggedIn, Said
from webcb.engine.ivr import Ivr, Place, Setup, Turn
from webcb.prompts import catalogue

SECOND = 1_000_000
PROMPT_SECONDS = 2.0
HOSTED = Setup(("en", "es", "ru"), has_menu=True)
FREE = Pricing(Intervals(1, 1, 0, 0))


def logged_in(**changes: object) -> LoggedIn:
    values: dict[str, object] = {"balance_micros": 5_250_000, "currency": "USD", "language": "en"}
    return LoggedIn(**(values | changes), pricing_a=FREE, pricing_a_if_b_fails=None, funds_micros=5_250_000,
                    slice_seconds=60, beyond_balance=False)  # type: ignore[arg-type]  # fmt: skip


def chosen(seconds: int = 3000) -> Chosen:
    return Chosen(seconds, LegPlan("441632960000", "", (), 60, "GB"), FREE, 5_000_000)


@dataclass
class Caller:
    """A at the phone, with a bridge that says each prompt in PROMPT_SECONDS and a clock that goes where it is told."""

    menu: Ivr
    now_us: int = 0
    said: list[str] = field(default_factory=list)  # each prompt, and "|" where a key cut in
    asked: list[Command] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    talk_ends_us: int | None = None
    keys_due_us: int | None = None

    def carry_out(self, step: ivr.Step) -> None:
        self.menu, commands, turn = step
        for command in commands:
            match command:
                case Say():
                    self.said += [f"{name}" for name in command.prompts]
                    self.talk_ends_us = self.now_us + round(len(command.prompts) * PROMPT_SECONDS * SECOND)
                    assert set(command.prompts) <= set(catalogue.texts(command.language).by_name)
                case Hush():
                    if self.talk_ends_us is not None:
                        self.said.append("|")
                    self.talk_ends_us = None
                case SetTimer():
                    self.keys_due_us = command.at_us
                case ClearTimer():
                    self.keys_due_us = None
                case LogIn() | Choose() | NeverCall():
                    self.asked.append(command)
        if turn is not None:
            self.turns.append(turn)

    def happen(self, event: events.MenuEvent) -> None:
        self.carry_out(ivr.step(self.menu, event, self.now_us))

    def start(self) -> "Caller":
        self.carry_out(ivr.start(self.menu, self.now_us))
        return self

    def wait(self, seconds: float) -> "Caller":
        """Time goes on: what is said comes to its end, timers ring."""
        until_us = self.now_us + round(seconds * SECOND)
        while True:
            due = [
                (at, event)
                for at, event in ((self.talk_ends_us, Said()), (self.keys_due_us, KeysDue()))
                if at is not None
            ]
            at_us, event = min(due, key=lambda each: each[0], default=(until_us + 1, Said()))
            if at_us > until_us:
                break
            self.now_us = at_us
            if isinstance(event, Said):
                self.talk_ends_us = None
            else:
                self.keys_due_us = None
            self.happen(event)
        self.now_us = until_us
        return self

    def press(self, keys: str) -> "Caller":
        for key in keys:
            self.wait(0.3)
            self.happen(Digit(key))
        return self

    def answer(self, event: events.MenuEvent) -> "Caller":
        self.happen(event)
        return self

    def heard(self) -> str:
        text, self.said = " ".join(self.said), []
        return text


def caller(setup: Setup = HOSTED) -> Caller:
    return Caller(ivr.begin(setup)).start()


def at_the_menu() -> Caller:
    someone = caller().wait(6).press("1234#").answer(logged_in()).wait(30)
    someone.heard()
    return someone


# Log-in --------------------------------------------------------------------------------------------------------------------


def test_a_pin_ended_by_the_hash_key() -> None:
    someone = caller().wait(6).press("123456#")
    assert someone.heard() == "welcome enter-pin"
    assert someone.asked == [LogIn("123456")]
    someone.answer(logged_in())
    assert someone.heard() == "balance number-5 unit-dollar-many and number-20 number-5 unit-cent-many menu"
    assert someone.menu.place is Place.MENU


def test_a_pin_ended_by_five_seconds_of_silence_and_begun_during_the_prompt() -> None:
    someone = caller().wait(0.5).press("98").wait(4.9)
    assert someone.heard() == "welcome enter-pin |"
    assert someone.asked == []
    assert someone.wait(0.2).asked == [LogIn("98")]


def test_the_number_of_a_names_the_account() -> None:
    someone = caller(Setup(("en",), has_menu=True, ani="cb5511999887766"))
    assert someone.asked == [LogIn("cb5511999887766", by_ani=True)]
    assert someone.heard() == ""  # nothing that billing's answer would cut off
    someone.answer(logged_in(balance_micros=0))
    assert someone.heard() == "welcome balance number-0 unit-dollar-many menu"


def test_a_number_that_names_no_account_is_no_attempt() -> None:
    someone = caller(Setup(("en",), has_menu=True, ani="cb1"))
    someone.answer(NotLoggedIn(Reason.WRONG_CREDENTIALS, by_ani=True))
    assert someone.heard() == "welcome enter-pin"
    assert someone.menu.attempts == 0


def test_three_wrong_pins_and_goodbye() -> None:
    someone = caller()
    for _ in range(2):
        someone.wait(6).press("1#").answer(NotLoggedIn(Reason.WRONG_CREDENTIALS))
    assert someone.heard() == "welcome enter-pin wrong-pin enter-pin wrong-pin enter-pin"
    someone.wait(6).press("1#").answer(NotLoggedIn(Reason.WRONG_CREDENTIALS))
    assert someone.heard() == "wrong-pin goodbye"
    assert someone.turns == []
    someone.press("12#").wait(3)  # a key does not cut off a goodbye
    assert someone.heard() == ""
    assert someone.wait(2).turns == [Turn.ENDED]
    assert someone.menu.ending is Ending.NOT_LOGGED_IN
    assert len(someone.asked) == 3


def test_where_pins_were_tried_too_often_none_is_asked_for_again() -> None:
    someone = caller().wait(6).press("1#").answer(NotLoggedIn(Reason.TOO_MANY_TRIES))
    assert someone.heard() == "welcome enter-pin login-refused goodbye"
    assert someone.wait(5).menu.ending is Ending.NOT_LOGGED_IN


def test_an_account_that_may_not_call_is_told_so() -> None:
    someone = caller().wait(6).press("1#").answer(NotLoggedIn(Reason.ACCOUNT_BLOCKED))
    assert someone.heard() == "welcome enter-pin login-refused enter-pin"
    someone.wait(6).press("2#").answer(NotLoggedIn(Reason.NO_FUNDS))
    assert someone.heard() == "no-funds enter-pin"


def test_nobody_presses_anything() -> None:
    someone = caller().wait(60)
    assert someone.heard() == "welcome enter-pin enter-pin enter-pin goodbye"
    assert someone.turns == [Turn.ENDED]
    assert someone.menu.ending is Ending.NO_KEY


def test_a_star_begins_the_pin_anew_but_not_for_ever() -> None:
    someone = caller().wait(6).press("12*").wait(6).press("34#")
    assert someone.asked == [LogIn("34")]
    assert caller().wait(6).press("***").wait(9).menu.ending is Ending.NO_KEY


def test_keys_while_billing_is_asked_are_not_taken_for_the_menu() -> None:
    someone = caller().wait(6).press("1#").press("3")
    someone.answer(logged_in())
    assert someone.menu.language == "en"


def test_the_account_s_language_is_spoken_where_the_trigger_has_it() -> None:
    someone = caller().wait(6).press("1#").answer(logged_in(language="ru", balance_micros=2_020_000))
    assert someone.menu.language == "ru"
    assert "number-2 unit-dollar-few and number-2 unit-cent-few" in someone.heard()
    assert caller().wait(6).press("1#").answer(logged_in(language="de")).menu.language == "en"


# The menu --------------------------------------------------------------------------------------------------------------------


MENU = [
    ("1", "destination", Place.DESTINATION),
    ("2", "balance number-5 unit-dollar-many and number-20 number-5 unit-cent-many menu", Place.MENU),
    ("3", "language menu", Place.MENU),
    ("0", "help menu", Place.MENU),
    ("*", "menu", Place.MENU),
    ("7", "wrong-choice menu", Place.MENU),
    ("#", "wrong-choice menu", Place.MENU),
    ("1*", "destination | menu", Place.MENU),
    ("1#", "destination destination", Place.DESTINATION),
]


@pytest.mark.parametrize(("keys", "heard", "place"), MENU)
def test_keys_of_the_menu(keys: str, heard: str, place: Place) -> None:
    someone = at_the_menu()
    someone.talk_ends_us = None
    someone.press(keys)
    assert someone.heard().replace("| ", "") == heard.replace("| ", "")
    assert someone.menu.place is place


def test_languages_go_round() -> None:
    someone = at_the_menu()
    spoken = [someone.press("3").menu.language for _ in range(4)]
    assert spoken == ["es", "ru", "en", "es"]


def test_a_silent_menu_is_said_three_times() -> None:
    someone = at_the_menu()
    someone.press("2")
    someone.heard()
    assert someone.wait(100).heard() == "menu menu goodbye"
    assert someone.turns == [Turn.ENDED]


# The destination ---------------------------------------------------------------------------------------------------------------


def test_a_destination_is_announced_and_dialled() -> None:
    someone = at_the_menu().press("1").wait(5).press("441632960000#")
    assert someone.asked[-1] == Choose("441632960000")
    someone.heard()
    someone.answer(chosen(3661))
    assert someone.heard() == "you-may-talk number-1 unit-hour-one and number-1 unit-minute-one"
    assert someone.turns == []
    assert someone.wait(12).turns == [Turn.DIAL]
    assert someone.menu.place is Place.CALLING


def test_a_key_cuts_the_announcement_short() -> None:
    someone = at_the_menu().press("1").wait(5).press("44#").answer(chosen()).press("5")
    assert someone.turns == [Turn.DIAL]


REFUSED = [
    (Reason.NO_FUNDS, "no-funds"),
    (Reason.NO_ROUTE, "not-in-service"),
    (Reason.BAD_NUMBER, "wrong-number"),
    (Reason.PREMIUM, "not-permitted"),
    (Reason.TOO_MANY, "try-later"),
]


@pytest.mark.parametrize(("reason", "why"), REFUSED)
def test_a_destination_that_may_not_be_called(reason: Reason, why: str) -> None:
    someone = at_the_menu().press("1").wait(5).press("44").wait(5.1)  # five seconds of silence end a number too
    assert someone.asked[-1] == Choose("44")
    someone.heard()
    assert someone.answer(NotChosen(reason)).heard() == f"{why} destination"
    assert someone.menu.place is Place.DESTINATION


def test_a_wrong_digit_is_taken_back() -> None:
    someone = at_the_menu().press("1").wait(5).press("99*").wait(5).press("44#")
    assert someone.asked[-1] == Choose("44")


# In a call ---------------------------------------------------------------------------------------------------------------------


def in_a_call() -> Caller:
    someone = at_the_menu().press("1").wait(5).press("44#").answer(chosen()).wait(20)
    someone.turns.clear()
    someone.heard()
    return someone


STARS = [("**", True), ("*1*", False), ("*", False), ("1234#", False), ("0**", True)]


@pytest.mark.parametrize(("keys", "ends"), STARS)
def test_two_stars_end_a_call(keys: str, ends: bool) -> None:
    assert (in_a_call().press(keys).turns == [Turn.ANOTHER]) is ends


def test_two_stars_far_apart_are_b_s() -> None:
    assert in_a_call().press("*").wait(2.1).press("*").turns == []


def test_another_destination_after_the_call() -> None:
    someone = in_a_call()
    someone.carry_out(ivr.after_call(someone.menu, ivr.why_b_ended(Ending.B_HUNG_UP, 200), someone.now_us))
    assert someone.heard() == "call-ended destination"
    assert someone.wait(5).press("33#").asked[-1] == Choose("33")


# Confirm by key ------------------------------------------------------------------------------------------------------------------


CONFIRM = Setup(("en",), confirms=True)


def test_one_connects() -> None:
    someone = caller(CONFIRM).wait(1).press("1")
    assert someone.heard() == "press-1 |"
    assert someone.turns == [Turn.CONFIRMED]


def test_nine_is_remembered() -> None:
    someone = caller(CONFIRM).press("9").wait(10)
    assert someone.asked == [NeverCall()]
    assert someone.heard() == "press-1 never-again goodbye"
    assert (someone.turns, someone.menu.ending) == ([Turn.ENDED], Ending.NEVER_AGAIN)


@pytest.mark.parametrize("keys", ["", "5", "*#"])
def test_who_does_not_confirm_is_not_connected(keys: str) -> None:
    someone = caller(CONFIRM).wait(3).press(keys).wait(60)
    assert (someone.turns, someone.menu.ending) == ([Turn.ENDED], Ending.NO_KEY)


def test_hosted_goes_on_with_the_pin_once_confirmed() -> None:
    someone = caller(Setup(("en",), has_menu=True, confirms=True)).wait(3).press("1")
    assert someone.heard() == "press-1 welcome enter-pin"
    assert someone.turns == []


# Whatever is pressed ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_a_random_walk_always_says_something_and_comes_to_an_end(seed: int) -> None:
    """Whatever is pressed and answered: as long as A is in the menu something is said or waited for, and silence ends it."""
    chance = random.Random(seed)
    setup = Setup(
        ("en", "pt"), has_menu=chance.random() < 0.8, confirms=chance.random() < 0.5, ani=chance.choice(["", "cb1"])
    )
    someone = Caller(ivr.begin(setup))
    if setup.has_menu or setup.confirms:
        someone.start()
    for _ in range(300):
        before = len(someone.asked)
        someone.wait(chance.choice([0, 0.1, 1, 3, 7, 20]))
        someone.happen(Digit(chance.choice("0123456789**##1#")))
        if len(someone.asked) > before or someone.menu.place in (Place.LOGGING_IN, Place.CHOOSING):
            wrong = chance.choice([Reason.WRONG_CREDENTIALS, Reason.NO_FUNDS, Reason.ACCOUNT_EXPIRED])
            by_ani = bool(setup.ani) and len(someone.asked) == 1
            someone.happen(chance.choice([logged_in(), NotLoggedIn(wrong, by_ani)]))
            someone.happen(chance.choice([chosen(), NotChosen(wrong)]))
        if Turn.ENDED in someone.turns:
            return
        if someone.menu.place is Place.CALLING:
            someone.turns.clear()
            someone.carry_out(ivr.after_call(someone.menu, ("busy",), someone.now_us))
        assert someone.talk_ends_us is not None or someone.keys_due_us is not None
    assert someone.wait(300).turns == [Turn.ENDED]


# A code -------------------------------------------------------------------------------------------------------------------

TOLD = Setup(("de", "en"), code="407310")
FIGURES = "number-4 number-0 number-7 number-3 number-1 number-0"
WHOLE = f"code {FIGURES} code-again {FIGURES} code-stranger goodbye"


def test_a_code_is_said_twice_whatever_is_pressed_and_that_is_all():
    someone = caller(TOLD).press("1#*5").wait(60)
    assert someone.heard() == WHOLE
    assert (someone.turns, someone.menu.ending, someone.asked) == ([Turn.ENDED], Ending.CODE_SAID, [])


def test_who_has_not_asked_for_a_code_is_never_called_again():
    someone = caller(TOLD).wait(5).press("9").wait(60)
    assert someone.heard() == f"{WHOLE} | never-again goodbye"
    assert (someone.turns, someone.menu.ending) == ([Turn.ENDED], Ending.NEVER_AGAIN)
    assert [type(each) for each in someone.asked] == [NeverCall]


def test_a_voicemail_hears_no_code_where_a_key_is_to_be_pressed_first():
    someone = caller(Setup(("en",), confirms=True, code="407310"))
    assert someone.heard() == "press-1"
    assert someone.press("1").wait(60).heard() == WHOLE
