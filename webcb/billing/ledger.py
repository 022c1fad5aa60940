"""The ledger door: the only writer of balances, locks and ledger rows.

Funds move by one conditional UPDATE whose count is the verdict. A ledger row is both sides of a movement of money: what the
wallet gets and the book that bears it; it is written once for its event key and hangs in the chain of its wallet. Whoever
changes a wallet holds its row (`held_wallet`) from before reading until the end of the transaction. Everything here may be
called inside an outer `db.writing()`: it is then a part of that one.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from webcb import db
from webcb.billing import catalog, chain, query, slices, spending
from webcb.billing.query import micros
from webcb.billing.slices import Need

Adjustment = Literal["opening balance", "payment", "refund", "manual charge", "manual credit", "promotional credit"]
Kind = Adjustment | Literal["charge", "voucher", "vendor cost"]

# The book on the other side of each kind.
AGAINST: dict[Kind, str] = {
    "opening balance": "opening",
    "charge": "revenue",
    "refund": "revenue",
    "payment": "payments",
    "manual charge": "adjustments",
    "manual credit": "adjustments",
    "promotional credit": "promotions",
    "voucher": "vouchers",
    "vendor cost": "vendor costs",
}

# Kinds by the sign an amount of theirs must have; an opening balance may be owed.
_ADDING = frozenset({"payment", "refund", "manual credit", "promotional credit"})
_TAKING = frozenset({"manual charge"})
_RECHARGES = frozenset({"payment", "manual credit", "promotional credit", "voucher"})  # they lengthen a life (domain 5)


class Entry(NamedTuple):
    """A movement of money to be written: `amount_micros` for the wallet, or owed to the vendor where there is one.

    `xdr` is what the xDR says, in the order of its columns: the hash of the row is over that as well.
    """

    event_key: str
    kind: Kind
    amount_micros: int
    made_by: str
    account_id: int | None = None
    note: str = ""
    xdr_id: int | None = None
    xdr: chain.Content = ()
    vendor_id: int | None = None
    vendor_currency: str = ""


# Writing -------------------------------------------------------------------------------------------------------------

# Everything the hash of a row is over, in this order; then comes the hash itself.
COLUMNS = (
    "event_key", "wallet_id", "account_id", "vendor_id", "kind", "against", "amount_micros", "currency",
    "balance_after_micros", "xdr_id", "at", "made_by", "note",
)  # fmt: skip

_WRITTEN = (*COLUMNS, "salt", "personal", "hash")

SALT_BYTES = 8
# What a person could be known by is in the chain as a salted digest alone (erasure.py): of a row its first and its last two columns,
# of an xDR the two numbers.
_PERSONAL_OF_XDR = slice(6, 8)


def digest_of(salt: str, row: chain.Content, xdr: chain.Content) -> str:
    """The digest of what a row, in the order of COLUMNS, and its xDR say of persons."""
    return chain.digest(salt, (row[0], *row[-2:], *xdr[_PERSONAL_OF_XDR]))


def impersonal(xdr: chain.Content) -> chain.Said:
    """What an xDR says but for persons."""
    return chain.said((*xdr[: _PERSONAL_OF_XDR.start], *xdr[_PERSONAL_OF_XDR.stop :]))


def linked(previous: str, row: chain.Content, xdr: chain.Said, personal: str) -> str:
    """The hash of a row, over everything else it says, its xDR (`impersonal`) and that digest."""
    return chain.link(previous, (*row[1:-2], personal), xdr)


_WALLET = """
    SELECT id, currency, balance_micros, ledger_head, credit_limit_micros, low_balance_micros FROM wallet WHERE id = ?
