"""Statements at the command line."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Types


def test_of_an_account_so_far(installed: Types) -> None:
    assert installed("accounts", "credit", "rich", "20", "--note", "invoice 17").status == 0
    said = installed("statement", "--account", "rich", "--running")
    assert re.fullmatch(r"rich: 20\d\d-\d\d-01 to 20\d\d-\d\d-\d\d \(UTC\), in USD", said.lines[0])
    assert [line.split()[0] for line in said.lines[1:]] == ["item", "opening", "opening", "payment", "closing"]
    assert said.lines[4].split() == ["payment", "invoice", "17", "20.00"]
    last = installed("statement", "--account", "rich", "--csv").lines
    assert last == [
        "item,destination,description,legs,time,amount",
        "opening balance,,,,,0.00",
        "closing balance,,,,,0.00",
    ]


def test_it_says_whose_it_is_as_the_page_does(installed: Types) -> None:
    Path("company.yaml").write_text(
        "companies: [{name: Easy Call Ltd, address: 1 High Street, tax_number: GB 123, mail: bills@example.com}]\n"
    )
    assert installed("apply", "company.yaml").status == 0
    said = installed("statement", "Acme").lines
    assert said[0] == "Easy Call Ltd, 1 High Street, GB 123, bills@example.com"
    assert said[1].startswith("Acme: ")
    assert installed("statement", "Acme", "--csv").lines[0] == "item,destination,description,legs,time,amount"


@pytest.mark.parametrize(
    ("command", "said", "status"),
    [
        ((), "webcb statement: name a customer, or an account with --account", 2),
        (("Acme", "--account", "rich"), "webcb statement: name a customer, or an account with --account", 2),
        (("Acne",), "webcb: there is no customer 'Acne'; did you mean Acme?", 1),
        (("--account", "nobody"), "webcb: there is no account 'nobody'; `webcb accounts` lists them", 1),
        (("Acme", "--at", "yesterday"), "webcb statement: Invalid value for '--at': 'yesterday' is not a date;"
         " write 2026-01-31 or 2026-01-31T12:00:00-03:00", 2),
    ],
)  # fmt: skip
def test_mistakes(installed: Types, command: tuple[str, ...], said: str, status: int) -> None:
    answer = installed("statement", *command)
    assert (answer.status, answer.out, answer.err) == (status, "", said + "\n")
