"""The first page: what goes on now, and today's figures."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request, url_for
from peewee import fn

from webcb import clock, db
from webcb.models import Callback, Connection, SavedFilter
from webcb.web.admin import signing, statistics, wizard
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import guarded


@blueprint.get("/", endpoint="dashboard")
@guarded("")
def dashboard() -> Any:
    """Figures of the last 24 hours."""
    user: Any = signing.current()
    at = clock.utc_now()
    since = at - timedelta(hours=24)
    totals = statistics.totals(statistics.measured("hour", since, at + timedelta(seconds=1), ZoneInfo("UTC")))
    legs = sum(each.legs for each in totals)
    talked = sum(each.answered for each in totals)
    set_up = sum(each.set_up for each in totals)
    endings: Any = (
        Callback.select(Callback.ending, fn.COUNT(Callback.id).alias("count"))
        .where((Callback.requested_at >= since) & (Callback.state == "ended"))
        .group_by(Callback.ending)
        .order_by(fn.COUNT(Callback.id).desc())
    )
    return render_template(
        "admin/dashboard.html",
        active=Callback.select().where(Callback.state != "ended").count(),
        talking=Callback.select().where((Callback.state != "ended") & (Callback.state == "talking")).count(),
        legs=legs,
        asr=None if not legs else round(100 * talked / legs),
        acd=None if not talked else sum(each.used_seconds for each in totals) // talked,
        pdd=None if not set_up else round(sum(each.setup_ms for each in totals) / set_up),
        totals=totals,
        refused=sum(times for _, times in statistics.refusals(since, at)),
        endings=[(row.ending, row.count) for row in endings],
        to_set_up=may(user.role, "setup.change") and wizard.is_needed(),
        down=list(Connection.select().where((Connection.state == "down") & Connection.active)),
    )


@blueprint.post("/filters", endpoint="keep_filter")
@guarded("")
def keep_filter() -> Any:
    """Keep the filter of a list under a name, or forget it."""
    user: Any = signing.current()
    given = request.form
    name, which, query, forgotten = (_line(given.get(each, "")) for each in ("name", "list", "query", "forget"))
    name, which = (forgotten or name)[:64], which[:64]
    mine = (SavedFilter.user == user) & (SavedFilter.listing == which)
    with db.writing():
        if name and which:
            SavedFilter.delete().where(mine & (SavedFilter.name == name)).execute()  # type: ignore[misc]
            if not forgotten:
                SavedFilter.create(user=user, listing=which, name=name, query=query[:2000])
                flash(f"The filter is kept as “{name}”.")
    back = given.get("back", "")
    is_ours = back.startswith("/admin/") and "\\" not in back and back.isprintable()
    return redirect(back if is_ours else url_for("admin.dashboard"), 303)


def _line(text: str) -> str:
    return "".join(each for each in text if each.isprintable()).strip()
