"""The books of one apply: the rows by their names, what was done, what is wrong. Knows tables in general, no section of its own."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from webcb import models
from webcb.models import Table
from webcb.provisioning.document import Document, Key, Placed
from webcb.provisioning.entries import SECTIONS, Entry
from webcb.provisioning.fields import near
from webcb.provisioning.report import Report
from webcb.provisioning.rules import contradictions

NEAR_NAMES_MAX = 2000  # names beyond which none is proposed: looking for the nearest takes too long
CHUNK_ROWS = 500

TABLES: dict[str, type[Table]] = {
    "destinations": models.Destination,
    "off_peak_periods": models.OffPeakPeriod,
    "tariffs": models.Tariff,
    "nodes": models.Node,
    "products": models.Product,
    "customers": models.Customer,
    "accounts": models.Account,
    "vendors": models.Vendor,
    "connections": models.Connection,
    "voice_applications": models.VoiceApplication,
}

Columns = dict[str, Any]
Change = tuple[str, str, str]  # field, old, new


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists short enough for one statement."""
    every = list(values)
    for start in range(0, len(every), CHUNK_ROWS):
        yield every[start : start + CHUNK_ROWS]


class Books:
    """One apply in its transaction. `at` is its moment, `made_by` who asked for it."""

    def __init__(self, document: Document, at: datetime, made_by: str) -> None:
        self.document = document
        self.at = at
        self.made_by = made_by
        self.report = Report()
        self._rows: dict[str, dict[Key, Any]] = {}
        self._names: dict[str, dict[int, str]] = {}

    # Rows by name ------------------------------------------------------------------------------------------------------

    def rows(self, section: str) -> dict[Key, Any]:
        """The rows of a section by key; of accounts, of which there may be very many, only those the file names."""
        if section not in self._rows:
            table, key = TABLES[section], SECTIONS[section].KEY
            if section == "accounts":
                logins = [placed.key[0] for placed in self.document.sections.get("accounts", [])]
                found = [row for some in chunks(logins) for row in table.select().where(models.Account.login.in_(some))]
            else:
                found = list(table.select())
            self._rows[section] = {tuple(getattr(row, name) for name in key): row for row in found}
        return self._rows[section]

    def name(self, section: str, row_id: int | None) -> str | None:
        """The name by which a row is referred to."""
        if section not in self._names:
            self._names[section] = {row.id: key[0] for key, row in self.rows(section).items()}
        names = self._names[section]
        if row_id is not None and row_id not in names:  # created since
            names.update({row.id: key[0] for key, row in self.rows(section).items()})
        return None if row_id is None else names[row_id]

    def referred(self, section: str, name: str, placed: Placed, field: str) -> Any | None:
        """The row of a name; where there is none that is a problem, unless the file has it and it is wrong itself."""
        row = self.rows(section).get((name,))
        if row is None and (section, (name,)) not in self.document.broken:
            names = [key[0] for key in self.rows(section)]
            said = near(name, names) if len(names) <= NEAR_NAMES_MAX else ""
            self.wrong(placed, field, f"there is no {SECTIONS[section].NOUN} {name!r}{said}")
        return row

    def wrong(self, placed: Placed, field: str, text: str) -> None:
        """Note what is wrong with a field of an entry."""
        self.document.wrong((*placed.path, field) if field else placed.path, text)

    # Writing -----------------------------------------------------------------------------------------------------------

    def wanted(self, placed: Placed, row: Any, current: Columns | None = None) -> Columns | None:
        """The columns the entry asks for: all at creation, else those it writes. None where something is wrong.

        `row` is None at creation. `current` has what is stored elsewhere than on the row, by field: it is checked with
        the rest, and not written.
        """
        kind, entry = placed.kind, placed.entry
        elsewhere = current or {}
        columns: Columns = {}
        values: Columns = {}
        good = True
        for field in kind.model_fields:
            is_written = row is None or field in entry.model_fields_set
            reader, column = kind.reader(field), kind.column(field)
            if not is_written:
                stored = elsewhere[field] if field in elsewhere else row.__data__[column]
                values[field] = self.name(reader.section, stored) if reader.section else stored
                continue
            value = values[field] = getattr(entry, field)
            if field in elsewhere:
                continue
            columns[column] = value
            if reader.section and value is not None:
                referred = self.referred(reader.section, value, placed, field)
                good = good and referred is not None
                columns[column] = referred and referred.id
        for field in sorted(kind.FIXED & entry.model_fields_set) if row is not None else ():
            stored = elsewhere[field] if field in elsewhere else row.__data__[kind.column(field)]
            if stored != columns.get(kind.column(field), values[field]):
                said = f"it is {self.shown(kind, field, stored)}; write that, or a new {kind.NOUN}"
                self.wrong(placed, field, f"fixed when it was created: {said}")
                good = False
        for field, text in contradictions(kind.NOUN, values):
            self.wrong(placed, field, text)
            good = False
        return columns if good else None

    def shown(self, kind: type[Entry], field: str, stored: Any) -> str:
        """A stored value as the file writes it."""
        reader = kind.reader(field)
        if reader.is_secret:
            return "***"
        return reader.text(self.name(reader.section, stored) if reader.section else stored)

    def write(
        self, table: type[Table], placed: Placed, row: Any | None, label: str, columns: Columns, *more: Change
    ) -> Any:
        """Insert a row, or write the columns of it that differ, and note it; returns the row.

        `more` are changes made elsewhere that belong to the same thing.
        """
        if row is None:
            self.report.add("created", placed.kind.NOUN, label)
            return table.create(**columns)
        different = {column: value for column, value in columns.items() if row.__data__[column] != value}
        changes = self.changes(placed.kind, row.__data__, different)
        if different:
            table.update(**different).where(table.id == row.id).execute()
            for column, value in different.items():
                setattr(row, column, value)
        self.report.add("changed" if changes or more else "left", placed.kind.NOUN, label, *changes, *more)
        return row

    def changes(self, kind: type[Entry], old: Columns, new: Columns) -> list[Change]:
        """The fields in which `new` differs from `old`, both by column, as the file writes them."""
        found = []
        for field in kind.model_fields:
            column = kind.column(field)
            if column in new and new[column] != old[column]:
                found.append((field, self.shown(kind, field, old[column]), self.shown(kind, field, new[column])))
        return found

    def put(self, section: str, placed: Placed) -> Any | None:
        """Create or change the row of an entry that has nothing stored elsewhere; the row, or None where it is wrong."""
        rows = self.rows(section)
        columns = self.wanted(placed, rows.get(placed.key))
        if columns is None:
            return None
        row = rows[placed.key] = self.write(TABLES[section], placed, rows.get(placed.key), str(placed.key[0]), columns)
        return row
