"""An engine that dies in a hosted callback: what was logged in stays so, what was charged stays charged, once."""

from datetime import timedelta

import pytest

from tests.billing import rows
from tests.billing.conftest import database as database
from tests.billing.rows import NOON
from webcb import models
from webcb.billing import books, hosted, settlement
from webcb.billing.hosted import Chosen, LoggedIn
from webcb.billing.settlement import LegUsage
from webcb.engine import recovery

SECOND = timedelta(seconds=1)
US = 1_000_000


@pytest.fixture
def talking(database: str) -> str:
    """A hosted callback in which A has logged in at 10 s, had a first B for a minute, and talks with a second one since 100 s."""
    house = rows.house()
    models.Tariff.update(login_fee_micros=70_000).where(models.Tariff.id == house.tariff).execute()
    desk = models.Customer.create(name="Desk", wallet=rows.wallet("0", credit_limit="10"))
    internal = rows.account(desk, house.product, "internal", wallet=desk.wallet, type="credit")
    models.VoiceApplication.update(kinds="hosted", internal_account=internal).execute()
    callback_id = rows.place(house, login="", number_b=None, kind="hosted")
    models.Callback.update(node=house.node, state="talking", claimed_at=NOON).execute()
    hosted.begin(callback_id, NOON)
    models.Leg.update(placed_at=NOON, answered_at=NOON, connection=house.connection).execute()
    found = hosted.log_in(callback_id, "cb1001", 10 * US, NOON + 10 * SECOND)
    assert isinstance(found, LoggedIn)
    pricings = (found.terms.pricing_a.with_login(),)
    for seconds in (20, 95):
        assert isinstance(
            hosted.choose(callback_id, "12065554123", pricings, seconds * US, NOON + seconds * SECOND), Chosen
        )
        if seconds == 20:
            usage = LegUsage("B", NOON + 22 * SECOND, NOON + 82 * SECOND, 60 * US, 100, 16, house.connection.id)
            settlement.settle_b(callback_id, usage, NOON + 82 * SECOND)
    models.Leg.update(placed_at=NOON + 99 * SECOND, answered_at=NOON + 100 * SECOND, connection=house.connection).where(
        models.Leg.name == "B"
    ).execute()
    return callback_id


def test_a_hosted_callback_without_an_engine_is_settled_once(talking: str) -> None:
    node_id = models.Node.get().id
    for _ in range(2):
        recovery.watch(node_id, frozenset(), NOON + 130 * SECOND, NOON + 150 * SECOND, 0)
        recovery.settle(talking, NOON + 150 * SECOND)
    bills = {xdr.leg: (xdr.account.login, xdr.used_quantity, xdr.charged_micros) for xdr in models.Xdr.select()}
    # 130 s are three minutes of A, and its log-in; B1 was charged for its minute before, B is for the half minute that it had.
    assert bills == {
        "A": ("cb1001", 130, 370_000),
        "B1": ("cb1001", 60, 100_000),
        "B": ("cb1001", 30, 100_000),
    }
    assert [(lock.state, lock.wallet_id) for lock in models.Lock.select()] == [
        ("settled", models.Account.get(login="cb1001").wallet_id)
    ]
    assert {wallet.locked_micros for wallet in models.Wallet.select()} == {0}
    assert books.differences() == []


def test_a_b_that_talked_before_makes_it_no_failed_call(talking: str) -> None:
    """A is alone as the engine dies: still a callback in which B was reached."""
    settlement.settle_b(talking, None, NOON + 110 * SECOND)
    models.Leg.update(pricing_if_b_fails='{"spoilt": true}').where(models.Leg.name == "A").execute()  # would be read
    recovery.watch(models.Node.get().id, frozenset(), NOON + 130 * SECOND, NOON + 150 * SECOND, 0)
    recovery.settle(talking, NOON + 150 * SECOND)
    assert sorted(xdr.leg for xdr in models.Xdr.select()) == ["A", "B1"]
