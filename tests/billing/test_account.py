"""What state an account is in, and when it ends."""

from datetime import UTC, datetime, timedelta

import pytest

from webcb.billing.account import Account, State, ends_at, state, state_shown

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("fields", "is_state"),
    [
        ({}, State.ACTIVE),
        ({"blocked": True, "closed": True, "activated": False}, State.BLOCKED),
        ({"closed": True, "activated": False}, State.CLOSED),
        ({"activated": False, "expires_at": NOON - DAY}, State.INACTIVE),
        ({"activation_at": NOON + DAY}, State.INACTIVE),
        ({"activation_at": NOON}, State.ACTIVE),
        ({"expires_at": NOON}, State.EXPIRED),
        ({"expires_at": NOON + timedelta(microseconds=1)}, State.ACTIVE),
        ({"days_after_first_use": 30}, State.ACTIVE),  # not used yet
        ({"days_after_first_use": 30, "first_used_at": NOON - 30 * DAY}, State.EXPIRED),
        ({"days_after_first_use": 31, "first_used_at": NOON - 30 * DAY}, State.ACTIVE),
        ({"days_after_last_use": 7, "last_used_at": NOON - 7 * DAY}, State.EXPIRED),
        ({"days_after_last_use": 7, "last_used_at": NOON - 6 * DAY, "expires_at": NOON + DAY}, State.ACTIVE),
    ],
)
def test_state(fields, is_state):
    assert state(Account("cb1", **fields), NOON) is is_state


def test_the_earliest_end_wins():
    account = Account(
        "cb1",
        expires_at=NOON + 10 * DAY,
        days_after_first_use=30,
        first_used_at=NOON - 25 * DAY,
        days_after_last_use=7,
        last_used_at=NOON,
    )
    assert ends_at(account) == NOON + 5 * DAY
    assert ends_at(Account("cb1", first_used_at=NOON, last_used_at=NOON)) is None


@pytest.mark.parametrize(
    ("fields", "available_micros", "shown"),
    [
        ({}, 1, State.ACTIVE),
        ({}, 0, State.NO_FUNDS),
        ({}, -1, State.NO_FUNDS),
        ({"blocked": True}, 0, State.BLOCKED),
        ({"activated": False}, 0, State.INACTIVE),
    ],
)
def test_lack_of_funds_is_shown_of_an_account_that_could_be_used_otherwise(fields, available_micros, shown):
    assert state_shown(Account("cb1", **fields), available_micros, NOON) is shown
