"""Digits as tones: what ITU-T Q.24 wants heard, what it wants ignored, and speech, music and noise that are no digits."""

import math
import random
import shutil
import struct
import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

CLOCK_HZ = 8_000
FRAME = 160
LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")
TONES = {key: (LOW[row], HIGH[column]) for row, keys in enumerate(KEYS) for column, key in enumerate(keys)}
FULL_SCALE, FULL_SCALE_DBM0 = 32_635, 3.14
SEEDS = random.Random(24)

Digits = list[tuple[str, int]]


def amplitude(dbm0: float) -> float:
    return FULL_SCALE * math.pow(10, (dbm0 - FULL_SCALE_DBM0) / 20)


def tones(
    digit: str, ms: float, dbm0: float = -10, *, off: tuple[float, float] = (0, 0), twist_db: float = 0
) -> list[float]:
    """A digit; `off` are the deviations of its tones as shares, `twist_db` how much stronger the higher one is."""
    low_hz, high_hz = (hz * (1 + share) for hz, share in zip(TONES[digit], off, strict=True))
    low, high = amplitude(dbm0), amplitude(dbm0 + twist_db)
    phases = SEEDS.random() * 6, SEEDS.random() * 6
    return [
        low * math.sin(2 * math.pi * low_hz * n / CLOCK_HZ + phases[0])
        + high * math.sin(2 * math.pi * high_hz * n / CLOCK_HZ + phases[1])
        for n in range(round(ms * CLOCK_HZ / 1000))
    ]


def silence(ms: float) -> list[float]:
    return [0.0] * round(ms * CLOCK_HZ / 1000)


def clipped(samples: Sequence[float]) -> list[int]:
    return [max(-32_768, min(32_767, round(sample))) for sample in samples]


def hear(pure: ModuleType, samples: Sequence[float]) -> Digits:
    """The digits heard and their milliseconds; frames of 20 ms after a random beginning."""
    inband, told = pure.ffi.new("struct inband *"), pure.ffi.new("struct dtmf_told *")
    whole = clipped([*silence(20), *silence(SEEDS.random() * 20), *samples, *silence(80)])
    heard: Digits = []
    begun = 0
    for at in range(0, len(whole), FRAME):
        frame = whole[at : at + FRAME]
        pure.lib.inband_hear(inband, pure.ffi.new("int16_t[]", frame), len(frame), told)
        begun += told.began
        heard += [(told.ended[i].digit.decode(), told.ended[i].duration_ms) for i in range(told.ended_count)]
    assert begun == len(heard)
    return heard


def digits(heard: Digits) -> str:
    return "".join(digit for digit, _ in heard)


def test_every_digit_with_its_length(pure: ModuleType) -> None:
    for digit in TONES:
        for ms in (50, 100, 400):
            ((heard, heard_ms),) = hear(pure, tones(digit, ms))
            assert heard == digit and heard_ms == pytest.approx(ms, abs=16)


def test_40_ms_on_and_40_ms_off_are_enough(pure: ModuleType) -> None:
    for _ in range(10):
        dialled = "".join(SEEDS.choices(list(TONES), k=12))
        samples = [part for digit in dialled for part in (*tones(digit, 40), *silence(40))]
        assert digits(hear(pure, samples)) == dialled


def test_less_than_23_ms_are_no_digit(pure: ModuleType) -> None:
    for digit in TONES:
        for _ in range(4):
            assert hear(pure, tones(digit, 22)) == []


def test_a_gap_of_10_ms_does_not_cut_a_digit(pure: ModuleType) -> None:
    for digit in TONES:
        (heard,) = hear(pure, [*tones(digit, 60), *silence(9), *tones(digit, 60)])
        assert heard[0] == digit


@pytest.mark.parametrize("dbm0", [0, -5, -15, -25])
def test_levels_that_must_be_heard(pure: ModuleType, dbm0: float) -> None:
    for digit in TONES:
        assert digits(hear(pure, tones(digit, 50, dbm0 - 3 if dbm0 == 0 else dbm0))) == digit


def test_what_is_too_faint_is_no_digit(pure: ModuleType) -> None:
    for digit in TONES:
        assert hear(pure, tones(digit, 200, -36)) == []


@pytest.mark.parametrize("off", [(0.015, 0.015), (-0.015, -0.015), (0.015, -0.015), (-0.015, 0.015)])
def test_frequencies_that_must_be_heard(pure: ModuleType, off: tuple[float, float]) -> None:
    for digit in TONES:
        for twist_db in (-6, 0, 3):
            assert digits(hear(pure, tones(digit, 50, -12, off=off, twist_db=twist_db))) == digit


@pytest.mark.parametrize("off", [(0.035, 0), (-0.035, 0), (0, 0.035), (0, -0.035)])
def test_frequencies_that_are_no_digit(pure: ModuleType, off: tuple[float, float]) -> None:
    for digit in TONES:
        assert hear(pure, tones(digit, 200, off=off)) == []


