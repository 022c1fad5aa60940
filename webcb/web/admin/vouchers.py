"""Vouchers: prepaid amounts sold as codes. Codes leave once, as a file: only a keyed hash of each is kept."""

import re
from datetime import datetime
from typing import Any, Final

from flask import Response, render_template, url_for
from flask_wtf import FlaskForm
from peewee import JOIN
from wtforms import IntegerField, StringField

from webcb import clock, db
from webcb.billing import voucher, workbook
from webcb.models import Account, Audit, Voucher
from webcb.money import AmountError, parse_amount
from webcb.web.admin import signing
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Between, Choice, Column, Listing
from webcb.web.admin.moments import moment, moment_field, zone_field
from webcb.web.admin.screen import blueprint, screen
from webcb.web.admin.signing import guarded
from webcb.web.forms import add_error

AREA: Final = "sales"


def voucher_state(row: Any) -> str:
    """Whether a voucher can still be redeemed."""
    if row.used_at is not None:
        return "used"
    return "expired" if row.expires_at is not None and row.expires_at <= clock.utc_now() else "unused"


STATES: Final[dict[str, Any]] = {
    "unused": lambda: (
        Voucher.used_at.is_null() & (Voucher.expires_at.is_null() | (Voucher.expires_at > clock.utc_now()))
    ),
    "used": lambda: Voucher.used_at.is_null(False),
    "expired": lambda: Voucher.used_at.is_null() & (Voucher.expires_at <= clock.utc_now()),
}

screen(
    "vouchers",
    AREA,
    Listing(
        "vouchers",
        "Vouchers",
        lambda: Voucher.select(Voucher, Account).join(Account, JOIN.LEFT_OUTER),
        Voucher.id,
        (
            Column("id", "Voucher", lambda row: row.id, "number", order=Voucher.id),
            Column(
                "series",
                "Series",
                lambda row: row.series,
                order=Voucher.series,
                filter=Contains(Voucher.series, is_of_few=True),
            ),
            Column("amount", "Amount", lambda row: row.amount_micros, "amount", needs="money"),
            Column("currency", "Currency", lambda row: row.currency, needs="money"),
            Column("made_at", "Made", lambda row: row.made_at, "instant", filter=Between(Voucher.made_at)),
            Column("made_by", "By", lambda row: row.made_by, shown=False),
            Column("expires_at", "Expires", lambda row: row.expires_at, "instant"),
            Column(
                "state", "State", voucher_state, "state", filter=Choice(tuple(STATES), lambda value: STATES[value]())
            ),
            Column("used_at", "Used", lambda row: row.used_at, "instant", filter=Between(Voucher.used_at)),
            Column(
                "used_by",
                "By account",
                lambda row: row.used_by.login if row.used_by else "",
                filter=Contains(Account.login, from_start=True, by=Voucher.used_by),
                link=lambda row: (
                    url_for("admin.accounts_edit", row_id=row.__data__["used_by"]) if row.used_by else None
                ),
            ),
        ),
        "id",
        descending=True,
        search=(Contains(Voucher.series, is_of_few=True), Contains(Account.login, from_start=True, by=Voucher.used_by)),
        empty="There are no vouchers yet. They are made in series; owners of accounts redeem them in self-care.",
        actions=(("Make vouchers", "admin.voucher_new", "sales.change"),),
    ),
)


class VoucherForm(FlaskForm):  # type: ignore[misc]
    """A series of vouchers."""

    series = StringField("Series", render_kw={"maxlength": 64})
    quantity = IntegerField("Quantity", default=100)
    amount = StringField("Amount of each", render_kw={"maxlength": 20, "inputmode": "decimal"})
    currency = StringField("Currency", default="USD", render_kw={"maxlength": 3})
    expires_at, expires_at_zone = moment_field("Expiration date"), zone_field()


@blueprint.route("/vouchers/new", methods=["GET", "POST"], endpoint="voucher_new")
@guarded("sales.change")
def voucher_new() -> Any:
    """Make a series; the answer is the file with its codes."""
    form = VoucherForm()
    if not form.is_submitted():
        return render_template("admin/vouchers_new.html", form=form)
    user: Any = signing.current()
    form.validate()
    series = (form.series.data or "").strip()
    amount_micros, expires_at, at = _amount(form), _expiration(form), clock.utc_now()
    if not series or not series.isprintable():
        add_error(form.series, "Write a name for these vouchers.")
    if form.quantity.data is None or not 1 <= form.quantity.data <= voucher.QUANTITY_MAX:
        form.quantity.errors = [f"Write a whole number from 1 to {voucher.QUANTITY_MAX:,}."]
    if not re.fullmatch(r"[A-Z]{3}", form.currency.data or ""):
        add_error(form.currency, "Write three capital letters, as in USD.")
    if not form.errors:
        who = f"user:{user.login}"[:64]
        try:
            with db.writing():
                codes = voucher.make(series, form.quantity.data, amount_micros, form.currency.data, expires_at, who, at)
                detail = f"{len(codes)} of {form.amount.data} {form.currency.data}"
                Audit.create(
                    at=at, made_by=who, action="vouchers made", subject=f"series {series}"[:120], detail=detail
                )
        except ValueError as wrong:
            add_error(form.series, str(wrong)[:1].upper() + str(wrong)[1:] + ".")
        else:
            return _file(series, codes, form)
    return render_template("admin/vouchers_new.html", form=form), 422


def _amount(form: VoucherForm) -> int:
    try:
        amount_micros = parse_amount((form.amount.data or "").strip())
    except AmountError:
        amount_micros = 0
    if not 0 < amount_micros <= 10**15:
        add_error(form.amount, "Write an amount above nothing, as in 10 or 2.50.")
    return amount_micros


def _expiration(form: VoucherForm) -> datetime | None:
    found = moment(form, "expires_at")
    if found is not None and found <= clock.utc_now():
        add_error(form.expires_at, "This is past.")
        return None
    return found


def _file(series: str, codes: list[str], form: VoucherForm) -> Response:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", series).strip("-.") or "vouchers"
    expires = form.expires_at.data or ""
    rows = ([series, code, form.amount.data, form.currency.data, expires] for code in codes)
    content = workbook.write(["Series", "Code", "Amount", "Currency", "Expires"], rows, "csv")
    headers = {"Content-Disposition": f'attachment; filename="vouchers-{name}.csv"'}
    return Response(content, mimetype="text/csv; charset=utf-8", headers=headers)
