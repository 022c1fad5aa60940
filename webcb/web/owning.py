"""Owners who have logged in to self-care, of an account or of a customer above its accounts: sessions, and the guards of their pages.

The signed cookie has a token, its row the rest: a session is listed, and ended from elsewhere. A new password ends the others.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Final

from flask import Blueprint, abort, g, redirect, request, session, url_for

from webcb import clock, db
from webcb.billing import credentials
from webcb.models import Account, Customer, OwnerSession
from webcb.web import throttle
from webcb.web.languages import gettext, marked

IDLE_MAX: Final = timedelta(minutes=30)
SESSION_MAX: Final = timedelta(hours=12)
SEEN_EVERY: Final = timedelta(minutes=1)  # a row is not written for each page
AGENT_LENGTH_MAX: Final = 200
PARTS: Final = ("funds", "calls", "statements", "top-up", "call", "numbers")
_SESSION: Final = "owner"
_KEPT: Final = ("language",)
_TOKEN_BYTES: Final = 32

View = Callable[..., Any]

blueprint = Blueprint("selfcare", __name__, url_prefix="/selfcare")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has logged in: the owner of an account, or a customer; the other one is None."""

    account: Account | None
    customer: Customer | None
    session_id: int

    @property
    def of(self) -> Account | Customer:
        """The row that has login and password."""
        found = self.account or self.customer
        assert found is not None  # noqa: S101 - a session is of one of them
        return found

    @property
    def name(self) -> str:
        """What he calls himself."""
        return str(self.account.login if self.account else self.customer and self.customer.name)

    @property
    def time_zone(self) -> str:
        """In which everything is shown."""
        return str(self.account.time_zone if self.account else self.customer and self.customer.billing_time_zone)

    def sees(self, part: str) -> bool:
        """Whether a part of self-care is shown: of an account as its product says, all of it to a customer."""
        return self.account is None or part in self.account.product.self_care.split(",")


# What self-care offers, in the order of its tabs: page, name, the part of the product's list that shows it; "" is always there.
_TABS: Final = (
    ("home", marked("Funds"), ""),
    ("own_call", marked("Call"), "call"),
    ("calls", marked("Calls"), "calls"),
    ("statements", marked("Statements"), "statements"),
    ("numbers", marked("Numbers"), "numbers"),
    ("settings", marked("Settings"), ""),
)
_CUSTOMER_TABS: Final = (
    ("company", marked("Accounts"), ""),
    ("company_calls", marked("Calls"), ""),
    ("statements", marked("Statements"), ""),
    ("settings", marked("Settings"), ""),
)


@blueprint.app_context_processor
def _tabs() -> dict[str, Any]:
    return {"owner_tabs": tabs}


def tabs() -> list[tuple[str, str]]:
    """The tabs of who has logged in: page and name."""
    found = current(clock.utc_now())
    if found is None:
        return []
    is_paid_for = found.account is not None and found.account.balance_control == "subordinate"
    shown = _TABS if found.account else _CUSTOMER_TABS
    return [
        (page, gettext(name))
        for page, name, part in shown
        if (not part or found.sees(part)) and not (page == "statements" and is_paid_for)
    ]


# Guards --------------------------------------------------------------------------------------------------------------


def anybody(view: View) -> View:
    """Guard: whoever has logged in; the view gets the Owner. A stranger is asked to log in."""

    @wraps(view)
    def guarded(**kwargs: Any) -> Any:
        found = current(clock.utc_now())
        return redirect(url_for("selfcare.sign_in"), 303) if found is None else view(found, **kwargs)

    guarded.guard = "logged in"  # type: ignore[attr-defined]
    return guarded


