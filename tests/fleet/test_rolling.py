"""Three engines are restarted one after the other while calls come in: none is lost, none is late."""

import random
import subprocess
from pathlib import Path

import pytest

from tests.fleet.ground import Ground, ground
from tests.fleet.laws import assert_laws
from tests.fleet.test_nodes import ANSWER_SECONDS_MAX, seconds_to_invite
from tests.fleet.traffic import Traffic, wait_until_over
from webcb.models import Callback


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_a_restart_of_all_nodes_loses_nothing(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    with ground(tmp_path) as there:
        there.start_all(talk_ms=3_000)
        traffic = Traffic(there, random.Random(seed), 10_000, 3.0)
        traffic.start()
        for name, node in there.nodes.items():
            traffic.wait_for(traffic.asked + 10)
            drain(there, name, "--wait")
            assert node.stop() == 0
            node.start()
            node.wait_until_up()
            drain(there, name, "--undo")
        traffic.wait_for(traffic.asked + 10)
        traffic.stop()
        wait_until_over()
        calls = assert_laws(there)
        assert {row.ending for row in Callback.select()} == {"B hung up"}
        waits = seconds_to_invite(calls, list(Callback.select()))
        print(
            f"{Callback.select().count()} callbacks through three restarts; request to INVITE at most {max(waits):.2f} s"
        )
        assert max(waits) <= ANSWER_SECONDS_MAX


def drain(there: Ground, name: str, option: str) -> None:
    done = there.run(name, "drain", option)
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 0, done.stdout + done.stderr
