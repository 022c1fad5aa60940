"""The account generator's door, and what is done to a whole batch (domain 5).

A run writes accounts in chunks of one transaction each, so that calls can be settled in between, and the lines of its file
before them: a run that is cut off goes on where the last chunk ended, none lost, none twice. The accounts are inactive until
the last one is there.
"""

import csv
import io
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from webcb import db, jobs
from webcb.billing import card, credentials, ledger
from webcb.billing.card import Numbering
from webcb.billing.ledger import Entry
from webcb.billing.query import change, marks, micros, rows
from webcb.jobs import Work
from webcb.models import Account, Audit, Batch, Customer, Distributor, Job, Product

KIND: Final = "generate accounts"
CARDS: Final = "cards"  # the folder of the files, below the data folder
CHUNK_ACCOUNTS: Final = 250  # a transaction of some 20 ms: a call that ends meanwhile is settled right after
HEADS: Final = ("Batch", "Control Number", "PIN", "Web login", "Password", "Service password")
DAYS_MAX: Final = 36_500


@dataclass(frozen=True, slots=True)
class Order:
    """What the generator is asked for, names as typed, amounts in micros, instants aware. Defaults are the form's."""

    customer: str
    product: str
    batch: str
    quantity: int
    length: int
    prefix: str = ""
    into_existing: bool = False
    type: Literal["debit", "credit"] = "debit"
    opening_balance_micros: int = 0
    credit_limit_micros: int = 0
    requires_activation: bool = True
    service_passwords: bool = True
    self_care: Literal["auto-generated", "empty"] = "empty"
    distributor: str = ""
    activation_at: datetime | None = None
    expires_at: datetime | None = None
    days_after_first_use: int | None = None
    days_after_last_use: int | None = None
    e_commerce: bool = False
    time_zone: str = "UTC"
    language: str = "en"


class OrderRefused(Exception):
    """An order that cannot be carried out; `problems` are (field of the order, what is wrong and what would be right)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(text for _, text in problems))
        self.problems = problems


@db.transaction
def ask(order: Order, asked_by: str, mail_to: str, at: datetime) -> int:
    """Check an order and make a job of it; returns the job's id. Raises OrderRefused with everything that is wrong."""
    found, problems = _found(order)
    problems += _own_problems(order, at)
    if not problems:
        numbering = Numbering(order.prefix, order.length)
        misfit = card.misfit(numbering, order.quantity, len(_taken(numbering)))
        problems += [("quantity", misfit)] if misfit else []
    if problems:
        raise OrderRefused(problems)
    batch = found["batch"] or Batch.create(name=order.batch, customer=found["customer"], created_at=at)
    plan = _plan(order, found, batch)
    job_id = jobs.post(KIND, plan, order.quantity, asked_by, mail_to, at)
    _audit(f"{KIND}: {order.quantity}", f"batch {order.batch}", asked_by, at)
    return job_id


