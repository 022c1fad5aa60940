"""What is exported, applied again, changes nothing, here and elsewhere; secrets and funds stay at home."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.provisioning.conftest import AT, BASE, EXAMPLE, Applies
from webcb import db, models
from webcb.provisioning import emit
from webcb.provisioning.document import read
from webcb.provisioning.export import export
from webcb.provisioning.source import Source

LATER = AT + timedelta(days=1)


@pytest.mark.parametrize("text", [BASE, EXAMPLE], ids=["base", "example.yaml"])
def test_an_export_applied_again_changes_nothing(applied: Applies, text: str) -> None:
    applied(text)
    report = applied(export(LATER), LATER)
    assert report.lines == []
    assert report.notes == []


@pytest.mark.parametrize("text", [BASE, EXAMPLE], ids=["base", "example.yaml"])
def test_an_export_makes_the_same_configuration_elsewhere(applied: Applies, text: str, tmp_path: Path) -> None:
    applied(text)
    exported = export(LATER)
    elsewhere = db.connect(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    elsewhere.connect()
    db.migrate()
    applied(exported, LATER)
    assert export(LATER) == exported
    assert models.Ledger.select().count() == 0
    elsewhere.close()


def test_an_export_takes_a_change_back(applied: Applies) -> None:
    applied(BASE)
    exported = export(AT)
    models.Account.update(blocked=True).execute()
    models.Rate.update(next_price_micros=1).execute()
    assert applied(exported, LATER).total("changed") == 4
    assert applied(exported, LATER + timedelta(days=1)).lines == []
    assert export(LATER) == exported


def test_secrets_and_funds_are_left_out(applied: Applies) -> None:
    applied(EXAMPLE)
    exported = export(LATER)
    for secret in ("change-me", "argon2", "password", "gAAAA", "opening_balance"):
        assert secret not in exported


def test_superseded_rates_are_history_and_coming_ones_are_not(applied: Applies) -> None:
    applied(BASE)
    applied(BASE.replace("next_price: 0.10", "next_price: 0.12"), LATER)
    lines = [line for line in export(LATER).splitlines() if "0.1" in line]
    assert len(lines) == 1
    assert "next_price: 0.12" in lines[0]
    assert "effective_from" not in lines[0]
    assert 'effective_from: "2026-03-02T12:00:00Z"' in export(AT)


def test_an_empty_database_is_an_empty_file(applied: Applies) -> None:
    assert export(AT) == ""


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40))
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    """In a block and inside braces: nothing turns into a number, a truth, nothing, or the end of a line."""
    written = emit.document({"nodes": [{"name": text}, {"a": text, "b": text, "c": text, "d": text}]})
    assert Source(written.encode()).tree == {"nodes": [{"name": text}, dict.fromkeys("abcd", text)]}


WORDS = [
    "null",
    "Null",
    "~",
    "",
    "true",
    "No",
    "ON",
    "y",
    "1e3",
    "0x1F",
    "017",
    "1_000",
    "2026-01-01",
    "-",
    "|",
    "# a",
    "a: b",
    "a, b",
]


@pytest.mark.parametrize("text", WORDS)
def test_a_word_that_yaml_would_take_for_something_else_is_quoted(text: str) -> None:
    """An editor and other readers of YAML see the text that this program sees."""
    written = emit.document({"nodes": [{"name": text}, {"a": text, "b": text, "c": text, "d": text}]})
    assert yaml.safe_load(written) == {"nodes": [{"name": text}, dict.fromkeys("abcd", text)]}


def test_every_value_with_a_default_is_written_where_it_differs(applied: Applies) -> None:
    """Every field of every section once with another value than its default, through the database and back."""
    applied(EXAMPLE)
    exported = read(export(LATER).encode())
    original = read(EXAMPLE.encode())
    assert exported.problems == original.problems == []
    for section, placed in original.sections.items():
        for here, there in zip(placed, exported.sections[section], strict=True):
            silent = {"service_password": None, "web_password": None, "password": None, "opening_balance": 0}
            for name in set(here.entry.__class__.model_fields) - set(silent):
                assert getattr(there.entry, name) == getattr(here.entry, name), (section, here.key, name)
