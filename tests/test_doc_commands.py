"""Every command that README and docs name is run as it stands there, on an installation made by the page of the first call."""

import os
import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest

from tests.billing.test_ledger import used
from webcb import clock, db, models
from webcb.billing import reception, settlement
from webcb.cli import commands, run
from webcb.number import parse_number

TOP = Path(__file__).parent.parent
PAGES = [TOP / "README.md", *sorted(TOP.glob("docs/**/*.md"))]
A, B = "+1 206 555 4123", "+55 11 99988 7766"

# What goes on until it is ended, or wants a second database: the test that runs it.
ELSEWHERE = {
    "serve": "tests/serve/test_serve.py",
    "engine": "tests/callback/installation.py",
    "engine --stand-by": "tests/callback/test_handover.py",
    "engine --take-over": "tests/callback/test_handover.py",
    "clerk": "tests/serve/test_serve.py",
    "demo": "tests/demo/test_show.py",
    "copy --to URL": "tests/keeping/test_copy.py",
    "copy --to postgresql://...": "tests/keeping/test_copy.py",
    "restore FILE": "tests/keeping/test_backup.py",
    "prompts": "tests/cli/test_prompts.py",  # in a minute
    "prompts --folder NAME": "tests/cli/test_prompts.py",
    "archive --resume": "tests/keeping/test_archive.py",
}


# What is written in short, and what it is short for.
SHORT = {
    "apply /etc/webcb/trunk.yaml": "apply trunk.yaml",
    "apply --set-passwords": "apply --set-passwords trunk.yaml",
    "batches generate NAME": 'batches generate NAME --customer "My company" --product Callback --quantity 5 --length 8',
    "statement": "statement --account LOGIN",
    "users reset ann": "users reset ann --yes",
}


def mentioned() -> dict[str, str]:
    """Each command with its arguments as it is written, without `webcb`, and a page that says so."""
    found: dict[str, str] = {}
    for page in PAGES:
        text = page.read_text()
        if page.name == "commands.md":
            continue  # made of the commands themselves
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        lines = [line for block in blocks for line in block.splitlines()]
        lines += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
        for line in lines:
            said = re.search(r"(?:^|\s|/)webcb ([a-z][a-z-]*\b.*)", line)
            if said:
                written = re.sub(r"\s+#.*| \.\.\.$|\s*&&.*", "", said[1]).strip()
                found.setdefault(written, str(page.relative_to(TOP)))
    return found


def resolved(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and what is left of them."""
    command: click.Command = commands
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The folder of an operator who followed docs/first-call.md; what stands for the words in capitals."""
    folder = tmp_path_factory.mktemp("first-call")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [name for name in os.environ if name.startswith("WEBCB_")]:
            monkeypatch.delenv(name)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("WEBCB_RTP_KERNEL", "off")
        trunk = (TOP / "docs/trunk.yaml").read_text()
        for name in ("trunk.yaml", "carrier.yaml"):
            Path(name).write_text(trunk)
        Path("rates.csv").write_text(
            "Destination,First interval,Next interval,First price,Next price\n1,60,60,0.1,0.1\n"
        )
        assert run(["init"]) == run(["apply", "trunk.yaml"]) == 0
        assert run(["rates", "upload", "Callback", "rates.csv"]) == 0
        assert run(["keys", "add", "shop", "--account", "cb1001"]) == 0
        words = {
            "FILE": "kept.sqlite", "NAME": "Gold", "LOGIN": "cb1001", "A": A, "B": B, "TARIFF": "Callback", "LANGUAGE": "en",
        }  # fmt: skip
        with db.database.connection_context():
            words["ID"] = _called()
            words["ONGOING"] = _asked("two")
            models.Node.create(name=os.uname().nodename[:64])
        yield words


def _asked(key: str) -> str:
    order = reception.Order(
        kind="extended", voice_application="-", login="cb1001", password=None, number_a=parse_number(A, "US"),
        number_b=parse_number(B, "US"), idempotency_key=key, requested_from="cli",
    )  # fmt: skip
    placed = reception.place(order, clock.utc_now())
    assert isinstance(placed, reception.Placed), placed
    return placed.callback_id


def _called() -> str:
    callback_id = _asked("one")
    reception.begin(callback_id, clock.utc_now())
    settlement.settle(callback_id, [used("A", 30), used("B", 20)], "B hung up", True, clock.utc_now())
    models.Message.create(
        callback=callback_id, position=1, leg="A", at=clock.utc_now(), sent=True, local_host="127.0.0.1", local_port=5070,
        remote_host="127.0.0.2", remote_port=5060, transport="udp", octets=100, text="OPTIONS sip:a@b SIP/2.0\r\n\r\n",
    )  # fmt: skip
    return callback_id


def typed(written: str, words: dict[str, str]) -> list[str]:
    """What an operator types for what is written: names in the place of words in capitals, and files that are there."""
    written = SHORT.get(written, written)
    command, _ = resolved(shlex.split(written))
    mine = dict(words)
    if written.startswith("hangup"):
        mine["ID"] = words["ONGOING"]
    if written.startswith("rates upload"):
        mine["FILE"] = "rates.csv"
    if written.startswith("keys revoke"):
        mine["NAME"] = "shop"
    if written.startswith("quote"):
        mine["NAME"] = "Web callback"
    long_ago = f"{clock.utc_now() - timedelta(days=40):%Y-%m-%d}"
    arguments = [mine.get(word, word) for word in shlex.split(written)]
    if "--before" in arguments:
        arguments[arguments.index("--before") + 1] = long_ago
    _, rest = resolved(shlex.split(written))
    needs = any(isinstance(each, click.Argument) and each.required for each in command.params) or (
        isinstance(command, click.Group) and not command.invoke_without_command
    )
    values = {
        name for each in command.params if isinstance(each, click.Option) and not each.is_flag for name in each.opts
    }
    if rest and rest[-1] in values:  # an option is spoken of, without a value
        return [*arguments[: len(arguments) - len(rest)], "--help"]
    # Where only the name of a command stands there, it is spoken of, not typed.
    return [*arguments, "--help"] if needs and not rest else arguments


@pytest.mark.parametrize("written", sorted(mentioned()), ids=lambda written: written[:60])
def test_a_command_of_the_docs_does_what_it_is_said_to(
    written: str, place: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    if written in ELSEWHERE:
        assert written.split()[0] in (TOP / ELSEWHERE[written]).read_text()
        return
    arguments = typed(written, place)
    status = run(arguments)
    said = capfd.readouterr()
    assert status in FINE.get(written.split()[0], (0,)), (mentioned()[written], arguments, said)


# Status 1 says here that something is not as it could be, which is true of this installation: it has no engine, no prompts.
FINE = {"check": (0, 1), "prompts": (0, 1)}  # --folder: of a folder without recordings


def test_what_is_run_elsewhere_is_still_spoken_of() -> None:
    assert set(ELSEWHERE) <= set(mentioned())
