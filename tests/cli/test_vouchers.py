"""Vouchers and blocking by the command line."""

import csv
import io
from pathlib import Path

from tests.cli.conftest import Types
from webcb import models


def test_a_series_is_made_into_a_file_and_one_redeemed(installed: Types) -> None:
    said = installed("vouchers", "make", "spring", "3", "2.50", "USD", "--output", "codes.txt")
    assert said.out == "3 vouchers of 2.50 USD: codes.txt\n"
    file = Path("codes.txt")
    assert file.stat().st_mode & 0o777 == 0o600
    codes = file.read_text().split()
    assert installed("accounts", "redeem", "poor", codes[0]).out == "2.50 USD redeemed; balance 2.50 USD\n"
    again = installed("accounts", "redeem", "rich", codes[0])
    assert (again.status, again.err) == (1, "webcb: this voucher was used before\n")
    (row,) = csv.DictReader(io.StringIO(installed("vouchers", "--csv").out))
    assert (row["series"], row["amount"], row["vouchers"], row["used"]) == ("spring", "2.50", "3", "1")
    assert (models.Ledger.get(models.Ledger.kind == "voucher").note, codes[1] in str(row)) == ("series spring", False)


def test_nothing_is_made_where_the_codes_cannot_be_kept(installed: Types) -> None:
    Path("there.txt").write_text("mine")
    said = installed("vouchers", "make", "spring", "3", "2.50", "USD", "--output", "there.txt")
    assert (said.status, said.err) == (1, "webcb: there.txt: File exists\n")
    assert (models.Voucher.select().count(), Path("there.txt").read_text()) == (0, "mine")
    assert installed("vouchers", "make", "spring", "1", "1", "USD", "--output", "a.txt").status == 0
    twice = installed("vouchers", "make", "spring", "1", "1", "USD", "--output", "b.txt")
    assert twice.err == "webcb: there is a series 'spring' already; choose another name\n"
    assert not Path("b.txt").exists()


def test_an_account_is_blocked_and_unblocked(installed: Types) -> None:
    assert installed("accounts", "block", "rich").out == "account rich: blocked\n"
    assert installed("accounts", "block", "rich").out == "account rich: was blocked already\n"
    assert models.Account.get(models.Account.login == "rich").blocked
    assert installed("accounts", "unblock", "rich").out == "account rich: unblocked\n"
    assert [row.action for row in models.Audit.select().order_by(models.Audit.id)][-2:] == ["block", "unblock"]
