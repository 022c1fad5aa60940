"""The apply door: makes the database say what a provisioning file says, in one transaction, and tells what it did.

A long file is compared before that transaction begins, so that others wait for the writing alone (drafts.py).
Applying the same file again changes nothing. Nothing is deleted but what an entry calls absent and nobody uses.
"""

from dataclasses import dataclass
from datetime import datetime

from webcb import db, models
from webcb.billing import credentials
from webcb.provisioning.books import Books
from webcb.provisioning.document import Document, Placed, every
from webcb.provisioning.funds import Hashes, apply_accounts, apply_customers, hashed
from webcb.provisioning.pricing import apply_products, apply_tariffs
from webcb.provisioning.removal import remove_absent
from webcb.provisioning.report import Report
from webcb.provisioning.source import Problem

AUDIT_LINES_MAX = 1000
SUBJECT_MAX = 120
ENTRIES_AT_ONCE = 200  # compared and written in one transaction
TRIES_MAX = 3  # to compare what others change meanwhile


class ApplyRefused(Exception):
    """The file cannot be applied; nothing was written. `problems` has everything that is wrong, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = sorted(problems)


class _Undone(Exception):
    """Takes a dry run back; `report` says what it would have done."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


def apply(
    document: Document, at: datetime, made_by: str, *, file: str, dry_run: bool = False, set_passwords: bool = False
) -> Report:
    """Apply a document that was read; with `dry_run` everything is tried and taken back. Raises ApplyRefused.

    Service passwords are set where the account has none; `set_passwords` sets those of the others too.
    """
    # Hashing takes seconds for a thousand accounts: not where all is taken back in any case.
    hashes = None if dry_run or document.problems else hashed(document, set_passwords)
    asked = _Asked(document, hashes, at, made_by, file, dry_run, set_passwords)
    try:
        return _beforehand(asked) or _at_once(asked)
    except _Undone as undone:
        return undone.report


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be applied, and how."""

    document: Document
    hashes: Hashes | None
    at: datetime
    made_by: str
    file: str
    dry_run: bool
    set_passwords: bool


def _beforehand(asked: _Asked) -> Report | None:
    """Compare while others work, then write in a moment; None where it is to be done at once.

    That is so for a short file, for a wrong one with removals (what is wrong with those is seen after the rest was written), and
    where others change the same things all the time.
    """
    document = asked.document
    if document.entries <= ENTRIES_AT_ONCE:
        return None
    problems = list(document.problems)
    for _ in range(TRIES_MAX):
        books = Books(document, asked.at, asked.made_by)
        with db.reading():
            _draft(books, asked)
        if document.problems and not _has_removals(document):
            raise ApplyRefused(document.problems)
        if document.problems:
            break
        if _carried_out(books, asked):
            return books.report
    document.problems[:] = problems
    return None


def _has_removals(document: Document) -> bool:
    return any(
        each.removal or any(child.removal for children in each.children.values() for child in children)
        for section in document.sections.values()
        for each in section
    )


@db.transaction
def _carried_out(books: Books, asked: _Asked) -> bool:
    """False, and nothing written, where something that was looked at is not as it was."""
    if not books.drafts.still_holds():
        return False
    _finish(books, asked)
    return True


@db.transaction
def _at_once(asked: _Asked) -> Report:
    books = Books(asked.document, asked.at, asked.made_by)
    _draft(books, asked)
    _finish(books, asked)
    return books.report


def _finish(books: Books, asked: _Asked) -> None:
    """Write in the transaction that is open; removals last, for whether something is used is seen then."""
    books.drafts.carry_out()
    remove_absent(books)
    if asked.document.problems:
        raise ApplyRefused(asked.document.problems)
    if books.report.changes_anything:
        _audit(books, asked.file)
    if asked.dry_run:
        raise _Undone(books.report)


def _draft(books: Books, asked: _Asked) -> None:
    """Everything in the order of what refers to what."""
    for section in ("destinations", "off_peak_periods", "exchange_rates"):
        _apply_plain(books, section)
    apply_tariffs(books)
    _apply_plain(books, "nodes")
    apply_products(books)
    apply_customers(books, asked.hashes, asked.set_passwords)
    _apply_plain(books, "distributors")
    apply_accounts(books, asked.hashes, asked.set_passwords)
    _apply_plain(books, "vendors")
    for placed in every(books.document, "connections"):
        _apply_connection(books, placed)
    for placed in every(books.document, "voice_applications"):
        _apply_voice_application(books, placed)
    _apply_plain(books, "own_numbers")
    _apply_company(books)


def _apply_plain(books: Books, section: str) -> None:
    for placed in every(books.document, section):
        books.put(section, placed)


def _apply_company(books: Books) -> None:
    """There is one: another name is said to be wrong, and the page gives it a new one."""
    for placed in every(books.document, "companies"):
        others = [row.name for row in books.rows("companies").values() if row.name != placed.entry.name]
        if others:
            books.wrong(placed, "name", f"there is the company {others[0]!r} already; there can be one")
        else:
            books.put("companies", placed)


def _apply_connection(books: Books, placed: Placed) -> None:
    row = books.rows("connections").get(placed.key)
    sealed = row.sealed_password if row else ""
    columns = books.wanted(placed, row, {"password": sealed})
    if columns is None or not _suits(books, placed):
        return
    password = placed.entry.password
    changes = []
    if password is not None and _unsealed(sealed) != password:
        columns["sealed_password"] = credentials.seal(password)
        changes = [("password", "***", "set")]
    books.rows("connections")[placed.key] = books.write(
        models.Connection, placed, row, placed.entry.name, columns, *changes
    )


def _unsealed(sealed: str) -> str | None:
    """The password; None where it was sealed with a secret key that is lost: then it can only be set again."""
    try:
        return credentials.unseal(sealed)
    except credentials.SealProblem:
        return None


def _suits(books: Books, placed: Placed) -> bool:
    """A connection's tariff is a vendor's, in the vendor's currency (domain 2)."""
    tariff = books.rows("tariffs")[(placed.entry.tariff,)]
    vendor = books.rows("vendors")[(placed.entry.vendor,)]
    if tariff.applied_to != "vendor":
        books.wrong(
            placed, "tariff", f"tariff {tariff.name!r} is applied to customers; name one with applied_to: vendor"
        )
    elif tariff.currency != vendor.currency:
        said = f"tariff {tariff.name!r} is in {tariff.currency}, the vendor in {vendor.currency}"
        books.wrong(placed, "tariff", f"{said}; name a tariff in {vendor.currency}")
    return bool(tariff.applied_to == "vendor" and tariff.currency == vendor.currency)


