"""The ground that several nodes stand on: the hosts of the database, of three engines, of the pages, of a carrier's edge (kamailio)
and of its switches (sipp), and what may happen to them.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from tests import databases, postgresql
from tests.callback.phones import SCENARIOS, SIPP
from tests.fleet.configuration import PREFIXES, configure, number
from tests.fleet.network import Network, network
from tests.fleet.wire import Calls
from tests.waiting import descendants, wait_until
from webcb import db
from webcb.billing import credentials
from webcb.models import Account

TOP: Final = Path(__file__).parents[2]
SECRET_KEY: Final = "a key of the tests alone"
NODES: Final = ("one", "two", "three")
DATABASE, WEB, EDGE, SWITCHES = "database", "web", "edge", "switches"
SIP_PORT: Final = 5060
SWITCH_PORTS: Final = {"A": 5070, "B": 5080, "limited": 5090}
CALLS_MAX: Final = 1_000_000  # of a switch: it is ended by us
RING_MS: Final = 300
COMMAND: Final = [sys.executable, "-m", "webcb.cli"]
KAMAILIO: Final = shutil.which("kamailio") or "/usr/sbin/kamailio"
WORKERS: Final = 1  # of the pages
CALLS_PATH: Final = "/api/v1/click-to-dial/calls"


@dataclass
class Node:
    """An engine on a host of its own; `process` is the latest."""

    name: str
    folder: Path
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def log(self) -> Path:
        return self.folder / "engine.log"

    def start(self) -> None:
        """Start an engine; nobody waits until it is up."""
        self.starts += 1
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
            )

    def wait_until_up(self) -> None:
        assert self.process is not None
        wait_until(
            lambda: self.log.read_text().count("is up: SIP") >= self.starts, f"the engine of node {self.name} is up", 60
        )

    def kill(self) -> None:
        """kill -9: it can do nothing more."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, seconds_max: float = 40) -> int:
        """SIGTERM; its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(seconds_max)


@dataclass
class Ground:
    """Everything that runs. `keys` are those to the API by account."""

    folder: Path
    network: Network
    server: postgresql.Server
    url: str  # of the database, for who is no host
    environment: dict[str, str]
    nodes: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    refused: list[tuple[int, str]] = field(default_factory=list)

    # What happens --------------------------------------------------------------------------------------------------------

    def cut(self, node: str) -> None:
        """Nothing passes between a node and the database, and nobody is told."""
        self.network.cut(node, DATABASE)

    def mend(self, node: str) -> None:
        self.network.mend(node, DATABASE)

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """A process that is there, and says nothing."""
        process = self.processes[name]
        for each in [process.pid, *descendants(process.pid)]:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in [process.pid, *descendants(process.pid)]:
                os.kill(each, signal.SIGCONT)

    def place(self, account: str, a: int, b: int, connection: str = "B") -> str | None:
        """Ask the pages for a callback between two numbers; its id, or None where it was refused (which is noted)."""
        try:
            answer = self.ask(account, a, b, connection)
        except httpx.HTTPError as wrong:
            self.refused.append((0, repr(wrong)))
            return None
        if answer.status_code != 201:
            self.refused.append((answer.status_code, answer.text))
            return None
        return str(answer.json()["callId"])

    def ask(self, account: str, a: int, b: int, connection: str = "B") -> httpx.Response:
        """The same; what the pages say."""
        parties = {"caller": number("A", a).digits, "callee": number(connection, b).digits}
        body = {name: {"number": f"+{digits}"} for name, digits in parties.items()}
        with self._http() as http:
            return http.post(CALLS_PATH, json=body, headers={"Authorization": f"Bearer {self.keys[account]}"})

    def ready(self) -> httpx.Response:
        """What the pages say of the service."""
        with self._http() as http:
            return http.get("/readyz")

    def _http(self) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=str(self.folder / "web.sock"))
        return httpx.Client(transport=transport, base_url="http://webcb", timeout=30)

    def calls(self) -> Calls:
        """What the switches have seen so far."""
        return Calls([self.folder / name / "messages.csv" for name in SWITCH_PORTS])

    def run(self, node: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A webcb command on a node, to its end."""
        there = self.nodes[node]
        command = [*self.network.inside(node), *COMMAND, *words]
        return subprocess.run(command, env=there.environment, cwd=there.folder, capture_output=True, text=True)

    def began_on(self) -> dict[str, str]:
        """On which node each callback was begun, as the engines have logged it."""
        begun = re.compile(r"callback (\w+): A ")
        return {
            found[1]: node.name
            for node in self.nodes.values()
            if node.log.exists()
            for found in begun.finditer(node.log.read_text())
        }

    # Setting up ----------------------------------------------------------------------------------------------------------

    def add_node(self, name: str, **settings: str) -> None:
        """A host's engine; it is not started."""
        address, folder = self.network.addresses[name], self.folder / name
        folder.mkdir()
        own = {
            "WEBCB_DATA_DIR": str(folder),
            "WEBCB_NODE_NAME": name,
            "WEBCB_SIP_BINDS": f"{address}:{SIP_PORT}",
            "WEBCB_RTP_HOSTS": address,
            **settings,
        }
        command = [*self.network.inside(name), *COMMAND, "engine"]
        self.nodes[name] = Node(name, folder, command, {**self.environment, **own})

    def start_all(self, talk_ms: int | None = None, talk_ms_limited: int | None = None) -> None:
        """Engines, pages and carrier, all up; who is called as B talks so long (None: as chance will have it).

        Over the limited connection one may talk another time.
        """
        for node in self.nodes.values():
            node.start()
        self.start_pages()
        called = [
            ("speaks_a_while", {}) if ms is None else ("hangs_up", {"ring_ms": RING_MS, "talk_ms": ms})
            for ms in (talk_ms, talk_ms_limited or talk_ms)
        ]
        self.start_carrier({"A": ("answers", {}), "B": called[0], "limited": called[1]})
        for node in self.nodes.values():
            node.wait_until_up()

    def start_pages(self, workers: int = WORKERS) -> None:
        folder = self.folder / WEB
        folder.mkdir()
        own = {"WEBCB_DATA_DIR": str(folder), "WEBCB_NODE_NAME": WEB}
        bind = f"unix:{self.folder / 'web.sock'}"
        words = [
            f"--bind={bind}",
            "--worker-class=gthread",
            f"--workers={workers}",
            "--threads=4",
            "--no-control-socket",
        ]
        self._run(WEB, WEB, [sys.executable, "-m", "gunicorn", "wsgi:app", *words], **own)
        wait_until((self.folder / "web.sock").exists, "the pages listen", 60)

    def start_clerk(self) -> None:
        own = {"WEBCB_DATA_DIR": str(self.folder / WEB), "WEBCB_NODE_NAME": WEB}
        self._run("clerk", WEB, [*COMMAND, "clerk"], **own)

    def start_carrier(self, scenarios: dict[str, tuple[str, dict[str, int]]]) -> None:
        """The carrier's edge, and its switches that play these scenarios, each with its variables."""
        there = self.network.addresses[SWITCHES]
        for name, (scenario, variables) in scenarios.items():
            folder, port = self.folder / name, SWITCH_PORTS[name]
            folder.mkdir()
            settings = [word for key, value in variables.items() for word in ("-set", key, str(value))]
            command = [
                *(SIPP, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-m", str(CALLS_MAX), "-nostdin", "-aa"),
                *("-i", there, "-bind_local", "-p", str(port), "-mi", there, "-mp", str(10_000 + 10 * (port % 5000))),
                *("-cp", str(port + 5), "-trace_shortmsg", "-shortmessage_file", "messages.csv", *settings),
                *("-trace_err", "-error_file", "errors.log"),
            ]
            self._run(name, SWITCHES, command, folder)
        command = [
            *(KAMAILIO, "-f", str(Path(__file__).parent / "edge.cfg"), "-DD", "-E", "-m", "32", "-M", "4"),
            *("-l", f"udp:{self.network.addresses[EDGE]}:{SIP_PORT}", "-P", str(self.folder / "kamailio.pid")),
            *(
                word
                for name, letter in zip(PREFIXES, "ABC", strict=True)
                for word in ("-A", f'SWITCH_{letter}="sip:{there}:{SWITCH_PORTS[name]}"')
            ),
        ]
        self._run(EDGE, EDGE, command)

    def _run(self, name: str, host: str, command: Sequence[str], folder: Path = TOP, **environment: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.network.inside(host), *command],
                env={**self.environment, **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def close(self) -> None:
        """End what still runs, and say what it said: pytest shows it where the test failed."""
        running = [*self.processes.values(), *(node.process for node in self.nodes.values() if node.process)]
        for process in running:
            process.terminate()
        give_up_at = time.monotonic() + 3
        for process in running:
            try:
                process.wait(max(0.0, give_up_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in [*(node.log for node in self.nodes.values()), *self.folder.glob("*.log")]:
            if log.exists():
                print(f"--- {log.name} {log.parent.name}\n{log.read_text(errors='replace')[-6000:]}")
        print("refused:", self.refused[:20])


@contextmanager
def ground(folder: Path, nodes: Sequence[str] = NODES, **settings: str) -> Iterator[Ground]:
    """Hosts, a database with its configuration; nothing else is started."""
    with ExitStack() as opened:
        wires = opened.enter_context(network(DATABASE, WEB, EDGE, SWITCHES, *nodes))
        address = wires.addresses[DATABASE]
        server = opened.enter_context(postgresql.serving(wires.inside(DATABASE), address))
        url = opened.enter_context(databases.database_of(server.url))
        name = url.partition(":///")[2].partition("?")[0]
        environment = {
            "WEBCB_DATABASE_URL": f"postgresql://webcb@{address}/{name}",
            "WEBCB_SECRET_KEY": SECRET_KEY,
            "WEBCB_RTP_KERNEL": "off",
            "PYTHONPATH": str(TOP),
            **settings,
        }
        made = Ground(folder, wires, server, url, os.environ | environment)
        db.connect(url)
        db.migrate()
        credentials.use_key(SECRET_KEY)
        made.keys = configure(wires.addresses[EDGE])
        assert Account.select().count() == len(made.keys)
        opened.callback(made.close)
        for node in nodes:
            made.add_node(node)
        yield made
