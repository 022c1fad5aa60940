"""The one table of all benchmarks: each figure beside its floor or peer of the same run, and what one is of the other."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

HEAD = "| benchmark | what | here | beside it | that | here / that | aim |\n|---|---|---:|---|---:|---:|---|"


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure and what it stands beside. `aim` is what their ratio is to be at most where less is better, at least where more is.

    `of_pairs` is the ratio where it was taken pair by pair, and is not that of the two figures.
    """

    what: str
    here: float
    unit: str
    beside: str
    that: float
    better: Literal["less", "more"] = "less"
    aim: float | None = None
    of_pairs: float | None = None

    @property
    def ratio(self) -> float:
        """The figure over what stands beside it."""
        if self.of_pairs is not None:
            return self.of_pairs
        return self.here / self.that if self.that else float("inf")

    @property
    def is_met(self) -> bool:
        """Whether the ratio is what it is to be; one that is to be nothing is."""
        if self.aim is None:
            return True
        return self.ratio <= self.aim if self.better == "less" else self.ratio >= self.aim


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a benchmark: its figures beside others, or why there are none."""

    name: str
    seconds: float
    rows: tuple[Beside, ...] = ()
    problem: str = ""


def table(outcomes: Iterable[Outcome]) -> str:
    """Markdown. A benchmark that failed, was left out, or has nothing to stand beside says so in a line of its own."""
    lines = [HEAD]
    for outcome in outcomes:
        if outcome.problem:
            lines.append(f"| {outcome.name} | {_in_a_cell(outcome.problem)} | | | | | |")
        elif not outcome.rows:
            lines.append(f"| {outcome.name} | ran for {outcome.seconds:.0f} s; its figures stand above | | | | | |")
        lines += [_line(outcome.name, row) for row in outcome.rows]
    return "\n".join(lines)


def _line(name: str, row: Beside) -> str:
    cells = (
        name,
        row.what,
        _figure(row.here, row.unit),
        row.beside,
        _figure(row.that, row.unit),
        f"{row.ratio:.2f}",
        _aim(row),
    )
    return f"| {' | '.join(cells)} |"


def _aim(row: Beside) -> str:
    if row.aim is None:
        return f"{row.better} is better"
    bound = "at most" if row.better == "less" else "at least"
    return f"{bound} {row.aim:g}: {'met' if row.is_met else 'MISSED'}"


def _figure(value: float, unit: str) -> str:
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".strip()


def _in_a_cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
