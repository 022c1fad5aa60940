"""What a WSGI server loads: `gunicorn wsgi:app`."""

from webcb.web import create_app

app = create_app()
