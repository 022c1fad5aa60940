"""`webcb demo`: fresh data, web and engine under their supervisor, the carrier; told to the person, ended with Ctrl-C.

What is said is in `welcome`; what the phones do in `phones`.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from ipaddress import ip_address
from pathlib import Path

from webcb import clock, db
from webcb import settings as settings_reader
from webcb.billing import credentials
from webcb.demo.proxy import Softphone
from webcb.demo.reach import pages_answer, sip_answers
from webcb.demo.softphone import SoftphoneProblem, reachable_host, read_softphone
from webcb.demo.welcome import OPERATOR, Scene, welcome
from webcb.models import User
from webcb.provisioning.apply import apply
from webcb.provisioning.document import read
from webcb.serve import end_group, spawn, wait_for_signal, watch_signals, why_not_bindable
from webcb.settings import ENVIRONMENT_PREFIX, Bind, Settings

HTTP_PORT = 8901
ENGINE_PORT = 5070
CARRIER_PORT = 5080
START_SECONDS_MAX = 60.0
END_SECONDS_MAX = 12.0  # a little more than the supervisor gives its own children
LOOK_SECONDS = 0.1
LOG_LINES_SHOWN = 15
FAILED = 1
# As they stand in demo.yaml.
PRICED = ("1", "55")
WRITTEN_HOST = "host: 127.0.0.1"
WRITTEN_PORT = f"port: {CARRIER_PORT}"


class DemoProblem(Exception):
    """The demo cannot be shown; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where everything runs; `notes` say which ports are not the usual ones."""

    folder: Path
    settings: Settings
    carrier: Bind
    notes: tuple[str, ...]

    @property
    def config(self) -> Path:
        return self.folder / "webcb.toml"

    @property
    def log(self) -> Path:
        return self.folder / "webcb.log"


def main(
    *, http_port: int | None = None, data_dir: Path | None = None, phones: Sequence[str] = (), keep: bool = False
) -> int:
    """Show the demo until SIGINT or SIGTERM; 0 when it was ended so, 1 when it could not be shown or a part of it died.

    `http_port` None takes 8901 or, where that is in use, any. `phones` are `NUMBER=sip:user@host:port`. A `data_dir` must be
    empty and is left as it is afterwards; without one a temporary folder is used, and removed unless `keep`.
    """
    watch_signals()
    with ExitStack() as ends:
        try:
            softphones = _softphones(phones)
            folder = _folder(data_dir, keep, ends)
            stage = _set_up(folder, http_port, reachable_host(softphones))
            children = _start(stage, phones, ends)
            if not _wait_until_all_answer(stage, children):
                return 0
            scene = Scene(
                pages=str(stage.settings.http_bind),
                engine=str(stage.settings.sip_binds[0]),
                carrier=str(stage.carrier),
                config=str(stage.config),
                log=str(stage.log),
                softphones=softphones,
                notes=stage.notes,
                command="webcb" if shutil.which("webcb") else str(Path(sys.executable).parent / "webcb"),
            )
            print(welcome(scene), flush=True)
            while wait_for_signal(None) not in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                _see_that_all_live(stage, children)
        except (DemoProblem, SoftphoneProblem) as wrong:
            print(f"webcb demo: {wrong}", file=sys.stderr)
            return FAILED
        print("\nEnding.", flush=True)
    if keep or data_dir:
        print(f"The data of the demo are kept in {folder}.")
    return 0


# Before the curtain -----------------------------------------------------------------------------------------------------


def _softphones(phones: Sequence[str]) -> list[Softphone]:
    softphones = [read_softphone(text) for text in phones]
    for softphone in softphones:
        if not softphone.number.startswith(PRICED):
            raise DemoProblem(
                f"+{softphone.number}: the demo has prices for +1 and +55 only; give the phone such a number"
            )
    return softphones


def _folder(data_dir: Path | None, keep: bool, ends: ExitStack) -> Path:
    if data_dir is None:
        folder = Path(tempfile.mkdtemp(prefix="webcb-demo-"))
        if not keep:
            ends.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(data_dir.iterdir()):
            raise DemoProblem(f"{data_dir} is not empty; the demo begins with a fresh folder, so name another")
    except OSError as wrong:
        raise DemoProblem(f"{data_dir}: {wrong.strerror}; name a folder this user may write") from None
    return data_dir.absolute()


def _set_up(folder: Path, http_port: int | None, host: str) -> _Stage:
    notes: list[str] = []
    http = http_bind(http_port, notes)
    engine = sip_bind(Bind(host, ENGINE_PORT), "the engine", notes)
    carrier = sip_bind(Bind(host, CARRIER_PORT), "the carrier", notes)
    chosen = {
        "data_dir": str(folder),
        "node_name": "demo",
        "http_bind": str(http),
        "http_workers": 1,
        "sip_binds": [str(engine)],
        "rtp_hosts": [host],
        "payment_provider": "test" if ip_address(host).is_loopback else "",
    }
    config = folder / "webcb.toml"
    config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in chosen.items()))
    settings = settings_reader.load({}, config)
    _provision(settings, carrier)
    return _Stage(folder, settings, carrier, tuple(notes))


def http_bind(port: int | None, notes: list[str]) -> Bind:
    """Where the pages are served: at the port asked for, else the usual one, else any, which is noted. Raises DemoProblem."""
    wanted = Bind("127.0.0.1", port or HTTP_PORT)
    reason = why_not_bindable(wanted)
    if reason is None:
        return wanted
    if port:
        raise DemoProblem(f"the pages cannot be served at {wanted}: {reason}; choose another --http-port")
    found = _free(wanted, socket.SOCK_STREAM)
    notes.append(f"port {HTTP_PORT} is in use, so the pages are at {found}.")
    return found


def sip_bind(wanted: Bind, whose: str, notes: list[str]) -> Bind:
    """Where SIP is spoken: as wanted, else at any port of the host, which is noted. Raises DemoProblem."""
    if why_not_bindable(wanted, socket.SOCK_DGRAM) is None:
        return wanted
    found = _free(wanted, socket.SOCK_DGRAM)
    notes.append(f"port {wanted.port} is in use, so {whose} speaks SIP at {found}.")
    return found


def _free(wanted: Bind, kind: int) -> Bind:
    """The same host with a port that nobody has at the moment."""
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        try:
            probe.bind((wanted.host, 0))
        except OSError as wrong:
            raise DemoProblem(f"{wanted.host}: {wrong.strerror}") from None
        return Bind(wanted.host, probe.getsockname()[1])


def configuration(carrier: Bind) -> str:
    """The demo's provisioning file, with the carrier at that address."""
    text = (resources.files("webcb.demo") / "demo.yaml").read_text()
    host = f'host: "{carrier.host}"'  # in quotes for the colons of IPv6
    return text.replace(WRITTEN_HOST, host).replace(WRITTEN_PORT, f"port: {carrier.port}")


