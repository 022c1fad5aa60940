"""Billing periods: which one an instant lies in, and where it begins and ends by the clocks of a zone (domain 5). Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

KINDS: Final = ("daily", "weekly", "semimonthly", "monthly", "monthly anniversary", "30 days")


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """From the first midnight to the one it ends before, local dates and instants in UTC."""

    first_day: date
    next_day: date  # of the following period
    begins_at: datetime
    ends_at: datetime

    @property
    def last_day(self) -> date:
        return self.next_day - timedelta(days=1)


def period_at(kind: str, at: datetime, zone: ZoneInfo, since: date) -> BillingPeriod:
    """The period of a customer that an instant lies in. `since` is the day from which anniversaries and 30 days count."""
    day = at.astimezone(zone).date()
    first, following = _BOUNDS[kind](day, since)
    return BillingPeriod(first, following, midnight(first, zone), midnight(following, zone))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a day begins by the clocks of a zone: where midnight is skipped, the first moment after it."""
    # fold 0 takes the offset before a jump: of a midnight that is not there, it gives the moment of the jump itself.
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _daily(day: date, _: date) -> tuple[date, date]:
    return day, day + timedelta(days=1)


def _weekly(day: date, _: date) -> tuple[date, date]:
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=7)


def _semimonthly(day: date, _: date) -> tuple[date, date]:
    """The 1st to the 15th, the 16th to the end of the month."""
    if day.day <= 15:
        return day.replace(day=1), day.replace(day=16)
    return day.replace(day=16), _month_after(day.replace(day=1))


def _monthly(day: date, _: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, _month_after(first)


def _anniversary(day: date, since: date) -> tuple[date, date]:
    """From the day of the month on which the customer began; the last day of a month that does not have it."""
    first = day.replace(day=1)
    turn = _day_of(first, since.day)
    if day >= turn:
        return turn, _day_of(_month_after(first), since.day)
    return _day_of((first - timedelta(days=1)).replace(day=1), since.day), turn


def _thirty_days(day: date, since: date) -> tuple[date, date]:
    first = since + timedelta(days=(day - since).days // 30 * 30)
    return first, first + timedelta(days=30)


def _month_after(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _day_of(first: date, number: int) -> date:
    last = (_month_after(first) - timedelta(days=1)).day
    return first.replace(day=min(number, last))


_BOUNDS: Final[dict[str, Callable[[date, date], tuple[date, date]]]] = {
    "daily": _daily,
    "weekly": _weekly,
    "semimonthly": _semimonthly,
    "monthly": _monthly,
    "monthly anniversary": _anniversary,
    "30 days": _thirty_days,
}
