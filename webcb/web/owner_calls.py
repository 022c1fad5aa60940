"""Calling from self-care: whom and from where, the price first, then the progress page; and the numbers an owner keeps."""

from dataclasses import dataclass
from typing import Any, Final

from flask import abort, current_app, flash, redirect, render_template, request, url_for

from webcb import clock, db, doorbell
from webcb.billing import code_call, reception, trusted
from webcb.billing.authorization import Reason, Refusal
from webcb.billing.code_call import Asked
from webcb.billing.reception import Order
from webcb.models import Account, SavedDestination, TrustedNumber, VoiceApplication
from webcb.number import Number, NumberError, display_number, parse_number
from webcb.web import availability, languages, refusals, throttle, visitor
from webcb.web.forms import PressForm, add_error, number_error
from webcb.web.languages import gettext, marked
from webcb.web.owner_forms import NumberForm, OwnCallForm
from webcb.web.owning import blueprint, owner
from webcb.web.quotation import Quotation, quotation

SAVED_MAX: Final = 100
NO_SERVICE: Final = marked("There is no service to call through at the moment. Try again later.")


@blueprint.route("/call", methods=["GET", "POST"])
@owner("call")
def own_call(account: Account) -> Any:
    """Be called and connected: the first press shows the price, the second one calls."""
    form = OwnCallForm(data={"number_b": request.args.get("to", "")[:40]})
    application = _application()
    if not form.is_submitted():
        form.nonce.data = visitor.new_mark()
        visitor.current()
        return _show(account, form, notice="" if application else gettext(NO_SERVICE))
    if application is None:
        return _show(account, form, notice=gettext(NO_SERVICE)), 503
    order = _order(account, application, form)
    if order is None:
        return _show(account, form), 422
    at = clock.utc_now()
    verdict: Any = _quoted(order)
    quoted = verdict if isinstance(verdict, Quotation) else None
    step = request.form.get("step")
    if quoted is not None and (step not in ("connect", "code") or form.quoted.data != quoted.mark):
        return _show(account, form, quote=quoted, code_paid_by=code_call.payer(order, at))
    placed = reception.placed_before(order)
    if placed is None and not isinstance(verdict, Refusal):
        verdict = code_call.place(order, form.code.data or "", languages.language(), at, again=step == "code")
    if placed is None and isinstance(verdict, Asked):
        if verdict.is_new:
            doorbell.ring(current_app.extensions["webcb_doorbell"])
        form.code.data = ""
        return _show(account, form, quote=quoted, is_told=True)
    if placed is None and isinstance(verdict, Refusal):
        return _refuse(account, form, verdict, quoted), 422
    doorbell.ring(current_app.extensions["webcb_doorbell"])
    return redirect(url_for("progress.page", callback_id=placed or verdict.callback_id), 303)


def _refuse(account: Account, form: OwnCallForm, refusal: Refusal, quoted: Quotation | None) -> str:
    said = refusals.words(refusal)
    is_told = refusal.reason in (Reason.CODE_WRONG, Reason.CODE_OVER, Reason.CODES_TOO_OFTEN)
    quote = quoted if is_told else None
    if said.field in ("number_a", "number_b", "code"):
        add_error(form[said.field], said.text)
        return _show(account, form, quote, is_told=is_told)
    return _show(account, form, quote, said.text, is_told=is_told)


def _application() -> VoiceApplication | None:
    """The voice application that offers Extended and can call now: that of the front page, else the first."""
    offering = VoiceApplication.select().where(VoiceApplication.active).order_by(VoiceApplication.path)
    at = clock.utc_now()
    return next(
        (each for each in offering if "extended" in each.kinds.split(",") and availability.look(each, at).is_open), None
    )


def _order(account: Account, application: VoiceApplication, form: OwnCallForm) -> Order | None:
    if not visitor.is_mark(form.nonce.data):
        form.nonce.data = visitor.new_mark()
    form.validate()
    number_a = _number(form.number_a, application.default_country)
    number_b = _number(form.number_b, application.default_country)
    if form.errors or number_a is None or number_b is None:
        return None
    nonce = form.nonce.data
    key = visitor.idempotency_key(nonce, application.path, "own", account.login, number_a.digits, number_b.digits)
    return Order(application.path, account.login, None, number_a, number_b, key, throttle.source())


