"""A forgotten self-care password: a link by mail, good once and for an hour. Who asks learns nothing of who is a customer.

The link carries a mark of its row and of the password of now: no copy of the database makes one, and a new password voids it.
"""

import hmac
from datetime import datetime, timedelta
from typing import Any, Final

from flask import current_app, flash, redirect, render_template, url_for

from webcb import clock, db, doorbell
from webcb.billing import credentials, recovery
from webcb.models import Recovery
from webcb.web import owning, throttle
from webcb.web.access import public
from webcb.web.forms import add_error
from webcb.web.languages import gettext
from webcb.web.owner_forms import NewPasswordForm, RecoveryForm
from webcb.web.owning import blueprint

VALID: Final = timedelta(hours=1)


def is_offered() -> bool:
    """Whether the operator has said by whom mails go and where our pages are reached."""
    chosen = current_app.extensions["webcb_settings"]
    return bool(chosen.smtp_host and chosen.public_url)


@blueprint.route("/forgotten", methods=["GET", "POST"])
@public
def forgotten() -> Any:
    """Ask for a link; the answer is the same whether there is such a login, an address, or neither."""
    form = RecoveryForm()
    if not is_offered() or not form.is_submitted():
        return render_template("selfcare/forgotten.html", form=form, is_offered=is_offered(), is_asked=False)
    at = clock.utc_now()
    if not form.validate():
        return render_template("selfcare/forgotten.html", form=form, is_offered=True, is_asked=False), 422
    name = f"recovery {form.login.data}"
    with credentials.one_try(name):
        if throttle.is_closed(name, at):
            add_error(form.login, gettext("Too many tries failed. Wait 15 minutes and try again."))
            return render_template("selfcare/forgotten.html", form=form, is_offered=True, is_asked=False), 422
        throttle.note(name, at, failed=True)  # each ask counts: a mailbox is not filled by somebody else
    recovery.ask(owning.find(form.login.data), at)
    doorbell.ring(current_app.extensions["webcb_settings"].clerk_bell)
    return render_template("selfcare/forgotten.html", form=form, is_offered=True, is_asked=True)


@blueprint.route("/recover/<int:recovery_id>/<mark>", methods=["GET", "POST"])
@public
def recover(recovery_id: int, mark: str) -> Any:
    """The page the link leads to: a new password, twice the same effort for nobody."""
    at = clock.utc_now()
    row = _good(recovery_id, mark, at)
    form = NewPasswordForm()
    if row is None:
        return render_template("selfcare/recover.html", form=None), 410
    if not form.is_submitted() or not form.validate():
        return render_template("selfcare/recover.html", form=form), 422 if form.is_submitted() else 200
    of = row.account or row.customer
    with db.writing():
        taken = Recovery.update(used_at=at).where((Recovery.id == row.id) & Recovery.used_at.is_null()).execute()
    if taken != 1:
        return render_template("selfcare/recover.html", form=None), 410
    owning.set_password(of, form.new.data, at)
    flash(gettext("Your new password holds. Log in with it."))
    return redirect(url_for("selfcare.sign_in"), 303)


def _good(recovery_id: int, mark: str, at: datetime) -> Recovery | None:
    row: Recovery | None = Recovery.get_or_none(Recovery.id == recovery_id) if recovery_id < 2**62 else None
    if row is None or (row.account is None and row.customer is None):
        return None
    is_right = hmac.compare_digest(recovery.mark(row).encode(), mark.encode())
    return row if is_right and row.used_at is None and at - row.asked_at < VALID else None
