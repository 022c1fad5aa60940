"""Customers and accounts with their funds and passwords: rows made to say what the file says.

Credit limit, low balance and currency stand on the wallet. An opening balance is posted once, when the wallet is made; later it only
documents what was.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from webcb import models
from webcb.billing import credentials, ledger, query, trusted
from webcb.billing.ledger import Entry
from webcb.provisioning.books import Books, Change
from webcb.provisioning.document import Document, Placed, every
from webcb.provisioning.drafts import chunks

Hashes = dict[tuple[str, str, str], str]  # by noun, name and field
PASSWORDS = {"customers": ("web_password",), "accounts": ("service_password", "web_password")}
Opening = tuple[ledger.Wallet, Entry]  # a new wallet, and what it is opened with

OF_WALLET = {"credit_limit": "credit_limit_micros", "low_balance": "low_balance_micros"}  # field -> column


def apply_customers(books: Books, hashes: Hashes | None, set_passwords: bool) -> None:
    """Customers, each with the wallet its subordinate accounts use; `hashes` as of `apply_accounts`."""
    wallets = _wallets(books, "customers")
    logins = _Logins(books)
    openings: list[Opening] = []
    passwords = _Passwords(books, "customers", hashes, set_passwords)
    for placed in every(books.document, "customers"):
        row = books.rows("customers").get(placed.key)
        wallet: Any = wallets.get(row.__data__["wallet"]) if row else None
        elsewhere = {"currency": wallet and wallet.currency, "opening_balance": None, **dict.fromkeys(OF_WALLET)}
        columns = books.wanted(placed, row, elsewhere | dict.fromkeys(PASSWORDS["customers"]))
        if columns is None or not logins.take(placed, row):
            continue
        if row is None:
            wallet = _wallet(books, placed.entry.currency, placed)
            columns |= {"wallet": wallet.id, "created_at": books.at}
        changes = passwords.set(placed, row, columns) + ([] if row is None else _of_wallet(books, placed, wallet))
        written = books.write(models.Customer, placed, row, placed.entry.name, columns, *changes)
        written.wallet = wallet
        books.rows("customers")[placed.key] = written
        if row is None:
            openings += _opening(books, placed, wallet, None)
    books.drafts.later(partial(ledger.write_each, openings, books.at))
    passwords.note_left()


def apply_accounts(books: Books, hashes: Hashes | None, set_passwords: bool) -> None:
    """Accounts, each with a wallet of its own or its customer's.

    `hashes` of the passwords that may be set; None where all is going to be taken back.
    """
    wallets = _wallets(books, "accounts")
    numbers, logins = _Numbers(books), _Logins(books)
    openings: list[Opening] = []
    passwords = _Passwords(books, "accounts", hashes, set_passwords)
    for placed in every(books.document, "accounts"):
        row: Any = books.rows("accounts").get(placed.key)
        wallet: Any = wallets.get(row.__data__["wallet"]) if row else None
        elsewhere = dict.fromkeys((*PASSWORDS["accounts"], "opening_balance", "trusted_numbers", *OF_WALLET))
        columns = books.wanted(placed, row, elsewhere)
        if columns is None or not _has_one_currency(books, placed) or not logins.take(placed, row):
            continue
        changes: list[Change] = []
        if row is None:
            wallet = _wallet_of(books, placed)
            columns["wallet"] = wallet.id
        elif placed.entry.balance_control == "individual":
            changes = _of_wallet(books, placed, wallet)
        changes += passwords.set(placed, row, columns)
        had = numbers.of(row)
        if row is not None and had != placed.entry.trusted_numbers:
            changes.append(("trusted_numbers", had, placed.entry.trusted_numbers))
        account = books.write(models.Account, placed, row, placed.entry.login, columns, *changes)
        if had != placed.entry.trusted_numbers:
            numbers.trust(placed, account.id, had)
        books.rows("accounts")[placed.key] = account
        if row is None:
            openings += _opening(books, placed, wallet, account.id)
    numbers.draft()
    books.drafts.later(partial(ledger.write_each, openings, books.at))
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


class _Logins:
    """Whose the self-care logins of the file are: each is one owner's alone, of an account or of a customer."""

    def __init__(self, books: Books) -> None:
        self._books = books
        wanted = [
            each.entry.web_login
            for section in ("customers", "accounts")
            for each in every(books.document, section)
            if each.entry.web_login is not None
        ]
        self._owner: dict[str, tuple[str, str]] = {}  # noun and name, by login
        for noun, name in (("customer", "name"), ("account", "login")):
            for some in chunks(wanted):
                sql = (
                    f"SELECT web_login, {name} FROM {noun} WHERE web_login IN ({query.marks(some)}) ORDER BY web_login"  # noqa: S608
                )
                self._owner |= {login: (noun, owner) for login, owner in books.drafts.read(sql, *some)}

    def take(self, placed: Placed, row: Any) -> bool:
        """Give the entry its login and free the one that its row had; False where the login is another's, which is a problem."""
        login, name = placed.entry.web_login, placed.key[0]
        noun, owner = self._owner.get(login, (placed.kind.NOUN, name))
        if (noun, owner) != (placed.kind.NOUN, name):
            said = f"{login!r} is the self-care login of {noun} {owner!r}; choose another"
            self._books.wrong(placed, "web_login", said)
            return False
        if row is not None:
            self._owner.pop(row.web_login, None)
        if login is not None:
            self._owner[login] = (noun, name)
        return True


