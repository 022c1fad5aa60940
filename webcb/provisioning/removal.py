"""Entries that say `absent: true`: their rows are deleted, unless something uses them; then it is said what."""

from collections.abc import Iterator, Sequence
from typing import Any

from peewee import SQL, fn

from webcb import models
from webcb.models import Table
from webcb.provisioning.books import TABLES, Books
from webcb.provisioning.document import Placed
from webcb.provisioning.drafts import chunks
from webcb.provisioning.entries import SECTIONS
from webcb.provisioning.report import Action

# What is a part of a thing goes with it and does not count as a use.
PARTS: dict[type[Table], tuple[type[Table], ...]] = {
    models.Tariff: (models.Rate, models.Route),
    models.Product: (models.UsageCharge,),
    models.Account: (models.TrustedNumber,),
    models.VoiceApplication: (models.RefusalCount,),
}
NOUNS: dict[type[Table], str] = {models.Ledger: "ledger row", models.Xdr: "xDR"}
INSTEAD = {"accounts": "write closed: true", "customers": "write status: closed"}


def remove_absent(books: Books) -> None:
    """Delete what the file calls absent, users before what they use; a thing in use is a problem of its entry.

    Everybody waits meanwhile, so a section is looked at and deleted with a few statements for each 500 of its entries.
    """
    for section in reversed(SECTIONS):
        entries = books.document.sections.get(section, [])
        _remove(books, section, [placed for placed in entries if placed.removal])
        parts: dict[tuple[int, str], list[tuple[Placed, Any]]] = {}
        for placed in entries:
            owner = None if placed.removal else books.rows(section).get(placed.key)
            for line in (line for lines in placed.children.values() for line in lines if line.removal):
                if owner is not None:
                    parts.setdefault((owner.id, line.kind.NOUN), []).append((line, owner))
        for (_, noun), lines in parts.items():
            _remove_parts(books, noun, lines)


def _remove(books: Books, section: str, gone: Sequence[Placed]) -> None:
    table = TABLES[section]
    parts = PARTS.get(table, ())
    rows = {placed.key: row for placed in gone if (row := books.rows(section).get(placed.key)) is not None}
    uses = _uses(table, [row.id for row in rows.values()], parts)
    has_wallets = section in ("accounts", "customers")
    owned = {row.id: row.wallet_id for row in rows.values() if has_wallets and _owns_wallet(row)}
    of_wallets = _uses(models.Wallet, list(owned.values()), (table,))
    removed: list[int] = []
    for placed in gone:
        row = rows.pop(placed.key, None)
        if row is None:
            books.report.add("left", placed.kind.NOUN, str(placed.key[0]))
            continue
        used = uses.get(row.id, {})
        for noun, count in of_wallets.get(owned.get(row.id, 0), {}).items():
            used[noun] = max(used.get(noun, 0), count)
        if used:
            said = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in used.items())
            instead = INSTEAD.get(section, "remove those first, or leave it")
            books.wrong(placed, "absent", f"{placed.kind.NOUN} {placed.key[0]!r} is used by {said}; {instead}")
            continue
        removed.append(row.id)
        del books.rows(section)[placed.key]
        books.report.add("removed", placed.kind.NOUN, str(placed.key[0]))
    for part in parts:
        _delete(part, _reference(part, table), removed)
    _delete(table, table.id, removed)
    _delete(models.Wallet, models.Wallet.id, [owned[row_id] for row_id in removed if row_id in owned])


def _delete(table: type[Table], field: Any, values: Sequence[int]) -> None:
    for some in chunks(values):
        table.delete().where(field.in_(some)).execute()


def _owns_wallet(row: Any) -> bool:
    return isinstance(row, models.Customer) or row.balance_control == "individual"


def _uses(table: type[Table], ids: Sequence[int], parts: tuple[type[Table], ...]) -> dict[int, dict[str, int]]:
    """How many rows of which kind refer to each of these rows that any refers to, their own parts left out."""
    found: dict[int, dict[str, int]] = {}
    for some in chunks(ids):
        for field, referring in table._meta.backrefs.items():
            if referring in parts:
                continue
            noun = NOUNS.get(referring, referring._meta.table_name.replace("_", " "))
            counted = referring.select(field, fn.COUNT(SQL("*"))).where(field.in_(some)).group_by(field)
            for row_id, count in counted.tuples():
                of = found.setdefault(row_id, {})
                of[noun] = of.get(noun, 0) + count
    return found


def _reference(part: type[Table], table: type[Table]) -> Any:
    return next(field for field in part._meta.refs if part._meta.refs[field] is table)


# Parts on their own --------------------------------------------------------------------------------------------------------


def _remove_parts(books: Books, noun: str, lines: Sequence[tuple[Placed, Any]]) -> None:
    """Rates, routes or usage charges of one owner: nothing refers to them, what they priced keeps a copy."""
    owner = lines[0][1]
    if noun == "usage charge":
        ids = _usage_charges(books, owner)
        table: type[Table] = models.UsageCharge
        found = [ids.get((line.key[0], line.key[1]), []) for line, _ in lines]
    else:
        table = models.Rate if noun == "rate" else models.Route
        found = list(_priced(books, table, owner, [line for line, _ in lines]))
    gone: set[int] = set()
    for (line, _), row_ids in zip(lines, found, strict=True):
        action: Action = "removed" if gone.issuperset(row_ids) is False else "left"
        gone.update(row_ids)
        books.report.add(action, line.kind.NOUN, f"{line.key[0] or '(any)'} of {owner.name}")
    _delete(table, table.id, sorted(gone))


def _usage_charges(books: Books, product: Any) -> dict[tuple[str, str | None], list[int]]:
    """The ids of a product's usage charges, by access code and node."""
    names = {row.id: name for (name,), row in books.rows("nodes").items()}
    found: dict[tuple[str, str | None], list[int]] = {}
    columns = models.UsageCharge.id, models.UsageCharge.access_code, models.UsageCharge.node
    charges: Any = models.UsageCharge.select(*columns).where(models.UsageCharge.product == product.id).tuples()
    for row_id, code, node_id in charges:
        found.setdefault((code, names.get(node_id)), []).append(row_id)
    return found


def _priced(books: Books, table: Any, tariff: Any, lines: Sequence[Placed]) -> Iterator[list[int]]:
    """The ids of each line's rates or routes: of its destination and, where it says one, of its moment."""
    destinations = [books.rows("destinations").get((line.key[0],)) for line in lines]
    is_rate = table is models.Rate
    of: dict[int, list[tuple[int, Any]]] = {}
    for some in chunks({each.id for each in destinations if each is not None}):
        columns = (table.id, table.destination, *([table.effective_at] if is_rate else []))
        for row_id, destination_id, *at in (
            table.select(*columns).where((table.tariff == tariff.id) & table.destination.in_(some)).tuples()
        ):
            of.setdefault(destination_id, []).append((row_id, at[0] if at else None))
    for line, destination in zip(lines, destinations, strict=True):
        moment = line.key[1] if len(line.key) > 1 else None
        rows = [] if destination is None else of.get(destination.id, [])
        yield [row_id for row_id, at in rows if moment is None or at == moment]
