"""Settings and servers of the whole suite: hypothesis prints its seed; a real PostgreSQL is made where a test asks for one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite",
    deadline=None,  # two noisy cores: a slow example is not a failure
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def _postgresql_bin() -> Path:
    """The newest server's programs; Debian keeps them off the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL of our own, reached by a Unix socket; it refuses to run as root, so root steps down."""
    # Not below pytest's folder: that belongs to root, and another run of pytest closes it to others again.
    folder = Path(tempfile.mkdtemp(prefix="webcb-postgresql-"))
    step_down: list[str] = []
    if os.geteuid() == 0:
        step_down = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
    programs = _postgresql_bin()

    def run(*arguments: str) -> None:
        subprocess.run([*step_down, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=folder)

    cluster = str(folder / "cluster")
    run(str(programs / "initdb"), "--auth=trust", "--username=webcb", "--encoding=UTF8", "--no-sync", cluster)
    options = f"-c listen_addresses='' -c unix_socket_directories={folder}"
    run(str(programs / "pg_ctl"), "--pgdata", cluster, "--log", str(folder / "log"), "--wait", "-o", options, "start")
    try:
        yield f"postgresql:///postgres?host={folder}&user=webcb"
    finally:
        run(str(programs / "pg_ctl"), "--pgdata", cluster, "--mode=immediate", "stop")
        shutil.rmtree(folder)
