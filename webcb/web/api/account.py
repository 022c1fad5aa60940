"""What a key's own account may ask: what a call would cost, its funds, its xDRs."""

from typing import Any

from flask import Response, jsonify

from webcb import clock
from webcb.billing import reception
from webcb.billing.authorization import Refusal
from webcb.models import Xdr
from webcb.money import format_amount
from webcb.web.access import public
from webcb.web.api import calls, contract
from webcb.web.api.desk import amounts, blueprint, body, instant, numbers, page, refuse
from webcb.web.bearer import current, with_key


@blueprint.get("/openapi.json")
@public
def description() -> Response:
    """The contract, OpenAPI 3.1."""
    return jsonify(contract.OPENAPI)


@blueprint.post("/quotes")
@with_key("account")
def quote() -> Response:
    """What the call would cost, and the longest talk; calls nobody."""
    caller, callee = numbers(body("caller", "callee"))
    found = reception.quote(calls.order(caller, callee, "quote"), clock.utc_now())
    if isinstance(found, Refusal):
        return refuse(found)
    prices = {"caller": found.pricing_a, "callee": found.pricing_b}
    return jsonify(
        currency=found.currency,
        longestSeconds=found.longest_seconds,
        **{name: {"pricePerMinute": format_amount(each.price_per_minute_micros)} for name, each in prices.items()},
    )


@blueprint.get("/account")
@with_key("account")
def account() -> Response:
    """The key's account: balance, and what of it is locked by calls that go on."""
    return jsonify(id=current().account.login, **funds(current().account.wallet))


@blueprint.get("/xdrs")
@with_key("account")
def xdrs() -> Response:
    """The account's xDRs, newest first, `limit` a page; `next` leads on."""
    return jsonify(page(Xdr.select().where(Xdr.account == current().account), Xdr.id, xdr))


def funds(wallet: Any) -> dict[str, Any]:
    """What a wallet has: negative is owed."""
    return {
        "currency": wallet.currency,
        **amounts(
            balance=wallet.balance_micros,
            locked=wallet.locked_micros,
            creditLimit=wallet.credit_limit_micros,
            available=wallet.balance_micros + wallet.credit_limit_micros - wallet.locked_micros,
        ),
    }


def xdr(row: Any) -> dict[str, Any]:
    """A rated leg."""
    return {
        "id": row.id,
        "kind": row.kind,
        "callId": row.callback_id,
        "leg": row.leg,
        "number": f"+{row.cld}",
        "connectTime": instant(row.connect_time),
        "billTime": instant(row.bill_time),
        "usedSeconds": row.used_quantity,
        "chargedSeconds": row.charged_quantity,
        "amount": format_amount(row.charged_micros),
        "currency": row.currency,
        "cause": row.disconnect_cause,
    }
