"""The areas of a check-up, in the order in which they are looked at. Pure."""

from typing import Final

AREAS: Final = ("settings", "host", "pages", "database", "books", "prompts", "nodes", "carriers", "certificates")
IN_DATABASE: Final = AREAS[AREAS.index("books") :]
