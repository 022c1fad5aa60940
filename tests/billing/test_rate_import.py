"""Rate sheets in a tariff: added, replaced, undone; the price of a call before and after."""

import threading
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from peewee import OperationalError

from tests.billing import rows
from tests.billing.rows import NOON, House
from webcb import db, models
from webcb.billing import catalog, rate_import, rate_sheet, workbook
from webcb.billing.rate_sheet import Kind, read
from webcb.models import Destination, Rate, RateImport

HEADS = ["Destination", "First interval", "Next interval", "First price", "Next price", "Effective from", "Description"]
HOUR = timedelta(hours=1)


@pytest.fixture
def house(database: str) -> House:
    return rows.house()  # 55 and 1 at 0.10


def table(*lines: tuple[str, ...]) -> list[list[str]]:
    return [HEADS, *[[*line] for line in lines]]


def apply(house: House, mode: Any, *lines: tuple[str, ...], at: Any = NOON, **options: Any) -> rate_import.Preview:
    return rate_import.apply(house.tariff, read(table(*lines), UTC), mode, "march.csv", "ann", at, **options)


def price(house: House, digits: str, at: Any = NOON) -> int | None:
    """The first price that a number has."""
    from webcb.billing.tariff import rate_in_force

    rates = catalog.rates([house.tariff.id], [digits], at)
    found = rate_in_force(rates, house.tariff.id, digits, at)
    return None if found is None else found.intervals.first_price_micros


def stored() -> list[tuple]:
    """Every rate of every tariff, without its id."""
    names = [field for field in Rate._meta.sorted_field_names if field not in ("id", "rate_import")]
    return sorted((tuple(row[name] for name in names) for row in Rate.select().dicts()), key=str)


def test_added_rates_hold_and_the_others_stay(house: House) -> None:
    done = apply(house, "add", ("55", "60", "60", "0.20", "0.20"))
    assert done.counts() == {Kind.DEARER: 1}
    assert price(house, "5511") == 200_000
    assert price(house, "5511", NOON - HOUR) == 100_000
    assert price(house, "1206") == 100_000
    made = RateImport.get()
    assert (made.file_name, made.mode, made.rates, made.made_by) == ("march.csv", "add", 1, "ann")
    assert models.Audit.get().detail == "1 dearer"


def test_replaced_rates_are_all_that_is_left(house: House) -> None:
    done = apply(house, "replace", ("55", "60", "60", "0.10", "0.10"))
    assert done.counts() == {Kind.SAME: 1, Kind.DISCONTINUED: 1}
    assert price(house, "5511") == 100_000
    assert price(house, "1206") is None


def test_the_same_again_changes_nothing(house: House) -> None:
    line = ("55", "60", "60", "0.20", "0.20", "2030-01-01")
    apply(house, "add", line)
    before = stored()
    for mode in ("add", "add"):
        assert apply(house, mode, line, at=NOON + HOUR).counts() == {Kind.SAME: 1}
    assert stored() == before
    assert RateImport.select().count() == 1


def test_undone_everything_is_as_it_was(house: House) -> None:
    """Also a coming rate that was overwritten, and one that was withdrawn."""
    rows.rate(house.tariff, "55", price="0.30", effective_at=NOON + HOUR)
    rows.rate(house.tariff, "1", price="0.40", effective_at=NOON + HOUR)
    before = stored()
    in_an_hour = (NOON + HOUR).isoformat()
    done = apply(house, "replace", ("55", "60", "60", "0.20", "0.20"), ("55", "60", "60", "0.25", "0.25", in_an_hour))
    assert done.counts() == {Kind.DEARER: 2, Kind.DISCONTINUED: 1, Kind.WITHDRAWN: 1}
    assert price(house, "5511", NOON + HOUR) == 250_000
    assert price(house, "1206", NOON + 2 * HOUR) is None
    rate_import.undo(house.tariff, "ann", NOON + HOUR)
    assert stored() == before
    with pytest.raises(rate_import.NothingToUndo, match="is undone already"):
        rate_import.undo(house.tariff, "ann", NOON)


