"""The code that is said to the caller, for programs: have it said, then hand in what was heard. Both before the order."""

from typing import Final

from flask import Response, jsonify, make_response

from webcb import clock
from webcb.billing import code_call
from webcb.billing.authorization import Refusal
from webcb.billing.proof import GOOD_FOR, Answer
from webcb.web import languages
from webcb.web.api import calls
from webcb.web.api.desk import Unreadable, blueprint, body, instant, numbers, refuse, ring, text
from webcb.web.bearer import with_key
from webcb.web.problem import problem

CODE_LENGTH_MAX: Final = 16
_SAID: Final = {
    Answer.WRONG: (422, "This is not the code that was said. Five of them may be tried.", "CODE_WRONG"),
    Answer.OVER: (422, "This code is not good any more. Have another one said: POST /api/v1/codes.", "CODE_OVER"),
    Answer.NONE_ASKED: (409, "No code was asked for. Have one said: POST /api/v1/codes.", "NO_CODE"),
}


@blueprint.post("/codes")
@with_key("calls")
def say_code() -> Response:
    """Call the caller and say a code, where the service wants his phone to be proven: 202, or 200 where it needs none."""
    sent = body("caller", "callee", "language", "again")
    language, again = text(sent, "language", 2, default=languages.ENGLISH), sent.get("again", False)
    if language not in languages.NAMES:
        raise Unreadable(400, f"language is one of {', '.join(languages.NAMES)}.")
    if not isinstance(again, bool):
        raise Unreadable(400, "again is true or false.")
    caller, callee = numbers(sent)
    at = clock.utc_now()
    asked = code_call.ask(calls.order(caller, callee, "code"), language, at, again=again)
    if isinstance(asked, Refusal):
        return refuse(asked)
    if asked is None:
        return make_response(jsonify(state="not needed"), 200)
    if asked.is_new:
        ring("doorbell")
        return make_response(jsonify(state="being said", goodUntil=instant(at + GOOD_FOR)), 202)
    return make_response(jsonify(state="said before"), 202)


@blueprint.post("/codes/heard")
@with_key("calls")
def enter_code() -> Response:
    """Hand in the code that the caller heard: his number is proven for this account until `provenUntil`."""
    sent = body("caller", "callee", "code")
    caller, callee = numbers(sent)
    found = code_call.enter(calls.order(caller, callee, "code"), text(sent, "code", CODE_LENGTH_MAX), clock.utc_now())
    if isinstance(found, Answer):
        return problem(*_SAID[found])
    return jsonify(provenUntil=instant(found))
