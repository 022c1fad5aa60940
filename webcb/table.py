"""What all tables share: an id, the database they are in, and how instants are stored."""

from datetime import UTC, datetime, timedelta
from typing import Any

from peewee import BigIntegerField, Model

from webcb.db import database

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class InstantField(BigIntegerField):
    """An aware UTC datetime, stored as whole microseconds since 1970."""

    def db_value(self, value: Any) -> Any:
        return (value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else value

    def python_value(self, value: Any) -> Any:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Table(Model):
    id: Any

    class Meta:
        database = database
        legacy_table_names = False
