"""A provisioning file in TOML: the same document as in YAML, and what is said where something is wrong."""

from typing import Any

import pytest
import yaml

from tests.provisioning.conftest import BASE, EXAMPLE
from webcb.provisioning.document import read
from webcb.provisioning.source import Source
from webcb.provisioning.toml_source import TomlSource


def written(value: Any) -> str:
    """A value of a tree of text in TOML, inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {written(each)}" for name, each in value.items() if each is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def tables(tree: dict[str, Any]) -> str:
    """A tree as TOML is usually written: a table an entry, a line a field."""
    lines = []
    for section, entries in tree.items():
        for entry in entries:
            lines.append(f"[[{section}]]")
            lines += [f"{name} = {written(value)}" for name, value in entry.items() if value is not None]
    return "\n".join(lines)


def without_nothing(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: without_nothing(each) for name, each in tree.items() if each is not None}
    return [without_nothing(each) for each in tree] if isinstance(tree, list) else tree


@pytest.mark.parametrize("text", [BASE, EXAMPLE], ids=["base", "example"])
def test_the_same_document(text: str) -> None:
    tree = Source(text.encode()).tree
    toml = tables(tree).encode()
    assert TomlSource(toml).tree == without_nothing(tree)
    document, same = read(toml, is_toml=True), read(yaml.safe_dump(without_nothing(tree)).encode())
    assert document.problems == same.problems == []
    for section, entries in document.sections.items():
        assert [entry.entry for entry in entries] == [entry.entry for entry in same.sections[section]]


def test_values_are_read_as_they_are_written() -> None:
    document = read(
        b'destinations = [{prefix = 47, country = "NO"}]\n'
        b'[[tariffs]]\nname = "1e3"\ncurrency = "USD"\nconnect_fee = 0.10\npost_call_surcharge_percent = 2.5\n'
        b'[[accounts]]\nlogin = "0123"\ncustomer = "on"\nproduct = "1_000"\n'
        b"expires_at = 2026-01-31T00:00:00-03:00\nclosed = true\n",
        is_toml=True,
    )
    assert document.problems == []
    (destination,), (tariff,), (account,) = document.sections.values()
    assert (destination.entry.prefix, destination.entry.country) == ("47", "NO")
    assert (tariff.entry.connect_fee, tariff.entry.post_call_surcharge_percent) == (100_000, 25_000)
    assert account.entry.closed is True
    assert account.entry.expires_at.isoformat() == "2026-01-31T03:00:00+00:00"


def said(content: bytes | str) -> list[str]:
    raw = content if isinstance(content, bytes) else content.encode()
    return [problem.said("f.toml") for problem in sorted(read(raw, is_toml=True).problems)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nodes = [", "f.toml, line 1: not TOML: Invalid value"),
        ("\n\nnodes = nothing", "f.toml, line 3: not TOML: Invalid value"),
        (b"\n[[nodes]]\nname = '\xff'", "f.toml, line 3: not UTF-8 text; save the file as UTF-8"),
        ('nodes = "a"', "f.toml, line 1, nodes: this is a single value; write a list, each entry begun with a dash"),
        (
            "[[nodes]]\nname = 'a'\n\n[[nodes]]\nname = 'a'",
            "f.toml, line 4, nodes: node 'a' is already on line 1; keep one",
        ),
        ("[[nodse]]\nname = 'a'", "f.toml, line 1, nodse: no such section; did you mean nodes?"),
        (
            "# '''\n[[nodes]]\nname = '''\na'''\n[[nodes]]\n\nnam = 'a'\nname = 'b'",
            "f.toml, line 7, nodes.nam: no such field (node); did you mean name?",
        ),
        (
            "[[tariffs]]\nname = 'a'\ncurrency = 'USD'\n[[tariffs]]\nname = 'b'\ncurrency = 'USD'\n[[tariffs.rates]]\n"
            "prefix = '1'\nfirst_price = 'x'\nnext_price = 1\nfirst_interval_seconds = 1\nnext_interval_seconds = 1",
            "f.toml, line 9, tariffs.rates.first_price: ",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: bytes | str, expected: str) -> None:
    (found,) = said(text)
    assert found.startswith(expected)


def test_what_is_nested_without_end_is_one_clear_line() -> None:
    assert said("nodes = " + "[" * 100_000) == ["f.toml: nested too deep; write it plainly"]
