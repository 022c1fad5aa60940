"""Registers: what others refer to and what refers to nothing. Destinations, off-peak periods, exchange rates, nodes."""

from peewee import BigIntegerField, BooleanField, TextField

from webcb.table import InstantField, Table


class Destination(Table):
    prefix = TextField(unique=True)
    country = TextField(default="")
    description = TextField(default="")


class OffPeakPeriod(Table):
    name = TextField(unique=True)
    definition = TextField()


class ExchangeRate(Table):
    currency = TextField()
    day = TextField()
    per_base_micros = BigIntegerField()


class Node(Table):
    name = TextField(unique=True)
    started_at = InstantField(null=True)
    heard_at = InstantField(null=True)
    draining = BooleanField(default=False)
    holder = TextField(default="")
    term = BigIntegerField(default=0)
