"""The commands of a page of the docs, by section, as they stand there."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def commands(page: str, section: str) -> list[str]:
    """The lines of all blocks of a section that have no language of their own."""
    text = (DOCS / page).read_text()
    found = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no section {section}"
    lines = [
        line
        for block in re.findall(r"^```\n(.*?)^```", found[1], re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    assert lines, f"section {section} of {page} has no commands"
    return lines
