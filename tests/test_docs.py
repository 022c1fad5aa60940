"""The documentation names what there is."""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from tests.data_model import data_model
from tests.reference_pages import setting_table
from webcb import models
from webcb.provisioning import document
from webcb.settings import load

DOCS = Path(__file__).parent.parent / "docs"


def test_every_setting_stands_on_its_page_as_it_is() -> None:
    """`python -m tests.reference_pages` writes it anew."""
    assert setting_table() in (DOCS / "settings.md").read_text()


def test_every_table_and_column_stands_on_the_page_of_the_data_model() -> None:
    page = (DOCS / "data-model.md").read_text()
    assert data_model() in page
    for table in models.ALL_TABLES:
        assert f"### {table._meta.table_name}\n" in page
        section = page.partition(f"### {table._meta.table_name}\n")[2].partition("\n### ")[0]
        assert [f"| `{field.column_name}` |" in section for field in table._meta.sorted_fields].count(False) == 0


def test_settings_that_are_shown_are_good_and_links_of_the_front_page_lead_somewhere(tmp_path: Path) -> None:
    shown = [
        block
        for page in (DOCS.parent / "README.md", *DOCS.glob("*.md"))
        for block in re.findall(r"^ *```toml\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    ]
    assert len(shown) >= 2
    for block in shown:
        (tmp_path / "webcb.toml").write_text(dedent(block))
        load({}, tmp_path / "webcb.toml", make_missing=False)
    links = re.findall(r"\]\(([^)#]+)\)", (DOCS.parent / "README.md").read_text())
    assert [link for link in links if not (DOCS.parent / link).exists()] == []


def test_the_file_of_the_first_call_stands_on_its_page_and_reads_without_a_problem() -> None:
    trunk = (DOCS / "trunk.yaml").read_text()
    assert f"```yaml\n{trunk}```" in (DOCS / "first-call.md").read_text()
    assert document.read(trunk.encode()).problems == []


def test_the_first_call_can_be_applied_and_quoted(tmp_path: Path) -> None:
    environment = {**os.environ, "WEBCB_DATA_DIR": str(tmp_path / "data"), "WEBCB_CONFIG": os.devnull}
    ask = ["quote", "--application", "Web callback", "--account", "cb1001", "+1 206 555 4123", "+55 11 99988 7766"]
    for command in (["init"], ["apply", str(DOCS / "trunk.yaml")], ask, ["check", "--only", "books"]):
        ran = subprocess.run(
            [sys.executable, "-m", "webcb.cli", *command], env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, (command, ran.stderr)
        if command is ask:
            assert "0.02" in ran.stdout
            assert "0.10" in ran.stdout
