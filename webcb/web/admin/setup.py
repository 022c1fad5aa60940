"""Setup: users and their roles, the audit log, the settings in force."""

import secrets
from typing import Any
from zoneinfo import available_timezones

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from peewee import IntegrityError
from wtforms import BooleanField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, Optional, Regexp

from webcb import clock, db, settings
from webcb.billing import credentials
from webcb.models import Audit, Company, ExchangeRate, User, UserSession
from webcb.web.admin import signing
from webcb.web.admin.editor import Editor, Item, Panel
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Between, Choice, Column, Listing
from webcb.web.admin.permission import PERMISSIONS, ROLES, SAID
from webcb.web.admin.screen import blueprint, found, screen
from webcb.web.admin.signing import guarded
from webcb.web.forms import add_error

AREA = "setup"

screen(
    "users",
    AREA,
    Listing(
        "users",
        "Users and roles",
        User.select,
        User.id,
        (
            Column(
                "login",
                "Login",
                lambda row: row.login,
                order=User.login,
                link=lambda row: url_for("admin.user", user_id=row.id),
            ),
            Column("name", "Name", lambda row: row.name),
            Column("mail", "E-mail", lambda row: row.mail),
            Column(
                "role",
                "Role",
                lambda row: row.role.capitalize(),
                order=User.role,
                filter=Choice(ROLES, lambda value: User.role == value),
            ),
            Column("second", "Second factor", lambda row: bool(row.sealed_totp), "yes"),
            Column("blocked", "Blocked", lambda row: row.blocked, "yes"),
        ),
        "login",
        search=(Contains(User.login), Contains(User.name)),
        empty="There is no user of this kind.",
    ),
    template="admin/users.html",
    beside={"roles": PERMISSIONS, "permissions": SAID},
)

screen(
    "audit",
    AREA,
    Listing(
        "audit",
        "Audit log",
        Audit.select,
        Audit.id,
        (
            Column("at", "At", lambda row: row.at, "instant", order=Audit.at, filter=Between(Audit.at)),
            Column("made_by", "Who", lambda row: row.made_by, filter=Contains(Audit.made_by)),
            Column("action", "What", lambda row: row.action, filter=Contains(Audit.action)),
            Column("subject", "Of", lambda row: row.subject, filter=Contains(Audit.subject)),
            Column("detail", "Before and after", lambda row: row.detail, "long"),
        ),
        "at",
        descending=True,
        search=(Contains(Audit.subject), Contains(Audit.detail), Contains(Audit.made_by)),
        empty="Nothing was changed yet. Every change is noted here, with what was there before and who made it.",
    ),
)


screen(
    "company",
    AREA,
    Listing(
        "companies",
        "Company",
        Company.select,
        Company.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=Company.name,
                link=lambda row: url_for("admin.companies_edit", row_id=row.id),
            ),
            Column("address", "Address", lambda row: row.address),
            Column("tax_number", "Tax number", lambda row: row.tax_number),
            Column("phone", "Telephone", lambda row: row.phone),
            Column("mail", "E-mail", lambda row: row.mail),
        ),
        "name",
        search=(Contains(Company.name),),
        empty="Write here who runs the service: statements name it.",
    ),
    Editor(
        "companies",
        "companies",
        "Company",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item("name", "Name", "As statements name it."),
                    Item("address", "Address", "As it stands on statements, on one line."),
                    Item("tax_number", "Tax number", "As statements must show it."),
                    Item("phone", "Telephone", "Where customers call with questions."),
                    Item("mail", "E-mail", "Where customers write to."),
                ),
            ),
        ),
    ),
    Company,
    template="admin/company.html",
)

screen(
    "currencies",
    AREA,
    Listing(
        "currencies",
        "Currencies",
        ExchangeRate.select,
        ExchangeRate.id,
        (
            Column(
                "currency",
                "Currency",
                lambda row: row.currency,
                order=ExchangeRate.currency,
                filter=Contains(ExchangeRate.currency),
                link=lambda row: url_for("admin.currencies_edit", row_id=row.id),
            ),
            Column("day", "From the day", lambda row: row.day, order=ExchangeRate.day),
            Column("per_base", "Units for one of the base", lambda row: row.per_base_micros, "amount"),
        ),
        "currency",
        search=(Contains(ExchangeRate.currency),),
        empty="No exchange rates yet: they are needed where a vendor is paid in another currency than customers pay.",
    ),
    Editor(
        "currencies",
        "exchange_rates",
        "Exchange rate",
        AREA,
        (
            Panel(
                "Exchange rate",
                (
                    Item("currency", "Currency", "Three letters; the base is the currency whose own rate is 1."),
                    Item("day", "From the day", "As in 2026-01-31; it holds until the next one that is written."),
                    Item(
                        "per_base",
                        "Units for one unit of the base currency",
                        "As in 0.92 euros for one dollar, where the dollar is the base.",
                    ),
                ),
            ),
        ),
    ),
    ExchangeRate,
)


