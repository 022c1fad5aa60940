"""The door of forgetting: one person's numbers and names leave the rows, what was charged and when stays (docs/security.md).

Numbers become crosses of their length. xDRs, ledger and audit change in nothing else, which their triggers see to; the chain of the
ledger holds what a person could be known by as a salted digest, whose salt goes: it proves the amounts as before, and nobody finds the
number by trying all there are.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from webcb import db
from webcb.billing import credentials, query
from webcb.billing.query import micros
from webcb.models import Audit

ERASED: Final = "erased"
NEVER_DIGITS: Final = 15  # of the digest that a number that is never called becomes
CALLBACKS_AT_ONCE: Final = 100


class ErasureProblem(ValueError):
    """What cannot be erased now; the message says why and what to do, in the operator's words."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How many callbacks were of the person, and what names it still, for the operator to see to."""

    callbacks: int
    left: tuple[str, ...] = ()


def masked(text: str) -> str:
    """Crosses instead of what was written, as many."""
    return "x" * len(text)


def never_digest(digits: str) -> str:
    """What an erased number stands as among those never to be called: known again, and not read."""
    return credentials.sign("never call", digits)[:NEVER_DIGITS]


# Callbacks -----------------------------------------------------------------------------------------------------------


def mask_callbacks(ids: Sequence[str], digits: str | None = None) -> None:
    """Mask a number (None: all) in callbacks that have ended, with everything that was kept of how they went on the wire.

    In the transaction that is open; at most some hundred at once.
    """
    if not ids:
        return
    marks = query.marks(ids)
    for table in ("leg", "xdr"):
        found = query.tuples(f"SELECT id, cli, cld FROM {table} WHERE callback_id IN ({marks})", *ids)  # noqa: S608
        changes = [
            (_mask(cli, digits), _mask(cld, digits), row_id)
            for row_id, cli, cld in found
            if (_mask(cli, digits), _mask(cld, digits)) != (cli, cld)
        ]
        query.change_each(f"UPDATE {table} SET cli = ?, cld = ? WHERE id = ?", changes)  # noqa: S608
    query.change(
        f"UPDATE leg SET invite = NULL, dialog = NULL, voice = NULL WHERE callback_id IN ({marks})",  # noqa: S608
        *ids,
    )
    query.change(
        f"UPDATE attempt SET reason = '' WHERE reason <> '' AND leg_id IN (SELECT id FROM leg WHERE callback_id IN ({marks}))",  # noqa: S608
        *ids,
    )
    query.change(f"DELETE FROM message WHERE callback_id IN ({marks})", *ids)  # noqa: S608
    query.change(f"DELETE FROM phone_proof WHERE callback_id IN ({marks})", *ids)  # noqa: S608
    query.change(
        f"UPDATE sink_event SET said = '' WHERE sink_id IN (SELECT id FROM sink WHERE callback_id IN ({marks}))",  # noqa: S608
        *ids,
    )
    # The key holds a digest of what was ordered, the numbers among it.
    query.change_each(
        "UPDATE callback SET idempotency_key = ?, requested_from = CASE requested_from WHEN 'cli' THEN 'cli' ELSE '' END,"
        " terms = NULL WHERE id = ?",
        [(f"{ERASED}.{secrets.token_hex(16)}", callback_id) for callback_id in ids],
    )
    _forget_texts(
        f"xdr_id IN (SELECT id FROM xdr WHERE callback_id IN ({marks}))",  # noqa: S608
        *ids,
    )


def _mask(number: str, digits: str | None) -> str:
    return masked(number) if digits is None or number == digits else number


def _forget_texts(where: str, *given: Any) -> None:
    """Take the texts and the salt of ledger rows away; their digest, which the chain is over, stays."""
    query.change(
        f"UPDATE ledger SET event_key = '{ERASED}:' || id, made_by = '{ERASED}', note = '', salt = ''"  # noqa: S608
        f" WHERE salt <> '' AND {where}",
        *given,
    )


def _in_pieces(ids: Sequence[str], digits: str | None) -> None:
    """Mask many callbacks, each piece in a transaction of its own: nobody waits for long."""
    for first in range(0, len(ids), CALLBACKS_AT_ONCE):
        with db.writing():
            mask_callbacks(ids[first : first + CALLBACKS_AT_ONCE], digits)


# A number ------------------------------------------------------------------------------------------------------------


