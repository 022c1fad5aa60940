"""What the entries say of themselves, for people and editors: the JSON Schema of the file and the tables of its fields. Pure."""

import json
from typing import Any

from webcb.provisioning.document import ABSENT
from webcb.provisioning.entries import SECTIONS, Entry

_ABSENT_SCHEMA = {"type": "boolean", "description": "true: it must not be there; write nothing else but the key"}


def schema() -> dict[str, Any]:
    """The JSON Schema of a provisioning file, as schema.json beside this file has it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "webcb provisioning file",
        "type": "object",
        "additionalProperties": False,
        "properties": {section: _list(kind) for section, kind in SECTIONS.items()},
    }


def schema_text() -> str:
    """The text of schema.json."""
    return json.dumps(schema(), indent=1) + "\n"


def _list(kind: type[Entry]) -> dict[str, Any]:
    return {"type": ["array", "null"], "description": _first_line(kind), "items": _entry(kind)}


def _entry(kind: type[Entry]) -> dict[str, Any]:
    generated = kind.model_json_schema()
    fields = {
        name: {part: it for part, it in field.items() if part != "title"}
        for name, field in generated["properties"].items()
    }
    fields |= {name: _list(child) for name, child in kind.CHILDREN.items()}
    removal = {"required": [ABSENT], "properties": {ABSENT: {"const": True}}}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": fields | {ABSENT: _ABSENT_SCHEMA},
        "if": removal,
        "then": {"required": [name for name in kind.KEY if kind.model_fields[name].is_required()]},
        "else": {"required": generated.get("required", [])},
    }


def field_tables() -> str:
    """A table of fields for every section, in Markdown."""
    return "\n".join(_section(section, kind) for section, kind in SECTIONS.items())


def _section(section: str, kind: type[Entry], depth: int = 3) -> str:
    rows = "".join(_row(kind, field) for field in kind.model_fields)
    children = "".join(
        f"| `{name}` | list of {child.NOUN}s | none | see below |\n" for name, child in kind.CHILDREN.items()
    )
    head = f"{'#' * depth} {section}\n\n{_first_line(kind)}\n\n| field | what to write | default | what it is |\n|---|---|---|---|\n"
    below = "".join("\n" + _section(f"{section}: {name}", child, depth + 1) for name, child in kind.CHILDREN.items())
    return head + rows + children + below


def _row(kind: type[Entry], field: str) -> str:
    about, reader = kind.model_fields[field], kind.reader(field)
    default = "**required**" if about.is_required() else _default(reader.text(about.default))
    cells = (f"`{field}`", reader.right, default, reader.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(text: str) -> str:
    return {"": "empty", "null": "nothing"}.get(text, f"`{text}`")


def _first_line(kind: type[Entry]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]
