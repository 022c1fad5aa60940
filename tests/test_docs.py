"""The documentation names what there is."""

from dataclasses import fields
from pathlib import Path

from webcb.settings import Settings

DOCS = Path(__file__).parent.parent / "docs"


def test_every_setting_is_documented_with_its_purpose() -> None:
    page = (DOCS / "settings.md").read_text()
    for setting in fields(Settings):
        assert f"| `{setting.name}` |" in page, setting.name
        assert setting.metadata["help"] in page, setting.name
