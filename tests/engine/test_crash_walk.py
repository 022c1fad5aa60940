"""Callbacks of every kind, faults and crashes by chance: whatever happens when, the laws of money and of legs hold.

A seed replays exactly: `python -m tests.engine.test_crash_walk SEED` plays one and prints what was said and heard; with two numbers it
walks all seeds from the one up to the other and says which break a law.
"""

import logging
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from rtpbridge import EventKind
from tests.engine.ears import HearingWorld
from tests.engine.laws import assert_laws, on_a_file
from tests.engine.scenes import BUSY, EARLY, EVENTS, NUMBER_KEYS, PIN, TALKS, Moment, Scene, Stage, play
from webcb import models
from webcb.billing import ledger, reception

SEEDS = range(240)
SEEDS_THAT_FOUND = (2455,)  # each a fault that is mended
SEEDS_OF_SOAK = range(240, 10_240)
WALKS_A_TEST = 20
ANSWERS = [TALKS, TALKS, TALKS, [(0.0, 100), (0.5, 200)], [(1.0, 180)], [(2.0, 503)], BUSY, EARLY]
PRESSED = [
    f"{PIN}#",
    f"{PIN}#",
    "1",
    "1",
    NUMBER_KEYS,
    NUMBER_KEYS,
    "**",
    "*",
    "0",
    "2",
    "3",
    "9",
    "#",
    "12#",
    "99999#",
]
PAUSES = (0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 4.2, 9.0, 70.0)
# What the phones, the page, the money and the database do (scenes.EVENTS), and what only happens here.
CHOICES = [*EVENTS, "crash", "crash", "keys", "keys", "keys", "keys", "top-up", "voice comes back", "nothing"]


def crash(stage: Stage, chance: random.Random) -> None:
    """The engine dies and comes back; a phone whose user hangs up meanwhile says so to nobody."""
    world = stage.world
    world.crash()
    world.pass_seconds(chance.choice((0.0, 0.3, 1.0, 5.0, 40.0)))
    if chance.random() < 0.2:
        phone = chance.choice((stage.a, stage.b))
        phone.up = False
        phone.is_over = phone.is_over or bool(phone.invites)
    world.engine()


def act(stage: Stage, chance: random.Random) -> None:
    """One thing that happens; what cannot be at that moment does not."""
    match chance.choice(CHOICES):
        case "crash":
            crash(stage, chance)
        case "keys":
            stage.press(chance.choice(PRESSED))
        case "top-up":
            payer, at = stage.payer, stage.world.utc_now()
            paid = chance.randrange(1, 1_000_000)
            ledger.post(payer.wallet_id, payer.id, "payment", paid, f"paid:{at.isoformat()}:{paid}", "test", "", at)
        case "voice comes back":
            running = stage.world.exchange._running.get(stage.callback_id)
            for voice in () if running is None else running.voices.values():
                stage.world.media.tell(voice, EventKind.RESUMED)
        case "nothing":
            pass
        case event:
            EVENTS[event](stage)
            stage.set_away(False)


def scene(chance: random.Random) -> Moment:
    """How a callback goes before anything happens; a hosted one presses what leads to a call, at its own pace."""
    kind = chance.choice(("simple", "extended", "hosted", "hosted"))
    confirms = chance.random() < 0.2
    pace = chance.choice((1.0, 1.0, 2.5))
    keys = (*(("1",) if confirms else ()), *((f"{PIN}#", "1", NUMBER_KEYS, "0") if kind == "hosted" else ()))
    presses = tuple((6.0 + number * pace, each) for number, each in enumerate(keys))
    b_hangs_up = chance.choice((None, None, 25.0))
    scene = Scene(
        kind, chance.choice(ANSWERS), confirms, presses, b_hangs_up, a=chance.choice([*[TALKS] * 12, *ANSWERS])
    )
    return Moment(scene, chance.choice((0.0, 3.0, 5.0, 10.0, 13.0, 20.0)))


def walk(world: HearingWorld, seed: int) -> Stage:
    """A callback to its end, and then the laws."""
    chance = random.Random(seed)
    stage = play(world, scene(chance))
    for _ in range(chance.randrange(1, 7)):
        act(stage, chance)
        world.pass_seconds(chance.choice(PAUSES))
    reception.ask_release(stage.callback_id, "operator", world.utc_now())
    world.pass_seconds(200)
    assert_laws(stage)
    return stage


def walk_all(seeds: range, folder: Path, endings: Counter[str]) -> list[tuple[int, BaseException]]:
    """The seeds that break a law, and what was found; how the others ended is counted."""
    broken: list[tuple[int, BaseException]] = []
    for seed in seeds:
        try:
            with on_a_file(folder / f"{seed}.sqlite") as world:
                stage = walk(world, seed)
                endings[world.row(stage.callback_id).ending] += 1
        except Exception as wrong:  # whatever it is, the seed is told
            broken.append((seed, wrong))
        for each in folder.glob(f"{seed}.sqlite*"):
            each.unlink()
    return broken


@pytest.mark.parametrize("first", SEEDS[::WALKS_A_TEST])
def test_whatever_happens_the_laws_hold(tmp_path: Path, first: int) -> None:
    assert walk_all(range(first, first + WALKS_A_TEST), tmp_path, Counter()) == []


@pytest.mark.parametrize("seed", SEEDS_THAT_FOUND)
def test_what_was_found_once_stays_mended(tmp_path: Path, seed: int) -> None:
    assert walk_all(range(seed, seed + 1), tmp_path, Counter()) == []


@pytest.mark.soak
@pytest.mark.parametrize("first", SEEDS_OF_SOAK[::WALKS_A_TEST])
def test_whatever_happens_the_laws_hold_ten_thousand_times(tmp_path: Path, first: int) -> None:
    assert walk_all(range(first, first + WALKS_A_TEST), tmp_path, Counter()) == []


def test_a_seed_replays_exactly(tmp_path: Path) -> None:
    told = []
    for time in range(2):
        with on_a_file(tmp_path / f"{time}.sqlite") as world:
            stage = walk(world, 7)
            bills = [(xdr.leg, xdr.used_quantity, xdr.charged_micros) for xdr in models.Xdr.select()]
            told.append((world.ladder, world.heard, world.row(stage.callback_id).ending, bills))
    assert told[0] == told[1]


def main(first: int, end: int | None) -> None:
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        if end is None:
            with on_a_file(Path(folder) / "one.sqlite") as world:
                try:
                    walk(world, first)
                finally:
                    print(*world.ladder, "", *world.heard, sep="\n")
            return
        endings: Counter[str] = Counter()
        broken = 0
        for begin in range(first, end, WALKS_A_TEST):
            seeds = range(begin, min(end, begin + WALKS_A_TEST))
            for seed, wrong in walk_all(seeds, Path(folder), endings):
                broken += 1
                print(f"seed {seed}: {type(wrong).__name__} {wrong}", flush=True)
    print(*(f"{times:6} {ending}" for ending, times in endings.most_common()), sep="\n")
    print(f"{end - first} callbacks, {broken} broke a law")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
