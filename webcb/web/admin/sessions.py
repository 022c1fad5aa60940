"""Setup: where operators are signed in; an administrator signs one out. It asks first."""

from typing import Any, Final

from flask import flash, redirect, render_template, url_for

from webcb import clock, db
from webcb.models import Audit, User, UserSession
from webcb.web.admin import signing
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Between, Column, Listing
from webcb.web.admin.screen import blueprint, found, screen
from webcb.web.admin.signing import guarded
from webcb.web.browsers import browser_name
from webcb.web.forms import PressForm

AREA: Final = "setup"

screen(
    "sessions",
    AREA,
    Listing(
        "sessions",
        "Sessions",
        lambda: UserSession.select(UserSession, User).join(User).where(UserSession.ended_at.is_null()),
        UserSession.id,
        (
            Column(
                "login",
                "User",
                lambda row: row.user.login,
                order=User.login,
                filter=Contains(User.login, by=UserSession.user),
                link=lambda row: url_for("admin.user_session", session_id=row.id),
            ),
            Column("source", "From", lambda row: row.source, order=UserSession.source),
            Column("agent", "Browser", lambda row: browser_name(row.agent)),
            Column("began_at", "Since", lambda row: row.began_at, "instant", order=UserSession.began_at),
            Column(
                "seen_at",
                "Last used",
                lambda row: row.seen_at,
                "instant",
                order=UserSession.seen_at,
                filter=Between(UserSession.seen_at),
            ),
        ),
        "seen_at",
        descending=True,
        search=(Contains(User.login, by=UserSession.user), Contains(UserSession.source)),
        empty="Nobody is signed in.",
        actions=(("Users and roles", "admin.users", "setup.see"),),
    ),
)


@blueprint.route("/sessions/<int:session_id>", methods=["GET", "POST"], endpoint="user_session")
@guarded(f"{AREA}.change")
def session(session_id: int) -> Any:
    """Sign an operator out in one place."""
    row = found(UserSession, session_id)
    form = PressForm()
    if form.validate_on_submit():
        myself: Any = signing.current()
        with db.writing():
            if UserSession.update(ended_at=clock.utc_now()).where(UserSession.id == row.id).execute():
                who = f"user:{myself.login}"[:64]
                subject = f"user {row.user.login}"
                Audit.create(at=clock.utc_now(), made_by=who, action="signed out", subject=subject)
        flash(f"{row.user.login} is signed out there.")
        return redirect(url_for("admin.sessions"), 303)
    return render_template("admin/session.html", row=row, browser=browser_name(row.agent), press=form)
