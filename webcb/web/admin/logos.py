"""The picture of a trigger page, uploaded: judged by what it is, not by its name, and written anew.

What is kept is a PNG that we have made of its pixels alone: nothing that a file carries beside its picture comes to anybody's browser.
SVG, which is a program, is taken from the operator's own hand in the folder alone.
"""

import hashlib
import io
import re
import warnings
from pathlib import Path
from typing import Any, Final

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from PIL import Image, UnidentifiedImageError

from webcb import clock, db
from webcb.models import Audit, VoiceApplication
from webcb.web import access
from webcb.web.admin import signing
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint, found
from webcb.web.admin.signing import guarded
from webcb.web.branding import LOGO_BYTES_MAX, LOGO_FOLDER
from webcb.web.forms import PressForm, add_error

UPLOAD_BYTES_MAX: Final = 4 * 1024 * 1024
PIXELS_MAX: Final = 16_000_000
SIDE_MAX: Final = 512  # of what is kept
FORMATS: Final = ("PNG", "JPEG", "WEBP")
_OURS = re.compile(r"[A-Za-z0-9_-]+-[0-9a-f]{12}\.png")


class PictureForm(FlaskForm):  # type: ignore[misc]
    """A picture for the page."""

    file = FileField("Picture", render_kw={"accept": ".png,.jpg,.jpeg,.webp", "required": True})


class PictureProblem(ValueError):
    """What was uploaded cannot be shown; the message says what can."""


def encoded(uploaded: bytes) -> bytes:
    """The pixels of a picture as a PNG of at most SIDE_MAX a side and LOGO_BYTES_MAX. Raises PictureProblem."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(uploaded), formats=FORMATS)
            if picture.width * picture.height > PIXELS_MAX:
                raise PictureProblem(f"This picture has more than {PIXELS_MAX // 1_000_000} million pixels.")
            pixels = picture.convert("RGBA")
    except PictureProblem:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureProblem(f"This picture has more than {PIXELS_MAX // 1_000_000} million pixels.") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
        raise PictureProblem("This is no PNG, JPEG or WebP picture.") from None
    for side in (SIDE_MAX, SIDE_MAX // 2, SIDE_MAX // 4):
        small = pixels.copy()
        small.thumbnail((side, side))
        out = io.BytesIO()
        small.save(out, "PNG", optimize=True)
        if out.tell() <= LOGO_BYTES_MAX:
            return out.getvalue()
    raise PictureProblem("This picture stays too large.")  # pragma: no cover - 128 by 128 is 64 KB at most


@blueprint.route("/voice-applications/<int:row_id>/picture", methods=["GET", "POST"], endpoint="picture")
@guarded("infrastructure.see")
@access.takes_files(UPLOAD_BYTES_MAX)
def picture(row_id: int) -> Any:
    """The picture of a voice application's page: seen, replaced, taken away."""
    user: Any = signing.current()
    row = found(VoiceApplication, row_id)
    may_change = may(user.role, "infrastructure.change")
    form, status = PictureForm(), 200
    if request.method == "POST":
        if not may_change:
            abort(403)
        if request.form.get("step") == "remove" and PressForm().validate():
            _set(row, "", user.login)
            flash("The picture is removed: the built-in one is shown.")
            return redirect(request.path, 303)
        status = 422
        if form.validate() and form.file.data:
            try:
                _set(row, _kept(row, encoded(form.file.data.read())), user.login)
            except PictureProblem as wrong:
                add_error(form.file, str(wrong))
            else:
                flash("The picture is on the page.")
                return redirect(request.path, 303)
    press, shown = PressForm(formdata=None), url_for("branding.logo", path=row.path, of=row.logo_file)
    return render_template(
        "admin/picture.html", row=row, form=form, may_change=may_change, press=press, shown=shown
    ), status


def _folder() -> Path:
    data_dir: Path = current_app.extensions["webcb_settings"].data_dir
    return data_dir / LOGO_FOLDER


def _kept(row: VoiceApplication, png: bytes) -> str:
    """Write it under a name of its own: a browser that has the old one asks for the new one."""
    of = "front" if row.path == "-" else row.path[:40]
    name = f"{of}-{hashlib.sha256(png).hexdigest()[:12]}.png"
    _folder().mkdir(mode=0o755, exist_ok=True)
    draft = _folder() / f"{name}.part"
    draft.write_bytes(png)
    draft.replace(_folder() / name)
    return name


def _set(row: VoiceApplication, name: str, made_by: str) -> None:
    """Name the picture on its row; one that we had made before, and nobody names any more, goes."""
    old = row.logo_file
    with db.writing():
        VoiceApplication.update(logo_file=name).where(VoiceApplication.id == row.id).execute()
        subject = f"voice application {row.name}"
        Audit.create(at=clock.utc_now(), made_by=made_by, action="picture", subject=subject, detail=name or "removed")
    is_named = VoiceApplication.select().where(VoiceApplication.logo_file == old).exists()
    if _OURS.fullmatch(old) and not is_named:
        (_folder() / old).unlink(missing_ok=True)
