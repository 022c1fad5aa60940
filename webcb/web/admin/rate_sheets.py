"""Rate sheets on pages: upload with a preview, the difference line by line, undo; download as .csv and .xlsx; a template.

Between preview and apply the file waits in a folder of its own below the data folder, under a name nobody can guess.
"""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from flask import Response, abort, current_app, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, HiddenField, RadioField, SelectField
from wtforms.fields.choices import SelectChoice

from webcb import clock
from webcb.billing import rate_import, rate_sheet, workbook
from webcb.billing.rate_import import Preview
from webcb.billing.rate_sheet import Kind
from webcb.models import RateImport, Tariff
from webcb.web import access
from webcb.web.admin import signing
from webcb.web.admin.screen import blueprint, found
from webcb.web.admin.signing import guarded
from webcb.web.forms import PressForm

SHEET_BYTES_MAX: Final = 16 * 1024 * 1024
FOLDER: Final = "uploads"
WAITING_SECONDS_MAX: Final = 3600  # a file that was looked at and not applied is forgotten
CHANGES_SHOWN_MAX: Final = 500
PROBLEMS_SHOWN_MAX: Final = 500

MIME: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class SheetForm(FlaskForm):  # type: ignore[misc]
    """What is done with a file."""

    file = FileField("Rate sheet", render_kw={"accept": ".csv,.xlsx"})
    waiting = HiddenField()
    name = HiddenField()
    mode = RadioField(
        "What the file is",
        choices=[
            SelectChoice("add", "Add: rates that are not in the file stay as they are"),
            SelectChoice("replace", "Replace: the file is the whole tariff; what it does not have is discontinued"),
        ],
        default="add",
    )
    register = BooleanField("Add destinations that the register lacks, as the file describes them")
    time_zone = SelectField("Time zone of the dates in the file", choices=sorted(available_timezones()))


@dataclass(frozen=True)
class Waiting:
    """A file that was looked at and may be applied."""

    token: str
    name: str
    content: bytes


@blueprint.route("/tariffs/<int:tariff_id>/sheet", methods=["GET", "POST"], endpoint="rate_sheet")
@guarded("catalog.change")
@access.takes_files(SHEET_BYTES_MAX)
def sheet(tariff_id: int) -> Any:
    """The page of a tariff's rate sheets."""
    tariff = found(Tariff, tariff_id)
    user: Any = signing.current()
    form = SheetForm(data={"time_zone": user.time_zone, "mode": "add"})
    if request.method == "GET":
        return _page(tariff, form)
    step = request.form.get("step", "")
    if step == "undo":
        return _undone(tariff)
    if not form.validate():
        return _page(tariff, form), 422
    try:
        waiting = _applied_file(form) if step == "apply" else _looked_at_file(form)
        table = workbook.read(waiting.content)
    except workbook.UnreadableFile as wrong:
        form.file.errors = [str(wrong)]
        return _page(tariff, form), 422
    read = rate_sheet.read(table, ZoneInfo(form.time_zone.data))
    mode: Literal["add", "replace"] = "replace" if form.mode.data == "replace" else "add"
    at, register = clock.utc_now(), bool(form.register.data)
    if step == "apply":
        who = f"user:{user.login}"[:64]
        done = rate_import.apply(tariff, read, mode, waiting.name, who, at, register=register)
        if not done.problems:
            _path(waiting.token).unlink(missing_ok=True)
            flash(f"{waiting.name}: {counted(done)}.")
            return redirect(url_for("admin.rates", parent_id=tariff.id), 303)
        return _page(tariff, form, done, waiting), 422
    seen = rate_import.preview(tariff, read, mode, at, register=register)
    return _page(tariff, form, seen, waiting), 422 if seen.problems else 200


def counted(seen: Preview) -> str:
    """What was done, counted by kind."""
    counts = [f"{count:,} {kind}" for kind, count in seen.counts().items()]
    new = [f"{len(seen.new_destinations):,} destinations registered"] if seen.new_destinations else []
    return ", ".join(counts + new) or "nothing to do"