def erase_number(digits: str, made_by: str, at: datetime, *, in_the_past: bool = False) -> Erased:
    """Forget a number (E.164 digits): in callbacks, xDRs, traces, lists, counters. Raises ErasureProblem while a call of it goes on.

    `in_the_past`: the tables are an archive's, in which nothing goes on, whatever its rows say.
    """
    found = query.rows(
        "SELECT DISTINCT callback.id, callback.state FROM leg JOIN callback ON callback.id = leg.callback_id"
        " WHERE leg.cld = ? OR leg.cli = ? ORDER BY callback.id",
        digits,
        digits,
    )
    if not in_the_past:
        _refuse_open(found)
    ids = [str(each["id"]) for each in found]
    _in_pieces(ids, digits)
    named = _naming([digits])
    with db.writing():
        for table in ("trusted_number", "saved_destination", "phone_proof"):
            query.change(f"DELETE FROM {table} WHERE digits = ?", digits)  # noqa: S608
        if query.change("DELETE FROM never_call WHERE number = ?", digits):
            query.change("INSERT INTO never_call (number, asked_at) VALUES (?, ?)", never_digest(digits), micros(at))
        _forget_counted(digits)
        _forget_named(named)
        Audit.create(at=at, made_by=made_by, action="erase", subject=ERASED, detail=f"a number, {len(ids)} callbacks")
    left = [
        f"account {row['login']} is named after it: webcb erase --account {row['login']}"
        for row in query.rows("SELECT login FROM account WHERE login LIKE ?", f"%{digits}%")
    ]
    return Erased(len(ids), tuple(left))


# An account ----------------------------------------------------------------------------------------------------------


def erase_account(login: str, made_by: str, at: datetime, *, in_the_past: bool = False) -> Erased:
    """Forget whose an account was: it is closed, gets another ID, and its callbacks name nobody. Raises ErasureProblem, LookupError."""
    account = query.row("SELECT id, web_login, wallet_id FROM account WHERE login = ?", login)
    if account is None:
        raise LookupError(f"there is no account {login}")
    account_id = int(account["id"])
    used = query.row(
        "SELECT name FROM voice_application WHERE internal_account_id = ? OR widget_account_id = ?",
        account_id,
        account_id,
    )
    if used is not None and not in_the_past:
        raise ErasureProblem(f"it pays for {used['name']}: name another account there first")
    found = query.rows("SELECT id, state FROM callback WHERE account_id = ? ORDER BY id", account_id)
    if not in_the_past:
        _refuse_open(found)
    ids = [str(each["id"]) for each in found]
    numbers = _numbers_of(account_id)
    _in_pieces(ids, None)
    name = f"{ERASED}{account_id}"
    words = {login, account["web_login"] or login}
    named = _naming(words)
    with db.writing():
        query.change(
            "UPDATE account SET login = ?, closed = ?, mail = '', web_login = NULL, web_password = '', service_password = ''"
            " WHERE id = ?",
            name,
            True,
            account_id,
        )
        for table in ("trusted_number", "saved_destination", "owner_session", "recovery", "phone_proof"):
            query.change(f"DELETE FROM {table} WHERE account_id = ?", account_id)  # noqa: S608
        query.change(f"UPDATE payment SET reference = '{ERASED}.' || id WHERE account_id = ?", account_id)  # noqa: S608
        query.change(
            f"UPDATE api_key SET name = '{ERASED}.' || id, webhook_url = '', sealed_webhook_secret = '', networks = '',"  # noqa: S608
            " revoked_at = COALESCE(revoked_at, ?) WHERE account_id = ?",
            micros(at),
            account_id,
        )
        _forget_texts("account_id = ?", account_id)
        for word in words:
            _forget_counted(word)
        _forget_counted_numbers(numbers)
        _forget_named(named)
        Audit.create(at=at, made_by=made_by, action="erase", subject=f"account {name}", detail=f"{len(ids)} callbacks")
    customer = query.row(
        "SELECT name FROM customer WHERE id = (SELECT customer_id FROM account WHERE id = ?)", account_id
    )
    left = () if customer is None else (f"its customer, {customer['name']}, is as it was",)
    return Erased(len(ids), left)


# A customer ----------------------------------------------------------------------------------------------------------


def erase_customer(name: str, made_by: str, at: datetime, *, in_the_past: bool = False) -> Erased:
    """Forget a customer: every account of it, its name, mail and login. Raises ErasureProblem before anything is done, LookupError."""
    customer = query.row("SELECT id, web_login FROM customer WHERE name = ?", name)
    if customer is None:
        raise LookupError(f"there is no customer {name}")
    customer_id = int(customer["id"])
    if not in_the_past:
        _refuse_open(
            query.rows(
                "SELECT callback.id, callback.state FROM callback JOIN account ON account.id = callback.account_id"
                " WHERE account.customer_id = ?",
                customer_id,
            )
        )
    callbacks = 0
    for (login,) in query.tuples("SELECT login FROM account WHERE customer_id = ? ORDER BY id", customer_id):
        if not str(login).startswith(ERASED):
            callbacks += erase_account(str(login), made_by, at, in_the_past=in_the_past).callbacks
    words = {name, customer["web_login"] or name}
    named = _naming(words)
    with db.writing():
        query.change(
            "UPDATE customer SET name = ?, mail = '', web_login = NULL, web_password = '' WHERE id = ?",
            f"{ERASED} customer {customer_id}",
            customer_id,
        )
        for table in ("owner_session", "recovery"):
            query.change(f"DELETE FROM {table} WHERE customer_id = ?", customer_id)  # noqa: S608
        for word in words:
            _forget_counted(word)
        _forget_named(named)
        subject = f"customer {ERASED} customer {customer_id}"
        Audit.create(at=at, made_by=made_by, action="erase", subject=subject, detail=f"{callbacks} callbacks")
    return Erased(callbacks)


