"""The contract of the API, OpenAPI 3.1, as /api/v1/openapi.json serves it: CAMARA ClickToDial and what stands beside it. Pure."""

from typing import Any, Final

from webcb import __version__

_NUMBER: Final = {"type": "string", "pattern": r"^\+[1-9][0-9]{1,14}$"}
_AMOUNT: Final = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,6}$"}
_INSTANT: Final = {"type": "string", "format": "date-time"}
_REASONS: Final = (
    "hangUp callerBusy callerNoAnswer callerFailure callerAbandon calleeBusy calleeNoAnswer calleeFailure other"
)
_STATES: Final = "initiating callingCaller callingCallee connected disconnected failed"


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


_SCHEMAS: Final = {
    "CreateCallRequest": _object("caller callee", caller=_NUMBER, callee=_NUMBER, recordingEnabled={"type": "boolean"}),
    "Call": _object(
        "callId caller callee status",
        callId={"type": "string"},
        caller=_NUMBER,
        callee={"type": "string", "description": "empty while a caller in a voice menu has not dialled yet"},
        status=_object(
            "state",
            state={"type": "string", "enum": _STATES.split()},
            reason={"type": "string", "enum": _REASONS.split()},
        ),
        recordingEnabled={"type": "boolean"},
        callDuration={"type": "integer", "minimum": 0, "description": "seconds"},
        createdAt=_INSTANT,
    ),
    "ErrorInfo": _object(
        "status code message",
        status={"type": "integer"},
        code={"type": "string"},
        message={"type": "string"},
    ),
    "Problem": _object(
        "type title status detail",
        type={"type": "string"},
        title={"type": "string"},
        status={"type": "integer"},
        detail={"type": "string"},
    ),
    "QuoteRequest": _object("caller callee", caller=_NUMBER, callee=_NUMBER),
    "Price": _object("pricePerMinute", pricePerMinute=_AMOUNT),
    "Quote": _object(
        "currency longestSeconds caller callee",
        currency={"type": "string"},
        longestSeconds={"type": "integer", "minimum": 0},
        caller={"$ref": "#/components/schemas/Price"},
        callee={"$ref": "#/components/schemas/Price"},
    ),
    "Account": _object(
        "id currency balance locked creditLimit available",
        id={"type": "string"},
        currency={"type": "string"},
        balance=_AMOUNT,
        locked=_AMOUNT,
        creditLimit=_AMOUNT,
        available=_AMOUNT,
    ),
    "Xdr": _object(
        "id kind callId leg number billTime usedSeconds chargedSeconds amount currency cause",
        id={"type": "integer"},
        kind={"type": "string", "enum": ["charge", "refund"]},
        callId={"type": "string"},
        leg={"type": "string", "enum": ["A", "B"]},
        number={"type": "string"},
        connectTime={"type": ["string", "null"], "format": "date-time"},
        billTime=_INSTANT,
        usedSeconds={"type": "integer", "minimum": 0},
        chargedSeconds={"type": "integer", "minimum": 0},
        amount=_AMOUNT,
        currency={"type": "string"},
        cause={"type": "integer", "description": "Q.850"},
    ),
    "Xdrs": _object(
        "items next",
        items={"type": "array", "items": {"$ref": "#/components/schemas/Xdr"}},
        next={"type": ["integer", "null"], "description": "`after` of the next page"},
    ),
}

_CORRELATOR: Final = {
    "name": "x-correlator",
    "in": "header",
    "schema": {"type": "string", "pattern": "^[a-zA-Z0-9-]{0,55}$"},
}
_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_CALL_ID: Final = {"name": "callId", "in": "path", "required": True, "schema": {"type": "string"}}


def _page(name: str, most: int) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": most}}


def _answer(schema: str, kind: str = "application/json") -> dict[str, Any]:
    return {"description": schema, "content": {kind: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


def _operation(
    name: str, said: str, good: dict[str, Any], errors: str, *parameters: Any, body: str = "", camara: bool = False
) -> dict[str, Any]:
    wrong = _answer("ErrorInfo") if camara else _answer("Problem", "application/problem+json")
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": said,
        "parameters": [*parameters, _CORRELATOR],
        "responses": good | dict.fromkeys(f"401 403 429 {errors}".split(), wrong),
    }
    if body:
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


OPENAPI: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {"title": "webcb", "version": __version__, "description": "See the page for integrators of the handbook."},
    "servers": [{"url": "/api/v1"}],
    "security": [{"key": []}],
    "paths": {
        "/click-to-dial/calls": {
            "post": _operation(
                "createCall",
                "Call the caller, then the callee, and connect them.",
                {"201": _answer("Call")},
                "400 409 413 415 422",
                _IDEMPOTENCY,
                body="CreateCallRequest",
                camara=True,
            )
        },
        "/click-to-dial/calls/{callId}": {
            "get": _operation("getCall", "Where it stands.", {"200": _answer("Call")}, "404", _CALL_ID, camara=True),
            "delete": _operation(
                "terminateCall", "Hang up.", {"204": {"description": "asked for"}}, "404", _CALL_ID, camara=True
            ),
        },
        "/quotes": {
            "post": _operation(
                "quote",
                "What a call would cost; calls nobody.",
                {"200": _answer("Quote")},
                "400 413 415 422",
                body="QuoteRequest",
            )
        },
        "/account": {"get": _operation("getAccount", "The key's account.", {"200": _answer("Account")}, "")},
        "/xdrs": {
            "get": _operation(
                "listXdrs",
                "The account's xDRs, newest first.",
                {"200": _answer("Xdrs")},
                "400",
                _page("limit", 200),
                _page("after", 2**62),
            )
        },
    },
    "components": {"schemas": _SCHEMAS, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
}
