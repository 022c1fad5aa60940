"""CAMARA ClickToDial: createCall, getCall, terminateCall, getRecording. One Idempotency-Key is one call.

A call between the same two that still goes on is in the way of another (409), whatever the key.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from flask import Response, json, make_response, request

from webcb import camara, clock, db, webhook
from webcb.billing import credentials, query, reception
from webcb.billing.authorization import Refusal
from webcb.billing.reception import Order, Placed
from webcb.models import Callback, Sink
from webcb.number import Number
from webcb.web import found
from webcb.web.api.desk import Unreadable, blueprint, body, idempotency_key, numbers, refuse, ring
from webcb.web.bearer import current, webhook_networks, with_key

TOKEN_LENGTH_MAX = 4000
_MARK = "api."  # how idempotency keys of calls begin that were placed here


@blueprint.post("/click-to-dial/calls")
@with_key("calls")
def create_call() -> Response:
    """Place a callback: caller is A, callee B. The same Idempotency-Key with the same body is the same call."""
    sent = body("caller", "callee", "sink", "sinkCredential", "recordingEnabled")
    if sent.get("recordingEnabled"):
        raise Unreadable(422, "Calls are not recorded.", "RECORDING_NOT_SUPPORTED")
    sink = _sink(sent)
    caller, callee = numbers(sent)
    placed = _place_once(order(caller, callee, _key(sent)), sink, clock.utc_now())
    if isinstance(placed, Refusal):
        return refuse(placed)
    if placed.is_new:
        ring("doorbell")
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
    """Hang up both legs; 409 where the call has ended."""
    callback = _own(call_id)
    if not reception.ask_release(callback.id, "user", clock.utc_now()):
        raise Unreadable(409, "This call has ended.")
    ring("doorbell")
    return Response(status=204)


@blueprint.get("/click-to-dial/calls/<call_id>/recording")
@with_key("calls")
def get_recording(call_id: str) -> Response:
    """There is none: calls are not recorded."""
    _own(call_id)
    raise Unreadable(404, "Calls are not recorded.")


# Placing -------------------------------------------------------------------------------------------------------------


def order(caller: Number, callee: Number, key: str) -> Order:
    """What the key asks for, for its account."""
    return Order(
        voice_application=current().voice_application.path,
        login=current().account.login,
        password=None,
        number_a=caller,
        number_b=callee,
        idempotency_key=key,
        requested_from=(request.remote_addr or "")[:64],
    )


def _key(sent: dict[str, Any]) -> str:
    """The idempotency key of the callback: whose, which, and of which body."""
    which = hashlib.sha256((idempotency_key() or secrets.token_hex(16)).encode(errors="replace")).hexdigest()[:32]
    written = hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()[:12]
    return f"{_MARK}{current().id}.{which}.{written}"[:64]


def _sink(sent: dict[str, Any]) -> dict[str, Any] | None:
    """The columns of the sink that the order names; None where it names none."""
    url, credential = sent.get("sink"), sent.get("sinkCredential")
    if url is None:
        if credential is not None:
            raise Unreadable(400, "A sinkCredential needs a sink.")
        return None
    try:
        if not isinstance(url, str):
            raise ValueError("write a URL, as in https://example.com/calls")
        webhook.read_url(url, webhook_networks())
    except ValueError as wrong:
        raise Unreadable(400, f"sink: {wrong}.", "INVALID_ARGUMENT") from None
    return {"url": url} | ({} if credential is None else _credential(credential))


def _credential(sent: Any) -> dict[str, Any]:
    known = {"credentialType", "accessToken", "accessTokenExpiresUtc", "accessTokenType"}
    if not isinstance(sent, dict) or set(sent) != known or sent["credentialType"] != "ACCESSTOKEN":
        raise Unreadable(400, "A sinkCredential is an ACCESSTOKEN with all its four properties.", "INVALID_CREDENTIAL")
    token = sent["accessToken"]
    if sent["accessTokenType"] != "bearer" or not isinstance(token, str):
        raise Unreadable(400, "accessTokenType is bearer.", "INVALID_TOKEN")
    if not 1 <= len(token) <= TOKEN_LENGTH_MAX or not token.isascii() or not token.isprintable() or " " in token:
        raise Unreadable(400, "accessToken is no token.", "INVALID_TOKEN")
    try:
        expires_at = datetime.fromisoformat(sent["accessTokenExpiresUtc"])
        if expires_at.tzinfo is None or not 2000 < expires_at.year < 9000:
            raise ValueError
    except (TypeError, ValueError):
        raise Unreadable(
            400, "accessTokenExpiresUtc is an instant with its zone, as in 2030-01-31T00:00:00Z."
        ) from None
    return {"sealed_token": credentials.seal(token), "token_expires_at": expires_at}


@db.transaction
def _place_once(wanted: Order, sink: dict[str, Any] | None, at: datetime) -> Placed | Refusal:
    """Place it unless this Idempotency-Key was used for another request; its account's row held, two stand in line."""
    account_id = current().account.id
    query.hold("SELECT id FROM account WHERE id = ?", account_id)
    head = wanted.idempotency_key.rpartition(".")[0] + "."
    used = query.row(
        "SELECT idempotency_key FROM callback WHERE account_id = ? AND idempotency_key >= ? AND idempotency_key < ?",
        account_id,
        head,
        head + "~",
    )
    if used is not None and used["idempotency_key"] != wanted.idempotency_key:
        raise Unreadable(409)
    if used is None and _is_active(account_id, wanted):
        raise Unreadable(409, "A call between these two goes on already.", "ALREADY_EXISTS")
    placed = reception.place(wanted, at)
    if isinstance(placed, Placed) and placed.is_new:
        _write_sinks(placed.callback_id, sink)
    return placed


