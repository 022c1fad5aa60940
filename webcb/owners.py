"""The tables of self-care, one peewee class each: fields, no behaviour. `models` gathers them with the others."""

from peewee import BigIntegerField, DeferredForeignKey, IntegerField, TextField

from webcb.table import InstantField, Table


class SavedDestination(Table):
    account = DeferredForeignKey("Account")
    name = TextField()
    digits = TextField()

    class Meta:
        table_name = "saved_destination"


class OwnerSession(Table):
    account = DeferredForeignKey("Account", null=True)
    customer = DeferredForeignKey("Customer", null=True)
    token_hash = TextField(unique=True)
    source = TextField()
    agent = TextField()
    began_at = InstantField()
    seen_at = InstantField()
    ended_at = InstantField(null=True)

    class Meta:
        table_name = "owner_session"


class Recovery(Table):
    account = DeferredForeignKey("Account", null=True)
    customer = DeferredForeignKey("Customer", null=True)
    asked_at = InstantField()
    used_at = InstantField(null=True)
    mail_due_at = InstantField(null=True)
    mail_tries = IntegerField(default=0)
    said = TextField(default="")


class Payment(Table):
    account = DeferredForeignKey("Account")
    reference = TextField(unique=True)
    provider = TextField()
    amount_micros = BigIntegerField()
    currency = TextField()
    state = TextField(default="asked")
    asked_at = InstantField()
    ended_at = InstantField(null=True)
