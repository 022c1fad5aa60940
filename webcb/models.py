"""One peewee class a table: fields, no behaviour. schema.sql is the truth; a test holds the two together."""

from peewee import BigIntegerField, BooleanField, ForeignKeyField, IntegerField, TextField

from webcb.operators import Audit as Audit
from webcb.operators import Company as Company
from webcb.operators import Job as Job
from webcb.operators import NeverCall as NeverCall
from webcb.operators import OwnNumber as OwnNumber
from webcb.operators import SavedFilter as SavedFilter
from webcb.operators import SignIn as SignIn
from webcb.operators import Tally as Tally
from webcb.operators import User as User
from webcb.operators import UserSession as UserSession
from webcb.owners import OwnerSession as OwnerSession
from webcb.owners import Payment as Payment
from webcb.owners import Recovery as Recovery
from webcb.owners import SavedDestination as SavedDestination
from webcb.registers import Destination as Destination
from webcb.registers import ExchangeRate as ExchangeRate
from webcb.registers import Node as Node
from webcb.registers import OffPeakPeriod as OffPeakPeriod
from webcb.table import InstantField as InstantField
from webcb.table import Table as Table


class Wallet(Table):
    currency = TextField()
    balance_micros = BigIntegerField(default=0)
    credit_limit_micros = BigIntegerField(default=0)
    locked_micros = BigIntegerField(default=0)
    low_balance_micros = BigIntegerField(null=True)
    ledger_head = TextField(default="")


class Tariff(Table):
    name = TextField(unique=True)
    currency = TextField()
    service = TextField(default="Voice calls")
    applied_to = TextField(default="customer")
    managed_by = TextField(default="Administrator only")
    off_peak_period = ForeignKeyField(OffPeakPeriod, null=True)
    second_off_peak_period = ForeignKeyField(OffPeakPeriod, null=True)
    off_peak_when = TextField(default="starts")
    free_seconds = IntegerField(default=0)
    connect_fee_micros = BigIntegerField(default=0)
    login_fee_micros = BigIntegerField(default=0)
    post_call_surcharge_ppm = IntegerField(default=0)
    decimals = IntegerField(default=5)
    blocked = BooleanField(default=False)
    description = TextField(default="")


class RateImport(Table):
    tariff = ForeignKeyField(Tariff)
    mode = TextField()
    file_name = TextField()
    at = InstantField()
    made_by = TextField()
    rates = IntegerField()
    replaced = TextField(default="[]")
    undone_at = InstantField(null=True)


class Rate(Table):
    tariff = ForeignKeyField(Tariff, backref="rates")
    destination = ForeignKeyField(Destination)
    effective_at = InstantField()
    mode = TextField(default="flat")
    first_interval_seconds = IntegerField()
    next_interval_seconds = IntegerField()
    first_price_micros = BigIntegerField()
    next_price_micros = BigIntegerField()
    off_peak_first_interval_seconds = IntegerField(null=True)
    off_peak_next_interval_seconds = IntegerField(null=True)
    off_peak_first_price_micros = BigIntegerField(null=True)
    off_peak_next_price_micros = BigIntegerField(null=True)
    formula = TextField(default="")
    forbidden = BooleanField(default=False)
    discontinued = BooleanField(default=False)
    rate_import = ForeignKeyField(RateImport, null=True)
    hidden = BooleanField(default=False)


class Product(Table):
    name = TextField(unique=True)
    visible_name = TextField(default="")
    currency = TextField()
    profit_guarantee = BooleanField(default=False)
    self_care = TextField(default="funds,calls,statements,top-up,call,numbers")
    blocked = BooleanField(default=False)
    description = TextField(default="")


class UsageCharge(Table):
    product = ForeignKeyField(Product, backref="usage_charges")
    node = ForeignKeyField(Node, null=True)
    access_code = TextField(default="")
    tariff = ForeignKeyField(Tariff)
    overdraft_protection = TextField(default="slices")
    slice_seconds = IntegerField(default=60)


class Customer(Table):
    name = TextField(unique=True)
    wallet = ForeignKeyField(Wallet, unique=True)
    balance_control = TextField(default="postpaid")
    billing_period = TextField(default="monthly")
    billing_time_zone = TextField(default="UTC")
    created_at = InstantField(default=0)
    status = TextField(default="active")
    mail = TextField(default="")
    web_login = TextField(null=True, unique=True)
    web_password = TextField(default="")


class Batch(Table):
    name = TextField(unique=True)
    customer = ForeignKeyField(Customer)
    created_at = InstantField()


class Distributor(Table):
    name = TextField(unique=True)