def test_a_rate_written_by_hand_since_stays(house: House) -> None:
    apply(house, "add", ("55", "60", "60", "0.20", "0.20"))
    rows.rate(house.tariff, "55", price="0.15", effective_at=NOON + HOUR)
    rate_import.undo(house.tariff, "ann", NOON + 2 * HOUR)
    assert price(house, "5511", NOON) == 100_000
    assert price(house, "5511", NOON + HOUR) == 150_000


def test_without_an_import_there_is_nothing_to_undo(house: House) -> None:
    with pytest.raises(rate_import.NothingToUndo, match="no rate sheet was read into tariff Callback"):
        rate_import.undo(house.tariff, "ann", NOON)


def test_a_prefix_must_be_registered_or_be_registered_with_the_sheet(house: House) -> None:
    line = ("4420", "60", "60", "0.05", "0.05", "", "London")
    before = stored()
    said = [problem.said() for problem in apply(house, "add", line).problems]
    assert said == [
        "line 2, Destination: 4420 is not in the register of destinations;"
        " add it there, or register the new ones of the file"
    ]
    assert stored() == before
    done = apply(house, "add", line, register=True)
    assert done.counts() == {Kind.NEW: 1}
    assert Destination.get(prefix="4420").description == "London"
    assert price(house, "4420") == 50_000


def test_with_a_problem_nothing_is_written(house: House) -> None:
    before = stored()
    done = apply(house, "replace", ("55", "60", "60", "0.20", "0.20"), ("1", "60", "60", "dear", "0.20"))
    assert [problem.line for problem in done.problems] == [3]
    assert done.changes == []
    assert stored() == before


def test_off_peak_prices_need_an_off_peak_period(house: House) -> None:
    heads = [
        *HEADS[:5],
        "Off-peak first interval",
        "Off-peak next interval",
        "Off-peak first price",
        "Off-peak next price",
    ]
    cells = ["55", "60", "60", "1", "1", "60", "60", "0.5", "0.5"]
    done = rate_import.apply(house.tariff, read([heads, cells], UTC), "add", "f", "ann", NOON)
    assert [problem.said() for problem in done.problems] == [
        "line 2, Off-peak first price: tariff Callback has no off-peak period;"
        " leave the off-peak columns empty, or give it one"
    ]
    house.tariff.off_peak_period = models.OffPeakPeriod.create(name="Night", definition="hr{9pm-5am}")
    house.tariff.save()
    assert rate_import.apply(house.tariff, read([heads, cells], UTC), "add", "f", "ann", NOON).problems == []
    assert Rate.get(Rate.effective_at == NOON).off_peak_first_price_micros == 500_000


@pytest.mark.parametrize("as_format", workbook.FORMATS)
@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo"])
def test_a_sheet_that_was_downloaded_replaces_nothing(house: House, as_format: Any, zone: str) -> None:
    period = models.OffPeakPeriod.create(name="Night", definition="hr{9pm-5am}")
    house.tariff.off_peak_period = period
    house.tariff.save()
    rows.rate(
        house.tariff, "|", 7, 13, "0.000001", formula="1x60@first; *x6@0.123456", mode="off-peak",
        off_peak_first_interval_seconds=1, off_peak_next_interval_seconds=2, off_peak_first_price_micros=3,
        off_peak_next_price_micros=4,
    )  # fmt: skip
    rows.rate(house.tariff, "55", price="0.30", effective_at=NOON + HOUR, forbidden=True, hidden=True)
    rows.rate(house.tariff, "44", discontinued=True)
    Destination.update(description="=cmd()").where(Destination.prefix == "|").execute()
    before = stored()
    content = workbook.write(rate_sheet.HEADS, rate_import.written(house.tariff, ZoneInfo(zone), NOON), as_format)
    cells = workbook.read(content)
    assert [line[0] for line in cells[1:]] == ["1", "55", "55", "|"]
    done = rate_import.apply(house.tariff, read(cells, ZoneInfo(zone)), "replace", "f", "ann", NOON)
    assert done.problems == []
    assert done.counts() == {Kind.SAME: 4}
    assert stored() == before


def test_the_template_can_be_read(house: House) -> None:
    content = workbook.write(rate_sheet.HEADS, rate_sheet.EXAMPLES, "xlsx")
    sheet = read(workbook.read(content), UTC)
    done = rate_import.apply(house.tariff, sheet, "add", "f", "ann", NOON, register=True)
    assert done.problems == []
    assert done.counts() == {Kind.NEW: 1, Kind.FORBIDDEN: 1}