@pytest.mark.parametrize("twist_db", [-8, 4])
def test_twist_that_must_be_borne(pure: ModuleType, twist_db: float) -> None:
    for digit in TONES:
        assert digits(hear(pure, tones(digit, 50, -12, twist_db=twist_db))) == digit


@pytest.mark.parametrize("twist_db", [-14, 10])
def test_twist_that_is_no_digit(pure: ModuleType, twist_db: float) -> None:
    for digit in TONES:
        assert hear(pure, tones(digit, 200, -12, twist_db=twist_db)) == []


def test_digits_in_noise_15_db_below(pure: ModuleType) -> None:
    for digit in TONES:
        spread = amplitude(-10) * math.pow(10, -15 / 20)
        noisy = [sample + SEEDS.gauss(0, spread) for sample in [*tones(digit, 60), *silence(60)]]
        assert digits(hear(pure, noisy)) == digit


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722"])
def test_digits_through_the_codecs(pure: ModuleType, codec: str) -> None:
    dialled = "159#*D"
    said = clipped([part for digit in dialled for part in (*tones(digit, 60, -16), *silence(60))])
    voice = getattr(pure.lib, f"VOICE_{codec}")
    encoder, decoder = pure.ffi.new("struct voice_encoder *"), pure.ffi.new("struct voice_decoder *")
    pure.lib.voice_encoder_begin(encoder, voice)
    pure.lib.voice_decoder_begin(decoder, voice)
    octets, heard = pure.ffi.new("uint8_t[]", len(said)), pure.ffi.new("int16_t[]", len(said))
    pure.lib.voice_encode(encoder, pure.ffi.new("int16_t[]", said), len(said), octets)
    pure.lib.voice_decode(decoder, octets, len(said), heard)
    assert digits(hear(pure, list(heard))) == dialled


def test_dial_tone_and_ringback_are_no_digits(pure: ModuleType) -> None:
    for pair in [(350, 440), (440, 480), (480, 620), (425,), (697,), (1209,), (941, 1000), (1209, 1336), (697, 770)]:
        sound = [
            sum(amplitude(-13) * math.sin(2 * math.pi * hz * n / CLOCK_HZ) for hz in pair) for n in range(CLOCK_HZ)
        ]
        assert hear(pure, sound) == [], pair


def test_noise_is_no_digit(pure: ModuleType) -> None:
    for spread in (300, 3_000, 12_000):
        assert hear(pure, [SEEDS.gauss(0, spread) for _ in range(10 * CLOCK_HZ)]) == []


def test_music_is_no_digit(pure: ModuleType) -> None:
    """Chords with harmonics in equal temperament, some of whose notes lie near the tones: 698 Hz, 1,175 Hz, 1,480 Hz."""
    sound: list[float] = []
    for _ in range(60):
        notes = [440 * 2 ** (SEEDS.randint(-12, 21) / 12) for _ in range(SEEDS.choice((1, 2, 3)))]
        for n in range(CLOCK_HZ // 5):
            fade = math.exp(-n / CLOCK_HZ * 4)
            sound.append(
                fade
                * sum(
                    2_500 / k * math.sin(2 * math.pi * k * hz * n / CLOCK_HZ)
                    for hz in notes
                    for k in (1, 2, 3)
                    if k * hz < 3_800
                )
            )
    assert hear(pure, sound) == []


TEXT = """The quick brown fox jumps over the lazy dog, while seventeen operators wait at the switchboard. Please hold the line;
your call is important to us. Me, you, we, see, tree, key, easy, cheese. Oh no, go home, alone, below, yellow. Zero one two three four
five six seven eight nine. A rainbow is a division of white light into many beautiful colours."""


@pytest.mark.parametrize("speaker", ["en+m3", "en+f2", "de+f4", "es+m1"])
def test_speech_is_no_digit(pure: ModuleType, tmp_path: Path, speaker: str) -> None:
    """Vowels held at many pitches are what talks detectors off."""
    program = shutil.which("espeak-ng")
    assert program is not None, "espeak-ng is among the test tools"
    heard: Digits = []
    for pitch in (20, 50, 80):
        spoken = tmp_path / "spoken.wav"
        subprocess.run([program, "-v", speaker, "-p", str(pitch), "-s", "170", "-w", str(spoken), TEXT], check=True)
        with wave.open(str(spoken)) as file:
            rate, count = file.getframerate(), file.getnframes()
            samples = struct.unpack(f"<{count}h", file.readframes(count))
        assert len(samples) > 10 * rate
        taken = [samples[int(n * rate / CLOCK_HZ)] for n in range(int(count * CLOCK_HZ / rate))]
        heard += hear(pure, taken)
    assert heard == []
