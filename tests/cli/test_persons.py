"""One person at the command line: what is kept is written to a file, then forgotten; the books are right in the end (conftest)."""

import json
from pathlib import Path

from tests.cli.conftest import Types
from webcb import db, models


def test_a_number_is_told_and_forgotten(installed: Types) -> None:
    assert installed("never-call", "add", "+5511999887766").status == 0
    assert installed("person", "--number", "+5511999887766", "--export", "him.json").status == 0
    found = json.loads(Path("him.json").read_text())
    assert [each["number"] for each in found["never_call"]] == ["5511999887766"]
    assert Path("him.json").stat().st_mode & 0o77 == 0
    assert installed("person", "--number", "+5511999887766", "--export", "him.json").err.startswith("webcb: him.json: ")
    said = installed("erase", "--number", "+5511999887766", "--yes", "--vacuum")
    assert (said.status, said.lines[0]) == (0, "+5511999887766 is forgotten, in 0 callbacks")
    assert installed("person", "--number", "+5511999887766", "--export", "then.json").out.startswith("0 rows")


def test_an_account_is_closed_and_forgotten(installed: Types) -> None:
    said = installed("erase", "--account", "poor", "--yes")
    assert said.status == 0, said.err
    assert said.lines[1].startswith("left: its customer, ")
    assert installed("person", "--account", "poor", "--export", "poor.json").err == "webcb: there is no account poor\n"
    db.database.connect(reuse_if_open=True)
    assert models.Account.select().where(models.Account.login.startswith("erased"), models.Account.closed).count() == 1
