"""A provisioning file in TOML as the same plain lists, mappings and text that YAML gives, with the line of what is said of it."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from webcb.provisioning.source import FILE_BYTES_MAX, NODES_MAX, Path, Problem, SourceProblem

_AT_LINE = re.compile(r"^(?P<said>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_NAME = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_TABLE = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_NAME})[ \t]*\]")
_KEY = re.compile(rf"[ \t]*({_NAME})[ \t]*=")
_QUOTES = re.compile(r'"""|' + r"'''")


class TomlSource:
    """A file read: `tree` of dict, list and str, and the line on which each part of it was begun."""

    def __init__(self, content: bytes) -> None:
        """Read TOML (UTF-8). Raises SourceProblem for what is no TOML, or too large."""
        if len(content) > FILE_BYTES_MAX:
            raise SourceProblem(Problem(0, "", f"larger than {FILE_BYTES_MAX // 1024 // 1024} MiB; split the file"))
        try:
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
            read = tomllib.loads(text, parse_float=str)  # 0.10 keeps its digits
        except UnicodeDecodeError as wrong:
            line = content[: wrong.start].count(b"\n") + 1
            raise SourceProblem(Problem(line, "", "not UTF-8 text; save the file as UTF-8")) from None
        except tomllib.TOMLDecodeError as wrong:
            found = _AT_LINE.match(str(wrong))
            line = int(found["line"] or text.count("\n") + 1) if found else 0
            raise SourceProblem(Problem(line, "", f"not TOML: {found['said'] if found else wrong}")) from None
        except RecursionError:
            raise SourceProblem(Problem(0, "", "nested too deep; write it plainly")) from None
        self.problems: list[Problem] = []
        self._nodes = 0
        self.tree: Any = self._plain(read)
        self._lines = dict(_places(text))

    def line(self, path: Path) -> int:
        """The line, from 1, where the value of `path` (or the nearest part of it that is written by itself) begins."""
        return next((line for end in range(len(path), 0, -1) if (line := self._lines.get(path[:end]))), 1)

    def problem(self, path: Path, text: str) -> Problem:
        """A problem of the value at `path`; its field is the names of the path, the line tells which entry."""
        return Problem(self.line(path), ".".join(step for step in path if isinstance(step, str)), text)

    def _plain(self, value: Any) -> Any:
        """Text for every single value, as a file in YAML is read; truths and moments as they are written there."""
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise SourceProblem(Problem(0, "", f"more than {NODES_MAX} values; split the file"))
        if isinstance(value, dict):
            return {name: self._plain(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._plain(each) for each in value]
        if isinstance(value, bool):
            return "true" if value else "false"
        return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _places(text: str) -> Iterator[tuple[Path, int]]:
    """What each line begins: a table, an entry of a list of tables, a key. Text over several lines is passed over."""
    counts: dict[Path, int] = {}
    here: Path = ()
    open_quotes = ""
    for number, line in enumerate(text.split("\n"), 1):
        if not open_quotes and line.lstrip().startswith("#"):
            continue
        was_open = open_quotes
        for found in _QUOTES.findall(line):
            open_quotes = "" if found == open_quotes else open_quotes or found
        if was_open:
            continue
        table, key = _TABLE.match(line), _KEY.match(line)
        if table:
            here = _within(counts, _parts(table[2]))
            if table[1] == "[[":
                counts[here] = counts.get(here, -1) + 1
                here = (*here, counts[here])
            yield here, number
        elif key:
            yield (*here, *_parts(key[1])), number


def _within(counts: dict[Path, int], names: list[str]) -> Path:
    """A dotted name as a path: a list of tables on the way means its newest entry."""
    path: Path = ()
    for name in names[:-1]:
        path = (*path, name)
        if path in counts:
            path = (*path, counts[path])
    return (*path, names[-1])


def _parts(name: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, name)]