class Account(Table):
    login = TextField(unique=True)
    customer = ForeignKeyField(Customer, backref="accounts")
    product = ForeignKeyField(Product)
    wallet = ForeignKeyField(Wallet)
    batch = ForeignKeyField(Batch, null=True)
    control_number = BigIntegerField(null=True, unique=True)
    job = ForeignKeyField(Job, null=True)
    distributor = ForeignKeyField(Distributor, null=True)
    type = TextField(default="debit")
    balance_control = TextField(default="individual")
    service_password = TextField(default="")
    web_login = TextField(null=True, unique=True)
    web_password = TextField(default="")
    blocked = BooleanField(default=False)
    closed = BooleanField(default=False)
    activated = BooleanField(default=True)
    activation_at = InstantField(null=True)
    expires_at = InstantField(null=True)
    days_after_first_use = IntegerField(null=True)
    days_after_last_use = IntegerField(null=True)
    daily_spend_max_micros = BigIntegerField(null=True)
    first_used_at = InstantField(null=True)
    last_used_at = InstantField(null=True)
    time_zone = TextField(default="UTC")
    language = TextField(default="en")
    mail = TextField(default="")
    e_commerce = BooleanField(default=False)


class TrustedNumber(Table):
    account = ForeignKeyField(Account, backref="trusted_numbers")
    digits = TextField(unique=True)


class LowBalance(Table):
    wallet = ForeignKeyField(Wallet)
    at = InstantField()
    funds_micros = BigIntegerField()
    threshold_micros = BigIntegerField()
    mail_due_at = InstantField(null=True)
    mail_tries = IntegerField(default=0)
    said = TextField(default="")


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


class Route(Table):
    tariff = ForeignKeyField(Tariff)
    destination = ForeignKeyField(Destination)
    category = IntegerField(default=1)
    preference = IntegerField(default=5)
    huntstop = BooleanField(default=False)


class Catalog(Table):
    epoch = BigIntegerField()


class VoiceApplication(Table):
    name = TextField(unique=True)
    path = TextField(unique=True)
    access_code = TextField(default="WEBCALLBACK")
    special_charge_if_leg_b_fails = BooleanField(default=False)
    use_account_id_as_ani = BooleanField(default=False)
    cli = TextField(default="")
    default_country = TextField(default="US")
    ring_seconds_a = IntegerField(default=45)
    ring_seconds_b = IntegerField(default=60)
    talk_seconds_max = IntegerField(default=7200)
    concurrent_per_account = IntegerField(default=3)
    premium_allowed = BooleanField(default=False)
    active = BooleanField(default=True)
    kinds = TextField(default="extended")
    second_number = TextField(default="")
    internal_account = ForeignKeyField(Account, null=True)
    account_id_rule = TextField(default="")
    prompts_folder = TextField(default="")
    confirm_by_key = BooleanField(default=False)
    languages = TextField(default="en,es,pt,fr,de,ru")
    allowed_prefixes = TextField(default="")
    barred_prefixes = TextField(default="")
    quiet_hours = TextField(default="")
    asks_per_minute = IntegerField(null=True)
    asks_per_minute_account = IntegerField(null=True, default=30)
    asks_per_minute_a = IntegerField(null=True, default=10)
    asks_per_minute_block = IntegerField(null=True, default=30)
    asks_per_minute_source = IntegerField(null=True, default=60)
    concurrent_max = IntegerField(null=True)
    concurrent_per_a = IntegerField(null=True, default=3)
    concurrent_per_source = IntegerField(null=True, default=30)
    allowed_networks = TextField(default="")
    challenge_bits = IntegerField(null=True)
    needs_link = BooleanField(default=False)
    brand_name = TextField(default="")
    logo_file = TextField(default="")
    color = TextField(default="")
    headline = TextField(default="")
    welcome = TextField(default="")
    foot_note = TextField(default="")
    opening_hours = TextField(default="")
    time_zone = TextField(default="UTC")
    widget_origins = TextField(default="")
    widget_account = ForeignKeyField(Account, null=True)


class ApiKey(Table):
    name = TextField(unique=True)
    key_hash = TextField(unique=True)
    account = ForeignKeyField(Account, null=True)
    voice_application = ForeignKeyField(VoiceApplication, null=True)
    scopes = TextField()
    networks = TextField(default="")
    requests_per_minute = IntegerField(default=120)
    expires_at = InstantField(null=True)
    revoked_at = InstantField(null=True)
    used_at = InstantField(null=True)
    made_at = InstantField()
    webhook_url = TextField(default="")
    sealed_webhook_secret = TextField(default="")


class RefusalCount(Table):
    hour_at = InstantField()
    reason = TextField()
    voice_application = ForeignKeyField(VoiceApplication, null=True)
    refusals = IntegerField()

    class Meta:
        table_name = "refusal_count"


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
    LowBalance, Vendor, Connection, ConnectionShare, Route, Catalog,
    VoiceApplication, NeverCall, OwnNumber, Tally, RefusalCount, ApiKey, Callback, Sink, SinkEvent, Leg, Attempt, Message, Lock, Xdr,
    Ledger, Voucher, User, UserSession, SignIn, SavedFilter, Audit,
    Company,
)  # fmt: skip
