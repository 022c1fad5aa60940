"""What a program is told that does not get what it asked for: RFC 9457 problems, and CAMARA's own errors on its paths."""

from typing import Any, Final

from flask import Response, json, request

API: Final = "/api/"
CAMARA: Final = "/api/v1/click-to-dial/"

# HTTP status -> CAMARA's code (Commonalities, API design guide) and what is said where nothing better is.
CODES: Final = {
    400: ("INVALID_ARGUMENT", "The request is not one this service understands."),
    401: ("UNAUTHENTICATED", "Send a valid API key: Authorization: Bearer <key>."),
    403: ("PERMISSION_DENIED", "This API key may not do that."),
    404: ("NOT_FOUND", "There is no such thing."),
    405: ("METHOD_NOT_ALLOWED", "This address does not know that method."),
    409: ("CONFLICT", "This Idempotency-Key was used for another request."),
    413: ("INVALID_ARGUMENT", "The request is too large."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "Send application/json."),
    422: ("UNPROCESSABLE", "The request cannot be carried out."),
    429: ("TOO_MANY_REQUESTS", "Too many requests. Wait a minute."),
    500: ("INTERNAL", "Something went wrong on our side."),
    503: ("UNAVAILABLE", "The service is away for a moment."),
}


def problem(
    status: int, said: str = "", code: str = "", extensions: dict[str, Any] | None = None, **headers: str
) -> Response:
    """An answer of this status with a code and a sentence, in the form that the path's contract has."""
    usual_code, usual_words = CODES.get(status, ("INTERNAL", "Something went wrong."))
    code, said = code or usual_code, said or usual_words
    body: dict[str, Any]
    if request.path.startswith(CAMARA):
        body, kind = {"status": status, "code": code, "message": said}, "application/json"
    else:
        body = {"type": "about:blank", "title": code, "status": status, "detail": said} | (extensions or {})
        kind = "application/problem+json"
    answer = Response(json.dumps(body), status, content_type=kind)
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer
