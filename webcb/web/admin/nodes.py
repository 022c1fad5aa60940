"""Draining a node from its page, as `webcb drain` does: it finishes its callbacks and takes no new ones. It asks first."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for

from webcb import clock, db
from webcb.fleet import node_state
from webcb.models import Audit, Callback, Node
from webcb.web.admin import signing
from webcb.web.admin.screen import blueprint, found
from webcb.web.admin.signing import guarded
from webcb.web.forms import PressForm


@blueprint.route("/nodes/<int:node_id>/drain", methods=["GET", "POST"], endpoint="drain")
@guarded("infrastructure.change")
def drain(node_id: int) -> Any:
    """Let a node take no new callbacks, or take them again."""
    row = found(Node, node_id)
    if request.method == "POST":
        user: Any = signing.current()
        at, action = clock.utc_now(), "takes callbacks again" if row.draining else "drained"
        with db.writing():
            Node.update(draining=not row.draining).where(Node.id == row.id).execute()
            who = f"user:{user.login}"[:64]
            Audit.create(at=at, made_by=who, action=f"node {action}", subject=f"node {row.name}")
        flash(f"Node {row.name} {'takes new callbacks again' if row.draining else 'takes no new callbacks'}.")
        return redirect(url_for("admin.nodes"), 303)
    at = clock.utc_now()
    open_ones = (Callback.state != "requested") & (Callback.state != "ended")
    others = [
        each
        for each in Node.select().where(Node.id != row.id)
        if node_state(each.heard_at, each.draining, 0, at) == "up"
    ]
    return render_template(
        "admin/drain.html",
        node=row,
        in_progress=Callback.select().where(Callback.node == row, open_ones).count(),
        others=[each.name for each in others],
        press=PressForm(formdata=None),
    )
