"""webcb drain with a real engine: what talks goes on, what is requested waits for another node or for --undo."""

import os
import subprocess
import sys
from datetime import timedelta

from tests.engine.test_runner import SECRET, Site, site, wait_until  # noqa: F401  a fixture
from webcb import clock, doorbell, fleet, models
from webcb.billing import reception


def webcb(site: Site, *words: str) -> str:  # noqa: F811
    own = {
        "WEBCB_DATA_DIR": str(site.folder),
        "WEBCB_DATABASE_URL": site.database_url,
        "WEBCB_NODE_NAME": "one",
        "WEBCB_SECRET_KEY": SECRET,
    }
    environment = os.environ | own
    done = subprocess.run(
        [sys.executable, "-m", "webcb.cli", *words], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_node_that_drains_ends_no_call_and_takes_none(site: Site) -> None:  # noqa: F811
    site.start()
    first = site.place("one")
    wait_until(lambda: site.state(first) == "talking")
    said = webcb(site, "drain")
    assert "node one takes no new callbacks; in progress: 1" in said
    assert "no other node is up" in said
    second = site.place("two")
    models.Callback.update(requested_at=clock.utc_now()).execute()
    assert "node one: drains; callbacks in progress: 1" in webcb(site, "check", "--only", "nodes")
    reception.ask_release(first, "operator", clock.utc_now())
    doorbell.ring(site.bell)
    assert "node one is drained" in webcb(site, "drain", "--wait")
    assert (site.state(first), site.state(second)) == ("ended", "requested")
    assert [row.action for row in models.Audit.select()] == ["node drained", "node drained"]
    assert "drained" in webcb(site, "nodes")
    assert "takes new callbacks again" in webcb(site, "drain", "--undo")
    doorbell.ring(site.bell)
    wait_until(lambda: site.state(second) == "talking")


def test_how_a_node_stands() -> None:
    at = clock.utc_now()
    lately = at - timedelta(seconds=1)
    assert fleet.node_state(lately, False, 3, at) == "up"
    assert fleet.node_state(lately, True, 3, at) == "drains"
    assert fleet.node_state(lately, True, 0, at) == "drained"
    assert fleet.node_state(at - timedelta(minutes=1), True, 0, at) == "not heard from"
    assert fleet.node_state(None, False, 0, at) == "not heard from"
