"""Customers and accounts with their funds and passwords: rows made to say what the file says.

Credit limit, low balance and currency stand on the wallet. An opening balance is posted once, when the wallet is made; later it only
documents what was.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from webcb import models
from webcb.billing import credentials, ledger, trusted
from webcb.billing.ledger import Entry
from webcb.billing.query import Row
from webcb.provisioning.books import Books, Change, chunks, insert
from webcb.provisioning.document import Document, Placed, every

Hashes = dict[tuple[str, str, str], str]  # by noun, name and field
PASSWORDS = {"customers": ("web_password",), "accounts": ("service_password", "web_password")}
Opening = tuple[Row, Entry]  # a new wallet, and what it is opened with

OF_WALLET = {"credit_limit": "credit_limit_micros", "low_balance": "low_balance_micros"}  # field -> column


def apply_customers(books: Books, hashes: Hashes | None, set_passwords: bool) -> None:
    """Customers, each with the wallet its subordinate accounts use; `hashes` as of `apply_accounts`."""
    wallets = _wallets(books, "customers")
    passwords = _Passwords(books, "customers", hashes, set_passwords)
    for placed in every(books.document, "customers"):
        row = books.rows("customers").get(placed.key)
        wallet: Any = wallets.get(row.__data__["wallet"]) if row else None
        elsewhere = {"currency": wallet and wallet.currency, "opening_balance": None, **dict.fromkeys(OF_WALLET)}
        columns = books.wanted(placed, row, elsewhere | dict.fromkeys(PASSWORDS["customers"]))
        if columns is None or not _is_free_login(books, placed, row):
            continue
        if row is None:
            wallet = _wallet(placed.entry.currency, placed)
            columns |= {"wallet": wallet.id, "created_at": books.at}
        changes = passwords.set(placed, row, columns) + ([] if row is None else _of_wallet(books, placed, wallet))
        written = books.write(models.Customer, placed, row, placed.entry.name, columns, *changes)
        books.rows("customers")[placed.key] = written
        if row is None:
            ledger.write_each(_opening(books, placed, wallet.id, None), books.at)
    passwords.note_left()


def apply_accounts(books: Books, hashes: Hashes | None, set_passwords: bool) -> None:
    """Accounts, each with a wallet of its own or its customer's.

    `hashes` of the passwords that may be set; None where all is going to be taken back.
    """
    wallets = _wallets(books, "accounts")
    numbers = _trusted_numbers(books)
    openings: list[Opening] = []
    passwords = _Passwords(books, "accounts", hashes, set_passwords)
    for placed in every(books.document, "accounts"):
        row: Any = books.rows("accounts").get(placed.key)
        wallet: Any = wallets.get(row.__data__["wallet"]) if row else None
        elsewhere = dict.fromkeys((*PASSWORDS["accounts"], "opening_balance", "trusted_numbers", *OF_WALLET))
        columns = books.wanted(placed, row, elsewhere)
        if columns is None or not _has_one_currency(books, placed) or not _is_free_login(books, placed, row):
            continue
        changes: list[Change] = []
        if row is None:
            wallet = _wallet_of(books, placed)
            columns["wallet"] = wallet.id
        elif placed.entry.balance_control == "individual":
            changes = _of_wallet(books, placed, wallet)
        changes += passwords.set(placed, row, columns)
        had = numbers.get(row.id, "") if row else ""
        if row is not None and had != placed.entry.trusted_numbers:
            changes.append(("trusted_numbers", had, placed.entry.trusted_numbers))
        account = books.write(models.Account, placed, row, placed.entry.login, columns, *changes)
        if had != placed.entry.trusted_numbers:
            _trust(books, placed, account.id)
        books.rows("accounts")[placed.key] = account
        if row is None:
            openings += _opening(books, placed, wallet.id, account.id)
    ledger.write_each(openings, books.at)
    passwords.note_left()


class _Passwords:
    """The passwords of a section: which of them an apply sets, and how many it leaves as they are."""

    def __init__(self, books: Books, section: str, hashes: Hashes | None, set_passwords: bool) -> None:
        self._books = books
        self._fields = PASSWORDS[section]
        self._hashes = hashes
        self._set_all = set_passwords
        self._left = 0

    def set(self, placed: Placed, row: Any, columns: dict[str, Any]) -> list[Change]:
        """Put the hashes that are to be set among the columns; the changes."""
        changes: list[Change] = []
        for field in self._fields:
            password = getattr(placed.entry, field)
            if password is None:
                continue
            if row is not None and getattr(row, field) and not self._set_all:
                self._left += 1
                continue
            columns[field] = _hash(placed, field, self._hashes)
            changes += [] if row is None else [(field, "***", "set")]
        return changes

    def note_left(self) -> None:
        """Say how many were not looked at."""
        if self._left:
            self._books.report.notes.append(
                f"{self._left} passwords are set already and were not compared; --set-passwords sets them"
            )


def hashed(document: Document, set_passwords: bool) -> Hashes:
    """The hashes of the passwords that an apply will set.

    Hashing is slow on purpose: it is done on every processor, and before the transaction in which everybody else waits.
    """
    given: dict[tuple[str, str, str], str] = {}
    for section, fields in PASSWORDS.items():
        table: Any
        table, key = (
            (models.Account, models.Account.login) if section == "accounts" else (models.Customer, models.Customer.name)
        )
        for field in fields:
            typed = {
                placed.key[0]: (placed.kind.NOUN, password)
                for placed in every(document, section)
                if (password := getattr(placed.entry, field)) is not None
            }
            column = getattr(table, field)
            for some in [] if set_passwords else chunks(list(typed)):
                for (name,) in list(table.select(key).where(key.in_(some), column != "").tuples()):
                    del typed[name]
            given |= {(noun, name, field): password for name, (noun, password) in typed.items()}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(given, pool.map(credentials.hash_password, given.values()), strict=True))


def _hash(placed: Placed, field: str, hashes: Hashes | None) -> str:
    """The hash of an entry's password; made now where its owner came or lost it since they were made."""
    if hashes is None:
        return "-"
    found = hashes.get((placed.kind.NOUN, placed.key[0], field))
    return found or credentials.hash_password(getattr(placed.entry, field))


