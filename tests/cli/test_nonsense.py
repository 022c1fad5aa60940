"""Nonsense for every option and argument of every command, generated: whatever is typed, a line is said and never a traceback.

What is said to each mistake stands in mistakes.txt; here is only what nobody thought of.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.conftest import CONFIGURATION
from webcb import db
from webcb.cli import commands, run
from webcb.prompts.library import Library

NONSENSE = (
    "", " ", "-1", "x" * 600, "99999999999999999999999", "nan", "Ω🙂", "\udcff", "a\nb", "nowhere/x", "{}", "sqlite:///",
)  # fmt: skip
RUNNING = {"demo", "serve", "engine", "clerk"}  # they would start; what is wrong with their options, mistakes.txt has

# What is typed for the others, so that the one that is nonsense is looked at.
GOOD = {
    "number_a": "+12065554123", "number_b": "+5511999887766", "number": "+12065554123", "login": "rich", "account": "rich",
    "amount": "1", "tariff": "Retail", "leg": "A", "callback_id": "0" * 20, "code": "1234567890123456", "series": "Kiosk",
    "quantity": "1", "currency": "USD", "customer": "Acme", "product": "Calls", "length": "9", "typed": "front", "node": "x",
    "name": "y", "ids": "1", "target_url": "sqlite:///copy.sqlite", "application": "brasil", "voice_application": "brasil",
    "output": "vouchers.csv",
}  # fmt: skip


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from leaves(each, (*path, name))
    if path and not (path[0] in RUNNING or (isinstance(command, click.Group) and not command.invoke_without_command)):
        yield path, command


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("installation")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [name for name in os.environ if name.startswith("WEBCB_")]:
            monkeypatch.delenv(name)
        monkeypatch.setattr(Library, "make", lambda _, language: f"nothing is spoken in {language}")
        monkeypatch.chdir(folder)
        assert run(["init"]) == run(["apply", str(CONFIGURATION)]) == 0
        Path("sheet.csv").write_text("Destination,First interval\n")
        yield folder
        assert run(["check"]) == 0
        db.database.close()


def typed(path: tuple[str, ...], command: click.Command, nonsense: click.Parameter, value: str) -> list[str]:
    """The command line with that value for one parameter, and something good for the others that it must have."""
    line, arguments = list(path), []
    for parameter in command.params:
        if parameter.name == "yes":
            line.append("--yes")  # nobody is there to be asked
        if parameter is not nonsense and not parameter.required:
            continue
        text = value if parameter is nonsense else GOOD.get(str(parameter.name), "sheet.csv")
        if isinstance(parameter, click.Option):
            line.append(f"{parameter.opts[-1]}={text}" if parameter.opts[-1].startswith("--") else text)
        else:
            arguments.append(text)
    return [*line, "--", *arguments]


@pytest.mark.parametrize(
    ("path", "command"), list(leaves(commands)), ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_nonsense_is_never_a_traceback(
    installation: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    path: tuple[str, ...],
    command: click.Command,
) -> None:
    monkeypatch.chdir(installation)
    for parameter in command.params:
        if getattr(parameter, "is_flag", False):
            continue
        for value in NONSENSE:
            line = typed(path, command, parameter, value)
            try:
                status = run(line)
            except Exception as wrong:  # what would be a traceback
                raise AssertionError(f"webcb {line!r}: {wrong!r}") from wrong
            assert status in (0, 1, 2), line
            said = capfd.readouterr()
            assert status == 0 or said.err, line
