"""kill -9 while A is in the menu of a hosted callback, in virtual time: the next engine says again what was asked last, and A goes on
to talk with B; what was being set up of a B is ended and costs nothing.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.ears import HearingWorld
from tests.engine.laws import assert_laws, on_a_file
from tests.engine.scenes import NUMBER_KEYS, PIN, STEPS, Stage, play
from webcb import models
from webcb.billing import hosted
from webcb.engine.causes import Ending

AWAY_SECONDS = 2.0
CHOOSES = ["1", NUMBER_KEYS, "0"]
LOGS_IN = [f"{PIN}#", *CHOOSES]

# The step at which the engine dies, what A hears from the next one first, and the keys by which A comes to talk with B.
DIES_AT = {
    "A is asked for a key": ("press-1", ["1", *LOGS_IN]),
    "A is asked for the PIN": ("enter-pin", LOGS_IN),
    "A is logged in": ("enter-pin", LOGS_IN),  # the database was away: it is not
    "A hears the menu": ("menu", CHOOSES),
    "A is asked for a destination": ("destination", CHOOSES[1:]),
    "the destination is authorized": ("destination", CHOOSES[1:]),
    "A hears how long": ("destination", CHOOSES[1:]),
    "B is called": ("congestion destination", CHOOSES[1:]),
    "B rings": ("congestion destination", CHOOSES[1:]),
    "B's network speaks": ("congestion destination", CHOOSES[1:]),
    "they talk": (None, []),
    "A is asked for another destination": ("destination", CHOOSES[1:]),
}


def die(world: HearingWorld, step: str, away_seconds: float = AWAY_SECONDS) -> tuple[Stage, list[str]]:
    """A scene up to a step, where the engine dies; what A heard from the next one at once. No key is pressed after that."""
    moment = STEPS["hosted"][step]
    presses = tuple(each for each in moment.scene.presses if each[0] < moment.seconds)
    stage = play(world, replace(moment, scene=replace(moment.scene, presses=presses)))
    return stage, die_again(world, away_seconds)


def die_again(world: HearingWorld, away_seconds: float = AWAY_SECONDS) -> list[str]:
    world.crash()
    world.pass_seconds(away_seconds)
    heard = len(world.heard)
    world.engine()
    return [line.partition(" ")[2].removeprefix("A: ") for line in world.heard[heard:]]


def lead_to_talk(stage: Stage, pressed: list[str]) -> None:
    for keys in pressed:
        stage.press(keys)
        stage.world.pass_seconds(2)
    stage.world.pass_seconds(8)
    assert stage.world.row(stage.callback_id).state == "talking"


@pytest.mark.parametrize("step", DIES_AT)
def test_a_goes_on_in_the_menu_and_talks(tmp_path: Path, step: str) -> None:
    says, pressed = DIES_AT[step]
    with on_a_file(tmp_path / "one.sqlite") as world:
        stage, heard = die(world, step)
        assert heard == ([says] if says else [])
        world.pass_seconds(2)  # a B that answered while nobody was there says so again, and is hung up
        assert stage.b.up == (step == "they talk")
        lead_to_talk(stage, pressed)
        stage.hang_up("B")
        world.pass_seconds(1)
        assert stage.a.up
        assert stage.hang_up("A")
        world.pass_seconds(40)
        assert world.row(stage.callback_id).ending == Ending.A_HUNG_UP
        assert_laws(stage)
        bills = {xdr.leg: xdr for xdr in models.Xdr.select()}
        assert {xdr.account.login for xdr in bills.values()} == {PIN}
        # A pays for all of its call, with the seconds in which nobody answered; a B that was only rung for pays nothing.
        answered = world.legs(stage.callback_id)["A"].answered_at
        assert bills["A"].used_quantity == -(-(bills["A"].disconnect_time - answered).total_seconds() // 1)
        talked = [xdr for xdr in bills.values() if xdr.leg != "A" and xdr.used_quantity]
        assert len(talked) == (2 if step == "A is asked for another destination" else 1)


@pytest.mark.parametrize("step", DIES_AT)
def test_a_second_death_in_the_same_moment_changes_nothing(tmp_path: Path, step: str) -> None:
    says, pressed = DIES_AT[step]
    with on_a_file(tmp_path / "one.sqlite") as world:
        stage, _ = die(world, step)
        again = die_again(world)
        assert again == ([says.removeprefix("congestion ")] if says else [])
        lead_to_talk(stage, pressed)
        stage.hang_up("A")
        world.pass_seconds(40)
        assert_laws(stage)


def test_goodbye_is_said_to_its_end(tmp_path: Path) -> None:
    with on_a_file(tmp_path / "one.sqlite") as world:
        stage, heard = die(world, "A hears goodbye")
        assert heard == ["goodbye"]
        world.pass_seconds(60)
        assert world.row(stage.callback_id).ending == Ending.NOT_LOGGED_IN
        assert_laws(stage)


def test_attempts_at_a_pin_are_not_forgotten(tmp_path: Path) -> None:
    with on_a_file(tmp_path / "one.sqlite") as world:
        stage, _ = die(world, "A is asked for the PIN")
        for attempt in range(3):
            stage.press("999#")
            world.pass_seconds(2)
            if attempt < 2:
                assert die_again(world)[0] == "enter-pin"
        world.pass_seconds(10)
        assert world.row(stage.callback_id).ending == Ending.NOT_LOGGED_IN
        assert_laws(stage)


def test_an_engine_that_dies_between_the_log_in_and_its_word_goes_on_with_the_funds_of_the_account(
    tmp_path: Path,
) -> None:
    """Committed, and nobody was told: A is the account's already, and so are slices and prices."""
    with on_a_file(tmp_path / "one.sqlite") as world:
        stage, _ = die(world, "A is asked for the PIN")
        world.journal.jobs_left = 1
        stage.press(f"{PIN}#")
        row = world.row(stage.callback_id)
        assert (row.logged_in, row.account.login) == (True, PIN)
        heard = die_again(world)
        assert heard[0].startswith("balance number-5")
        assert heard[0].endswith("menu")
        world.pass_seconds(1)
        stage.press("2")
        assert world.heard[-1].partition("A: ")[2].startswith("balance")
        lead_to_talk(stage, CHOOSES)
        stage.hang_up("A")
        world.pass_seconds(40)
        assert_laws(stage)