class UserForm(FlaskForm):  # type: ignore[misc]
    """An operator."""

    login = StringField(
        "Login",
        validators=[
            DataRequired("Enter a login."),
            Regexp(r"[A-Za-z0-9._@-]{1,64}\Z", message="Use letters, digits, . _ @ -"),
        ],
    )
    name = StringField(
        "Name",
        validators=[
            Optional(),
            Length(max=64),
            Regexp(r"[^\x00-\x1f\x7f]*\Z", message="Use letters, digits, signs, on one line."),
        ],
    )
    mail = StringField(
        "E-mail",
        validators=[
            Optional(),
            Regexp(r"[^@\s\x00-\x1f\x7f<>\"]+@[^@\s\x00-\x1f\x7f<>\"]+\Z", message="As in ann@example.com"),
            Length(max=254),
        ],
    )
    role = SelectField("Role", choices=[SelectChoice(role, role.capitalize()) for role in ROLES])
    time_zone = SelectField("Time zone", choices=sorted(available_timezones()))
    blocked = BooleanField("Blocked")


@blueprint.route("/users/new", methods=["GET", "POST"], endpoint="user_new")
@guarded("setup.change")
def user_new() -> Any:
    """A new operator; his first password is shown once."""
    form = UserForm(data={"time_zone": "UTC", "role": "read only"})
    if request.method == "GET":
        return render_template("admin/user.html", form=form, row=None)
    password = secrets.token_urlsafe(15)
    if form.validate():
        try:
            with db.writing():
                User.create(**_columns(form), password=credentials.hash_password(password))
                _audit(f"user created: {form.role.data}", form.login.data)
        except IntegrityError:
            add_error(form.login, "There is a user of this login already.")
        else:
            flash(f"User {form.login.data} is created. The first password, shown only now: {password}")
            return redirect(url_for("admin.users"), 303)
    return render_template("admin/user.html", form=form, row=None), 422


@blueprint.route("/users/<int:user_id>", methods=["GET", "POST"], endpoint="user")
@guarded("setup.change")
def user(user_id: int) -> Any:
    """An operator: change him, give him a new password, sign him out."""
    row = found(User, user_id)
    form = UserForm(obj=row)
    if request.method == "GET":
        return render_template("admin/user.html", form=form, row=row)
    myself: Any = signing.current()
    if request.form.get("step") == "password":
        return _new_password(row)
    if row.id == myself.id and (form.role.data != row.role or form.blocked.data):
        add_error(form.role, "You cannot take your own role away or block yourself: another administrator has to.")
    if form.errors or not form.validate():
        return render_template("admin/user.html", form=form, row=row), 422
    columns = _columns(form)
    changes = [
        f"{name}: {getattr(row, name)} -> {value}" for name, value in columns.items() if getattr(row, name) != value
    ]
    try:
        with db.writing():
            User.update(**columns).where(User.id == row.id).execute()
            _audit("user changed", row.login, ", ".join(changes))
    except IntegrityError:
        add_error(form.login, "There is a user of this login already.")
        return render_template("admin/user.html", form=form, row=row), 422
    if columns["blocked"] or columns["role"] != row.role:
        signing.end_sessions(UserSession.user == row)
    flash("User saved.")
    return redirect(url_for("admin.users"), 303)


def _new_password(row: Any) -> Any:
    password = secrets.token_urlsafe(15)
    with db.writing():
        hashed = credentials.hash_password(password)
        User.update(password=hashed, sealed_totp="", totp_step=0).where(User.id == row.id).execute()
        _audit("password and second factor reset", row.login)
    signing.end_sessions(UserSession.user == row)
    flash(f"The new password of {row.login}, shown only now: {password}. The second factor is removed.")
    return redirect(url_for("admin.users"), 303)


def _columns(form: UserForm) -> dict[str, Any]:
    return {
        name: form[name].data or ("" if name != "blocked" else False)
        for name in ("login", "name", "mail", "role", "time_zone", "blocked")
    }


def _audit(action: str, login: str | None, detail: str = "") -> None:
    myself: Any = signing.current()
    made_by = f"user:{myself.login}"[:64]
    Audit.create(at=clock.utc_now(), made_by=made_by, action=action[:64], subject=f"user {login}", detail=detail)


@blueprint.get("/settings", endpoint="settings")
@guarded("setup.see")
def shown_settings() -> Any:
    """The settings in force, secrets masked."""
    chosen = current_app.extensions.get("webcb_settings")
    if chosen is None:
        abort(404)
    return render_template("admin/settings.html", rows=settings.shown(chosen))
