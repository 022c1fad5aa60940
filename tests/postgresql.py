"""A PostgreSQL of our own, for tests and benchmarks: made, started, stopped, removed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg


def _programs() -> Path:
    """The newest server's programs; Debian keeps them off the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


class Server:
    """A PostgreSQL in a folder of its own; `url` reaches it by its Unix socket. It refuses to run as root, so root steps down."""

    def __init__(self, folder: Path, inside: Sequence[str] = (), address: str = "") -> None:
        self.folder = folder
        self.url = f"postgresql:///postgres?host={folder}&user=webcb"
        self._inside, self._address = inside, address
        self._step_down: list[str] = []
        if os.geteuid() == 0:
            self._step_down = ["runuser", "-u", "postgres", "--"]
            shutil.chown(folder, "postgres")
        self._cluster = str(folder / "cluster")

    def make(self) -> None:
        """Make the cluster; who comes by its `address` is let in as anybody."""
        cluster = "--auth=trust", "--username=webcb", "--encoding=UTF8", "--no-sync", self._cluster
        self._run("initdb", *cluster)
        if self._address:
            with (self.folder / "cluster" / "pg_hba.conf").open("a") as hosts:
                hosts.write("host all all 0.0.0.0/0 trust\n")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        # A power cut is the affair of other tests: every table that is emptied would wait for the disk.
        settings = {
            "listen_addresses": f"'{self._address}'",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "full_page_writes": "off",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = str(self.folder / "log")
        self._run("pg_ctl", "--pgdata", self._cluster, "--log", log, "--wait", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it as a crash would, or `fast`."""
        self._run("pg_ctl", "--pgdata", self._cluster, f"--mode={mode}", "stop")

    def say(self, *statements: str) -> None:
        """Have the server's owner say this, each statement by itself."""
        with psycopg.connect(self.url, autocommit=True) as owner:
            for statement in statements:
                owner.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._inside, *self._step_down, str(_programs() / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)


@contextmanager
def running() -> Iterator[str]:
    """The URL of an empty server, reached by a Unix socket."""
    with serving() as server:
        yield server.url


@contextmanager
def serving(inside: Sequence[str] = (), address: str = "") -> Iterator[Server]:
    """An empty server that runs; with an `address` it is reached by TCP too. `inside` is what its commands begin with."""
    # Not below pytest's folder: that belongs to root, and another run of pytest closes it to others again.
    folder = Path(tempfile.mkdtemp(prefix="webcb-postgresql-"))
    server = Server(folder, inside, address)
    server.make()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