def _page(tariff: Any, form: SheetForm, seen: Preview | None = None, waiting: Waiting | None = None) -> str:
    changes = [each for each in seen.changes if each.kind is not Kind.SAME] if seen else []
    imports = RateImport.select().where(RateImport.tariff == tariff).order_by(RateImport.id.desc()).limit(10)
    return render_template(
        "admin/rate_sheet.html",
        tariff=tariff,
        form=form,
        seen=seen,
        counted=counted(seen) if seen else "",
        changes=changes[:CHANGES_SHOWN_MAX],
        changes_more=max(0, len(changes) - CHANGES_SHOWN_MAX),
        problems=seen.problems[:PROBLEMS_SHOWN_MAX] if seen else [],
        problems_more=max(0, len(seen.problems) - PROBLEMS_SHOWN_MAX) if seen else 0,
        waiting=waiting,
        imports=list(imports),
        press=PressForm(formdata=None),
        megabytes=SHEET_BYTES_MAX // 2**20,
    )


def _undone(tariff: Any) -> Any:
    user: Any = signing.current()
    try:
        name = rate_import.undo(tariff, f"user:{user.login}"[:64], clock.utc_now())
    except rate_import.NothingToUndo as wrong:
        flash(str(wrong)[:1].upper() + str(wrong)[1:])
    else:
        flash(f"{name} is undone: its rates are gone, and those it replaced are back.")
    return redirect(url_for("admin.rate_sheet", tariff_id=tariff.id), 303)


# The file between preview and apply ----------------------------------------------------------------------------------


def _looked_at_file(form: SheetForm) -> Waiting:
    """The file that was sent, put aside."""
    given = form.file.data
    content = given.read(SHEET_BYTES_MAX + 1) if given else b""
    if not content:
        raise workbook.UnreadableFile("choose a file that is not empty")
    name = "".join(each for each in Path(given.filename or "").name if each.isprintable())[:100] or "rate sheet"
    token = secrets.token_hex(16)
    folder = _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    for old in folder.iterdir():
        if clock.utc_now().timestamp() - old.stat().st_mtime > WAITING_SECONDS_MAX:
            old.unlink(missing_ok=True)
    _path(token).write_bytes(content)
    return Waiting(token, name, content)


def _applied_file(form: SheetForm) -> Waiting:
    """The file that was put aside."""
    token = form.waiting.data or ""
    path = _path(token) if re.fullmatch("[0-9a-f]{32}", token) else None
    if path is None or not path.is_file():
        raise workbook.UnreadableFile("the file was put aside for an hour, which is over; upload it again")
    return Waiting(token, (form.name.data or "")[:100] or "rate sheet", path.read_bytes())


def _folder() -> Path:
    data_dir: Path = current_app.extensions["webcb_settings"].data_dir
    return data_dir / FOLDER


def _path(token: str) -> Path:
    return _folder() / token


# Downloads -----------------------------------------------------------------------------------------------------------


@blueprint.get("/tariffs/<int:tariff_id>/sheet/<as_format>", endpoint="rate_sheet_download")
@guarded("catalog.see")
def download(tariff_id: int, as_format: str) -> Any:
    """The rates of a tariff in force and to come, as a sheet that can be uploaded again."""
    tariff = found(Tariff, tariff_id)
    user: Any = signing.current()
    lines = rate_import.written(tariff, ZoneInfo(user.time_zone), clock.utc_now())
    name = re.sub(r"[^A-Za-z0-9]+", "-", tariff.name).strip("-") or "tariff"
    return _file(as_format, lines, f"{name}-rates")


@blueprint.get("/tariffs/template/<as_format>", endpoint="rate_sheet_template")
@guarded("catalog.see")
def template(as_format: str) -> Any:
    """An empty sheet with its columns and two lines to overwrite."""
    return _file(as_format, rate_sheet.EXAMPLES, "rate-sheet-template")


def _file(as_format: str, lines: Any, name: str) -> Response:
    if as_format not in workbook.FORMATS:
        abort(404)
    content = workbook.write(rate_sheet.HEADS, lines, as_format)
    disposition = f'attachment; filename="{name}.{as_format}"'
    return Response(content, mimetype=MIME[as_format], headers={"Content-Disposition": disposition})
