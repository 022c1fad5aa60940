"""C that several tests run is compiled once in a run, whichever process of pytest asks first, on as many cores as there are."""

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rtpbridge.build import C_SOURCES, FOLDER


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name, which `make` has filled; processes of one run share it."""
    home = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        home = home.parent
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / name).exists():
            unfinished = Path(tempfile.mkdtemp(dir=home))
            make(unfinished)
            unfinished.rename(home / name)
    return home / name


def compile_all(command: Sequence[str], folder: Path) -> None:
    """Every source of the bridge into an object of the folder; CalledProcessError when one does not compile."""
    cores = os.cpu_count() or 1
    by_size = sorted(C_SOURCES, key=lambda name: (FOLDER / name).stat().st_size)
    shares = [[str(FOLDER / name) for name in by_size[first::cores]] for first in range(cores)]
    with ThreadPoolExecutor(cores) as pool:
        for _ in pool.map(lambda share: subprocess.run([*command, "-c", *share], check=True, cwd=folder), shares):
            pass


def objects_in(folder: Path) -> list[str]:
    """What compile_all() has made there."""
    return [str((folder / name).with_suffix(".o")) for name in C_SOURCES]