def _is_free_login(books: Books, placed: Placed, row: Any) -> bool:
    """A self-care login is one owner's alone, of an account or of a customer."""
    login = placed.entry.web_login
    if login is None or (row is not None and row.web_login == login):
        return True
    for table, noun, name in ((models.Account, "account", "login"), (models.Customer, "customer", "name")):
        found = table.get_or_none(table.web_login == login)
        if found is not None and (row is None or not isinstance(found, type(row)) or found.id != row.id):
            books.wrong(
                placed,
                "web_login",
                f"{login!r} is the self-care login of {noun} {getattr(found, name)!r}; choose another",
            )
            return False
    return True


def _wallets(books: Books, section: str) -> dict[int, Any]:
    ids = [row.__data__["wallet"] for row in books.rows(section).values()]
    return {row.id: row for some in chunks(ids) for row in models.Wallet.select().where(models.Wallet.id.in_(some))}


def _wallet_of(books: Books, placed: Placed) -> Any:
    """The wallet of a new account."""
    of_customer = books.rows("customers")[(placed.entry.customer,)].wallet
    if placed.entry.balance_control == "subordinate":
        return of_customer
    return _wallet(of_customer.currency, placed)


def _wallet(currency: str, placed: Placed) -> Any:
    of_wallet = {column: getattr(placed.entry, field) for field, column in OF_WALLET.items()}
    return insert(models.Wallet, {"currency": currency, **of_wallet})


def _of_wallet(books: Books, placed: Placed, wallet: Any) -> list[Change]:
    """Write the fields that stand on the wallet where the entry says something else; the changes."""
    changes, columns = [], {}
    for field, column in OF_WALLET.items():
        wanted, had = getattr(placed.entry, field), getattr(wallet, column)
        if wanted != had:
            columns[column] = wanted
            changes.append((field, books.shown(placed.kind, field, had), books.shown(placed.kind, field, wanted)))
    if columns:
        models.Wallet.update(**columns).where(models.Wallet.id == wallet.id).execute()
    return changes


def _trusted_numbers(books: Books) -> dict[int, str]:
    ids = [row.id for row in books.rows("accounts").values()]
    return {account_id: text for some in chunks(ids) for account_id, text in trusted.numbers_of(some).items()}


def _trust(books: Books, placed: Placed, account_id: int) -> None:
    numbers = placed.entry.trusted_numbers
    try:
        trusted.set_numbers(account_id, numbers.split(",") if numbers else [])
    except trusted.TrustProblem as wrong:
        books.wrong(placed, "trusted_numbers", f"{wrong}; take it from there first")


def _has_one_currency(books: Books, placed: Placed) -> bool:
    """An account's product and its customer have one currency (domain 2)."""
    customer = books.rows("customers")[(placed.entry.customer,)]
    product = books.rows("products")[(placed.entry.product,)]
    if product.currency == customer.wallet.currency:
        return True
    said = f"product {product.name!r} is in {product.currency}, the customer in {customer.wallet.currency}"
    books.wrong(placed, "product", f"{said}; name a product in {customer.wallet.currency}")
    return False


def _opening(books: Books, placed: Placed, wallet_id: int, account_id: int | None) -> list[Opening]:
    """The opening balance of a wallet that was made in this apply, where there is one."""
    amount_micros = placed.entry.opening_balance
    if not amount_micros:
        return []
    wallet = ledger.new_wallet(wallet_id, books.rows("customers")[_customer_key(placed)].wallet.currency)
    entry = Entry(f"opening:{wallet_id}", "opening balance", amount_micros, books.made_by, account_id)
    return [(wallet, entry)]


def _customer_key(placed: Placed) -> tuple[str]:
    return (placed.entry.name if placed.kind.NOUN == "customer" else placed.entry.customer,)
