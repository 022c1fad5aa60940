"""The Flask application: its configuration, its connection to the database, its headers, its blueprints."""

from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface
from flask_bootstrap import Bootstrap5
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from webcb import db, settings
from webcb.billing import credentials
from webcb.watching import counting, log
from webcb.web import (
    access,
    admin,
    api,
    branding,
    company,
    errors,
    follow,
    health,
    languages,
    owner_calls,
    owner_settings,
    owner_statements,
    owning,
    paying,
    payment_provider,
    printing,
    progress,
    recovering,
    requests,
    selfcare,
    trigger,
    widget,
)

# Each adds its pages to self-care.
SELF_CARE = (company, owner_calls, owner_settings, owner_statements, paying, recovering, selfcare)

BODY_BYTES_MAX = 16 * 1024
FORM_FIELDS_MAX = 40
FORM_SECONDS_MAX = 4 * 3600  # how long an opened form may be sent

# Everything comes from here: no inline code or style, no foreign host, no frame around us. `data:` are Bootstrap's icons.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # Flask-WTF wants the referrer of our own pages under TLS
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STRICT_TRANSPORT_SECURITY = "max-age=31536000"


class Sessions(SecureCookieSessionInterface):
    """Session cookies that are Secure exactly when the request came by TLS, here or at a trusted proxy."""

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - the face is Flask's
        return request.is_secure


def create_app(chosen: settings.Settings | None = None) -> Flask:
    """The application with its routes; reads the settings itself when none are handed in. Raises SettingsProblem."""
    chosen = chosen or settings.load()
    app = Flask("webcb.web")
    app.session_interface = Sessions()
    app.config.update(
        SECRET_KEY=chosen.secret_key,
        SESSION_COOKIE_NAME="webcb",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=BODY_BYTES_MAX,
        MAX_FORM_PARTS=FORM_FIELDS_MAX,
        WTF_CSRF_TIME_LIMIT=FORM_SECONDS_MAX,
        BOOTSTRAP_SERVE_LOCAL=True,
    )
    app.extensions["webcb_doorbell"] = chosen.doorbell
    app.extensions["webcb_settings"] = chosen
    app.extensions["webcb_payments"] = payment_provider.load(chosen.payment_provider)
    app.extensions["webcb_viewers"] = follow.Viewers(follow.viewers_max(chosen.http_threads))
    if chosen.trusted_proxies:
        hops = chosen.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]

    # A page holds a connection only while it reads or writes; one that follows a call holds none in between.
    db.connect(chosen.database, connections_max=chosen.database_connections)
    credentials.use_key(chosen.secret_key)
    app.before_request(lambda: access.allow_files(app))
    requests.init_app(app)
    app.before_request(_open_database)
    app.teardown_request(_close_database)
    app.after_request(_add_headers)

    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(printing.FILTERS)
    languages.init_app(app)
    csrf = CSRFProtect(app)
    csrf.exempt(api.blueprint)  # a program has a key and no cookie that another site could ride on
    Bootstrap5(app)
    errors.init_app(app)
    admin.init_app(app)
    for blueprint in (
        api.blueprint,
        branding.blueprint,
        health.blueprint,
        progress.blueprint,
        owning.blueprint,
        trigger.blueprint,
        widget.blueprint,
    ):
        app.register_blueprint(blueprint)
    for view in app.view_functions.values():
        if hasattr(view, "from_elsewhere"):
            csrf.exempt(view)
    access.require_guards(app)
    return app


def serve_app() -> Flask:
    """The application in a process of its own: writes the node's log, and shares what it counts with the node's processes."""
    chosen = settings.load()
    log.start(chosen.log_format, chosen.node_name)
    counting.share(chosen.data_dir)
    return create_app(chosen)


def _open_database() -> None:
    # What the processes count is told while the database is away, too.
    if request.endpoint and request.endpoint not in access.STATIC_ENDPOINTS | {"health.metrics"}:
        db.take_connection()


def _close_database(_error: BaseException | None) -> None:
    db.give_back_connection()


def _add_headers(answer: Response) -> Response:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)  # a view may be stricter
    if request.is_secure:
        answer.headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY
    may_be_kept = request.endpoint in access.STATIC_ENDPOINTS or answer.cache_control.public
    if not may_be_kept:
        answer.headers["Cache-Control"] = "no-store"  # what an account did is nobody else's, not even the back button's
    return answer
