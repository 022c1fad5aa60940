"""Active calls, live: what goes on now, what it has cost, and how long it may go on."""

from typing import Any, Final

from flask import render_template, request

from webcb import clock
from webcb.watching.going_on import active_calls
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import guarded
from webcb.web.forms import PressForm

SHOWN_MAX: Final = 200


@blueprint.get("/active-calls", endpoint="active_calls")
@guarded("monitoring.see")
def active_page() -> Any:
    """The calls that go on; with `?part=1` only the part that changes."""
    template = "admin/_active.html" if request.args.get("part") else "admin/active.html"
    return render_template(
        template, calls=active_calls(clock.utc_now(), SHOWN_MAX), most=SHOWN_MAX, press=PressForm(formdata=None)
    )
