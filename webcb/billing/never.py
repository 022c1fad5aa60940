"""The door of numbers that are not called any more: whose owner pressed 9, or asked the operator (domain 6, confirm by key).

They are honoured as A, whom the service calls of itself. As B they are called on, as from any phone: somebody else pays for that call
and answers for it, and a list that anybody can come onto by a key must not cut a person off from those who know him.
"""

from datetime import datetime

from webcb import db
from webcb.billing import credentials, query
from webcb.billing.erasure import never_digest
from webcb.billing.query import micros
from webcb.models import Audit


class NeverProblem(ValueError):
    """A number that is on the list already, or not; the message says which, in the operator's words."""


def is_never_called(digits: str) -> bool:
    """Whether the owner of a number (E.164 digits) wants no callbacks."""
    known = (digits, never_digest(digits) if credentials.has_key() else digits)
    return query.row("SELECT id FROM never_call WHERE number IN (?, ?)", *known) is not None


@db.transaction
def remember(digits: str, at: datetime) -> None:
    """Its owner pressed 9; once is enough."""
    if not is_never_called(digits):
        query.change("INSERT INTO never_call (number, asked_at) VALUES (?, ?)", digits, micros(at))


@db.transaction
def add(digits: str, made_by: str, at: datetime) -> None:
    """An operator puts a number on the list, whose owner asked for it otherwise. Raises NeverProblem."""
    if is_never_called(digits):
        raise NeverProblem(f"{digits} is never called already")
    remember(digits, at)
    Audit.create(at=at, made_by=made_by, action="never call", subject=f"number {digits}")


@db.transaction
def lift(digits: str, made_by: str, at: datetime) -> None:
    """Its owner wants to be called again. Raises NeverProblem."""
    if query.change("DELETE FROM never_call WHERE number = ?", digits) != 1:
        raise NeverProblem(f"{digits} is not on the list of numbers never called")
    Audit.create(at=at, made_by=made_by, action="call again", subject=f"number {digits}")
