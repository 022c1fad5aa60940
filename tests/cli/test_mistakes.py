"""What is typed by mistake, and the one line that is said: no traceback, the right exit status, no secret."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.conftest import CONFIGURATION, Types
from webcb import db, models
from webcb.cli import commands, run

ANYTHING = {  # where every text is good, or what is wrong with it is seen by tests of its own
    ("accounts", "--like"), ("demo", "--http-port"), ("demo", "--data-dir"), ("demo", "--phone"),
}  # fmt: skip
TOO_LONG = "XXL"
SHEET = "Destination,First interval,Next interval,First price,Next price\n1,60,60,0.1,0.1\n"

A, B = "+12065554123", "+5511999887766"


def mistakes() -> list[tuple[str, str, int]]:
    """The blocks of mistakes.txt: what is typed, the line that is said, the exit status."""
    found = []
    for block in (Path(__file__).parent / "mistakes.txt").read_text().strip().split("\n\n"):
        typed, said, status = block.split("\n")
        found.append((typed.removeprefix("$ webcb "), said, int(status.removeprefix("=> "))))
    return found


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an installation that mistakes leave as it is: one for all of them, and its books are right in the end."""
    folder = tmp_path_factory.mktemp("installation")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [name for name in os.environ if name.startswith("WEBCB_")]:
            monkeypatch.delenv(name)
        monkeypatch.chdir(folder)
        assert run(["init"]) == run(["apply", str(CONFIGURATION)]) == 0
        Path("sheet.csv").write_text(SHEET)
        before = everything(folder)
        yield folder
        assert everything(folder) == before
        assert sorted(path.name for path in folder.iterdir()) == ["sheet.csv", "webcb-data"]
        assert run(["check", "--only", "books"]) == 0


def everything(folder: Path) -> list[list[tuple[object, ...]]]:
    with db.connect(f"sqlite:///{folder}/webcb-data/webcb.sqlite").connection_context():
        return [list(table.select().tuples()) for table in models.ALL_TABLES if table is not models.Catalog]


@pytest.mark.parametrize(("command", "expected", "status"), mistakes(), ids=lambda each: str(each)[:60])
def test_a_mistake_is_one_line(
    typed: Types, untouched: Path, monkeypatch: pytest.MonkeyPatch, command: str, expected: str, status: int
) -> None:
    monkeypatch.chdir(untouched)
    said = typed(*shlex.split(command.replace(TOO_LONG, "x" * 501)))
    assert (said.status, said.out, said.err) == (status, "", expected + "\n")


def with_values(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Parameter]]:
    """Every command with each of its parameters that takes a value."""
    for parameter in command.params:
        if not getattr(parameter, "is_flag", False):
            yield " ".join(path), parameter
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from with_values(each, (*path, name))


@pytest.mark.parametrize(
    ("command", "parameter"),
    list(with_values(commands)),
    ids=lambda each: getattr(each, "name", None) or each or "webcb",
)
def test_whatever_can_be_typed_is_typed_wrongly(command: str, parameter: click.Parameter) -> None:
    """Of every option and argument of every command the table has a mistake: missing, no good, or of nothing that is there."""
    said = [(typed, answer) for typed, answer, _ in mistakes() if f"{typed} ".startswith(f"{command} ")]
    if isinstance(parameter, click.Option):
        name = parameter.opts[0]
        assert (command, name) in ANYTHING or any(name in f"{typed} {answer}" for typed, answer in said)
    else:
        name = parameter.make_metavar(click.Context(click.Command(command))).strip("[].")
        assert any(name.lower() in answer.lower() for _, answer in said)


def test_a_file_with_mistakes_names_them_all_and_changes_nothing(installed: Types) -> None:
    Path("wrong.yaml").write_text(
        "nodes: [{name: new}, {nam: x}]\naccounts: [{login: a, customer: Acne, product: Calls}]\n"
    )
    said = installed("apply", "wrong.yaml")
    assert said.status == 1
    assert said.out == ""
    assert said.err.splitlines() == [
        "wrong.yaml, line 1, nodes.nam: no such field (node); did you mean name?",
        "wrong.yaml, line 1, nodes.name: missing; write 1 to 64 characters on one line",
        "wrong.yaml, line 2, accounts.customer: there is no customer 'Acne'; did you mean Acme?",
        "3 problems; nothing was changed.",
    ]