def _provision(settings: Settings, carrier: Bind) -> None:
    text = configuration(carrier)
    (settings.data_dir / "demo.yaml").write_text(text)
    opened = db.connect(settings.database)
    credentials.use_key(settings.secret_key)
    db.migrate()
    apply(read(text.encode()), clock.utc_now(), "demo", file="demo.yaml")
    with db.writing():
        password = credentials.hash_password(OPERATOR.password)
        User.create(login=OPERATOR.login, role="administrator", password=password)
    opened.close()


# On stage ---------------------------------------------------------------------------------------------------------------

_Children = dict[str, subprocess.Popen[bytes]]


def _start(stage: _Stage, phones: Sequence[str], ends: ExitStack) -> _Children:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
    environment["WEBCB_CONFIG"] = str(stage.config)
    children: _Children = {}
    ends.callback(_end, children)
    carrier = [sys.executable, "-m", "webcb.demo.carrier"]
    carrier += [f"--host={stage.carrier.host}", f"--port={stage.carrier.port}", *(f"--phone={each}" for each in phones)]
    children["the carrier"] = spawn(carrier, environment=environment, output=sys.stdout)
    with stage.log.open("w") as log:
        serve = [sys.executable, "-m", "webcb", "serve"]
        children["web and engine"] = spawn(serve, environment=environment, output=log)
    return children


def _wait_until_all_answer(stage: _Stage, children: _Children) -> bool:
    """True when all answer, False when told to end before. Raises DemoProblem."""
    give_up_at = clock.monotonic() + START_SECONDS_MAX
    waiting: dict[str, Callable[[], bool]] = {
        "the carrier": lambda: sip_answers(stage.carrier),
        "the engine": lambda: sip_answers(stage.settings.sip_binds[0]),
        "the pages": lambda: pages_answer(stage.settings.http_bind),
    }
    while waiting:
        _see_that_all_live(stage, children)
        if clock.monotonic() > give_up_at:
            raise DemoProblem(f"{', '.join(waiting)} did not answer in time\n{_last_lines(stage.log)}")
        if wait_for_signal(LOOK_SECONDS) in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            return False
        waiting = {name: answers for name, answers in waiting.items() if not answers()}
    return True


def _see_that_all_live(stage: _Stage, children: _Children) -> None:
    for name, child in children.items():
        if child.poll() is not None:
            raise DemoProblem(f"{name} ended unexpectedly ({child.returncode})\n{_last_lines(stage.log)}")


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join([f"The end of {log}:", *(f"  {line}" for line in lines[-LOG_LINES_SHOWN:])])


def _end(children: _Children) -> None:
    for child in children.values():
        child.send_signal(signal.SIGINT)  # nobody comes after us: no call is left to a next engine
    give_up_at = clock.monotonic() + END_SECONDS_MAX
    for child in children.values():
        try:
            child.wait(max(0.0, give_up_at - clock.monotonic()))
        except subprocess.TimeoutExpired:
            end_group(child)
            child.wait()
