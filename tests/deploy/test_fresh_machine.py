"""docs/installing.md, word by word, on a Debian made a moment before: to a call, and to the next version, nobody turned away."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.machine import Machine, Started, require, said
from tests.deploy.pages import commands
from tests.test_packaging import NOT_SOURCES
from tests.waiting import wait_until
from webcb import __version__, db
from webcb.demo.phones import CALLER, SHORT

TOP = Path(__file__).parents[2]
ADDRESS, NAME, CARRIER_PORT = "198.51.100.7", "callback.example.org", 5080
NEXT = "0.2.0"  # as the page has it

# What a person writes where the page says `editor FILE`.
WRITES = {
    "/etc/webcb/webcb.toml": [("192.0.2.10", ADDRESS)],
    "/etc/webcb/trunk.yaml": [
        ("host: sip.carrier.example ", f"host: {ADDRESS}\n    port: {CARRIER_PORT} "),
        ("choose-a-good-one", "a-good-one"),
    ],
    "/etc/nginx/conf.d/webcb.conf": [("callback.example.net", NAME)],
}
CERTIFICATE = (
    f"mkdir -p /etc/letsencrypt/live/{NAME}",
    f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN={NAME} -addext subjectAltName=DNS:{NAME}"
    f" -keyout /etc/letsencrypt/live/{NAME}/privkey.pem -out /etc/letsencrypt/live/{NAME}/fullchain.pem 2>&1",
)
READY = "http://127.0.0.1:8901/readyz"
# Asks for the form all the time, over connections that it opens anew, and says how often it was not given.
ASKS = """
import sys, time, urllib.request
asked = bad = 0
until = time.monotonic() + float(sys.argv[1])
while time.monotonic() < until:
    asked += 1
    try:
        with urllib.request.urlopen("http://127.0.0.1:8901/", timeout=20) as answer:
            bad += answer.status != 200
    except OSError as problem:
        bad += 1
        print(problem, flush=True)
    time.sleep(0.05)
print(asked, "asked,", bad, "turned away")
"""
ORDERS = f"""
from bench.visitor import Visitor
visitor = Visitor("127.0.0.1", 8901)
visitor.open_form()
print("callback", visitor.order("cb1001", "a-good-one", "+{CALLER.number}", "+{SHORT.number}"))
"""
CHECK = "WEBCB_CONFIG=/etc/webcb/webcb.toml /opt/webcb/bin/webcb check"
MIGRATION = {
    f"_{db.newest_version() + 1:04}_remarks": "ALTER TABLE xdr ADD COLUMN remark TEXT NOT NULL DEFAULT '';\n"
    "CREATE INDEX xdr_remark ON xdr (remark) WHERE remark <> '';\n"
}
CARRIER = (
    f"setsid /opt/webcb/bin/python -m webcb.demo.carrier --host {ADDRESS} --port {CARRIER_PORT} >/srv/carrier 2>&1 &"
)


def sdist_of(version: str, folder: Path, **migrations: str) -> Path:
    """The delivery of this tree, as that version, which has these migrations besides."""
    sources = folder / version
    shutil.copytree(TOP, sources, ignore=NOT_SOURCES)
    for name, sql in migrations.items():
        (sources / "webcb/migrations" / f"{name.removeprefix('_')}.sql").write_text(sql)
    package = sources / "webcb/__init__.py"
    package.write_text(package.read_text().replace(f'"{__version__}"', f'"{version}"'))
    said([sys.executable, "-m", "build", "--sdist", "--outdir", str(folder), str(sources)])
    return folder / f"webcb-{version}.tar.gz"


def written(machine: Machine, lines: list[str]) -> list[list[str]]:
    """The lines in parts: each ends before somebody takes the editor, whose work is then done."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("editor "):
            parts.append([line])
        else:
            parts[-1].append(line)
    return parts


def edit(machine: Machine, file: str) -> None:
    path = machine.path(file)
    text = path.read_text()
    for old, new in WRITES[file]:
        assert old in text, f"{file} does not say {old!r}, which is to be replaced"
        text = text.replace(old, new)
    path.write_text(text)


