"""What is delivered: an sdist and a wheel are built from the sources as they stand, and the wheel runs where no checkout is."""

import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
BUILD_SECONDS_MAX = 240
# What no delivery carries over from a checkout somebody works in.
NOT_SOURCES = shutil.ignore_patterns(
    ".*", "build", "dist", "site", "*.egg-info", "__pycache__", "_bridge.*", "webcb-data"
)


def run(*command: str | Path, cwd: Path) -> str:
    """Run to the end and give what it printed; a failure shows everything it said."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built out of that sdist, not out of the checkout."""
    folder = tmp_path_factory.mktemp("delivery")
    sources = folder / "sources"
    shutil.copytree(TOP, sources, ignore=NOT_SOURCES)
    run(sys.executable, "-m", "build", "--outdir", folder, cwd=sources)
    return folder


@pytest.fixture(scope="module")
def wheel(delivery: Path) -> Path:
    (found,) = delivery.glob("webcb-*.whl")
    return found


def carried(delivery: Path, suffixes: set[str], *folders: str) -> set[str]:
    """The sources of these kinds that the delivery was made of."""
    sources = delivery / "sources"
    return {
        str(path.relative_to(sources))
        for folder in folders
        for path in (sources / folder).rglob("*")
        if path.suffix in suffixes and "_bridge." not in path.name
    }


def test_the_wheel_carries_everything_that_runs(delivery: Path, wheel: Path) -> None:
    there = set(zipfile.ZipFile(wheel).namelist())
    assert {"wsgi.py", "webcb/schema.sql", "webcb/py.typed", "rtpbridge/api.h"} <= there
    assert any(name.startswith("rtpbridge/_bridge.") and name.endswith(".so") for name in there)
    assert carried(delivery, {".py", ".sql", ".yaml", ".json"}, "webcb") <= there
    assert carried(delivery, {".html", ".css", ".js", ".svg"}, "webcb/web") <= there
    assert not {name for name in there if name.startswith(("tests/", "bench/", "docs/"))}


def test_the_sdist_carries_everything_that_builds_and_tests(delivery: Path) -> None:
    (sdist,) = delivery.glob("webcb-*.tar.gz")
    with tarfile.open(sdist) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    assert {"schema.sql", "wsgi.py", "setup.py", "pyproject.toml", "Makefile", "README.md", "LICENSE"} <= there
    assert carried(delivery, {".c", ".h", ".py"}, "rtpbridge") <= there
    assert carried(delivery, {".py", ".xml", ".dat", ".csv", ".c"}, "tests") <= there
    assert not {name for name in there if name.endswith((".so", ".pyc", ".o"))}


def test_the_wheel_runs_where_no_checkout_is(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    bin_dir = home / "bin"
    run(bin_dir / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    assert "Usage: webcb" in run(bin_dir / "webcb", "--help", cwd=tmp_path)
    run(bin_dir / "webcb", "init", cwd=tmp_path)
    run(bin_dir / "webcb", "check", "--only", "settings", "--only", "books", cwd=tmp_path)
    wsgi = "import wsgi, rtpbridge; print(wsgi.app.test_client().get('/static/nothing').status_code)"
    assert run(bin_dir / "python", "-c", wsgi, cwd=tmp_path).strip() == "404"
