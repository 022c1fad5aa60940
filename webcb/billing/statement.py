"""The statement's door: what happened to a wallet between two instants, told from its ledger.

The ledger is never changed, so a statement of a past period is the same whenever it is asked for: none is stored.
"""

from dataclasses import dataclass
from datetime import datetime

from webcb.billing import archived
from webcb.billing.query import instant, micros, row, rows


@dataclass(frozen=True, slots=True)
class CallTotal:
    """What the calls to one destination came to, refunds taken off: legs, seconds charged, micros."""

    prefix: str
    country: str
    description: str
    legs: int
    charged_seconds: int
    charged_micros: int


@dataclass(frozen=True, slots=True)
class Movement:
    """One change of the balance that no call made."""

    at: datetime
    kind: str
    amount_micros: int
    note: str


@dataclass(frozen=True, slots=True)
class Statement:
    """Opening balance, all that changed it, closing balance; amounts in micros, positive for the holder of the wallet."""

    begins_at: datetime
    ends_at: datetime
    currency: str
    opening_micros: int
    calls: tuple[CallTotal, ...]
    movements: tuple[Movement, ...]
    closing_micros: int

    @property
    def charged_micros(self) -> int:
        """What all calls came to, refunds taken off."""
        return sum(each.charged_micros for each in self.calls)


_BALANCE = """
    SELECT balance_after_micros FROM ledger
     WHERE wallet_id = ? AND at < ? AND vendor_id IS NULL ORDER BY at DESC, id DESC LIMIT 1
"""

# An amount without an xDR is no call's; a refund of one takes off seconds and amount of its destination, and counts no leg.
_CALLS = """
    SELECT xdr.destination AS prefix, COALESCE(destination.country, '') AS country,
           COALESCE(destination.description, '') AS description,
           SUM(CASE WHEN xdr.kind = 'charge' THEN 1 ELSE 0 END) AS legs,
           SUM(CASE WHEN xdr.kind = 'charge' THEN xdr.charged_quantity ELSE 0 END) AS charged_seconds,
           -SUM(ledger.amount_micros) AS charged_micros
      FROM ledger JOIN xdr ON xdr.id = ledger.xdr_id LEFT JOIN destination ON destination.prefix = xdr.destination
     WHERE ledger.wallet_id = ? AND ledger.at >= ? AND ledger.at < ? AND ledger.vendor_id IS NULL
     GROUP BY xdr.destination, destination.country, destination.description
     ORDER BY destination.country, xdr.destination
"""

_MOVEMENTS = """
    SELECT at, kind, amount_micros, note FROM ledger
     WHERE wallet_id = ? AND at >= ? AND at < ? AND xdr_id IS NULL ORDER BY at, id
"""


def statement(wallet_id: int, begins_at: datetime, ends_at: datetime) -> Statement:
    """The statement of a wallet, of what was written from `begins_at` until before `ends_at`.

    LookupError: no such wallet; archived.Archived, which is one: some of it is in an archive.
    """
    wallet = row("SELECT currency FROM wallet WHERE id = ?", wallet_id)
    if wallet is None:
        raise LookupError(f"there is no wallet {wallet_id}")
    begin, end = micros(begins_at), micros(ends_at)
    archived.require_kept(wallet_id, begin)
    return Statement(
        begins_at,
        ends_at,
        wallet["currency"],
        _balance(wallet_id, begin),
        tuple(_call_total(each) for each in rows(_CALLS, wallet_id, begin, end)),
        tuple(_movement(each) for each in rows(_MOVEMENTS, wallet_id, begin, end)),
        _balance(wallet_id, end),
    )


def _balance(wallet_id: int, before: int) -> int:
    found = row(_BALANCE, wallet_id, before)
    return int(found["balance_after_micros"]) if found else archived.carried_micros(wallet_id, before)


def _call_total(found: dict[str, object]) -> CallTotal:
    numbers = (int(str(found[name])) for name in ("legs", "charged_seconds", "charged_micros"))
    return CallTotal(str(found["prefix"]), str(found["country"]), str(found["description"]), *numbers)


def _movement(found: dict[str, object]) -> Movement:
    at = instant(int(str(found["at"])))
    assert at is not None  # noqa: S101 - the column is never empty
    return Movement(at, str(found["kind"]), int(str(found["amount_micros"])), str(found["note"]))
