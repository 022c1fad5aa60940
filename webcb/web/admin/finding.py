"""Which rows of a list have a text: by the key of what is named, by an index, by the few texts there are; by reading all only at last.

A list of a million rows answers as soon as one of a hundred, whether the text is nowhere, in a few rows or in nearly all of them.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

from peewee import SqliteDatabase

from webcb import db

FOUND_BY_KEY_MAX: Final = 5_000  # rows that are told by their keys, and sorted
NAMED_MAX: Final = 500  # customers, connections ... of a name
FEW_MAX: Final = 500  # different texts in a column that has few
LAST: Final = "\U0010ffff"  # comes after every text


@dataclass(frozen=True, eq=False)  # == of a column of peewee is an expression
class Contains:
    """A filter of a text that has what is typed in it, or begins with it where that is what an index can find.

    `by` is the key by which the rows name another one whose text it is. Of a text with `is_of_few` there are few different ones in
    the table, and an index tells which. Either index may go on with `then`: rows of one name then come out of it in that order.
    """

    text: Any
    from_start: bool = False
    by: Any = None
    is_of_few: bool = False
    then: Any = None


def condition(query: Callable[[], Any], key: Any, places: Sequence[Contains], text: str, order: Any) -> Any:
    """Rows that have a text in one of the places: by their keys, where not many have it.

    Each place alone can be found by its index, an OR over several tables by none. Where many rows have it, going through the list
    in its `order` soon fills a page; the index of a place would find them all, to sort them, unless it is by that that they are sorted.
    """
    has_index = [each for each in places if each.from_start or each.by is not None or each.is_of_few]
    read = [each for each in places if each not in has_index]  # all of them at once
    keys: set[Any] = set()
    for some in [[each] for each in has_index] + ([read] if read else []):
        found = query().select(key).where(_any(some, text, _NO_ORDER)).limit(FOUND_BY_KEY_MAX + 1)
        keys.update(one for (one,) in found.tuples())
        if len(keys) > FOUND_BY_KEY_MAX:
            return _any(places, text, order if len(places) == 1 else None)
    return key.in_(sorted(keys))


def has(text: Any, word: str) -> Any:
    """A text has a word in it, in capitals or not."""
    found = text.contains(word)
    if word.isascii() or not isinstance(db.database.obj, SqliteDatabase):
        return found
    others = {word.lower(), word.upper(), word.title(), word.capitalize()} - {word}  # SQLite knows them of ASCII alone
    return reduce(operator.or_, (text.contains(each) for each in sorted(others)), found)


def begins(text: Any, word: str) -> Any:
    """A text begins with a word as it is typed: a range, which an index serves whatever its collation does to LIKE."""
    return (text >= word) & (text < word + LAST)


_NO_ORDER: Final = object()  # any index may be used: only some of what it finds is wanted


def _any(places: Sequence[Contains], text: str, order: Any) -> Any:
    return reduce(operator.or_, (_contains(each, text, order) for each in places))


def _contains(each: Contains, text: str, order: Any) -> Any:
    """Written so that no index is used but one that gives the rows in this order; None: none is."""
    is_free = order is _NO_ORDER
    plain = begins(each.text, text) if each.from_start else has(each.text, text)
    if each.by is not None:
        model = each.by.rel_model
        named = [one for (one,) in model.select(model.id).where(plain).limit(NAMED_MAX + 1).tuples()]
        if len(named) <= NAMED_MAX:
            return _one_of(each.by, named, is_free, order is not None and each.then is order)
    elif each.is_of_few:
        texts = _different(each.text)
        if len(texts) <= FEW_MAX:
            wanted = [one for one in texts if text.lower() in one.lower()]
            return _one_of(each.text, wanted, is_free, order is not None and each.then is order)
    if each.from_start and not is_free and each.text is not order:
        return begins(each.text.concat(""), text)
    return plain


def _one_of(field: Any, values: Sequence[Any], is_free: bool, goes_on_in_order: bool) -> Any:
    """The index of a field gives the rows of one value in the order that it goes on with, those of several in none."""
    if len(values) == 1 and (is_free or goes_on_in_order):
        return field == values[0]
    if is_free or not values:
        return field.in_(values)
    return (field.concat("") if isinstance(values[0], str) else field + 0).in_(values)


def _different(field: Any) -> list[str]:
    """The different texts of a column, each found by a step in its index; some more than FEW_MAX where there are more."""
    table, column = field.model._meta.table_name, field.column_name
    steps = (
        f"WITH RECURSIVE step (text) AS (SELECT MIN({column}) FROM {table} WHERE {column} > ''"  # noqa: S608 - our own names
        f" UNION ALL SELECT (SELECT MIN({column}) FROM {table} WHERE {column} > step.text) FROM step"
        f" WHERE step.text IS NOT NULL) SELECT text FROM step WHERE text IS NOT NULL LIMIT {FEW_MAX + 1}"
    )
    return [text for (text,) in db.database.execute_sql(steps)]
