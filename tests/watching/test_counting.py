"""What is counted and told: the right numbers from the tables, from processes together, and only to who may ask."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from tests.billing import rows
from tests.billing.conftest import database  # noqa: F401 - a fixture
from tests.billing.rows import NOON
from tests.billing.test_ledger import begun, used
from tests.web import scene
from webcb import clock, db, models
from webcb.billing import settlement
from webcb.watching import counting, tables
from webcb.web import create_app

TOP = Path(__file__).parents[2]

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: bytes) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def told(**moments: timedelta) -> Samples:
    return samples(counting.exposition(tables.registry(lambda: NOON + moments.get("after", timedelta()))))


@pytest.mark.usefixtures("database")
def test_the_tables_tell_calls_money_and_queues() -> None:
    house = rows.house(first=60, following=6)
    settlement.settle(begun(house, "ended"), [used("A", 85.2), used("B", 60.1)], "B hung up", True, NOON)
    begun(house, "goes on")
    models.Callback.update(state="talking").where(models.Callback.idempotency_key == "goes on").execute()
    rows.place(house, "waits", NOON - timedelta(seconds=7))
    leg = models.Leg.get(models.Leg.name == "A")
    for position, status in enumerate((486, 200, 200, 503), 1):
        models.Attempt.create(
            leg=leg,
            position=position,
            connection=house.connection,
            placed_at=NOON,
            ended_at=NOON,
            status=status,
            setup_ms=500,
        )
    models.RefusalCount.create(hour_at=NOON, reason="no funds", refusals=3)
    found = told(after=timedelta(seconds=2))
    carrier = (("connection", "carrier"),)
    assert found["webcb_callbacks", (("state", "talking"),)] == 1
    assert found["webcb_callbacks", (("state", "requested"),)] == 1
    assert found["webcb_callbacks", (("state", "calling B"),)] == 0
    assert found["webcb_request_age_seconds", ()] == 9
    assert found["webcb_recent_endings", (("ending", "B hung up"),)] == 1
    assert found["webcb_answer_seizure_ratio", carrier] == 0.5
    assert found["webcb_recent_post_dial_delay_seconds", carrier] == 0.5
    assert found["webcb_connection_up", carrier] == 1
    assert ("webcb_connection_registered", carrier) not in found  # nowhere must we register
    assert found["webcb_locks_held", ()] == 1
    assert found["webcb_locked_funds", (("currency", "USD"),)] == 0.2
    assert found["webcb_locks_of_ended_callbacks", ()] == 0
    assert found["webcb_refusals_this_hour", (("reason", "no funds"),)] == 3
    assert found["webcb_node_silent_seconds", (("node", "one"),)] == 2
    assert found["webcb_ledger_rows", ()] == models.Ledger.select().count()


PROGRAM = """
import sys; from pathlib import Path; from webcb.watching import counting
counting.share(Path(sys.argv[1]))
counting.numbers().callbacks_ended.labels("B hung up").inc(2)
counting.numbers().callbacks_running.set(5)
print("counted", flush=True)
if sys.argv[2] == "stay": sys.stdin.read()
"""
SHOW = """
import sys; from pathlib import Path; from webcb.watching import counting
counting.share(Path(sys.argv[1])); sys.stdout.buffer.write(counting.exposition())
"""


def shown(folder: Path) -> Samples:
    ran = subprocess.run([sys.executable, "-c", SHOW, str(folder)], cwd=TOP, capture_output=True, check=True)
    return samples(ran.stdout)


def test_processes_are_told_together_and_the_dead_say_nothing_of_now(tmp_path: Path) -> None:
    stays = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), "stay"], cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert stays.stdout and stays.stdout.readline() == b"counted\n"
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path), "end"], cwd=TOP, capture_output=True, check=True)
    found = shown(tmp_path)
    assert found["webcb_callbacks_ended_total", (("ending", "B hung up"),)] == 4
    assert found["webcb_engine_callbacks_running", ()] == 5
    stays.kill()
    stays.communicate()
    found = shown(tmp_path)
    assert found["webcb_callbacks_ended_total", (("ending", "B hung up"),)] == 4
    assert ("webcb_engine_callbacks_running", ()) not in found
    counting.start_anew(tmp_path)
    assert ("webcb_callbacks_ended_total", (("ending", "B hung up"),)) not in shown(tmp_path)


# Over HTTP -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    chosen = scene.settings(tmp_path)
    scene.build(chosen)
    return create_app(chosen)


def test_metrics_are_for_the_networks_that_were_named(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type == counting.CONTENT_TYPE
    assert samples(answer.data)["webcb_callbacks", (("state", "talking"),)] == 0
    for stranger in ("192.0.2.1", "2001:db8::1"):
        assert client.get("/metrics", environ_base={"REMOTE_ADDR": stranger}).status_code == 404
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "::ffff:127.0.0.1"}).status_code == 200


def test_without_a_database_the_processes_are_told_all_the_same(app: Flask, tmp_path: Path) -> None:
    client = app.test_client()
    client.get("/healthz")
    db.database.close()
    db.connect(f"sqlite:///{tmp_path}")  # a folder cannot be opened
    found = samples(client.get("/metrics").data)
    assert found["webcb_http_requests_total", (("endpoint", "health.healthz"), ("status", "200"))] >= 1
    assert ("webcb_locks_held", ()) not in found
    assert client.get("/readyz").status_code == 503


def test_ready_is_who_can_call(app: Flask) -> None:
    client = app.test_client()
    models.Node.get_or_create(name="test")
    models.Node.update(heard_at=clock.utc_now()).execute()
    assert client.get("/readyz").data == b"ready\n"
    models.Node.update(heard_at=clock.utc_now() - timedelta(seconds=30)).execute()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.data) == (503, b"no engine gives a sign of life\n")
    assert client.get("/healthz").status_code == 200


# Files for Prometheus and Grafana --------------------------------------------------------------------------------------


def test_promtool_finds_nothing_wrong_with_the_metrics(app: Flask) -> None:
    text = app.test_client().get("/metrics").data
    ran = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, b"", b"")


def test_the_alerts_say_what_they_should() -> None:
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        ran = subprocess.run(["promtool", *command], cwd=TOP / "deploy", capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.usefixtures("database")
def test_dashboard_and_alerts_ask_for_what_there_is_and_the_page_names_all_of_it() -> None:
    import json
    import re

    families = [*tables.Tables(clock.utc_now).collect(), *counting.Numbers(CollectorRegistry()).registry.collect()]
    known = {family.name for family in families}
    dashboard = json.loads((TOP / "deploy/grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    for text in [*asked, (TOP / "deploy/alerts.yaml").read_text()]:
        for name in re.findall(r"webcb_[a-z_]+", text):
            assert name in known or re.sub(r"_(total|bucket|count|sum)$", "", name) in known, name
    page = (TOP / "docs/watching.md").read_text()
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        assert f"| `{name}` | {family.documentation} |" in page, name
