"""What the operator of the tests has configured: two carriers and a spare one, one account, prices a head can work out."""

from datetime import UTC, datetime
from math import ceil

from webcb import clock, db
from webcb.billing import credentials, ledger
from webcb.models import (
    Account,
    Connection,
    Customer,
    Destination,
    Product,
    Rate,
    Route,
    Tariff,
    UsageCharge,
    Vendor,
    VoiceApplication,
    Wallet,
)
from webcb.number import Kind, Number

A = Number("12065550142", "US", Kind.ORDINARY)
B = Number("5511999887766", "BR", Kind.ORDINARY)
EFFECTIVE = datetime(2020, 1, 1, tzinfo=UTC)
FUNDS_MICROS = 5_000_000
RING_SECONDS = 5
SWITCH_USERNAME = "webcb"
SWITCH_PASSWORD = "open sesame"

# Carrier: the prefix of the numbers it carries, its preference (10 first). It is active once a phone stands behind it.
CARRIERS = {"A": ("1206", 7), "B": ("5511", 7), "spare": ("1206", 3)}


def charge_a(seconds: int) -> int:
    """Leg A, 1/1 at 0.60 a minute: one cent a second."""
    return seconds * 10_000


def charge_a_if_b_fails(seconds: int) -> int:
    """Leg A by CALLBACK_FAIL, 30/30 at 0.01 a minute: half a cent for every half minute begun."""
    return ceil(seconds / 30) * 5_000


def charge_b(seconds: int) -> int:
    """Leg B, 0.05 to connect and 6/6 at 1.20 a minute: 0.12 for every six seconds begun."""
    return 50_000 + ceil(seconds / 6) * 120_000 if seconds else 0


def sip_port(ports: range, carrier: str) -> int:
    """Where a carrier's phone speaks SIP; its media ports stand apart."""
    return ports[10 + list(CARRIERS).index(carrier)]


def media_port(ports: range, carrier: str) -> int:
    """Where a carrier's phone speaks and hears; sipp takes this one and the second after it, and its control port."""
    return ports[20 + 10 * list(CARRIERS).index(carrier)]


def configure(ports: range) -> int:
    """Rates, product, account with funds, carriers and the voice application; the account's id."""
    with db.writing():
        register = {prefix: Destination.create(prefix=prefix) for prefix in ("1206", "5511")}
        product = Product.create(name="Callback", currency="USD")
        prices = [
            ("WEBCALLBACK-A", "Leg A", 0, "1206", 1, 600_000),
            ("WEBCALLBACK-B", "Leg B", 50_000, "5511", 6, 1_200_000),
            ("CALLBACK_FAIL", "Leg A alone", 0, "1206", 30, 10_000),
        ]
        for code, name, fee_micros, prefix, interval_seconds, price_micros in prices:
            tariff = Tariff.create(name=name, currency="USD", connect_fee_micros=fee_micros)
            add_rate(tariff, register[prefix], interval_seconds, price_micros)
            UsageCharge.create(product=product, access_code=code, tariff=tariff)
        for carrier, (prefix, preference) in CARRIERS.items():
            tariff = Tariff.create(name=f"Cost {carrier}", currency="USD", applied_to="vendor")
            add_rate(tariff, register[prefix], 1, 6_000)
            Route.create(tariff=tariff, destination=register[prefix], preference=preference)
            Connection.create(
                name=f"Carrier {carrier}",
                vendor=Vendor.create(name=f"Vendor {carrier}", currency="USD"),
                tariff=tariff,
                host="127.0.0.1",
                port=sip_port(ports, carrier),
                username=SWITCH_USERNAME,
                sealed_password=credentials.seal(SWITCH_PASSWORD),
                active=False,
            )
        customer = Customer.create(name="Alice & Co", wallet=Wallet.create(currency="USD"))
        wallet = Wallet.create(currency="USD")
        account = Account.create(login="alice", customer=customer, product=product, wallet=wallet)
        VoiceApplication.create(
            name="Extended",
            path="-",
            special_charge_if_leg_b_fails=True,
            ring_seconds_a=RING_SECONDS,
            ring_seconds_b=RING_SECONDS,
        )
    ledger.post(wallet.id, account.id, "opening balance", FUNDS_MICROS, "opening:alice", "test", "", clock.utc_now())
    return int(account.id)


def add_rate(tariff: Tariff, destination: Destination, interval_seconds: int, price_micros: int) -> None:
    Rate.create(
        tariff=tariff,
        destination=destination,
        effective_at=EFFECTIVE,
        first_interval_seconds=interval_seconds,
        next_interval_seconds=interval_seconds,
        first_price_micros=price_micros,
        next_price_micros=price_micros,
    )
