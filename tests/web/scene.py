"""The scene of the tests of the pages: a small operator with its prices and a cast of accounts, and somebody who plays the engine.

Prices in USD: Brazil (leg A) 0.05 a minute by 60/6, USA (leg B) 0.10 a minute by 60/60, CALLBACK_FAIL 0.02. The cast:
alice has 5.00; paula the poor has 0.01; bob is blocked, carl closed, iris inactive, egon expired; dora's customer is
blocked; nina's product has no callback; sue spends her customer's funds.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from webcb import clock, db
from webcb.billing import credentials, hosted, ledger, reception, settlement
from webcb.billing.pricing import Pricing
from webcb.billing.settlement import LegUsage
from webcb.models import (
    Account,
    Archive,
    Callback,
    CarriedChain,
    Connection,
    Customer,
    Destination,
    Leg,
    Node,
    Product,
    Rate,
    Tariff,
    UsageCharge,
    Vendor,
    VoiceApplication,
    Wallet,
)
from webcb.settings import Settings

PASSWORD = "correct horse"
SECRET_KEY = "0" * 64
NUMBER_A = "+55 11 99988-7766"
NUMBER_B = "+1 206 555 0123"
DIGITS_A, DIGITS_B = "5511999887766", "12065550123"
ARCHIVE_FILE = "/var/archive/old.sqlite"
FAR_AHEAD = datetime(2199, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


database_url = ""  # of the scene that a test plays on; SQLite in the data folder where it is empty


def settings(data_dir: Path, **changes: object) -> Settings:
    """Settings of a test installation in a folder of its own."""
    own = {"data_dir": data_dir, "secret_key": SECRET_KEY, "node_name": "test", "database_url": database_url}
    return Settings(**own | changes)  # type: ignore[arg-type]


def build(chosen: Settings) -> None:
    """Make the database and fill it with the operator, the prices and the cast."""
    db.connect(chosen.database)
    db.migrate()
    credentials.use_key(SECRET_KEY)
    with db.writing():
        Node.create(name="test", heard_at=FAR_AHEAD)  # its engine is the test's hand
        products = _catalog()
        _cast(products)
        VoiceApplication.create(name="Callback", path="-", default_country="BR", special_charge_if_leg_b_fails=True)
        VoiceApplication.create(name="Second service", path="second", default_country="US")
        VoiceApplication.create(
            name="All kinds",
            path="all",
            default_country="US",
            kinds="extended,simple,hosted",
            second_number=DIGITS_B,
            internal_account=Account.get(Account.login == "sue"),
        )
        VoiceApplication.create(name="Closed service", path="closed", active=False)
    db.database.close()


def archive(wallet_id: int) -> None:
    """The rows of a wallet so far are in a file, as `webcb archive` leaves it."""
    at = clock.utc_now()
    Archive.create(
        before_at=at + timedelta(seconds=1), made_at=at, made_by="ann", file=ARCHIVE_FILE, sha256="0" * 64, file_rows=1,
        last_ledger_id=1, last_xdr_id=1, ended_at=at,
    )  # fmt: skip
    CarriedChain.create(wallet=wallet_id, hash="0" * 64, until_at=at, balance_micros=0)


def _catalog() -> dict[str, Product]:
    destinations = {
        prefix: Destination.create(prefix=prefix, country=country, description=description)
        for prefix, country, description in (
            ("55", "BR", "Brazil"),
            ("1", "US", "USA"),
            ("1900", "US", "USA premium"),
            ("53", "CU", "Cuba"),
        )
    }
    tariff = _tariff("Callback", destinations, {"55": (60, 6, 50_000), "1": (60, 60, 100_000), "53": (60, 60, 900_000)})
    Rate.update(forbidden=True).where((Rate.tariff == tariff) & (Rate.destination == destinations["53"])).execute()
    failed = _tariff("Callback failed", destinations, {"55": (1, 1, 20_000)})
    carrier = _tariff(
        "Carrier", destinations, {"55": (1, 1, 10_000), "1": (1, 1, 10_000), "53": (1, 1, 10_000)}, "vendor"
    )
    vendor = Vendor.create(name="Carrier", currency="USD")
    Connection.create(name="Carrier 1", vendor=vendor, tariff=carrier, host="127.0.0.1", port=5060)
    callback = Product.create(name="Callback", currency="USD")
    UsageCharge.create(product=callback, access_code="WEBCALLBACK", tariff=tariff)
    UsageCharge.create(product=callback, access_code="CALLBACK_FAIL", tariff=failed)
    return {"callback": callback, "other": Product.create(name="Without callback", currency="USD")}


def _tariff(
    name: str,
    destinations: dict[str, Destination],
    prices: dict[str, tuple[int, int, int]],
    applied_to: str = "customer",
) -> Tariff:
    tariff = Tariff.create(name=name, currency="USD", applied_to=applied_to)
    for prefix, (first, following, price) in prices.items():
        Rate.create(
            tariff=tariff,
            destination=destinations[prefix],
            effective_at=LONG_AGO,
            first_interval_seconds=first,
            next_interval_seconds=following,
            first_price_micros=price,
            next_price_micros=price,
        )
    return tariff


@cache
def _hashed_password() -> str:
    return credentials.hash_password(PASSWORD)


def _web(name: str) -> dict[str, object]:
    return {"web_login": f"{name}.web", "web_password": _hashed_password()}


def _cast(products: dict[str, Product]) -> None:
    customers = {}
    for name, status in (("Easy Call", "active"), ("Bad Debts", "blocked")):
        wallet = Wallet.create(currency="USD", credit_limit_micros=3_000_000)
        customers[name] = Customer.create(name=name, wallet=wallet, status=status)
    cast: dict[str, tuple[int, dict[str, object]]] = {
        "alice": (5_000_000, {"time_zone": "America/Sao_Paulo"} | _web("alice")),
        "paula": (10_000, {}),
        "bob": (5_000_000, {"blocked": True}),
        "carl": (5_000_000, {"closed": True} | _web("carl")),
        "iris": (5_000_000, {"activated": False}),
        "egon": (5_000_000, {"expires_at": LONG_AGO}),
        "dora": (5_000_000, {"customer": customers["Bad Debts"]}),
        "nina": (5_000_000, {"product": products["other"]}),
    }
    for login, (balance_micros, special) in cast.items():
        wallet = Wallet.create(currency="USD")
        facts = {"customer": customers["Easy Call"], "product": products["callback"]} | special
        account = Account.create(login=login, wallet=wallet, service_password=_hashed_password(), **facts)
        ledger.post(
            wallet.id, account.id, "opening balance", balance_micros, f"opening:{login}", "test", "", clock.utc_now()
        )
    easy_call = customers["Easy Call"]
    Account.create(
        login="sue",
        customer=easy_call,
        wallet=easy_call.wallet,
        product=products["callback"],
        type="credit",
        balance_control="subordinate",
        service_password=_hashed_password(),
    )


# The engine, played ----------------------------------------------------------------------------------------------------


@dataclass
class Engine:
    """Writes the rows of one callback as the engine would, each step when it is told to; `ago` puts an answer in the past."""

    callback_id: str

    def claim(self) -> None:
        """Claim the callback, lock its funds, place leg A."""
        node, _ = Node.get_or_create(name="test")
        Callback.update(node=node, claimed_at=clock.utc_now(), state="calling A").where(self._mine()).execute()
        begun = reception.begin(self.callback_id, clock.utc_now())
        assert isinstance(begun, reception.Begun), begun
        self._leg("A", state="calling", placed_at=clock.utc_now())

    def claim_hosted(self) -> None:
        """Claim a hosted callback on the internal account, place leg A."""
        node, _ = Node.get_or_create(name="test")
        Callback.update(node=node, claimed_at=clock.utc_now(), state="calling A").where(self._mine()).execute()
        begun = hosted.begin(self.callback_id, clock.utc_now())
        assert isinstance(begun, hosted.BegunAlone), begun
        self._leg("A", state="calling", placed_at=clock.utc_now())

    def log_in(self, login: str) -> None:
        """Somebody types his PIN."""
        found = hosted.log_in(self.callback_id, login, 5_000_000, clock.utc_now())
        assert isinstance(found, hosted.LoggedIn), found

    def choose(self, typed: str) -> None:
        """He dials."""
        pricing = Pricing.from_json(Leg.get((Leg.callback == self.callback_id) & (Leg.name == "A")).pricing)
        answered = pricing.answered(clock.utc_now())
        found = hosted.choose(self.callback_id, typed, (answered,), 10_000_000, clock.utc_now())
        assert isinstance(found, hosted.Chosen), found

    def ring_a(self) -> None:
        """A's phone rings."""
        self._leg("A", state="ringing", ringing_at=clock.utc_now())

    def answer_a(self, ago: float = 0) -> None:
        """A answers."""
        self._leg("A", state="answered", answered_at=clock.utc_now() - timedelta(seconds=ago))
        self._state(state="A answered")

    def call_b(self) -> None:
        """Leg B is placed."""
        self._leg("B", state="calling", placed_at=clock.utc_now())
        self._state(state="calling B")

    def ring_b(self) -> None:
        """B's phone rings."""
        self._leg("B", state="ringing", ringing_at=clock.utc_now())

    def answer_b(self, seconds_max: int, ago: float = 0) -> None:
        """B answers; they may talk for `seconds_max`."""
        at = clock.utc_now() - timedelta(seconds=ago)
        self._leg("B", state="answered", answered_at=at)
        VoiceApplication.update(talk_seconds_max=seconds_max).execute()  # the funds would pay for more
        self._state(state="talking", talking_at=at, deadline_at=at + timedelta(seconds=seconds_max))

    def talk(self, seconds_max: int = 760, ago: float = 0) -> None:
        """Everything up to the talk."""
        self.claim()
        self.ring_a()
        self.answer_a(ago)
        self.call_b()
        self.ring_b()
        self.answer_b(seconds_max, ago)

    def end(self, ending: str, used_a: int | None, used_b: int | None) -> None:
        """Settle: seconds used of each leg; None where it was never placed, 0 where it was not answered."""
        at = clock.utc_now()
        usages = [
            LegUsage(name, at if used else None, at, used * 1_000_000, 900, 16, None)  # type: ignore[arg-type]
            for name, used in (("A", used_a), ("B", used_b))
            if used is not None
        ]
        settlement.settle(self.callback_id, usages, ending, bool(used_b), at)

    def _mine(self) -> object:
        return Callback.id == self.callback_id

    def _state(self, **fields: object) -> None:
        Callback.update(**fields).where(self._mine()).execute()

    def _leg(self, name: str, **fields: object) -> None:
        Leg.update(**fields).where((Leg.callback == self.callback_id) & (Leg.name == name)).execute()
