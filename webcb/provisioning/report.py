"""What an apply did, or would do: a line for everything created, changed or removed, counts of everything."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Action = Literal["created", "changed", "removed", "left"]
ACTIONS: tuple[Action, ...] = ("created", "changed", "removed", "left")
MARKS: dict[Action, str] = {"created": "+", "changed": "~", "removed": "-"}
CREATED_LINES_MAX = 40  # of a kind; changes and removals are all listed


@dataclass(frozen=True)
class Line:
    """One thing: what was done to it and, where it changed, each field with its old and new value as the file writes it."""

    action: Action
    noun: str
    name: str
    changes: tuple[tuple[str, str, str], ...] = ()

    def said(self) -> str:
        """`~ account 5511: blocked: false -> true`."""
        changes = ", ".join(f"{name}: {old} -> {new}" for name, old, new in self.changes)
        return f"{MARKS[self.action]} {self.noun} {self.name}{': ' + changes if changes else ''}"


@dataclass
class Report:
    """The lines in the order things were done, counts by noun, and what the operator should know besides."""

    lines: list[Line] = field(default_factory=list)
    counts: dict[str, Counter[Action]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, action: Action, noun: str, name: str, *changes: tuple[str, str, str]) -> None:
        """Note one thing; what was left as it is counts but makes no line."""
        self.counts.setdefault(noun, Counter())[action] += 1
        if action != "left":
            self.lines.append(Line(action, noun, name, changes))

    def total(self, action: Action) -> int:
        """How many things were created, changed, removed or left."""
        return sum(count[action] for count in self.counts.values())

    @property
    def changes_anything(self) -> bool:
        """Whether the database is not as it was."""
        return bool(self.lines)

    def said(self) -> list[str]:
        """The lines a person reads."""
        said: list[str] = []
        seen: Counter[str] = Counter()
        for line in self.lines:
            seen[line.noun] += line.action == "created"
            if line.action != "created" or seen[line.noun] <= CREATED_LINES_MAX:
                said.append(line.said())
        for noun, count in seen.items():
            if count > CREATED_LINES_MAX:
                said.append(f"+ and {count - CREATED_LINES_MAX} more of the kind {noun}")
        for noun, counter in self.counts.items():
            parts = ", ".join(f"{counter[action]} {action}" for action in ACTIONS if counter[action])
            said.append(f"{noun}: {parts}")
        return said + self.notes
