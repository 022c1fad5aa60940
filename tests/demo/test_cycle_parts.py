"""The parts of the benchmark of the cycle do what they say, on a handful of callbacks; what they measure is no test's matter."""

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]

pytestmark = pytest.mark.soak


def said(*words: str) -> str:
    done = subprocess.run([sys.executable, *words], cwd=TOP, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_two_callbacks_talk_with_voice_and_nothing_is_lost() -> None:
    told = said("-c", "from bench import cycle_media; print(cycle_media.measure((2,)))")
    assert told.count(" 0.000 % lost") == 3  # phones alone, too
    assert told.splitlines()[-1] == (
        "{'calls_of_phones_alone': 2, 'calls_with_voice_kernel': 2, 'calls_with_voice_user_space': 2}"
    )


def test_the_cost_of_a_callback_is_told_by_how_many_are_going_on() -> None:
    few = "cycle_growth.PROBES, cycle_growth.STANDING_SECONDS = 3, 1.0"
    told = said("-c", f"from bench import cycle_growth; {few}; print(cycle_growth.measure((1, 3)))")
    assert "'cpu_ms_per_callback_at_3'" in told.splitlines()[-1]


def test_the_largest_costs_are_named() -> None:
    told = said("-c", "from bench import cycle; cycle.PROFILED_CALLBACKS = 3; print(cycle.profile())")
    assert " ms  SIP: reading" in told
    assert "'profile_3_of_3'" in told.splitlines()[-1]
