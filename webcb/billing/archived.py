"""The door of what was archived: where the chains and books that are left begin, and letting go of what a file holds, step by step.

An archive is a checked file with everything (keeping/archiving.py); after it the oldest ledger rows, xDRs and callbacks leave the
tables. What they summed to is carried forward: a wallet's chain goes on from the hash of its last row that left, the books from its
sums. So the books are right after every step, and whoever dies between two leaves the next one the rest.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from webcb import db
from webcb.billing import query
from webcb.billing.query import Row, moment

LEDGER_ROWS_PER_STEP: Final = 500
WALLETS_PER_STEP: Final = 500
XDRS_PER_STEP: Final = 500
CALLBACKS_PER_STEP: Final = 100


class Archived(LookupError):
    """What is asked for is not in the tables any more; the message says in which file it is."""


@dataclass(frozen=True, slots=True)
class LetGo:
    """What a step let go of; nothing: all is done."""

    ledger_rows: int = 0
    xdrs: int = 0
    callbacks: int = 0
    wallets: int = 0

    def __bool__(self) -> bool:
        return bool(self.ledger_rows or self.xdrs or self.callbacks or self.wallets)


def carried_micros(wallet_id: int, before: int) -> int:
    """The balance of a wallet whose rows before an instant (in micros) have all been archived; 0 where none was.

    Raises Archived where some of what is after that instant was archived, too.
    """
    found = query.row("SELECT until_at, balance_micros FROM carried_chain WHERE wallet_id = ?", wallet_id)
    if found is None:
        return 0
    if found["until_at"] >= before:
        raise Archived(_where(found["until_at"]))
    return int(found["balance_micros"])


def require_kept(wallet_id: int, begins: int) -> None:
    """Raises Archived where rows of the wallet from this instant (in micros) on have been archived."""
    found = query.row("SELECT until_at FROM carried_chain WHERE wallet_id = ?", wallet_id)
    if found is not None and found["until_at"] >= begins:
        raise Archived(_where(found["until_at"]))


def _where(until_at: int) -> str:
    found = query.row("SELECT file, before_at FROM archive WHERE before_at > ? ORDER BY before_at LIMIT 1", until_at)
    if found is None:
        return "it has been archived"
    return f"what was before {moment(found['before_at']):%Y-%m-%d} is in the archive {found['file']}"


# Letting go ----------------------------------------------------------------------------------------------------------


_OPEN = "SELECT id, before_at, last_ledger_id, last_xdr_id, wallet_done FROM archive WHERE ended_at IS NULL ORDER BY id LIMIT 1"

_PREFIX = "SELECT id, at, amount_micros, vendor_id, hash FROM ledger WHERE wallet_id = ? ORDER BY id LIMIT ?"

_SUMS = """
    SELECT book, currency, SUM(amount_micros) AS amount_micros
      FROM (SELECT CASE WHEN vendor_id IS NULL THEN 'wallets' ELSE 'vendors' END AS book, currency, amount_micros
              FROM ledger WHERE wallet_id = ? AND id <= ?
             UNION ALL
            SELECT against, currency, -amount_micros FROM ledger WHERE wallet_id = ? AND id <= ?) AS posting
     GROUP BY book, currency
"""

# The newest first: what gives back leaves before what it gives back. One with a ledger row still there stays with it.
_XDRS = """
    SELECT id FROM xdr
     WHERE bill_time < ? AND id <= ?
       AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.xdr_id = xdr.id)
       AND NOT EXISTS (SELECT 1 FROM xdr AS correction WHERE correction.refund_of_id = xdr.id)
     ORDER BY bill_time LIMIT ?
"""

_CALLBACKS = """
    SELECT id FROM callback
     WHERE requested_at < ? AND ended_at < ? AND state = 'ended' AND NOT EXISTS (SELECT 1 FROM xdr WHERE xdr.callback_id = callback.id)
       AND NOT EXISTS (SELECT 1 FROM phone_proof WHERE phone_proof.callback_id = callback.id)
       AND NOT EXISTS (SELECT 1 FROM sink JOIN sink_event ON sink_event.sink_id = sink.id
                        WHERE sink.callback_id = callback.id AND sink_event.due_at IS NOT NULL)
     ORDER BY requested_at LIMIT ?
