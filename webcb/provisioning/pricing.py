"""Tariffs with their rates and routes, products with their usage charges: rows made to say what the file says."""

from collections import defaultdict
from typing import Any

from webcb import models
from webcb.provisioning import rates
from webcb.provisioning.books import Books, Columns
from webcb.provisioning.document import Placed, every
from webcb.provisioning.entries import Rate
from webcb.provisioning.rules import contradictions

RATE_KEY = frozenset({"prefix", "effective_from"})
RATE_FIELDS = tuple(field for field in Rate.model_fields if field not in RATE_KEY)
RATE_COLUMNS = tuple(Rate.column(field) for field in RATE_FIELDS)


def apply_tariffs(books: Books) -> None:
    """Tariffs, then what they carry."""
    written = [(placed, books.put("tariffs", placed)) for placed in every(books.document, "tariffs")]
    tariffs = [(placed, row) for placed, row in written if row is not None]
    for placed, row in tariffs:
        _apply_rates(books, row, [each for each in placed.children.get("rates", []) if not each.removal])
    for placed, row in tariffs:
        _apply_routes(books, row, [each for each in placed.children.get("routes", []) if not each.removal])


def _apply_rates(books: Books, tariff: Any, lines: list[Placed]) -> None:
    wanted: dict[int, list[rates.Wanted]] = defaultdict(list)
    for position, placed in enumerate(lines):
        destination = books.referred("destinations", placed.entry.prefix, placed, "prefix")
        columns = _rate_columns(books, tariff, placed)
        if destination is not None and columns is not None:
            wanted[destination.id].append(rates.Wanted(position, placed.entry.effective_from, columns))
    known: dict[int, list[rates.Known]] = defaultdict(list)
    for row in books.drafts.found(models.Rate, "destination_id", wanted, "AND tariff_id = ?", tariff.id):
        columns = {column: row.__data__[column] for column in RATE_COLUMNS}
        known[row.__data__["destination"]].append(rates.Known(row.id, row.effective_at, columns))
    new: list[Columns] = []
    for destination_id, these in wanted.items():
        for step in rates.steps(known[destination_id], these, books.at):
            _take(books, tariff, lines[step.wanted.position], step)
            if step.action == "created":
                place = {"tariff": tariff.id, "destination": destination_id, "effective_at": step.effective_at}
                new.append({**place, **step.wanted.columns})
    books.drafts.insert_each(models.Rate, new)
    books.rated[tariff.id] |= wanted.keys()


def _rate_columns(books: Books, tariff: Any, placed: Placed) -> Columns | None:
    """The columns of a rate; None where the line contradicts itself or its tariff."""
    values = {field: getattr(placed.entry, field) for field in RATE_FIELDS}
    found = contradictions(placed.kind.NOUN, values)
    if values["mode"] == "off-peak" and tariff.__data__["off_peak_period"] is None:
        found = [*found, ("mode", f"tariff {tariff.name!r} has no off_peak_period; write one, or mode: flat")]
    for field, text in found:
        books.wrong(placed, field, text)
    return None if found else dict(zip(RATE_COLUMNS, values.values(), strict=True))


def _take(books: Books, tariff: Any, placed: Placed, step: rates.Step) -> None:
    """Note a step, and change a coming rate in place; what begins now in place of another reads as a change of it."""
    since = f" from {step.effective_at.isoformat()}" if step.effective_at > books.at else ""
    label = f"{placed.entry.prefix} of {tariff.name}{since}"
    if step.known is None or step.action == "left":
        books.report.add(step.action, placed.kind.NOUN, label)
        return
    books.report.add(
        "changed",
        placed.kind.NOUN,
        label,
        *books.changes(placed.kind, dict(step.known.columns), dict(step.wanted.columns)),
    )
    if step.action == "changed":
        books.drafts.update(models.Rate, step.known.id, step.wanted.columns)


def _apply_routes(books: Books, tariff: Any, lines: list[Placed]) -> None:
    if lines and tariff.applied_to != "vendor":
        books.wrong(
            lines[0], "", f"tariff {tariff.name!r} is not applied to a vendor: only a vendor's tariff has routes"
        )
        return
    if not lines:
        return
    known = {row.__data__["destination"]: row for row in books.drafts.found(models.Route, "tariff_id", [tariff.id])}
    read = books.drafts.read("SELECT DISTINCT destination_id FROM rate WHERE tariff_id = ? ORDER BY 1", tariff.id)
    rated = {destination_id for (destination_id,) in read} | books.rated[tariff.id]
    for placed in lines:
        destination = books.rows("destinations").get((placed.entry.prefix,))
        row = known.get(destination.id) if destination else None
        columns = books.wanted(placed, row)
        if columns is None or destination is None:
            continue
        if destination.id not in rated:
            books.wrong(
                placed, "prefix", f"tariff {tariff.name!r} has no rate for it, so nothing is routed; add the rate"
            )
            continue
        label = f"{placed.entry.prefix} of {tariff.name}"
        books.write(models.Route, placed, row, label, columns | {"tariff": tariff.id})


def apply_products(books: Books) -> None:
    """Products, then their usage charges."""
    for placed in every(books.document, "products"):
        product = books.put("products", placed)
        if product is None:
            continue
        of_product = books.drafts.found(models.UsageCharge, "product_id", [product.id])
        known = {(row.access_code, row.__data__["node"]): row for row in of_product}
        for line in placed.children.get("usage_charges", []):
            if not line.removal:
                _apply_usage_charge(books, product, line, known)


def _apply_usage_charge(books: Books, product: Any, placed: Placed, known: dict[tuple[str, int | None], Any]) -> None:
    node = books.rows("nodes").get((placed.entry.node,))
    row = known.get((placed.entry.access_code, node.id if node else None))
    columns = books.wanted(placed, row)
    if columns is None:
        return
    tariff = books.rows("tariffs")[(placed.entry.tariff,)]
    if tariff.applied_to != "customer":
        books.wrong(placed, "tariff", f"tariff {tariff.name!r} is a vendor's; name one applied to customers")
    elif tariff.currency != product.currency:
        said = f"tariff {tariff.name!r} is in {tariff.currency}, the product in {product.currency}"
        books.wrong(placed, "tariff", f"{said}; name a tariff in {product.currency}")
    else:
        label = f"{placed.entry.access_code or '(any)'}{f' on {node.name}' if node else ''} of {product.name}"
        books.write(models.UsageCharge, placed, row, label, columns | {"product": product.id})
        books.access_codes.add(placed.entry.access_code)
