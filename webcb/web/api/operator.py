"""What a key of the operator may ask: accounts, their funds and xDRs, payments, the configuration as `webcb apply` has it."""

import hashlib
from typing import Any, Final

from flask import Response, jsonify, request

from webcb import clock
from webcb.billing import ledger
from webcb.billing.account import Account as AccountValue
from webcb.billing.account import state_shown
from webcb.models import Account, Customer, Product, Wallet, Xdr
from webcb.money import AmountError, parse_amount
from webcb.provisioning import apply as provisioning
from webcb.provisioning import document
from webcb.provisioning.export import export
from webcb.web.api.account import funds, xdr
from webcb.web.api.desk import Unreadable, blueprint, body, idempotency_key, instant, page, ring, text, yes_or_no
from webcb.web.bearer import current, with_key
from webcb.web.problem import problem

PROVISIONING_BYTES_MAX: Final = 8 * 1024 * 1024
PROBLEMS_SAID_MAX: Final = 100
ADDING: Final = ("payment", "refund", "manual credit", "promotional credit")
TAKING: Final = ("manual charge",)
NOTE_LENGTH_MAX: Final = 500
YAML: Final = "application/yaml"


@blueprint.get("/accounts")
@with_key("accounts")
def accounts() -> Response:
    """All accounts, in the order in which they were made; `customer` has those of one."""
    rows = _accounts()
    name = request.args.get("customer")
    if name is not None:
        rows = rows.where(Customer.name == name.replace("\0", ""))
    return jsonify(page(rows, Account.id, _account, descending=False))


@blueprint.get("/accounts/<login>")
@with_key("accounts")
def account_of(login: str) -> Response:
    """One account by its ID."""
    return jsonify(_account(_named(login)))


@blueprint.get("/accounts/<login>/xdrs")
@with_key("accounts")
def xdrs_of(login: str) -> Response:
    """The xDRs of an account, newest first."""
    return jsonify(page(Xdr.select().where(Xdr.account == _named(login)), Xdr.id, xdr))


@blueprint.post("/accounts/<login>/funds")
@with_key("funds")
def change_funds(login: str) -> Any:
    """A payment, credit or charge by hand; the same Idempotency-Key is posted once, and answered alike."""
    sent = body("kind", "amount", "note")
    sent_key = idempotency_key()
    if sent_key is None:
        raise Unreadable(400, "Send an Idempotency-Key: what is posted twice is then paid once.")
    kind = sent.get("kind")
    if kind not in ADDING + TAKING:
        raise Unreadable(400, f"kind is one of {', '.join(ADDING + TAKING)}.")
    row, amount_micros, note = _named(login), _amount(sent), text(sent, "note", NOTE_LENGTH_MAX, default="")
    key = f"api:{current().id}:{hashlib.sha256(sent_key.encode(errors='replace')).hexdigest()[:32]}"
    made_by = f"key:{current().name}"[:64]
    try:
        ledger.post(
            row.wallet.id,
            row.id,
            kind,
            -amount_micros if kind in TAKING else amount_micros,
            key,
            made_by,
            note,
            clock.utc_now(),
        )
    except ledger.BalanceTooLarge as wrong:
        raise Unreadable(422, f"The amount is not taken: {wrong}.") from None
    except ValueError:
        raise Unreadable(409) from None
    ring("doorbell")  # a call that runs out of money goes on
    return jsonify(_account(_named(login))), 201


@blueprint.get("/provisioning")
@with_key("provisioning")
def exported() -> Response:
    """The whole configuration, as `webcb export` writes it."""
    return Response(export(clock.utc_now()), content_type=YAML)


@blueprint.post("/provisioning")
@with_key("provisioning")
def applied() -> Response:
    """Apply a file, YAML or JSON, as `webcb apply` does: all of it or, where anything is wrong, nothing."""
    dry_run, set_passwords = yes_or_no("dryRun"), yes_or_no("setPasswords")
    if request.mimetype not in (YAML, "application/json"):
        raise Unreadable(415, f"Send {YAML} or application/json.")
    request.max_content_length = PROVISIONING_BYTES_MAX
    read = document.read(request.get_data(cache=False))
    try:
        report = provisioning.apply(
            read,
            clock.utc_now(),
            f"key:{current().name}"[:64],
            file="api",
            dry_run=dry_run,
            set_passwords=set_passwords,
        )
    except provisioning.ApplyRefused as refused:
        return _refused(refused)
    if not dry_run:
        ring("doorbell")
    return jsonify(
        dryRun=dry_run,
        changes=[line.said() for line in report.lines],
        counts={noun: dict(counts) for noun, counts in report.counts.items()},
        notes=report.notes,
    )


def _refused(refused: provisioning.ApplyRefused) -> Response:
    found = [
        {"line": each.line, "field": each.field, "text": each.text} for each in refused.problems[:PROBLEMS_SAID_MAX]
    ]
    said = f"{len(refused.problems)} problems; nothing was changed."
    return problem(422, said, "REFUSED", extensions={"problems": found})


# Accounts ------------------------------------------------------------------------------------------------------------


def _accounts() -> Any:
    return (
        Account.select(Account, Customer, Product, Wallet)
        .join(Customer)
        .switch(Account)
        .join(Product)
        .switch(Account)
        .join(Wallet)
    )


def _named(login: str) -> Any:
    row = _accounts().where(Account.login == login).first() if login.isascii() and login.isalnum() else None
    if row is None:
        raise Unreadable(404)
    return row


def _account(row: Any) -> dict[str, Any]:
    wallet = row.wallet
    available = wallet.balance_micros + wallet.credit_limit_micros - wallet.locked_micros
    return {
        "id": row.login,
        "customer": row.customer.name,
        "product": row.product.name,
        "type": row.type,
        "balanceControl": row.balance_control,
        "state": str(state_shown(AccountValue.of(row), available, clock.utc_now())),
        "firstUsed": instant(row.first_used_at),
        "lastUsed": instant(row.last_used_at),
        **funds(wallet),
    }


def _amount(sent: dict[str, Any]) -> int:
    typed = sent.get("amount")
    try:
        amount_micros = parse_amount(typed) if isinstance(typed, str) else 0
    except AmountError as wrong:
        raise Unreadable(400, f"amount: {wrong}.") from None
    if amount_micros <= 0:
        raise Unreadable(400, 'amount is decimal text above 0, as in "10.00".')
    return amount_micros
