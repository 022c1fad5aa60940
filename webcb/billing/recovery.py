"""The door of forgotten passwords: who asked for a new one, and the mark by which the link in the mail is known again."""

from datetime import datetime

from webcb import db
from webcb.billing import credentials
from webcb.billing.query import micros
from webcb.models import Account, Customer, Recovery


def ask(of: Account | Customer | None, at: datetime) -> None:
    """Note that somebody asked; a mail is due where there is an owner with an address. As much work where there is none."""
    own = {"account": of} if isinstance(of, Account) else {"customer": of}
    with db.writing():
        Recovery.create(asked_at=at, mail_due_at=at if of is not None and of.mail else None, **own)


def mark(row: Recovery) -> str:
    """The secret half of a link: made of the row, and of the password that is to be replaced."""
    of = row.account or row.customer
    return credentials.sign("recovery", f"{row.id} {micros(row.asked_at)} {of.web_password}")
