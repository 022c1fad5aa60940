"""Prompts: their texts in each language, listened to, and the recordings of a prompts folder that replace them.

A recording is written beside its place and takes it whole: a call that is up hears the old one or the new one.
"""

import re
import tempfile
from pathlib import Path
from typing import Any, Final

from flask import abort, current_app, flash, redirect, render_template, request, send_file, url_for
from flask_wtf import FlaskForm
from flask_wtf.file import FileField

from webcb import clock, db
from webcb.models import Audit, VoiceApplication
from webcb.prompts import catalogue
from webcb.prompts.library import BUILT_IN, FOLDER_PATTERN, SECONDS_MAX, Library, RecordingProblem, read, write
from webcb.web import access
from webcb.web.admin import signing
from webcb.web.admin.permission import may
from webcb.web.admin.screen import blueprint
from webcb.web.admin.signing import guarded
from webcb.web.forms import PressForm

RECORDING_BYTES_MAX: Final = SECONDS_MAX * 16_000 * 2 + 65_536
LANGUAGE_NAMES: Final = {
    "en": "English",
    "es": "Español",
    "pt": "Português",
    "fr": "Français",
    "de": "Deutsch",
    "ru": "Русский",
}


class RecordingForm(FlaskForm):  # type: ignore[misc]
    """A recording that replaces a prompt."""

    file = FileField("Recording", render_kw={"accept": ".wav,audio/wav", "required": True})


def _library() -> Library:
    return Library(current_app.extensions["webcb_settings"].data_dir)


def _folders() -> list[str]:
    """The prompts folders that voice applications name."""
    named = VoiceApplication.select(VoiceApplication.prompts_folder).where(VoiceApplication.prompts_folder != "")
    return sorted({row.prompts_folder for row in named})


@blueprint.get("/prompts", endpoint="prompts")
@guarded("infrastructure.see")
def prompts() -> Any:
    """The prompts of a language, in a prompts folder or built in."""
    language = request.args.get("language", "en")
    language = language if language in catalogue.LANGUAGES else "en"
    folders = _folders()
    folder = request.args.get("folder", folders[0] if folders else "")
    folder = folder if folder in folders else ""
    text = request.args.get("q", "").strip()[:64].lower()
    library = _library()
    survey = library.survey(folder, language)
    shown = [
        (name, said)
        for name, said in catalogue.texts(language).by_name.items()
        if text in name.lower() or text in said.lower()
    ]
    return render_template(
        "admin/prompts.html",
        language=language,
        languages={each: LANGUAGE_NAMES.get(each, each) for each in catalogue.LANGUAGES},
        folder=folder,
        folders=folders,
        prompts=shown,
        survey=survey,
        text=text,
    )


def _name(language: str, name: str) -> str:
    if language not in catalogue.LANGUAGES or name not in catalogue.texts(language).by_name:
        abort(404)
    return name


def _place(folder: str, language: str, name: str) -> Path:
    """The file of a recording; 404 where no voice application names the folder."""
    if folder not in _folders() or not re.fullmatch(FOLDER_PATTERN, folder):
        abort(404)
    return _library().folder(folder, language) / f"{_name(language, name)}.wav"


@blueprint.get("/prompts/<language>/<name>.wav", endpoint="prompt_sound")
@guarded("infrastructure.see")
def prompt_sound(language: str, name: str) -> Any:
    """A prompt as it is heard: the recording of `?folder=`, else the built-in one."""
    folder = request.args.get("folder", "")
    path = _library().folder(BUILT_IN, language) / f"{name}.wav" if _name(language, name) else None
    if folder and _place(folder, language, name).is_file():
        path = _place(folder, language, name)
    if path is None or not path.is_file():
        abort(404)
    return send_file(path.resolve(), mimetype="audio/wav", conditional=True)


@blueprint.route("/prompts/<folder>/<language>/<name>", methods=["GET", "POST"], endpoint="prompt")
@guarded("infrastructure.see")
@access.takes_files(RECORDING_BYTES_MAX)
def prompt(folder: str, language: str, name: str) -> Any:
    """One prompt of a folder: listen, put a recording in its place, or take it away."""
    user: Any = signing.current()
    path = _place(folder, language, name)
    form = RecordingForm()
    may_change = may(user.role, "infrastructure.change")
    status = 200
    if request.method == "POST":
        if not may_change:
            abort(403)
        if request.form.get("step") == "remove":
            path.unlink(missing_ok=True)
            _audit(user, "recording removed", folder, language, name)
            flash("The recording is removed: the built-in voice speaks again.")
            return redirect(request.path, 303)
        status = 422
        if form.validate() and _is_taken(form, path):
            _audit(user, "recording uploaded", folder, language, name)
            flash("The recording is taken: calls hear it from now on.")
            return redirect(request.path, 303)
    recorded = _recorded(path)
    text = catalogue.texts(language).by_name[name]
    return (
        render_template(
            "admin/prompt.html",
            folder=folder,
            language=language,
            name=name,
            text=text,
            form=form,
            recorded=recorded,
            may_change=may_change,
            press=PressForm(formdata=None),
            address=url_for("admin.prompts", folder=folder, language=language),
        ),
        status,
    )


def _recorded(path: Path) -> str:
    """What is said of the recording that is there; "": there is none."""
    try:
        found = read(path)
    except FileNotFoundError:
        return ""
    except (OSError, RecordingProblem) as wrong:
        return f"refused: {wrong}"
    return f"{found.seconds:.1f} s, {found.clock_hz} Hz"


def _is_taken(form: RecordingForm, path: Path) -> bool:
    """Put what was uploaded in its place; what is no mono PCM of 16 bits is refused, beside the field."""
    sent = form.file.data
    if not sent:
        form.file.errors = ["Choose a file."]
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as draft:
        draft.write(sent.read(RECORDING_BYTES_MAX + 1))
    drafted = Path(draft.name)
    try:
        recording = read(drafted)
        write(drafted, recording.samples, recording.clock_hz)  # what else is in the file stays out
        drafted.chmod(0o644)
        drafted.replace(path)
    except RecordingProblem as wrong:
        form.file.errors = [f"{str(wrong)[:1].upper()}{str(wrong)[1:]}."]
        return False
    finally:
        drafted.unlink(missing_ok=True)
    return True


def _audit(user: Any, action: str, folder: str, language: str, name: str) -> None:
    with db.writing():
        subject = f"prompt {folder}/{language}/{name}"[:120]
        Audit.create(at=clock.utc_now(), made_by=f"user:{user.login}"[:64], action=action, subject=subject)
