"""Self-care at /selfcare: the owner of an account sees its funds and calls, tops it up, and changes what is his to change."""

import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Response, abort, current_app, flash, redirect, render_template, request, url_for

from webcb import clock, doorbell
from webcb.billing import credentials, reception, voucher
from webcb.models import Account, Callback, Xdr
from webcb.money import format_amount
from webcb.web import owning, paying, progress, recovering, throttle
from webcb.web.access import public
from webcb.web.explaining import in_words
from webcb.web.forms import PressForm, add_error
from webcb.web.languages import gettext, marked
from webcb.web.owner_forms import SignInForm, VoucherForm
from webcb.web.owning import Owner, anybody, blueprint, owner

PAGE_ROWS: Final = 25
CSV_ROWS_MAX: Final = 10_000
NUMBER_LENGTH_MAX: Final = 15

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
    can_recover = recovering.is_offered()
    if not form.is_submitted():
        return render_template("selfcare/sign_in.html", form=form, can_recover=can_recover)
    at = clock.utc_now()
    if form.validate():
        try:
            found = owning.check(form.login.data, form.password.data, at)
            if found is not None:
                owning.begin(found, at)
                return redirect(url_for("selfcare.home" if isinstance(found, Account) else "selfcare.company"), 303)
            add_error(form.password, gettext("Login and password do not match."))
        except owning.Closed:
            add_error(form.password, gettext("Too many tries failed. Wait 15 minutes and try again."))
    return render_template("selfcare/sign_in.html", form=form, can_recover=can_recover), 422


@blueprint.post("/sign-out")
@public
def sign_out() -> Any:
    """Leave."""
    owning.end(clock.utc_now())
    return redirect(url_for("selfcare.sign_in"), 303)


# The account ---------------------------------------------------------------------------------------------------------


@blueprint.get("/")
@owner()
def home(account: Account) -> str:
    """Funds, with those set aside shown apart, and the calls going on."""
    return _home(account, VoucherForm(formdata=None))


def _home(account: Account, form: VoucherForm) -> str:
    return render_template(
        "selfcare/home.html",
        account=account,
        wallet=account.wallet if account.balance_control == "individual" else None,
        form=form,
        can_pay=paying.provider_of(account) is not None,
        **_live(account),
    )


@blueprint.get("/live")
@owner()
def live(account: Account) -> str:
    """The funds and the calls going on, for the script of the page."""
    wallet = account.wallet if account.balance_control == "individual" else None
    return render_template("selfcare/_live.html", account=account, wallet=wallet, **_live(account))


def _live(account: Account) -> dict[str, Any]:
    going = Callback.select(Callback.id).where((Callback.account == account) & (Callback.state != "ended"))
    found = [(callback.id, progress.look(callback.id)) for callback in going.order_by(Callback.requested_at).limit(20)]
    return {
        "live": found,
        "press": PressForm(formdata=None),
        "sees": {part: part in account.product.self_care.split(",") for part in owning.PARTS},
    }


@blueprint.post("/top-up")
@owner("top-up")
def top_up(account: Account) -> Any:
    """Redeem a voucher; who tries codes has to wait as who tries passwords."""
    form = VoucherForm()
    at = clock.utc_now()
    name = f"voucher {account.login}"
    if form.validate():
        with credentials.one_try(name):
            found = (
                None if throttle.is_closed(name, at) else voucher.redeem(form.code.data, account.id, account.login, at)
            )
            if found not in (None, "mistyped"):  # a slip of the finger is no guess
                throttle.note(name, at, failed=not isinstance(found, voucher.Redeemed))
        if isinstance(found, voucher.Redeemed):
            flash(gettext("The voucher was added to your funds."))
            return redirect(url_for("selfcare.home"), 303)
        said = gettext(_VOUCHER_WORDS[found] if found else "Too many tries failed. Wait 15 minutes and try again.")
        add_error(form.code, said)
    return _home(account, form), 422


@blueprint.post("/callbacks/<callback_id>/release")
@anybody
def release(who: Owner, callback_id: str) -> Any:
    """Hang up a call of this account, or of an account of this customer, wherever it was placed."""
    callback = Callback.get_or_none(Callback.id == callback_id[:20])
    if callback is None or who.of not in (callback.account, callback.account.customer):
        abort(404)
    if reception.ask_release(callback_id, "user", clock.utc_now()):
        doorbell.ring(current_app.extensions["webcb_doorbell"])
    return redirect(url_for("selfcare.home" if who.account else "selfcare.company"), 303)


# Calls ---------------------------------------------------------------------------------------------------------------


@blueprint.get("/calls")
@owner("calls")
def calls(account: Account) -> Any:
    """What was charged, newest first, in the account's time zone; filtered by days and number, `?format=csv` as a file."""
    asked = {name: request.args.get(name, "")[:40] for name in ("since", "until", "number")}
    found = filtered(Xdr.select().where(Xdr.account == account), asked, account.time_zone)
    if request.args.get("format") == "csv":
        return calls_as_csv(found, account.time_zone)
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


def filtered(found: Any, asked: dict[str, str], time_zone: str) -> Any:
    """Charges of some days of a zone, to numbers that have these digits, newest first."""
    zone = ZoneInfo(time_zone)
    found = found.order_by(Xdr.bill_time.desc(), Xdr.id.desc())
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


def calls_as_csv(found: Any, time_zone: str, *, with_account: bool = False) -> Response:
    """Charges as a file, times with their offset."""
    zone = ZoneInfo(time_zone)
    written = io.StringIO()
    rows = csv.writer(written)
    first = ["Account"] if with_account else []
    rows.writerow([*first, "Time", "Leg", "Number", "Seconds", "Charged seconds", "Charged", "Currency"])
    for xdr in found.limit(CSV_ROWS_MAX):
        at = xdr.bill_time.astimezone(zone).isoformat(timespec="seconds")
        amount = format_amount(xdr.charged_micros)
        of = [xdr.account.login] if with_account else []
        rows.writerow([*of, at, xdr.leg, f"+{xdr.cld}", xdr.used_quantity, xdr.charged_quantity, amount, xdr.currency])
    headers = {"Content-Disposition": 'attachment; filename="calls.csv"'}
    return Response(written.getvalue(), mimetype="text/csv", headers=headers)


@blueprint.get("/calls/<int:xdr_id>")
@owner("calls")
def call(account: Account, xdr_id: int) -> str:
    """Why a call cost what it cost."""
    found = Xdr.get_or_none((Xdr.id == xdr_id) & (Xdr.account == account)) if xdr_id < 2**63 else None
    if found is None:
        abort(404)
    lines = in_words(json.loads(found.explanation), found.currency) if found.kind == "charge" else []
    return render_template("selfcare/call.html", account=account, charge=found, lines=lines)