_ACTIVE = """
    SELECT callback.id FROM callback
      JOIN leg AS a ON a.callback_id = callback.id AND a.name = 'A' AND a.cld = ?
      JOIN leg AS b ON b.callback_id = callback.id AND b.name = 'B' AND b.cld = ?
     WHERE callback.account_id = ? AND callback.state <> 'ended'
"""


def _is_active(account_id: int, wanted: Order) -> bool:
    return query.row(_ACTIVE, wanted.number_a.digits, wanted.digits_b, account_id) is not None


def _write_sinks(callback_id: str, sink: dict[str, Any] | None) -> None:
    """Who is to be told of the call: the sink of the order, and the webhook of the key."""
    key = current()
    if sink is not None:
        Sink.create(callback=callback_id, api_key=key, **sink)
    if key.webhook_url and (sink is None or sink["url"] != key.webhook_url):
        Sink.create(callback=callback_id, api_key=key, url=key.webhook_url)


# Showing -------------------------------------------------------------------------------------------------------------


def _own(call_id: str) -> Any:
    """The callback of this id that this key's account placed by the API; for everybody else it does not exist."""
    row: Any = found.one(Callback, "id = ?", call_id) if call_id.isalnum() and call_id.isascii() else None
    if row is None or row.account_id != current().account_id or not row.idempotency_key.startswith(_MARK):
        raise Unreadable(404)
    return row


def _call(callback: Any) -> dict[str, Any]:
    digits = dict(query.tuples("SELECT name, cld FROM leg WHERE callback_id = ?", callback.id))
    status = camara.status(callback.state, callback.ending, has_talked=callback.talking_at is not None)
    call: dict[str, Any] = {
        "callId": callback.id,
        "caller": {"number": f"+{digits['A']}"},
        "callee": {"number": f"+{digits['B']}"},
        "status": status.state,
        "recordingEnabled": False,
        "createdAt": camara.instant(callback.requested_at),
    }
    if status.reason:
        call["reason"] = status.reason
        call["callDuration"] = str(talked_seconds(callback))
    return call


def talked_seconds(callback: Any) -> int:
    """How long the two talked, in whole seconds."""
    if callback.talking_at is None or callback.ended_at is None:
        return 0
    talked: timedelta = callback.ended_at - callback.talking_at
    return max(0, round(talked.total_seconds()))
