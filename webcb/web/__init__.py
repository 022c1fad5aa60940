"""Who is asking, and what do they see: the Flask application, its forms, pages and guards. No rule of calling or billing lives here."""
