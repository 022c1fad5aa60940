"""How lists are printed: columns that stand under their heads, or CSV. Pure."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

GAP = "  "


def cell(value: Any) -> str:
    """One value as text: nothing is empty, instants in UTC to the second."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows under heads; a column whose values are all numbers stands to the right."""
    texts = [[cell(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(heads, *texts, strict=True)]
    right = [all(_is_number(text) for text in column) for column in zip(*texts, strict=True)] or [False] * len(heads)
    lines = []
    for row in [list(heads), *texts]:
        cells = [
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        ]
        lines.append(GAP.join(cells).rstrip())
    return "\n".join(lines)


def comma_separated(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows as CSV with a line of heads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().rstrip("\n")


def _is_number(text: str) -> bool:
    return not text or text.lstrip("-").replace(".", "", 1).replace(":", "").isdigit()


def duration(seconds: int) -> str:
    """Minutes and seconds: 61 -> 1:01."""
    return f"{seconds // 60}:{seconds % 60:02d}"
