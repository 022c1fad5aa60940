"""The tables of operators: who they are, their sessions, what they did and asked for. Part of models.py, where all are found."""

from peewee import BigIntegerField, BooleanField, ForeignKeyField, IntegerField, TextField

from webcb.table import InstantField, Table


class User(Table):
    login = TextField(unique=True)
    name = TextField(default="")
    mail = TextField(default="")
    password = TextField()
    role = TextField()
    time_zone = TextField(default="UTC")
    sealed_totp = TextField(default="")
    totp_step = BigIntegerField(default=0)
    blocked = BooleanField(default=False)


class UserSession(Table):
    user = ForeignKeyField(User)
    token_hash = TextField(unique=True)
    source = TextField()
    agent = TextField()
    began_at = InstantField()
    seen_at = InstantField()
    ended_at = InstantField(null=True)


class SignIn(Table):
    at = InstantField()
    login = TextField()
    source = TextField()
    failed = BooleanField()


class SavedFilter(Table):
    user = ForeignKeyField(User)
    listing = TextField()
    name = TextField()
    query = TextField()


class Audit(Table):
    at = InstantField()
    made_by = TextField()
    action = TextField()
    subject = TextField()
    detail = TextField(default="")


class OwnNumber(Table):
    digits = TextField(unique=True)
    description = TextField(default="")

    class Meta:
        table_name = "own_number"


class Company(Table):
    name = TextField(unique=True)
    address = TextField(default="")
    tax_number = TextField(default="")
    phone = TextField(default="")
    mail = TextField(default="")


class Tally(Table):
    subject = TextField(primary_key=True)
    until_at = InstantField()


class Unusual(Table):
    at = InstantField()
    application = TextField()
    pattern = TextField()
    kind = TextField()
    subject = TextField()
    seen = BigIntegerField()
    usual = BigIntegerField()
    currency = TextField(default="")
    facts = TextField()
    closed_at = InstantField(null=True)
    closed_by = TextField(default="")
    mail_due_at = InstantField(null=True)
    mail_tries = IntegerField(default=0)
    said = TextField(default="")


class Retention(Table):
    masked_until = InstantField()


class DaySpend(Table):
    subject = TextField(primary_key=True)
    spent_micros = BigIntegerField()
    until_at = InstantField()

    class Meta:
        table_name = "day_spend"


class NeverCall(Table):
    number = TextField(unique=True)
    asked_at = InstantField()


class Job(Table):
    kind = TextField()
    plan = TextField()
    asked_at = InstantField()
    asked_by = TextField()
    mail_to = TextField(default="")
    mail_due_at = InstantField(null=True)
    mail_tries = IntegerField(default=0)
    state = TextField(default="waiting")
    total = IntegerField()
    done = IntegerField(default=0)
    kept = TextField(default="")
    owner = TextField(default="")
    lease_until = InstantField(null=True)
    started_at = InstantField(null=True)
    ended_at = InstantField(null=True)
    file = TextField(default="")
    said = TextField(default="")