def _refuse_open(callbacks: Sequence[query.Row]) -> None:
    going = [each["id"] for each in callbacks if each["state"] != "ended"]
    if going:
        raise ErasureProblem(f"callback {going[0]} goes on: try again once it has ended")


# Texts that name somebody ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Named:
    """Rows of the audit and of the ledger that name somebody."""

    audit_ids: Sequence[int]
    ledger_ids: Sequence[int]


def _naming(words: Iterable[str]) -> _Named:
    """Look for rows that name somebody by one of these words, as a word; a slow look, outside of any transaction that writes."""
    audit: set[int] = set()
    entries: set[int] = set()
    for word in words:
        whole = re.compile(rf"(?<![0-9A-Za-z]){re.escape(word)}(?![0-9A-Za-z])")
        for found, sql in (
            (audit, "SELECT id, subject || ' ' || detail || ' ' || made_by FROM audit WHERE {like}"),
            (entries, "SELECT id, event_key || ' ' || note || ' ' || made_by FROM ledger WHERE salt <> '' AND {like}"),
        ):
            columns = ("subject", "detail", "made_by") if found is audit else ("event_key", "note", "made_by")
            like = " OR ".join(f"{column} LIKE ?" for column in columns)
            rows = query.tuples(sql.format(like=f"({like})"), *[f"%{word}%"] * len(columns))
            found |= {row_id for row_id, text in rows if whole.search(text)}
    return _Named(sorted(audit), sorted(entries))


def _forget_named(named: _Named) -> None:
    query.change_each(
        "UPDATE audit SET subject = ?, detail = '', made_by = CASE WHEN made_by LIKE ? THEN ? ELSE made_by END"
        " WHERE id = ?",
        [(ERASED, "owner:%", ERASED, row_id) for row_id in named.audit_ids],
    )
    for row_id in named.ledger_ids:
        _forget_texts("id = ?", row_id)


def _forget_counted(word: str) -> None:
    """What counters, sign-ins and saved filters say of somebody; rather too much than too little."""
    for table, column in (
        ("tally", "subject"),
        ("day_spend", "subject"),
        ("saved_filter", "query"),
        ("unusual", "subject"),
        ("unusual", "facts"),
    ):
        query.change(f"DELETE FROM {table} WHERE {column} LIKE ?", f"%{word}%")  # noqa: S608
    query.change("DELETE FROM sign_in WHERE login = ?", word)


def _numbers_of(account_id: int) -> frozenset[str]:
    """The numbers of its callbacks."""
    sql = (
        "SELECT DISTINCT cli, cld FROM leg JOIN callback ON callback.id = leg.callback_id WHERE callback.account_id = ?"
    )
    return frozenset(number for found in query.tuples(sql, account_id) for number in found if number)


def _forget_counted_numbers(numbers: frozenset[str]) -> None:
    """What counters say of many numbers."""
    for table in ("tally", "day_spend", "unusual"):
        subjects = [subject for (subject,) in query.tuples(f"SELECT subject FROM {table}")]  # noqa: S608
        named = [(each,) for each in subjects if not numbers.isdisjoint(re.findall("[0-9]+", each))]
        query.change_each(f"DELETE FROM {table} WHERE subject = ?", named)  # noqa: S608


# What is old -----------------------------------------------------------------------------------------------------------


def mask_older(before: datetime) -> int:
    """Mask all numbers of some callbacks that were asked for before an instant, the oldest first; returns how many."""
    with db.writing():
        found = query.rows(
            "SELECT id, requested_at FROM callback WHERE requested_at < ? AND state = 'ended'"
            " AND requested_at >= COALESCE((SELECT masked_until FROM retention), 0)"
            " AND idempotency_key NOT LIKE ? ORDER BY requested_at LIMIT ?",
            micros(before),
            f"{ERASED}.%",
            CALLBACKS_AT_ONCE,
        )
        if not found:
            return 0
        mask_callbacks([str(each["id"]) for each in found])
        query.change(
            "INSERT INTO retention (id, masked_until) VALUES (1, ?)"
            " ON CONFLICT (id) DO UPDATE SET masked_until = excluded.masked_until",
            found[-1]["requested_at"],
        )
        return len(found)