def follow(machine: Machine, started: Started, lines: list[str], at: str) -> str:
    """Say the lines as they stand; where one is to edit a file, write what a person would."""
    told = ""
    for part in written(machine, lines):
        if part and part[0].startswith("editor "):
            edit(machine, part.pop(0).split()[1])
        if part:
            told += started.say(*part, at=at)
    return told


@pytest.mark.soak
def test_a_fresh_debian_follows_the_page_to_a_call_and_to_the_next_version(tmp_path: Path) -> None:
    require()
    machine = Machine.make(tmp_path / "debian")
    shutil.copy(sdist_of(__version__, tmp_path), machine.path("/srv"))
    machine.say(*commands("installing.md", "On Debian"))
    sources = f"/srv/webcb-{__version__}"

    service = commands("installing.md", "As a service")
    certificate_at = next(n for n, line in enumerate(service) if line.startswith("editor /etc/nginx"))
    with machine.started() as started:
        started.say(f"ip address add {ADDRESS}/24 dev host0", "ip link set host0 up", CARRIER)
        told = follow(machine, started, service[:certificate_at], sources)
        started.say(*CERTIFICATE)
        told += follow(machine, started, service[certificate_at:], sources)
        assert " 0 wrong" in told
        assert "in use by our engine" in told

        page = f"curl --silent --cacert /etc/letsencrypt/live/{NAME}/fullchain.pem --resolve {NAME}:443:127.0.0.1 https://{NAME}/"
        assert "Connect Us Now!" in started.say(page)
        assert_a_call(started, sources)

        shutil.copy(sdist_of(NEXT, tmp_path, **MIGRATION), machine.path("/srv"))
        before = state_of(started)
        told = next_version(started)
        assert NEXT in told
        assert f"schema version {db.newest_version() + 1}" in told
        assert "books: balances, locks, bills and both sides of the ledger agree, chains are whole: wallets 2" in told
        after = state_of(started)
        assert before == after == ["active", "0", before[2]]  # the very same process 1 of the service
        assert_a_call(started, sources)
        log = started.say("journalctl --unit webcb --no-pager")
        assert "Traceback" not in log


def assert_a_call(started: Started, sources: str) -> None:
    """Somebody orders at the page; both phones are called and talk, and B hangs up."""
    ordered = started.say(f"/opt/webcb/bin/python -c {shlex.quote(ORDERS)}", at=sources)
    found = re.search(r"^callback (\w+)$", ordered, re.MULTILINE)
    assert found, ordered
    xdrs = "WEBCB_CONFIG=/etc/webcb/webcb.toml /opt/webcb/bin/webcb xdrs"
    wait_until(lambda: started.say(xdrs).count(found[1]) == 2, "both legs are billed", 60)


def state_of(started: Started) -> list[str]:
    shown = started.say("systemctl show webcb --property ActiveState --property NRestarts --property MainPID")
    return [re.search(rf"^{name}=(.*)$", shown, re.MULTILINE)[1] for name in ("ActiveState", "NRestarts", "MainPID")]  # type: ignore[index]


def next_version(started: Started) -> str:
    """The page's own lines; meanwhile somebody asks for the form all the time, and is given it."""
    lines = commands("installing.md", "A new version")
    installs = [line for line in lines if "pip install" in line]
    with subprocess.Popen(
        started.command("/opt/webcb/bin/python", "-c", ASKS, "45"), stdout=subprocess.PIPE, text=True
    ) as asking:
        for line in lines:  # the package index is asked for what is missing: that needs a way out
            started.say(line, outwards=line in installs)
        wait_until(lambda: "ready" in started.say(f"curl --silent {READY}"), "the next version is ready", 60)
        told = started.say("/opt/webcb/bin/webcb --version", CHECK)
        answers, _ = asking.communicate(timeout=120)
    assert re.search(r"^[1-9]\d* asked, 0 turned away$", answers, re.MULTILINE), answers
    return told