"""


BALANCE_MICROS_MAX: Final = 10**15  # either side of 0, as schema.sql has it


class BalanceTooLarge(ValueError):
    """An adjustment after which a balance would be beyond BALANCE_MICROS_MAX; the message says so."""


class Wallet(NamedTuple):
    """What of a wallet is to be known for writing to it; a new one has nothing in it."""

    id: int
    currency: str
    balance_micros: int = 0
    ledger_head: str = chain.FIRST
    credit_limit_micros: int = 0
    low_balance_micros: int | None = None


def held_wallet(wallet_id: int) -> Wallet:
    """The wallet, nobody else changing it until this transaction ends; raises LookupError where there is none."""
    query.hold("SELECT id FROM wallet WHERE id = ?", wallet_id)
    found = query.values_if_any(_WALLET, wallet_id)
    if found is None:
        raise LookupError(f"there is no wallet {wallet_id}")
    return Wallet._make(found)


def write(wallet: Wallet, entries: Sequence[Entry], at: datetime, unlock_micros: int = 0) -> int:
    """Write entries to the chain of a held wallet and give back what was locked of it; returns the new balance in micros.

    `wallet` is as `held_wallet` gives it now. Funds that fall below what the wallet names are noted.
    """
    rows, balance_micros, head = _chained(wallet, entries, micros(at), _salts(len(entries)))
    if rows:
        query.insert("ledger", _WRITTEN, rows)
    if rows or unlock_micros:
        query.change(
            "UPDATE wallet SET balance_micros = ?, locked_micros = locked_micros - ?, ledger_head = ? WHERE id = ?",
            balance_micros,
            unlock_micros,
            head,
            wallet.id,
        )
    if wallet.low_balance_micros is not None:
        _note_fall(wallet, wallet.low_balance_micros, balance_micros, at)
    return balance_micros


def _note_fall(wallet: Wallet, threshold_micros: int, balance_micros: int, at: datetime) -> None:
    """Funds that were not below the low balance of their wallet, and are now, are an event to tell."""
    funds_micros = balance_micros + wallet.credit_limit_micros
    if funds_micros < threshold_micros <= wallet.balance_micros + wallet.credit_limit_micros:
        query.change(
            "INSERT INTO low_balance (wallet_id, at, funds_micros, threshold_micros, mail_due_at) VALUES (?, ?, ?, ?, ?)",
            wallet.id,
            micros(at),
            funds_micros,
            threshold_micros,
            micros(at),
        )


def write_each(wallets: Sequence[tuple[Wallet, Entry]], at: datetime) -> None:
    """Write an entry to the chain of each of many wallets that nobody else knows yet, such as those made in this transaction."""
    written_at, salts = micros(at), _salts(len(wallets))
    written = [(wallet.id, _chained(wallet, [entry], written_at, salts)) for wallet, entry in wallets]
    query.change_each(query.inserting("ledger", _WRITTEN), [row for _, (rows, _, _) in written for row in rows])
    query.change_each(
        "UPDATE wallet SET balance_micros = ?, ledger_head = ? WHERE id = ?",
        [(balance_micros, head, wallet_id) for wallet_id, (_, balance_micros, head) in written],
    )


_NO_XDR = impersonal(())


def _salts(count: int) -> Iterator[str]:
    """So many salts, drawn at once: every draw is a call of the kernel."""
    digits = 2 * SALT_BYTES
    drawn = secrets.token_hex(SALT_BYTES * count)
    return (drawn[at : at + digits] for at in range(0, len(drawn), digits))


def _chained(
    wallet: Wallet, entries: Iterable[Entry], written_at: int, salts: Iterator[str]
) -> tuple[list[Sequence[Any]], int, str]:
    """The rows of entries as the next of a wallet's chain; its balance, and the end of its chain, after them."""
    wallet_id, currency, balance_micros, head = wallet[:4]
    rows: list[Sequence[Any]] = []
    of_xdr: chain.Content = ()
    told = _NO_XDR  # what an xDR costs and what it costs us stand side by side
    for event_key, kind, amount_micros, made_by, account_id, note, xdr_id, xdr, vendor_id, vendor_currency in entries:
        if vendor_id is None:
            balance_micros += amount_micros
        content = (
            event_key,
            wallet_id,
            account_id,
            vendor_id,
            kind,
            AGAINST[kind],
            amount_micros,
            vendor_currency or currency,
            balance_micros,
            xdr_id,
            written_at,
            made_by,
            note,
        )
        salt = next(salts)
        personal = digest_of(salt, content, xdr)
        if xdr is not of_xdr:
            of_xdr, told = xdr, impersonal(xdr)
        head = linked(head, content, told, personal)
        rows.append((*content, salt, personal, head))
    return rows, balance_micros, head


def note_use(account_id: int, at: datetime) -> None:
    """The availability days of an account run from its first and its last use or recharge (domain 5)."""
    used_at = micros(at)
    query.change(
        "UPDATE account SET first_used_at = COALESCE(first_used_at, ?), last_used_at = ? WHERE id = ?",
        used_at,
        used_at,
        account_id,
    )


# Locks ---------------------------------------------------------------------------------------------------------------


@db.transaction
def lock_funds(
    callback_id: str, wallet_id: int, amount_micros: int, at: datetime, *, beyond_balance: bool = False
) -> bool:
    """Set funds aside for a callback; False where they are not available. One lock a callback.

    `beyond_balance` sets aside more than there is: what is locked then only counts for the spending of the day.
    """
    locked = query.change(
        "UPDATE wallet SET locked_micros = locked_micros + ?"
        " WHERE id = ? AND (balance_micros + credit_limit_micros - locked_micros >= ? OR ?)",
        amount_micros,
        wallet_id,
        amount_micros,
        beyond_balance or not amount_micros,
    )
    if locked == 1:
        query.change(
            "INSERT INTO lock (callback_id, wallet_id, amount_micros, state, locked_at) VALUES (?, ?, ?, 'held', ?)",
            callback_id,
            wallet_id,
            amount_micros,
            micros(at),
        )
    return locked == 1


WALLET_OF_CALLBACK = """
    SELECT wallet.id FROM wallet WHERE id = (
      SELECT account.wallet_id FROM callback JOIN account ON account.id = callback.account_id WHERE callback.id = ?)
"""

