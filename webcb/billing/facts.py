"""The door of facts: everything that authorization.py decides by, read in the transaction that is open."""

from datetime import datetime

from webcb.billing import catalog, ledger, query, spending
from webcb.billing.account import Account
from webcb.billing.authorization import Facts
from webcb.billing.query import Row, instant
from webcb.billing.spending import Spender
from webcb.number import Number

# What of an account and of its owner decides about a callback.
OWNER_COLUMNS = """
    account.id AS account_id, login, account.blocked, closed, activated, activation_at, expires_at, days_after_first_use,
    days_after_last_use, first_used_at, last_used_at, account.daily_spend_max_micros IS NOT NULL AS is_capped, product_id,
    customer.status, product.blocked AS product_blocked, customer.billing_time_zone, wallet.currency,
    balance_micros + credit_limit_micros - locked_micros AS available_micros, (SELECT epoch FROM catalog) AS epoch,
    (SELECT rates_epoch FROM catalog) AS rates_epoch
"""
OWNER_JOINS = """
      JOIN customer ON customer.id = account.customer_id
      JOIN wallet ON wallet.id = account.wallet_id
      JOIN product ON product.id = account.product_id
"""


_ACCOUNT = f"SELECT {OWNER_COLUMNS} FROM account {OWNER_JOINS} WHERE account.id = ?"  # noqa: S608

Numbers = tuple[Number, Number | None]


def facts_of(
    account_id: int,
    path: str,
    node_id: int | None,
    numbers: Numbers,
    open_callbacks: int,
    at: datetime,
    source: str,
    *,
    held: bool = False,
    but: str = "",
) -> Facts:
    """Everything a verdict on these numbers rests on, read in the transaction that is open; no second number: on A alone.

    `held` where funds are set aside by it, `but` a callback whose own are not counted as spent: see spending.py.
    """
    owner = query.row(_ACCOUNT, account_id)
    assert owner is not None  # noqa: S101  accounts are closed, never deleted
    return facts_from(owner, path, node_id, numbers, open_callbacks, at, source, held=held, but=but)


def facts_from(
    owner: Row,
    path: str,
    node_id: int | None,
    numbers: Numbers,
    open_callbacks: int,
    at: datetime,
    source: str,
    *,
    held: bool = False,
    but: str = "",
) -> Facts:
    """The same where the owner was read already: `owner` has OWNER_COLUMNS."""
    book = catalog.book(owner["epoch"])
    application = book.applications.get(path)
    number_a, number_b = numbers
    terms = None
    if application is not None:
        digits = number_a.digits, None if number_b is None else number_b.digits
        zone, currency = owner["billing_time_zone"], owner["currency"]
        found = catalog.rates_of(book, owner["rates_epoch"], owner["product_id"], digits, at)
        terms = catalog.offered(book, owner["product_id"], application, node_id, zone, currency, digits, found, at)
    # What is spent is added up only where there is a limit: of the account, or of the voice application.
    spend_left_micros = ledger.spend_left_micros(owner["account_id"], at, but) if owner["is_capped"] else None
    if application is not None and application.guards.is_capped:
        spender = Spender(path, number_a.digits, source, owner["currency"], number_b.digits if number_b else "")
        left_micros = spending.left_micros(application, spender, at, held=held, but=but)
        spend_left_micros = ledger.least(spend_left_micros, left_micros)
    return Facts(
        at=at,
        account=_account(owner),
        customer_status=owner["status"],
        currency=owner["currency"],
        available_micros=owner["available_micros"],
        application=application,
        node_id=node_id,
        terms=terms,
        number_a=number_a,
        number_b=number_b,
        product_blocked=bool(owner["product_blocked"]),
        open_callbacks=open_callbacks,
        spend_left_micros=spend_left_micros,
        own_numbers=book.own_numbers,
    )


def _account(owner: Row) -> Account:
    return Account(
        owner["login"],
        bool(owner["blocked"]),
        bool(owner["closed"]),
        bool(owner["activated"]),
        instant(owner["activation_at"]),
        instant(owner["expires_at"]),
        owner["days_after_first_use"],
        owner["days_after_last_use"],
        instant(owner["first_used_at"]),
        instant(owner["last_used_at"]),
    )
