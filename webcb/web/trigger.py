"""The trigger pages: a form for each kind, the price shown before anything rings, and the placing of the callback.

Whether they may call, how long and for how much is asked of billing; nothing of it is decided here.
"""

from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from flask import Blueprint, abort, current_app, jsonify, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError

from webcb import clock, doorbell
from webcb.billing import asks, code_call, reception
from webcb.billing.authorization import Reason, Refusal
from webcb.billing.code_call import Asked
from webcb.billing.guard import UNPROVEN
from webcb.billing.reception import CallbackKind, Order
from webcb.models import Callback, Leg, VoiceApplication
from webcb.number import as_typed, country_names, country_of_typed, display_number, example_number
from webcb.web import availability, branding, challenge, errors, found, languages, links, refusals, visitor
from webcb.web.access import public
from webcb.web.availability import Availability
from webcb.web.branding import FRONT_PAGE, application_at
from webcb.web.forms import FORMS, HostedForm, add_error
from webcb.web.languages import gettext, marked
from webcb.web.printing import local_time
from webcb.web.quotation import Quotation, quotation

SOURCE_LENGTH_MAX = 64

DOWN = marked("Calls cannot be made for the moment; it is being worked on. Try again in a few minutes.")

blueprint = Blueprint("trigger", __name__)


@blueprint.get("/", defaults={"path": FRONT_PAGE})
@blueprint.get("/<path>")
@public
def page(path: str) -> Any:
    """The empty form; `?again=<callback>` fills in the numbers of a callback this visitor placed, `?kind=` chooses the kind.

    `?link=` is a signed link, which opens the kinds that ask for no password where the operator wants one.
    """
    application = application_at(path)
    again = _again(request.args.get("again", ""))
    form = _form(application, again.get("kind") or request.args.get("kind"), formdata=None, data=again)
    form.nonce.data = visitor.new_mark()
    visitor.current()
    at = clock.utc_now()
    links.take(request.args.get(links.PARAMETER, ""), application.path, at)
    barred = _without_link(application, _kind(form), at)
    return _show(application, form, notice=refusals.words(barred).text if barred else "")


@blueprint.post("/", defaults={"path": FRONT_PAGE})
@blueprint.post("/<path>")
@public
def order(path: str) -> Any:
    """Show the price, or, once it has been seen, place the callback and lead to its page."""
    application = application_at(path)
    form = _form(application, request.form.get("kind"))
    at = clock.utc_now()
    wanted = _read(form, application, at)
    if wanted is None:
        return _show(application, form), 422
    if request.form.get("step") in ("connect", "code") or wanted.kind == "hosted":
        return _connect(application, form, wanted, at)
    verdict = _quote(application, form, wanted, at)
    if isinstance(verdict, Refusal):
        return _refuse(application, form, verdict)
    return _show(application, form, verdict, code_paid_by=code_call.payer(wanted, at))


@blueprint.post("/quote", defaults={"path": FRONT_PAGE})
@blueprint.post("/<path>/quote")
@public
def quote(path: str) -> Any:
    """The price for the script of the page: `{"html": ...}`, or 422 with `{"errors": {field: text}}`."""
    application = application_at(path)
    form = _form(application, request.form.get("kind"))
    at = clock.utc_now()
    wanted = _read(form, application, at)
    if wanted is None:
        return jsonify(errors={name: str(texts[0]) for name, texts in form.errors.items()}), 422
    verdict = _quote(application, form, wanted, at)
    if isinstance(verdict, Refusal):
        said = refusals.words(verdict, wanted.kind)
        return jsonify(errors={said.field: said.text}), 422
    paid_by = code_call.payer(wanted, at)
    return jsonify(html=render_template("trigger/_quote.html", quote=verdict, code_paid_by=paid_by))


@blueprint.post("/numbers")
@public
def number() -> Any:
    """What has been typed of a number, for the script of the page: `{"text": as its country writes it, "country": its name}`."""
    typed, default_country = request.form.get("typed", ""), request.form.get("country", "")
    if default_country not in country_names():
        abort(400)
    code = country_of_typed(typed, default_country)
    return jsonify(text=as_typed(typed, default_country), country=code and languages.country(code))


