"""The door of trusted numbers: who calls from one is its account, without a PIN (domain 5, 7). A number is one account's at most."""

from collections.abc import Iterable
from datetime import datetime

from webcb import db
from webcb.billing import query
from webcb.models import Audit

NUMBERS_MAX = 20  # of an account

FORGET = "DELETE FROM trusted_number WHERE account_id = ?"
INSERT = "INSERT INTO trusted_number (account_id, digits) VALUES (?, ?)"


class TrustProblem(ValueError):
    """A number that cannot be trusted, or need not be forgotten; the message says why, in the operator's words."""


def account_of_number(digits: str) -> str | None:
    """The ID of the account that a calling number (E.164 digits) authenticates; None: it authenticates none.

    Whether the account may call is not looked at: authorization says that.
    """
    found = query.row(
        "SELECT login FROM trusted_number JOIN account ON account.id = account_id WHERE digits = ?", digits
    )
    return None if found is None else str(found["login"])


def numbers_of(account_ids: Iterable[int]) -> dict[int, str]:
    """The trusted numbers of accounts as one text each, in order, comma between; no key for an account without."""
    ids = list(account_ids)
    sql = f"SELECT account_id, digits FROM trusted_number WHERE account_id IN ({query.marks(ids)}) ORDER BY digits"  # noqa: S608
    found: dict[int, str] = {}
    for account_id, digits in query.tuples(sql, *ids) if ids else ():
        found[account_id] = f"{found[account_id]},{digits}" if account_id in found else digits
    return found


@db.transaction
def set_numbers(account_id: int, numbers: Iterable[str]) -> None:
    """Make these (E.164 digits) the trusted numbers of an account, and no others. Raises TrustProblem."""
    wanted = dict.fromkeys(numbers)
    query.change(FORGET, account_id)
    for digits in wanted:
        if (owner := account_of_number(digits)) is not None:
            raise TrustProblem(f"{digits} is a trusted number of account {owner} already")
    if len(wanted) > NUMBERS_MAX:
        raise TrustProblem(f"an account has at most {NUMBERS_MAX} trusted numbers")
    for digits in wanted:
        query.change(INSERT, account_id, digits)


@db.transaction
def trust(account_id: int, login: str, digits: str, made_by: str, at: datetime) -> None:
    """Let a number authenticate an account from now on. Raises TrustProblem."""
    had = numbers_of([account_id]).get(account_id, "")
    if digits in had.split(","):
        raise TrustProblem(f"{digits} is a trusted number of account {login} already")
    set_numbers(account_id, [*had.split(","), digits] if had else [digits])
    Audit.create(at=at, made_by=made_by, action="trust a number", subject=f"account {login}", detail=digits)


@db.transaction
def untrust(digits: str, made_by: str, at: datetime) -> str:
    """Let a number authenticate nobody any more; returns the ID of the account it was of. Raises TrustProblem."""
    login = account_of_number(digits)
    if login is None:
        raise TrustProblem(f"{digits} is no trusted number")
    query.change("DELETE FROM trusted_number WHERE digits = ?", digits)
    Audit.create(at=at, made_by=made_by, action="trust a number no more", subject=f"account {login}", detail=digits)
    return login
