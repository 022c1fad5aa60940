"""The library: the files of the prompts below the data folder, those of the voice and the recordings that replace them.

    <data_dir>/prompts/built-in/<language>/<name>.wav     made once from the texts (synthesis.py)
    <data_dir>/prompts/<folder>/<language>/<name>.wav     recordings of a voice application's prompts folder

All are mono PCM of 16 bits. Those of the voice are of 16 kHz: the bridge makes 8 kHz of them where the far side has no more.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webcb.prompts import catalogue

PROMPTS: Final = "prompts"  # the folder of all of them, below the data folder
BUILT_IN: Final = "built-in"
CLOCK_HZ: Final = 16_000
CLOCKS_HZ: Final = (8_000, 16_000)
SECONDS_MAX: Final = 300  # of one recording, as the bridge plays
FOLDER_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_STAMP: Final = "made-from"  # a file beside those of the voice: what they were made from
_VERSION: Final = 1  # of the way they are made: another one makes them anew
_SYNTHESIS_SECONDS_MAX: Final = 300


class RecordingProblem(ValueError):
    """A file that cannot be a prompt; the message says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Mono samples of 16 bits in the host's order, of 8 or 16 kHz."""

    samples: bytes
    clock_hz: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / 2 / self.clock_hz


def write(path: Path, samples: bytes, clock_hz: int = CLOCK_HZ) -> None:
    """Samples of 16 bits, mono, as a .wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(clock_hz)
        file.writeframes(samples)


def read(path: Path) -> Recording:
    """A prompt's file. Raises RecordingProblem where it is not mono PCM of 16 bits at 8 or 16 kHz, OSError where it is not there."""
    try:
        with wave.open(str(path), "rb") as file:
            clock_hz, frames = file.getframerate(), file.getnframes()
            if file.getnchannels() != 1:
                raise RecordingProblem(f"{file.getnchannels()} channels; a prompt is mono")
            if file.getsampwidth() != 2:
                raise RecordingProblem(f"samples of {8 * file.getsampwidth()} bits; a prompt has 16")
            if clock_hz not in CLOCKS_HZ:
                raise RecordingProblem(f"{clock_hz} Hz; a prompt has 8000 or 16000")
            if not 0 < frames <= SECONDS_MAX * clock_hz:
                raise RecordingProblem(f"{frames / clock_hz:.1f} s; a prompt is not empty and at most {SECONDS_MAX} s")
            samples = file.readframes(frames)
    except (wave.Error, EOFError) as wrong:
        raise RecordingProblem(f"not a .wav file of PCM ({wrong})") from None
    if len(samples) != 2 * frames:
        raise RecordingProblem("the file is cut off")
    return Recording(samples, clock_hz)


@dataclass(frozen=True, slots=True)
class Library:
    """The prompts of one installation, by its data folder."""

    data_dir: Path

    def folder(self, name: str, language: str) -> Path:
        """Where the files of a language lie: of a prompts folder by its name, BUILT_IN for those of the voice."""
        if not re.fullmatch(FOLDER_PATTERN, name) or language not in catalogue.LANGUAGES:
            raise ValueError(f"prompts folder {name!r}, language {language!r}")
        return self.data_dir / PROMPTS / name / language

    def find(self, folder: str, language: str, name: str) -> Recording | None:
        """A prompt: the recording of that prompts folder ("": none is set), else the voice's. None: there is none, or it is spoilt."""
        if name not in catalogue.texts(language).by_name:
            return None
        for each in (folder, BUILT_IN) if folder else (BUILT_IN,):
            try:
                return read(self.folder(each, language) / f"{name}.wav")
            except FileNotFoundError:
                continue
            except (OSError, RecordingProblem):
                continue
        return None

    def unmade(self) -> tuple[str, ...]:
        """The languages whose built-in prompts are not there, or were made from other texts."""
        return tuple(each for each in catalogue.LANGUAGES if self._stamp(each) != _fingerprint(each))

    def _stamp(self, language: str) -> str:
        try:
            return (self.folder(BUILT_IN, language) / _STAMP).read_text(encoding="utf-8")
        except OSError:
            return ""

    def make(self, language: str) -> str:
        """Speak the built-in prompts of a language, into a folder that takes its name when all are there; what was said of it."""
        target = self.folder(BUILT_IN, language)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{language}-", dir=target.parent))
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                (sys.executable, "-m", "webcb.prompts.synthesis", language, str(draft)),
                capture_output=True,
                text=True,
                timeout=_SYNTHESIS_SECONDS_MAX,
                check=False,
            )
            if done.returncode != 0:
                return done.stderr.strip() or f"the synthesis ended with {done.returncode}"
            (draft / _STAMP).write_text(_fingerprint(language), encoding="utf-8")
            draft.chmod(0o755)
            shutil.rmtree(target, ignore_errors=True)
            draft.replace(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return done.stderr.strip()

    def make_missing(self, say: Callable[[str, str], None]) -> bool:
        """Speak what is not there; `say` is told of each language what came of it. Whether all is there now."""
        for language in self.unmade():
            say(language, self.make(language))
        return not self.unmade()

    def survey(self, folder: str, language: str) -> "Survey":
        """Which prompts of a language there are, and what is wrong with a prompts folder ("": none is set)."""
        names = catalogue.texts(language).by_name
        recorded, problems = self._recorded(folder, language) if folder else (frozenset(), ())
        spoken = {path.stem for path in self._files(BUILT_IN, language)}
        missing = tuple(name for name in names if name not in spoken and name not in recorded)
        return Survey(recorded & names.keys(), missing, problems)

    def _files(self, folder: str, language: str) -> list[Path]:
        where = self.folder(folder, language)
        return sorted(where.iterdir()) if where.is_dir() else []

    def _recorded(self, folder: str, language: str) -> tuple[frozenset[str], tuple[str, ...]]:
        recorded, problems = set(), []
        for path in self._files(folder, language):
            place = f"{folder}/{language}/{path.name}"
            if path.suffix != ".wav" or path.stem not in catalogue.texts(language).by_name:
                problems.append(f"{place}: no prompt has that name")
                continue
            try:
                read(path)
            except (OSError, RecordingProblem) as wrong:
                problems.append(f"{place}: refused: {wrong}")
            else:
                recorded.add(path.stem)
        return frozenset(recorded), tuple(problems)


@dataclass(frozen=True, slots=True)
class Survey:
    """Of one language: the names that a recording replaces, those that nobody has, and what is wrong with files."""

    recorded: frozenset[str]
    missing: tuple[str, ...]
    problems: tuple[str, ...]


def _fingerprint(language: str) -> str:
    texts = catalogue.texts(language)
    told = json.dumps([_VERSION, texts.voice, dict(texts.by_name)], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
