"""The log of an engine that carries real calls: each line of a callback has its ID, and no number can be read in it."""

import json
from pathlib import Path

from tests.callback.configuration import A, B
from tests.callback.conftest import running
from webcb.models import Leg


def test_a_callback_can_be_followed_in_the_log(tmp_path: Path) -> None:
    with running(tmp_path, WEBCB_LOG_FORMAT="json") as webcb:
        webcb.phone("A", "answers")
        webcb.phone("B", "is_busy")
        callback = webcb.place()
        webcb.wait_for_state(callback, "ended", 20)
        webcb.stop_engine()
        entries = [json.loads(line) for line in webcb.log().splitlines()]
    assert all({"at", "level", "node", "logger", "message"} <= each.keys() for each in entries)
    of_it = [each["message"] for each in entries if each.get("callback") == callback]
    assert "B busy" in of_it[-1]
    # What deep in the engine knows nothing of callbacks says it, too: this installation has no prompts.
    assert any(each.startswith("there is no prompt busy") for each in of_it), of_it
    others = [each["message"] for each in entries if "callback" not in each]
    assert all(not each.startswith("there is no prompt") for each in others)
    assert any("is up" in each for each in others)
    assert Leg.select().where(Leg.callback == callback).count() == 2
    written = json.dumps(entries)
    for number in (A.digits, B.digits):
        assert number not in written
        assert f"{number[:-3]}***" in written
