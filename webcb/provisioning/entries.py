"""What an operator may write: an entry class a section, a field a line, in the order of the pricing chain.

What a value looks like is said by fields.py; which of them contradict each other by rules.py.
"""

from datetime import datetime
from typing import Annotated

from webcb.billing import period
from webcb.billing.billing_period import KINDS as BILLING_PERIODS
from webcb.billing.formula import TEXT_LENGTH_MAX as FORMULA_LENGTH_MAX
from webcb.billing.formula import parse as parse_formula
from webcb.billing.trusted import NUMBERS_MAX
from webcb.provisioning.carriers import Connection, Vendor
from webcb.provisioning.company import Company
from webcb.provisioning.entry import Entry as Entry
from webcb.provisioning.fields import (
    FUNDS_MAX,
    Reader,
    amount,
    choice,
    currency_code,
    date,
    exchange,
    instant,
    mail_address,
    naming,
    parsed,
    pattern,
    percent,
    reference,
    several,
    telephone_numbers,
    text,
    whole,
    yes_no,
    zone,
)
from webcb.provisioning.triggers import OwnNumber, VoiceApplication

INTERVAL_SECONDS_MAX = 86_400
PRICE_MAX = 1_000_000  # units a minute
DAYS_MAX = 36_500
SELF_CARE = ("funds", "calls", "statements", "top-up", "call", "numbers")


class Destination(Entry):
    """A prefix that rates may use; `|` matches every number that nothing more specific matches."""

    NOUN = "destination"
    KEY = ("prefix",)
    prefix: Annotated[
        str,
        pattern(
            r"\||[1-9][0-9]{0,14}",
            "1 to 15 digits without plus, or | for every number",
            "first digits of the numbers",
            numeric=True,
        ),
    ]
    country: Annotated[str, pattern("[A-Z]{2}|", "two capital letters, as in US", "country of the prefix")] = ""
    description: Annotated[str, text("what pages show for it", 120)] = ""


class OffPeakPeriod(Entry):
    """A time at which other prices hold."""

    NOUN = "off-peak period"
    name: Annotated[str, naming("its name")]
    definition: Annotated[
        str,
        parsed(
            period.parse, period.TEXT_LENGTH_MAX, "a period as in hr{6pm-5am} wd{mo-fr}", "in Time::Period notation"
        ),
    ]


class Rate(Entry):
    """The price of one destination in a tariff."""

    NOUN = "rate"
    KEY = ("prefix", "effective_from")
    COLUMNS = {
        "prefix": "destination",
        "effective_from": "effective_at",
        "first_price": "first_price_micros",
        "next_price": "next_price_micros",
        "off_peak_first_price": "off_peak_first_price_micros",
        "off_peak_next_price": "off_peak_next_price_micros",
    }
    prefix: Annotated[str, reference("destinations", "a prefix of the destinations")]
    effective_from: Annotated[datetime | None, instant("when it comes into force; not written, or past: now")] = None
    first_price: Annotated[int, amount("price per minute of the first interval", most=PRICE_MAX)]
    next_price: Annotated[int, amount("price per minute of every further interval", most=PRICE_MAX)]
    first_interval_seconds: Annotated[int, whole(1, INTERVAL_SECONDS_MAX, "first interval, charged whole")]
    next_interval_seconds: Annotated[int, whole(1, INTERVAL_SECONDS_MAX, "further intervals, each charged whole")]
    mode: Annotated[
        str, choice(("flat", "off-peak"), "`off-peak`: the four fields below hold in the off-peak period")
    ] = "flat"
    off_peak_first_price: Annotated[
        int | None, amount("price per minute of the first interval, off-peak", most=PRICE_MAX, or_nothing=True)
    ] = None
    off_peak_next_price: Annotated[
        int | None, amount("price per minute of every further interval, off-peak", most=PRICE_MAX, or_nothing=True)
    ] = None
    off_peak_first_interval_seconds: Annotated[
        int | None, whole(1, INTERVAL_SECONDS_MAX, "first interval, off-peak", or_nothing=True)
    ] = None
    off_peak_next_interval_seconds: Annotated[
        int | None, whole(1, INTERVAL_SECONDS_MAX, "further intervals, off-peak", or_nothing=True)
    ] = None
    formula: Annotated[
        str,
        parsed(
            parse_formula,
            FORMULA_LENGTH_MAX,
            "a formula as in 1x60@first; *x6@next",
            "rate formula in place of first and next interval",
        ),
    ] = ""
    forbidden: Annotated[bool, yes_no("calls there are refused")] = False
    discontinued: Annotated[bool, yes_no("no longer offered, as if the tariff had no such rate")] = False
    hidden: Annotated[bool, yes_no("used, and left out of the rate sheets that users see")] = False


