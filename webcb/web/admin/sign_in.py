"""The pages of signing in and out, and what an operator does with his own account: password, second factor, sessions."""

from typing import Any
from urllib.parse import urlsplit

import pyotp
import segno
from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, Length

from webcb import clock, db
from webcb.billing import credentials
from webcb.models import Audit, User, UserSession
from webcb.web.access import public
from webcb.web.admin import signing
from webcb.web.admin.signing import guarded
from webcb.web.browsers import browser_name
from webcb.web.forms import PressForm

PASSWORD_CHARACTERS_MIN = 12

blueprint = Blueprint("sign_in", __name__, url_prefix="/admin")


class SignInForm(FlaskForm):  # type: ignore[misc]
    """Who wants to come in."""

    login = StringField("Login", validators=[DataRequired("Enter your login."), Length(max=64)])
    password = PasswordField("Password", validators=[DataRequired("Enter your password."), Length(max=256)])


class CodeForm(FlaskForm):  # type: ignore[misc]
    """The code of the second factor."""

    code = StringField("Code", validators=[DataRequired("Enter the six digits your app shows."), Length(max=16)])


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password for oneself."""

    present = PasswordField(
        "Present password", validators=[DataRequired("Enter your present password."), Length(max=256)]
    )
    new = PasswordField(
        "New password",
        validators=[
            DataRequired("Enter a new password."),
            Length(min=PASSWORD_CHARACTERS_MIN, max=256, message="Use %(min)d to %(max)d characters."),
        ],
    )
    again = PasswordField("New password again", validators=[EqualTo("new", "The two are not the same.")])


def ask() -> Any:
    """The page to sign in, in place of one that a stranger may not see."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else url_for("admin.dashboard")
    return render_template("admin/sign_in.html", form=SignInForm(formdata=None), wanted=wanted), 403


@blueprint.get("/sign-in")
@public
def page() -> Any:
    """The page to sign in."""
    return render_template("admin/sign_in.html", form=SignInForm(formdata=None), wanted=_wanted(request.args))


@blueprint.post("/sign-in")
@public
def enter() -> Any:
    """Take login and password; with a second factor, ask for its code."""
    form = SignInForm()
    wanted = _wanted(request.form)
    if form.validate():
        try:
            user = signing.check_password(form.login.data or "", form.password.data or "")
        except signing.Refused as refused:
            form.password.errors = [str(refused)]
        else:
            if user.sealed_totp:
                session["half_way"] = [user.id, int(clock.utc_now().timestamp()), wanted]
                return redirect(url_for("sign_in.code_page"), 303)
            signing.begin_session(user)
            return redirect(wanted, 303)
    return render_template("admin/sign_in.html", form=form, wanted=wanted), 422


@blueprint.get("/code")
@public
def code_page() -> Any:
    """The page to enter the code of the second factor."""
    if _half_way() is None:
        return redirect(url_for("sign_in.page"), 303)
    return render_template("admin/code.html", form=CodeForm(formdata=None))


@blueprint.post("/code")
@public
def code() -> Any:
    """Take the code."""
    found = _half_way()
    if found is None:
        return redirect(url_for("sign_in.page"), 303)
    user, wanted = found
    form = CodeForm()
    if form.validate():
        try:
            signing.check_code(user, form.code.data or "")
        except signing.Refused as refused:
            form.code.errors = [str(refused)]
        else:
            signing.begin_session(user)
            return redirect(wanted, 303)
    return render_template("admin/code.html", form=form), 422


def _half_way() -> tuple[User, str] | None:
    """Who has entered a password a moment ago and now owes the code, and where he wants to go."""
    user_id, at, wanted = session.get("half_way", (0, 0, ""))
    if clock.utc_now().timestamp() - at > signing.SECOND_FACTOR_SECONDS:
        return None
    user = User.get_or_none((User.id == user_id) & ~User.blocked)
    return None if user is None else (user, wanted)


def _wanted(given: Any) -> str:
    """The page of ours that was asked for before; nobody else's."""
    wanted = str(given.get("wanted", ""))
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/admin") and not parts.scheme and not parts.netloc and "\\" not in wanted
    return wanted if is_ours and wanted.isprintable() else url_for("admin.dashboard")


