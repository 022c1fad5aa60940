"""The books of one apply: the rows by their names, what was done, what is wrong. Knows tables in general, no section of its own.

Nothing is written while the books are made up: what is to be written is put down in `drafts`, and so is every look into the
database with what was seen. It is written later and in a moment, if everything still is as it was (drafts.py).
"""

from collections import defaultdict
from datetime import datetime
from typing import Any

from webcb import models
from webcb.models import Table
from webcb.provisioning.document import Document, Key, Placed
from webcb.provisioning.drafts import Drafts
from webcb.provisioning.entries import SECTIONS, Entry
from webcb.provisioning.fields import near
from webcb.provisioning.report import Report
from webcb.provisioning.rules import contradictions

NEAR_NAMES_MAX = 2000  # names beyond which none is proposed: looking for the nearest takes too long

TABLES: dict[str, type[Table]] = {
    "destinations": models.Destination,
    "off_peak_periods": models.OffPeakPeriod,
    "tariffs": models.Tariff,
    "exchange_rates": models.ExchangeRate,
    "nodes": models.Node,
    "products": models.Product,
    "customers": models.Customer,
    "distributors": models.Distributor,
    "accounts": models.Account,
    "vendors": models.Vendor,
    "connections": models.Connection,
    "voice_applications": models.VoiceApplication,
    "own_numbers": models.OwnNumber,
    "companies": models.Company,
}

_INTERNAL_ACCOUNTS = """
    SELECT login FROM account
     WHERE id IN (SELECT internal_account_id FROM voice_application UNION SELECT widget_account_id FROM voice_application)
     ORDER BY login
"""

Columns = dict[str, Any]
Change = tuple[str, str, str]  # field, old, new


class Books:
    """One apply. `at` is its moment, `made_by` who asked for it."""

    def __init__(self, document: Document, at: datetime, made_by: str) -> None:
        self.document = document
        self.at = at
        self.made_by = made_by
        self.report = Report()
        self.drafts = Drafts()
        self.rated: defaultdict[int, set[int]] = defaultdict(set)  # by tariff: the destinations the file has a rate for
        self.access_codes: set[str] = set()  # of usage charges the file has
        self._rows: dict[str, dict[Key, Any]] = {}
        self._names: dict[str, dict[int, str]] = {}

    # Rows by name ------------------------------------------------------------------------------------------------------

    def rows(self, section: str) -> dict[Key, Any]:
        """The rows of a section by key; of accounts, of which there may be very many, only those the file names."""
        if section not in self._rows:
            table, key = TABLES[section], SECTIONS[section].KEY
            if section == "accounts":
                logins = [placed.key[0] for placed in self.document.sections.get("accounts", [])]
                logins += self._internal_accounts()
                found = self.drafts.found(table, "login", logins)
            else:
                found = self.drafts.every(table)
            self._rows[section] = {tuple(getattr(row, name) for name in key): row for row in found}
        return self._rows[section]

    def _internal_accounts(self) -> list[str]:
        """The accounts that voice applications name, in the file or already there."""
        wanted = [
            name
            for placed in self.document.sections.get("voice_applications", [])
            if placed.entry
            for name in (placed.entry.internal_account, placed.entry.widget_account)
            if name
        ]
        return list(dict.fromkeys([*wanted, *(login for (login,) in self.drafts.read(_INTERNAL_ACCOUNTS))]))

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
        if row is None and (section, name) not in self.document.broken:
            names = [key[0] for key in self.rows(section)]
            said = near(name, names) if len(names) <= NEAR_NAMES_MAX else ""
            self.wrong(placed, field, f"there is no {SECTIONS[section].NOUN} {name!r}{said}")
        return row

    def wrong(self, placed: Placed, field: str, text: str) -> None:
        """Note what is wrong with a field of an entry."""
        self.document.wrong((*placed.path, field) if field else placed.path, text)

    # Writing -----------------------------------------------------------------------------------------------------------

    def wanted(self, placed: Placed, row: Any, elsewhere: Columns | None = None) -> Columns | None:
        """The columns an entry asks for; None where something is wrong with it. `row` is None at creation.

        `elsewhere` names the fields that are not columns of the row, each with what is stored of it: they are left out.
        """
        kind, entry = placed.kind, placed.entry
        stored = (row.__data__ if row is not None else {}) | (elsewhere or {})
        problems_before = len(self.document.problems)
        all_known = True
        columns: Columns = {}
        for field in kind.model_fields:
            reader, column, value = kind.reader(field), kind.column(field), getattr(entry, field)
            if reader.section and value is not None:
                referred = self.referred(reader.section, value, placed, field)
                all_known = all_known and referred is not None
                value = referred and referred.id
            if field not in (elsewhere or {}):
                columns[column] = value
            had = stored.get(field if field in (elsewhere or {}) else column)
            if row is not None and field in kind.FIXED and had != value and value is not None:
                said = f"it is {self.shown(kind, field, had)}; write that, or a new {kind.NOUN}"
                self.wrong(placed, field, f"fixed when it was created: {said}")
        for field, text in contradictions(kind.NOUN, {field: getattr(entry, field) for field in kind.model_fields}):
            self.wrong(placed, field, text)
        return columns if all_known and len(self.document.problems) == problems_before else None

    def shown(self, kind: type[Entry], field: str, stored: Any) -> str:
        """A stored value as the file writes it."""
        reader = kind.reader(field)
        return reader.text(self.name(reader.section, stored) if reader.section else stored)

    def write(
        self, table: type[Table], placed: Placed, row: Any | None, label: str, columns: Columns, *more: Change
    ) -> Any:
        """Draft a row, or those columns of it that differ, and note it; returns the row.

        `more` are changes made elsewhere that belong to the same thing.
        """
        if row is None:
            self.report.add("created", placed.kind.NOUN, label)
            return self.drafts.insert(table, columns)
        different = {column: value for column, value in columns.items() if row.__data__[column] != value}
        changes = self.changes(placed.kind, row.__data__, different)
        if different:
            self.drafts.update(table, row.id, different)
            for column, value in different.items():
                setattr(row, column, value)
        self.report.add("changed" if changes or more else "left", placed.kind.NOUN, label, *changes, *more)
        return row

    def changes(self, kind: type[Entry], old: Columns, new: Columns) -> list[Change]:
        """The fields in which `new` differs from `old`, both by column, as the file writes them; secrets left out."""
        found = []
        for field in kind.model_fields:
            column = kind.column(field)
            if not kind.reader(field).is_secret and column in new and new[column] != old[column]:
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
