"""The integrators' API: CAMARA ClickToDial (createCall, getCall, terminateCall), prices, the account and its xDRs.

Whether they may call is asked of billing, as by the pages. Who asks is a key's account (bearer.py).
"""

import hashlib
import re
import secrets
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, current_app, jsonify, make_response, request
from werkzeug.exceptions import HTTPException

from webcb import clock, db, doorbell
from webcb.billing import query, reception
from webcb.billing.authorization import Reason, Refusal
from webcb.billing.reception import Order
from webcb.models import Callback, Leg, Xdr
from webcb.money import format_amount
from webcb.number import Number, NumberError, parse_number
from webcb.web import contract, refusals
from webcb.web.access import public
from webcb.web.bearer import current, say_room, with_key
from webcb.web.problem import problem

PAGE_ROWS_MAX: Final = 200
PAGE_ROWS: Final = 50
IDEMPOTENCY_KEY_LENGTH_MAX: Final = 255
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_CORRELATOR = re.compile(r"[a-zA-Z0-9-]{1,55}")

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


class Unreadable(Exception):
    """A request that cannot be understood; `answer` says what is wrong with it."""

    def __init__(self, status: int, said: str = "", code: str = "") -> None:
        super().__init__(said)
        self.answer = problem(status, said, code)


@blueprint.errorhandler(Unreadable)
def unreadable(wrong: Unreadable) -> Response:
    """What is wrong with it, as it was found."""
    return wrong.answer


@blueprint.errorhandler(HTTPException)
def refused(wrong: HTTPException) -> Response:
    """Flask's own refusals, in the API's form."""
    return problem(wrong.code or 500)


@blueprint.after_request
def correlate(answer: Response) -> Response:
    """CAMARA's x-correlator comes back as it was sent."""
    mark = request.headers.get("x-correlator", "")
    if _CORRELATOR.fullmatch(mark):
        answer.headers["x-correlator"] = mark
    return say_room(answer)


@blueprint.get("/openapi.json")
@public
def description() -> Response:
    """The contract, OpenAPI 3.1."""
    return jsonify(contract.OPENAPI)


# Calls ---------------------------------------------------------------------------------------------------------------


@blueprint.post("/click-to-dial/calls")
@with_key("calls")
def create_call() -> Response:
    """Place a callback: caller is A, callee B. The same Idempotency-Key with the same body is the same call."""
    body = _body()
    if body.get("sink") is not None or body.get("sinkCredential") is not None:
        raise Unreadable(400, "Events are not sent to a sink; follow the call by GET.", "INVALID_SINK")
    if body.get("recordingEnabled"):
        raise Unreadable(422, "Calls are not recorded.", "RECORDING_NOT_SUPPORTED")
    caller, callee = _numbers(body)
    at = clock.utc_now()
    placed = _place_once(_order(caller, callee, _key(caller, callee)), at)
    if isinstance(placed, Refusal):
        return _refuse(placed)
    doorbell.ring(current_app.extensions["webcb_doorbell"])
    answer = make_response(_call(_own(placed.callback_id)), 201)
    answer.headers["Location"] = f"{request.path}/{placed.callback_id}"
    return answer


@blueprint.get("/click-to-dial/calls/<call_id>")
@with_key("calls")
def get_call(call_id: str) -> Response:
    """Where the call stands."""
    return make_response(_call(_own(call_id)))


@blueprint.delete("/click-to-dial/calls/<call_id>")
@with_key("calls")
def terminate_call(call_id: str) -> Response:
    """Hang up both legs; a call that has ended stays as it is."""
    callback = _own(call_id)
    if reception.ask_release(callback.id, "user", clock.utc_now()):
        doorbell.ring(current_app.extensions["webcb_doorbell"])
    return Response(status=204)


@db.transaction
def _place_once(order: Order, at: datetime) -> Any:
    """Place it unless this Idempotency-Key was used for another request; its account's row held, two stand in line."""
    query.hold("SELECT id FROM account WHERE id = ?", current().account.id)
    head = order.idempotency_key.rpartition(".")[0] + "."
    used = query.row(
        "SELECT idempotency_key FROM callback WHERE account_id = ? AND idempotency_key >= ? AND idempotency_key < ?",
        current().account.id,
        head,
        head + "~",
    )
    if used is not None and used["idempotency_key"] != order.idempotency_key:
        raise Unreadable(409)
    return reception.place(order, at)


def _key(caller: Number, callee: Number) -> str:
    """The idempotency key of the callback: whose, which, and of which body."""
    sent = request.headers.get("Idempotency-Key")
    if sent is not None and not 1 <= len(sent) <= IDEMPOTENCY_KEY_LENGTH_MAX:
        raise Unreadable(400, f"An Idempotency-Key has 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} characters.")
    which = hashlib.sha256((sent or secrets.token_hex(16)).encode(errors="replace")).hexdigest()[:32]
    body = hashlib.sha256(f"{caller.digits} {callee.digits}".encode()).hexdigest()[:12]
    return f"api.{current().id}.{which}.{body}"[:64]


def _order(caller: Number, callee: Number, key: str) -> Order:
    return Order(
        voice_application=current().voice_application.path,
        login=current().account.login,
        password=None,
        number_a=caller,
        number_b=callee,
        idempotency_key=key,
        requested_from=(request.remote_addr or "")[:64],
    )


def _own(call_id: str) -> Any:
    """The callback of this id that this key's account placed by the API; for everybody else it does not exist."""
    row = Callback.get_or_none(Callback.id == call_id) if call_id.isalnum() and call_id.isascii() else None
    if row is None or row.account != current().account:
        raise Unreadable(404)
    return row


