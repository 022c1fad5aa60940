"""Trusted numbers and low funds by the command line."""

import csv
import io

from tests.cli.conftest import Types
from webcb import models


def test_a_number_is_trusted_and_no_more(installed: Types) -> None:
    said = installed("accounts", "trust", "rich", "+55 11 99988-7766")
    assert said.out == "account rich: who calls from 5511999887766 is asked for no PIN\n"
    again = installed("accounts", "trust", "poor", "5511999887766")
    assert (again.status, again.err) == (1, "webcb: 5511999887766 is a trusted number of account rich already\n")
    said = installed("accounts", "untrust", "5511999887766")
    assert said.out == "account rich: who calls from 5511999887766 is asked for the PIN again\n"
    assert models.TrustedNumber.select().count() == 0


def test_low_funds_are_listed(installed: Types) -> None:
    rich = models.Account.get(models.Account.login == "rich")
    models.Wallet.update(low_balance_micros=1_000_000).where(models.Wallet.id == rich.wallet.id).execute()
    funds = (rich.wallet.balance_micros + rich.wallet.credit_limit_micros) // 10_000
    assert installed("accounts", "charge", "rich", f"{funds // 100 - 1}.{funds % 100:02d}").status == 0
    assert "rich" not in installed("accounts", "low").out
    assert installed("accounts", "charge", "rich", "0.25").status == 0
    (row,) = csv.DictReader(io.StringIO(installed("accounts", "low", "--csv").out))
    assert (row["account"], row["below"], row["funds"], row["mail"]) == ("rich", "1.00", "0.75", "due")