@blueprint.errorhandler(CSRFError)
def too_old(_error: CSRFError) -> Any:
    """A form that was open for too long comes back as it was typed, with a word about it: nothing has to be typed twice.

    Only our own page gets this: another site's form must not put words into ours.
    """
    if request.endpoint != "trigger.order" or request.headers.get("Origin") != request.host_url.rstrip("/"):
        return errors.too_old()
    application = application_at((request.view_args or {})["path"])
    form = _form(application, request.form.get("kind"))
    form.nonce.data = visitor.new_mark()
    visitor.current()
    return _show(application, form, notice=gettext(errors.TOO_OLD_FORM)), 400


# Reading -------------------------------------------------------------------------------------------------------------


def _kinds(application: VoiceApplication) -> list[CallbackKind]:
    """The kinds that are enabled, in the order the operator wrote them."""
    return [kind for each in application.kinds.split(",") for kind in FORMS if kind == each.strip()]


def _form(application: VoiceApplication, kind: str | None, **given: Any) -> HostedForm:
    """The form of the kind asked for, else of the first that is enabled."""
    kinds = _kinds(application)
    return FORMS[next((each for each in kinds if each == kind), kinds[0])](**given)


def _kind(form: HostedForm) -> CallbackKind:
    return next(kind for kind, each in FORMS.items() if type(form) is each)


def _again(callback_id: str) -> dict[str, str]:
    callback = found.one(Callback, "id = ?", callback_id) if callback_id.isalnum() else None
    if callback is None or not visitor.has_placed(callback.idempotency_key):
        return {}
    numbers = {leg.name: display_number(leg.cld) for leg in Leg.select().where(Leg.callback == callback)}
    again = {"kind": callback.kind, "number_a": numbers["A"]}
    if callback.kind != "hosted":
        again["login"] = callback.account.login
    if callback.kind == "extended":
        again["number_b"] = numbers["B"]
    return again


def _read(form: HostedForm, application: VoiceApplication, at: datetime) -> Order | None:
    """The order that was typed; None when something is missing or wrong, which is then said beside its field."""
    if not visitor.is_mark(form.nonce.data):
        form.nonce.data = visitor.new_mark()
    form.validate()
    numbers = form.numbers(application.default_country)
    kind, login, nonce, password = _kind(form), form.typed("login"), form.nonce.data, form.typed("password") or None
    if kind == "extended" and password is None and not visitor.has_proof(login, nonce, at):
        add_error(form["password"], gettext("Enter your password."))
    if form.errors or numbers is None:
        return None
    number_a, number_b = numbers
    digits_b = number_b.digits if number_b else ""
    return Order(
        kind=kind,
        voice_application=application.path,
        login=login,
        password=password,
        number_a=number_a,
        number_b=number_b,
        idempotency_key=visitor.idempotency_key(nonce, application.path, kind, login, number_a.digits, digits_b),
        requested_from=(request.remote_addr or "")[:SOURCE_LENGTH_MAX],
        holder=visitor.current() if kind == "hosted" else "",
    )


# Asking --------------------------------------------------------------------------------------------------------------


def _quote(application: VoiceApplication, form: HostedForm, wanted: Order, at: datetime) -> Quotation | Refusal:
    barred = _without_link(application, wanted.kind, at)
    if barred is not None:
        return _counted(barred, wanted, at)
    verdict = reception.quote(wanted, at)
    is_stranger = isinstance(verdict, Refusal) and verdict.reason is Reason.WRONG_CREDENTIALS
    if wanted.password is not None and not is_stranger:
        visitor.remember_proof(wanted.login, form.nonce.data, at)
    if isinstance(verdict, Refusal):
        return verdict
    return quotation(verdict, wanted.number_a.digits, wanted.digits_b or application.second_number)


def _without_link(application: VoiceApplication, kind: CallbackKind, at: datetime) -> Refusal | None:
    """A no where the kind wants a signed link and this visitor has opened none."""
    if not application.needs_link or kind not in UNPROVEN or links.is_held(application.path, at):
        return None
    return Refusal(Reason.LINK_NEEDED)


def _is_unsolved(application: VoiceApplication, form: HostedForm, wanted: Order, at: datetime) -> bool:
    """Whether the browser was to do a sum and has not."""
    bits, nonce, answer = application.challenge_bits, form.nonce.data or "", form.typed("answer")
    if bits is None or wanted.kind not in UNPROVEN:
        return False
    return not challenge.is_solved(application.path, nonce, answer, bits, at)


def _counted(refusal: Refusal, wanted: Order, at: datetime) -> Refusal:
    asks.note_refusal(wanted.voice_application, refusal, wanted.requested_from, at)
    return refusal


