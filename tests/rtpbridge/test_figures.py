"""The bounds of what the bridge may cost, held to its benchmarks: `make soak`, on a machine with nothing else to do.

CPU time, not the clock; of two relays on the same phones by turns, of codecs the median of rounds.
"""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import codecs, media, pacing
from bench.loopback import network_apart
from bench.turns import Interval, interval

KERNEL_SHARE_MAX = 0.10  # more than no relay at all, phones and relay together
USER_SPACE_SHARE_MAX = 0.6  # of rtpengine's CPU, packet by packet that arrived
PACE_P99_MS_MAX = 2.0


@pytest.fixture
def apart() -> Iterator[None]:
    """As many descriptors as the system gives (2,000 calls have 16,000, phones, relay and all), and nobody else on the loopback."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with network_apart() as is_apart:
        assert is_apart
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.soak
@pytest.mark.parametrize("calls", media.CALLS)
def test_the_kernel_path_adds_little_and_user_space_takes_little_beside_rtpengine(
    tmp_path: Path, apart: None, calls: int
) -> None:
    compared, shares = media.compare(media.build_load(tmp_path), calls)
    assert shares["kernel"].median <= KERNEL_SHARE_MAX, shares
    assert shares["user space"].median <= USER_SPACE_SHARE_MAX, shares
    assert compared["user space"].lost_percent == compared["kernel"].lost_percent == 0, compared


@pytest.mark.soak
def test_codecs_and_seals_keep_their_bounds() -> None:
    figures = codecs.run()
    bounds = {name: bound for name in figures if (bound := codecs.bound_ns(name)) is not None}
    assert len(bounds) == 12  # four suites sealed and opened, four ways between codecs
    assert {name: figures[name]["ns"] for name, bound in bounds.items() if figures[name]["ns"] > bound} == {}


@pytest.mark.soak
def test_frames_of_200_legs_are_on_time() -> None:
    assert pacing.measure(200, seconds=5).p99_ms < PACE_P99_MS_MAX


def test_a_median_lies_between_the_values_that_a_coin_would_leave_around_it() -> None:
    # The table of the sign test: of 24 values the 7th and the 18th, of 10 the 2nd and the 9th; of five none can tell.
    assert interval([float(value) for value in range(24, 0, -1)]) == Interval(12.5, 7.0, 18.0)
    assert interval([float(value) for value in range(1, 11)]) == Interval(5.5, 2.0, 9.0)
    assert interval([3.0, 1.0, 2.0, 5.0, 4.0]) == Interval(3.0, 1.0, 5.0)
