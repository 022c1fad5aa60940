"""A bare Flask page, for `bench.pages` to compare with: `gunicorn bench.bare:app`."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def page() -> str:
    """As little as there can be."""
    return "<!doctype html><title>bare</title><p>bare"
