"""Prompts are spoken once and found by name, recordings replace them, and what is no recording is refused with its reason."""

import array
import math
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from rtpbridge import change_rate
from webcb.prompts import catalogue, library
from webcb.prompts.library import BUILT_IN, Library, Recording, RecordingProblem


def sine(frequency_hz: float, seconds: float, clock_hz: int) -> bytes:
    turn = 2 * math.pi * frequency_hz / clock_hz
    return array.array("h", [round(8000 * math.sin(turn * n)) for n in range(int(seconds * clock_hz))]).tobytes()


def level(samples: bytes) -> float:
    numbers = array.array("h", samples)
    middle = numbers[len(numbers) // 4 : -len(numbers) // 4]  # where the filter has all that it looks at
    return math.sqrt(sum(each * each for each in middle) / len(middle))


def wav(path: Path, samples: bytes, *, clock_hz: int = 8000, channels: int = 1, octets: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(octets)
        file.setframerate(clock_hz)
        file.writeframes(samples)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library in which one language was spoken."""
    found = Library(tmp_path_factory.mktemp("prompts"))
    assert found.make("de") == ""
    return found


def test_a_language_is_spoken_whole_and_once(made: Library) -> None:
    assert made.unmade() == ("en", "es", "pt", "fr", "ru")
    assert made.survey("", "de").missing == ()
    assert len(made.survey("", "en").missing) == len(catalogue.texts("en").by_name)
    welcome = made.find("", "de", "welcome")
    assert welcome is not None
    assert welcome.clock_hz == 16_000
    assert 0.3 < welcome.seconds < 2
    assert level(welcome.samples) > 500
    menu = made.find("", "de", "menu")
    assert menu is not None
    assert menu.seconds > 4 * welcome.seconds
    assert made.find("", "de", "nothing-of-that-name") is None


def test_every_voice_is_there() -> None:
    """The names of the voices in the catalogue are known to eSpeak NG: the first prompt of each language is spoken."""
    import subprocess
    import sys

    said = (
        "import sys; from webcb.prompts import catalogue; from webcb.prompts.synthesis import Speaker;"
        "texts = catalogue.texts(sys.argv[1]); print(len(Speaker(texts.voice).speak(texts.by_name['language'])))"
    )
    for language in catalogue.LANGUAGES:
        done = subprocess.run([sys.executable, "-c", said, language], capture_output=True, text=True, check=True)
        assert int(done.stdout) > 10_000, language


def test_other_texts_make_other_files(made: Library) -> None:
    stamp = made.folder(BUILT_IN, "de") / "made-from"
    before = stamp.read_text()
    try:
        stamp.write_text("of texts that were")
        assert "de" in made.unmade()
    finally:
        stamp.write_text(before)


def test_a_recording_replaces_the_voice_by_its_name(made: Library) -> None:
    samples = sine(440, 0.5, 8000)
    wav(made.folder("brand", "de") / "welcome.wav", samples)
    assert made.find("brand", "de", "welcome") == Recording(samples, 8000)
    assert made.find("", "de", "welcome") != made.find("brand", "de", "welcome")
    assert made.find("brand", "de", "goodbye") == made.find("", "de", "goodbye")
    assert made.survey("brand", "de").recorded == {"welcome"}


REFUSED: list[tuple[str, Callable[[Path], Path], str]] = [
    ("stereo", lambda path: wav(path, sine(440, 0.1, 8000), channels=2), "2 channels; a prompt is mono"),
    ("eight bits", lambda path: wav(path, bytes(800), octets=1), "samples of 8 bits; a prompt has 16"),
    (
        "of a CD",
        lambda path: wav(path, sine(440, 0.1, 44_100), clock_hz=44_100),
        "44100 Hz; a prompt has 8000 or 16000",
    ),
    ("empty", lambda path: wav(path, b""), "0.0 s; a prompt is not empty and at most 300 s"),
    ("an hour", lambda path: wav(path, bytes(2 * 8000 * 301)), "301.0 s; a prompt is not empty and at most 300 s"),
]


@pytest.mark.parametrize(("kind", "make", "why"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_no_recording_is_refused_and_does_not_replace(
    tmp_path: Path, kind: str, make: Callable[[Path], Path], why: str
) -> None:
    found = Library(tmp_path)
    path = make(found.folder("brand", "en") / "welcome.wav")
    with pytest.raises(RecordingProblem) as refused:
        library.read(path)
    assert str(refused.value) == why
    assert found.find("brand", "en", "welcome") is None
    assert found.survey("brand", "en").problems == (f"brand/en/welcome.wav: refused: {why}",)


def test_a_file_that_is_no_sound_or_no_prompt_is_told(tmp_path: Path) -> None:
    found = Library(tmp_path)
    folder = found.folder("brand", "en")
    wav(folder / "welcom.wav", sine(440, 0.1, 8000))
    (folder / "menu.wav").write_bytes(b"ID3 an mp3 with another name")
    whole = wav(folder / "busy.wav", sine(440, 0.1, 8000)).read_bytes()
    (folder / "busy.wav").write_bytes(whole[:-100])
    busy, menu, welcom = found.survey("brand", "en").problems
    assert "cut off" in busy
    assert "menu.wav: refused: not a .wav file of PCM" in menu
    assert welcom == "brand/en/welcom.wav: no prompt has that name"


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "x" * 65])
def test_a_folder_is_below_the_data_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="prompts folder"):
        Library(tmp_path).folder(name, "en")


@pytest.mark.parametrize(("from_hz", "to_hz"), [(22_050, 16_000), (22_050, 8_000), (8_000, 16_000), (16_000, 16_000)])
def test_another_rate_keeps_what_both_can_carry_and_nothing_else(from_hz: int, to_hz: int) -> None:
    lower = min(from_hz, to_hz)
    tone = sine(0.35 * lower, 0.2, from_hz)
    changed = change_rate(tone, from_hz, to_hz)
    assert len(changed) == len(tone) // 2 * to_hz // from_hz * 2
    assert level(changed) == pytest.approx(level(tone), rel=0.02)
    if to_hz < from_hz:  # what would come back as another tone is gone: 60 dB
        assert level(change_rate(sine(0.6 * to_hz, 0.2, from_hz), from_hz, to_hz)) < level(tone) / 1000


def test_a_rate_out_of_its_limits_is_refused() -> None:
    with pytest.raises(ValueError, match="out of its limits"):
        change_rate(b"\0\0", 22_050, 96_000)
    assert change_rate(b"", 22_050, 16_000) == b""
