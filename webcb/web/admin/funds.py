"""Money by hand: credit, charge and vouchers of an account or a customer, refunds of a bill; and statements to be printed.

What is posted carries the mark of the form that was shown, so that a form sent twice moves money once.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from peewee import JOIN
from wtforms import HiddenField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from webcb import clock, doorbell
from webcb.billing import ledger, settlement, voucher
from webcb.billing.archived import Archived
from webcb.billing.billing_period import BillingPeriod, midnight, period_at
from webcb.billing.product import LegName
from webcb.billing.statement import statement as stated
from webcb.models import Account, Company, Customer, Ledger, Xdr
from webcb.money import AmountError, format_amount, parse_amount
from webcb.web import visitor
from webcb.web.admin import signing
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint, found, found_callback
from webcb.web.admin.signing import guarded
from webcb.web.forms import add_error

NOTE_MAX: Final = 500
LATEST_MAX: Final = 20
TAKES: Final = "manual charge"

_KINDS: Final = {
    "payment": "Payment: add what was paid in",
    "manual credit": "Manual credit: add to the balance",
    "promotional credit": "Promotional credit: add as a gift",
    "refund": "Refund: give back, without a bill that it corrects",
    TAKES: "Manual charge: take from the balance, even where it then owes more than it may",
}
_NOT_REDEEMED: Final = {
    "mistyped": "This is no code of a voucher: write its 16 digits.",
    "unknown": "There is no such voucher.",
    "used": "This voucher was used before.",
    "expired": "This voucher has expired.",
    "another currency": "This voucher is in another currency than the account.",
}


class FundsForm(FlaskForm):  # type: ignore[misc]
    """A movement of money, or a voucher."""

    kind = SelectField("What it is", choices=[SelectChoice(value, label) for value, label in _KINDS.items()])
    amount = StringField("Amount", render_kw={"inputmode": "decimal", "autocomplete": "off"})
    note = StringField("Why, for the ledger", validators=[Length(max=NOTE_MAX)])
    mark = HiddenField()


class VoucherForm(FlaskForm):  # type: ignore[misc]
    """The code of a voucher."""

    code = StringField("Code of the voucher", validators=[DataRequired("Write the 16 digits."), Length(max=64)])


class RefundForm(FlaskForm):  # type: ignore[misc]
    """How much of a charge is given back."""

    amount = StringField("Amount", render_kw={"inputmode": "decimal", "autocomplete": "off"})
    note = StringField("Why, for the ledger", validators=[Length(max=NOTE_MAX)])
    mark = HiddenField()


def _who() -> str:
    user: Any = signing.current()
    return f"user:{user.login}"[:64]


def _amount(field: Any) -> int | None:
    """The amount typed, above 0; None where it is none, which then is said."""
    try:
        micros = parse_amount((field.data or "").strip())
    except AmountError as wrong:
        said = str(wrong) if (field.data or "").strip() else "write an amount, as in 10 or 0.50"
        add_error(field, said[:1].upper() + said[1:])
        return None
    if micros <= 0:
        add_error(field, "Write an amount above 0.")
        return None
    return micros


def _with_mark(form: Any) -> Any:
    form.mark.data = visitor.new_mark()
    return form


def _event_key(form: Any) -> str:
    mark = form.mark.data if visitor.is_mark(form.mark.data) else visitor.new_mark()
    return f"page:{mark}"


# Funds ---------------------------------------------------------------------------------------------------------------


@blueprint.route("/accounts/<int:account_id>/funds", methods=["GET", "POST"], endpoint="account_funds")
@guarded("sales.change")
def account_funds(account_id: int) -> Any:
    """The funds of an account."""
    account = found(Account, account_id)
    return _funds(account.wallet, account, f"account {account.login}", "account")


@blueprint.route("/customers/<int:customer_id>/funds", methods=["GET", "POST"], endpoint="customer_funds")
@guarded("sales.change")
def customer_funds(customer_id: int) -> Any:
    """The funds of a customer."""
    customer = found(Customer, customer_id)
    return _funds(customer.wallet, None, f"customer {customer.name}", "customer", customer)


def _funds(wallet: Any, account: Any, whose: str, noun: str, customer: Any = None) -> Any:
    user: Any = signing.current()
    if not may(user.role, "money"):
        abort(403)
    form, code = FundsForm(formdata=None), VoucherForm(formdata=None)
    status = 200
    if request.method == "POST":
        is_voucher = request.form.get("step") == "voucher" and account is not None
        form, code = (form, VoucherForm()) if is_voucher else (FundsForm(), code)
        said = _redeemed(code, account) if is_voucher else _posted(form, wallet, account)
        if said:
            doorbell.ring(current_app.extensions["webcb_doorbell"])  # a call that runs out of money goes on
            flash(said)
            return redirect(request.path, 303)
        status = 422
    latest = (
        Ledger.select(Ledger, Xdr).join(Xdr, JOIN.LEFT_OUTER).where(Ledger.wallet == wallet, Ledger.vendor.is_null())
    )
    page = render_template(
        "admin/funds.html",
        wallet=type(wallet).get_by_id(wallet.id),
        account=account,
        customer=customer,
        whose=whose,
        noun=noun,
        form=_with_mark(form) if status == 200 else form,
        code=code,
        latest=list(latest.order_by(Ledger.id.desc()).limit(LATEST_MAX)),
    )
    return page, status


def _posted(form: FundsForm, wallet: Any, account: Any) -> str:
    """Post what was typed; what to say of it, "" where it is wrong."""
    micros = _amount(form.amount) if form.validate() else None
    if micros is None:
        return ""
    kind: Any = form.kind.data
    signed = -micros if kind == TAKES else micros
    try:
        is_new = ledger.post(
            wallet.id,
            account and account.id,
            kind,
            signed,
            _event_key(form),
            _who(),
            (form.note.data or "").strip(),
            clock.utc_now(),
        )
    except ledger.BalanceTooLarge as wrong:
        add_error(form.amount, f"This is not taken: {wrong}.")
        return ""
    except ValueError:
        add_error(form.amount, "This form was sent before with another amount. Open it again.")
        return ""
    said = f"{kind.capitalize()} of {format_amount(micros)} {wallet.currency}"
    return f"{said} is posted." if is_new else f"{said} was posted already, and only once."


def _redeemed(form: VoucherForm, account: Any) -> str:
    if not form.validate():
        return ""
    said = voucher.redeem(form.code.data or "", account.id, _who(), clock.utc_now())
    if not isinstance(said, voucher.Redeemed):
        add_error(form.code, _NOT_REDEEMED[said])
        return ""
    return f"The voucher brought {format_amount(said.amount_micros)} {said.currency}."


@blueprint.route("/callbacks/<callback_id>/refund/<leg>", methods=["GET", "POST"], endpoint="refund")
@guarded("sales.change")
def refund(callback_id: str, leg: str) -> Any:
    """Give back what a leg was charged, or a part of it."""
    user: Any = signing.current()
    if not may(user.role, "money"):
        abort(403)
    callback = found_callback(callback_id)
    bill = Xdr.get_or_none((Xdr.callback == callback) & (Xdr.leg == leg) & (Xdr.kind == "charge"))
    if bill is None:
        abort(404)
    given = sum(each.charged_micros for each in Xdr.select().where(Xdr.refund_of == bill))
    left = bill.charged_micros + given
    form = RefundForm()
    if request.method == "POST" and form.validate():
        typed = (form.amount.data or "").strip()
        micros = _amount(form.amount) if typed else None
        if not form.amount.errors:
            note = (form.note.data or "").strip()
            of_leg: LegName = "A" if bill.leg == "A" else "B"
            try:
                done = settlement.refund(callback.id, of_leg, micros, _event_key(form), _who(), note, clock.utc_now())
            except settlement.RefundProblem as wrong:
                add_error(form.amount, str(wrong)[:1].upper() + str(wrong)[1:] + ".")
            else:
                doorbell.ring(current_app.extensions["webcb_doorbell"])
                flash(f"{format_amount(done.refunded_micros)} {done.currency} are given back.")
                return redirect(url_for("admin.explain", callback_id=callback.id), 303)
    status = 422 if request.method == "POST" else 200
    if request.method == "GET":
        _with_mark(form)
    return render_template("admin/refund.html", callback=callback, bill=bill, left=left, form=form), status


# Statements ----------------------------------------------------------------------------------------------------------


@blueprint.get("/accounts/<int:account_id>/statement", endpoint="account_statement")
@guarded("money")
def account_statement(account_id: int) -> Any:
    """The statement of an account's own funds."""
    account = found(Account, account_id)
    if account.balance_control == "subordinate":
        return redirect(url_for("admin.customer_statement", customer_id=account.customer.id), 303)
    return _statement(account.wallet.id, f"Account {account.login}", account.customer)


