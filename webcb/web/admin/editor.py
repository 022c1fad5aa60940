"""Forms that create, change and remove what an operator configures: each is a kind of entry of the provisioning file, in panels.

What a field may say, what contradicts what, what is fixed once and who uses what is decided there, in one place for file and page;
every change is audited there. Here is only which fields stand in which panel, under which label, and how they are typed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from flask import abort, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.widgets import CheckboxInput

from webcb import clock, db
from webcb.models import Table
from webcb.provisioning import apply as provisioning
from webcb.provisioning import document, export
from webcb.provisioning.books import TABLES
from webcb.provisioning.entries import SECTIONS, Entry
from webcb.provisioning.fields import Reader
from webcb.provisioning.source import Problem
from webcb.web.admin import signing
from webcb.web.admin.moments import own_zone, zone_field
from webcb.web.admin.permission import may

TYPED_LENGTH_MAX: Final = 2000
LINE_LENGTH_MAX: Final = 255  # what is longer gets several lines
LISTED_MAX: Final = 300  # names in a select; beyond them the name is typed, with suggestions
SUGGESTED_MAX: Final = 500

TITLES: Final[dict[str, str]] = {}  # of the list to which a form leads back, by the editor's endpoint


@dataclass(frozen=True)
class Item:
    """A field of a panel. `hint` stands below its label; `with_field`: only shown where that field has one of the values.

    `ticked` are the values of a list that are ticked, not written; `words` what values are called; `aid` is one of
    AIDS, below the field.
    """

    field: str
    label: str
    hint: str = ""
    with_field: str = ""
    with_values: tuple[str, ...] = ()
    needs: str = ""
    ticked: tuple[str, ...] = ()
    words: Mapping[str, str] | None = None
    aid: str = ""


@dataclass(frozen=True)
class Aid:
    """What stands below a field to try its text: a template, the address of its changing part, the fields that it looks at.

    `shows` says what the template shows of what is typed; `writes` makes a new text, and says what is wrong.
    """

    template: str
    part: str
    fields: tuple[str, ...]
    shows: Callable[[Mapping[str, str], Any], dict[str, Any]]
    writes: Callable[[Mapping[str, str]], tuple[str, str]] | None = None

    def watched(self, field: str) -> list[str]:
        """The names of the fields it looks at, below this field."""
        return [name.format(field) for name in self.fields]


AIDS: Final[dict[str, Aid]] = {}


@dataclass(frozen=True)
class Given:
    """A field of the handbook that has one value here: it is shown in its place, so that nobody looks for it."""

    label: str
    value: str
    hint: str = ""


@dataclass(frozen=True)
class Panel:
    """Fields under one heading, in the order of the handbook."""

    title: str
    items: tuple[Item | Given, ...]


@dataclass(frozen=True)
class Editor:
    """A kind of entry with its pages. `parent` is the section of which it is a part, `place` the field of the parent's list."""

    endpoint: str
    section: str
    title: str
    area: str
    panels: tuple[Panel, ...]
    child: str = ""  # rates of tariffs: the field of the parent that lists them
    fill: Callable[[Any], Mapping[str, str]] | None = None  # what a new one is proposed as, part of this

    @property
    def kind(self) -> type[Entry]:
        kind = SECTIONS[self.section]
        return kind.CHILDREN[self.child] if self.child else kind

    @property
    def items(self) -> list[Item]:
        return [item for panel in self.panels for item in panel.items if isinstance(item, Item)]


class Ticks(SelectMultipleField):  # type: ignore[misc]
    """Some of a few values, each a box to tick."""

    option_widget = CheckboxInput()


# The form ------------------------------------------------------------------------------------------------------------


def form_of(editor: Editor, values: Mapping[str, Any] | None, is_new: bool, names: Mapping[str, list[str]]) -> Any:
    """The form of an entry; `values` are what is stored, as the file writes them; None: what was posted."""
    kind = editor.kind
    fields: dict[str, Any] = {}
    for item in editor.items:
        reader = kind.reader(item.field)
        required = kind.model_fields[item.field].is_required()
        fields[item.field] = _field(item, reader, required, names.get(item.field))
        if _is_instant(reader):
            fields[f"{item.field}_zone"] = zone_field()
    made = type("EntryForm", (FlaskForm,), fields)
    form = made(formdata=None, data=_data(editor, values)) if values is not None else made()
    for item in editor.items:
        field = form[item.field]
        if not is_new and item.field in kind.FIXED:
            field.render_kw = (field.render_kw or {}) | {"readonly": True, "disabled": True}
            field.description = "It was chosen when this was created and cannot be changed."
    return form


