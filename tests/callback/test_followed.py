"""A program asks for a callback by the API; engine, phones and clerk are real, and it is told every state, signed, as it comes."""

import json
import subprocess
from pathlib import Path

from tests.callback.configuration import A, B
from tests.callback.conftest import running
from tests.callback.installation import COMMAND
from tests.clerk import sink_server
from tests.web.api.conftest import CALLS, bearing, make_key
from webcb import clock, webhook
from webcb.models import SinkEvent
from webcb.web import create_app

STATES = ["callingCaller", "callingCallee", "connected", "disconnected"]


def test_a_program_is_told_of_a_real_callback(tmp_path: Path) -> None:
    with (
        sink_server.running() as program,
        running(tmp_path, WEBCB_WEBHOOK_NETWORKS="127.0.0.0/8") as webcb,
    ):
        webcb.phone("A", "answers")
        webcb.phone("B", "hangs_up", ring_ms=100, talk_ms=1000)
        app = create_app(webcb.settings)
        made = make_key()
        clerk = subprocess.Popen([*COMMAND, "clerk"], env=webcb.environment)
        try:
            webcb.wire.wait(webcb.settings.clerk_bell.exists, 15, "the clerk is up")
            order = {
                "caller": {"number": f"+{A.digits}"},
                "callee": {"number": f"+{B.digits}"},
                "sink": program.url,
            }
            placed = app.test_client().post(CALLS, json=order, headers=bearing(made.key))
            assert placed.status_code == 201, placed.text
            call_id = placed.json["callId"]
            webcb.wait_for_state(call_id, "ended", 20)
            webcb.wire.wait(lambda: len(program.told) >= len(STATES), 20, "all was told")
        finally:
            clerk.terminate()
            clerk.wait(10)
        told = sorted((json.loads(each.body) for each in program.told), key=lambda event: event["time"])
        assert [event["data"]["status"]["state"] for event in told] == STATES
        assert {event["data"]["callId"] for event in told} == {call_id}
        for each in program.told:
            assert webhook.is_signed_by(made.webhook_secret, each.headers, each.body, clock.utc_now())
        assert {row.tries for row in SinkEvent.select()} == {1}
        assert all(row.delivered_at is not None for row in SinkEvent.select())
