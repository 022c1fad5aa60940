"""Self-care at /selfcare: the owner of an account sees its funds and calls, tops it up, and changes what is his to change."""

import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import flask_babel
from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, session, url_for

from webcb import clock, db, doorbell
from webcb.billing import credentials, reception, voucher
from webcb.models import Account, Callback, Xdr
from webcb.money import format_amount
from webcb.web import owning, progress, throttle
from webcb.web.access import public
from webcb.web.explaining import in_words
from webcb.web.forms import PressForm, add_error
from webcb.web.languages import gettext, marked
from webcb.web.owner_forms import PasswordForm, SettingsForm, SignInForm, VoucherForm
from webcb.web.owning import owner

PAGE_ROWS: Final = 25
CSV_ROWS_MAX: Final = 10_000
NUMBER_LENGTH_MAX: Final = 15

blueprint = Blueprint("selfcare", __name__, url_prefix="/selfcare")

_VOUCHER_WORDS: Final = {
    "mistyped": marked("This is not a voucher code. Check its 16 digits."),
    "unknown": marked("There is no such voucher. Check its 16 digits."),
    "used": marked("This voucher was used before."),
    "expired": marked("This voucher has expired."),
    "another currency": marked("This voucher is in another currency than your account."),
}


# Coming and going ----------------------------------------------------------------------------------------------------


@blueprint.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> Any:
    """Ask who it is; five wrong passwords for a login close it for a while, whether it exists or not."""
    form = SignInForm()
    if not form.is_submitted():
        return render_template("selfcare/sign_in.html", form=form)
    at = clock.utc_now()
    if form.validate():
        if owning.is_closed(form.login.data, at):
            add_error(form.password, gettext("Too many tries failed. Wait 15 minutes and try again."))
        else:
            account = owning.check(form.login.data, form.password.data, at)
            if account is not None:
                owning.begin(account, at)
                return redirect(url_for("selfcare.home"), 303)
            add_error(form.password, gettext("Login and password do not match."))
    return render_template("selfcare/sign_in.html", form=form), 422


@blueprint.post("/sign-out")
@public
def sign_out() -> Any:
    """Leave."""
    owning.end()
    return redirect(url_for("selfcare.sign_in"), 303)


# The account ---------------------------------------------------------------------------------------------------------


@blueprint.get("/")
@owner
def home(account: Account) -> str:
    """Funds, with those set aside shown apart, and the calls going on."""
    return _home(account, VoucherForm(formdata=None))


def _home(account: Account, form: VoucherForm) -> str:
    going = Callback.select(Callback.id).where((Callback.account == account) & (Callback.state != "ended"))
    live = [(callback.id, progress.look(callback.id)) for callback in going.order_by(Callback.requested_at).limit(20)]
    return render_template(
        "selfcare/home.html",
        account=account,
        wallet=account.wallet if account.balance_control == "individual" else None,
        live=live,
        at=clock.utc_now(),
        form=form,
        press=PressForm(formdata=None),
    )


@blueprint.post("/top-up")
@owner
def top_up(account: Account) -> Any:
    """Redeem a voucher; who tries codes has to wait as who tries passwords."""
    form = VoucherForm()
    at = clock.utc_now()
    name = f"voucher {account.login}"
    if form.validate():
        if throttle.is_closed(name, at):
            add_error(form.code, gettext("Too many tries failed. Wait 15 minutes and try again."))
        else:
            found = voucher.redeem(form.code.data, account.id, account.login, at)
            if isinstance(found, voucher.Redeemed):
                throttle.note(name, at, failed=False)
                flash(gettext("The voucher was added to your funds."))
                return redirect(url_for("selfcare.home"), 303)
            if found != "mistyped":  # a slip of the finger is no guess
                throttle.note(name, at, failed=True)
            add_error(form.code, gettext(_VOUCHER_WORDS[found]))
    return _home(account, form), 422


@blueprint.post("/callbacks/<callback_id>/release")
@owner
def release(account: Account, callback_id: str) -> Any:
    """Hang up a call of this account, wherever it was placed."""
    is_own = Callback.select().where((Callback.id == callback_id[:20]) & (Callback.account == account)).exists()
    if not is_own:
        abort(404)
    if reception.ask_release(callback_id, "user", clock.utc_now()):
        doorbell.ring(current_app.extensions["webcb_doorbell"])
    return redirect(url_for("selfcare.home"), 303)


# Calls ---------------------------------------------------------------------------------------------------------------