def test_of_very_many_mistakes_the_first_are_shown(installed: Types) -> None:
    Path("wrong.yaml").write_text("nodes:\n" + "- {nam: x}\n" * 100)
    said = installed("apply", "wrong.yaml").err.splitlines()
    assert len(said) == 101
    assert said[-1] == "200 problems, of which the first 100 are shown; nothing was changed."


# Where there is no installation, or a wrong one ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["accounts"], ["trace", "x"], ["export"], ["callbacks"], ["hangup", "x"]])
def test_without_an_installation_nothing_is_made_and_it_is_said_what_to_do(typed: Types, command: list[str]) -> None:
    said = typed(*command)
    assert said.status == 1
    assert said.err.startswith(f"webcb: there is no database at {Path.cwd()}/webcb-data/webcb.sqlite; run `webcb init`")
    assert list(Path.cwd().iterdir()) == []


def test_wrong_settings_are_all_said(typed: Types, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBCB_HTTP_PORT", "80")
    Path("webcb.toml").write_text('\nrtp_port_min = "many"\n')
    said = typed("xdrs")
    assert said.status == 2
    assert said.err.splitlines() == [
        f"webcb: environment WEBCB_HTTP_PORT: no such setting{said.err.partition('no such setting')[2].splitlines()[0]}",
        "webcb: webcb.toml, line 2, rtp_port_min: 'many' is not good: write a whole number from 1024 to 65534",
    ]


def test_an_empty_database_and_a_file_that_is_none(typed: Types) -> None:
    Path("webcb-data").mkdir()
    file = Path("webcb-data/webcb.sqlite")
    file.touch()
    assert typed("xdrs").err == "webcb: the database has no tables; run `webcb init`\n"
    file.write_bytes(b"this is no database at all, only text" * 100)
    said = typed("xdrs")
    assert (said.status, said.err) == (1, "webcb: the database does not do it: file is not a database\n")


def test_a_database_of_a_newer_program_is_refused(installed: Types) -> None:
    with db.writing():
        db.database.execute_sql("INSERT INTO schema_version VALUES (99, 0)")
    said = installed("migrate")
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert "install the newer webcb" in said.err
    with db.writing():
        db.database.execute_sql("DELETE FROM schema_version WHERE version = 99")


def test_no_command_prints_a_secret(installed: Types) -> None:
    everything = ""
    for command in (
        ["config"],
        ["export"],
        ["accounts"],
        ["callbacks"],
        ["rates"],
        ["xdrs"],
        ["check"],
        ["check", "--json"],
    ):
        said = installed(*command)
        everything += said.out + said.err
    key = Path("webcb-data/secret.key").read_text()
    for secret in ("hush", "argon2", "gAAAA", key):
        assert secret not in everything


# As a process --------------------------------------------------------------------------------------------------------------


def started(*arguments: str, **more: object) -> subprocess.Popen[str]:
    environment = dict(os.environ)  # of an installation alone: conftest.typed
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent.parent)
    # Who runs the tests in the background of a shell hands down that SIGINT is ignored; a terminal does not.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "webcb.cli", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, **more)  # type: ignore[call-overload]


def test_ctrl_c_is_quiet(installed: Types) -> None:
    with started("callback", "--wait", "--account", "rich", A, B) as process:
        assert process.stdout and process.stderr
        callback_id = process.stdout.readline().strip()
        assert process.stdout.readline() == "requested\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out.strip() == ""
    assert err.strip() == f"It goes on; `webcb hangup {callback_id}` ends it."


def test_a_reader_that_has_seen_enough_is_no_error(installed: Types) -> None:
    Path("many.yaml").write_text("destinations:\n" + "".join(f"- {{prefix: {n}}}\n" for n in range(1000, 9000)))
    assert installed("apply", "many.yaml").status == 0
    with started("export") as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_help_loads_neither_database_nor_web() -> None:
    code = (
        "import sys; from webcb.cli import run; assert run(['--help']) == 0; print(sorted({name.split('.')[0]"
        " for name in sys.modules} & {'peewee', 'flask', 'pydantic', 'phonenumbers', 'argon2', 'cryptography', 'yaml'}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.endswith("[]\n")
    assert "callbacks" in ran.stdout
