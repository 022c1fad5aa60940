"""Monitoring: numbers that are not called any more; an operator adds one, or lets one be called again."""

from typing import Any

from flask import flash, redirect, request, url_for
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from webcb import clock
from webcb.billing import never
from webcb.models import NeverCall
from webcb.number import NumberError, parse_number
from webcb.web.admin import signing
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Between, Column, Listing
from webcb.web.admin.screen import blueprint, screen
from webcb.web.admin.signing import guarded

AREA = "monitoring"
TYPED_LENGTH_MAX = 40


class NeverForm(FlaskForm):  # type: ignore[misc]
    """A number, with its country code."""

    number = StringField("Number", validators=[DataRequired(), Length(max=TYPED_LENGTH_MAX)])


screen(
    "never-called",
    AREA,
    Listing(
        "never-called",
        "Never called",
        NeverCall.select,
        NeverCall.id,
        (
            Column(
                "number",
                "Number",
                lambda row: row.number,
                "telephone",
                order=NeverCall.number,
                filter=Contains(NeverCall.number, from_start=True),
            ),
            Column(
                "asked_at",
                "Asked",
                lambda row: row.asked_at,
                "instant",
                order=NeverCall.asked_at,
                filter=Between(NeverCall.asked_at),
            ),
        ),
        "asked_at",
        descending=True,
        search=(Contains(NeverCall.number, from_start=True),),
        empty="Nobody has asked never to be called: who confirms a callback by key may press 9.",
    ),
    template="admin/never.html",
)


@blueprint.post("/never-called", endpoint="never_called_change")
@guarded(f"{AREA}.change")
def change() -> Any:
    """Add a number, or let one be called again."""
    form = NeverForm()
    back = redirect(url_for("admin.never_called"), 303)
    if not form.validate():
        flash("Type a number with its country code.")
        return back
    user: Any = signing.current()
    lifts = request.form.get("step") == "lift"
    try:
        digits = parse_number(f"+{(form.number.data or '').strip().removeprefix('+')}", "US").digits
        (never.lift if lifts else never.add)(digits, f"user:{user.login}"[:64], clock.utc_now())
    except (NumberError, never.NeverProblem) as wrong:
        flash(f"{str(wrong)[:1].upper()}{str(wrong)[1:]}.")
        return back
    flash(f"{digits} is called again." if lifts else f"{digits} is never called.")
    return back
