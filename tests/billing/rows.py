"""A small builder of rows: an operator's configuration in a few lines, through the models, with sensible defaults.

house = rows.house()                       # destinations, one tariff, product, customer, account "cb1001", vendor, trigger
rows.rate(house.tariff, "55", price="0.20")
callback_id = rows.place(house)            # through reception, as the page does
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from webcb import models, money
from webcb.billing import credentials, ledger, reception
from webcb.number import Kind, Number, parse_number

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PASSWORD = "open sesame"
PASSWORD_HASH = credentials.hash_password(PASSWORD)

NUMBER_A = Number("5511999887766", "BR", Kind.ORDINARY)
NUMBER_B = Number("12065554123", "US", Kind.ORDINARY)


@dataclass(frozen=True)
class House:
    """The rows a callback needs."""

    tariff: models.Tariff
    product: models.Product
    customer: models.Customer
    account: models.Account
    vendor: models.Vendor
    vendor_tariff: models.Tariff
    connection: models.Connection
    application: models.VoiceApplication
    node: models.Node


def house(
    balance: str = "5.00", first: int = 60, following: int = 60, price: str = "0.10", **account_fields: Any
) -> House:
    """Everything that is needed to call from Brazil to the USA at one price for both."""
    callback_tariff = tariff("Callback")
    vendor_tariff = tariff("Vendor", applied_to="vendor")
    for prefix in ("55", "1"):
        rate(callback_tariff, prefix, first, following, price)
        rate(vendor_tariff, prefix, 1, 1, "0.01")
    product = models.Product.create(name="Callback services", currency="USD")
    usage_charge(product, "WEBCALLBACK", callback_tariff)
    customer = models.Customer.create(name="Retail", wallet=wallet("0"))
    vendor = models.Vendor.create(name="Carrier", currency="USD")
    return House(
        tariff=callback_tariff,
        product=product,
        customer=customer,
        account=account(customer, product, balance=balance, **account_fields),
        vendor=vendor,
        vendor_tariff=vendor_tariff,
        connection=connection("carrier", vendor, vendor_tariff),
        application=models.VoiceApplication.create(name="Web callback", path="-"),
        node=models.Node.create(name="one", heard_at=NOON),
    )


def tariff(name: str, **fields: Any) -> models.Tariff:
    """A tariff in USD."""
    return models.Tariff.create(**{"name": name, "currency": "USD"} | fields)


def rate(
    of: models.Tariff, prefix: str, first: int = 60, following: int = 60, price: str = "0.10", **fields: Any
) -> models.Rate:
    """A rate of one price, in force for a long time; registers its destination."""
    destination, _ = models.Destination.get_or_create(prefix=prefix)
    return models.Rate.create(
        **{
            "tariff": of,
            "destination": destination,
            "effective_at": LONG_AGO,
            "first_interval_seconds": first,
            "next_interval_seconds": following,
            "first_price_micros": money.parse_amount(price),
            "next_price_micros": money.parse_amount(price),
        }
        | fields
    )


def usage_charge(product: models.Product, access_code: str, of: models.Tariff, node: models.Node | None = None) -> None:
    """A line of the product's rating list."""
    models.UsageCharge.create(product=product, access_code=access_code, tariff=of, node=node)


def wallet(balance: str, credit_limit: str = "0") -> models.Wallet:
    """A wallet whose balance came by an opening entry in the ledger."""
    made = models.Wallet.create(currency="USD", credit_limit_micros=money.parse_amount(credit_limit))
    ledger.post(
        made.id, None, "opening balance", money.parse_amount(balance), f"opening:{made.id}", "test", "", LONG_AGO
    )
    return made


def account(
    customer: models.Customer, product: models.Product, login: str = "cb1001", balance: str = "5.00", **fields: Any
) -> models.Account:
    """An account whose password is PASSWORD, with a wallet of its own unless one is given."""
    owner = fields.pop("wallet", None) or wallet(balance)
    return models.Account.create(
        **{"login": login, "customer": customer, "product": product, "wallet": owner, "service_password": PASSWORD_HASH}
        | fields
    )


def connection(name: str, vendor: models.Vendor, of: models.Tariff, **fields: Any) -> models.Connection:
    """A connection to a switch on loopback."""
    return models.Connection.create(**{"name": name, "vendor": vendor, "tariff": of, "host": "127.0.0.1"} | fields)


def order(house: House, key: str = "once", **fields: Any) -> reception.Order:
    """What the account's owner asks for on the page of the application."""
    return reception.Order(
        **{
            "voice_application": house.application.path,
            "login": house.account.login,
            "password": None,
            "number_a": NUMBER_A,
            "number_b": NUMBER_B,
            "idempotency_key": key,
            "requested_from": "192.0.2.7",
        }
        | fields
    )


def place(house: House, key: str = "once", at: datetime = NOON, **fields: Any) -> str:
    """Place a callback as the page does; its id."""
    placed = reception.place(order(house, key, **fields), at)
    assert isinstance(placed, reception.Placed), placed
    return placed.callback_id


def no_limits(**fields: Any) -> None:
    """Let every voice application be asked by anybody as often as he likes; and whatever else it is to be."""
    asked = ("account", "a", "b", "block", "source")
    limits = [f"asks_per_minute_{of}" for of in asked] + [f"concurrent_per_{of}" for of in asked if of != "account"]
    none = dict.fromkeys(limits)
    models.VoiceApplication.update(**none | {"concurrent_per_account": 1000} | fields).execute()


def number(text: str, country: str = "US") -> Number:
    """A number as somebody types it."""
    return parse_number(text, country)
