"""The JSON Schema, the tables of the documentation and the example say what the entries say."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.provisioning.conftest import BASE, EXAMPLE
from webcb.provisioning import reference
from webcb.provisioning.document import read
from webcb.provisioning.entries import SECTIONS, Entry
from webcb.provisioning.source import Source

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_the_schema_is_that_of_the_entries() -> None:
    """`python -m tests.reference_pages` writes it anew."""
    committed = (resources.files("webcb.provisioning") / "schema.json").read_text()
    assert json.loads(committed) == reference.schema()


def test_the_page_has_the_tables_of_the_entries() -> None:
    assert reference.field_tables() in (DOCS / "provisioning.md").read_text()


def suits(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value read as text suits the part of JSON Schema that is used here."""
    if isinstance(value, list):
        return "array" in schema["type"] and all(suits(schema["items"], each) for each in value)
    if not isinstance(value, dict):
        return "enum" not in schema or value in schema["enum"]
    required = schema.get("required", []) + schema.get("else", {}).get("required", [])
    return set(required) <= set(value) <= set(schema["properties"]) and all(
        suits(schema["properties"][name], each) for name, each in value.items()
    )


@pytest.mark.parametrize("text", [BASE, EXAMPLE])
def test_the_schema_takes_what_is_taken(text: str) -> None:
    tree = Source(text.encode()).tree
    assert suits(reference.schema(), tree)
    tree["accounts"][0]["tpye"] = "debit"
    assert not suits(reference.schema(), tree)


def test_the_example_shows_every_field() -> None:
    document = read(EXAMPLE.encode())
    assert document.problems == []
    placed = [each for section in document.sections.values() for each in section]
    placed += [each for parent in placed for children in parent.children.values() for each in children]
    shown: dict[type[Entry], set[str]] = {}
    for each in placed:
        shown.setdefault(each.kind, set()).update(each.entry.model_fields_set)
    kinds = [*SECTIONS.values(), *(child for kind in SECTIONS.values() for child in kind.CHILDREN.values())]
    missing = {f"{kind.NOUN}.{field}" for kind in kinds for field in set(kind.model_fields) - shown[kind]}
    assert missing <= {"rate.discontinued"}
