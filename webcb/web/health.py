"""Whether this process can serve: for load balancers and supervisors."""

from flask import Blueprint, Response

from webcb import db
from webcb.web.access import public

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """200 when the database answers and has a schema; a database that is away gives 503 as on every page."""
    schema_version = db.version()
    return Response("ok\n" if schema_version else "no schema\n", 200 if schema_version else 503, mimetype="text/plain")
