"""The tables of what is sold and to whom, one peewee class each: fields, no behaviour. `models` gathers them with the others."""

from peewee import BigIntegerField, BooleanField, ForeignKeyField, IntegerField, TextField

from webcb.operators import Job
from webcb.registers import Destination, Node, OffPeakPeriod
from webcb.table import InstantField, Table


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
