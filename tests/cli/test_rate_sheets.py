"""Rate sheets at the command line, and what is said of a bad one."""

from pathlib import Path

import pytest

from tests.cli.conftest import Types

SHEET = """Destination,First interval,Next interval,First price,Next price
1,60,60,0.20,0.20
"""


@pytest.fixture
def sheet(installed: Types) -> str:
    Path("march.csv").write_text(SHEET)
    return "march.csv"


def test_upload_look_undo(installed: Types, sheet: str) -> None:
    dry = installed("rates", "upload", "Retail", sheet, "--dry-run")
    assert dry.status == 0
    assert dry.lines[1].split()[:7] == ["2", "1", "dearer", "0.20", "0.20", "60/60", "0.02"]
    assert dry.lines[-1] == "A dry run: 1 dearer; nothing was changed."
    assert installed("rates", "upload", "Retail", sheet).out == "tariff Retail: 1 dearer\n"
    assert installed("rates", "upload", "Retail", sheet).out == "tariff Retail: 1 same\n"
    assert "0.20" in installed("rates", "--tariff", "Retail", "--number", "12125554123").out
    assert installed("rates", "undo", "Retail", "--yes").out == "tariff Retail: march.csv is undone\n"
    assert "0.20" not in installed("rates", "--tariff", "Retail", "--number", "12125554123").out
    again = installed("rates", "undo", "Retail", "--yes")
    assert (again.status, again.err) == (1, "webcb: the last rate sheet of tariff Retail is undone already\n")


def test_replacing_asks(installed: Types, sheet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "n")
    said = installed("rates", "upload", "Retail", sheet, "--replace")
    assert said.status == 130
    assert "0.20" not in installed("rates", "--tariff", "Retail").out
    assert "discontinued" in installed("rates", "upload", "Retail", sheet, "--replace", "--yes").out


@pytest.mark.parametrize("name", ["all.csv", "all.xlsx"])
def test_download_and_replace_is_nothing(installed: Types, name: str) -> None:
    assert installed("rates", "download", "Retail", name).status == 0
    said = installed("rates", "upload", "Retail", name, "--replace", "--yes")
    assert said.status == 0
    assert said.out.removeprefix("tariff Retail: ").split()[1:] == ["same"]


def test_the_template(installed: Types) -> None:
    assert installed("rates", "template", "-").lines[0].startswith("Destination,Country,Description,First interval")
    assert installed("rates", "template", "sheet.xlsx").status == 0
    assert Path("sheet.xlsx").read_bytes().startswith(b"PK")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ["sheet.csv: the file is empty; its first line names the columns: Destination, Country"]),
        (
            SHEET.replace("0.20", "dear", 1).encode() + b"999,60,60,1,1\n",
            [
                "sheet.csv, line 2, First price: 'dear' is not an amount; write digits with a point, as in 0.10",
                "sheet.csv, line 3, Destination: 999 is not in the register of destinations; add it there,",
                "2 problems; nothing was changed.",
            ],
        ),
        (b"\xff\xfe", ["sheet.csv: line 1: not UTF-8 text; save the file as CSV UTF-8, or as .xlsx"]),
    ],
)
def test_what_is_wrong_with_a_file(installed: Types, content: bytes, said: list[str]) -> None:
    Path("sheet.csv").write_bytes(content)
    answer = installed("rates", "upload", "Retail", "sheet.csv")
    assert (answer.status, answer.out) == (1, "")
    for line, expected in zip(answer.err.splitlines(), said, strict=False):
        assert line.startswith(expected)


@pytest.mark.parametrize(
    ("command", "said", "status"),
    [
        (("upload", "Retial", "march.csv"), "webcb: there is no tariff 'Retial'; did you mean Retail?", 1),
        (("upload", "Retail", "april.csv"), "webcb rates upload: Invalid value for 'FILE': 'april.csv': No such file or directory", 2),
        (("download", "Retail", "sheet.pdf"), "webcb rates download: Invalid value for FILE: a file name ends with .csv or .xlsx", 2),
        (
            ("upload", "Retail", "march.csv", "--time-zone", "Mars"),
            "webcb rates upload: Invalid value for --time-zone: 'Mars' is no time zone",
            2,
        ),
    ],
)  # fmt: skip
def test_mistakes(installed: Types, sheet: str, command: tuple[str, ...], said: str, status: int) -> None:
    answer = installed("rates", *command)
    assert (answer.status, answer.out) == (status, "")
    assert answer.err.startswith(said)
