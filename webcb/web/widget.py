"""The button on an operator's own web site: its script, and what the script asks for from there.

No cookie, no third party. A voice application names the sites that may have it; asked from elsewhere, it is not there. A browser says
truly where it comes from, a program need not: what can be done with it is limited by the guards, as on the page.
"""

import hashlib
import hmac
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, abort, current_app, jsonify, request
from flask_babel import force_locale

from webcb import brand, clock, doorbell
from webcb.billing import code_call, credentials, reception
from webcb.billing.authorization import Refusal
from webcb.billing.code_call import Asked
from webcb.billing.reception import CallbackKind, Order
from webcb.models import Callback, VoiceApplication
from webcb.number import NumberError, parse_number
from webcb.web import availability, branding, found, languages, progress, refusals, throttle, visitor
from webcb.web.access import from_elsewhere, public
from webcb.web.forms import number_error
from webcb.web.languages import gettext
from webcb.web.printing import in_words, money
from webcb.web.quotation import Quotation, quotation

SCRIPT: Final = Path(__file__).parent / "static" / "widget.js"
KEPT_SECONDS: Final = 300
PREFLIGHT_SECONDS: Final = 600
TEXT_LENGTH_MAX: Final = 64
_DIGEST_LENGTH: Final = 16

blueprint = Blueprint("widget", __name__, url_prefix="/widget")


@blueprint.get("/<path>.js")
@public
def script(path: str) -> Response:
    """The script; the same for all, it knows by its own address which voice application it is of."""
    if not _application(path).widget_origins:
        abort(404)
    answer = Response(SCRIPT.read_text(), mimetype="text/javascript")
    answer.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@blueprint.get("/<path>/look")
@public
def look(path: str) -> Any:
    """Name, colours, words and what is asked for: `{"name", "light", "dark", "asks", "words", "state"}`."""
    application = _allowed(path)
    color = application.color or "#0f766e"
    shades = {"light": brand.light_shades(color), "dark": brand.dark_shades(color)}
    with force_locale(_language()):
        words = {
            "open": gettext("Call me"),
            "number": gettext("Number to be called at"),
            "login": gettext("Account ID"),
            "call": gettext("Call Me Now!"),
            "close": gettext("Close"),
            "code": gettext("Code"),
            "again": gettext("Call me again with a code"),
            "release": gettext("Hang up"),
            "away": gettext("Calls cannot be made for the moment; it is being worked on. Try again in a few minutes."),
            "closed": gettext("This service is closed at the moment."),
        }
        own = branding.of(application)
        return jsonify(
            name=own.name,
            headline=own.headline or own.name,
            welcome=own.welcome,
            direction=languages.direction(),
            asks=["login", "number"] if _asks_account(application) else ["number"],
            state=availability.look(application, clock.utc_now()).state,
            words=words,
            **{name: [each.accent, each.strong, each.ink] for name, each in shades.items()},
        )


@blueprint.post("/<path>/calls")
@from_elsewhere
@public
def call(path: str) -> Any:
    """Place a callback: 201 `{"id", "token"}`, 200 `{"price", "quoted"}` where the price has not been seen, 422 `{"error"}`, 503.

    200 `{"code"}` where A is being told a code: the same is sent again with it as `code`, or with `again` to hear another.
    """
    application = _allowed(path)
    said = request.get_json(silent=True)
    typed = (
        {
            name: str(said.get(name, ""))[:TEXT_LENGTH_MAX]
            for name in ("number", "login", "mark", "quoted", "code", "again")
        }
        if isinstance(said, dict)
        else {}
    )
    if not visitor.is_mark(typed.get("mark")):
        abort(400)
    at = clock.utc_now()
    with force_locale(_language()):
        order = _order(application, typed)
        if isinstance(order, str):
            return jsonify(error=order), 422
        placed = reception.placed_before(order)
        if placed is not None:
            return _placed(placed)
        if availability.look(application, at).state == "down":
            return jsonify(error=gettext("Calls cannot be made for the moment.")), 503
        if _asks_account(application):
            priced = reception.quote(order, at)
            if isinstance(priced, Refusal):
                return jsonify(error=refusals.words(priced, order.kind).text), 422
            shown = quotation(priced, order.number_a.digits, application.second_number)
            if typed["quoted"] != shown.mark:
                return jsonify(price=_price(shown, code_call.payer(order, at)), quoted=shown.mark)
        again = typed["again"] == "again"
        verdict = code_call.place(order, typed["code"], languages.language(), at, again=again)
        if isinstance(verdict, Refusal):
            return jsonify(error=refusals.words(verdict, order.kind).text), 422
        if isinstance(verdict, Asked):
            said = gettext(
                "We are calling %(number)s and say a code of six figures, twice.",
                number=languages.isolated(typed["number"]),
            )
            if verdict.is_new:
                doorbell.ring(current_app.extensions["webcb_doorbell"])
            return jsonify(code=said)
    doorbell.ring(current_app.extensions["webcb_doorbell"])
    return _placed(verdict.callback_id)


