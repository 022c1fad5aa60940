"""The account generator at the command line: from the order to a call that a generated account pays for."""

import csv
import io
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Types

GENERATE = (
    "batches",
    "generate",
    "March",
    "--customer",
    "Cards",
    "--product",
    "Calls",
    "--prefix",
    "cb55",
    "--length",
    "9",
)
A, B = "+12065554123", "+5511999887766"


def cards() -> list[dict[str, str]]:
    (path,) = Path("webcb-data/cards").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_batch_is_generated_activated_and_can_call(installed: Types) -> None:
    said = installed(*GENERATE, "--quantity", "300", "--opening-balance", "5")
    assert said.status == 0
    assert said.lines == [
        "300 accounts in batch March, to be activated by hand",
        f"file: {Path('webcb-data/cards/000001-March.csv').absolute()}",
    ]
    pin = cards()[0]["PIN"]
    assert installed("quote", "--account", pin, A, B).err == "webcb: refused: account inactive\n"
    assert installed("batches", "activate", "March").out == "batch March: 300 accounts activated\n"
    assert installed("quote", "--account", pin, A, B).status == 0
    listed = installed("batches", "--csv").lines
    assert listed[1].startswith("March,Cards,300,0,0,")
    exported = installed("batches", "export", "March", "--csv").lines
    assert len(exported) == 301
    assert exported[1].startswith(f"March,0000000001,{pin},active,,5.00,USD")
    assert not any(card["Service password"] in "".join(exported) for card in cards())
    assert installed("batches", "block", "March", "--yes").out == "batch March: 300 accounts blocked\n"
    assert installed("quote", "--account", pin, A, B).err == "webcb: refused: account blocked\n"
    assert installed("batches", "block", "March", "--undo", "--yes").out == "batch March: 300 accounts unblocked\n"


def test_in_the_background_it_waits_for_the_clerk(installed: Types) -> None:
    said = installed(*GENERATE, "--quantity", "10", "--in-background", "--mail-to", "shop@example.com")
    assert said.out == "job 1: the clerk makes them; `webcb jobs` shows how far it is\n"
    assert installed("jobs", "--csv").lines[1].startswith("1,generate accounts,waiting,0,10,")
    said = installed("jobs", "--resume")
    assert said.lines[0] == "10 accounts in batch March, to be activated by hand. Not mailed: smtp_host is not set."
    assert installed("jobs", "--csv").lines[1].startswith("1,generate accounts,done,10,10,")
    assert installed("jobs", "--resume").out == "no job waits to be worked at\n"


def test_a_distributor_and_a_life(installed: Types) -> None:
    Path("who.yaml").write_text("distributors: [{name: Kiosk}]\n")
    assert installed("apply", "who.yaml").status == 0
    life = ("--expiration-date", "2035-01-01", "--days-after-first-use", "90", "--time-zone", "Europe/Berlin")
    said = installed(*GENERATE, "--quantity", "1", "--distributor", "Kiosk", "--language", "de", "--active", *life)
    assert said.lines[0] == "1 accounts in batch March"
    assert installed("accounts", "--like", "cb55", "--csv").lines[1].split(",")[3] == "no funds"


@pytest.mark.parametrize(
    ("options", "said", "status"),
    [
        (
            ("--quantity", "0"),
            "webcb batches generate: 1 to 1,000,000 accounts at a time",
            1,
        ),
        (
            ("--quantity", "1000", "--length", "4"),
            "webcb batches generate: 1,000 IDs do not fit: with length 4 and prefix cb55 there are 100."
            " Ask for at most 100, or for length 5.",
            1,
        ),
        (
            ("--quantity", "1", "--opening-balance", "much"),
            "webcb batches generate: Invalid value for --opening-balance: 'much' is not an amount;"
            " write digits with a point, as in 0.10",
            2,
        ),
        (
            ("--quantity", "1", "--time-zone", "Europe/Berlim"),
            "webcb batches generate: Invalid value for --time-zone: 'Europe/Berlim' is no time zone;"
            " did you mean Europe/Berlin or Europe/Belfast or Europe/Paris?",
            2,
        ),
        (
            ("--quantity", "1", "--mail-to", "shop"),
            "webcb batches generate: Invalid value for --mail-to: An email address must have an @-sign.",
            2,
        ),
        (("--quantity", "1", "--customer", "Kards"), "webcb batches generate: there is no customer 'Kards'", 1),
    ],
)
def test_what_does_not_go(installed: Types, options: tuple[str, ...], said: str, status: int) -> None:
    answer = installed(*GENERATE, *options)
    assert (answer.status, answer.out, answer.err) == (status, "", said + "\n")
    assert installed("jobs").lines[1:] == []


@pytest.mark.parametrize("command", [("activate", "Marsh"), ("export", "Marsh"), ("block", "Marsh", "--yes")])
def test_a_batch_that_is_not_there(installed: Types, command: tuple[str, ...]) -> None:
    assert installed(*GENERATE, "--quantity", "1").status == 0
    said = installed("batches", *command)
    assert (said.status, said.err) == (1, "webcb: there is no batch 'Marsh'; did you mean March?\n")


def test_blocking_asks_first(installed: Types, monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed(*GENERATE, "--quantity", "1").status == 0
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert installed("batches", "block", "March").status == 130
