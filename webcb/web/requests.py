"""What is counted of every request: its endpoint, its status, how long it took. Nothing of who asked or what for."""

from flask import Flask, Response, g, request

from webcb import clock
from webcb.watching import counting

NOWHERE = "nowhere"  # an address that is none of ours: whoever tries many makes one series


def init_app(app: Flask) -> None:
    """Count from now on."""
    app.before_request(_begin)
    app.after_request(_count)


def _begin() -> None:
    g.began_at = clock.monotonic()


def _count(answer: Response) -> Response:
    endpoint = request.endpoint or NOWHERE
    numbers = counting.numbers()
    numbers.requests.labels(endpoint, str(answer.status_code)).inc()
    if "began_at" in g and not answer.is_streamed:
        numbers.request_seconds.labels(endpoint).observe(clock.monotonic() - g.began_at)
    return answer
