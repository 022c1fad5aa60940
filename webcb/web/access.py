"""Who may use which route. Every view names its guard; the application does not start with one that names none."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, abort, request, session

from webcb.models import Callback
from webcb.web import found, visitor

View = Callable[..., Any]

# Files that are the same for everybody; Flask and Bootstrap-Flask make these two views themselves.
STATIC_ENDPOINTS = frozenset({"static", "bootstrap.static"})


def public(view: View) -> View:
    """Guard: anybody. What the visitor types is judged by billing."""
    view.guard = "public"  # type: ignore[attr-defined]
    return view


def from_elsewhere(view: View) -> View:
    """The view takes posts that are not of our own forms: what allows them is proved by themselves, never by a cookie."""
    view.from_elsewhere = True  # type: ignore[attr-defined]
    return view


def placed_here(view: View) -> View:
    """Guard: the session that placed the callback. Anybody else learns not even that it exists (404).

    The view takes the Callback instead of its id.
    """

    @wraps(view)
    def guarded(callback_id: str) -> Any:
        callback = found.one(Callback, "id = ?", callback_id) if callback_id.isalnum() else None
        if callback is None or not visitor.has_placed(callback.idempotency_key):
            abort(404)
        return view(callback)

    guarded.guard = "placed here"  # type: ignore[attr-defined]
    return guarded


def takes_files(bytes_max: int) -> Callable[[View], View]:
    """The view takes bodies of so many bytes, from who has signed in; every other takes only what forms need."""

    def marked(view: View) -> View:
        view.body_bytes_max = bytes_max  # type: ignore[attr-defined]
        return view

    return marked


def allow_files(app: Flask) -> None:
    """Before anything reads the body: how long it may be, where it may be longer than usual."""
    view = app.view_functions.get(request.endpoint or "")
    bytes_max = getattr(view, "body_bytes_max", None)
    if bytes_max is not None and "operator" in session:
        request.max_content_length = bytes_max


def unguarded_endpoints(app: Flask) -> list[str]:
    """Endpoints that name no guard: there must be none."""
    return sorted(
        endpoint
        for endpoint, view in app.view_functions.items()
        if endpoint not in STATIC_ENDPOINTS and not hasattr(view, "guard")
    )


def require_guards(app: Flask) -> None:
    """Refuse to start an application with a route that everybody could use because nobody thought about it."""
    missing = unguarded_endpoints(app)
    assert not missing, f"these views name no guard: {', '.join(missing)}"  # noqa: S101 - our own fault
