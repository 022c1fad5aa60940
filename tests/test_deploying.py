"""What `deploy/` says to other programs: the image, the containers, the unit, the dashboard. Read here as those would read them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tests.reference_pages import metric_tables
from webcb.cli import commands
from webcb.settings import NAMES, load

TOP = Path(__file__).parent.parent
DEPLOY = TOP / "deploy"
GIVEN = {"POSTGRES_PASSWORD": "x", "WEBCB_SIP_BINDS": "192.0.2.10:5060", "WEBCB_RTP_HOSTS": "192.0.2.10"}
OFFICIAL = re.compile(r"[a-z]+:[a-z0-9.-]+")  # no registry, no owner


def instructions() -> list[tuple[str, str]]:
    """Those of the Dockerfile, with their continued lines."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def test_the_image_is_made_of_what_is_there() -> None:
    copied = [rest for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    sources = [TOP / source for each in copied for source in each.split()[:-1]]
    assert [source for source in sources if not source.exists()] == []
    ignored = (TOP / ".dockerignore").read_text().split()
    assert {source.name for source in sources}.isdisjoint(ignored)
    built_from = {"pyproject.toml", "setup.py", "schema.sql", "wsgi.py", "README.md", "LICENSE", "webcb", "rtpbridge"}
    assert built_from <= {source.name for source in sources}
    assert all(OFFICIAL.fullmatch(rest.split()[0]) for name, rest in instructions() if name == "FROM")
    assert [rest for name, rest in instructions() if name == "USER"] == ["webcb"]


@pytest.fixture
def services() -> dict[str, Any]:
    return compose()


def compose() -> dict[str, Any]:
    """The services of the compose file, what is to be given being given."""
    text = re.sub(r"\$\{(\w+)((?::)?[-?][^}]*)?\}", _given, (DEPLOY / "compose.yaml").read_text())
    return dict(yaml.safe_load(text)["services"])


def _given(found: re.Match[str]) -> str:
    name, rest = found[1], found[2] or ""
    if name in GIVEN:
        return GIVEN[name]
    assert rest.startswith(":-"), f"{name} has no default, and nothing says that it is to be given"
    return rest.removeprefix(":-")


def test_the_containers_run_what_there_is_with_settings_that_are_good(services: dict[str, Any]) -> None:
    ours = {name: each for name, each in services.items() if each["image"] == "webcb"}
    assert set(ours) == {"init", "web", "engine", "clerk"}
    for name, each in ours.items():
        command = " ".join(each["command"])
        for called in re.findall(r"\bwebcb (\w+)", command):
            assert commands.get_command(click.Context(commands), called) is not None, (name, called)
        load(each["environment"], make_missing=False)  # raises where one is unknown or no good
        assert set(each.get("depends_on", {})) <= set(services)
    assert all(OFFICIAL.fullmatch(each["image"]) for name, each in services.items() if name not in ours)
    assert "--stand-by" in ours["engine"]["command"]


def test_the_example_of_settings_is_good() -> None:
    read = load({}, DEPLOY / "webcb.toml", make_missing=False)
    assert read.node_name == "node-1"
    assert {"data_dir", "sip_binds", "rtp_hosts"} <= set(NAMES)


def test_the_unit_shuts_out_what_it_does_not_need() -> None:
    """The exposure that systemd reckons: 0 is nothing, 10 everything."""
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(DEPLOY / "webcb.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
    assert found, said
    assert float(found[1]) <= 2.5, said.stdout


def test_every_query_of_the_dashboard_and_the_alerts_is_of_a_metric_that_is_told() -> None:
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    panels = [each for panel in dashboard["panels"] for each in (panel, *panel.get("panels", []))]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert dashboard["uid"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    alerts = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())
    queries += [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    told = set(re.findall(r"`(webcb_\w+)`", "\n".join(metric_tables())))
    asked = {
        re.sub(r"_(bucket|sum|count)$", "", name) if re.sub(r"_(bucket|sum|count)$", "", name) in told else name
        for query in queries
        for name in re.findall(r"\bwebcb_\w+", query)
    }
    assert len(queries) > 20
    assert asked - told == set()
    sources = {json.dumps(panel["datasource"], sort_keys=True) for panel in panels if panel.get("targets")}
    assert len(sources) == 1
    for panel in panels:
        assert panel.get("type") == "row" or panel.get("title"), panel


def test_the_unit_lets_an_engine_that_goes_on_with_calls_come_first() -> None:
    """Its limit permits it, and so does its filter of system calls: what is taken away with @resources is given back behind it."""
    unit = (DEPLOY / "webcb.service").read_text()
    assert "LimitNICE=-15" in unit
    taken_away = unit.index("~@privileged @resources")
    assert "setpriority" in unit[taken_away:].split("SystemCallErrorNumber")[0].split()