class Route(Entry):
    """How calls to one destination are routed over the connections of a vendor tariff."""

    NOUN = "route"
    KEY = ("prefix",)
    COLUMNS = {"prefix": "destination"}
    prefix: Annotated[str, reference("destinations", "a prefix the tariff has a rate for")]
    category: Annotated[int, whole(1, 100, "lower categories are tried first")] = 1
    preference: Annotated[int, whole(0, 10, "10 is tried first in its category, 0 never")] = 5
    huntstop: Annotated[bool, yes_no("routes that come after this one are not tried")] = False


class Tariff(Entry):
    """A price list: of what customers pay, or of what a vendor charges."""

    NOUN = "tariff"
    COLUMNS = {
        "connect_fee": "connect_fee_micros",
        "login_fee": "login_fee_micros",
        "post_call_surcharge_percent": "post_call_surcharge_ppm",
    }
    FIXED = frozenset({"currency", "applied_to"})
    CHILDREN = {"rates": Rate, "routes": Route}
    name: Annotated[str, naming("its name")]
    currency: Annotated[str, currency_code("currency of all its prices; fixed once")]
    applied_to: Annotated[str, choice(("customer", "vendor"), "who pays by it; fixed once")] = "customer"
    off_peak_period: Annotated[
        str | None, reference("off_peak_periods", "when its off-peak prices hold", or_nothing=True)
    ] = None
    second_off_peak_period: Annotated[
        str | None, reference("off_peak_periods", "off-peak is what lies in this one, too", or_nothing=True)
    ] = None
    off_peak_when: Annotated[
        str,
        choice(("starts", "finishes", "starts and finishes"), "off-peak is a session that does this in the period"),
    ] = "starts"
    free_seconds: Annotated[int, whole(0, 86_400, "seconds at the start of a call that cost nothing")] = 0
    connect_fee: Annotated[int, amount("charged once for a call longer than the free seconds", most=PRICE_MAX)] = 0
    login_fee: Annotated[int, amount("charged once for a call in which the user logs in by voice", most=PRICE_MAX)] = 0
    post_call_surcharge_percent: Annotated[int, percent("added to the whole charge")] = 0
    decimals: Annotated[int, whole(0, 6, "decimals a charge is rounded up to")] = 5
    blocked: Annotated[bool, yes_no("no callback by it begins, and those that go on end")] = False
    description: Annotated[str, text("for the operator", 1000)] = ""


class ExchangeRate(Entry):
    """What one unit of the base currency is worth in another; the base is the currency whose own rate is 1."""

    NOUN = "exchange rate"
    KEY = ("currency", "day")
    COLUMNS = {"per_base": "per_base_micros"}
    currency: Annotated[str, currency_code("the currency")]
    day: Annotated[str, date("from the beginning of this day, UTC, until the next one that is written")]
    per_base: Annotated[int, exchange("units of it for one unit of the base currency")]


class Node(Entry):
    """A node on which a product may be used; an engine brings its own when it starts."""

    NOUN = "node"
    name: Annotated[str, naming("its name, as in the setting node_name")]