def test_the_menu_goes_on_in_the_language_that_was_chosen_and_as_long_as_the_funds_last(tmp_path: Path) -> None:
    with on_a_file(tmp_path / "one.sqlite") as world:
        models.VoiceApplication.update(languages="en").execute()
        stage, _ = die(world, "A hears the menu")
        running = world.exchange._running[stage.callback_id]
        spoken = replace(running.menu, languages=("en", "de"))
        running.callback = replace(
            running.callback,
            plan=replace(running.callback.plan, menu=spoken),
            menu=replace(running.callback.menu, setup=spoken),
        )
        stage.press("3")
        world.pass_seconds(0)
        die_again(world)
        assert world.exchange._running[stage.callback_id].callback.menu.language == "de"
        # 5.00 pays for 500 s of A alone; nothing is pressed any more, but twice more is asked for a key.
        world.pass_seconds(60)
        assert world.row(stage.callback_id).ending == Ending.NO_KEY
        assert_laws(stage)


def test_who_was_away_for_too_long_is_ended(tmp_path: Path) -> None:
    with on_a_file(tmp_path / "one.sqlite") as world:
        stage, heard = die(world, "A hears the menu", away_seconds=60)
        world.pass_seconds(40)
        assert heard == []
        assert world.row(stage.callback_id).ending == Ending.ENGINE_STOPPED
        assert_laws(stage)


def test_who_confirms_by_key_alone_is_ended(tmp_path: Path) -> None:
    """Without a menu there is a B already whose routes are on no row."""
    with on_a_file(tmp_path / "one.sqlite") as world:
        moment = STEPS["extended"]["A is asked for a key"]
        stage = play(world, replace(moment, scene=replace(moment.scene, presses=())))
        die_again(world)
        world.pass_seconds(40)
        assert world.row(stage.callback_id).ending == Ending.ENGINE_STOPPED
        assert_laws(stage)


@pytest.mark.parametrize("committed", range(6))
def test_b_is_charged_with_the_step_that_leaves_it_or_not_at_all(tmp_path: Path, committed: int) -> None:
    """B hangs up, and the engine dies after each of the transactions that follow: B has one bill, A goes on or is told of B's end."""
    with on_a_file(tmp_path / "one.sqlite") as world:
        stage, _ = die(world, "they talk")
        world.journal.jobs_left = committed
        stage.hang_up("B")
        die_again(world)
        world.pass_seconds(5)
        assert world.row(stage.callback_id).state == "A answered"
        assert [xdr.leg for xdr in models.Xdr.select()] == ["B1"]
        stage.hang_up("A")
        world.pass_seconds(40)
        assert_laws(stage)


def test_what_can_be_chosen_is_asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that lost its calls to no crash but a fault of the rows asks nothing of billing twice."""
    asked: list[str] = []
    with on_a_file(tmp_path / "one.sqlite") as world:
        choose = hosted.choose
        monkeypatch.setattr(hosted, "choose", lambda *given: asked.append(given[1]) or choose(*given))
        stage, _ = die(world, "A hears how long")
        assert len(asked) == 1
        lead_to_talk(stage, CHOOSES[1:])
        assert len(asked) == 2
        assert set(world.legs(stage.callback_id)) == {"A", "B1", "B"}
        stage.hang_up("A")
        world.pass_seconds(40)
        assert_laws(stage)
