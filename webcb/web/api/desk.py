"""What all routes of the API share: the blueprint, how a request is read, how it is refused."""

import re
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException

from webcb.billing.authorization import Reason, Refusal
from webcb.money import format_amount
from webcb.number import Number, NumberError, parse_number
from webcb.web import refusals
from webcb.web.bearer import say_room
from webcb.web.problem import problem

PAGE_ROWS: Final = 50
PAGE_ROWS_MAX: Final = 200
IDEMPOTENCY_KEY_LENGTH_MAX: Final = 255
ID_MAX: Final = 2**62

_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_CORRELATOR = re.compile(r"[a-zA-Z0-9\-_:;./<>{}]{1,256}")

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


class Unreadable(Exception):
    """A request that cannot be done; `answer` says why."""

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


def ring(bell: str) -> None:
    """Wake who works at what was just written: "doorbell" the engine, "clerk_bell" the clerk."""
    from webcb import doorbell

    doorbell.ring(getattr(current_app.extensions["webcb_settings"], bell))


def body(*known: str) -> dict[str, Any]:
    """The JSON object that was sent; it has no other properties than the `known` ones."""
    if not request.is_json:
        raise Unreadable(415)
    try:
        sent = request.get_json(silent=True)
    except RecursionError:
        raise Unreadable(400, "The body is too deeply nested.") from None
    if not isinstance(sent, dict):
        raise Unreadable(400, "The body is not a JSON object.")
    unknown = sorted(set(sent) - set(known))
    if unknown:
        raise Unreadable(400, f"There is no property {unknown[0][:40]!r}; write {', '.join(known)}.")
    return sent


def numbers(sent: dict[str, Any]) -> tuple[Number, Number]:
    """Caller and callee, each `{"number": "+..."}`."""
    found = []
    for name in ("caller", "callee"):
        party = sent.get(name)
        text = party.get("number") if isinstance(party, dict) and set(party) <= {"number"} else None
        if not isinstance(text, str):
            raise Unreadable(400, f'{name} is missing: write {{"number": "+12065554123"}}.')
        try:
            if not _E164.fullmatch(text):
                raise NumberError("")
            found.append(parse_number(text, "US"))
        except NumberError:
            raise Unreadable(422, f"{name} is no valid E.164 number.", "INVALID_PHONE_NUMBER") from None
    return found[0], found[1]


def text(sent: dict[str, Any], name: str, length_max: int, *, default: str | None = None) -> str:
    """A property that is a line of text; `default` None: it must be there."""
    value = sent.get(name, default)
    if not isinstance(value, str) or len(value) > length_max or not (value.isprintable() or not value):
        raise Unreadable(400, f"{name} is a line of text of at most {length_max} characters.")
    return value


def idempotency_key() -> str | None:
    """The Idempotency-Key that was sent; None where there is none."""
    sent = request.headers.get("Idempotency-Key")
    if sent is not None and not 1 <= len(sent) <= IDEMPOTENCY_KEY_LENGTH_MAX:
        raise Unreadable(400, f"An Idempotency-Key has 1 to {IDEMPOTENCY_KEY_LENGTH_MAX} characters.")
    return sent


def whole(name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query string."""
    sent = request.args.get(name)
    if sent is None:
        return default
    if not re.fullmatch(r"[0-9]{1,19}", sent) or not least <= int(sent) <= most:
        raise Unreadable(400, f"{name} is a whole number from {least} to {most}.")
    return int(sent)


def yes_or_no(name: str) -> bool:
    """A true or false of the query string; false where it is not there."""
    sent = request.args.get(name, "false")
    if sent not in ("true", "false"):
        raise Unreadable(400, f"{name} is true or false.")
    return sent == "true"


def page(rows: Any, key: Any, shown: Any, *, descending: bool = True) -> dict[str, Any]:
    """One page of a query by its id, `limit` rows after `after`; `next` leads on."""
    limit = whole("limit", PAGE_ROWS, 1, PAGE_ROWS_MAX)
    after = whole("after", ID_MAX if descending else 0, 0, ID_MAX)
    query = rows.where(key < after).order_by(key.desc()) if descending else rows.where(key > after).order_by(key)
    found = list(query.limit(limit + 1))
    return {
        "items": [shown(row) for row in found[:limit]],
        "next": found[limit - 1].id if len(found) > limit else None,
    }


_BUSY = frozenset(
    {Reason.TOO_OFTEN, Reason.TOO_MANY, Reason.TOO_MANY_TO_NUMBER, Reason.SERVICE_FULL, Reason.TOO_MANY_TRIES}
)


_PROVE: Final = "Have it said by POST /api/v1/codes, hand it in by POST /api/v1/codes/heard, then place the call again."


def refuse(refusal: Refusal) -> Response:
    """Billing's no, in CAMARA's words."""
    said = str(refusals.words(refusal).text)
    if refusal.reason is Reason.SAME_NUMBER:
        return problem(422, said, "SAME_CALLER_CALLEE")
    if refusal.reason is Reason.CODE_NEEDED:
        return problem(403, f"{said} {_PROVE}", "CALLER_NOT_PROVEN")
    if refusal.reason is Reason.CODES_TOO_OFTEN:
        return problem(429, said, Retry_After="3600")
    if refusal.reason in _BUSY:
        return problem(429, said, Retry_After="60")
    if refusal.leg is not None:
        return problem(422, said, "CALLER_NOT_AVAILABLE" if refusal.leg == "A" else "CALLEE_NOT_AVAILABLE")
    return problem(403, said)


def instant(at: datetime | None) -> str | None:
    """RFC 3339, to the second; None where there is none."""
    return None if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")


def amounts(**micros: int) -> dict[str, str]:
    """Amounts as decimal text."""
    return {name: format_amount(amount) for name, amount in micros.items()}