def _wallets(books: Books, section: str) -> dict[int, Any]:
    """The wallets of the rows of a section, by id; each row has its own at hand."""
    rows = books.rows(section).values()
    wallets = {row.id: row for row in books.drafts.found(models.Wallet, "id", [row.__data__["wallet"] for row in rows])}
    for row in rows:
        row.wallet = wallets[row.__data__["wallet"]]
    return wallets


def _wallet_of(books: Books, placed: Placed) -> Any:
    """The wallet of a new account."""
    of_customer = books.rows("customers")[(placed.entry.customer,)].wallet
    if placed.entry.balance_control == "subordinate":
        return of_customer
    return _wallet(books, of_customer.currency, placed)


def _wallet(books: Books, currency: str, placed: Placed) -> Any:
    of_wallet = {column: getattr(placed.entry, field) for field, column in OF_WALLET.items()}
    return books.drafts.insert(models.Wallet, {"currency": currency, **of_wallet}, ahead=True)


def _of_wallet(books: Books, placed: Placed, wallet: Any) -> list[Change]:
    """Draft the fields that stand on the wallet where the entry says something else; the changes."""
    changes, columns = [], {}
    for field, column in OF_WALLET.items():
        wanted, had = getattr(placed.entry, field), getattr(wallet, column)
        if wanted != had:
            columns[column] = wanted
            changes.append((field, books.shown(placed.kind, field, had), books.shown(placed.kind, field, wanted)))
    if columns:
        books.drafts.update(models.Wallet, wallet.id, columns)
    return changes


class _Numbers:
    """The trusted numbers of the accounts, and whose those of the file are."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._of: dict[int, str] = {}
        for some in chunks(row.id for row in books.rows("accounts").values()):
            sql = f"SELECT account_id, digits FROM trusted_number WHERE account_id IN ({query.marks(some)}) ORDER BY digits"  # noqa: S608
            for account_id, digits in books.drafts.read(sql, *some):
                self._of[account_id] = f"{self._of[account_id]},{digits}" if account_id in self._of else digits
        self._owner: dict[str, str] = {}
        self._forgotten: list[int] = []
        self._trusted: list[tuple[int, str]] = []
        wanted = [digits for each in every(books.document, "accounts") for digits in _split(each.entry.trusted_numbers)]
        for some in chunks(wanted):
            sql = (
                "SELECT digits, login FROM trusted_number JOIN account ON account.id = account_id"  # noqa: S608
                f" WHERE digits IN ({query.marks(some)}) ORDER BY digits"
            )
            self._owner |= dict(books.drafts.read(sql, *some))

    def of(self, row: Any) -> str:
        """The numbers of an account, comma between; "" for none, or where there is no such account yet."""
        return "" if row is None else self._of.get(row.id, "")

    def trust(self, placed: Placed, account_id: int, had: str) -> None:
        """Note that the entry's numbers are the account's, which `had` others; one of another account's is a problem."""
        login = placed.entry.login
        for digits in _split(had):
            self._owner.pop(digits, None)
        for digits in _split(placed.entry.trusted_numbers):
            owner = self._owner.setdefault(digits, login)
            if owner != login:
                said = f"{digits} is a trusted number of account {owner} already; take it from there first"
                self._books.wrong(placed, "trusted_numbers", said)
                return
        self._forgotten += [account_id] if had else []
        self._trusted += [(account_id, digits) for digits in _split(placed.entry.trusted_numbers)]

    def draft(self) -> None:
        """Draft what `trust` has collected: a number may go from one account to another."""
        for account_id in self._forgotten:
            self._books.drafts.run(trusted.FORGET, account_id)
        for account_id, digits in self._trusted:
            self._books.drafts.run(trusted.INSERT, account_id, digits)


def _split(numbers: str) -> list[str]:
    return numbers.split(",") if numbers else []


def _has_one_currency(books: Books, placed: Placed) -> bool:
    """An account's product and its customer have one currency (domain 2)."""
    customer = books.rows("customers")[(placed.entry.customer,)]
    product = books.rows("products")[(placed.entry.product,)]
    if product.currency == customer.wallet.currency:
        return True
    said = f"product {product.name!r} is in {product.currency}, the customer in {customer.wallet.currency}"
    books.wrong(placed, "product", f"{said}; name a product in {customer.wallet.currency}")
    return False


def _opening(books: Books, placed: Placed, wallet: Any, account_id: int | None) -> list[Opening]:
    """The opening balance of a wallet that is made in this apply, where there is one."""
    amount_micros = placed.entry.opening_balance
    if not amount_micros:
        return []
    entry = Entry(f"opening:{wallet.id}", "opening balance", amount_micros, books.made_by, account_id)
    return [(ledger.Wallet(wallet.id, wallet.currency), entry)]
