"""The door of rate sheets: what a sheet would change in a tariff, the change in one transaction, and taking it back."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from peewee import OperationalError

from webcb import db
from webcb.billing import rate_sheet, rate_staging
from webcb.billing.formula import Intervals
from webcb.billing.query import change, hold, instant, marks, micros, rows, values
from webcb.billing.rate_sheet import Change, Kind, Line, Mode, Problem, Terms
from webcb.billing.rate_staging import COLUMNS, FIELDS
from webcb.models import Audit, Destination, RateImport, Tariff

CHUNK_ROWS: Final = 500
TRIES_MAX: Final = 5  # to write into a tariff that others change
_WRITTEN = frozenset(Kind) - {Kind.SAME, Kind.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a sheet would do to a tariff. With problems nothing of it is done."""

    changes: list[Change]
    problems: list[Problem]
    new_destinations: list[Line]

    def counts(self) -> dict[Kind, int]:
        """How many changes of each kind, in the order of Kind."""
        return {kind: count for kind in Kind if (count := sum(each.kind is kind for each in self.changes))}


class NothingToUndo(Exception):
    """A tariff into which no sheet was read, or whose last one is undone already."""


def preview(tariff: Tariff, sheet: rate_sheet.Sheet, mode: Mode, at: datetime, *, register: bool = False) -> Preview:
    """Compare a sheet with a tariff; `register` takes prefixes that the register lacks from the sheet, too."""
    lines, problems = sheet.lines, list(sheet.problems)
    known_prefixes = {each["prefix"] for each in rows("SELECT prefix FROM destination")}
    new: dict[str, Line] = {}
    has_off_peak = tariff.off_peak_period is not None
    for line in lines:
        if line.prefix not in known_prefixes:
            new.setdefault(line.prefix, line)
        if not has_off_peak and line.terms.off_peak is not None:
            said = f"tariff {tariff.name} has no off-peak period; leave the off-peak columns empty, or give it one"
            problems.append(Problem(line.number, rate_sheet.COLUMNS["off_peak_first_price"].head, said))
    if not register:
        said = "is not in the register of destinations; add it there, or register the new ones of the file"
        problems += [Problem(line.number, "Destination", f"{line.prefix} {said}") for line in new.values()]
    found = [] if problems else rate_sheet.changes(lines, _known(tariff, at), at, mode)
    return Preview(found, sorted(problems, key=lambda problem: problem.line), list(new.values()))


# The rates that hold at a moment and those that will.
_HOLDING = f"""
    SELECT rate.id, destination.prefix, {FIELDS}
      FROM rate JOIN destination ON destination.id = rate.destination_id
     WHERE rate.tariff_id = ? AND effective_at >= COALESCE(
             (SELECT MAX(held.effective_at) FROM rate AS held
               WHERE held.tariff_id = rate.tariff_id AND held.destination_id = rate.destination_id
                 AND held.effective_at <= ?), 0)
     ORDER BY destination.prefix, effective_at
"""  # noqa: S608 - names of ours


def _known(tariff: Tariff, at: datetime) -> dict[str, list[tuple[datetime, Terms]]]:
    known: dict[str, list[tuple[datetime, Terms]]] = defaultdict(list)
    for found in rows(_HOLDING, tariff.id, micros(at)):
        effective_at = instant(found["effective_at"])
        if effective_at is not None:
            known[found["prefix"]].append((effective_at, _terms(found)))
    return known


def _terms(found: dict[str, Any]) -> Terms:
    names = ("interval_seconds", "price_micros")
    peak = Intervals(*(found[f"{which}_{name}"] for name in names for which in ("first", "next")))
    off_peak = None
    if found["mode"] == "off-peak":
        off_peak = Intervals(*(found[f"off_peak_{which}_{name}"] for name in names for which in ("first", "next")))
    return Terms(
        peak, off_peak, found["formula"], bool(found["forbidden"]), bool(found["discontinued"]), bool(found["hidden"])
    )


def apply(
    tariff: Tariff,
    sheet: rate_sheet.Sheet,
    mode: Mode,
    file_name: str,
    made_by: str,
    at: datetime,
    *,
    register: bool = False,
) -> Preview:
    """Read a sheet into a tariff, all of it or, where there are problems, nothing; returns what was done.

    Compared and put aside before anything is locked: what waits for the database waits for the writing alone. Where somebody else
    changed the tariff meanwhile, it is compared again.
    """
    for _ in range(TRIES_MAX):
        with db.reading():
            seen = preview(tariff, sheet, mode, at, register=register)
            if seen.problems:
                return seen
            coming = [each for each in seen.changes if each.kind in _WRITTEN]
            gone = [each for each in seen.changes if each.kind is Kind.WITHDRAWN]
            stamp = _stamp(tariff)
            taken_out = _at_places(tariff, coming + gone)
        if not coming and not gone and not (register and seen.new_destinations):
            return seen
        counts = ", ".join(f"{count} {kind}" for kind, count in seen.counts().items())
        made = {"tariff": tariff, "mode": mode, "file_name": file_name[:255], "at": at, "made_by": made_by}
        try:
            rate_staging.put_aside(
                [_row(each) for each in coming],
                [each.pop("id") for each in taken_out],
                [(each.prefix, each.country, each.description) for each in (seen.new_destinations if register else ())],
            )
            if _write(tariff, stamp, made, json.dumps(taken_out), counts):
                return seen
        finally:
            rate_staging.clear()
    raise OperationalError(f"tariff {tariff.name} is changed by others all the time; try again")


