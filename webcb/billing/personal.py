"""The door of what is kept of one person, by number, account or customer: rows by table for who asks for his data (docs/security.md).

Secrets are left out, and what is the operator's own affair: by which vendor a leg went, and what it cost there.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from webcb import db
from webcb.billing import query
from webcb.billing.query import Row

Found = Mapping[str, list[Row]]

_CALLBACKS: Final = """
    SELECT id, kind, requested_at, requested_from, state, ended_at, ending FROM callback WHERE {where} ORDER BY requested_at
"""
_LEGS: Final = "SELECT callback_id, name, cli, cld, placed_at, answered_at, ended_at FROM leg WHERE {where} ORDER BY id"
_XDRS: Final = """
    SELECT callback_id, kind, leg, cli, cld, destination, tariff, connect_time, disconnect_time, bill_time, used_quantity,
           charged_quantity, charged_micros, currency
      FROM xdr WHERE {where} ORDER BY id
"""
_PROOFS: Final = "SELECT callback_id, digits, asked_at, proven_at FROM phone_proof WHERE {where} ORDER BY id"
_MESSAGES: Final = "SELECT callback_id, leg, at, sent, text FROM message WHERE {where} ORDER BY callback_id, position"
_AUDIT: Final = "SELECT at, made_by, action, subject, detail FROM audit WHERE {where} ORDER BY id"
_OF_NUMBER: Final = "cld = ? OR cli = ?"
_IN_CALLBACKS: Final = "callback_id IN (SELECT callback_id FROM leg WHERE cld = ? OR cli = ?)"


def of_number(digits: str) -> Found:
    """Everything that names a number, E.164 digits."""
    twice, like = (digits, digits), f"%{digits}%"
    with db.reading():
        return _written(
            {
                "callback": query.rows(
                    _CALLBACKS.format(where="id IN (SELECT callback_id FROM leg WHERE cld = ? OR cli = ?)"), *twice
                ),
                "leg": query.rows(_LEGS.format(where=_OF_NUMBER), *twice),
                "xdr": query.rows(_XDRS.format(where=_OF_NUMBER), *twice),
                "message": query.rows(_MESSAGES.format(where=_IN_CALLBACKS), *twice),
                "phone_proof": query.rows(_PROOFS.format(where="digits = ?"), digits),
                "trusted_number": query.rows("SELECT digits FROM trusted_number WHERE digits = ?", digits),
                "saved_destination": query.rows("SELECT digits, name FROM saved_destination WHERE digits = ?", digits),
                "never_call": query.rows("SELECT number, asked_at FROM never_call WHERE number = ?", digits),
                "audit": query.rows(_AUDIT.format(where="subject LIKE ? OR detail LIKE ?"), like, like),
            }
        )


_ACCOUNT: Final = """
    SELECT account.id, login, account.type, account.balance_control, account.mail, account.web_login, account.time_zone, language,
           account.blocked, closed, first_used_at, last_used_at,
           customer.name AS customer, product.name AS product, wallet.currency, balance_micros
      FROM account
      JOIN customer ON customer.id = account.customer_id
      JOIN product ON product.id = account.product_id
      JOIN wallet ON wallet.id = account.wallet_id
     WHERE login = ?
"""
_LEDGER: Final = """
    SELECT at, kind, amount_micros, currency, balance_after_micros, made_by, note FROM ledger
     WHERE account_id = ? AND vendor_id IS NULL ORDER BY id
"""


_SIGN_INS: Final = "SELECT at, source, failed FROM sign_in WHERE login = ? ORDER BY id"
_SESSIONS: Final = "SELECT source, agent, began_at, seen_at, ended_at FROM owner_session WHERE {where} ORDER BY id"


def of_account(login: str) -> Found:
    """Everything of an account. LookupError: there is none."""
    with db.reading():
        accounts = query.rows(_ACCOUNT, login)
        if not accounts:
            raise LookupError(f"there is no account {login}")
        of = accounts[0].pop("id")
        mine, called = "account_id = ?", "callback_id IN (SELECT id FROM callback WHERE account_id = ?)"
        if accounts[0]["balance_control"] == "subordinate":
            del accounts[0]["balance_micros"]  # the customer's
        return _written(
            {
                "account": accounts,
                "callback": query.rows(_CALLBACKS.format(where=mine), of),
                "leg": query.rows(_LEGS.format(where=called), of),
                "xdr": query.rows(_XDRS.format(where=mine), of),
                "ledger": query.rows(_LEDGER, of),
                "message": query.rows(_MESSAGES.format(where=called), of),
                "phone_proof": query.rows(_PROOFS.format(where=mine), of),
                "trusted_number": query.rows("SELECT digits FROM trusted_number WHERE account_id = ?", of),
                "saved_destination": query.rows("SELECT digits, name FROM saved_destination WHERE account_id = ?", of),
                "owner_session": query.rows(_SESSIONS.format(where=mine), of),
                "sign_in": query.rows(_SIGN_INS, accounts[0]["web_login"]),
                "api_key": query.rows(
                    "SELECT name, networks, made_at, used_at, revoked_at, webhook_url FROM api_key WHERE account_id = ?",
                    of,
                ),
                "payment": query.rows(
                    "SELECT provider, amount_micros, currency, state, asked_at, ended_at FROM payment WHERE account_id = ?",
                    of,
                ),
                "audit": query.rows(_AUDIT.format(where="subject = ?"), f"account {login}"),
            }
        )


_CUSTOMER: Final = """
    SELECT customer.id, name, mail, web_login, customer.balance_control, billing_period, billing_time_zone, created_at, status,
           wallet_id, wallet.currency, balance_micros
      FROM customer JOIN wallet ON wallet.id = customer.wallet_id
     WHERE name = ?
"""
_OWN_LEDGER: Final = """
    SELECT at, kind, amount_micros, currency, balance_after_micros, made_by, note FROM ledger
     WHERE wallet_id = ? AND account_id IS NULL AND vendor_id IS NULL ORDER BY id
"""


def of_customer(name: str) -> Found:
    """Everything of a customer and of each of its accounts, whose rows say which one's they are. LookupError: there is none."""
    with db.reading():
        customers = query.rows(_CUSTOMER, name)
        if not customers:
            raise LookupError(f"there is no customer {name}")
        of, wallet_id = customers[0].pop("id"), customers[0].pop("wallet_id")
        found = {
            "customer": customers,
            "ledger": query.rows(_OWN_LEDGER, wallet_id),
            "owner_session": query.rows(_SESSIONS.format(where="customer_id = ?"), of),
            "sign_in": query.rows(_SIGN_INS, customers[0]["web_login"]),
            "audit": query.rows(_AUDIT.format(where="subject = ?"), f"customer {name}"),
        }
        written = {table: list(rows) for table, rows in _written(found).items()}
        for (login,) in query.tuples("SELECT login FROM account WHERE customer_id = ? ORDER BY login", of):
            for table, rows in of_account(str(login)).items():
                written.setdefault(table, []).extend({"of_account": login, **row} for row in rows)
        return written


def _written(found: dict[str, list[Row]]) -> Found:
    """Instants as ISO 8601; tables of which nothing was found are left out."""
    return {
        table: [{name: _shown(name, value) for name, value in row.items()} for row in rows]
        for table, rows in found.items()
        if rows
    }


def _shown(name: str, value: Any) -> Any:
    is_instant = isinstance(value, int) and (name == "at" or name.endswith(("_at", "_time")))
    return query.moment(value).isoformat() if is_instant else value


def printed(found: Found) -> bytes:
    """As a JSON file for people and programs."""
    return orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n"
