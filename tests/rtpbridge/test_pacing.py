"""A frame every 20 ms, at 200 legs at once; how exactly is measured by bench/pacing.py on a quiet machine."""

from bench.pacing import measure

LEGS = 200


def test_two_hundred_legs_hear_a_frame_every_20_ms() -> None:
    pacing = measure(LEGS, seconds=1.0)
    assert pacing.frames_least > 0, "every leg is heard"
    assert pacing.frames_most - pacing.frames_least <= 2  # they began, and were cut off, in the middle of a frame
    assert pacing.p50_ms < 2.0
