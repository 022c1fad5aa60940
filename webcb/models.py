"""One peewee class a table: fields, no behaviour. schema.sql is the truth; a test holds the two together."""

from peewee import BigIntegerField, BooleanField, ForeignKeyField, IntegerField, TextField

from webcb.operators import Audit as Audit
from webcb.operators import Company as Company
from webcb.operators import DaySpend as DaySpend
from webcb.operators import Job as Job
from webcb.operators import NeverCall as NeverCall
from webcb.operators import OwnNumber as OwnNumber
from webcb.operators import Retention as Retention
from webcb.operators import SavedFilter as SavedFilter
from webcb.operators import SignIn as SignIn
from webcb.operators import Tally as Tally
from webcb.operators import Unusual as Unusual
from webcb.operators import User as User
from webcb.operators import UserSession as UserSession
from webcb.owners import OwnerSession as OwnerSession
from webcb.owners import Payment as Payment
from webcb.owners import Recovery as Recovery
from webcb.owners import SavedDestination as SavedDestination
from webcb.past import Archive as Archive
from webcb.past import CarriedBook as CarriedBook
from webcb.past import CarriedChain as CarriedChain
from webcb.past import Erasure as Erasure
from webcb.registers import Destination as Destination
from webcb.registers import ExchangeRate as ExchangeRate
from webcb.registers import Node as Node
from webcb.registers import OffPeakPeriod as OffPeakPeriod
from webcb.sales import Account as Account
from webcb.sales import Batch as Batch
from webcb.sales import Customer as Customer
from webcb.sales import Distributor as Distributor
from webcb.sales import LowBalance as LowBalance
from webcb.sales import Product as Product
from webcb.sales import Rate as Rate
from webcb.sales import RateImport as RateImport
from webcb.sales import Tariff as Tariff
from webcb.sales import TrustedNumber as TrustedNumber
from webcb.sales import UsageCharge as UsageCharge
from webcb.sales import Wallet as Wallet
from webcb.table import InstantField as InstantField
from webcb.table import Table as Table
from webcb.triggers import ApiKey as ApiKey
from webcb.triggers import RefusalCount as RefusalCount
from webcb.triggers import VoiceApplication as VoiceApplication


class Vendor(Table):
    name = TextField(unique=True)
    currency = TextField()
    billing_time_zone = TextField(default="UTC")


class Connection(Table):
    name = TextField(unique=True)
    vendor = ForeignKeyField(Vendor, backref="connections")
    tariff = ForeignKeyField(Tariff)
    host = TextField()
    port = IntegerField(null=True)
    transport = TextField(default="udp")
    tls_ca_file = TextField(default="")
    tls_certificate_file = TextField(default="")
    tls_key_file = TextField(default="")
    username = TextField(default="")
    sealed_password = TextField(default="")
    codecs = TextField(default="PCMU,PCMA")
    srtp = TextField(default="none")
    tech_prefix = TextField(default="")
    number_format = TextField(default="digits")
    cld_rule = TextField(default="")
    cli_rule = TextField(default="")
    cli_withheld = BooleanField(default=False)
    from_user = TextField(default="")
    from_name = TextField(default="")
    from_domain = TextField(default="")
    identity_headers = TextField(default="")
    identity_user = TextField(default="")
    diversion_user = TextField(default="")
    capacity = IntegerField(null=True)
    calls_per_second = IntegerField(null=True)
    active = BooleanField(default=True)
    probe_seconds = IntegerField(null=True)
    state = TextField(default="unknown")
    state_at = InstantField(null=True)
    state_reason = TextField(default="")
    must_register = BooleanField(default=False)
    registrar = TextField(default="")
    register_user = TextField(default="")
    register_seconds = IntegerField(default=3600)
    registration = TextField(default="none")
    registration_at = InstantField(null=True)
    registration_reason = TextField(default="")


class ConnectionShare(Table):
    connection = ForeignKeyField(Connection, on_delete="CASCADE")
    node = ForeignKeyField(Node, on_delete="CASCADE")
    legs = IntegerField()
    wanted = IntegerField()


class ConnectionPace(Table):
    connection = ForeignKeyField(Connection, unique=True, on_delete="CASCADE")
    next_at = BigIntegerField()


class Route(Table):
    tariff = ForeignKeyField(Tariff)
    destination = ForeignKeyField(Destination)
    category = IntegerField(default=1)
    preference = IntegerField(default=5)
    huntstop = BooleanField(default=False)


class Catalog(Table):
    epoch = BigIntegerField()
    prefix_lengths = IntegerField(default=0)
    rates_epoch = BigIntegerField(default=0)


class Callback(Table):
    id = TextField(primary_key=True)
    kind = TextField()
    voice_application = ForeignKeyField(VoiceApplication)
    account = ForeignKeyField(Account)
    idempotency_key = TextField()
    requested_at = InstantField()
    requested_from = TextField(default="")
    state = TextField(default="requested")
    node = ForeignKeyField(Node, null=True)
    claimed_at = InstantField(null=True)
    release_asked_at = InstantField(null=True)
    release_asked_by = TextField(null=True)
    talking_at = InstantField(null=True)
    deadline_at = InstantField(null=True)
    terms = TextField(null=True)
    lost_at = InstantField(null=True)
    ended_at = InstantField(null=True)
    ending = TextField(null=True)
    logged_in = BooleanField(default=False)


class PhoneProof(Table):
    callback = ForeignKeyField(Callback, unique=True)
    account = ForeignKeyField(Account)
    digits = TextField()
    holder = TextField(default="")
    language = TextField(default="en")
    asked_at = InstantField()
    tries = IntegerField(default=0)
    proven_at = InstantField(null=True)

    class Meta:
        table_name = "phone_proof"


