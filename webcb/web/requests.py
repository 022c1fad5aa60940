"""What is counted of every request: its endpoint, its status, how long it took. Nothing of who asked or what for.

And what no request may carry into the house: a NUL.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Flask, Request, Response, g, request
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.datastructures.structures import iter_multi_items

from webcb import clock
from webcb.watching import counting

NOWHERE = "nowhere"  # an address that is none of ours: whoever tries many makes one series


class _Typed(ImmutableMultiDict[str, Any]):
    """What was sent without its NULs: PostgreSQL keeps none in a text, and nobody types one."""

    def __init__(self, mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__([(_without_nul(name), _without_nul(value)) for name, value in iter_multi_items(mapping or ())])


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "") if isinstance(value, str) else value


class _Request(Request):
    """A request whose queries and forms have no NUL in them, as its address has none (`_clean_address`)."""

    parameter_storage_class = _Typed


def init_app(app: Flask) -> None:
    """Count from now on; let no NUL in."""
    app.request_class = _Request
    app.before_request(_begin)
    app.before_request(_clean_address)
    app.after_request(_count)


def _clean_address() -> None:
    if request.view_args:
        request.view_args = {name: _without_nul(value) for name, value in request.view_args.items()}


def _begin() -> None:
    g.began_at = clock.monotonic()


def _count(answer: Response) -> Response:
    endpoint = request.endpoint or NOWHERE
    numbers = counting.numbers()
    numbers.requests.labels(endpoint, str(answer.status_code)).inc()
    if "began_at" in g and not answer.is_streamed:
        numbers.request_seconds.labels(endpoint).observe(clock.monotonic() - g.began_at)
    return answer
