"""The list of numbers never called, by the command line."""

import csv
import io

from tests.cli.conftest import Types


def test_it_is_listed_exported_and_lifted(installed: Types) -> None:
    assert installed("never-call", "add", "+55 11 99988-7766").out == "5511999887766 is never called\n"
    again = installed("never-call", "add", "5511999887766")
    assert (again.status, again.err) == (1, "webcb: 5511999887766 is never called already\n")
    (row,) = csv.DictReader(io.StringIO(installed("never-call", "--csv").out))
    assert row["number"] == "5511999887766"
    assert row["asked"]
    assert installed("never-call", "lift", "5511999887766").out == "5511999887766 is called again\n"
    assert installed("never-call", "lift", "5511999887766").status == 1
    assert list(csv.DictReader(io.StringIO(installed("never-call", "--csv").out))) == []