def _is_instant(reader: Reader) -> bool:
    return reader.schema.get("format") == "date-time"


def _field(item: Item, reader: Reader, required: bool, names: list[str] | None) -> Any:
    more: dict[str, Any] = {"maxlength": TYPED_LENGTH_MAX}
    if reader.schema.get("type") == "boolean":
        return BooleanField(item.label)
    if item.ticked:
        return Ticks(item.label, choices=_choices(item.ticked), validate_choice=False)
    if "enum" in reader.schema:
        values = [each for each in reader.schema["enum"] if each is not None]
        return SelectField(
            item.label,
            choices=_choices(values, "—" if reader.may_be_nothing else None, item.words),
            validate_choice=False,
        )
    if item.field.endswith("time_zone"):
        zones = sorted(available_timezones())
        return SelectField(item.label, choices=_choices(zones), validate_choice=False)
    if names is not None and len(names) <= LISTED_MAX:
        blank = "— none —" if reader.may_be_nothing else "Choose …"
        as_they_are = {each: each for each in names}
        return SelectField(item.label, choices=_choices(names, blank, as_they_are), validate_choice=False)
    if reader.is_secret:
        return PasswordField(item.label, render_kw={"autocomplete": "new-password", "placeholder": "unchanged"})
    if _is_instant(reader):
        return StringField(item.label, render_kw={"type": "datetime-local", "step": "1"})
    if reader.schema.get("maxLength", 0) > LINE_LENGTH_MAX:
        return TextAreaField(item.label, render_kw={"rows": 3, **more})
    if required:
        more["required"] = True
    return StringField(item.label, render_kw=more | ({"list": f"{item.field}-names"} if names is not None else {}))


def _choices(
    values: Sequence[str], blank: str | None = None, words: Mapping[str, str] | None = None
) -> list[SelectChoice]:
    """The values of a select; `blank` is what is shown of none, `words` how some are called."""
    first = [] if blank is None else [SelectChoice("", blank)]
    return first + [SelectChoice(each, (words or {}).get(each) or _spoken(each)) for each in values]


def _spoken(value: str) -> str:
    return value[:1].upper() + value[1:]


