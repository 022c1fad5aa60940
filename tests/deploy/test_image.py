"""deploy/Dockerfile, built step by step by buildah, and the services of deploy/compose.yaml on that image: to a call that is billed.

The official image of Python is not fetched: a Debian 12 of debootstrap with Debian's own Python 3.11 has its name. There is no Docker
here either: the services are run by `buildah run`, each with the command and the environment that the compose file gives it, one after
the other as it says. What they share, and their network, is made here.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import databases, postgresql
from tests.deploy.machine import AUTHORITIES, Machine, require, said
from tests.deploy.test_fresh_machine import CARRIER_PORT
from tests.test_deploying import TOP, compose
from tests.test_packaging import NOT_SOURCES
from tests.waiting import wait_until
from webcb.demo.phones import CALLER, SHORT

NEEDED = {"debootstrap": "debootstrap", "buildah": "buildah", "ip": "iproute2"}
BASE = "docker.io/library/python:3.11-slim-bookworm"
PYTHON = ("python3", "python3-venv", "python3-dev", "python-is-python3", "ca-certificates")
USER = 990  # of the image
HOST = "127.0.0.1"
ORDER = f"""
from bench.visitor import Visitor
visitor = Visitor("{HOST}", 8901)
visitor.open_form()
print(visitor.order("cb1001", "choose-a-good-one", "+{CALLER.number}", "+{SHORT.number}"))
"""


class Builder:
    """buildah with a store of its own, and a network that leads nowhere for what it runs."""

    def __init__(self, folder: Path) -> None:
        self._command = ["buildah", f"--root={folder / 'store'}", f"--runroot={folder / 'run'}", "--storage-driver=vfs"]
        self.network = f"webcb-image-{os.getpid()}"

    def say(self, *words: str) -> str:
        """What a command of it prints."""
        return said([*self._command, *words]).strip()

    def import_base(self, machine: Machine) -> None:
        """Give the folder of a machine the name that the Dockerfile begins with."""
        container = self.say("from", "scratch")
        self.say("add", "--quiet", container, str(machine.folder), "/")
        self.say("commit", "--quiet", "--rm", container, BASE)

    def build(self, sources: Path) -> str:
        """Build the image; what that printed."""
        how = ("--isolation=chroot", "--network=host", "--pull-never", "--tag=webcb")
        return self.say("build", *how, f"--file={sources / 'deploy/Dockerfile'}", str(sources))

    def inside(self, container: str, service: dict[str, Any], volumes: dict[Path, str], *words: str) -> list[str]:
        """The command that runs words, or what the service runs, as a container of the compose file would."""
        options = ["--isolation=chroot", *(f"--volume={ours}:{theirs}" for ours, theirs in volumes.items())]
        options += [f"--env={name}={value}" for name, value in service["environment"].items()]
        ours = ["ip", "netns", "exec", self.network, *self._command, "run", *options, container, "--"]
        return [*ours, *(words or service["command"])]


@contextmanager
def network(name: str) -> Iterator[None]:
    """A network of its own with a loopback, in which the ports of the files are free."""
    said(["ip", "netns", "add", name])
    try:
        said(["ip", "-n", name, "link", "set", "lo", "up"])
        yield
    finally:
        said(["ip", "netns", "delete", name])


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[str]]:
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, text=True, start_new_session=True
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def checked(run: Callable[..., str]) -> str:
    """What `webcb check` finds, be it good or not."""
    return run("sh", "-c", "webcb check; true")


@pytest.mark.soak
def test_the_image_is_built_and_its_services_come_to_a_call(tmp_path: Path) -> None:
    require(NEEDED)
    builder = Builder(tmp_path)
    base = Machine.make(tmp_path / "base", PYTHON)
    base.path("/etc/pip.conf").write_text(f"[global]\ncert = {AUTHORITIES}\n")  # of this host's network
    builder.import_base(base)
    shutil.rmtree(base.folder)
    sources = tmp_path / "sources"
    shutil.copytree(TOP, sources, ignore=NOT_SOURCES)
    assert "COMMIT webcb" in builder.build(sources)
    serve(builder, tmp_path)


def serve(builder: Builder, folder: Path) -> None:
    """The services of the compose file in its order, and a call."""
    described = folder / "described"
    described.mkdir()
    trunk = (TOP / "docs/trunk.yaml").read_text()
    here = f"host: {HOST}\n    port: {CARRIER_PORT} "
    (described / "trunk.yaml").write_text(trunk.replace("host: sip.carrier.example ", here))
    with ExitStack() as ends:
        server = ends.enter_context(postgresql.serving())
        server.folder.chmod(0o755)
        server.say("CREATE DATABASE webcb")
        url = databases.within(server.url, "webcb")
        ends.enter_context(network(builder.network))
        container = builder.say("from", "webcb")
        services = compose()
        for service in services.values():
            service.get("environment", {}).update(
                WEBCB_DATABASE_URL=url, WEBCB_SIP_BINDS=f"{HOST}:5060", WEBCB_RTP_HOSTS=HOST, WEBCB_TRUSTED_PROXIES="0"
            )
        # What is shared under /var/lib/webcb is the image's own VOLUME: it is one container that all of them are run in.
        volumes = {described: "/srv", server.folder: str(server.folder)}

        def run(*words: str) -> str:
            return said(builder.inside(container, services["clerk"], volumes, *words))

        said(builder.inside(container, services["init"], volumes))
        for name in ("web", "engine", "clerk"):
            ends.enter_context(running(builder.inside(container, services[name], volumes), folder / f"{name}.log"))
        carrier = [
            "ip",
            "netns",
            "exec",
            builder.network,
            sys.executable,
            "-m",
            "webcb.demo.carrier",
            f"--port={CARRIER_PORT}",
        ]
        ends.enter_context(running(carrier, folder / "carrier.log"))
        run("webcb", "apply", "/srv/trunk.yaml")
        kind, *healthy = services["web"]["healthcheck"]["test"]
        assert kind == "CMD"
        wait_until(
            lambda: run("sh", "-c", f"{shlex.join(healthy)} && echo yes; true").endswith("yes\n"), "it is healthy", 90
        )
        wait_until(lambda: "up; callbacks in progress" in checked(run), "the engine is up", 90)
        assert run("id", "--user") == f"{USER}\n"
        callback_id = said(["ip", "netns", "exec", builder.network, sys.executable, "-c", ORDER]).strip()
        wait_until(lambda: run("webcb", "xdrs").count(callback_id) == 2, "both legs are billed", 60)
        found = checked(run)
        assert " 0 wrong" in found, found
