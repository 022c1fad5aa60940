"""What a WSGI server loads: `gunicorn wsgi:app`."""

from webcb.web import serve_app

app = serve_app()