@blueprint.post("/<path>/calls/<callback_id>/now")
@from_elsewhere
@public
def now(path: str, callback_id: str) -> Any:
    """Where it stands: `{"headline", "detail", "is_ended", "is_releasing"}`, for who has its token."""
    _allowed(path)
    callback = _owned(callback_id)
    with force_locale(_language()):
        sight = progress.look(callback.id)
        return jsonify(
            headline=sight.headline, detail=sight.detail, is_ended=sight.is_ended, is_releasing=sight.is_releasing
        )


@blueprint.post("/<path>/calls/<callback_id>/release")
@from_elsewhere
@public
def release(path: str, callback_id: str) -> Any:
    """Hang up."""
    _allowed(path)
    if reception.ask_release(_owned(callback_id).id, "user", clock.utc_now()):
        doorbell.ring(current_app.extensions["webcb_doorbell"])
    return "", 204


@blueprint.after_request
def _say_who_may(answer: Response) -> Response:
    """To a browser: which site may read this (Fetch, 3.2); never with cookies."""
    path = (request.view_args or {}).get("path", "")
    application = found.one(VoiceApplication, "path = ?", path) if path.isprintable() else None
    answer.vary.add("Origin")
    if application is not None and _is_allowed(application):
        answer.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        answer.headers["Access-Control-Allow-Methods"] = "GET, POST"
        answer.headers["Access-Control-Allow-Headers"] = "Content-Type"
        answer.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    return answer


# ---------------------------------------------------------------------------------------------------------------------


def _application(path: str) -> VoiceApplication:
    return branding.application_at(path)


def _allowed(path: str) -> VoiceApplication:
    """The voice application, where it is asked for from one of its sites; 404 else, as where there is none."""
    application = _application(path)
    if not _is_allowed(application) or _kind(application) is None:
        abort(404)
    return application


def _is_allowed(application: VoiceApplication) -> bool:
    origin = request.headers.get("Origin", "")
    return bool(origin) and origin in application.widget_origins.split(",")


def _kind(application: VoiceApplication) -> CallbackKind | None:
    """Simple on the account the operator named, else Hosted, else Simple: a password is never asked for on another site.

    None where the page asks for a signed link or a sum, which the button has not: it is no way around them.
    """
    if application.needs_link or application.challenge_bits is not None:
        return None
    kinds = application.kinds.split(",")
    if "simple" in kinds and application.widget_account is not None:
        return "simple"
    return "hosted" if "hosted" in kinds else "simple" if "simple" in kinds else None


def _asks_account(application: VoiceApplication) -> bool:
    return _kind(application) == "simple" and application.widget_account is None


def _language() -> str:
    asked = request.args.get("language", "")[:TEXT_LENGTH_MAX].partition("-")[0].lower()
    return asked if asked in languages.NAMES else languages.ENGLISH


def _order(application: VoiceApplication, typed: dict[str, str]) -> Order | str:
    kind = _kind(application)
    assert kind is not None  # noqa: S101 - looked at before
    try:
        number_a = parse_number(typed["number"].replace("\0", ""), application.default_country)
    except NumberError as wrong:
        return number_error(wrong)
    login = ""
    if kind == "simple":
        own = application.widget_account
        login = own.login if own is not None else typed["login"].replace("\0", "").strip()
    if kind == "simple" and not login:
        return gettext("Enter your account ID.")
    words = "\n".join((application.path, kind, login, number_a.digits))
    digest = hashlib.sha256(words.encode(errors="replace")).hexdigest()[:_DIGEST_LENGTH]
    key = f"w.{typed['mark']}.{digest}"
    return Order(
        application.path, login, None, number_a, None, key, throttle.source(), kind, holder=f"w.{typed['mark']}"
    )


def _price(shown: Quotation, code_paid_by: str | None) -> list[str]:
    legs = ((gettext("To you"), shown.leg_a), (gettext("To them"), shown.leg_b))
    prices = [
        f"{name}: {gettext('%(price)s a minute', price=money(leg.price_per_minute_micros, shown.currency))}"
        for name, leg in legs
    ]
    code = [gettext("First we call this phone and say a code, to know that you are there.")] if code_paid_by else []
    if code_paid_by == "account":
        code.append(gettext("That call is charged as the call to you."))
    return [*prices, f"{gettext('You can talk for up to')} {in_words(shown.longest_seconds)}", *code]


def _placed(callback_id: str) -> Any:
    return jsonify(id=callback_id, token=credentials.sign("widget", callback_id)), 201


def _owned(callback_id: str) -> Callback:
    """The callback whose token was sent; 404 for anybody else."""
    said = request.get_json(silent=True)
    token = str(said.get("token", "")) if isinstance(said, dict) else ""
    right = credentials.sign("widget", callback_id)
    callback = found.one(Callback, "id = ?", callback_id) if callback_id.isalnum() else None
    if callback is None or not hmac.compare_digest(right.encode(), token.encode(errors="replace")):
        abort(404)
    return callback
