"""The door of what may be spent in a day: by a voice application, for calls to one A, to one B or the block it is in, from one source
(domain 9).

Spent is what callbacks of the day, by the clocks of the voice application, were charged, and what is set aside for those that go on.
What an account may spend in a day is the ledger's. Charges are added up as they are made, and only where there is a limit: it counts
from when it was set. Amounts of other currencies than the account's that asks are other amounts. What a callback costs counts for its B
with both legs; where a hosted one had several, with what each of them cost, and the leg to A for the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from webcb.billing import guard, query
from webcb.billing.authorization import Application
from webcb.billing.guard import OPERATOR
from webcb.billing.query import Row, micros

_KEPT_FOR: Final = timedelta(days=2)
SWEPT_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Spender:
    """By whom something is spent: the voice application's path, A in E.164 digits, the source address, the account's currency.

    `digits_b` is "" where B is not known yet, or never will be.
    """

    path: str
    digits_a: str
    source: str
    currency: str
    digits_b: str = ""


def _capped(application: Application, spender: Spender) -> list[tuple[str, int]]:
    """What there is a limit for: its kind and the micros of the limit."""
    guards = application.guards
    if spender.source == OPERATOR:
        return []
    # The operator's own second number is nobody to be guarded, as in asks.py.
    has_b = spender.digits_b not in ("", application.second_number)
    limits = (
        ("all", guards.daily_spend_max_micros),
        ("a", guards.daily_spend_max_a_micros),
        ("b", guards.daily_spend_max_b_micros if has_b else None),
        ("block", guards.daily_spend_max_block_micros if has_b else None),
        ("from", guards.daily_spend_max_source_micros),
    )
    return [(kind, most) for kind, most in limits if most is not None]


def _subject(kind: str, application: Application, spender: Spender, at: datetime) -> str:
    day = at.astimezone(ZoneInfo(application.time_zone)).date()
    of = {
        "all": "",
        "a": spender.digits_a,
        "b": spender.digits_b,
        "block": guard.block(spender.digits_b),
        "from": guard.source_network(spender.source),
    }
    return f"{day} {spender.currency} {spender.path} {kind} {of[kind]}"


_OPEN = """
    SELECT {what} FROM callback
      JOIN voice_application ON voice_application.id = callback.voice_application_id
      JOIN lock ON lock.callback_id = callback.id AND lock.state = 'held'
      JOIN wallet ON wallet.id = lock.wallet_id
      {also}
     WHERE callback.state <> 'ended' AND voice_application.path = ? AND wallet.currency = ? AND requested_from <> ?
       AND callback.id <> ?
"""
# Every B of a hosted one counts as long as it goes on: what it has cost as yet is locked with the rest.
_TO_B = " AND EXISTS (SELECT 1 FROM leg WHERE leg.callback_id = callback.id AND leg.name <> 'A' AND leg.cld BETWEEN ? AND ?)"
_OF_A = "JOIN leg ON leg.callback_id = callback.id AND leg.name = 'A' AND leg.state <> 'ended' AND leg.cld = ?"


def _set_aside(kind: str, spender: Spender, but: str) -> int:
    """What callbacks that go on have locked, of this kind, all but one."""
    given: Sequence[str] = (spender.path, spender.currency, OPERATOR, but)
    if kind == "from":
        network = guard.source_network(spender.source)
        sql = _OPEN.format(what="requested_from, lock.amount_micros", also="")
        return sum(amount for source, amount in query.tuples(sql, *given) if guard.source_network(source) == network)
    what = "COALESCE(SUM(lock.amount_micros), 0)"
    if kind == "a":
        return int(query.values(_OPEN.format(what=what, also=_OF_A), spender.digits_a, *given)[0])
    if kind in ("b", "block"):
        block = guard.block(spender.digits_b)
        numbers = (spender.digits_b, spender.digits_b) if kind == "b" else (f"{block}000", f"{block}999")
        return int(query.values(_OPEN.format(what=what, also="") + _TO_B, *given, *numbers)[0])
    return int(query.values(_OPEN.format(what=what, also=""), *given)[0])


def left_micros(
    application: Application, spender: Spender, at: datetime, *, held: bool = False, but: str = ""
) -> int | None:
    """What may still be spent on the day of `at`, by the narrowest limit; None where there is none.

    `held`: nobody else sets funds aside under these limits until this transaction, a writing one, ends. What the callback `but` has
    set aside is not counted: it is to be used by itself.
    """
    capped = _capped(application, spender)
    if not capped:
        return None
    spent = {kind: _subject(kind, application, spender, at) for kind, _ in capped}
    counted = _hold(sorted(spent.values()), at) if held else _read(list(spent.values()))
    return min(most - counted.get(spent[kind], 0) - _set_aside(kind, spender, but) for kind, most in capped)


def _read(subjects: Sequence[str]) -> dict[str, int]:
    sql = f"SELECT subject, spent_micros FROM day_spend WHERE subject IN ({query.marks(subjects)})"  # noqa: S608
    return dict(query.tuples(sql, *subjects))


def _hold(subjects: Sequence[str], at: datetime, more_micros: int = 0) -> dict[str, int]:
    """Add to what each has spent, and hold its row; in one order for all, so that nobody waits for who waits for him."""
    values = ", ".join("(?, ?, ?)" for _ in subjects)
    given = [part for subject in subjects for part in (subject, more_micros, micros(at + _KEPT_FOR))]
    sql = f"""
        INSERT INTO day_spend (subject, spent_micros, until_at) VALUES {values}
        ON CONFLICT (subject) DO UPDATE SET spent_micros = day_spend.spent_micros + excluded.spent_micros
        RETURNING subject, spent_micros
    """  # noqa: S608
    return dict(query.tuples(sql, *given))


def note(application: Application, spender: Spender, charged_micros: int, at: datetime) -> None:
    """Count what a callback was charged, in the transaction that charges it."""
    capped = _capped(application, spender)
    if capped and charged_micros:
        _hold(sorted(_subject(kind, application, spender, at) for kind, _ in capped), at, charged_micros)


_SPENDER = """
    SELECT voice_application.path, leg.cld, requested_from, wallet.currency, COALESCE(b.cld, '') FROM callback
      JOIN voice_application ON voice_application.id = callback.voice_application_id
      JOIN leg ON leg.callback_id = callback.id AND leg.name = 'A'
      LEFT JOIN leg AS b ON b.callback_id = callback.id AND b.name = ?
      JOIN account ON account.id = callback.account_id
      JOIN wallet ON wallet.id = account.wallet_id
     WHERE callback.id = ?
"""


def spender_of(callback_id: str, leg_b: str = "B") -> Spender:
    """Who spends what this callback costs; `leg_b` is the name of the leg to B that is meant, of which it may have had several."""
    return Spender(*query.values(_SPENDER, leg_b, callback_id))


def sweep(at: datetime) -> int:
    """Delete days that are over, some at a time; returns how many."""
    old: list[Row] = query.rows("SELECT subject FROM day_spend WHERE until_at < ? LIMIT ?", micros(at), SWEPT_AT_ONCE)
    subjects = [each["subject"] for each in old]
    if not subjects:
        return 0
    return query.change(f"DELETE FROM day_spend WHERE subject IN ({query.marks(subjects)})", *subjects)  # noqa: S608
