"""Whether this process can serve, whether the node can call, and what it counts: for load balancers, supervisors and Prometheus."""

from datetime import timedelta
from functools import wraps
from ipaddress import ip_address
from typing import Any

from flask import Blueprint, Response, abort, current_app, request

from webcb import clock, db
from webcb.models import Node
from webcb.watching import counting, tables
from webcb.web.access import View, public

blueprint = Blueprint("health", __name__)

HEARD_WITHIN = timedelta(seconds=10)  # an engine gives its sign of life every second


def watchers(view: View) -> View:
    """Guard: who asks from one of the networks of `metrics_networks`. Anybody else learns not even that it is there (404)."""

    @wraps(view)
    def guarded() -> Any:
        asks = ip_address(request.remote_addr or "::")
        asks = getattr(asks, "ipv4_mapped", None) or asks
        if not any(asks in network for network in current_app.extensions["webcb_settings"].metrics_networks):
            abort(404)
        return view()

    guarded.guard = "watchers"  # type: ignore[attr-defined]
    return guarded


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """200 when the database answers and has a schema; a database that is away gives 503 as on every page."""
    schema_version = db.version()
    return _plain("ok" if schema_version else "no schema", 200 if schema_version else 503)


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    """200 when a callback asked for now would be called: the database answers, its schema is ours, an engine lives."""
    if db.version() != db.newest_version():
        return _plain("the schema is another version's", 503)
    if not Node.select().where(Node.heard_at >= clock.utc_now() - HEARD_WITHIN).exists():
        return _plain("no engine gives a sign of life", 503)
    return _plain("ready", 200)


@blueprint.get("/metrics")
@watchers
def metrics() -> Response:
    """The numbers of this node's processes and of the tables. While the database is away those of the processes alone."""
    try:
        text = counting.exposition(tables.registry(clock.utc_now))
    except db.UNAVAILABLE:
        text = counting.exposition()
    return Response(text, content_type=counting.CONTENT_TYPE)


def _plain(text: str, status: int) -> Response:
    return Response(f"{text}\n", status, mimetype="text/plain")
