"""docs/commands.md has every command and option as they are."""

from pathlib import Path

from tests.cli.commands_page import command_reference

PAGE = Path(__file__).parent.parent.parent / "docs" / "commands.md"


def test_the_page_has_every_command_as_it_is() -> None:
    """`python -m tests.reference_pages` writes it anew."""
    assert command_reference() in PAGE.read_text()