def _found(order: Order) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The rows that the order names, and which of them are not there or do not suit one another."""
    customer = Customer.get_or_none(Customer.name == order.customer)
    product = Product.get_or_none(Product.name == order.product)
    batch = Batch.get_or_none(Batch.name == order.batch)
    distributor = Distributor.get_or_none(Distributor.name == order.distributor) if order.distributor else None
    problems = []
    if customer is None:
        problems.append(("customer", f"there is no customer {order.customer!r}" if order.customer else "choose one"))
    elif customer.status == "closed":
        problems.append(("customer", f"customer {order.customer} is closed"))
    if product is None:
        problems.append(("product", f"there is no product {order.product!r}" if order.product else "choose one"))
    elif customer is not None and product.currency != customer.wallet.currency:
        said = f"product {product.name} is in {product.currency}, the customer in {customer.wallet.currency}"
        problems.append(("product", f"{said}; name a product in {customer.wallet.currency}"))
    if order.distributor and distributor is None:
        problems.append(("distributor", f"there is no distributor {order.distributor!r}"))
    problems += _batch_problems(order, batch, customer)
    found = {"customer": customer, "product": product, "batch": batch, "distributor": distributor}
    return found, problems


def _is_name(text: str) -> bool:
    return 1 <= len(text) <= 64 and text.isprintable() and text == text.strip()


def _batch_problems(order: Order, batch: Any, customer: Any) -> list[tuple[str, str]]:
    if order.into_existing and batch is None:
        return [("batch", f"there is no batch {order.batch!r}")]
    if order.into_existing and customer is not None and batch.customer_id != customer.id:
        return [("batch", f"batch {order.batch} is of customer {batch.customer.name}")]
    if not order.into_existing and batch is not None:
        return [("batch", f"there is a batch {order.batch} already: choose another name, or add to the existing one")]
    if not order.into_existing and not _is_name(order.batch):
        return [("batch", "a batch has a name of 1 to 64 characters on one line")]
    return []


def _own_problems(order: Order, at: datetime) -> list[tuple[str, str]]:
    """What is wrong with an order whatever is in the database."""
    problems = []
    if not 1 <= order.quantity <= card.QUANTITY_MAX:
        problems.append(("quantity", f"1 to {card.QUANTITY_MAX:,} accounts at a time"))
    of_numbering = card.problem(Numbering(order.prefix, order.length))
    if of_numbering:
        problems.append(("length" if of_numbering.startswith("ID length") else "prefix", of_numbering))
    if order.opening_balance_micros < 0:
        problems.append(("opening_balance", "an opening balance is 0 or more"))
    if order.credit_limit_micros and order.type == "debit":
        problems.append(("credit_limit", "a debit account has no credit limit; choose type credit"))
    if order.expires_at is not None and order.expires_at <= max(at, order.activation_at or at):
        problems.append(("expires_at", "the expiration date is before they could be used"))
    for name in ("days_after_first_use", "days_after_last_use"):
        days = getattr(order, name)
        if days is not None and not 1 <= days <= DAYS_MAX:
            problems.append((name, f"1 to {DAYS_MAX} days, or nothing"))
    return problems


def _plan(order: Order, found: dict[str, Any], batch: Any) -> dict[str, Any]:
    plan = asdict(order) | {"customer": found["customer"].id, "product": found["product"].id, "batch": batch.id}
    plan |= {"distributor": found["distributor"] and found["distributor"].id, "batch_name": batch.name}
    plan |= {"currency": found["product"].currency}
    for name in ("activation_at", "expires_at"):
        plan[name] = None if plan[name] is None else micros(plan[name])
    return plan


# Running -------------------------------------------------------------------------------------------------------------


def run(
    work: Work, data_dir: Path, now: Callable[[], datetime], keep_on: Callable[[int], bool] = lambda _: True
) -> bool:
    """Make the accounts of a job, or the rest of them; True when all are there and the job has ended.

    `keep_on(done)` is asked after every chunk; when it says no, the job is given back and the next run goes on. Raises LeaseLost.
    """
    path = _file(work, data_dir)
    with path.open("r+b") as file:
        file.truncate(work.kept.get("octets", 0))
        file.seek(0, os.SEEK_END)
        if file.tell() == 0:
            file.write(_lines([HEADS]))
        done, ids = work.done, _ids(work)
        while done < work.total:
            made = _chunk(work, file, ids, done, now())
            if not made:
                _fail(work, done, now())
                path.unlink()
                return True
            done += made
            if done < work.total and not keep_on(done):
                jobs.give_back(work)
                return False
    _finish(work, path, now())
    keep_on(done)
    return True


def _file(work: Work, data_dir: Path) -> Path:
    """The job's file, made where it is missing: passwords stand in it, so it is its owner's alone."""
    folder = data_dir / CARDS
    folder.mkdir(mode=0o700, exist_ok=True)
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in work.plan["batch_name"])
    path = folder / f"{work.id:06d}-{name}.csv"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    _sync(folder)
    _sync(data_dir)
    return path


def _sync(folder: Path) -> None:
    """What is in a folder is there after a power cut, too: a file that is synced is not yet in its folder."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _ids(work: Work) -> Iterator[str]:
    numbering = Numbering(work.plan["prefix"], work.plan["length"])
    return card.drawn(numbering, lambda: _taken(numbering), secrets.randbelow)


def _taken(numbering: Numbering) -> set[int]:
    """The places in use. Length and prefix are looked at by the database, the rest here."""
    length, width = len(numbering.prefix) + max(numbering.free_digits, 0), len(numbering.prefix)
    sql = "SELECT login FROM account WHERE length(login) = ? AND substr(login, 1, ?) = ?"
    places = (numbering.place(row["login"]) for row in rows(sql, length, width, numbering.prefix))
    return {place for place in places if place is not None}


@db.transaction
def _chunk(work: Work, file: Any, ids: Iterator[str], done: int, at: datetime) -> int:
    """One transaction of accounts, their lines written before it; returns how many: 0 where no ID is left."""
    logins = _free(ids, min(CHUNK_ACCOUNTS, work.total - done))
    if not logins:
        return 0
    passwords = [_passwords(work) for _ in logins]
    first = _next_control_number()
    _insert(work, logins, passwords, first, at)
    lines = [
        (work.plan["batch_name"], f"{first + place:010d}", login, login if web else "", web, service)
        for place, (login, (service, web)) in enumerate(zip(logins, passwords, strict=True))
    ]
    octets = file.tell()
    try:
        file.write(_lines(lines))
        file.flush()
        os.fsync(file.fileno())
        jobs.keep(work, done + len(logins), {"octets": file.tell()}, at)
    except BaseException:
        file.truncate(octets)
        raise
    return len(logins)


def _free(ids: Iterator[str], count: int) -> list[str]:
    """So many IDs that nobody has; fewer only where no more are left."""
    free: dict[str, None] = {}
    while len(free) < count:
        some = [login for login, _ in zip(ids, range(count - len(free)), strict=False)]
        if not some:
            break
        used = {row["login"] for row in rows(f"SELECT login FROM account WHERE login IN ({marks(some)})", *some)}  # noqa: S608
        free |= {login: None for login in some if login not in used}
    return list(free)