class Sink(Table):
    callback = ForeignKeyField(Callback)
    api_key = ForeignKeyField(ApiKey)
    url = TextField()
    sealed_token = TextField(default="")
    token_expires_at = InstantField(null=True)


class SinkEvent(Table):
    sink = ForeignKeyField(Sink)
    state = TextField()
    at = InstantField()
    due_at = InstantField(null=True)
    tries = IntegerField(default=0)
    delivered_at = InstantField(null=True)
    dead_at = InstantField(null=True)
    said = TextField(default="")


class Leg(Table):
    callback = ForeignKeyField(Callback, backref="legs")
    name = TextField()
    cld = TextField()
    cli = TextField()
    state = TextField(default="waiting")
    pricing = TextField(null=True)
    pricing_if_b_fails = TextField(null=True)
    vendor_pricings = TextField(null=True)
    placed_at = InstantField(null=True)
    ringing_at = InstantField(null=True)
    answered_at = InstantField(null=True)
    ended_at = InstantField(null=True)
    invite = TextField(null=True)
    dialog = TextField(null=True)
    voice = TextField(null=True)
    rtp_port = IntegerField(null=True)
    connection = ForeignKeyField(Connection, null=True)
    queue_position = IntegerField(null=True)
    codec = TextField(null=True)
    received_packets = BigIntegerField(null=True)
    sent_packets = BigIntegerField(null=True)
    lost_packets = BigIntegerField(null=True)
    jitter_us = BigIntegerField(null=True)
    score_milli = IntegerField(null=True)
    one_way = BooleanField(null=True)
    scores = TextField(null=True)


class Attempt(Table):
    leg = ForeignKeyField(Leg, backref="attempts")
    position = IntegerField()
    connection = ForeignKeyField(Connection)
    address = TextField(default="")
    placed_at = InstantField()
    ended_at = InstantField(null=True)
    status = IntegerField(null=True)
    reason = TextField(null=True)
    setup_ms = IntegerField(null=True)


class Message(Table):
    callback = ForeignKeyField(Callback, backref="messages")
    position = IntegerField()
    leg = TextField()
    at = InstantField()
    sent = BooleanField()
    local_host = TextField()
    local_port = IntegerField()
    remote_host = TextField()
    remote_port = IntegerField()
    transport = TextField()
    octets = IntegerField()
    text = TextField()


class Lock(Table):
    callback = ForeignKeyField(Callback, unique=True)
    wallet = ForeignKeyField(Wallet)
    amount_micros = BigIntegerField()
    state = TextField(default="held")
    locked_at = InstantField()
    closed_at = InstantField(null=True)


class Xdr(Table):
    kind = TextField(default="charge")
    refund_of = ForeignKeyField("self", null=True, backref="refunds")
    callback = ForeignKeyField(Callback, backref="xdrs")
    leg = TextField()
    account = ForeignKeyField(Account)
    customer = ForeignKeyField(Customer)
    cli = TextField()
    cld = TextField()
    access_code = TextField()
    destination = TextField()
    tariff = TextField()
    connection = ForeignKeyField(Connection, null=True)
    connect_time = InstantField(null=True)
    disconnect_time = InstantField()
    bill_time = InstantField()
    setup_ms = IntegerField(null=True)
    used_quantity = IntegerField()
    charged_quantity = IntegerField()
    charged_micros = BigIntegerField()
    currency = TextField()
    vendor_cost_micros = BigIntegerField(null=True)
    vendor_currency = TextField(null=True)
    cost_micros = BigIntegerField(null=True)
    currency_per_base_micros = BigIntegerField(null=True)
    vendor_currency_per_base_micros = BigIntegerField(null=True)
    disconnect_cause = IntegerField()
    one_way = BooleanField(default=False)
    explanation = TextField()


class Ledger(Table):
    event_key = TextField(unique=True)
    wallet = ForeignKeyField(Wallet)
    account = ForeignKeyField(Account, null=True)
    vendor = ForeignKeyField(Vendor, null=True)
    kind = TextField()
    against = TextField()
    amount_micros = BigIntegerField()
    currency = TextField()
    balance_after_micros = BigIntegerField()
    xdr = ForeignKeyField(Xdr, null=True)
    at = InstantField()
    made_by = TextField()
    note = TextField(default="")
    salt = TextField(default="")
    personal = TextField()
    hash = TextField()


class Voucher(Table):
    code_hash = TextField(unique=True)
    series = TextField()
    amount_micros = BigIntegerField()
    currency = TextField()
    expires_at = InstantField(null=True)
    made_at = InstantField()
    made_by = TextField()
    used_at = InstantField(null=True)
    used_by = ForeignKeyField(Account, null=True)


ALL_TABLES: tuple[type[Table], ...] = (
    Wallet, Destination, OffPeakPeriod, Tariff, RateImport, Rate, ExchangeRate, Node, Product, UsageCharge,
    Customer, Batch, Distributor, Job, Account, TrustedNumber, SavedDestination, OwnerSession, Recovery, Payment,
    LowBalance, Vendor, Connection, ConnectionShare, ConnectionPace, Route, Catalog,
    VoiceApplication, NeverCall, OwnNumber, Tally, DaySpend, Erasure, Retention, RefusalCount, ApiKey, Callback, PhoneProof, Sink,
    SinkEvent, Leg, Attempt, Message, Lock, Xdr, Ledger, Voucher, User, UserSession, SignIn, SavedFilter, Audit,
    Company, Unusual,
    Archive, CarriedChain, CarriedBook,
)  # fmt: skip
