"""The command line in this process: what is typed, what it says, its exit status."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from webcb import db
from webcb.cli import run

CONFIGURATION = Path(__file__).parent / "service.yaml"


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Types(Protocol):
    def __call__(self, *arguments: str) -> Said: ...


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Types:
    """Runs a command in an empty folder."""
    for name in [name for name in os.environ if name.startswith("WEBCB_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def type_in(*arguments: str) -> Said:
        status = run(list(arguments))
        out, err = capfd.readouterr()
        return Said(status, out, err)

    return type_in


@pytest.fixture
def installed(typed: Types, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Types]:
    """The same where an installation is configured; its books must be right in the end."""
    if not database_url.startswith("sqlite"):
        monkeypatch.setenv("WEBCB_DATABASE_URL", database_url)
    assert typed("init").status == 0
    assert typed("apply", str(CONFIGURATION)).status == 0
    yield typed
    assert typed("check", "--only", "books").status == 0
    if not db.database.is_closed():
        db.database.close()
