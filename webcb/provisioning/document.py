"""A provisioning file as entries: every entry read on its own, everything that is wrong collected with its line.

Pure: whether what an entry refers to exists is known only to the database, and asked by apply.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from webcb.provisioning.entries import SECTIONS, Entry
from webcb.provisioning.fields import near
from webcb.provisioning.source import Path, Problem, Source, SourceProblem
from webcb.provisioning.toml_source import TomlSource

ENTRIES_MAX = 500_000
ABSENT = "absent"  # an entry that says only its key and `absent: true` is to be removed

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and where it stands; `removal` where it is to be removed: then `entry` is None and only its key is known."""

    kind: type[Entry]
    key: Key
    entry: Any  # an instance of kind; None for a removal
    path: Path
    children: dict[str, list["Placed"]] = field(default_factory=dict)

    @property
    def removal(self) -> bool:
        """Whether the entry says that the thing must not be there."""
        return self.entry is None


@dataclass
class Document:
    """A file read: its entries by section, its problems so far, and the names of entries that are there but wrong."""

    source: Source | TomlSource | None
    sections: dict[str, list[Placed]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[tuple[str, str]] = field(default_factory=set)
    entries: int = 0

    def wrong(self, path: Path, text: str) -> None:
        """Note a problem of the value at `path`."""
        field = ".".join(step for step in path if isinstance(step, str))
        self.problems.append(self.source.problem(path, text) if self.source else Problem(0, field, text))


def read(content: bytes, *, is_toml: bool = False) -> Document:
    """Read a provisioning file, YAML or TOML; never raises for what is wrong in it: `problems` says everything at once."""
    try:
        source = TomlSource(content) if is_toml else Source(content)
    except SourceProblem as wrong:
        return Document(None, problems=[wrong.problem])
    document = Document(source, problems=source.problems)
    if not isinstance(source.tree, dict):
        document.wrong((), f"the file is a {_sort(source.tree)}; write sections: {', '.join(SECTIONS)}")
        return document
    _fill(document, source.tree)
    return document


def of(tree: Mapping[str, Any]) -> Document:
    """Entries that come from a form, not from a file: texts as the file has them, problems with their field and no line."""
    document = Document(None)
    _fill(document, tree)
    return document


def _fill(document: Document, tree: Mapping[str, Any]) -> None:
    for section, value in tree.items():
        if section in SECTIONS:
            document.sections[section] = _listed(document, SECTIONS[section], value, (section,))
        else:
            document.wrong((section,), f"no such section{near(section, list(SECTIONS))}")


def _listed(document: Document, kind: type[Entry], value: Any, path: Path) -> list[Placed]:
    """The entries of a list that can be read; a key written twice is a problem of the second."""
    if value is None:
        return []
    if not isinstance(value, list):
        document.wrong(path, f"this is a {_sort(value)}; write a list, each entry begun with a dash")
        return []
    document.entries += len(value)
    if document.entries > ENTRIES_MAX:
        document.wrong(path, f"the file has more than {ENTRIES_MAX} entries; split it")
        return []
    placed: list[Placed] = []
    lines: dict[Key, int] = {}
    for number, raw in enumerate(value):
        here = (*path, number)
        if not isinstance(raw, dict):
            document.wrong(here, f"this is a {_sort(raw)}; write fields ({kind.NOUN}), as in {kind.KEY[0]}: ...")
            continue
        each = _placed(document, kind, raw, here)
        if each is None:
            continue
        if each.key in lines:
            said = " ".join(str(part) for part in each.key if part is not None)
            document.wrong(here, f"{kind.NOUN} {said!r} is already on line {lines[each.key]}; keep one")
            continue
        lines[each.key] = document.source.line(here) if document.source else 0
        placed.append(each)
    return placed


def _placed(document: Document, kind: type[Entry], raw: Mapping[str, Any], path: Path) -> Placed | None:
    own = {name: value for name, value in raw.items() if name not in kind.CHILDREN}
    children = {
        name: _listed(document, child, raw[name], (*path, name)) for name, child in kind.CHILDREN.items() if name in raw
    }
    if ABSENT in own and own.pop(ABSENT) == "true":
        return _removal(document, kind, {**own, **children}, path)
    if raw.get(ABSENT, "false") != "false":
        document.wrong((*path, ABSENT), f"{raw[ABSENT]!r} is not good; write true, or leave the line out")
    try:
        entry = kind.model_validate(own)
    except ValidationError as wrong:
        for each in wrong.errors(include_url=False, include_context=True, include_input=False):
            _explain(document, kind, each, path)
        name = raw.get(kind.KEY[0])
        if len(path) == 2 and isinstance(name, str):  # an entry of a section, to which others may refer
            document.broken.add((str(path[0]), name))
        return None
    return Placed(kind, tuple(getattr(entry, name) for name in kind.KEY), entry, path, children)


def _removal(document: Document, kind: type[Entry], raw: Mapping[str, Any], path: Path) -> Placed | None:
    """An entry with `absent: true`: its key and nothing else."""
    key: list[Any] = []
    good = True
    for name in kind.KEY:
        fallback = kind.model_fields[name].default if not kind.model_fields[name].is_required() else None
        try:
            key.append(kind.reader(name)(raw[name]) if name in raw else fallback)
            if name not in raw and kind.model_fields[name].is_required():
                raise ValueError(f"missing; write {kind.reader(name).right}")
        except ValueError as wrong:
            document.wrong((*path, name), str(wrong))
            good = False
    for name in raw:
        if name not in kind.KEY:
            document.wrong(
                (*path, name), f"an absent entry ({kind.NOUN}) says only {', '.join(kind.KEY)}; leave the line out"
            )
            good = False
    return Placed(kind, tuple(key), None, path) if good else None


def _explain(document: Document, kind: type[Entry], error: Any, path: Path) -> None:
    """One finding of pydantic in the house's words."""
    name = str(error["loc"][0])
    here = (*path, name)
    if error["type"] == "extra_forbidden":
        known = [*kind.model_fields, *kind.CHILDREN, ABSENT]
        document.wrong(here, f"no such field ({kind.NOUN}){near(name, known)}")
    elif error["type"] == "missing":
        document.wrong(here, f"missing; write {kind.reader(name).right}")
    else:
        document.wrong(here, str(error["ctx"]["error"]))


def _sort(value: Any) -> str:
    return "list" if isinstance(value, list) else "mapping" if isinstance(value, dict) else "single value"


def every(document: Document, section: str) -> Iterator[Placed]:
    """The entries of a section that are to be there."""
    return (placed for placed in document.sections.get(section, []) if not placed.removal)