def _passwords(work: Work) -> tuple[str, str]:
    """The service password and the password of self-care; "" for one that is not wanted."""
    service = credentials.draw_password() if work.plan["service_passwords"] else ""
    web = credentials.draw_password() if work.plan["self_care"] == "auto-generated" else ""
    return service, web


def _next_control_number() -> int:
    return int(rows("SELECT COALESCE(MAX(control_number), 0) + 1 AS next FROM account")[0]["next"])


_COLUMNS = (
    "login", "customer_id", "product_id", "wallet_id", "batch_id", "control_number", "job_id", "distributor_id", "type",
    "service_password", "web_login", "web_password", "activated", "activation_at", "expires_at", "days_after_first_use",
    "days_after_last_use", "e_commerce", "time_zone", "language",
)  # fmt: skip


def _insert(work: Work, logins: list[str], passwords: list[tuple[str, str]], first: int, at: datetime) -> None:
    plan = work.plan
    wallets = [row["id"] for row in _insert_many("wallet", ("currency", "credit_limit_micros"), _wallets(plan, logins))]
    accounts = [
        (
            login,
            plan["customer"],
            plan["product"],
            wallet_id,
            plan["batch"],
            first + place,
            work.id,
            plan["distributor"],
            plan["type"],
            _hashed(service),
            login if web else None,
            _hashed(web),
            False,
            plan["activation_at"],
            plan["expires_at"],
            plan["days_after_first_use"],
            plan["days_after_last_use"],
            plan["e_commerce"],
            plan["time_zone"],
            plan["language"],
        )
        for place, (login, wallet_id, (service, web)) in enumerate(zip(logins, wallets, passwords, strict=True))
    ]
    made = _insert_many("account", _COLUMNS, accounts)
    if plan["opening_balance_micros"]:
        amount_micros = plan["opening_balance_micros"]
        openings = [
            (
                ledger.Wallet(wallet_id, plan["currency"]),
                Entry(f"opening:{wallet_id}", "opening balance", amount_micros, work.asked_by, account["id"]),
            )
            for wallet_id, account in zip(wallets, made, strict=True)
        ]
        ledger.write_each(openings, at)


def _wallets(plan: dict[str, Any], logins: list[str]) -> list[tuple[Any, ...]]:
    return [(plan["currency"], plan["credit_limit_micros"]) for _ in logins]


def _hashed(password: str) -> str:
    return credentials.hash_drawn(password) if password else ""


def _insert_many(table: str, columns: tuple[str, ...], values: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Insert rows by one statement; returns their ids, in order."""
    line = f"({marks(columns)})"
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([line] * len(values))} RETURNING id"  # noqa: S608
    return sorted(rows(sql, *(value for row in values for value in row)), key=lambda row: int(row["id"]))


def _lines(values: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(values)
    return text.getvalue().encode()


@db.transaction
def _finish(work: Work, path: Path, at: datetime) -> None:
    """All are there: from now on they may be used, unless they wait to be activated by hand."""
    waits = work.plan["requires_activation"]
    said = f"{work.total:,} accounts in batch {work.plan['batch_name']}" + (
        ", to be activated by hand" if waits else ""
    )
    if not waits:
        change("UPDATE account SET activated = ? WHERE job_id = ?", True, work.id)
    jobs.end(work, said, at, file=f"{CARDS}/{path.name}")


@db.transaction
def _fail(work: Work, done: int, at: datetime) -> None:
    """Others have taken the IDs meanwhile. What was made is closed: nobody gets half a batch."""
    change("UPDATE account SET closed = ? WHERE job_id = ?", True, work.id)
    jobs.end(work, f"no ID was left after {done:,}; those made are closed. Ask for a greater length.", at, failed=True)


# Whole batches -------------------------------------------------------------------------------------------------------


class BatchBusy(Exception):
    """A batch whose accounts are still being made; the message says so."""


def set_activated(batch: Batch, made_by: str, at: datetime) -> int:
    """Let every account of a batch be used; returns how many could not be before. Raises BatchBusy."""
    return _set(batch, "activated", True, "activate", made_by, at)


def set_blocked(batch: Batch, blocked: bool, made_by: str, at: datetime) -> int:
    """Block every account of a batch, or unblock it; returns how many changed. Calls in progress end. Raises BatchBusy."""
    return _set(batch, "blocked", blocked, "block" if blocked else "unblock", made_by, at)


@db.transaction
def _set(batch: Batch, column: str, value: bool, action: str, made_by: str, at: datetime) -> int:
    making = Job.select().join(Account, on=Account.job == Job.id)
    if making.where((Account.batch == batch) & Job.state.in_(("waiting", "running"))).exists():
        raise BatchBusy(f"the accounts of batch {batch.name} are still being made; try again when they are")
    sql = f"UPDATE account SET {column} = ? WHERE batch_id = ? AND {column} <> ?"  # noqa: S608 - a name of ours
    changed = change(sql, value, batch.id, value)
    _audit(f"{action} {changed} accounts", f"batch {batch.name}", made_by, at)
    return changed


def _audit(action: str, subject: str, made_by: str, at: datetime) -> None:
    Audit.create(at=at, made_by=made_by, action=action, subject=subject)
