"""docs/operator follows the menu, and its pictures are those that `python -m tests.web.admin.pictures docs` takes."""

import re
from pathlib import Path

from tests.web.admin.pictures import DOCS, IN_DOCS
from webcb.web.admin.menu import MENU

PAGES = {"": "admin", "Service catalog": "catalog"}
PICTURE_BYTES_MAX = 80_000


def text(group: str) -> str:
    return (DOCS.parent / f"{PAGES.get(group, group.lower())}.md").read_text()


def test_every_page_of_the_menu_has_its_heading_in_its_order() -> None:
    for group in MENU:
        headings = re.findall(r"(?m)^## (.+)$", text(group.label))
        labels = [entry.label for entry in group.entries]
        assert [heading for heading in headings if heading in labels] == labels, group.label


def test_the_pictures_are_there_and_small() -> None:
    named = {
        name for page in DOCS.parent.glob("*.md") for name in re.findall(r"\(images/([\w-]+)\.webp\)", page.read_text())
    }
    assert named == set(IN_DOCS)
    assert {path.stem for path in DOCS.iterdir()} == named
    assert all(path.stat().st_size < PICTURE_BYTES_MAX for path in map(Path, DOCS.iterdir()))