@blueprint.get("/calls")
@owner
def calls(account: Account) -> Any:
    """What was charged, newest first, in the account's time zone; filtered by days and number, `?format=csv` as a file."""
    asked = {name: request.args.get(name, "")[:40] for name in ("since", "until", "number")}
    found = _charges(account, asked)
    if request.args.get("format") == "csv":
        return _csv(account, found.limit(CSV_ROWS_MAX))
    page = max(1, request.args.get("page", 1, type=int) or 1)
    rows = list(found.paginate(min(page, 10**6), PAGE_ROWS + 1))
    asked = {name: text for name, text in asked.items() if text}
    return render_template(
        "selfcare/calls.html",
        account=account,
        charges=rows[:PAGE_ROWS],
        has_more=len(rows) > PAGE_ROWS,
        page=page,
        asked=asked,
    )


def _charges(account: Account, asked: dict[str, str]) -> Any:
    zone = ZoneInfo(account.time_zone)
    found = Xdr.select().where(Xdr.account == account).order_by(Xdr.bill_time.desc(), Xdr.id.desc())
    since, until = _day(asked["since"]), _day(asked["until"])
    if since is not None:
        found = found.where(Xdr.bill_time >= datetime.combine(since, time(), zone).astimezone(UTC))
    if until is not None:
        found = found.where(Xdr.bill_time < datetime.combine(until + timedelta(days=1), time(), zone).astimezone(UTC))
    digits = "".join(each for each in asked["number"] if each in "0123456789")[:NUMBER_LENGTH_MAX]
    return found.where(Xdr.cld.contains(digits)) if digits else found


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2200 else None


def _csv(account: Account, found: Any) -> Response:
    zone = ZoneInfo(account.time_zone)
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(["Time", "Leg", "Number", "Seconds", "Charged seconds", "Charged", "Currency"])
    for xdr in found:
        at = xdr.bill_time.astimezone(zone).isoformat(timespec="seconds")
        amount = format_amount(xdr.charged_micros)
        rows.writerow([at, xdr.leg, f"+{xdr.cld}", xdr.used_quantity, xdr.charged_quantity, amount, xdr.currency])
    headers = {"Content-Disposition": 'attachment; filename="calls.csv"'}
    return Response(written.getvalue(), mimetype="text/csv", headers=headers)


@blueprint.get("/calls/<int:xdr_id>")
@owner
def call(account: Account, xdr_id: int) -> str:
    """Why a call cost what it cost."""
    found = Xdr.get_or_none((Xdr.id == xdr_id) & (Xdr.account == account)) if xdr_id < 2**63 else None
    if found is None:
        abort(404)
    lines = in_words(json.loads(found.explanation), found.currency) if found.kind == "charge" else []
    return render_template("selfcare/call.html", account=account, charge=found, lines=lines)


# Settings ------------------------------------------------------------------------------------------------------------


@blueprint.route("/settings", methods=["GET", "POST"])
@owner
def settings(account: Account) -> Any:
    """Language and time zone."""
    form = SettingsForm(language=account.language, time_zone=account.time_zone)
    if not form.is_submitted() or not form.validate():
        return _settings(account, form, PasswordForm(formdata=None)), 422 if form.is_submitted() else 200
    with db.writing():
        Account.update(language=form.language.data, time_zone=form.time_zone.data).where(
            Account.id == account.id
        ).execute()
    session["language"] = form.language.data
    flask_babel.refresh()  # the answer is in the new one
    flash(gettext("Saved."))
    return redirect(url_for("selfcare.settings"), 303)


@blueprint.post("/password")
@owner
def password(account: Account) -> Any:
    """A new password for self-care, by who knows the old one; every other session of the account ends."""
    form = PasswordForm()
    at = clock.utc_now()
    if form.validate():
        if owning.is_closed(account.web_login or "", at):
            add_error(form.old, gettext("Too many tries failed. Wait 15 minutes and try again."))
        elif owning.check(account.web_login or "", form.old.data, at) is None:
            add_error(form.old, gettext("This is not your password."))
        else:
            account.web_password = credentials.hash_password(form.new.data)
            with db.writing():
                account.save(only=[Account.web_password])
            owning.begin(account, at)
            flash(gettext("Saved."))
            return redirect(url_for("selfcare.settings"), 303)
    filled = SettingsForm(formdata=None, language=account.language, time_zone=account.time_zone)
    return _settings(account, filled, form), 422


def _settings(account: Account, form: SettingsForm, password_form: PasswordForm) -> str:
    return render_template("selfcare/settings.html", account=account, form=form, password_form=password_form)