def _apply_voice_application(books: Books, placed: Placed) -> None:
    rows = books.rows("voice_applications")
    taken = [row.name for row in rows.values() if row.path == placed.entry.path and row.name != placed.entry.name]
    if taken:
        books.wrong(
            placed, "path", f"voice application {taken[0]!r} has the path {placed.entry.path!r}; choose another"
        )
        return
    row = books.put("voice_applications", placed)
    if row is None or not row.special_charge_if_leg_b_fails:
        return
    known = books.drafts.read("SELECT DISTINCT access_code FROM usage_charge ORDER BY access_code")
    if ("CALLBACK_FAIL",) not in known and "CALLBACK_FAIL" not in books.access_codes:
        books.report.notes.append(
            f"voice application {row.name} charges specially if leg B fails, but no product has a usage charge"
            " CALLBACK_FAIL: the ordinary one will be used"
        )


def _audit(books: Books, file: str) -> None:
    lines = [line.said() for line in books.report.lines]
    more = [f"and {len(lines) - AUDIT_LINES_MAX} more"] if len(lines) > AUDIT_LINES_MAX else []
    models.Audit.create(
        at=books.at,
        made_by=books.made_by,
        action="apply",
        subject=file[-SUBJECT_MAX:],
        detail="\n".join(lines[:AUDIT_LINES_MAX] + more),
    )