def _connect(application: VoiceApplication, form: HostedForm, wanted: Order, at: datetime) -> Any:
    callback_id = reception.placed_before(wanted)
    if callback_id is None:
        if availability.look(application, at).state == "down":
            return _show(application, form, notice=gettext(DOWN)), 503
        # What a hosted callback costs is told on the phone, by the account that logs in there.
        verdict: Any = _without_link(application, wanted.kind, at)
        if verdict is not None:
            return _refuse(application, form, _counted(verdict, wanted, at))
        verdict = None if wanted.kind == "hosted" else _quote(application, form, wanted, at)
        quoted = verdict
        if isinstance(quoted, Quotation) and form.quoted.data != quoted.mark:
            return _show(application, form, quoted, code_paid_by=code_call.payer(wanted, at))
        if not isinstance(verdict, Refusal) and _is_unsolved(application, form, wanted, at):
            return _refuse(application, form, _counted(Refusal(Reason.CHALLENGE_UNSOLVED), wanted, at))
        if not isinstance(verdict, Refusal):
            again = request.form.get("step") == "code"
            typed, language = form.typed("code"), languages.language()
            verdict = code_call.place(replace(wanted, password=None), typed, language, at, again=again)
        if isinstance(verdict, Asked):
            if verdict.is_new:
                doorbell.ring(current_app.extensions["webcb_doorbell"])
            form.code.data = ""
            return _show(application, form, quoted, is_told=True)
        if isinstance(verdict, Refusal):
            # An identical post may have come first and be itself what leaves no funds or no room for this one.
            callback_id = reception.placed_before(wanted)
            if callback_id is None:
                return _refuse(application, form, verdict, quoted if isinstance(quoted, Quotation) else None)
        else:
            callback_id = verdict.callback_id
            doorbell.ring(current_app.extensions["webcb_doorbell"])
    return redirect(url_for("progress.page", callback_id=callback_id), 303)


# Showing -------------------------------------------------------------------------------------------------------------


_OF_CODES = frozenset({Reason.CODE_WRONG, Reason.CODE_OVER, Reason.CODES_TOO_OFTEN})


def _refuse(application: VoiceApplication, form: HostedForm, refusal: Refusal, quote: Quotation | None = None) -> Any:
    said = refusals.words(refusal, _kind(form))
    is_told = refusal.reason in _OF_CODES
    if is_told:
        form.code.data = ""  # nobody wants to rub out what was wrong before he types what is right
    else:
        quote = None
    if said.field:
        add_error(form[said.field], said.text)
        return _show(application, form, quote, is_told=is_told), 422
    return _show(application, form, quote, notice=said.text, is_told=is_told), 422


def _show(
    application: VoiceApplication,
    form: HostedForm,
    quote: Quotation | None = None,
    notice: str = "",
    *,
    is_told: bool = False,
    code_paid_by: str | None = None,
) -> str:
    """`is_told`: A is being told a code, which the page asks for; `code_paid_by`: it will be, once the price was seen."""
    now = availability.look(application, clock.utc_now())
    if now.state == "full" and not notice:
        notice = refusals.words(Refusal(Reason.SERVICE_FULL), _kind(form)).text
    return render_template(
        "trigger/page.html",
        application=application,
        brand=branding.of(application),
        availability=now,
        opens_at=_opens_at(application, now),
        form=form,
        quote=quote,
        notice=notice,
        is_told=is_told,
        code_paid_by=code_paid_by,
        kind=_kind(form),
        kinds=_kinds(application),
        challenge=_challenge(application, form),
        is_proven=visitor.has_proof(form.typed("login"), form.nonce.data, clock.utc_now()),
        dialling=(*_dialling(application.default_country), languages.country(application.default_country)),
    )


def _challenge(application: VoiceApplication, form: HostedForm) -> str:
    """The sum for the browser; "" where none is wanted."""
    if application.challenge_bits is None or _kind(form) not in UNPROVEN:
        return ""
    return challenge.of(application.path, form.nonce.data or "", clock.utc_now())


def _opens_at(application: VoiceApplication, now: Availability) -> str:
    return local_time(now.opens_at, application.time_zone) if now.opens_at else ""


@cache
def _dialling(country: str) -> tuple[int | None, str]:
    """The calling code of a country and a number of it, to show how numbers are written."""
    return country_names().get(country), example_number(country)