def _number(field: Any, default_country: str) -> Number | None:
    if field.errors:
        return None
    try:
        return parse_number(field.data or "", default_country)
    except NumberError as wrong:
        add_error(field, number_error(wrong))
        return None


def _quoted(order: Order) -> Quotation | Refusal:
    verdict = reception.quote(order, clock.utc_now())
    if isinstance(verdict, Refusal):
        return verdict
    return quotation(verdict, order.number_a.digits, order.digits_b)


def _show(
    account: Account,
    form: OwnCallForm,
    quote: Quotation | None = None,
    notice: str = "",
    *,
    is_told: bool = False,
    code_paid_by: str | None = None,
) -> str:
    application = _application()
    return render_template(
        "selfcare/own_call.html",
        account=account,
        form=form,
        quote=quote,
        notice=notice,
        is_told=is_told,
        code_paid_by=code_paid_by,
        own=[display_number(each.digits) for each in _trusted(account)],
        saved=_saved(account),
        country=application.default_country if application else "US",
    )


# Numbers -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """A number on the page: what ends it is its digits."""

    digits: str
    name: str = ""


@blueprint.route("/numbers", methods=["GET", "POST"])
@owner("numbers")
def numbers(account: Account) -> Any:
    """Trusted numbers, from which no PIN is asked, and saved destinations."""
    form = NumberForm()
    if not form.is_submitted():
        return _numbers(account, form)
    application = VoiceApplication.select().order_by(VoiceApplication.path).first()
    number = _number(form.number, application.default_country if application else "US") if form.validate() else None
    if number is not None and request.form.get("step") == "trust":
        try:
            trusted.trust(account.id, account.login, number.digits, _who(account), clock.utc_now())
        except trusted.TrustProblem:
            add_error(form.number, gettext("This number cannot be trusted: it is another account's, or there are 20."))
            number = None
    elif number is not None and not _save(account, number.digits, form.name.data or display_number(number.digits)):
        add_error(form.number, gettext("No more than %(max)d numbers are kept: remove one first.", max=SAVED_MAX))
        number = None
    if number is None:
        return _numbers(account, form), 422
    flash(gettext("Saved."))
    return redirect(url_for("selfcare.numbers"), 303)


@blueprint.post("/numbers/forget")
@owner("numbers")
def forget_number(account: Account) -> Any:
    """Take a number from either list."""
    form = PressForm()
    if not form.validate():
        abort(400)
    digits = request.form.get("digits", "")[:15]
    if request.form.get("step") == "trust":
        if any(each.digits == digits for each in _trusted(account)):
            trusted.untrust(digits, _who(account), clock.utc_now())
    else:
        with db.writing():
            mine = (SavedDestination.account == account) & (SavedDestination.digits == digits)
            SavedDestination.delete().where(mine).execute()  # type: ignore[misc]
    return redirect(url_for("selfcare.numbers"), 303)


def _save(account: Account, digits: str, name: str) -> bool:
    """Keep a number, or its new name; False where there are as many as may be."""
    with db.writing():
        mine = SavedDestination.account == account
        SavedDestination.delete().where(mine, SavedDestination.digits == digits).execute()  # type: ignore[misc]
        if SavedDestination.select().where(mine).count() >= SAVED_MAX:
            return False
        SavedDestination.create(account=account, digits=digits, name=name)
        return True


def _who(account: Account) -> str:
    return f"owner:{account.login}"[:64]


def _trusted(account: Account) -> list[Kept]:
    rows = TrustedNumber.select().where(TrustedNumber.account == account).order_by(TrustedNumber.id)
    return [Kept(row.digits) for row in rows]


def _saved(account: Account) -> list[Kept]:
    rows = SavedDestination.select().where(SavedDestination.account == account).order_by(SavedDestination.id)
    return [Kept(row.digits, row.name) for row in rows]


def _numbers(account: Account, form: NumberForm) -> str:
    return render_template(
        "selfcare/numbers.html",
        account=account,
        form=form,
        step=request.form.get("step", "save"),
        trusted=_trusted(account),
        saved=_saved(account),
        press=PressForm(formdata=None),
    )