class UsageCharge(Entry):
    """Where a product may be used, and at which tariff."""

    NOUN = "usage charge"
    KEY = ("access_code", "node")
    access_code: Annotated[
        str, text("`WEBCALLBACK`, `WEBCALLBACK-A`, `WEBCALLBACK-B`, `CALLBACK_FAIL`; empty: any", 32)
    ] = ""
    node: Annotated[str | None, reference("nodes", "only on this node; nothing: on any", or_nothing=True)] = None
    tariff: Annotated[str, reference("tariffs", "the tariff of it, applied to customers, in the product's currency")]
    overdraft_protection: Annotated[
        str,
        choice(
            ("slices", "whole balance", "none"),
            "`slices`: calls share the balance, each locks the next seconds; `whole balance`: one call at a time locks all;"
            " `none`: looked at when a call begins, and never again",
        ),
    ] = "slices"
    slice_seconds: Annotated[int, whole(10, 3600, "seconds a slice pays for, renewed at half of them")] = 60


def _web_login(description: str) -> Reader:
    right = "1 to 64 letters, digits, . _ @ -"
    return pattern(r"[A-Za-z0-9._@-]{1,64}", right, description, numeric=True, or_nothing=True)


def _web_password() -> Reader:
    said = "to self-care; set at creation, later only with --set-passwords; none lets nobody in"
    return text(said, 128, least=1, secret=True)


class Product(Entry):
    """What an account was sold: the services it may use, and their prices."""

    NOUN = "product"
    FIXED = frozenset({"currency"})
    CHILDREN = {"usage_charges": UsageCharge}
    name: Annotated[str, naming("its name")]
    currency: Annotated[str, currency_code("currency of its tariffs; fixed once")]
    visible_name: Annotated[str, text("its name for end users; empty: the name", 64)] = ""
    profit_guarantee: Annotated[
        bool, yes_no("a route on which a minute costs more than the leg is charged for it is left out")
    ] = False
    self_care: Annotated[
        str, several(SELF_CARE, "parts of self-care its accounts' owners see; none: settings alone", or_none=True)
    ] = ",".join(SELF_CARE)
    blocked: Annotated[bool, yes_no("no callback of its accounts begins, and those that go on end")] = False
    description: Annotated[str, text("for the operator", 1000)] = ""


class Customer(Entry):
    """Who owns accounts and, for subordinate ones, pays."""

    NOUN = "customer"
    COLUMNS = {"credit_limit": "credit_limit_micros", "low_balance": "low_balance_micros"}
    FIXED = frozenset({"currency"})
    name: Annotated[str, naming("its name")]
    currency: Annotated[str, currency_code("currency of its funds; fixed once")]
    balance_control: Annotated[
        str, choice(("prepaid", "postpaid"), "`prepaid`: only what was paid in can be spent")
    ] = "postpaid"
    credit_limit: Annotated[int, amount("how far a postpaid customer may owe", most=FUNDS_MAX)] = 0
    opening_balance: Annotated[int, amount("funds posted when it is created", least=-FUNDS_MAX, most=FUNDS_MAX)] = 0
    billing_period: Annotated[str, choice(BILLING_PERIODS, "how often a statement is made")] = "monthly"
    billing_time_zone: Annotated[str, zone("zone of its billing periods, and in which off-peak periods hold")] = "UTC"
    status: Annotated[str, choice(("active", "blocked", "closed"), "only an active customer's accounts call")] = (
        "active"
    )
    low_balance: Annotated[
        int | None,
        amount("funds whose falling below is told by mail, once; nothing: it is not", most=FUNDS_MAX, or_nothing=True),
    ] = None
    mail: Annotated[str, mail_address("where that is told, and a forgotten self-care password is mailed")] = ""
    web_login: Annotated[str | None, _web_login("with which it sees all its accounts in self-care")] = None
    web_password: Annotated[str | None, _web_password()] = None


class Distributor(Entry):
    """Who sells cards on."""

    NOUN = "distributor"
    name: Annotated[str, naming("its name")]


