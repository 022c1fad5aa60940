"""What a leg costs us stands on its xDR: the vendor's charge, and its worth by the exchange rates of the day."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.billing import rows
from tests.billing.rows import NOON
from webcb import db, models
from webcb.billing import catalog, reception, settlement
from webcb.billing.authorization import Reason, Refusal
from webcb.billing.currency import Exchanged, ExchangeRates
from webcb.billing.explanation import cost_in_words, in_words
from webcb.billing.settlement import LegUsage
from webcb.billing.statement import statement

JULY, AUGUST = datetime(2026, 7, 31, 12, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
KNOWN = ExchangeRates.of(
    [
        ("USD", "2026-01-01", 1_000_000),
        ("EUR", "2026-08-01", 900_000),
        ("EUR", "2026-01-01", 800_000),
        ("VND", "2026-01-01", 25_400_000_000),
    ]
)


@pytest.mark.parametrize(
    ("micros", "currency", "into", "at", "worth"),
    [
        (5, "GBP", "GBP", JULY, Exchanged(5)),  # one currency: no rate is needed
        (800_000, "EUR", "USD", JULY, Exchanged(1_000_000, 1_000_000, 800_000)),  # 0.80 EUR are a dollar
        (1_000_000, "USD", "EUR", JULY, Exchanged(800_000, 800_000, 1_000_000)),
        (900_000, "EUR", "USD", AUGUST, Exchanged(1_000_000, 1_000_000, 900_000)),  # from its first moment
        (1, "EUR", "USD", JULY, Exchanged(2, 1_000_000, 800_000)),  # 1.25 micros, away from zero
        (1_000_000, "EUR", "USD", AUGUST, Exchanged(1_111_112, 1_000_000, 900_000)),  # 1.1111111..
        (25_400_000_000, "VND", "EUR", JULY, Exchanged(800_000, 800_000, 25_400_000_000)),  # across the base
        (0, "EUR", "USD", JULY, Exchanged(0, 1_000_000, 800_000)),
        (1, "GBP", "USD", JULY, None),
        (1, "USD", "GBP", JULY, None),
        (1, "EUR", "USD", datetime(2025, 12, 31, 23, 59, tzinfo=UTC), None),  # before the first day
    ],
)
def test_an_amount_in_another_currency(micros, currency, into, at, worth):
    assert KNOWN.convert(micros, currency, into, at) == worth


# On the xDR ------------------------------------------------------------------------------------------------------------


def settled(house: rows.House, *usages: LegUsage) -> dict[str, models.Xdr]:
    callback_id = rows.place(house)
    begun = reception.begin(callback_id, NOON)
    assert isinstance(begun, reception.Begun), begun
    settlement.settle(callback_id, usages, "A hung up", True, NOON + timedelta(seconds=200))
    return {xdr.leg: xdr for xdr in models.Xdr.select()}


def used(leg: str, seconds: int, connection_id: int | None, **fields) -> LegUsage:
    ended_at = NOON + timedelta(seconds=seconds)
    answered_at = fields.pop("answered_at", NOON)
    return LegUsage(leg, answered_at, ended_at, seconds * 1_000_000, 900, 16, connection_id, **fields)


def costs(xdr: models.Xdr) -> tuple:
    return (
        xdr.vendor_cost_micros,
        xdr.vendor_currency,
        xdr.cost_micros,
        xdr.currency_per_base_micros,
        xdr.vendor_currency_per_base_micros,
    )


@pytest.mark.usefixtures("database")
def test_a_vendor_in_the_same_currency():
    house = rows.house()
    trunk = house.connection.id
    xdrs = settled(house, used("A", 61, trunk), used("B", 30, trunk, answered_at=None))
    # The vendor: 1/1 at 0.01 a minute, 61 s: 0.0101666.. -> 0.01017. B was not answered: nothing.
    assert costs(xdrs["A"]) == (10_170, "USD", 10_170, None, None)
    assert costs(xdrs["B"]) == (0, "USD", 0, None, None)
    vendor = json.loads(xdrs["A"].explanation)["vendor"]
    assert (vendor["charged_seconds"], vendor["amount_micros"]) == (61, 10_170)


@pytest.mark.usefixtures("either_database")
def test_a_vendor_in_another_currency():
    house = rows.house()
    euro = rows.tariff("Euro vendor", applied_to="vendor", currency="EUR", connect_fee_micros=4_000)
    rows.rate(euro, "55", 60, 60, "0.02")
    vendor = models.Vendor.create(name="Euro carrier", currency="EUR")
    trunk = rows.connection("euro", vendor, euro)
    xdrs = settled(house, used("A", 61, trunk.id))
    assert costs(xdrs["A"]) == (44_000, "EUR", None, None, None)  # two minutes and the fee; its worth is not known
    with db.writing():
        models.ExchangeRate.create(currency="USD", day="2026-01-01", per_base_micros=1_000_000)
        models.ExchangeRate.create(currency="EUR", day="2026-03-02", per_base_micros=880_000)
    other = rows.account(house.customer, house.product, login="cb1002")
    placed = reception.place(rows.order(house, login=other.login), NOON)
    reception.begin(placed.callback_id, NOON)
    settlement.settle(placed.callback_id, [used("A", 61, trunk.id)], "A hung up", True, NOON)
    xdr = models.Xdr.get(models.Xdr.callback == placed.callback_id)
    assert costs(xdr) == (44_000, "EUR", 50_000, 1_000_000, 880_000)  # 0.044 / 0.88 = 0.05
    assert cost_in_words(xdr) == "0.044 EUR, worth 0.05 USD at 0.88 EUR for 1.00 USD"
    assert cost_in_words(xdrs["A"]) == "0.044 EUR, whose worth in USD was not known"


@pytest.mark.usefixtures("database")
def test_a_bill_in_reais_of_a_vendor_in_pounds_by_a_base_that_is_neither():
    """A, 61 s by 60/6 at 0.75 BRL a minute: 66 s, 0.825 BRL. The vendor by 1/1 at 0.12 GBP a minute: 61 s, 0.122 GBP.

    One USD, the base, is 5.50 BRL and 0.80 GBP: 0.122 GBP are 0.122 x 5.50 / 0.80 = 0.83875 BRL. It is sold for less than it costs.
    """
    house = rows.house()
    for currency, per_base_micros in (("USD", 1_000_000), ("BRL", 5_500_000), ("GBP", 800_000)):
        models.ExchangeRate.create(currency=currency, day="2026-01-01", per_base_micros=per_base_micros)
    reais = rows.tariff("Reais", currency="BRL")
    pounds = rows.tariff("Pounds", applied_to="vendor", currency="GBP")
    rows.rate(reais, "55", 60, 6, "0.75")
    rows.rate(reais, "1", 60, 6, "0.75")
    rows.rate(pounds, "55", 1, 1, "0.12")
    trunk = rows.connection("pounds", models.Vendor.create(name="Pounds", currency="GBP"), pounds)
    product = models.Product.create(name="Em reais", currency="BRL")
    rows.usage_charge(product, "WEBCALLBACK", reais)
    wallet = models.Wallet.create(currency="BRL", credit_limit_micros=100_000_000)
    customer = models.Customer.create(name="Brasil", wallet=wallet)
    rows.account(customer, product, login="cb55", wallet=wallet, balance_control="subordinate", type="credit")
    callback_id = rows.place(house, login="cb55")
    reception.begin(callback_id, NOON)
    settlement.settle(callback_id, [used("A", 61, trunk.id)], "A hung up", True, NOON)
    xdr = models.Xdr.get(models.Xdr.callback == callback_id)
    assert (xdr.charged_quantity, xdr.charged_micros, xdr.currency) == (66, 825_000, "BRL")
    assert costs(xdr) == (122_000, "GBP", 838_750, 5_500_000, 800_000)
    assert cost_in_words(xdr) == "0.122 GBP, worth 0.83875 BRL at 0.80 GBP for 5.50 BRL"
    said = in_words(json.loads(xdr.explanation))
    assert said[-1] == "66 s charged, rounded up to 5 decimals: 0.825 BRL"
    bill = statement(wallet.id, NOON - timedelta(days=1), NOON + timedelta(days=1))
    assert (bill.currency, bill.charged_micros, bill.closing_micros) == ("BRL", 825_000, -825_000)


@pytest.mark.usefixtures("database")
def test_without_a_connection_or_a_rate_of_its_vendor_the_cost_is_not_known():
    house = rows.house()
    bare = rows.connection("bare", house.vendor, rows.tariff("Empty", applied_to="vendor"))
    xdrs = settled(house, used("A", 61, None), used("B", 30, bare.id))
    assert costs(xdrs["A"]) == costs(xdrs["B"]) == (None, None, None, None, None)


@pytest.mark.usefixtures("database")
def test_a_vendors_price_is_that_of_the_authorization_whatever_happens_in_the_call():
    house = rows.house()
    callback_id = rows.place(house)
    reception.begin(callback_id, NOON)
    with db.writing():
        rows.rate(house.vendor_tariff, "55", 1, 1, "9.00", effective_at=NOON + timedelta(seconds=1))
        models.Connection.update(active=False).execute()
    usages = [used("A", 60, house.connection.id, answered_at=NOON + timedelta(seconds=5))]
    settlement.settle(callback_id, usages, "A hung up", False, NOON + timedelta(seconds=200))
    assert models.Xdr.get().vendor_cost_micros == 10_000
    assert [leg.vendor_pricings for leg in models.Leg.select()] == [None, None]  # it stands on the xDR now


@pytest.mark.usefixtures("database")
def test_a_vendors_off_peak_hours_are_those_of_its_zone_and_of_the_answer():
    house = rows.house()
    night = models.OffPeakPeriod.create(name="Night", definition="hr{21}")  # 12:00 UTC is 21:00 in Tokyo
    models.Tariff.update(off_peak_period=night).where(models.Tariff.id == house.vendor_tariff.id).execute()
    models.Vendor.update(billing_time_zone="Asia/Tokyo").execute()
    rows.rate(
        house.vendor_tariff, "5511", 1, 1, "0.60", mode="off-peak",
        off_peak_first_interval_seconds=60, off_peak_next_interval_seconds=60,
        off_peak_first_price_micros=30_000, off_peak_next_price_micros=30_000,
    )  # fmt: skip
    xdrs = settled(house, used("A", 61, house.connection.id))
    assert xdrs["A"].vendor_cost_micros == 60_000


@pytest.mark.usefixtures("database")
def test_a_login_by_voice_costs_the_login_fee_once():
    house = rows.house()
    models.Tariff.update(login_fee_micros=70_000, free_seconds=90).where(models.Tariff.id == house.tariff.id).execute()
    xdrs = settled(house, used("A", 61, None, logged_in=True), used("B", 30, None))
    assert (xdrs["A"].charged_micros, xdrs["B"].charged_micros) == (70_000, 0)  # free seconds spare no login fee


@pytest.mark.usefixtures("either_database")
def test_with_profit_guarantee_no_route_costs_more_than_it_brings_in():
    house = rows.house(price="0.02")
    dear = rows.tariff("Dear", applied_to="vendor")
    rows.rate(dear, "1", 60, 60, "0.03")
    rows.rate(dear, "55", 60, 60, "0.015")
    rows.connection("dear", house.vendor, dear)
    models.Product.update(profit_guarantee=True).execute()
    begun = reception.begin(rows.place(house), NOON)
    assert [route.name for route in begun.routes_a] == ["carrier", "dear"]  # 0.01 and 0.015 against 0.02
    assert [route.name for route in begun.routes_b] == ["carrier"]
    models.Connection.update(active=False).where(models.Connection.name == "carrier").execute()
    assert reception.quote(rows.order(house), NOON) == Refusal(Reason.NO_ROUTE, "B")


# The book that is kept ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("either_database")
def test_a_change_is_noticed_at_once_and_one_taken_back_leaves_nothing():
    house = rows.house()

    def name() -> str:
        return catalog.book().tariffs[house.tariff.id].name

    def rename(to: str) -> None:
        models.Tariff.update(name=to).where(models.Tariff.id == house.tariff.id).execute()

    assert name() == "Callback"
    assert catalog.book() is catalog.book()
    with db.database.atomic() as undone:
        rename("Never")
        assert name() == "Never"
        undone.rollback()
    assert name() == "Callback"
    rename("Other")
    assert name() == "Other"


@pytest.mark.usefixtures("either_database")
def test_every_table_of_the_book_is_watched():
    house = rows.house()
    seen = [catalog.book()]
    for change in (
        lambda: models.OffPeakPeriod.create(name="Night", definition="hr{1}"),
        lambda: models.ExchangeRate.create(currency="EUR", day="2026-01-01", per_base_micros=5),
        lambda: models.ExchangeRate.delete().execute(),
        lambda: models.Vendor.update(billing_time_zone="Asia/Tokyo").execute(),
        lambda: models.Connection.update(active=False).execute(),
        lambda: models.Product.update(profit_guarantee=True).execute(),
        lambda: rows.usage_charge(house.product, "", house.tariff),
        lambda: rows.tariff("More"),
        lambda: models.VoiceApplication.update(talk_seconds_max=60).execute(),
    ):
        change()
        seen.append(catalog.book())
    assert len({known.epoch for known in seen}) == len(seen)
    assert seen[-1].applications["-"].talk_seconds_max == 60
    assert (seen[4].every_connection[house.connection.id].time_zone, seen[5].connections) == ("Asia/Tokyo", ())
