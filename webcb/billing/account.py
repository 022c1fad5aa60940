"""Accounts as values: their state at a moment, and when they end (domain 5)."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """What an account is at a moment. Whether its funds pay for a call is seen where that is priced; NO_FUNDS is only shown."""

    ACTIVE = "active"
    BLOCKED = "blocked"
    CLOSED = "closed"
    INACTIVE = "inactive"
    EXPIRED = "expired"
    NO_FUNDS = "no funds"


class Account(NamedTuple):
    """What decides whether an account may be used; instants are aware."""

    login: str
    blocked: bool = False
    closed: bool = False
    activated: bool = True
    activation_at: datetime | None = None
    expires_at: datetime | None = None
    days_after_first_use: int | None = None
    days_after_last_use: int | None = None
    first_used_at: datetime | None = None
    last_used_at: datetime | None = None

    @classmethod
    def of(cls, row: object) -> "Account":
        """From anything that has these by the same names, such as a row of the table."""
        return cls._make(getattr(row, name) for name in cls._fields)


def ends_at(account: Account) -> datetime | None:
    """The earliest of the expiration date and the ends of the availability periods; None: it does not end."""
    ends = [account.expires_at]
    if account.first_used_at and account.days_after_first_use:
        ends.append(account.first_used_at + timedelta(days=account.days_after_first_use))
    if account.last_used_at and account.days_after_last_use:
        ends.append(account.last_used_at + timedelta(days=account.days_after_last_use))
    return min((end for end in ends if end is not None), default=None)


def state(account: Account, at: datetime) -> State:
    """The state at `at`; where several hold, the one an operator set by hand is said first."""
    if account.blocked:
        return State.BLOCKED
    if account.closed:
        return State.CLOSED
    if not account.activated or (account.activation_at is not None and at < account.activation_at):
        return State.INACTIVE
    end = ends_at(account)
    if end is not None and at >= end:
        return State.EXPIRED
    return State.ACTIVE


def state_shown(account: Account, available_micros: int, at: datetime) -> State:
    """The state as lists and pages show it: one that could be used, and has nothing to spend, is without funds (domain 5)."""
    found = state(account, at)
    return State.NO_FUNDS if found is State.ACTIVE and available_micros <= 0 else found