class Account(Entry):
    """Who calls: an ID with a service password, a product, and funds of its own or of its customer."""

    NOUN = "account"
    KEY = ("login",)
    COLUMNS = {
        "credit_limit": "credit_limit_micros",
        "daily_spend_max": "daily_spend_max_micros",
        "low_balance": "low_balance_micros",
    }
    FIXED = frozenset({"customer", "balance_control"})
    login: Annotated[str, pattern("[A-Za-z0-9]{1,64}", "1 to 64 letters and digits", "the account ID", numeric=True)]
    customer: Annotated[str, reference("customers", "whose account it is; fixed once")]
    product: Annotated[str, reference("products", "what it may use, in the customer's currency")]
    service_password: Annotated[
        str | None,
        text("set at creation; later only with --set-passwords; none lets nobody in", 128, least=1, secret=True),
    ] = None
    type: Annotated[str, choice(("debit", "credit"), "`debit`: funds fall to 0; `credit`: debt rises to the limit")] = (
        "debit"
    )
    balance_control: Annotated[
        str, choice(("individual", "subordinate"), "`subordinate`: the customer's funds are used; fixed once")
    ] = "individual"
    credit_limit: Annotated[int, amount("how far an individual credit account may owe", most=FUNDS_MAX)] = 0
    opening_balance: Annotated[int, amount("funds posted when it is created", least=-FUNDS_MAX, most=FUNDS_MAX)] = 0
    blocked: Annotated[bool, yes_no("may not call for now")] = False
    closed: Annotated[bool, yes_no("may never call again")] = False
    activated: Annotated[bool, yes_no("false until somebody activates the card")] = True
    activation_at: Annotated[datetime | None, instant("not usable before")] = None
    expires_at: Annotated[datetime | None, instant("not usable from then on")] = None
    days_after_first_use: Annotated[
        int | None, whole(1, DAYS_MAX, "days it lives after its first use", or_nothing=True)
    ] = None
    days_after_last_use: Annotated[
        int | None, whole(1, DAYS_MAX, "days it lives after its last use", or_nothing=True)
    ] = None
    daily_spend_max: Annotated[
        int | None,
        amount(
            "most its calls may cost in a day of its zone, where they are cut; nothing: no limit",
            most=FUNDS_MAX,
            or_nothing=True,
        ),
    ] = None
    time_zone: Annotated[str, zone("zone its pages show and its days are of")] = "UTC"
    language: Annotated[str, choice(("en", "es", "pt", "fr", "de", "ru", "ar"), "language of its owner")] = "en"
    low_balance: Annotated[
        int | None,
        amount("funds whose falling below is told by mail, once; nothing: it is not", most=FUNDS_MAX, or_nothing=True),
    ] = None
    mail: Annotated[
        str, mail_address("where that is told (empty: to its customer), and a forgotten self-care password is mailed")
    ] = ""
    web_login: Annotated[str | None, _web_login("of its owner to self-care; nothing: none")] = None
    web_password: Annotated[str | None, _web_password()] = None
    e_commerce: Annotated[bool, yes_no("may be topped up through the payment provider")] = False
    trusted_numbers: Annotated[
        str, telephone_numbers(NUMBERS_MAX, "who calls from one of them is this account, without a PIN")
    ] = ""
    distributor: Annotated[str | None, reference("distributors", "who sold it", or_nothing=True)] = None


SECTIONS: dict[str, type[Entry]] = {
    "destinations": Destination,
    "off_peak_periods": OffPeakPeriod,
    "tariffs": Tariff,
    "exchange_rates": ExchangeRate,
    "nodes": Node,
    "products": Product,
    "customers": Customer,
    "distributors": Distributor,
    "accounts": Account,
    "vendors": Vendor,
    "connections": Connection,
    "voice_applications": VoiceApplication,
    "own_numbers": OwnNumber,
    "companies": Company,
}
