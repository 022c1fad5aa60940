"""The patrol over xDRs of a real database: what it raises, once a day, what it leaves alone, and the mail that tells of it."""

import json
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from webcb import db
from webcb.clerk.patrol import EVERY, Patrol
from webcb.models import Account, Callback, Destination, Unusual, VoiceApplication, Wallet, Xdr

NUMBERS = count()


@pytest.fixture
def house(database_url: str) -> Iterator[rows.House]:
    """A service that has been used for weeks, with a low floor for alarms."""
    opened = db.connect(database_url)
    opened.connect()
    db.migrate()
    made = rows.house()
    Destination.update(country="US").where(Destination.prefix == "1").execute()
    VoiceApplication.update(unusual_calls=6, unusual_charges_micros=9_000_000).execute()
    called(made, NOON - timedelta(days=20))
    yield made
    opened.close()


def called(
    house: rows.House, at: datetime, times: int = 1, seconds: int = 60, price: int = 100_000, **fields: str
) -> None:
    """Callbacks that ended at a moment, each with an xDR of both legs."""
    facts = {
        "account": "cb1001",
        "a": "551199990000",
        "b": "12065550100",
        "destination": "1",
        "source": "192.0.2.9",
    } | fields
    account = Account.get(Account.login == facts["account"])
    for number in (next(NUMBERS) for _ in range(times)):
        callback_id = f"{number:020d}"
        whose: dict[str, Any] = {
            "voice_application": house.application,
            "account": account,
            "idempotency_key": callback_id,
        }
        ended: dict[str, Any] = {"state": "ended", "ended_at": at, "ending": "A hung up", "requested_at": at}
        Callback.create(id=callback_id, kind="extended", requested_from=facts["source"], **whose, **ended)
        bill: dict[str, Any] = {
            "callback": callback_id,
            "account": account,
            "customer": account.customer,
            "tariff": "Callback",
        }
        bill |= {"disconnect_time": at, "bill_time": at, "used_quantity": seconds, "charged_quantity": seconds}
        bill |= {"charged_micros": price, "currency": "USD", "disconnect_cause": 16, "explanation": "{}", "cli": ""}
        for leg, cld, destination in (("A", facts["a"], "55"), ("B", facts["b"], facts["destination"])):
            Xdr.create(leg=leg, cld=cld, destination=destination, access_code="WEBCALLBACK", **bill)


def raised() -> set[tuple[str, str, str]]:
    return {(each.pattern, each.kind, each.subject) for each in Unusual.select()}


def test_far_more_calls_than_usual_are_said_once(house: rows.House) -> None:
    for day in range(2, 9):  # a usual day has two an hour, to whom and from where it may be
        called(house, NOON - timedelta(days=day), 2)
    patrol = Patrol()
    called(house, NOON - timedelta(minutes=10), 9)
    assert patrol.go(NOON) == 0  # not five times as many
    called(house, NOON - timedelta(minutes=9), 1)
    assert patrol.go(NOON + timedelta(seconds=10)) == 0  # it was there a moment ago
    assert patrol.go(NOON + EVERY) == 5
    everyone = {
        ("account", "cb1001"),
        ("number A", "551199990000"),
        ("number B", "12065550100"),
        ("destination", "1"),
        ("source", "192.0.2.9"),
    }
    assert raised() == {("many calls", kind, subject) for kind, subject in everyone}
    row = Unusual.get(Unusual.kind == "account")
    assert (row.seen, row.usual, row.application, row.mail_due_at) == (10, 2, house.application.name, NOON + EVERY)
    assert json.loads(row.facts)["charges"] == {"USD": 2_000_000}
    assert Patrol().go(NOON + 2 * EVERY) == 0  # another clerk, and later: the same is not said again


def test_charges_count_by_whom_they_are_of(house: rows.House) -> None:
    for each in range(5):
        called(
            house,
            NOON,
            1,
            price=1_000_000,
            a=f"5511{each}",
            b=f"1206{each}",
            source=f"198.51.100.{each}",
            destination="1",
        )
    VoiceApplication.update(unusual_charges_micros=6_000_000).execute()
    assert Patrol().go(NOON) == 1  # of the destination it is 5.00
    row = Unusual.get()
    assert (row.pattern, row.kind, row.subject, row.seen, row.usual) == (
        "high charges",
        "account",
        "cb1001",
        10_000_000,
        200_000,
    )
    assert row.currency == "USD"


def test_what_goes_on_counts_with_what_is_locked(house: rows.House) -> None:
    rows.no_limits()
    Wallet.update(balance_micros=100_000_000).execute()
    for each in range(6):
        rows.place(house, f"k{each}", NOON)
    assert Patrol().go(NOON + timedelta(minutes=1)) > 0
    assert ("many calls", "account", "cb1001") in raised()


def test_at_night_a_country_that_is_new(house: rows.House) -> None:
    Destination.create(prefix="53", country="CU")
    night = NOON.replace(hour=3)
    patrol = Patrol()
    called(house, night, 3, b="5371234567", destination="53")
    called(house, night, 2)
    assert patrol.go(night) == 1
    assert raised() == {("night calls", "country", "CU")}
    called(house, night + timedelta(days=3), 3, b="5371234567", destination="53")
    assert patrol.go(night + timedelta(days=3)) == 0  # nobody needs to hear of it twice: it is known by now


def test_where_the_factor_is_left_out_nothing_is_looked_for(house: rows.House) -> None:
    VoiceApplication.update(unusual_factor=None).execute()
    called(house, NOON, 50)
    assert Patrol().go(NOON) == 0


def test_what_an_hour_takes_of_memory_does_not_grow_with_its_calls(
    house: rows.House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webcb.clerk.patrol.READ_AT_A_TIME", 20)

    def bytes_of_a_round() -> int:
        patrol = Patrol()
        tracemalloc.start()
        patrol.go(NOON)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    called(house, NOON, 40)
    Patrol().go(NOON)  # what is made once, and said once
    few = bytes_of_a_round()
    called(house, NOON, 160)
    many = bytes_of_a_round()
    assert many < few + 32_000, "of 320 more legs, half a thousand octets each where all are there at once"
    assert Unusual.get(Unusual.kind == "account").seen == 40
