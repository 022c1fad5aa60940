"""What an owner changes of himself in self-care: language, zone, password, where he is logged in."""

from functools import partial
from typing import Any

import flask_babel
from flask import flash, redirect, render_template, session, url_for

from webcb import clock, db
from webcb.models import Account
from webcb.web import owning
from webcb.web.browsers import browser_name
from webcb.web.forms import PressForm, add_error
from webcb.web.languages import gettext, language
from webcb.web.owner_forms import PasswordForm, SettingsForm
from webcb.web.owning import Owner, anybody, blueprint


@blueprint.route("/settings", methods=["GET", "POST"])
@anybody
def settings(who: Owner) -> Any:
    """Language and time zone; a customer's zone is that of its bills, the operator's to change."""
    form = _form(who)
    if not form.is_submitted() or not form.validate():
        return _settings(who, form, PasswordForm(formdata=None)), 422 if form.is_submitted() else 200
    if who.account is not None:
        with db.writing():
            Account.update(language=form.language.data, time_zone=form.time_zone.data).where(
                Account.id == who.account.id
            ).execute()
    session["language"] = form.language.data
    flask_babel.refresh()  # the answer is in the new one
    flash(gettext("Saved."))
    return redirect(url_for("selfcare.settings"), 303)


@blueprint.post("/password")
@anybody
def password(who: Owner) -> Any:
    """A new password for self-care, by who knows the old one; every other session ends."""
    form = PasswordForm()
    at = clock.utc_now()
    login = str(who.of.web_login or "")
    if form.validate():
        try:
            is_right = owning.check(login, form.old.data, at) is not None
        except owning.Closed:
            add_error(form.old, gettext("Too many tries failed. Wait 15 minutes and try again."))
            return _settings(who, _form(who, filled=True), form), 422
        if not is_right:
            add_error(form.old, gettext("This is not your password."))
        else:
            owning.set_password(who.of, form.new.data, at)
            owning.begin(who.of, at)
            flash(gettext("Saved."))
            return redirect(url_for("selfcare.settings"), 303)
    return _settings(who, _form(who, filled=True), form), 422


@blueprint.post("/sessions/<int:session_id>/end")
@anybody
def end_session(who: Owner, session_id: int) -> Any:
    """Log out elsewhere."""
    owning.end_sessions(who.of, clock.utc_now(), only=min(session_id, 2**62))
    flash(gettext("Logged out there."))
    return redirect(url_for("selfcare.settings"), 303)


def _form(who: Owner, *, filled: bool = False) -> SettingsForm:
    own = who.account
    values = {"language": own.language if own else language(), "time_zone": who.time_zone}
    form = SettingsForm(formdata=None, **values) if filled else SettingsForm(**values)
    if own is None:
        del form.time_zone
    return form


def _settings(who: Owner, form: SettingsForm, password_form: PasswordForm) -> str:
    return render_template(
        "selfcare/settings.html",
        who=who,
        form=form,
        password_form=password_form,
        sessions=owning.sessions(who, clock.utc_now()),
        press=PressForm(formdata=None),
        browser=partial(browser_name, between=" · "),
    )
