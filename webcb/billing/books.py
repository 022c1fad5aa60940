"""The books door: whether everything written about money agrees with itself, and what stands in each book. It writes nothing."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from webcb import db, money
from webcb.billing import chain, query
from webcb.billing.erasure import ERASED
from webcb.billing.ledger import AGAINST, COLUMNS, digest_of, impersonal, linked
from webcb.billing.settlement import XDR_COLUMNS

ROWS_BETWEEN_WORDS = 20_000

Told = Callable[[str], None]  # what is looked at now


def silently(_: str) -> None:
    """Nobody is told."""


# An xDR whose ledger row was archived, and which is kept because something that is not refers to it.
_ARCHIVED = "xdr.bill_time < COALESCE((SELECT MAX(before_at) FROM archive), 0)"

# Each finds rows only where the books are wrong; `subject` names the place, `found` and `due` the two amounts.
_CHECKS = {
    "balance is not the sum of its ledger rows": """
        SELECT subject, found, due
          FROM (SELECT 'wallet ' || wallet.id AS subject, wallet.balance_micros AS found,
                       COALESCE(carried.balance_micros, 0) + COALESCE(SUM(ledger.amount_micros), 0) AS due
                  FROM wallet LEFT JOIN carried_chain AS carried ON carried.wallet_id = wallet.id
                  LEFT JOIN ledger ON ledger.wallet_id = wallet.id AND ledger.vendor_id IS NULL
                 GROUP BY wallet.id, wallet.balance_micros, carried.balance_micros) AS summed
         WHERE found <> due
    """,
    "locked funds are not the sum of the held locks": """
        SELECT 'wallet ' || wallet.id AS subject, locked_micros AS found, COALESCE(SUM(lock.amount_micros), 0) AS due
          FROM wallet LEFT JOIN lock ON lock.wallet_id = wallet.id AND lock.state = 'held'
         GROUP BY wallet.id, locked_micros
        HAVING locked_micros <> COALESCE(SUM(lock.amount_micros), 0)
    """,
    "charge in the ledger is not the xDR's": """
        SELECT 'xDR ' || xdr.id || ' of callback ' || xdr.callback_id || ', leg ' || xdr.leg AS subject,
               COALESCE(-ledger.amount_micros, 0) AS found, charged_micros AS due
          FROM xdr LEFT JOIN ledger ON ledger.xdr_id = xdr.id AND ledger.kind IN ('charge', 'refund')
         WHERE COALESCE(-ledger.amount_micros, 0) <> charged_micros AND NOT (ledger.id IS NULL AND {archived})
    """,
    "vendor cost in the ledger is not the xDR's": """
        SELECT 'xDR ' || xdr.id || ' of callback ' || xdr.callback_id || ', leg ' || xdr.leg AS subject,
               COALESCE(ledger.amount_micros, 0) AS found, COALESCE(vendor_cost_micros, 0) AS due
          FROM xdr LEFT JOIN ledger ON ledger.xdr_id = xdr.id AND ledger.kind = 'vendor cost'
         WHERE COALESCE(ledger.amount_micros, 0) <> COALESCE(vendor_cost_micros, 0) AND NOT (ledger.id IS NULL AND {archived})
    """,
    "more was given back than charged": """
        SELECT 'xDR ' || xdr.id || ' of callback ' || xdr.callback_id || ', leg ' || xdr.leg AS subject,
               -SUM(correction.charged_micros) AS found, xdr.charged_micros AS due
          FROM xdr JOIN xdr AS correction ON correction.refund_of_id = xdr.id
         GROUP BY xdr.id, xdr.callback_id, xdr.leg, xdr.charged_micros
        HAVING -SUM(correction.charged_micros) > xdr.charged_micros
    """,
    "callback has ended and its funds are still locked": """
        SELECT 'callback ' || callback.id AS subject, lock.amount_micros AS found, 0 AS due
          FROM callback JOIN lock ON lock.callback_id = callback.id
         WHERE callback.state = 'ended' AND lock.state = 'held'
    """,
}

# What the sums are made of; they are made here, for a database that groups a million rows sorts them in memory.
_POSTINGS = "SELECT kind, against, currency, vendor_id IS NULL, amount_micros FROM ledger"

_CARRIED = "SELECT book, currency, amount_micros FROM carried_book"  # of rows that were archived

_WALLETS = "SELECT currency, SUM(balance_micros) AS balance_micros FROM wallet GROUP BY currency"

# Every wallet with its chain, one row after the other: no more of it is in memory than one row.
_CHAINS = f"""
    SELECT wallet.id, ledger_head, carried_chain.hash, carried_chain.balance_micros, ledger.id, ledger.hash,
           ledger.salt, ledger.personal,
           {", ".join(f"ledger.{column}" for column in COLUMNS)},
           {", ".join(f"xdr.{column}" for column in XDR_COLUMNS)}
      FROM wallet
      LEFT JOIN carried_chain ON carried_chain.wallet_id = wallet.id
      LEFT JOIN ledger ON ledger.wallet_id = wallet.id
      LEFT JOIN xdr ON xdr.id = ledger.xdr_id
     ORDER BY wallet.id, ledger.id
