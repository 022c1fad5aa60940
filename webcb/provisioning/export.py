"""The export door: the configuration in the database as a provisioning file whose apply changes nothing.

Secrets are left out (an absent secret stays as it is), and so are funds, which are no configuration. Of the rates, those in
force and those to come are written; what has been superseded is history.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from webcb import db, models
from webcb.billing import trusted
from webcb.provisioning import emit
from webcb.provisioning.books import TABLES
from webcb.provisioning.emit import Plain
from webcb.provisioning.entries import SECTIONS, Entry, Rate, Route, UsageCharge
from webcb.provisioning.funds import OF_WALLET

NOT_WRITTEN = frozenset({"opening_balance"})

Fields = dict[str, Any]


def export(at: datetime) -> str:
    """The whole configuration as of `at`, as YAML text."""
    with db.reading():
        return emit.document(_sections(at))


def entry(kind: type[Entry], row: Any) -> dict[str, Any]:
    """One row as the texts of its entry, every field but secrets and lists of parts: what a form shows."""
    stored = dict(row.__data__)
    if isinstance(row, models.Customer) or (isinstance(row, models.Account) and row.balance_control == "individual"):
        stored |= _of_wallet(row.wallet)
    if isinstance(row, models.Account):
        stored["trusted_numbers"] = trusted.numbers_of([row.id]).get(row.id, "")
    written: dict[str, Any] = {}
    for field in kind.model_fields:
        reader, column = kind.reader(field), kind.column(field)
        if reader.is_secret or field in NOT_WRITTEN or column not in stored:
            continue
        value = stored[column]
        if reader.section and value is not None:
            key = SECTIONS[reader.section].KEY[0]
            value = getattr(getattr(row, column), SECTIONS[reader.section].column(key))
        written[field] = None if value is None else reader.text(value)
    return written


def _sections(at: datetime) -> dict[str, list[Fields]]:
    rows = {section: list(table.select().order_by(table.id)) for section, table in TABLES.items()}
    names = {
        section: {row.id: getattr(row, SECTIONS[section].KEY[0]) for row in found} for section, found in rows.items()
    }
    wallets = {row.id: row for row in models.Wallet.select()}
    children = _children(names, at)
    numbers = _trusted_numbers()
    sections = {}
    for section, found in rows.items():
        kind = SECTIONS[section]
        entries = []
        for row in found:
            entry = _fields(kind, _stored(row, wallets, numbers), names)
            entry |= {child: lines for child in kind.CHILDREN if (lines := children[child].get(row.id))}
            entries.append(entry)
        if entries:
            sections[section] = entries
    return sections


def _stored(row: Any, wallets: dict[int, Any], numbers: dict[int, str]) -> Fields:
    """The columns of a row, with those of its wallet that are its configuration."""
    stored = dict(row.__data__)
    if isinstance(row, models.Customer) or (isinstance(row, models.Account) and row.balance_control == "individual"):
        stored |= _of_wallet(wallets[stored["wallet"]])
    if isinstance(row, models.Account):
        stored["trusted_numbers"] = numbers.get(row.id, "")
    return stored


def _of_wallet(wallet: Any) -> Fields:
    return {column: getattr(wallet, column) for column in ("currency", *OF_WALLET.values())}


def _trusted_numbers() -> dict[int, str]:
    found: dict[int, str] = {}
    for row in models.TrustedNumber.select().order_by(models.TrustedNumber.digits):
        account_id = row.__data__["account"]
        found[account_id] = f"{found[account_id]},{row.digits}" if account_id in found else row.digits
    return found


def _fields(kind: type[Entry], stored: Fields, names: dict[str, dict[int, str]]) -> Fields:
    """What an entry writes: its required fields, and the others where they are not as by default."""
    written = {}
    for field, about in kind.model_fields.items():
        reader, column = kind.reader(field), kind.column(field)
        if reader.is_secret or field in NOT_WRITTEN or column not in stored:
            continue
        value = stored[column]
        if reader.section and value is not None:
            value = names[reader.section][value]
        if about.is_required() or value != about.default:
            text = reader.text(value)
            is_text = reader.schema["type"] == "string" and value is not None
            written[field] = text if is_text or not text.isascii() else _plain(text)
    return written


def _plain(text: str) -> str | Plain:
    """A number, truth or nothing as it stands; digits with a leading zero or a sign need quotes to be one text to all."""
    return text if (text.startswith("0") and text[1:2].isdigit()) or text == "|" else Plain(text)


def _children(names: dict[str, dict[int, str]], at: datetime) -> dict[str, dict[int, list[Fields]]]:
    """Rates and routes by tariff, usage charges by product."""
    found: dict[str, dict[int, list[Fields]]] = {"rates": {}, "routes": {}, "usage_charges": {}}
    for name, kind, rows, owner in (
        ("rates", Rate, _rates(at), "tariff"),
        ("routes", Route, models.Route.select().order_by(models.Route.id), "tariff"),
        ("usage_charges", UsageCharge, models.UsageCharge.select().order_by(models.UsageCharge.id), "product"),
    ):
        for row in rows:
            stored = dict(row.__data__)
            if name == "rates" and stored["effective_at"] <= at:
                stored["effective_at"] = None
            found[name].setdefault(stored[owner], []).append(_fields(kind, stored, names))
    return found


def _rates(at: datetime) -> Iterable[Any]:
    """The rates in force and to come, those of one prefix together in the order of time."""
    places: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for row in models.Rate.select().order_by(models.Rate.id):
        places[(row.__data__["tariff"], row.__data__["destination"])].append(row)
    for rows in places.values():
        rows.sort(key=lambda row: row.effective_at)
        begun = [row for row in rows if row.effective_at <= at]
        yield from [*begun[-1:], *rows[len(begun) :]]
