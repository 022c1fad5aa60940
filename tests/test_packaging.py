"""What is delivered: an sdist and a wheel are built from the sources as they stand, and the wheel runs where no checkout is."""

import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterable
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def declared(names: Iterable[str]) -> set[str]:
    """What is installed beside these distributions when they are: what they say they need, and what that needs."""
    found: set[str] = set()
    left = [Requirement(name) for name in names]
    while left:
        needed = left.pop()
        name = canonicalize_name(needed.name)
        extras = ["", *needed.extras]
        if name in found or not (needed.marker is None or needed.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        for text in metadata.requires(name) or []:
            further = Requirement(text)
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
                further.marker = None
                left.append(further)
    return found


def lend(names: Iterable[str], site_packages: Path) -> None:
    """Installs the distributions as they are here, by links: nothing else of this environment can be seen there."""
    for name in names:
        lent = metadata.distribution(name)
        for top in {path.parts[0] for path in lent.files or []} - {"..", "__pycache__"}:
            (site_packages / top).symlink_to(str(lent.locate_file(top)))  # two of one name would say so


def runs(bin_dir: Path, folder: Path) -> None:
    assert "Usage: webcb" in run(bin_dir / "webcb", "--help", cwd=folder)
    run(bin_dir / "webcb", "init", cwd=folder)
    run(bin_dir / "webcb", "check", "--only", "settings", "--only", "books", cwd=folder)
    wsgi = "import wsgi, rtpbridge; print(wsgi.app.test_client().get('/static/nothing').status_code)"
    assert run(bin_dir / "python", "-c", wsgi, cwd=folder).strip() == "404"


def test_the_wheel_runs_with_what_it_says_it_needs(wheel: Path, tmp_path: Path) -> None:
    """In an environment with nothing in it but the wheel and the dependencies that the wheel names."""
    home = tmp_path / "venv"
    venv.create(home)
    (site_packages,) = home.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        (about,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        needed = message_from_bytes(archive.read(about)).get_all("Requires-Dist", [])
    lend(declared(needed), site_packages)
    install = [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "--quiet", "--no-deps"]
    run(*install, "--no-index", wheel, cwd=tmp_path)
    runs(home / "bin", tmp_path)


@pytest.mark.soak
def test_the_wheel_is_installed_with_all_it_needs(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    run(home / "bin" / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    runs(home / "bin", tmp_path)