"""  # noqa: S608
_ROW = 8  # where in it the columns of the ledger row begin
_XDR = _ROW + len(COLUMNS)
_AMOUNT, _BALANCE_AFTER = _ROW + COLUMNS.index("amount_micros"), _ROW + COLUMNS.index("balance_after_micros")
_VENDOR, _XDR_ID = _ROW + COLUMNS.index("vendor_id"), _ROW + COLUMNS.index("xdr_id")


def differences(told: Told = silently) -> list[str]:
    """Everything in which the books contradict themselves, a line each; [] is as it must be. `told` hears how far it is."""
    with db.reading():
        found = []
        for what, sql in _CHECKS.items():
            told(f"whether any {what}")
            found += [
                f"{wrong['subject']}: {what}: {money.format_amount(int(wrong['found']))} instead of"
                f" {money.format_amount(int(wrong['due']))}"
                for wrong in query.rows(sql.replace("{archived}", _ARCHIVED))
            ]
        told("whether both sides of the ledger match")
        return [*found, *_unbalanced(), *_broken_chains(told)]


def balances() -> list[tuple[str, str, int]]:
    """What stands in each book: (book, currency, micros); those of one currency sum to nothing."""
    with db.reading():
        return _balances(_totals())


# Of a kind against a book, in a currency, of a wallet or else of a vendor: how many rows, and their micros.
_Totals = dict[tuple[str, str, str, bool], list[int]]


def _totals() -> _Totals:
    found: _Totals = {}
    for kind, against, currency, is_wallets, amount_micros in query.stream(_POSTINGS):
        total = found.setdefault((kind, against, currency, bool(is_wallets)), [0, 0])
        total[0] += 1
        total[1] += amount_micros
    return found


def _balances(totals: _Totals) -> list[tuple[str, str, int]]:
    """Both sides of every ledger row: what a wallet or a vendor has to get, and what the book against it bears."""
    stands: defaultdict[tuple[str, str], int] = defaultdict(int)
    for (_, against, currency, is_wallets), (_, amount_micros) in totals.items():
        stands[currency, "wallets" if is_wallets else "vendors"] += amount_micros
        stands[currency, against] -= amount_micros
    for book, currency, amount_micros in query.stream(_CARRIED):
        stands[currency, book] += amount_micros
    return [(book, currency, micros) for (currency, book), micros in sorted(stands.items())]


def _unbalanced() -> Iterator[str]:
    """Where the two sides of the ledger do not match: a kind in a wrong book, wallets that hold what no book bears."""
    totals = _totals()
    astray: defaultdict[tuple[str, str], int] = defaultdict(int)
    for (kind, against, _, _), (count, _) in totals.items():
        if AGAINST.get(kind) != against:  # type: ignore[call-overload]
            astray[kind, against] += count
    for (kind, against), count in sorted(astray.items()):
        yield f"{count} ledger rows: a {kind} stands against {against}"
    held = {found["currency"]: int(found["balance_micros"]) for found in query.rows(_WALLETS)}
    sums: defaultdict[str, int] = defaultdict(int)
    for book, currency, amount_micros in _balances(totals):
        sums[currency] += amount_micros
        if book == "wallets" and held.pop(currency, 0) != amount_micros:
            yield f"wallets in {currency}: the books do not bear what they hold"
    for currency, amount_micros in sums.items():
        if amount_micros:  # rows have both sides by themselves: what was carried forward has not
            yield f"books in {currency}: their sum is {money.format_amount(amount_micros)} instead of nothing"
    for currency, balance_micros in held.items():
        if balance_micros:
            yield f"wallets in {currency}: no book bears the {money.format_amount(balance_micros)} they hold"


def _broken_chains(told: Told) -> Iterator[str]:
    """Every wallet whose chain was broken, with the first row that is not as it was written; rows with a wrong sum."""
    (total,) = query.values("SELECT COUNT(*) FROM ledger")
    wallet_id, head, end, balance_micros, is_broken = None, "", "", 0, False
    for count, found in enumerate(query.stream(_CHAINS)):
        if count % ROWS_BETWEEN_WORDS == 0:
            told(f"{count} of {total} ledger rows")
        if found[0] != wallet_id:
            yield from _open_end(wallet_id, head, end, is_broken)
            wallet_id, head, carried_end, carried_micros = found[:4]
            end, balance_micros, is_broken = carried_end or chain.FIRST, carried_micros or 0, False
        row_id, written = found[4], found[5]
        if row_id is None:  # a wallet without any
            continue
        if found[_VENDOR] is None:
            balance_micros += found[_AMOUNT]
        if found[_BALANCE_AFTER] != balance_micros:
            shown, due = money.format_amount(found[_BALANCE_AFTER]), money.format_amount(balance_micros)
            yield f"ledger row {row_id}: balance after a ledger row is not the sum up to it: {shown} instead of {due}"
        if is_broken:
            continue
        xdr = () if found[_XDR_ID] is None else found[_XDR:]
        row, salt, personal = found[_ROW:_XDR], found[6], found[7]
        if linked(end, row, impersonal(xdr), personal) != written or not _is_as_written(
            row_id, row, xdr, salt, personal
        ):
            is_broken = True
            yield f"wallet {wallet_id}: its chain is broken at ledger row {row_id}"
        end = written
    yield from _open_end(wallet_id, head, end, is_broken)


def _open_end(wallet_id: int | None, head: str, end: str, is_broken: bool) -> Iterator[str]:
    if not is_broken and head != end:
        yield f"wallet {wallet_id}: its chain does not end where it should: ledger rows are missing or strange"


def _is_as_written(row_id: int, row: Sequence[Any], xdr: Sequence[Any], salt: str, personal: str) -> bool:
    """Whether what names persons is what the row was written with, or was erased: then it says nothing, and names nobody."""
    if salt:
        return digest_of(salt, row, xdr) == personal
    return tuple(map(str, (row[0], *row[-2:]))) == (f"{ERASED}:{row_id}", ERASED, "")