@blueprint.post("/sign-out")
@guarded("")
def leave() -> Any:
    """Sign out."""
    signing.end_session()
    flash("You have signed out.")
    return redirect(url_for("sign_in.page"), 303)


# One's own account ---------------------------------------------------------------------------------------------------


@blueprint.get("/me")
@guarded("")
def me() -> Any:
    """Password, second factor and sessions of who looks."""
    return _me(PasswordForm(formdata=None), CodeForm(formdata=None))


def _me(password_form: PasswordForm, code_form: CodeForm, status: int = 200) -> Any:
    user: Any = signing.current()
    key = session.setdefault("new_totp", pyotp.random_base32()) if not user.sealed_totp else ""
    uri = pyotp.TOTP(key).provisioning_uri(name=user.login, issuer_name="webcb") if key else ""
    sessions = UserSession.select().where((UserSession.user == user) & UserSession.ended_at.is_null())
    return render_template(
        "admin/me.html",
        password_form=password_form,
        code_form=code_form,
        press=PressForm(),
        key=key,
        browser=browser_name,
        picture=segno.make(uri, micro=False).svg_data_uri(scale=5, border=2) if uri else "",
        sessions=list(sessions.order_by(UserSession.seen_at.desc())),
        here=g.operator_session,
    ), status


@blueprint.post("/me/password")
@guarded("")
def set_password() -> Any:
    """A new password; every other session of this operator ends."""
    user: Any = signing.current()
    form = PasswordForm()
    if form.validate() and not credentials.verify_password(user.password, form.present.data or ""):
        form.present.errors = ["This is not your present password."]
    if form.errors:
        return _me(form, CodeForm(formdata=None), 422)
    with db.writing():
        User.update(password=credentials.hash_password(form.new.data or "")).where(User.id == user.id).execute()
        _audit(user, "password changed")
    signing.end_sessions((UserSession.user == user) & (UserSession.id != g.operator_session))
    flash("Your password is changed; you are signed out everywhere else.")
    return redirect(url_for("sign_in.me"), 303)


@blueprint.post("/me/second-factor")
@guarded("")
def set_second_factor() -> Any:
    """Begin to ask for codes, once one is right."""
    user: Any = signing.current()
    form = CodeForm()
    key = session.get("new_totp", "")
    if form.validate() and not (
        key and pyotp.TOTP(key).verify("".join((form.code.data or "").split()), valid_window=1)
    ):
        form.code.errors = ["This code is not right. Scan the picture again and enter the code that is shown now."]
    if form.errors:
        return _me(PasswordForm(formdata=None), form, 422)
    with db.writing():
        User.update(sealed_totp=credentials.seal(key)).where(User.id == user.id).execute()
        _audit(user, "second factor set")
    session.pop("new_totp", None)
    flash("From now on a code is asked for when you sign in.")
    return redirect(url_for("sign_in.me"), 303)


@blueprint.post("/me/second-factor/remove")
@guarded("")
def remove_second_factor() -> Any:
    """Ask for codes no more; the password is asked once more."""
    user: Any = signing.current()
    if not credentials.verify_password(user.password, request.form.get("present", "")):
        flash("This is not your present password: the second factor stays.")
        return redirect(url_for("sign_in.me"), 303)
    with db.writing():
        User.update(sealed_totp="", totp_step=0).where(User.id == user.id).execute()
        _audit(user, "second factor removed")
    flash("The second factor is removed.")
    return redirect(url_for("sign_in.me"), 303)


@blueprint.post("/me/sessions/<int:session_id>/end")
@guarded("")
def end_one(session_id: int) -> Any:
    """Sign out in one other place."""
    signing.end_sessions((UserSession.id == session_id) & (UserSession.user == signing.current()))
    flash("Signed out there.")
    return redirect(url_for("sign_in.me"), 303)


def _audit(user: Any, action: str) -> None:
    Audit.create(at=clock.utc_now(), made_by=f"user:{user.login}"[:64], action=action, subject=f"user {user.login}")