"""


@db.transaction
def let_go(at: datetime) -> LetGo:
    """One small step of the oldest archive that is not done, in a transaction; an empty one where there is nothing (more) to do."""
    found = query.held_row("archive", _OPEN)
    if found is None:
        return LetGo()
    gone = _ledger_step(found) or _xdr_step(found) or _callback_step(found)
    if gone:
        query.change(
            "UPDATE archive SET ledger_rows = ledger_rows + ?, xdrs = xdrs + ?, callbacks = callbacks + ? WHERE id = ?",
            gone.ledger_rows,
            gone.xdrs,
            gone.callbacks,
            found["id"],
        )
    else:
        query.change("UPDATE archive SET ended_at = ? WHERE id = ?", query.micros(at), found["id"])
    return gone


def _ledger_step(archive: Row) -> LetGo:
    """The oldest rows of some wallets, each chain from its beginning on."""
    wallets = query.rows(
        "SELECT id FROM wallet WHERE id > ? ORDER BY id LIMIT ?", archive["wallet_done"], WALLETS_PER_STEP
    )
    rows, looked_at, done = 0, 0, archive["wallet_done"]
    for each in wallets:
        room = LEDGER_ROWS_PER_STEP - rows
        gone = _carry(each["id"], archive, room)
        rows += gone
        looked_at += 1
        if gone == room:
            break  # perhaps there are more of this one
        done = each["id"]
    if looked_at:
        query.change("UPDATE archive SET wallet_done = ? WHERE id = ?", done, archive["id"])
    return LetGo(ledger_rows=rows, wallets=looked_at)


def _carry(wallet_id: int, archive: Row, most: int) -> int:
    """Carry the oldest rows of a wallet forward and let go of them; how many they were."""
    gone = []
    for row in query.rows(_PREFIX, wallet_id, most):
        if row["at"] >= archive["before_at"] or row["id"] > archive["last_ledger_id"]:
            break
        gone.append(row)
    if not gone:
        return 0
    last = gone[-1]
    for sums in query.rows(_SUMS, wallet_id, last["id"], wallet_id, last["id"]):
        query.change(
            "INSERT INTO carried_book (book, currency, amount_micros) VALUES (?, ?, ?)"
            " ON CONFLICT (book, currency) DO UPDATE SET amount_micros = carried_book.amount_micros + excluded.amount_micros",
            sums["book"],
            sums["currency"],
            int(sums["amount_micros"]),
        )
    query.change(
        "INSERT INTO carried_chain (wallet_id, hash, until_at, balance_micros) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (wallet_id) DO UPDATE SET hash = excluded.hash,"
        " until_at = CASE WHEN excluded.until_at > carried_chain.until_at THEN excluded.until_at ELSE carried_chain.until_at END,"
        " balance_micros = carried_chain.balance_micros + excluded.balance_micros",
        wallet_id,
        last["hash"],
        max(row["at"] for row in gone),
        sum(row["amount_micros"] for row in gone if row["vendor_id"] is None),
    )
    query.change("DELETE FROM ledger WHERE wallet_id = ? AND id <= ?", wallet_id, last["id"])
    return len(gone)


def _xdr_step(archive: Row) -> LetGo:
    ids = [row["id"] for row in query.rows(_XDRS, archive["before_at"], archive["last_xdr_id"], XDRS_PER_STEP)]
    if ids:
        query.change(f"DELETE FROM xdr WHERE id IN ({query.marks(ids)})", *ids)  # noqa: S608
    return LetGo(xdrs=len(ids))


def _callback_step(archive: Row) -> LetGo:
    """Callbacks that no bill needs any more, with everything that was kept of them."""
    before = archive["before_at"]
    ids = [row["id"] for row in query.rows(_CALLBACKS, before, before, CALLBACKS_PER_STEP)]
    if ids:
        these = query.marks(ids)
        for what in (
            "sink_event WHERE sink_id IN (SELECT id FROM sink WHERE callback_id IN ({}))",
            "sink WHERE callback_id IN ({})",
            "message WHERE callback_id IN ({})",
            "attempt WHERE leg_id IN (SELECT id FROM leg WHERE callback_id IN ({}))",
            "leg WHERE callback_id IN ({})",
            "lock WHERE callback_id IN ({})",
            "callback WHERE id IN ({})",
        ):
            query.change(f"DELETE FROM {what.format(these)}", *ids)  # noqa: S608
    return LetGo(callbacks=len(ids))