def owner(part: str = "") -> Callable[[View], View]:
    """Guard: the owner of an account whose product shows this part of self-care; the view gets the Account."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(**kwargs: Any) -> Any:
            found = current(clock.utc_now())
            if found is None:
                return redirect(url_for("selfcare.sign_in"), 303)
            if found.account is None:
                return redirect(url_for("selfcare.company"), 303)
            if part and not found.sees(part):
                abort(404)
            return view(found.account, **kwargs)

        guarded.guard = f"owner: {part}" if part else "owner"  # type: ignore[attr-defined]
        return guarded

    return guard


def customer(view: View) -> View:
    """Guard: a customer; the view gets the Customer. For the owner of an account there is nothing (404)."""

    @wraps(view)
    def guarded(**kwargs: Any) -> Any:
        found = current(clock.utc_now())
        if found is None:
            return redirect(url_for("selfcare.sign_in"), 303)
        if found.customer is None:
            abort(404)
        return view(found.customer, **kwargs)

    guarded.guard = "customer"  # type: ignore[attr-defined]
    return guarded


# Who it is -----------------------------------------------------------------------------------------------------------


def find(login: str) -> Account | Customer | None:
    """Whose self-care login this is; a closed one's is nobody's."""
    account: Account | None = Account.get_or_none(Account.web_login == login)
    if account is not None:
        return None if account.closed else account
    found: Customer | None = Customer.get_or_none(Customer.web_login == login)
    return None if found is None or found.status == "closed" else found


class Closed(Exception):
    """Too many tries have failed: what was typed was not looked at."""


def check(login: str, password: str, at: datetime) -> Account | Customer | None:
    """Whose self-care login and password these are; as slow for a login that does not exist. Notes the try. Raises Closed."""
    with credentials.one_try(_name(login)):
        if throttle.is_closed(_name(login), at):
            raise Closed
        found = find(login)
        right = credentials.verify_password(found.web_password if found else "", password)
        throttle.note(_name(login), at, failed=found is None or not right)
        return found if right else None


def _name(login: str) -> str:
    return f"self-care {login}"


# Sessions ------------------------------------------------------------------------------------------------------------


def begin(of: Account | Customer, at: datetime) -> None:
    """The owner is who he says: a new session, and nothing of an earlier one but the language."""
    kept = {name: session[name] for name in _KEPT if name in session}
    session.clear()
    session.update(kept)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with db.writing():
        OwnerSession.create(
            token_hash=_hashed(token),
            source=throttle.source(),
            agent=(request.user_agent.string or "")[:AGENT_LENGTH_MAX],
            began_at=at,
            seen_at=at,
            **_column(of),
        )
    session[_SESSION] = token
    g.pop("owner", None)


def end(at: datetime) -> None:
    """Log out, here."""
    found = current(at)
    if found is not None:
        end_sessions(found.of, at, only=found.session_id)
    session.pop(_SESSION, None)
    g.pop("owner", None)


def end_sessions(of: Account | Customer, at: datetime, *, only: int | None = None) -> None:
    """End the sessions of an owner, or the one of this id, where it is his."""
    ((name, row),) = _column(of).items()
    ending = OwnerSession.update(ended_at=at).where(OwnerSession.ended_at.is_null(), getattr(OwnerSession, name) == row)
    with db.writing():
        (ending if only is None else ending.where(OwnerSession.id == only)).execute()


def sessions(found: Owner, at: datetime) -> list[OwnerSession]:
    """Where he is logged in, last seen first."""
    ((name, row),) = _column(found.of).items()
    alive = OwnerSession.select().where(
        OwnerSession.ended_at.is_null(),
        getattr(OwnerSession, name) == row,
        OwnerSession.seen_at > at - IDLE_MAX,
        OwnerSession.began_at > at - SESSION_MAX,
    )
    return list(alive.order_by(OwnerSession.seen_at.desc()).limit(50))


def set_password(of: Account | Customer, password: str, at: datetime) -> None:
    """A new password: every session ends."""
    hashed = credentials.hash_password(password)
    table = type(of)
    with db.writing():
        table.update(web_password=hashed).where(table.id == of.id).execute()
    end_sessions(of, at)


def current(at: datetime) -> Owner | None:
    """Who has logged in; None where nobody has, or not lately."""
    if "owner" not in g:
        g.owner = _current(at)
    found: Owner | None = g.owner
    return found


def _current(at: datetime) -> Owner | None:
    token = session.get(_SESSION)
    if not isinstance(token, str):
        return None
    row = OwnerSession.get_or_none((OwnerSession.token_hash == _hashed(token)) & OwnerSession.ended_at.is_null())
    if row is None or at - row.seen_at > IDLE_MAX or at - row.began_at > SESSION_MAX:
        return None
    account, of_customer = row.account, row.customer
    if account.closed if account else of_customer.status == "closed":
        return None
    if at - row.seen_at > SEEN_EVERY:
        with db.writing():
            OwnerSession.update(seen_at=at).where(OwnerSession.id == row.id).execute()
    return Owner(account, of_customer, row.id)


def _column(of: Account | Customer) -> dict[str, Account | Customer]:
    return {"account" if isinstance(of, Account) else "customer": of}


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
