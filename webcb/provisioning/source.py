"""The text of a provisioning file as plain lists, mappings and text, with the line of everything.

Every scalar is read as text: 0.10 keeps its digits, `NO` stays Norway, 0800 keeps its zero. What the texts mean is the
business of fields.py; nothing here knows what an operator configures.
"""

from dataclasses import dataclass
from typing import Any

import yaml

FILE_BYTES_MAX = 32 * 1024 * 1024
NODES_MAX = 5_000_000  # aliases could otherwise make a small file an endless one
DEPTH_MAX = 12
NOTHING = frozenset({"", "~", "null", "Null", "NULL"})

# libyaml is ten times as quick as Python; an installation built without it still works.
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with a file: where, and what would be right. Line 0 means the file as a whole."""

    line: int
    field: str
    text: str

    def said(self, file: str) -> str:
        """The line a person reads: file, line, field, what is wrong and what would be right."""
        place = ", ".join(part for part in (file, f"line {self.line}" if self.line else "", self.field) if part)
        return f"{place}: {self.text}"


class SourceProblem(Exception):
    """The file cannot be read at all; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


class Source:
    """A file read: `tree` of dict, list, str and None, and the line each path of it stands on."""

    def __init__(self, content: bytes) -> None:
        """Read YAML (UTF-8). Raises SourceProblem for what is no YAML, too large, or uses what is not read here."""
        if len(content) > FILE_BYTES_MAX:
            raise SourceProblem(Problem(0, "", f"larger than {FILE_BYTES_MAX // 1024 // 1024} MiB; split the file"))
        try:
            self._root = yaml.compose(content.decode("utf-8-sig"), Loader=_Loader)
        except UnicodeDecodeError as wrong:
            line = content[: wrong.start].count(b"\n") + 1
            raise SourceProblem(Problem(line, "", "not UTF-8 text; save the file as UTF-8")) from None
        except yaml.MarkedYAMLError as wrong:
            mark = wrong.problem_mark or wrong.context_mark
            said = wrong.problem or wrong.context
            raise SourceProblem(Problem(mark.line + 1 if mark else 0, "", f"not YAML: {said}")) from None
        except yaml.YAMLError as wrong:
            raise SourceProblem(Problem(0, "", f"not YAML: {str(wrong).splitlines()[0]}")) from None
        self.problems: list[Problem] = []
        self._nodes = 0
        self.tree = self._plain(self._root, ()) if self._root else {}

    def line(self, path: Path) -> int:
        """The line, from 1, where the value of `path` (or the nearest part of it that exists) begins."""
        node, line = self._root, 1
        for step in path:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == step), None)
                if found is None:
                    return line
                key, node = found
                line = key.start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                return line
        return line

    def problem(self, path: Path, text: str) -> Problem:
        """A problem of the value at `path`; its field is the names of the path, the line tells which entry."""
        return Problem(self.line(path), ".".join(step for step in path if isinstance(step, str)), text)

    def _plain(self, node: yaml.Node, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > NODES_MAX or len(path) > DEPTH_MAX:
            limit = f"nested deeper than {DEPTH_MAX}" if len(path) > DEPTH_MAX else f"more than {NODES_MAX} values"
            raise SourceProblem(Problem(node.start_mark.line + 1, "", f"{limit}; write it plainly"))
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*path, number)) for number, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        plain = isinstance(node, yaml.ScalarNode) and node.style in (None, "")
        return None if plain and node.value in NOTHING else node.value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            field = ".".join(step for step in (*path, name) if isinstance(step, str))
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(line, field, "a name is one word; quote it if it has braces"))
            elif name in read:
                self.problems.append(Problem(line, field, "written twice in one entry; keep one"))
            else:
                read[name] = self._plain(value, (*path, name))
        return read