def _data(editor: Editor, values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Stored values as the fields of the form take them."""
    kind, data = editor.kind, {}
    zone = own_zone()
    for item in editor.items:
        reader, about = kind.reader(item.field), kind.model_fields[item.field]
        text = (values or {}).get(item.field)
        if text is None and not about.is_required() and about.default is not None:
            text = reader.text(about.default)
        if reader.schema.get("type") == "boolean":
            data[item.field] = text == "true"
        elif item.ticked:
            data[item.field] = (text or "").split(",")
        elif _is_instant(reader):
            data[f"{item.field}_zone"] = zone
            data[item.field] = "" if text is None else _local(text, zone)
        else:
            data[item.field] = text or ""
    return data


def _local(text: str, zone: str) -> str:
    at = datetime.fromisoformat(text).astimezone(ZoneInfo(zone))
    return f"{at:%Y-%m-%dT%H:%M:%S}"


def posted(editor: Editor, form: Any) -> dict[str, Any]:
    """What was typed, as texts of the file: an empty field is the entry's default, or nothing."""
    texts: dict[str, Any] = {}
    for item in editor.items:
        reader, value = editor.kind.reader(item.field), form[item.field].data
        if form[item.field].render_kw and form[item.field].render_kw.get("disabled"):
            continue
        if reader.schema.get("type") == "boolean":
            texts[item.field] = "true" if value else "false"
        elif item.ticked:
            texts[item.field] = ",".join(
                value
            )  # nothing ticked is not the default: the reader says what would be right
        elif value and _is_instant(reader):
            texts[item.field] = _with_zone(value, form[f"{item.field}_zone"].data)
        elif value:
            texts[item.field] = value.replace("\0", "").strip().replace("\r\n", "\n")
    return texts


def _with_zone(text: str, zone: str) -> str:
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return text  # and the reader says what would be right
    return (local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC).isoformat()


# Storing -------------------------------------------------------------------------------------------------------------


class NotSaved(Exception):
    """What was typed cannot be saved; `problems` name the fields."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems


def save(editor: Editor, texts: dict[str, Any], stored: dict[str, Any] | None, parent: Any = None) -> None:
    """Create an entry, or change the one that is `stored`, its key included. Raises NotSaved."""
    user: Any = signing.current()
    kind, key = editor.kind, editor.kind.KEY[0]
    with db.writing():
        if stored is not None:
            for field in kind.model_fields:  # what the form does not show stays as it is
                shown = {item.field for item in editor.items}
                if field in stored and (field not in shown or field in kind.FIXED):
                    texts.setdefault(field, stored[field])
            if not editor.child and texts.get(key) != stored[key]:
                _rename(editor, stored[key], texts)
        entry: dict[str, Any] = texts
        if editor.child:
            moved = stored is not None and _key(kind, texts) != _key(kind, stored)
            entries = [texts] + ([_removal(kind, stored)] if moved and stored is not None else [])
            entry = {**export.entry(SECTIONS[editor.section], parent), editor.child: entries}
        _apply({editor.section: [entry]}, f"page:{editor.endpoint}", user)


def _key(kind: type[Entry], texts: Mapping[str, Any]) -> tuple[Any, ...]:
    key: list[Any] = []
    for name in kind.KEY:
        try:
            key.append(None if texts.get(name) is None else kind.reader(name)(texts[name]))
        except ValueError:
            key.append(texts[name])
    return tuple(key)


def _removal(kind: type[Entry], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: stored[name] for name in kind.KEY if stored.get(name) is not None} | {"absent": "true"}


def _rename(editor: Editor, old: str, texts: Mapping[str, Any]) -> None:
    """Give the row its new name first, so that the entry finds it."""
    table, column = TABLES[editor.section], editor.kind.column(editor.kind.KEY[0])
    new = texts.get(editor.kind.KEY[0])
    try:
        read = editor.kind.reader(editor.kind.KEY[0])(new)
    except ValueError as wrong:
        raise NotSaved([Problem(0, editor.kind.KEY[0], str(wrong))]) from None
    named = getattr(table, column)
    if table.select().where(named == read).exists():
        raise NotSaved(
            [Problem(0, editor.kind.KEY[0], f"there is a {editor.kind.NOUN} {read} already; choose another")]
        )
    table.update({column: read}).where(named == old).execute()


def remove(editor: Editor, stored: Mapping[str, Any], parent: Any = None) -> None:
    """Remove an entry that nothing uses. Raises NotSaved, saying what uses it."""
    entry = _removal(editor.kind, stored)
    if editor.child:
        entry = {**export.entry(SECTIONS[editor.section], parent), editor.child: [entry]}
    with db.writing():
        _apply({editor.section: [entry]}, f"page:{editor.endpoint}", signing.current())


def _apply(tree: dict[str, Any], page: str, user: Any) -> None:
    try:
        provisioning.apply(document.of(tree), clock.utc_now(), f"user:{user.login}"[:64], file=page, set_passwords=True)
    except provisioning.ApplyRefused as refused:
        raise NotSaved(refused.problems) from None


def names_of(editor: Editor) -> dict[str, list[str]]:
    """The names that each field that refers to something may have."""
    found: dict[str, list[str]] = {}
    for item in editor.items:
        section = editor.kind.reader(item.field).section
        if section:
            table, key = TABLES[section], SECTIONS[section].KEY[0]
            column: Any = getattr(table, SECTIONS[section].column(key))
            query = table.select(column).order_by(column).limit(SUGGESTED_MAX)
            found[item.field] = [str(getattr(row, column.name)) for row in query]
    return found


# Views ---------------------------------------------------------------------------------------------------------------


def edit(editor: Editor, row: Table | None, parent: Any = None, **context: Any) -> Any:
    """The page of an entry: shows it, saves what was posted, removes it. `row` None: a new one."""
    user: Any = signing.current()
    may_change = may(user.role, f"{editor.area}.change")
    stored = None if row is None else export.entry(editor.kind, row)
    names = names_of(editor)
    if request.method == "POST":
        if not may_change:
            abort(403)
        if request.form.get("step") == "remove" and stored is not None:
            return _removed(editor, stored, row, parent, names, context)
        form = form_of(editor, None, row is None, names)
        if request.form.get("step", "").partition(" ")[0] in ("try", "write"):
            _tried(editor, form)
            return _page(editor, form, row, parent, may_change, names, context)
        if form.validate():
            try:
                save(editor, posted(editor, form), stored, parent)
            except NotSaved as wrong:
                _say(form, wrong)
            else:
                flash(f"{editor.title} saved.")
                return redirect(_after(editor, form, row, parent), 303)
        return _page(editor, form, row, parent, may_change, names, context), 422
    prefilled = {**(editor.fill(parent) if editor.fill else {}), **request.args.to_dict()} if row is None else stored
    return _page(editor, form_of(editor, prefilled or {}, row is None, names), row, parent, may_change, names, context)


def _removed(editor: Editor, stored: Any, row: Any, parent: Any, names: Any, context: Any) -> Any:
    try:
        remove(editor, stored, parent)
    except NotSaved as wrong:
        form = form_of(editor, stored, False, names)
        _say(form, wrong)
        return _page(editor, form, row, parent, True, names, context), 422
    flash(f"{editor.title} removed.")
    return redirect(url_for(f"admin.{editor.endpoint}", **({"parent_id": parent.id} if parent else {})), 303)


def _tried(editor: Editor, form: Any) -> None:
    """Nothing is saved: the aid of a field shows what is typed, or writes what was chosen beside it into the field."""
    step, _, name = request.form.get("step", "").partition(" ")
    item = next((each for each in editor.items if each.field == name), None)
    aid = AIDS.get(item.aid) if item else None
    if step == "write" and aid is not None and aid.writes is not None:
        text, problem = aid.writes(_typed(editor, form))
        form[name].data = text
        if problem:
            form[name].errors = [problem]


def _typed(editor: Editor, form: Any) -> dict[str, str]:
    """What stands in the fields as it would be typed, and what is chosen beside them."""
    beside = {name: text for name, text in request.values.items() if name.startswith("try_")}
    return beside | {item.field: str(form[item.field].data or "") for item in editor.items}


def _say(form: Any, wrong: NotSaved) -> None:
    """Every problem beside its field; what belongs to none stands above the form."""
    for problem in wrong.problems:
        name = problem.field.rsplit(".", 1)[-1]
        text = problem.text[:1].upper() + problem.text[1:]
        if name in form and form[name].type == "SelectField" and text.startswith("Missing"):
            text = "Choose one."
        if name in form:
            form[name].errors = [*form[name].errors, text]
        else:
            form.form_errors.append(text)


def _after(editor: Editor, form: Any, row: Any, parent: Any) -> str:
    if editor.child:
        return url_for(f"admin.{editor.endpoint}", parent_id=parent.id)
    table: Any = TABLES[editor.section]
    if row is None:
        key = editor.kind.KEY[0]
        row = table.get(getattr(table, editor.kind.column(key)) == form[key].data.strip())
    return url_for(f"admin.{editor.endpoint}_edit", row_id=row.id)


def _of(item: Item, typed: Mapping[str, str]) -> dict[str, str]:
    """What an aid looks at: its own field and those that it names."""
    wanted = {item.field, *AIDS[item.aid].watched(item.field)}
    return {name: text for name, text in typed.items() if name in wanted}


def _described(editor: Editor, item: Item) -> str:
    """What the provisioning file's reference says of the field, without its marks of code."""
    return _spoken(editor.kind.reader(item.field).description.replace("`", ""))


def _page(
    editor: Editor, form: Any, row: Any, parent: Any, may_change: bool, names: Any, context: Mapping[str, Any]
) -> str:
    user: Any = signing.current()
    typed = _typed(editor, form)
    hidden = {item.field for item in editor.items if not may(user.role, item.needs)}
    return render_template(
        str(context.get("template", "admin/edit.html")),
        editor=editor,
        list_title=TITLES[editor.endpoint] + (f" of {parent.name}" if parent else ""),
        form=form,
        row=row,
        parent=parent,
        may_change=may_change,
        hidden=hidden,
        hints={item.field: item.hint or _described(editor, item) for item in editor.items},
        aids={
            item.field: (AIDS[item.aid], AIDS[item.aid].shows(_of(item, typed), parent))
            for item in editor.items
            if item.aid
        },
        names={field: each for field, each in names.items() if len(each) > LISTED_MAX},
        **{name: value for name, value in context.items() if name != "template"},
    )
