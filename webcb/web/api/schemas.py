"""The schemas of the contract, as OpenAPI 3.1 has them: CAMARA's first, then ours. Pure."""

from typing import Any, Final

from webcb import camara

NUMBER: Final = {"type": "string", "pattern": r"^\+[1-9][0-9]{1,14}$"}
AMOUNT: Final = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,6}$"}
INSTANT: Final = {"type": "string", "format": "date-time"}
INSTANT_OR_NONE: Final = {"type": ["string", "null"], "format": "date-time"}
NEXT: Final = {"type": ["integer", "null"], "description": "`after` of the next page"}
FUNDS: Final[dict[str, Any]] = {
    "currency": {"type": "string"},
    "balance": AMOUNT,
    "locked": AMOUNT,
    "creditLimit": AMOUNT,
    "available": AMOUNT,
}
_OF_FUNDS: Final = " ".join(FUNDS)
_TEXT: Final = {"type": "string"}


def _object(required: str, *, is_closed: bool = False, **properties: Any) -> dict[str, Any]:
    found = {"type": "object", "required": required.split(), "properties": properties}
    return found | ({"additionalProperties": False} if is_closed else {})


def ref(schema: str) -> dict[str, str]:
    """A reference to a schema."""
    return {"$ref": f"#/components/schemas/{schema}"}


def _pages(schema: str) -> dict[str, Any]:
    return _object("items next", items={"type": "array", "items": ref(schema)}, next=NEXT)


SCHEMAS: Final[dict[str, Any]] = {
    "Party": _object("number", is_closed=True, number=NUMBER),
    "SinkCredential": _object(
        "credentialType accessToken accessTokenExpiresUtc accessTokenType",
        is_closed=True,
        credentialType={"type": "string", "enum": ["ACCESSTOKEN"]},
        accessToken={"type": "string", "pattern": "^[!-~]{1,4000}$"},
        accessTokenExpiresUtc=INSTANT,
        accessTokenType={"type": "string", "enum": ["bearer"]},
    ),
    "CreateCallRequest": _object(
        "caller callee",
        is_closed=True,
        caller=ref("Party"),
        callee=ref("Party"),
        sink={"type": "string", "format": "uri", "maxLength": 1000, "description": "https; is told of every state"},
        sinkCredential=ref("SinkCredential"),
        recordingEnabled={"type": "boolean"},
    ),
    "Call": _object(
        "callId caller callee status createdAt recordingEnabled",
        callId=_TEXT,
        caller=ref("Party"),
        callee=ref("Party"),
        status={"type": "string", "enum": list(camara.STATES)},
        reason={"type": "string", "enum": list(camara.REASONS), "description": "of `disconnected`"},
        callDuration={"type": "string", "pattern": "^[0-9]+$", "description": "seconds of talk, of `disconnected`"},
        recordingEnabled={"type": "boolean"},
        createdAt=INSTANT,
    ),
    "CallStatusChangedEvent": _object(
        "id source type specversion time data",
        id={"type": "string", "format": "uuid"},
        source={"type": "string", "format": "uri-reference"},
        type={"type": "string", "enum": [camara.EVENT_TYPE]},
        specversion={"type": "string", "enum": ["1.0"]},
        datacontenttype={"type": "string", "enum": ["application/json"]},
        time=INSTANT,
        data=_object(
            "callId caller callee status timestamp",
            callId=_TEXT,
            caller=NUMBER,
            callee=NUMBER,
            status=_object(
                "state",
                state={"type": "string", "enum": list(camara.STATES)},
                reason={"type": "string", "enum": list(camara.REASONS)},
            ),
            callDuration=_TEXT,
            timestamp=INSTANT,
        ),
    ),
    "ErrorInfo": _object("status code message", status={"type": "integer"}, code=_TEXT, message=_TEXT),
    "Problem": _object(
        "type title status detail",
        type=_TEXT,
        title=_TEXT,
        status={"type": "integer"},
        detail=_TEXT,
        problems={
            "type": "array",
            "items": _object("line field text", line={"type": "integer"}, field=_TEXT, text=_TEXT),
        },
    ),
    "QuoteRequest": _object("caller callee", is_closed=True, caller=ref("Party"), callee=ref("Party")),
    "CodeRequest": _object(
        "caller callee",
        is_closed=True,
        caller=ref("Party"),
        callee=ref("Party"),
        language={"type": "string", "enum": ["en", "es", "pt", "fr", "de", "ru", "ar"], "description": "of the voice"},
        again={"type": "boolean", "description": "the caller has not heard the last one"},
    ),
    "Code": _object(
        "state",
        state={"type": "string", "enum": ["being said", "said before", "not needed"]},
        goodUntil=INSTANT,
    ),
    "HeardRequest": _object(
        "caller callee code",
        is_closed=True,
        caller=ref("Party"),
        callee=ref("Party"),
        code={"type": "string", "maxLength": 16},
    ),
    "Proof": _object("provenUntil", provenUntil=INSTANT),
    "Price": _object("pricePerMinute", pricePerMinute=AMOUNT),
    "Quote": _object(
        "currency longestSeconds caller callee",
        currency=_TEXT,
        longestSeconds={"type": "integer", "minimum": 0},
        caller=ref("Price"),
        callee=ref("Price"),
    ),
    "OwnAccount": _object(f"id {_OF_FUNDS}", id=_TEXT, **FUNDS),
    "Account": _object(
        f"id customer product type balanceControl state firstUsed lastUsed {_OF_FUNDS}",
        id=_TEXT,
        customer=_TEXT,
        product=_TEXT,
        type={"type": "string", "enum": ["debit", "credit"]},
        balanceControl={"type": "string", "enum": ["individual", "subordinate"]},
        state={"type": "string", "enum": ["active", "inactive", "expired", "blocked", "closed", "no funds"]},
        firstUsed=INSTANT_OR_NONE,
        lastUsed=INSTANT_OR_NONE,
        **FUNDS,
    ),
    "Accounts": _pages("Account"),
    "FundsRequest": _object(
        "kind amount",
        is_closed=True,
        kind={"type": "string", "enum": ["payment", "refund", "manual credit", "promotional credit", "manual charge"]},
        amount={"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,6})?$"},
        note={"type": "string", "maxLength": 500},
    ),
    "Xdr": _object(
        "id kind callId leg number billTime usedSeconds chargedSeconds amount currency cause",
        id={"type": "integer"},
        kind={"type": "string", "enum": ["charge", "refund"]},
        callId=_TEXT,
        leg={"type": "string", "pattern": "^(A|B[0-9]{0,3})$"},
        number=_TEXT,
        connectTime=INSTANT_OR_NONE,
        billTime=INSTANT,
        usedSeconds={"type": "integer", "minimum": 0},
        chargedSeconds={"type": "integer", "minimum": 0},
        amount=AMOUNT,
        currency=_TEXT,
        cause={"type": "integer", "description": "Q.850"},
    ),
    "Xdrs": _pages("Xdr"),
    "Applied": _object(
        "dryRun changes counts notes",
        dryRun={"type": "boolean"},
        changes={"type": "array", "items": _TEXT},
        counts={"type": "object", "additionalProperties": {"type": "object"}},
        notes={"type": "array", "items": _TEXT},
    ),
}
