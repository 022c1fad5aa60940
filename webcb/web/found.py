"""Whole rows as objects, for the pages that everybody asks for.

Peewee writes the text of a SELECT anew each time: for a table of sixty columns that takes longer than the rest of the page. Here it
is written once for a table, and what comes is put into the object as it is.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from peewee import BigIntegerField, ForeignKeyField, IntegerField, TextField

from webcb.billing import query
from webcb.models import Table

_AS_THEY_COME = (BigIntegerField, ForeignKeyField, IntegerField, TextField)

Model = TypeVar("Model", bound=Table)


def one(model: type[Model], where: str, *parameters: Any) -> Model | None:
    """The first row of a table for which `where` holds (`?` for each parameter), or None."""
    found = query.values_if_any(f"{_select(model)} WHERE {where}", *parameters)
    return None if found is None else _object(model, found)


def each(model: type[Model], where: str, *parameters: Any) -> list[Model]:
    """Every row of a table for which `where` holds."""
    return [_object(model, row) for row in query.tuples(f"{_select(model)} WHERE {where}", *parameters)]


def _object(model: type[Model], row: tuple[Any, ...]) -> Model:
    made: Any = model(__no_default__=True)
    made.__data__ = {
        name: value if read is None or value is None else read(value)
        for (name, read), value in zip(_fields(model), row, strict=True)
    }
    return made  # type: ignore[no-any-return]


@cache
def _select(model: type[Table]) -> str:
    columns = ", ".join(field.column_name for field in model._meta.sorted_fields)
    return f'SELECT {columns} FROM "{model._meta.table_name}"'  # noqa: S608  names of ours


@cache
def _fields(model: type[Table]) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    """The name of each field, and what makes its value of what is stored; None where that is the value."""
    return tuple(
        (field.name, None if type(field) in _AS_THEY_COME else field.python_value)
        for field in model._meta.sorted_fields
    )
