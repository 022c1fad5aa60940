"""The books door: whether everything written about money agrees with itself, and what stands in each book. It writes nothing."""

from collections.abc import Iterator

from webcb import db, money
from webcb.billing import chain, query
from webcb.billing.ledger import AGAINST, COLUMNS
from webcb.billing.query import Row
from webcb.billing.settlement import XDR_COLUMNS

ROWS_AT_A_TIME = 2_000

# Each finds rows only where the books are wrong; `subject` names the place, `found` and `due` the two amounts.
_CHECKS = {
    "balance is not the sum of its ledger rows": """
        SELECT 'wallet ' || wallet.id AS subject, balance_micros AS found, COALESCE(SUM(ledger.amount_micros), 0) AS due
          FROM wallet LEFT JOIN ledger ON ledger.wallet_id = wallet.id AND ledger.vendor_id IS NULL
         GROUP BY wallet.id, balance_micros
        HAVING balance_micros <> COALESCE(SUM(ledger.amount_micros), 0)
    """,
    "locked funds are not the sum of the held locks": """
        SELECT 'wallet ' || wallet.id AS subject, locked_micros AS found, COALESCE(SUM(lock.amount_micros), 0) AS due
          FROM wallet LEFT JOIN lock ON lock.wallet_id = wallet.id AND lock.state = 'held'
         GROUP BY wallet.id, locked_micros
        HAVING locked_micros <> COALESCE(SUM(lock.amount_micros), 0)
    """,
    "balance after a ledger row is not the sum up to it": """
        SELECT subject, found, due
          FROM (SELECT 'ledger row ' || id AS subject, balance_after_micros AS found,
                       SUM(CASE WHEN vendor_id IS NULL THEN amount_micros ELSE 0 END)
                         OVER (PARTITION BY wallet_id ORDER BY id) AS due
                  FROM ledger) AS running
         WHERE found <> due
    """,
    "charge in the ledger is not the xDR's": """
        SELECT 'xDR ' || xdr.id || ' of callback ' || xdr.callback_id || ', leg ' || xdr.leg AS subject,
               COALESCE(-ledger.amount_micros, 0) AS found, charged_micros AS due
          FROM xdr LEFT JOIN ledger ON ledger.xdr_id = xdr.id AND ledger.kind IN ('charge', 'refund')
         WHERE COALESCE(-ledger.amount_micros, 0) <> charged_micros
    """,
    "vendor cost in the ledger is not the xDR's": """
        SELECT 'xDR ' || xdr.id || ' of callback ' || xdr.callback_id || ', leg ' || xdr.leg AS subject,
               COALESCE(ledger.amount_micros, 0) AS found, COALESCE(vendor_cost_micros, 0) AS due
          FROM xdr LEFT JOIN ledger ON ledger.xdr_id = xdr.id AND ledger.kind = 'vendor cost'
         WHERE COALESCE(ledger.amount_micros, 0) <> COALESCE(vendor_cost_micros, 0)
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

# Both sides of every ledger row: what a wallet or a vendor has to get, and what the book against it bears.
_BOOKS = """
    SELECT book, currency, SUM(amount_micros) AS amount_micros
      FROM (SELECT CASE WHEN vendor_id IS NULL THEN 'wallets' ELSE 'vendors' END AS book, currency, amount_micros
              FROM ledger
             UNION ALL
            SELECT against, currency, -amount_micros FROM ledger) AS posting
     GROUP BY book, currency
     ORDER BY currency, book
"""

_KINDS = "SELECT kind, against, COUNT(*) AS rows FROM ledger GROUP BY kind, against ORDER BY kind, against"

_WALLETS = "SELECT currency, SUM(balance_micros) AS balance_micros FROM wallet GROUP BY currency"

_HEADS = "SELECT id, ledger_head FROM wallet WHERE id > ? ORDER BY id LIMIT ?"

_CHAINS = f"""
    SELECT ledger.id AS row_id, ledger.hash, {", ".join(f"ledger.{column}" for column in COLUMNS)},
           {", ".join(f"xdr.{column} AS xdr_{column}" for column in XDR_COLUMNS)}
      FROM ledger LEFT JOIN xdr ON xdr.id = ledger.xdr_id
     WHERE ledger.wallet_id > ? OR ledger.wallet_id = ? AND ledger.id > ?
     ORDER BY ledger.wallet_id, ledger.id LIMIT ?
"""  # noqa: S608


def differences() -> list[str]:
    """Everything in which the books contradict themselves, a line each; [] is as it must be."""
    with db.reading():
        found = [
            f"{found['subject']}: {what}: {money.format_amount(int(found['found']))} instead of"
            f" {money.format_amount(int(found['due']))}"
            for what, sql in _CHECKS.items()
            for found in query.rows(sql)
        ]
        return [*found, *_unbalanced(), *_broken_chains()]


def balances() -> list[tuple[str, str, int]]:
    """What stands in each book: (book, currency, micros); those of one currency sum to nothing."""
    return [(found["book"], found["currency"], int(found["amount_micros"])) for found in query.rows(_BOOKS)]


def _unbalanced() -> Iterator[str]:
    """Where the two sides of the ledger do not match: a kind in a wrong book, wallets that hold what no book bears."""
    for found in query.rows(_KINDS):
        if AGAINST.get(found["kind"]) != found["against"]:
            yield f"{found['rows']} ledger rows: a {found['kind']} stands against {found['against']}"
    held = {found["currency"]: int(found["balance_micros"]) for found in query.rows(_WALLETS)}
    for book, currency, amount_micros in balances():
        if book == "wallets" and held.pop(currency, 0) != amount_micros:
            yield f"wallets in {currency}: the books do not bear what they hold"
    for currency, balance_micros in held.items():
        if balance_micros:
            yield f"wallets in {currency}: no book bears the {money.format_amount(balance_micros)} they hold"


def _broken_chains() -> Iterator[str]:
    """Every wallet whose chain was broken, with the first row that is not as it was written."""
    heads = {found["id"]: found["ledger_head"] for found in _all_heads()}
    ends: dict[int, str] = {}
    broken: set[int] = set()
    for found in _all_rows():
        wallet_id = found["wallet_id"]
        if wallet_id in broken:
            continue
        xdr = () if found["xdr_id"] is None else [found[f"xdr_{column}"] for column in XDR_COLUMNS]
        due = chain.link(ends.get(wallet_id, chain.FIRST), [found[column] for column in COLUMNS], xdr)
        if due != found["hash"]:
            broken.add(wallet_id)
            yield f"wallet {wallet_id}: its chain is broken at ledger row {found['row_id']}"
        ends[wallet_id] = found["hash"]
    for wallet_id, head in heads.items():
        if wallet_id not in broken and head != ends.get(wallet_id, chain.FIRST):
            yield f"wallet {wallet_id}: its chain does not end where it should: ledger rows are missing or strange"


def _all_heads() -> Iterator[Row]:
    last = -1
    while found := query.rows(_HEADS, last, ROWS_AT_A_TIME):
        yield from found
        last = found[-1]["id"]


def _all_rows() -> Iterator[Row]:
    wallet_id, row_id = -1, -1
    while found := query.rows(_CHAINS, wallet_id, wallet_id, row_id, ROWS_AT_A_TIME):
        yield from found
        wallet_id, row_id = found[-1]["wallet_id"], found[-1]["row_id"]
