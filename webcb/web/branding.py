"""What an operator's page looks like: its name, picture, colour and texts, each the built-in one where he wrote none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, abort, current_app, url_for

from webcb import brand
from webcb.models import VoiceApplication
from webcb.web import found, languages
from webcb.web.access import public

FRONT_PAGE: Final = "-"  # the path of the voice application whose page is /
LOGO_FOLDER: Final = "logos"
LOGO_BYTES_MAX: Final = 512 * 1024
KEPT_SECONDS: Final = 300
_TYPES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
# A picture may have styles of its own, and does nothing.
_LOGO_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

blueprint = Blueprint("branding", __name__)


@dataclass(frozen=True, slots=True)
class Brand:
    """The look in the reader's language; "" is the built-in text. `style` and `logo` are addresses, "" where there is none."""

    name: str
    headline: str
    welcome: str
    foot_note: str
    style: str
    logo: str


def of(application: VoiceApplication) -> Brand:
    """The look of a page."""
    language = languages.language()
    headline, welcome, foot_note = (
        brand.text_in(written, language)
        for written in (application.headline, application.welcome, application.foot_note)
    )
    color, path = application.color, application.path
    has_logo = bool(application.logo_file) and _logo_path(application).is_file()
    return Brand(
        name=application.brand_name or application.name,
        headline=headline,
        welcome=welcome,
        foot_note=foot_note,
        # The colour is in the address, so that a new one is seen at once.
        style=url_for("branding.style", path=path, color=color[1:]) if color else "",
        logo=url_for("branding.logo", path=path, file=application.logo_file) if has_logo else "",
    )


def application_at(path: str) -> VoiceApplication:
    """The voice application of a path; 404 where there is none."""
    application = found.one(VoiceApplication, "path = ?", path) if path.isprintable() else None
    if application is None:
        abort(404)
    return application


@blueprint.get("/brand.css", defaults={"path": FRONT_PAGE})
@blueprint.get("/<path>/brand.css")
@public
def style(path: str) -> Any:
    """The colour as a style sheet: the policy of the pages allows none inside them."""
    color = application_at(path).color
    if not color:
        abort(404)
    light, dark = brand.light_shades(color), brand.dark_shades(color)
    css = f":root {{ {_variables(light)} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {_variables(dark)} }} }}\n"
    return _kept(Response(css, mimetype="text/css"))


@blueprint.get("/logo", defaults={"path": FRONT_PAGE})
@blueprint.get("/<path>/logo")
@public
def logo(path: str) -> Any:
    """The picture."""
    application = application_at(path)
    file = _logo_path(application)
    if not application.logo_file or not file.is_file() or file.stat().st_size > LOGO_BYTES_MAX:
        abort(404)
    answer = Response(file.read_bytes(), mimetype=_TYPES[file.suffix])
    answer.headers["Content-Security-Policy"] = _LOGO_POLICY
    return _kept(answer)


def _variables(shades: brand.Shades) -> str:
    names = {
        "accent": shades.accent,
        "accent-strong": shades.strong,
        "accent-ink": shades.ink,
        "accent-wash": shades.wash,
    }
    written = "".join(f"--{name}: {color}; " for name, color in names.items())
    return f"{written}--bs-link-color-rgb: {brand.channels(shades.accent)};"


def _logo_path(application: VoiceApplication) -> Path:
    folder: Path = current_app.extensions["webcb_settings"].data_dir / LOGO_FOLDER
    return folder / application.logo_file


def _kept(answer: Response) -> Response:
    answer.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    return answer
