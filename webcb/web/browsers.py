"""What somebody has before him: browser and system, by what the browser says of itself. Pure; for lists of sessions."""

import re
from typing import Final

# What a browser says of itself -> how it is called. The first that is found holds: most name others, too.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone|iPad", "iOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser_name(agent: str, between: str = " on ") -> str:
    """A browser and its system in two words, as in "Firefox on macOS"; what is not known as it stands, cut.

    `between` stands between the two, for pages of other languages.
    """
    browser = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for marks, name in _SYSTEMS if re.search(marks, agent)), None)
    if browser is None:
        return agent[:60]
    return f"{browser}{between}{system}" if system else browser
