"""A PostgreSQL of our own, for tests and benchmarks: made, started, stopped, removed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _programs() -> Path:
    """The newest server's programs; Debian keeps them off the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@contextmanager
def running() -> Iterator[str]:
    """The URL of an empty server, reached by a Unix socket; it refuses to run as root, so root steps down."""
    # Not below pytest's folder: that belongs to root, and another run of pytest closes it to others again.
    folder = Path(tempfile.mkdtemp(prefix="webcb-postgresql-"))
    step_down: list[str] = []
    if os.geteuid() == 0:
        step_down = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
    programs = _programs()

    def run(*arguments: str) -> None:
        subprocess.run([*step_down, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=folder)

    cluster = str(folder / "cluster")
    run(str(programs / "initdb"), "--auth=trust", "--username=webcb", "--encoding=UTF8", "--no-sync", cluster)
    # A power cut is the affair of other tests: every table that is emptied would wait for the disk.
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c full_page_writes=off"
    run(str(programs / "pg_ctl"), "--pgdata", cluster, "--log", str(folder / "log"), "--wait", "-o", options, "start")
    try:
        yield f"postgresql:///postgres?host={folder}&user=webcb"
    finally:
        run(str(programs / "pg_ctl"), "--pgdata", cluster, "--mode=immediate", "stop")
        shutil.rmtree(folder)