_HELD = """
    SELECT lock.amount_micros, lock.wallet_id, callback.account_id, voice_application.path,
           balance_micros + credit_limit_micros - locked_micros AS available_micros
      FROM lock
      JOIN wallet ON wallet.id = lock.wallet_id
      JOIN callback ON callback.id = lock.callback_id
      JOIN voice_application ON voice_application.id = callback.voice_application_id
     WHERE lock.callback_id = ? AND lock.state = 'held'
"""


class Held(NamedTuple):
    """What a callback holds in all, and what more it could have had; in micros."""

    amount_micros: int
    spare_micros: int


@db.transaction
def hold(callback_id: str, need: Need, at: datetime, *, beyond_balance: bool = False) -> Held:
    """Set aside what a callback needs to go on, or what of it is left.

    Never less than it held before; nothing for one that has ended. Asking twice for the same need changes nothing.
    """
    query.hold(WALLET_OF_CALLBACK, callback_id)
    held = query.row(_HELD, callback_id)
    if held is None:
        return Held(0, 0)
    holds = int(held["amount_micros"])
    more = slices.UNLIMITED_MICROS if beyond_balance else int(held["available_micros"])
    spend_left = least(spend_left_micros(held["account_id"], at), left_of_the_day(callback_id, held["path"], at))
    if spend_left is not None:
        more = min(more, spend_left)
    more = max(0, more)
    wanted = slices.fitting(need, holds + more) - holds
    if wanted <= 0:
        return Held(holds, more)
    query.change("UPDATE wallet SET locked_micros = locked_micros + ? WHERE id = ?", wanted, held["wallet_id"])
    query.change("UPDATE lock SET amount_micros = amount_micros + ? WHERE callback_id = ?", wanted, callback_id)
    return Held(holds + wanted, more - wanted)


def least(*limits: int | None) -> int | None:
    """The narrowest of some limits; None is none."""
    return min((each for each in limits if each is not None), default=None)


def left_of_the_day(callback_id: str, path: str, at: datetime, *, held: bool = True) -> int | None:
    """What a callback may still cost by the limits of its voice application; `held` as in `spending.left_micros`."""
    application = catalog.book().applications.get(path)
    if application is None or not application.guards.is_capped:
        return None
    return spending.left_micros(application, spending.spender_of(callback_id), at, held=held)


_SPENDING = "SELECT daily_spend_max_micros, time_zone, wallet_id FROM account WHERE id = ?"

_SPENT = "SELECT COALESCE(SUM(charged_micros), 0) FROM xdr WHERE account_id = ? AND bill_time >= ? AND kind = 'charge'"

_SET_ASIDE = """
    SELECT COALESCE(SUM(lock.amount_micros), 0)
      FROM lock JOIN callback ON callback.id = lock.callback_id
     WHERE lock.wallet_id = ? AND lock.state = 'held' AND callback.account_id = ? AND callback.id <> ?
"""


def spend_left_micros(account_id: int, at: datetime, but: str = "") -> int | None:
    """What an account may still spend on the day of `at` in its zone; None: it has no limit.

    Spent is what its calls of the day were charged, and what is set aside for those that go on (domain 9), all but the callback `but`.
    """
    limit_micros, time_zone, wallet_id = query.values(_SPENDING, account_id)
    if limit_micros is None:
        return None
    day_began = at.astimezone(ZoneInfo(time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    (spent,) = query.values(_SPENT, account_id, micros(day_began))
    (set_aside,) = query.values(_SET_ASIDE, wallet_id, account_id, but)
    return int(limit_micros - spent - set_aside)


# Adjustments ---------------------------------------------------------------------------------------------------------


@db.transaction
def post(
    wallet_id: int,
    account_id: int | None,
    kind: Adjustment | Literal["voucher"],
    amount_micros: int,
    event_key: str,
    made_by: str,
    note: str,
    at: datetime,
) -> bool:
    """Change a balance by `amount_micros` (negative takes), once for an `event_key`; returns whether this call did it.

    Nothing is written for an amount of 0. Raises BalanceTooLarge; ValueError where the sign does not suit the kind or the key was
    posted with another amount or wallet; LookupError where there is no such wallet.
    """
    if (kind in _ADDING and amount_micros < 0) or (kind in _TAKING and amount_micros > 0):
        raise ValueError(f"a {kind} of {amount_micros} micros has the wrong sign")
    wallet = held_wallet(wallet_id)
    known = query.row("SELECT wallet_id, amount_micros FROM ledger WHERE event_key = ?", event_key)
    if known is not None and known != {"wallet_id": wallet_id, "amount_micros": amount_micros}:
        raise ValueError(f"{event_key} was posted before, with another amount or wallet")
    if known is not None or amount_micros == 0:
        return False
    if abs(wallet.balance_micros + amount_micros) > BALANCE_MICROS_MAX:
        raise BalanceTooLarge(f"no balance is beyond {BALANCE_MICROS_MAX // 10**6:,}")
    write(wallet, [Entry(event_key, kind, amount_micros, made_by, account_id, note)], at)
    if kind in _RECHARGES and account_id is not None:
        note_use(account_id, at)
    return True
