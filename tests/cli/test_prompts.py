"""`webcb prompts` and what `webcb check` says of prompts."""

from pathlib import Path

import pytest

from webcb import cli
from webcb.prompts import catalogue, library
from webcb.prompts.library import BUILT_IN, Library


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """A data folder in which the synthesis of this test leaves prompts of nothing but a click."""
    monkeypatch.setenv("WEBCB_DATA_DIR", str(tmp_path))
    made = Library(tmp_path)

    def make(self: Library, language: str) -> str:
        folder = self.folder(BUILT_IN, language)
        folder.mkdir(parents=True)
        for name in catalogue.texts(language).by_name:
            library.write(folder / f"{name}.wav", b"\1\0")
        (folder / "made-from").write_text(library._fingerprint(language))
        return ""

    monkeypatch.setattr(Library, "make", make)
    return made


def test_the_missing_are_made_once_and_a_folder_is_looked_through(
    found: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["prompts"]) == 0
    first = capsys.readouterr().out
    assert "making the prompts of en, 1 of 6" in first
    assert cli.run(["prompts"]) == 0
    assert "making" not in capsys.readouterr().out
    (found.folder(BUILT_IN, "fr") / "busy.wav").unlink()
    folder = found.folder("brand", "en")
    folder.mkdir(parents=True)
    library.write(folder / "welcome.wav", b"\1\0", 8000)
    library.write(folder / "goodbye.wav", b"\1\0", 11_025)
    assert cli.run(["prompts", "--folder", "brand"]) == 1
    said = capsys.readouterr().out
    assert "1 of them recordings of brand" in said
    assert "missing: busy" in said
    assert "brand/en/goodbye.wav: refused: 11025 Hz; a prompt has 8000 or 16000" in said


def test_the_texts_are_shown_to_record_them(found: Library, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["prompts", "--texts", "pt"]) == 0
    assert "welcome\tBem-vindo.\n" in capsys.readouterr().out


def test_a_check_says_that_prompts_are_missing(found: Library, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["init"]) == 0
    assert cli.run(["check", "--only", "prompts"]) == 0
    assert "prompts: not made yet in en, es, pt, fr, de, ru" in capsys.readouterr().out
