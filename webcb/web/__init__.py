"""Who is asking, and what do they see: the Flask application, its forms, pages and guards. No rule of calling or billing lives here."""

from webcb.web.application import create_app, serve_app

__all__ = ["create_app", "serve_app"]
