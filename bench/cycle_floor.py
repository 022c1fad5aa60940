"""What a callback must cost the engine at the least: its statements by hand and its SIP alone, in milliseconds of CPU.

Measured in the run of the cycle it stands beside. The statements are those of authorization and settlement, recorded and run again on
a copy of the same file as `bench.billing` does it; of the SIP, which `bench.sip_own` speaks at both ends, half. What the floor has
not: voice, states on rows, traces, figures, waiting.
"""

import statistics
import tempfile
import time
from pathlib import Path

from bench import billing, sip, sip_own
from bench.cycle_house import Figures

RUNS = 5
CALLS = 40


def measure() -> Figures:
    """The two parts and their sum, each the median of RUNS."""
    with tempfile.TemporaryDirectory() as folder, billing._house(Path(folder)) as house:
        statements = statistics.median(
            _statements_ms(house, Path(folder) / "by-hand.sqlite", run) for run in range(RUNS)
        )
    signalling = statistics.median(_signalling_ms() for _ in range(RUNS))
    return {
        "floor_statements_cpu_ms": round(statements, 2),
        "floor_sip_cpu_ms": round(signalling, 2),
        "floor_cpu_ms_per_callback": round(statements + signalling, 2),
    }


def _statements_ms(house: billing.rows.House, copy: Path, run: int) -> float:
    ids = billing._placed(house, run)
    billing._copy(copy)
    with billing._recorded() as recorded:
        billing._begin_and_settle(ids, billing.GROUP, recorded)
    began = time.process_time()
    billing._by_hand(copy, recorded)
    return 1000 * (time.process_time() - began) / len(ids)


def _signalling_ms() -> float:
    began = time.process_time()
    sip_own.two_leg_calls(sip.OFFER, CALLS)
    return 1000 * (time.process_time() - began) / CALLS / 2
