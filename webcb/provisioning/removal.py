"""Entries that say `absent: true`: their rows are deleted, unless something uses them; then it is said what."""

from typing import Any

from webcb import models
from webcb.models import Table
from webcb.provisioning.books import TABLES, Books
from webcb.provisioning.document import Placed
from webcb.provisioning.entries import SECTIONS

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
    """Delete what the file calls absent, users before what they use; a thing in use is a problem of its entry."""
    for section in reversed(SECTIONS):
        for placed in books.document.sections.get(section, []):
            if placed.removal:
                _remove(books, section, placed)
            else:
                _remove_children(books, section, placed)


def _remove(books: Books, section: str, placed: Placed) -> None:
    row = books.rows(section).get(placed.key)
    if row is None:
        books.report.add("left", placed.kind.NOUN, str(placed.key[0]))
        return
    table = TABLES[section]
    parts = PARTS.get(table, ())
    uses = _uses(row, parts)
    owned = row.wallet if section in ("accounts", "customers") and _owns_wallet(row) else None
    if owned is not None:
        for noun, count in _uses(owned, (table,)).items():
            uses[noun] = max(uses.get(noun, 0), count)
    if uses:
        said = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in uses.items())
        instead = INSTEAD.get(section, "remove those first, or leave it")
        books.wrong(placed, "absent", f"{placed.kind.NOUN} {placed.key[0]!r} is used by {said}; {instead}")
        return
    for part in parts:
        part.delete().where(_reference(part, table) == row.id).execute()
    row.delete_instance()
    if owned is not None:
        owned.delete_instance()
    del books.rows(section)[placed.key]
    books.report.add("removed", placed.kind.NOUN, str(placed.key[0]))


def _owns_wallet(row: Any) -> bool:
    return isinstance(row, models.Customer) or row.balance_control == "individual"


def _uses(row: Any, parts: tuple[type[Table], ...]) -> dict[str, int]:
    """How many rows of which kind refer to a row, its own parts left out."""
    found: dict[str, int] = {}
    for field, table in row._meta.backrefs.items():
        count = 0 if table in parts else table.select().where(field == row.id).count()
        if count:
            noun = NOUNS.get(table, table._meta.table_name.replace("_", " "))
            found[noun] = found.get(noun, 0) + count
    return found


def _reference(part: type[Table], table: type[Table]) -> Any:
    return next(field for field in part._meta.refs if part._meta.refs[field] is table)


# Parts on their own --------------------------------------------------------------------------------------------------------


def _remove_children(books: Books, section: str, placed: Placed) -> None:
    owner = books.rows(section).get(placed.key)
    for lines in placed.children.values():
        for line in lines:
            if line.removal and owner is not None:
                _remove_part(books, line, owner)


def _remove_part(books: Books, line: Placed, owner: Any) -> None:
    """Rates, routes and usage charges: nothing refers to them, what they priced keeps a copy."""
    first, rest = line.key[0], line.key[1:]
    query: Any
    if line.kind.NOUN == "usage charge":
        node = books.rows("nodes").get((rest[0],))
        table: type[Table] = models.UsageCharge
        query = (models.UsageCharge.product == owner.id) & (models.UsageCharge.access_code == first)
        query &= models.UsageCharge.node.is_null() if rest[0] is None else models.UsageCharge.node == (node and node.id)
    else:
        table = models.Rate if line.kind.NOUN == "rate" else models.Route
        destination = books.rows("destinations").get((first,))
        query = (table.tariff == owner.id) & (table.destination == (destination and destination.id))
        if rest and rest[0] is not None:
            query &= models.Rate.effective_at == rest[0]
    count = table.delete().where(query).execute()
    books.report.add("removed" if count else "left", line.kind.NOUN, f"{first or '(any)'} of {owner.name}")
