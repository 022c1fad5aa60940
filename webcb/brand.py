"""The look an operator gives his callers' pages: one colour from which the others follow, and texts in several languages.

A colour is held against what it stands on (WCAG 2.2, 1.4.3: 4.5 to 1), so that no brand makes a page that cannot be read.
"""

import re
from dataclasses import dataclass
from typing import Final

CONTRAST_MIN: Final = 4.5
TEXTS_LENGTH_MAX: Final = 1000
DEFAULT_LANGUAGE: Final = ""
LANGUAGES: Final = ("en", "es", "pt", "fr", "de", "ru", "ar")
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_PAPER: Final = (244, 246, 247)
_DARK_SHEET: Final = (23, 30, 36)
_DARK_INK: Final = (7, 16, 18)
_STEPS: Final = 100

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Shades:
    """What a page paints with the colour, each `#rrggbb`: itself, when pointed at, what is written on it, a wash of it."""

    accent: str
    strong: str
    ink: str
    wash: str


def read_colour(text: str) -> str:
    """A colour as `#rrggbb`; raises ValueError with one that can be read where this one cannot."""
    found = re.fullmatch(r"#([0-9a-fA-F]{6})", text)
    if not found:
        raise ValueError("write a colour, as in #0f766e")
    colour = _colour(text)
    if not _reads_on_light(colour):
        reads = next(each for each in _towards(colour, _BLACK) if _reads_on_light(each))
        raise ValueError(
            f"on a light page it is hard to read ({_least_contrast(colour):.1f} to 1, 4.5 is needed); {_text(reads)} would do"
        )
    return text.lower()


def contrast(one: str, other: str) -> float:
    """How much two colours differ in light, 1 to 21 (WCAG 2.2)."""
    return _contrast(_colour(one), _colour(other))


def light_shades(text: str) -> Shades:
    """The shades of a colour for a light page."""
    colour = _colour(text)
    return Shades(text, _text(_mixed(colour, _BLACK, 0.2)), "#ffffff", _text(_wash(colour)))


def dark_shades(text: str) -> Shades:
    """The shades for a dark page: the same hue, as light as reading needs."""
    wash = _mixed(_DARK_SHEET, _colour(text), 0.2)
    accent = next(
        each
        for each in _towards(_colour(text), _WHITE)
        if min(_contrast(each, ground) for ground in (_DARK_SHEET, wash, _DARK_INK)) >= CONTRAST_MIN
    )
    return Shades(_text(accent), _text(_mixed(accent, _WHITE, 0.25)), _text(_DARK_INK), _text(wash))


def channels(text: str) -> str:
    """`#0f766e` as `15, 118, 110`."""
    return ", ".join(str(each) for each in _colour(text))


def _reads_on_light(colour: Colour) -> bool:
    return _least_contrast(colour) >= CONTRAST_MIN


def _least_contrast(colour: Colour) -> float:
    return min(_contrast(colour, ground) for ground in (_WHITE, _PAPER, _wash(colour)))


def _wash(colour: Colour) -> Colour:
    return _mixed(_WHITE, colour, 0.08)


def _towards(colour: Colour, end: Colour) -> list[Colour]:
    return [_mixed(colour, end, step / _STEPS) for step in range(_STEPS + 1)]


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _contrast(one: Colour, other: Colour) -> float:
    lights = sorted((_light(one), _light(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _light(colour: Colour) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (each / 255 for each in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _colour(text: str) -> Colour:
    red, green, blue = (int(text[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue


def _text(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


# Texts -----------------------------------------------------------------------------------------------------------------


def read_texts(written: str) -> dict[str, str]:
    """`Talk to us. [pt] Fale conosco. [de] Rufen Sie uns an.` by language; what stands before any mark is for all others.

    Raises ValueError with what would be right.
    """
    parts = re.split(r"\[([a-z]{2})\]", written)
    found = {DEFAULT_LANGUAGE: parts[0].strip()} if parts[0].strip() else {}
    for language, text in zip(parts[1::2], parts[2::2], strict=True):
        if language not in LANGUAGES:
            raise ValueError(f"[{language}] is none of {', '.join(LANGUAGES)}")
        if language in found:
            raise ValueError(f"[{language}] stands there twice")
        if not text.strip():
            raise ValueError(f"after [{language}] nothing follows")
        found[language] = text.strip()
    if found and DEFAULT_LANGUAGE not in found:
        raise ValueError("begin with the text for all other languages, before the first mark")
    return found


def text_in(written: str, language: str) -> str:
    """The text for a reader of this language; "" where there is none."""
    found = read_texts(written)
    return found.get(language) or found.get(DEFAULT_LANGUAGE, "")
