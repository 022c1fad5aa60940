"""The catalogue: the names of all prompts of a language and the text of each, as they stand in `texts/`. Read once, kept.

A name is that of its file: `welcome`, `number-21-f`, `unit-minute-few`, `letter-x`. Of the units there is one name for each
plural form of the language: one and many, in Russian one, few and many.
"""

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("en", "es", "pt", "fr", "de", "ru")

# A unit has a form for one and for many; Russian has one for few between them.
_FORMS: Final = {2: ("one", "many"), 3: ("one", "few", "many")}


@dataclass(frozen=True, slots=True)
class Texts:
    """What is said in a language: the voice that says it (a name of eSpeak NG), and the text of each prompt by its name."""

    language: str
    voice: str
    by_name: Mapping[str, str]


@cache
def texts(language: str) -> Texts:
    """The texts of one of LANGUAGES. KeyError: there are none in that language."""
    if language not in LANGUAGES:
        raise KeyError(language)
    read = tomllib.loads((files("webcb.prompts") / "texts" / f"{language}.toml").read_text(encoding="utf-8"))
    by_name = dict(read["phrases"])
    by_name |= {f"number-{number}": word for number, word in read["numbers"].items()}
    for unit, words in read["units"].items():
        by_name |= {f"unit-{unit}-{form}": word for form, word in zip(_FORMS[len(words)], words, strict=True)}
    letters = read.get("letters", string.ascii_uppercase)  # in another script, how the Latin ones are called
    by_name |= {f"letter-{letter}": called for letter, called in zip(string.ascii_lowercase, letters, strict=True)}
    return Texts(language, read["voice"], by_name)