_STATES: Final = {
    "requested": "initiating",
    "calling A": "callingCaller",
    "A answered": "callingCallee",
    "calling B": "callingCallee",
    "talking": "connected",
}
_REASONS: Final = {
    "A busy": "callerBusy",
    "A did not answer": "callerNoAnswer",
    "A unreachable": "callerFailure",
    "A refused": "callerFailure",
    "A hung up": "callerAbandon",
    "B busy": "calleeBusy",
    "B did not answer": "calleeNoAnswer",
    "B unreachable": "calleeFailure",
    "B refused": "calleeFailure",
    "user released": "hangUp",
}


def _status(callback: Any) -> dict[str, str]:
    """CAMARA's state. A call that was never set up and nobody's phone is to blame for has failed."""
    if callback.state == "releasing":
        return {"state": "connected" if callback.talking_at else "callingCaller"}
    if callback.state != "ended":
        return {"state": _STATES[callback.state]}
    if callback.talking_at is not None:
        is_hung_up = callback.ending in ("A hung up", "B hung up", "user released")
        return {"state": "disconnected", "reason": "hangUp" if is_hung_up else "other"}
    reason = _REASONS.get(callback.ending)
    return {"state": "disconnected", "reason": reason} if reason else {"state": "failed"}


def _call(callback: Any) -> dict[str, Any]:
    digits = {leg.name: leg.cld for leg in Leg.select().where(Leg.callback == callback)}
    call: dict[str, Any] = {
        "callId": callback.id,
        "caller": f"+{digits['A']}",
        "callee": f"+{digits['B']}" if "B" in digits else "",
        "status": _status(callback),
        "recordingEnabled": False,
        "createdAt": _instant(callback.requested_at),
    }
    if callback.talking_at is not None and callback.ended_at is not None:
        call["callDuration"] = max(0, round((callback.ended_at - callback.talking_at).total_seconds()))
    return call


# Prices, account, xDRs -----------------------------------------------------------------------------------------------


@blueprint.post("/quotes")
@with_key("account")
def quote() -> Response:
    """What the call would cost, and the longest talk; calls nobody."""
    caller, callee = _numbers(_body())
    found = reception.quote(_order(caller, callee, "quote"), clock.utc_now())
    if isinstance(found, Refusal):
        return _refuse(found)
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
    wallet = current().account.wallet
    amounts = {
        "balance": wallet.balance_micros,
        "locked": wallet.locked_micros,
        "creditLimit": wallet.credit_limit_micros,
        "available": wallet.balance_micros + wallet.credit_limit_micros - wallet.locked_micros,
    }
    return jsonify(
        id=current().account.login,
        currency=wallet.currency,
        **{name: format_amount(amount) for name, amount in amounts.items()},
    )


@blueprint.get("/xdrs")
@with_key("account")
def xdrs() -> Response:
    """The account's xDRs, newest first, `limit` a page; `next` leads on."""
    limit, after = _whole("limit", PAGE_ROWS, 1, PAGE_ROWS_MAX), _whole("after", 2**62, 1, 2**62)
    rows = list(
        Xdr.select()
        .where((Xdr.account == current().account) & (Xdr.id < after))
        .order_by(Xdr.id.desc())
        .limit(limit + 1)
    )
    more = len(rows) > limit
    return jsonify(items=[_xdr(row) for row in rows[:limit]], next=rows[limit - 1].id if more else None)


def _xdr(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "callId": row.callback_id,
        "leg": row.leg,
        "number": f"+{row.cld}",
        "connectTime": _instant(row.connect_time) if row.connect_time else None,
        "billTime": _instant(row.bill_time),
        "usedSeconds": row.used_quantity,
        "chargedSeconds": row.charged_quantity,
        "amount": format_amount(row.charged_micros),
        "currency": row.currency,
        "cause": row.disconnect_cause,
    }


# Reading and refusing ------------------------------------------------------------------------------------------------


def _body() -> dict[str, Any]:
    if not request.is_json:
        raise Unreadable(415)
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Unreadable(400, "The body is not a JSON object.")
    return body


def _numbers(body: dict[str, Any]) -> tuple[Number, Number]:
    found = []
    for name in ("caller", "callee"):
        text = body.get(name)
        if not isinstance(text, str):
            raise Unreadable(400, f"{name} is missing: write a number as in +12065554123.")
        try:
            if not _E164.fullmatch(text):
                raise NumberError("")
            found.append(parse_number(text, "US"))
        except NumberError:
            raise Unreadable(422, f"{name} is no valid E.164 number.", "INVALID_PHONE_NUMBER") from None
    return found[0], found[1]


def _whole(name: str, default: int, least: int, most: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,19}", text) or not least <= int(text) <= most:
        raise Unreadable(400, f"{name} is a whole number from {least} to {most}.")
    return int(text)


_BUSY = frozenset({Reason.TOO_OFTEN, Reason.TOO_MANY, Reason.TOO_MANY_TO_A, Reason.SERVICE_FULL, Reason.TOO_MANY_TRIES})


def _refuse(refusal: Refusal) -> Response:
    said = str(refusals.words(refusal).text)
    if refusal.reason is Reason.SAME_NUMBER:
        return problem(422, said, "SAME_CALLER_CALLEE")
    if refusal.reason in _BUSY:
        return problem(429, said, Retry_After="60")
    if refusal.leg is not None:
        return problem(422, said, "CALLER_NOT_AVAILABLE" if refusal.leg == "A" else "CALLEE_NOT_AVAILABLE")
    return problem(403, said)


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
