"""Entries as YAML text a person likes to read: fields on lines, short lists of alike entries one to a line. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Plain:
    """Text that YAML may take for a number, a truth or nothing, because that is what it is."""

    text: str


# Text that YAML reads back as the same text, unquoted, inside braces too.
_BARE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+()-]*(?: [A-Za-z0-9_./@+()-]+)*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def scalar(value: str | Plain) -> str:
    """One value; quoted where YAML would read something else."""
    if isinstance(value, Plain):
        return value.text
    if _BARE.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def document(sections: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The text of a file: sections of entries, whose fields are `str`, `Plain` or lists of entries with such fields only."""
    parts = []
    for section, entries in sections.items():
        lines = [f"{section}:"]
        for entry in entries:
            lines += _flat(entry) if len(entry) <= 3 and not _has_lists(entry) else _block(entry)
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n" if parts else ""


def _has_lists(entry: Mapping[str, Any]) -> bool:
    return any(isinstance(value, list) for value in entry.values())


def _flat(entry: Mapping[str, Any], indent: str = "  ") -> list[str]:
    return [f"{indent}- {{{', '.join(f'{name}: {scalar(value)}' for name, value in entry.items())}}}"]


def _block(entry: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, value in entry.items():
        if isinstance(value, list):
            lines.append(f"    {name}:")
            for child in value:
                lines += _flat(child, "      ")
        else:
            lines.append(f"    {name}: {scalar(value)}")
    return ["  - " + lines[0][4:], *lines[1:]]
