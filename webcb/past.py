"""What has been archived, and where chains and books go on from; and what was erased."""

from peewee import BigIntegerField, ForeignKeyField, TextField

from webcb.sales import Wallet
from webcb.table import InstantField, Table


class Archive(Table):
    before_at = InstantField()
    made_at = InstantField()
    made_by = TextField()
    file = TextField()
    sha256 = TextField()
    file_rows = BigIntegerField()
    last_ledger_id = BigIntegerField()
    last_xdr_id = BigIntegerField()
    wallet_done = BigIntegerField(default=0)
    ledger_rows = BigIntegerField(default=0)
    xdrs = BigIntegerField(default=0)
    callbacks = BigIntegerField(default=0)
    ended_at = InstantField(null=True)


class Erasure(Table):
    at = InstantField(unique=True)
    kind = TextField()
    digest = TextField()


class CarriedChain(Table):
    wallet = ForeignKeyField(Wallet, unique=True)
    hash = TextField()
    until_at = InstantField()
    balance_micros = BigIntegerField()


class CarriedBook(Table):
    book = TextField()
    currency = TextField()
    amount_micros = BigIntegerField()

    class Meta:
        indexes = ((("book", "currency"), True),)
