"""Monitoring: unusual patterns that the clerk has found, what speaks for each, and that somebody has looked at it."""

import json
from datetime import timedelta
from typing import Any, Final

from flask import abort, flash, redirect, render_template, url_for

from webcb import clock, db
from webcb.billing import pattern
from webcb.models import Account, Audit, Unusual, VoiceApplication
from webcb.money import format_amount
from webcb.web.admin import listing as lists
from webcb.web.admin import signing
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Between, Choice, Column, Listing
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint, found, screen
from webcb.web.admin.signing import guarded
from webcb.web.forms import PressForm

AREA: Final = "monitoring"
KINDS: Final = ("account", "number A", "number B", "destination", "country", "source")
STATES: Final = {"open": Unusual.closed_at.is_null(), "closed": Unusual.closed_at.is_null(False)}


def subject_of(row: Any, user: Any) -> str:
    """What an alarm is about, as an operator may see it."""
    if row.kind in ("number A", "number B"):
        return lists.telephone(row.subject, user)
    return f"+{row.subject}" if row.kind == "destination" and row.subject != "|" else str(row.subject)


def headline_of(row: Any, user: Any) -> str:
    """An alarm in one line."""
    whose = subject_of(row, user)
    return pattern.headline(row.pattern, row.kind, whose, row.seen, row.currency, money=may(user.role, "money"))


def _evidence(row: Any, user: Any) -> str:
    facts = json.loads(row.facts)
    return pattern.evidence(row.pattern, facts, row.usual, row.currency, money=may(user.role, "money"))


def _amount(row: Any, name: str) -> str:
    value = getattr(row, name)
    if row.pattern != "high charges":
        return str(value)
    user: Any = signing.current()
    return f"{format_amount(value)} {row.currency}" if may(user.role, "money") else ""


screen(
    "unusual",
    AREA,
    Listing(
        "unusual",
        "Unusual patterns",
        Unusual.select,
        Unusual.id,
        (
            Column(
                "at",
                "Found",
                lambda row: row.at,
                "instant",
                order=Unusual.at,
                filter=Between(Unusual.at),
                link=lambda row: url_for("admin.unusual_pattern", row_id=row.id),
            ),
            Column(
                "pattern",
                "Pattern",
                lambda row: row.pattern,
                order=Unusual.pattern,
                filter=Choice(pattern.PATTERNS, lambda value: Unusual.pattern == value),
            ),
            Column("kind", "Of", lambda row: row.kind, filter=Choice(KINDS, lambda value: Unusual.kind == value)),
            Column("subject", "Which", lambda row: subject_of(row, signing.current()), "short"),
            Column("seen", "Seen", lambda row: _amount(row, "seen")),
            Column("usual", "Usual", lambda row: _amount(row, "usual")),
            Column(
                "application", "Voice application", lambda row: row.application, filter=Contains(Unusual.application)
            ),
            Column(
                "evidence", "What speaks for it", lambda row: _evidence(row, signing.current()), "long", shown=False
            ),
            Column(
                "state",
                "State",
                lambda row: "open" if row.closed_at is None else "closed",
                "state",
                filter=Choice(tuple(STATES), lambda value: STATES[value]),
            ),
            Column("closed_by", "Closed by", lambda row: row.closed_by, shown=False),
            Column("said", "Mail", lambda row: row.said, shown=False),
        ),
        "at",
        descending=True,
        search=(Contains(Unusual.subject), Contains(Unusual.application), Contains(Unusual.pattern)),
        empty="Nothing unusual was found. What counts as unusual stands on the page of each voice application.",
        actions=(("Alarms", "admin.alarms", "monitoring.see"),),
    ),
)


@blueprint.route("/unusual/<int:row_id>", methods=["GET", "POST"], endpoint="unusual_pattern")
@guarded(f"{AREA}.see")
def page(row_id: int) -> Any:
    """One alarm: what speaks for it, where to look on, and that it was looked at."""
    row, user = found(Unusual, row_id), signing.current()
    assert user is not None  # noqa: S101 - the guard
    form = PressForm()
    if form.is_submitted():
        if not may(user.role, f"{AREA}.change"):
            abort(403)
        if form.validate() and row.closed_at is None:
            at, who = clock.utc_now(), f"user:{user.login}"[:64]
            with db.writing():
                Unusual.update(closed_at=at, closed_by=who, mail_due_at=None).where(Unusual.id == row.id).execute()
                Audit.create(at=at, made_by=who, action="alarm closed", subject=f"unusual pattern {row.id}")
            flash("It is closed.")
        return redirect(url_for("admin.unusual"), 303)
    return render_template(
        "admin/unusual.html",
        row=row,
        headline=headline_of(row, user),
        evidence=_evidence(row, user),
        begun_at=row.at - pattern.WINDOW,
        links=_links(row),
        press=form,
    )


def _links(row: Any) -> list[tuple[str, str]]:
    """Where to look on, and where to stop it."""
    days = {
        f"requested_at_{edge}": f"{at:%Y-%m-%d}" for edge, at in (("from", row.at - timedelta(days=1)), ("to", row.at))
    }
    found_ones = [("Active calls", url_for("admin.active_calls"))]
    if row.kind == "account":
        account = Account.get_or_none(Account.login == row.subject)
        found_ones.insert(0, ("Its callbacks", url_for("admin.callbacks", **(days | {"account": row.subject}))))
        if account is not None:
            found_ones.append(("The account, to block it", url_for("admin.accounts_edit", row_id=account.id)))
    elif row.kind in ("number A", "number B"):
        column = f"number_{row.kind[-1].lower()}"
        found_ones.insert(0, ("Callbacks to it", url_for("admin.callbacks", **(days | {column: row.subject}))))
    else:
        prefix = {"number_b": row.subject} if row.kind == "destination" and row.subject != "|" else {}
        found_ones.insert(0, ("Callbacks of that day", url_for("admin.callbacks", **(days | prefix))))
    application = VoiceApplication.get_or_none(VoiceApplication.name == row.application)
    if application is not None:
        link = url_for("admin.voice_applications_edit", row_id=application.id)
        found_ones.append(("The voice application, to bar or limit", link))
    return found_ones
