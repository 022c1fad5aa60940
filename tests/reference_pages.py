"""Writes the generated parts of the project anew: `python -m tests.reference_pages`. Tests compare them with what is committed."""

import re
from pathlib import Path

from tests.cli.commands_page import command_reference
from webcb.provisioning import reference

TOP = Path(__file__).parent.parent


def between(text: str, mark: str, generated: str) -> str:
    """The text with what stands between two marks replaced."""
    marked = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->)", re.DOTALL)
    return marked.sub(lambda found: f"{found[1]}{generated}\n{found[2]}", text)


def main() -> None:
    (TOP / "webcb/provisioning/schema.json").write_text(reference.schema_text())
    for page, mark, generated in (
        ("docs/provisioning.md", "fields", reference.field_tables()),
        ("docs/commands.md", "commands", command_reference()),
    ):
        path = TOP / page
        path.write_text(between(path.read_text(), mark, generated))


if __name__ == "__main__":
    main()
