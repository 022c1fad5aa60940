"""The languages of the callers' pages: which one a visitor reads, and the catalogues, read as they are written (.po).

He chooses by hand (`?lang=`, kept in the session), else his browser does. The admin site is English.
"""

import io
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import flask_babel
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations
from flask import Flask, current_app, g, request, session, url_for
from flask_babel import Babel, Domain, get_locale
from markupsafe import Markup
from werkzeug.exceptions import HTTPException
from werkzeug.utils import cached_property
from wtforms.i18n import messages_path

# What each calls itself, in the order of the choice.
NAMES: Final = {
    "en": "English",
    "es": "Español",
    "pt": "Português",
    "fr": "Français",
    "de": "Deutsch",
    "ru": "Русский",
    "ar": "العربية",
}
ENGLISH: Final = "en"
CATALOGUES: Final = Path(__file__).parent / "translations"
_ENGLISH_BLUEPRINTS: Final = frozenset({"admin", "sign_in"})
_INSTANT_PATTERNS: Final = {"en": "d MMM y, HH:mm", "de": "d. MMM y, HH:mm", "pt": "d 'de' MMM 'de' y, HH:mm"}
_INSTANT_PATTERN: Final = "d MMM y, HH:mm"


def marked(text: str) -> str:
    """A text that is translated where it is shown; here it is only found by who gathers the texts."""
    return text


def gettext(text: str, **values: object) -> str:
    """The text in the reader's language, its placeholders filled."""
    said = str(_translations(language()).gettext(text))
    return said % values if values else said


def ngettext(one: str, many: str, count: int) -> str:
    """The form of the text that goes with `count`, which is its `%(num)d`."""
    return str(flask_babel.ngettext(one, many, count))


class Catalogues(Domain):  # type: ignore[misc]
    """Translations straight from the .po files: nothing to compile, and nothing compiled that could be old."""

    def get_translations(self) -> NullTranslations:
        """Those of the reader's language; outside of a request English, which needs none."""
        return _translations(language())


class Languages(Babel):  # type: ignore[misc]
    """Flask-Babel over these catalogues."""

    @cached_property
    def domain_instance(self) -> Domain:
        return Catalogues()


def init_app(app: Flask) -> None:
    """Let the pages speak the visitor's language."""
    Languages(app, default_locale=ENGLISH, locale_selector=_selected)
    app.before_request(_choose)
    app.context_processor(_of_page)


def language() -> str:
    """The code of the language that is being written, one of NAMES."""
    return _locale().language


def direction() -> str:
    """`ltr` or `rtl`."""
    return str(_locale().text_direction)


def isolated(number: str) -> str:
    """A telephone number, or one with a sign, for the middle of a sentence: left to right, whatever stands around it."""
    return number if direction() == "ltr" else f"\u2066{number}\u2069"


def decimal(text: str) -> str:
    """A decimal number as the reader writes it, none of its decimals lost: 1234.50 -> 1.234,50."""
    decimals = len(text.partition(".")[2])
    return str(format_decimal(text, f"#,##0.{'0' * decimals}" if decimals else "#,##0", locale=_locale()))


def instant(local: datetime) -> str:
    """A moment with its minute, as the reader writes it; the zone is the instant's own."""
    pattern = _INSTANT_PATTERNS.get(language(), _INSTANT_PATTERN)
    return str(format_datetime(local, pattern, tzinfo=local.tzinfo, locale=_locale()))


def day(of: date) -> str:
    """A day as the reader writes it."""
    return str(format_date(of, "medium", locale=_locale()))


def country(code: str) -> str:
    """The name of a country by its ISO code; the code where it has none."""
    return str(_locale().territories.get(code, code))


# What of an address says which page it is, and is kept when the page is read in another language.
_KEPT_PARAMETERS: Final = ("kind", "again", "since", "until", "number", "login", "page")


def in_language(code: str) -> str:
    """The address of the page that is being written, in another language; of one that only a form leads to, where that form is."""
    sent = request.args.to_dict() | _sent_kind()
    kept = {name: sent[name] for name in _KEPT_PARAMETERS if sent.get(name)}
    return f"{_place()}?{urlencode(kept | {'lang': code})}"


def _sent_kind() -> dict[str, str]:
    """The kind that a form chose; of a form that is refused unread, as it is too large, nothing is known."""
    try:
        kind = request.form.get("kind")
    except HTTPException:
        return {}
    return {} if kind is None else {"kind": kind}


def _place() -> str:
    """Where a link leads that is of the page itself; "" is its own address."""
    if request.method == "POST":
        addresses = current_app.create_url_adapter(request)
        if addresses is not None and not addresses.test(method="GET"):
            return url_for("selfcare.home") if request.blueprint == "selfcare" else "/"
    return ""


def _of_page() -> dict[str, Any]:
    """What every template knows. Its `_` has the language already: Flask-Babel's asks for it with each of some dozens of texts."""
    code = language()
    return {
        "_": _writer(code),
        "language": code,
        "languages": NAMES,
        "in_language": in_language,
        "direction": direction(),
    }


@cache
def _writer(code: str) -> Callable[..., Markup]:
    catalogue = _translations(code)

    def written(text: str, **values: object) -> Markup:
        """A text in the language, its placeholders filled; what fills them is escaped."""
        return Markup(catalogue.gettext(text)) % values  # noqa: S704  a text of ours

    return written


def form_translations() -> NullTranslations:
    """What WTForms itself says of a field, in the reader's language."""
    return _form_translations(language())


def _locale() -> Locale:
    try:
        kept = g.get(
            "_flask_babel"
        )  # a page asks some dozen times, and Flask-Babel looks through four proxies each time
    except RuntimeError:
        kept = None
    return getattr(kept, "babel_locale", None) or get_locale() or Locale(ENGLISH)


def _selected() -> str:
    if not request:
        return ENGLISH
    if request.blueprint in _ENGLISH_BLUEPRINTS:
        return ENGLISH
    chosen = session.get("language")
    return chosen if chosen in NAMES else request.accept_languages.best_match(list(NAMES), ENGLISH)


def _choose() -> None:
    chosen = request.args.get("lang")
    if chosen in NAMES and request.blueprint not in _ENGLISH_BLUEPRINTS:
        session["language"] = chosen


@cache
def _form_translations(code: str) -> NullTranslations:
    return Translations.load(messages_path(), [code], domain="wtforms")


@cache
def _translations(code: str) -> NullTranslations:
    if code == ENGLISH:
        return NullTranslations()
    compiled = io.BytesIO()
    with (CATALOGUES / f"{code}.po").open("rb") as written:
        write_mo(compiled, read_po(written, locale=code))
    compiled.seek(0)
    return Translations(compiled)
