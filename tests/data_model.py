"""The page of the data model, made of schema.sql: each table with what the comment above it says, its columns, what they refer to."""

import re

from webcb import db

_TITLE = re.compile(r"^-- ([A-Z][^\n]*?) -+$", re.MULTILINE)
_TABLE = re.compile(r'^CREATE TABLE "?(\w+)"? \(\n(.*?)^\);', re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"^  ([a-z]\w*) (INTEGER|TEXT|BIGINT|BOOLEAN)(.*?),?(?:\s+-- (.*))?$", re.MULTILINE)
_REFERS = re.compile(r'REFERENCES "?(\w+)"? ')
_WHOLE = re.compile(r"^  (UNIQUE \([^)]*\))", re.MULTILINE)


def data_model() -> str:
    """A section for each part of the schema, a table for each table."""
    text = db.schema_text()
    titles = [(found.start(), found[1].strip()) for found in _TITLE.finditer(text)]
    parts, shown = [], ""
    for table in _TABLE.finditer(text):
        title = next((title for at, title in reversed(titles) if at < table.start()), "The schema itself")
        if title != shown:
            parts.append(f"## {title}\n")
            shown = title
        parts.append(_section(table[1], table[2], _comment_above(text, table.start())))
    return "\n".join(parts)


def _comment_above(text: str, at: int) -> str:
    lines: list[str] = []
    for line in reversed(text[:at].splitlines()):
        if not line.startswith("-- ") or _TITLE.match(line):
            break
        lines.insert(0, line.removeprefix("-- "))
    return " ".join(lines)


def _section(name: str, body: str, comment: str) -> str:
    rows = []
    for column, kind, rules, said in _COLUMN.findall(body):
        refers = _REFERS.search(f"{rules} ")
        kind = f"[`{refers[1]}`](#{refers[1]})" if refers else kind.lower()
        notes = ["key"] * ("PRIMARY KEY" in rules) + ["unique"] * ("UNIQUE" in rules)
        notes += [] if "NOT NULL" in rules or "PRIMARY KEY" in rules else ["may be empty"]
        rows.append(f"| `{column}` | {kind} | {', '.join(notes)} | {said.replace('|', chr(92) + '|')} |")
    together = [f"Together {found.removeprefix('UNIQUE ')} are unique." for found in _WHOLE.findall(body)]
    said = "\n".join(filter(None, [comment, *together]))
    return "\n".join(
        [f"### {name}\n", *([f"{said}\n"] if said else []), "| column | type | | |", "|---|---|---|---|", *rows, ""]
    )
