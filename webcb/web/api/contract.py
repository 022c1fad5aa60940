"""The contract of the API, OpenAPI 3.1, as /api/v1/openapi.json serves it: CAMARA ClickToDial and what stands beside it. Pure."""

from typing import Any, Final

from webcb import __version__
from webcb.web.api.schemas import SCHEMAS, ref

_PROBLEM: Final = "application/problem+json"
_CORRELATOR: Final = {
    "name": "x-correlator",
    "in": "header",
    "schema": {"type": "string", "pattern": r"^[a-zA-Z0-9\-_:;./<>{}]{0,256}$"},
}
_CALL_ID: Final = {"name": "callId", "in": "path", "required": True, "schema": {"type": "string"}}
_ACCOUNT_ID: Final = {"name": "accountId", "in": "path", "required": True, "schema": {"type": "string"}}
_CUSTOMER: Final = {"name": "customer", "in": "query", "schema": {"type": "string"}}


def _idempotency(*, required: bool) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return {"name": "Idempotency-Key", "in": "header", "required": required, "schema": schema}


def _number(name: str, least: int, most: int) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "integer", "minimum": least, "maximum": most}}


def _flag(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "boolean"}}


_PAGE: Final = (_number("limit", 1, 200), _number("after", 0, 2**62))


def _answer(schema: str, kind: str = "application/json") -> dict[str, Any]:
    return {"description": schema, "content": {kind: {"schema": ref(schema)}}}


def _operation(
    name: str,
    said: str,
    scope: str,
    good: dict[str, Any],
    errors: str,
    *parameters: Any,
    body: Any = None,
    camara: bool = False,
) -> dict[str, Any]:
    wrong = _answer("ErrorInfo") if camara else _answer("Problem", _PROBLEM)
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": said,
        "description": f"Needs a key with the scope `{scope}`.",
        "parameters": [*parameters, _CORRELATOR],
        "responses": good | dict.fromkeys(f"401 403 429 {errors}".split(), wrong),
    }
    if body is not None:
        content = {"application/json": {"schema": ref(body)}} if isinstance(body, str) else body
        operation["requestBody"] = {"required": True, "content": content}
    return operation


_CALLBACKS: Final = {
    "callStatusChanged": {
        "{$request.body#/sink}": {
            "post": {
                "summary": "The call has another state; signed as Standard Webhooks has it.",
                "requestBody": {
                    "required": True,
                    "content": {"application/cloudevents+json": {"schema": ref("CallStatusChangedEvent")}},
                },
                "responses": {"2XX": {"description": "taken; whatever else comes, it is sent again"}},
            }
        }
    }
}

_CALLS: Final = {
    "/click-to-dial/calls": {
        "post": _operation(
            "createCall",
            "Call the caller, then the callee, and connect them.",
            "calls",
            {"201": _answer("Call")},
            "400 409 413 415 422",
            _idempotency(required=False),
            body="CreateCallRequest",
            camara=True,
        )
        | {"callbacks": _CALLBACKS}
    },
    "/click-to-dial/calls/{callId}": {
        "get": _operation(
            "getCall", "Where it stands.", "calls", {"200": _answer("Call")}, "404", _CALL_ID, camara=True
        ),
        "delete": _operation(
            "terminateCall",
            "Hang up.",
            "calls",
            {"204": {"description": "asked for"}},
            "404 409",
            _CALL_ID,
            camara=True,
        ),
    },
    "/click-to-dial/calls/{callId}/recording": {
        "get": _operation("getRecording", "Calls are not recorded.", "calls", {}, "404", _CALL_ID, camara=True)
    },
}

_OWN: Final = {
    "/quotes": {
        "post": _operation(
            "quote",
            "What a call would cost; calls nobody.",
            "account",
            {"200": _answer("Quote")},
            "400 413 415 422",
            body="QuoteRequest",
        )
    },
    "/codes": {
        "post": _operation(
            "sayCode",
            "Call the caller and say a code, where his phone is to be proven.",
            "calls",
            {"200": _answer("Code"), "202": _answer("Code")},
            "400 413 415 422",
            body="CodeRequest",
        )
    },
    "/codes/heard": {
        "post": _operation(
            "enterCode",
            "Hand in the code that the caller heard.",
            "calls",
            {"200": _answer("Proof")},
            "400 409 413 415 422",
            body="HeardRequest",
        )
    },
    "/account": {"get": _operation("getAccount", "The key's account.", "account", {"200": _answer("OwnAccount")}, "")},
    "/xdrs": {
        "get": _operation(
            "listXdrs", "The account's xDRs, newest first.", "account", {"200": _answer("Xdrs")}, "400", *_PAGE
        )
    },
}

_OPERATOR: Final = {
    "/accounts": {
        "get": _operation(
            "listAccounts", "All accounts.", "accounts", {"200": _answer("Accounts")}, "400", *_PAGE, _CUSTOMER
        )
    },
    "/accounts/{accountId}": {
        "get": _operation("getAccountById", "An account.", "accounts", {"200": _answer("Account")}, "404", _ACCOUNT_ID)
    },
    "/accounts/{accountId}/xdrs": {
        "get": _operation(
            "listXdrsOfAccount",
            "The xDRs of an account, newest first.",
            "accounts",
            {"200": _answer("Xdrs")},
            "400 404",
            *_PAGE,
            _ACCOUNT_ID,
        )
    },
    "/accounts/{accountId}/funds": {
        "post": _operation(
            "changeFunds",
            "A payment, a credit or a charge by hand.",
            "funds",
            {"201": _answer("Account")},
            "400 404 409 413 415 422",
            _ACCOUNT_ID,
            _idempotency(required=True),
            body="FundsRequest",
        )
    },
    "/provisioning": {
        "get": _operation(
            "exportConfiguration",
            "The configuration, as `webcb export` writes it.",
            "provisioning",
            {"200": {"description": "YAML", "content": {"application/yaml": {"schema": {}}}}},
            "",
        ),
        "post": _operation(
            "applyConfiguration",
            "Make the configuration what the file says, as `webcb apply` does: all of it or nothing.",
            "provisioning",
            {"200": _answer("Applied")},
            "400 413 415 422",
            _flag("dryRun"),
            _flag("setPasswords"),
            body={"application/json": {"schema": {"type": "object"}}, "application/yaml": {"schema": {}}},
        ),
    },
}

OPENAPI: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {"title": "webcb", "version": __version__, "description": "See the page for integrators of the handbook."},
    "servers": [{"url": "/api/v1"}],
    "security": [{"key": []}],
    "paths": _CALLS | _OWN | _OPERATOR,
    "components": {"schemas": SCHEMAS, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
}