def elsewhere(work: Callable[[], Any]) -> None:
    """Do it in a transaction of another connection, as another process would; it must not have to wait."""
    failed: list[BaseException] = []

    def do() -> None:
        try:
            with db.database.connection_context(), db.writing():
                work()
        except BaseException as wrong:
            failed.append(wrong)

    other = threading.Thread(target=do)
    other.start()
    other.join(timeout=5)
    assert not other.is_alive(), "it waits for the sheet"
    assert failed == []


def test_a_sheet_is_read_while_others_write_and_nobody_reads_half_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls are settled while it is compared and put aside; what others read has none of it until it has all."""
    prices: list[tuple[int | None, int | None]] = []

    def look() -> None:
        models.Node.update(heard_at=NOON).execute()
        prices.append((price(house, "5511"), price(house, "1206")))

    for module, name in ((rate_sheet, "changes"), (rate_import.rate_staging, "put_aside")):
        plain = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, plain=plain: (elsewhere(look), plain(*given))[1])
    apply(house, "add", ("55", "60", "60", "0.20", "0.20"), ("1", "60", "60", "0.30", "0.30"))
    look()
    assert prices == [(100_000, 100_000), (100_000, 100_000), (200_000, 300_000)]


def test_a_tariff_that_others_change_meanwhile_is_compared_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, times = rate_import.rate_staging.put_aside, []

    def put_aside(*given: Any) -> None:
        if not times:
            elsewhere(lambda: rows.rate(house.tariff, "49", price="0.50"))
        times.append(given)
        plain(*given)

    monkeypatch.setattr(rate_import.rate_staging, "put_aside", put_aside)
    done = apply(house, "replace", ("55", "60", "60", "0.20", "0.20"))
    assert len(times) == 2
    assert done.counts() == {Kind.DEARER: 1, Kind.DISCONTINUED: 2}
    assert price(house, "4930") is None


def test_one_that_is_changed_all_the_time_is_left_as_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, times = rate_import.rate_staging.put_aside, []

    def put_aside(*given: Any) -> None:
        times.append(given)
        elsewhere(lambda: rows.rate(house.tariff, f"49{len(times)}"))
        plain(*given)

    monkeypatch.setattr(rate_import.rate_staging, "put_aside", put_aside)
    with pytest.raises(OperationalError, match="tariff Callback is changed by others all the time; try again"):
        apply(house, "add", ("55", "60", "60", "0.20", "0.20"))
    assert price(house, "5511") == 100_000
    assert RateImport.select().count() == 0


def test_a_sheet_on_either_database(either_database: str) -> None:
    """New destinations, rates that take the place of others at the same moment, and those to come that are withdrawn."""
    house = rows.house()
    soon = ("2026-03-03 12:00", "Brazil")
    apply(house, "add", ("55", "60", "60", "0.20", "0.20", *soon), ("1", "60", "60", "0.30", "0.30"))
    before = stored()
    done = apply(
        house, "replace", ("1", "60", "60", "0.40", "0.40"), ("49", "1", "1", "0.10", "0.10", "", "x"), register=True
    )
    assert done.counts() == {Kind.NEW: 1, Kind.DEARER: 1, Kind.DISCONTINUED: 1, Kind.WITHDRAWN: 1}
    assert (price(house, "4930"), price(house, "1206"), price(house, "5511")) == (100_000, 400_000, None)
    assert price(house, "5511", NOON + 48 * HOUR) is None
    assert rate_import.undo(house.tariff, "ann", NOON) == "march.csv"
    assert stored() == before


def test_many_lines(house: House) -> None:
    """More than go into one statement."""
    lines = [(f"7{number:04d}", "60", "60", "0.01", "0.01") for number in range(1200)]
    assert apply(house, "add", *lines, register=True).counts() == {Kind.NEW: 1200}
    assert apply(house, "replace", *lines[:100], at=NOON + HOUR).counts() == {Kind.SAME: 100, Kind.DISCONTINUED: 1102}
    assert price(house, "70099", NOON + HOUR) == 10_000
    assert price(house, "70100", NOON + HOUR) is None
    rate_import.undo(house.tariff, "ann", NOON + HOUR)
    assert price(house, "70100", NOON + HOUR) == 10_000
