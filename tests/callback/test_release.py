"""The user's button, the operator's command, and the end of the engine itself release a callback at every moment."""

import time
from collections.abc import Callable

import pytest

from rtpbridge import Bridge
from tests.callback.configuration import charge_a, charge_a_if_b_fails, charge_b
from tests.callback.installation import Installation
from tests.callback.outcome import (
    CANCELLED,
    HUNG_UP,
    NORMAL,
    TEMPORARY_FAILURE,
    Billed,
    assert_books_balance,
    assert_ended,
    assert_no_leg_is_up,
    said,
)
from tests.callback.voice import payloads
from webcb import clock
from webcb.models import Callback


def by_user(webcb: Installation, callback: str) -> None:
    webcb.release(callback)


def by_operator(webcb: Installation, callback: str) -> None:
    done = webcb.run("hangup", callback)
    assert done.returncode == 0, done.stderr


def test_before_a_answers(webcb: Installation) -> None:
    webcb.phone("A", "rings")
    webcb.route("B")
    callback = webcb.place()
    webcb.wait_for_message("A", "180")
    webcb.release(callback)
    assert_ended(webcb, callback, "user released", {"A": Billed(charge_a, False, NORMAL)})
    assert said(webcb, "A") == CANCELLED


def test_while_b_rings(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "rings")
    callback = webcb.place()
    webcb.wait_for_message("B", "180")
    webcb.release(callback)
    billed = {"A": Billed(charge_a_if_b_fails, True, NORMAL), "B": Billed(charge_b, False, NORMAL)}
    assert_ended(webcb, callback, "user released", billed)
    assert said(webcb, "A") == HUNG_UP
    assert said(webcb, "B") == CANCELLED


@pytest.mark.parametrize(("release", "ending"), [(by_user, "user released"), (by_operator, "operator released")])
def test_while_they_talk(webcb: Installation, release: Callable[[Installation, str], None], ending: str) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "answers")
    callback = webcb.place()
    webcb.wait_for_state(callback, "talking", 10)
    release(webcb, callback)
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, ending, billed)
    assert said(webcb, "A") == said(webcb, "B") == HUNG_UP


def test_an_engine_that_is_stopped_takes_its_calls_down_with_it(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "answers")
    callback = webcb.place()
    webcb.wait_for_state(callback, "talking", 10)
    webcb.stop_engine()
    billed = {"A": Billed(charge_a, True, TEMPORARY_FAILURE), "B": Billed(charge_b, True, TEMPORARY_FAILURE)}
    assert_ended(webcb, callback, "engine stopped", billed)


def test_voice_goes_on_without_the_engine_and_no_longer_than_it_is_paid_for(
    webcb_in_kernel: Installation,
) -> None:
    """What the kernel forwards is asked of the map that the engine left pinned: who it is from, and until when."""
    webcb = webcb_in_kernel
    webcb.phone("A", "speaks", payloads("A", 500), quiet_ms=100)
    webcb.phone("B", "speaks_and_hangs_up", payloads("B", 500), quiet_ms=100, talk_ms=60_000)
    callback = webcb.place()
    row = webcb.wait_for_state(callback, "talking", 10)
    time.sleep(0.5)  # of voice, for the kernel to take up
    webcb.kill_engine()
    low, high = webcb.settings.rtp_port_min, webcb.settings.rtp_port_max
    with Bridge("127.0.0.1", low, high, kernel=True, owner=f"test-{low}") as left:
        before = left.kernel_flows()
        time.sleep(0.3)
        after = left.kernel_flows()
    assert "voice of joined legs passes through the kernel" in webcb.log()
    assert len(before) == 2
    assert all(later.packets - sooner.packets >= 10 for sooner, later in zip(before, after, strict=True))
    (deadline_ns,) = {flow.deadline_ns for flow in before}
    assert deadline_ns is not None and row.deadline_at is not None
    paid_seconds = (row.deadline_at - clock.utc_now()).total_seconds()
    assert abs((deadline_ns - time.monotonic_ns()) / 1e9 - paid_seconds) < 0.5
    webcb.start_engine()
    by_operator(webcb, callback)
    webcb.wait_for_state(callback, "ended", 10)


ASKED = ["INVITE", "200 INVITE", "ACK", "OPTIONS", "200 OPTIONS", "BYE", "200 BYE"]


def test_who_talked_when_the_engine_was_killed_goes_on_with_the_next(webcb: Installation) -> None:
    """Both phones are asked whether they are there, nobody is hung up, and the bill is what stands on the wire."""
    webcb.phone("A", "is_asked")
    webcb.phone("B", "is_asked")
    callback = webcb.place()
    webcb.wait_for_state(callback, "talking", 10)
    webcb.kill_engine()
    webcb.start_engine()
    time.sleep(0.5)
    assert Callback.get_by_id(callback).state == "talking"
    by_operator(webcb, callback)
    billed = {"A": Billed(charge_a, True, NORMAL), "B": Billed(charge_b, True, NORMAL)}
    assert_ended(webcb, callback, "operator released", billed)
    assert said(webcb, "A") == said(webcb, "B") == ASKED


def test_a_phone_that_rang_when_the_engine_was_killed_is_cancelled(webcb: Installation) -> None:
    webcb.phone("A", "answers")
    webcb.phone("B", "rings")
    callback = webcb.place()
    webcb.wait_for_message("B", "180")
    webcb.kill_engine()
    webcb.start_engine()
    row = webcb.wait_for_state(callback, "ended", 10)
    assert row.ending == "engine stopped"
    assert_no_leg_is_up(webcb, row)
    assert said(webcb, "A") == HUNG_UP
    assert said(webcb, "B") == CANCELLED
    assert_books_balance(webcb)
