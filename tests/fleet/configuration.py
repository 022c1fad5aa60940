"""What the operator of the fleet has configured: one carrier in three connections, accounts that share limits, keys to the API."""

from datetime import UTC, datetime
from typing import Final

from tests.callback.configuration import add_rate
from webcb import clock, db
from webcb.billing import ledger
from webcb.models import (
    Account,
    Connection,
    Customer,
    Destination,
    Product,
    Tariff,
    UsageCharge,
    Vendor,
    VoiceApplication,
    Wallet,
)
from webcb.number import Kind, Number
from webcb.web import bearer

MICROS_A_SECOND: Final = 10_000  # of either leg, by the second
ACCOUNTS: Final = 6
CONCURRENT_MAX: Final = 20  # of an account
BALANCE_MICROS: Final = 1_000_000_000
THRIFTY: Final = "thrifty"
SPEND_MAX_MICROS: Final = 2_000_000  # of the thrifty one, a day
LIMITED: Final = "limited"  # the connection with a capacity and a pace
CAPACITY: Final = 6
CALLS_PER_SECOND: Final = 3
EFFECTIVE = datetime(2020, 1, 1, tzinfo=UTC)

# By the connection: the beginning of the numbers it carries.
PREFIXES: Final = {"A": "1206", "B": "5511", LIMITED: "4420"}


def number(connection: str, index: int) -> Number:
    """One of the numbers that a connection carries."""
    match connection:
        case "A":
            return Number(f"1206{4_200_000 + index}", "US", Kind.ORDINARY)
        case "B":
            return Number(f"5511{988_000_000 + index}", "BR", Kind.ORDINARY)
        case _:
            return Number(f"4420{79_460_000 + index}", "GB", Kind.ORDINARY)


def configure(edge: str) -> dict[str, str]:
    """Rates, accounts, the connections behind the carrier's edge at an address; the key of each account, by its ID."""
    with db.writing():
        product = Product.create(name="Callback", currency="USD")
        tariff = Tariff.create(name="Callback", currency="USD")
        UsageCharge.create(product=product, access_code="WEBCALLBACK", tariff=tariff, slice_seconds=30)
        vendor = Vendor.create(name="Carrier", currency="USD")
        for name, prefix in PREFIXES.items():
            destination = Destination.create(prefix=prefix)
            cost = Tariff.create(name=f"Cost {name}", currency="USD", applied_to="vendor")
            add_rate(tariff, destination, 1, 60 * MICROS_A_SECOND)
            add_rate(cost, destination, 1, 6_000)
            limits = {"capacity": CAPACITY, "calls_per_second": CALLS_PER_SECOND} if name == LIMITED else {}
            Connection.create(name=name, vendor=vendor, tariff=cost, host=edge, port=5060, **limits)
        application = VoiceApplication.create(name="Callback", path="-", concurrent_per_account=CONCURRENT_MAX)
        at_once = ("concurrent_per_a", "concurrent_per_b", "concurrent_per_block", "concurrent_per_source")
        limits_of_asking = [name for name in VoiceApplication._meta.fields if name.startswith("asks_per_minute")]
        VoiceApplication.update(**dict.fromkeys([*limits_of_asking, *at_once])).execute()
        customer = Customer.create(name="Customer", wallet=Wallet.create(currency="USD"))
        accounts = []
        for login in [*(f"account{each}" for each in range(ACCOUNTS)), THRIFTY]:
            wallet = Wallet.create(currency="USD")
            spend_max = SPEND_MAX_MICROS if login == THRIFTY else None
            columns = {"customer": customer, "product": product, "wallet": wallet, "daily_spend_max_micros": spend_max}
            accounts.append(Account.create(login=login, **columns))
            ledger.post(
                wallet.id,
                accounts[-1].id,
                "opening balance",
                BALANCE_MICROS,
                f"opening:{login}",
                "test",
                "",
                clock.utc_now(),
            )
    keys = {}
    for account in accounts:
        wanted = bearer.Wanted(account.login, ("calls", "account"), account, application, requests_per_minute=100_000)
        keys[account.login] = bearer.make(wanted, (), "test", clock.utc_now()).key
    return keys
