"""Pages for what went wrong, in the same clothes as the others and without the database, which may be what is away."""

from flask import Flask, Response, current_app, g, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from webcb import db
from webcb.watching import counting
from webcb.web.languages import gettext, marked
from webcb.web.problem import API, problem

RETRY_AFTER_SECONDS = 5

# status -> headline, and what to do
_TEXTS = {
    400: (marked("This request was not understood"), marked("Go back to the page you came from and try again.")),
    404: (
        marked("There is nothing here"),
        marked("The address is wrong, or it is a call that was placed from another browser. Check the address."),
    ),
    405: (marked("This address does not work like that"), marked("Open it from the page that leads here.")),
    410: (
        marked("This is not kept here any more"),
        marked(
            "It has been moved to the archive of the service provider, who can give you a copy. "
            "Later periods are here as before."
        ),
    ),
    413: (marked("That was too much"), marked("The form sent more than it has room for. Shorten what you entered.")),
    500: (
        marked("Something went wrong on our side"),
        marked("It has been noted. A call you placed goes on. Try again in a moment."),
    ),
    503: (
        marked("The service is away for a moment"),
        marked("A call you placed goes on. Wait a few seconds and load this page again."),
    ),
}
# What operators are told otherwise; their site is in English.
_TO_OPERATORS = {
    403: (
        "Your role may not do this",
        "Users and roles shows what each role may do; an administrator can change yours.",
    ),
    404: ("There is nothing here", "The address is wrong, or what it named has been removed meanwhile."),
}
TOO_OLD_FORM = marked(
    "This page was open for too long, so nothing was done yet. Enter your password and press again. "
    "If this comes back, allow cookies for this site."
)
_TOO_OLD = (
    marked("This page has become too old"),
    marked(
        "Nothing was done. For your safety a form works only for a while, and only in the browser it was opened in "
        "(cookies must be allowed). Open the page again and repeat your step."
    ),
)


def init_app(app: Flask) -> None:
    """Register the error pages."""
    app.register_error_handler(CSRFError, too_old)
    app.register_error_handler(HTTPException, _refused)
    for away in db.UNAVAILABLE:
        app.register_error_handler(away, _database_away)


def page(status: int, headline: str, advice: str) -> Response:
    """An error page; an operator who has signed in keeps his menu."""
    if request.path.startswith("/admin") and status < 500 and getattr(g, "operator", None):
        headline, advice = _TO_OPERATORS.get(status, (headline, advice))
        return make_response(
            render_template("admin/error.html", status=status, headline=headline, advice=advice), status
        )
    return make_response(
        render_template("error.html", status=status, headline=gettext(headline), advice=gettext(advice)), status
    )


def too_old(_error: CSRFError | None = None) -> Response:
    """The page for a form that was open for too long, or was not ours."""
    return page(400, *_TOO_OLD)


def _refused(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:  # a redirection
        return error.get_response()  # type: ignore[return-value]
    if request.path.startswith(API):
        return problem(error.code)
    headline, advice = _TEXTS.get(error.code, (error.name, _TEXTS[400][1]))
    if error.code == 410 and request.path.startswith("/admin"):
        advice = error.description or advice  # in which file it is
    answer = page(error.code, headline, advice)
    if error.code == 405:
        answer.headers["Allow"] = ", ".join(error.valid_methods or [])  # type: ignore[attr-defined]
    return answer


def _database_away(error: Exception) -> Response:
    current_app.logger.error("the database is away: %s", error)
    counting.numbers().database_failures.labels("web").inc()
    if request.path.startswith(API):
        return problem(503, Retry_After=str(RETRY_AFTER_SECONDS))
    answer = page(503, *_TEXTS[503])
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer
