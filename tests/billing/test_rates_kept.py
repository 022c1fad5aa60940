"""Rates that were found for a number are believed only while none has changed and none has become effective."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peewee import IntegrityError

from tests.billing import rows
from tests.billing.rows import NOON
from tests.billing.test_rate_look_up import said
from webcb import db, models
from webcb.billing import catalog, query, rate_import
from webcb.billing.rate_sheet import read

PREFIXES = ("5", "55", "5511", "1", "12", "|")
NUMBERS = ("5511987654321", "551298765432", "12065550123", "1")
HEADS = ["Destination", "First interval", "Next interval", "First price", "Next price", "Effective from"]

prefixes, hours, prices = st.sampled_from(PREFIXES), st.integers(0, 6), st.integers(1, 99)
numbers = st.tuples(st.sampled_from(NUMBERS), st.none() | st.sampled_from(NUMBERS))
STEPS = st.one_of(
    st.tuples(st.just("rate"), prefixes, hours, prices, st.booleans()),
    st.tuples(st.just("price"), prefixes, prices),
    st.tuples(st.just("sooner"), prefixes, hours),
    st.tuples(st.just("delete"), prefixes),
    st.tuples(st.just("route"), prefixes, prices),
    st.tuples(st.just("sheet"), st.sampled_from(("add", "replace")), prefixes, hours, prices),
    st.tuples(st.just("undo")),
    st.tuples(st.just("taken back"), prefixes, prices),
    st.tuples(st.just("look"), numbers, hours),
)


@pytest.fixture
def house(either_database: str) -> rows.House:
    return rows.house()


def hour(number: int) -> datetime:
    return NOON + timedelta(hours=number)


def found(product_id: int, digits: tuple[str, str | None], at: datetime) -> tuple[Any, Any]:
    """What is found for numbers with what is kept, and without."""
    with db.reading():
        epoch, rates_epoch = query.values("SELECT epoch, rates_epoch FROM catalog")
        book = catalog.book(epoch)
        kept = catalog.rates_of(book, rates_epoch, product_id, digits, at)
        anew = catalog.rates_of(replace(book, rates={}), rates_epoch, product_id, digits, at)
    return [sorted(each) for each in kept], [sorted(each) for each in anew]


def do(house: rows.House, step: tuple[Any, ...]) -> None:
    match step:
        case ("rate", prefix, at, cents, is_discontinued):
            of_this_hour = models.Rate.delete().where(models.Rate.effective_at == hour(at))
            with db.writing():
                destination, _ = models.Destination.get_or_create(prefix=prefix)
                of_this_hour.where(models.Rate.destination == destination, models.Rate.tariff == house.tariff).execute()
                price = f"0.{cents:02}"
                rows.rate(house.tariff, prefix, price=price, effective_at=hour(at), discontinued=is_discontinued)
        case ("price", prefix, cents):
            of = models.Destination.select(models.Destination.id).where(models.Destination.prefix == prefix)
            with db.writing():
                models.Rate.update(first_price_micros=cents).where(models.Rate.destination.in_(of)).execute()
        case ("sooner", prefix, at):
            rate = models.Rate.select().join(models.Destination).where(models.Destination.prefix == prefix).first()
            with suppress(IntegrityError), db.writing():  # there may be one of that hour
                if rate is not None:
                    models.Rate.update(effective_at=hour(at)).where(models.Rate.id == rate.id).execute()
        case ("delete", prefix):
            of = models.Destination.select(models.Destination.id).where(models.Destination.prefix == prefix)
            with db.writing():
                models.Rate.delete().where(models.Rate.destination.in_(of)).execute()
        case ("route", prefix, preference):
            with db.writing():
                destination, _ = models.Destination.get_or_create(prefix=prefix)
                of_vendor = models.Route.delete().where(models.Route.destination == destination)
                of_vendor.execute()
                models.Route.create(
                    tariff=house.connection.tariff, destination=destination, category=1, preference=preference % 11
                )
        case ("sheet", mode, prefix, at, cents):
            when = f"{hour(at):%Y-%m-%d %H:%M}"
            table = [HEADS, [prefix, "60", "6", f"0.{cents:02}", f"0.{cents:02}", when]]
            rate_import.apply(house.tariff, read(table, NOON.tzinfo), mode, "sheet.csv", "ann", NOON)
        case ("undo",):
            with suppress(rate_import.NothingToUndo):
                rate_import.undo(house.tariff, "ann", NOON)
        case ("taken back", prefix, cents):
            with suppress(ZeroDivisionError), db.writing():
                do(house, ("price", prefix, cents))
                for at in range(7):
                    found(house.product.id, (NUMBERS[0], NUMBERS[2]), hour(at))
                raise ZeroDivisionError
        case ("look", digits, at):
            kept, anew = found(house.product.id, digits, hour(at))
            assert kept == anew


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=4, max_size=14))
def test_what_is_kept_is_what_would_be_found(house: rows.House, steps: list[tuple[Any, ...]]) -> None:
    for step in steps:
        do(house, step)
        for at in (0, 3):
            do(house, ("look", (NUMBERS[0], NUMBERS[2]), at))


def test_the_numbers_of_a_second_callback_are_not_looked_up_again(
    house: rows.House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.no_limits(concurrent_per_account=10)
    rows.place(house, "one")
    asked = said(lambda: rows.place(house, "two"), monkeypatch)
    assert not any("FROM destination" in sql for sql in asked)
    with db.writing():
        rows.rate(house.tariff, "5511", price="0.20")
    asked = said(lambda: rows.place(house, "three"), monkeypatch)
    assert len([sql for sql in asked if "FROM destination" in sql]) == 1


def test_a_rate_that_becomes_effective_ends_what_is_kept(house: rows.House) -> None:
    with db.writing():
        rows.rate(house.tariff, "5511", price="0.20", effective_at=hour(2))

    def prices_at(at: datetime) -> list[int]:
        kept, anew = found(house.product.id, (NUMBERS[0], None), at)
        assert kept == anew
        return sorted({row[9] for row in kept[0] if row[1] == "5511"})

    assert prices_at(hour(1)) == []
    assert prices_at(hour(2) - timedelta(microseconds=1)) == []
    assert prices_at(hour(2)) == [200_000]
    assert prices_at(hour(1)) == []