@blueprint.get("/customers/<int:customer_id>/statement", endpoint="customer_statement")
@guarded("money")
def customer_statement(customer_id: int) -> Any:
    """The statement of a customer."""
    customer = found(Customer, customer_id)
    return _statement(customer.wallet.id, f"Customer {customer.name}", customer)


def _statement(wallet_id: int, whose: str, owner: Any) -> Any:
    user: Any = signing.current()
    if not may(user.role, "sales.see"):
        abort(403)
    now = clock.utc_now()
    zone = ZoneInfo(owner.billing_time_zone)
    since = owner.created_at.astimezone(zone).date()
    day = _day(request.args.get("day", "")) or now.astimezone(zone).date()
    period = period_at(owner.billing_period, midnight(day, zone), zone, since)
    try:
        told = stated(wallet_id, period.begins_at, min(period.ends_at, max(now, period.begins_at)))
    except Archived as gone:
        abort(410, f"{str(gone)[:1].upper()}{str(gone)[1:]}.")
    return render_template(
        "admin/statement.html",
        whose=whose,
        owner=owner,
        company=Company.select().first(),
        period=period,
        found=told,
        runs=period.ends_at > now,
        before=period.first_day - timedelta(days=1),
        after=_following(period, now),
    )


def _following(period: BillingPeriod, now: datetime) -> date | None:
    return None if period.ends_at > now else period.next_day


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2200 else None
