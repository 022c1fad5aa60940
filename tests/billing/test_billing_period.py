"""Billing periods by tables, and by their laws: each instant in one, none lost between two."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webcb.billing.billing_period import KINDS, midnight, period_at

SINCE = date(2026, 1, 31)


@pytest.mark.parametrize(
    ("kind", "day", "first", "last"),
    [
        ("daily", "2026-02-28", "2026-02-28", "2026-02-28"),
        ("weekly", "2026-11-26", "2026-11-23", "2026-11-29"),  # a Thursday: Monday to Sunday
        ("weekly", "2026-11-23", "2026-11-23", "2026-11-29"),
        ("weekly", "2026-11-29", "2026-11-23", "2026-11-29"),
        ("weekly", "2027-01-01", "2026-12-28", "2027-01-03"),
        ("semimonthly", "2026-02-15", "2026-02-01", "2026-02-15"),
        ("semimonthly", "2026-02-16", "2026-02-16", "2026-02-28"),
        ("semimonthly", "2028-02-29", "2028-02-16", "2028-02-29"),
        ("semimonthly", "2026-12-31", "2026-12-16", "2026-12-31"),
        ("monthly", "2026-12-31", "2026-12-01", "2026-12-31"),
        ("monthly", "2028-02-01", "2028-02-01", "2028-02-29"),
        ("monthly anniversary", "2026-01-31", "2026-01-31", "2026-02-27"),  # February has no 31st: its last day
        ("monthly anniversary", "2026-02-27", "2026-01-31", "2026-02-27"),
        ("monthly anniversary", "2026-02-28", "2026-02-28", "2026-03-30"),
        ("monthly anniversary", "2026-04-30", "2026-04-30", "2026-05-30"),
        ("30 days", "2026-01-31", "2026-01-31", "2026-03-01"),
        ("30 days", "2026-03-02", "2026-03-02", "2026-03-31"),
        ("30 days", "2026-01-30", "2026-01-01", "2026-01-30"),  # before the customer began
    ],
)
def test_the_period_of_a_day(kind: str, day: str, first: str, last: str) -> None:
    at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    period = period_at(kind, at, ZoneInfo("UTC"), SINCE)
    assert (str(period.first_day), str(period.last_day)) == (first, last)


def test_days_are_those_of_the_zone() -> None:
    at = datetime(2026, 12, 1, 2, 30, tzinfo=UTC)  # still November in Sao Paulo
    period = period_at("monthly", at, ZoneInfo("America/Sao_Paulo"), SINCE)
    assert period.begins_at == datetime(2026, 11, 1, 3, tzinfo=UTC)
    assert period.ends_at == datetime(2026, 12, 1, 3, tzinfo=UTC)


def test_a_midnight_that_the_clocks_skip() -> None:
    """Brazil's summer time of 2018 began at midnight of 4 November: that day began at 01:00, 03:00 UTC."""
    assert midnight(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo")) == datetime(2018, 11, 4, 3, tzinfo=UTC)


@given(
    kind=st.sampled_from(KINDS),
    at=st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(
        ["UTC", "America/Sao_Paulo", "Asia/Kathmandu", "Europe/Berlin", "Pacific/Apia", "Africa/Cairo"]
    ),
    since=st.dates(date(2000, 1, 1), date(2059, 1, 1)),
)
def test_every_instant_is_in_one_period_and_they_follow_each_other(
    kind: str, at: datetime, zone: str, since: date
) -> None:
    period = period_at(kind, at, ZoneInfo(zone), since)
    assert period.begins_at <= at < period.ends_at
    assert period_at(kind, period.begins_at, ZoneInfo(zone), since) == period
    following = period_at(kind, period.ends_at, ZoneInfo(zone), since)
    assert following.begins_at == period.ends_at
    assert following.first_day == period.next_day
    assert (
        period_at(kind, period.begins_at - timedelta(microseconds=1), ZoneInfo(zone), since).ends_at == period.begins_at
    )
