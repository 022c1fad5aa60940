"""One engine after the other, with phones that talk: asked to make room, replaced by who stands by, killed. Packets are counted."""

import time
from pathlib import Path

from tests.callback.conftest import running
from tests.callback.ears import PACKET_SECONDS, Ears
from tests.callback.installation import Installation, waits_for_its_turn
from tests.callback.outcome import assert_books_balance
from tests.callback.test_kill import BEGIN_SECONDS_MAX, phones, wait_until_over
from webcb.models import Callback, Xdr

CALLBACKS = 4
HAND_OVER_GAP_SECONDS_MAX = 0.2
KILL_GAP_SECONDS_MAX = 1.0  # some 0.1 s on a host that has nothing else to do
WARM_SECONDS_MAX = 30.0
ROOM_SECONDS_MAX = 30.0


def talking(webcb: Installation, count: int) -> list[str]:
    found = [webcb.place(f"talks {number}") for number in range(count)]
    for callback_id in found:
        webcb.wait_for_state(callback_id, "talking", BEGIN_SECONDS_MAX)
    time.sleep(0.5)  # of voice
    return found


def assert_voice_flowed(ears: Ears, since: float, until: float, gap_seconds_max: float) -> None:
    """No leg heard nothing for longer, and all heard together what the others said, but for so long of each."""
    gaps = [ear.gap_seconds(since, until) for ear in ears.all]
    print(f"gap at hand-over: {max(gaps) * 1000:.0f} ms")
    assert max(gaps) < gap_seconds_max, gaps
    heard, spoken = (
        sum(since < at <= until for ear in ears.all for at in getattr(ear, what)) for what in ("heard", "spoken")
    )
    assert spoken - heard <= len(ears.all) * gap_seconds_max / PACKET_SECONDS, (heard, spoken)


def assert_all_end_well(webcb: Installation, callbacks: list[str]) -> None:
    assert {row.state for row in Callback.select().where(Callback.id.in_(callbacks))} == {"talking"}
    for callback_id in callbacks:
        webcb.release(callback_id)
    wait_until_over(webcb, callbacks)
    assert {row.ending for row in Callback.select().where(Callback.id.in_(callbacks))} == {"user released"}
    assert Xdr.select().count() == 2 * len(callbacks)
    assert_books_balance(webcb)


def test_an_engine_that_takes_over_waits_for_who_is_being_set_up(tmp_path: Path, database_url: str) -> None:
    """The one before finishes what rings, and then goes; the voice of the others has no gap that is heard."""
    with running(tmp_path, database_url) as webcb, phones(webcb, CALLBACKS) as ears:
        callbacks = talking(webcb, CALLBACKS - 1)
        before = webcb.engine
        assert before is not None
        callbacks.append(webcb.place("rings"))
        webcb.wait_for_state(callbacks[-1], "calling A", 10)
        webcb.engine = webcb.another_engine("--take-over")
        assert before.wait(ROOM_SECONDS_MAX) == 0
        ended_at = time.time()
        time.sleep(2)
        assert_voice_flowed(ears, ended_at - 1, ended_at + 1.9, HAND_OVER_GAP_SECONDS_MAX)
        assert_all_end_well(webcb, callbacks)


def test_who_stands_by_goes_on_when_the_engine_is_killed(tmp_path: Path, database_url: str) -> None:
    with running(tmp_path, database_url) as webcb, phones(webcb, CALLBACKS) as ears:
        spare = webcb.another_engine("--stand-by")
        callbacks = talking(webcb, CALLBACKS)
        webcb.wire.wait(lambda: waits_for_its_turn(spare.pid), WARM_SECONDS_MAX, "the spare engine is warm")
        webcb.kill_engine()
        killed_at = time.time()
        webcb.engine = spare
        time.sleep(2)
        assert_voice_flowed(ears, killed_at - 0.5, killed_at + 1.9, KILL_GAP_SECONDS_MAX)
        assert_all_end_well(webcb, callbacks)