@db.transaction
def _write(tariff: Tariff, stamp: tuple[Any, ...], made: dict[str, Any], replaced: str, counts: str) -> bool:
    """Write what was put aside; False where the tariff is not what it was compared with."""
    hold("SELECT id FROM tariff WHERE id = ?", tariff.id)
    if _stamp(tariff) != stamp:
        return False
    row = RateImport.create(**made, rates=rate_staging.count(), replaced=replaced)
    rate_staging.write(tariff.id, row.id)
    action, subject = f"rate sheet, {made['mode']}", f"tariff {tariff.name}"
    Audit.create(at=made["at"], made_by=made["made_by"], action=action, subject=subject, detail=counts)
    return True


# Another after any change of the rates of a tariff. Instants in two parts: whole, the sum of a million is beyond 64 bits.
_STAMP = """
    SELECT COUNT(*), SUM(id), SUM(destination_id), SUM(effective_at / 1000000),
           SUM(effective_at - effective_at / 1000000 * 1000000), SUM(first_interval_seconds), SUM(next_interval_seconds),
           SUM(first_price_micros), SUM(next_price_micros), SUM(off_peak_first_interval_seconds),
           SUM(off_peak_next_interval_seconds), SUM(off_peak_first_price_micros), SUM(off_peak_next_price_micros),
           SUM(length(formula)), COUNT(NULLIF(forbidden, FALSE)), COUNT(NULLIF(discontinued, FALSE)),
           COUNT(NULLIF(hidden, FALSE))
      FROM rate WHERE tariff_id = ?
"""


def _stamp(tariff: Tariff) -> tuple[Any, ...]:
    return values(_STAMP, tariff.id)


def _at_places(tariff: Tariff, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """The rates that stand at the places and moments of these changes."""
    places = {each["prefix"]: each["id"] for each in rows("SELECT prefix, id FROM destination")}
    wanted = {(places.get(each.prefix), micros(each.effective_at)) for each in changes}
    moments = sorted({at for _, at in wanted})
    names = ", ".join(COLUMNS)
    found = []
    for start in range(0, len(moments), CHUNK_ROWS):
        some = moments[start : start + CHUNK_ROWS]
        sql = f"SELECT id, {names} FROM rate WHERE tariff_id = ? AND effective_at IN ({marks(some)})"  # noqa: S608
        found += [
            each for each in rows(sql, tariff.id, *some) if (each["destination_id"], each["effective_at"]) in wanted
        ]
    return found


def _row(each: Change) -> tuple[Any, ...]:
    """A rate in the order of rate_staging.STAGED."""
    peak, off_peak = each.terms.intervals, each.terms.off_peak
    return (
        each.prefix,
        micros(each.effective_at),
        "flat" if off_peak is None else "off-peak",
        peak.first_seconds,
        peak.next_seconds,
        peak.first_price_micros,
        peak.next_price_micros,
        off_peak and off_peak.first_seconds,
        off_peak and off_peak.next_seconds,
        None if off_peak is None else off_peak.first_price_micros,
        None if off_peak is None else off_peak.next_price_micros,
        each.terms.formula,
        each.terms.forbidden,
        each.terms.discontinued,
        each.terms.hidden,
    )


def _insert(values: Sequence[tuple[Any, ...]]) -> None:
    names, line = ", ".join(COLUMNS), f"({marks(COLUMNS)})"
    for start in range(0, len(values), CHUNK_ROWS):
        some = values[start : start + CHUNK_ROWS]
        sql = f"INSERT INTO rate ({names}) VALUES {', '.join([line] * len(some))}"  # noqa: S608 - names of ours
        change(sql, *(cell for each in some for cell in each))


@db.transaction
def undo(tariff: Tariff, made_by: str, at: datetime) -> str:
    """Take back the last sheet that was read into a tariff: its rates go, those it replaced return. Raises NothingToUndo.

    Returns the name of its file. Rates that somebody has written by hand since stay as they are.
    """
    last: Any = RateImport.select().where(RateImport.tariff == tariff).order_by(RateImport.id.desc()).first()
    if last is None or last.undone_at is not None:
        raise NothingToUndo(
            f"no rate sheet was read into tariff {tariff.name}"
            if last is None
            else f"the last rate sheet of tariff {tariff.name} is undone already"
        )
    change("DELETE FROM rate WHERE rate_import_id = ?", last.id)
    sql = "SELECT destination_id, effective_at FROM rate WHERE tariff_id = ?"
    there = {(each["destination_id"], each["effective_at"]) for each in rows(sql, tariff.id)}
    back = [each for each in json.loads(last.replaced) if (each["destination_id"], each["effective_at"]) not in there]
    _insert([tuple(each[name] for name in COLUMNS) for each in back])
    RateImport.update(undone_at=at).where(RateImport.id == last.id).execute()
    detail = f"{last.file_name}: {last.rates} rates gone, {len(back)} back"
    Audit.create(at=at, made_by=made_by, action="rate sheet undone", subject=f"tariff {tariff.name}", detail=detail)
    return str(last.file_name)


def written(tariff: Tariff, zone: tzinfo, at: datetime) -> Iterator[list[Any]]:
    """The rates of a tariff that hold at a moment, and those to come, as lines of a rate sheet."""
    said = {each.prefix: each for each in Destination.select()}
    for prefix, rates in _known(tariff, at).items():
        about = said[prefix]
        for effective_at, terms in rates:
            if effective_at > at or not terms.discontinued:
                yield rate_sheet.row(prefix, about.country, about.description, terms, effective_at, zone)
