"""What the demo's phones play: tunes made of sines, and their G.711 octets. Pure; `voice` sends them.

Samples are 16-bit numbers, 8000 a second; a frame is 20 ms of G.711, 160 octets.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from math import exp, exp2, pi, sin

from webcb.demo.phones import Voice

SAMPLES_PER_SECOND = 8000
FRAME_MS = 20
FRAME_SAMPLES = SAMPLES_PER_SECOND * FRAME_MS // 1000
LOUDNESS = 9000  # of 32767: comfortable in the ear
PARTIALS = ((1, 1.0), (2, 0.4), (3, 0.15))  # a soft organ pipe: harmonic, its strength
ATTACK_SECONDS = 0.015  # without it every note would begin with a click

# Notes in semitones from A4 (440 Hz) and beats; both tunes are folk property.
REST = None
Note = tuple[int | None, float]
ODE_TO_JOY: tuple[Note, ...] = (
    (-5, 1), (-5, 1), (-4, 1), (-2, 1), (-2, 1), (-4, 1), (-5, 1), (-7, 1),
    (-9, 1), (-9, 1), (-7, 1), (-5, 1), (-5, 1.5), (-7, 0.5), (-7, 2), (REST, 1),
    (-5, 1), (-5, 1), (-4, 1), (-2, 1), (-2, 1), (-4, 1), (-5, 1), (-7, 1),
    (-9, 1), (-9, 1), (-7, 1), (-5, 1), (-7, 1.5), (-9, 0.5), (-9, 2), (REST, 2),
)  # fmt: skip
FRERE_JACQUES: tuple[Note, ...] = (
    (-4, 1), (-2, 1), (0, 1), (-4, 1), (-4, 1), (-2, 1), (0, 1), (-4, 1),
    (0, 1), (1, 1), (3, 2), (0, 1), (1, 1), (3, 2),
    (3, 0.5), (5, 0.5), (3, 0.5), (1, 0.5), (0, 1), (-4, 1), (3, 0.5), (5, 0.5), (3, 0.5), (1, 0.5), (0, 1), (-4, 1),
    (-4, 1), (-9, 1), (-4, 2), (-4, 1), (-9, 1), (-4, 2), (REST, 2),
)  # fmt: skip
BEATS_PER_MINUTE = 132
TUNES: dict[Voice, tuple[Note, ...]] = {Voice.ODE: ODE_TO_JOY, Voice.CANON: FRERE_JACQUES}


def frequency_hz(semitones: int) -> float:
    """The equally tempered pitch so many semitones above A4."""
    return 440.0 * exp2(semitones / 12)


def samples(tune: Iterable[Note]) -> list[int]:
    """A tune as 16-bit samples at 8000 a second."""
    sounded: list[int] = []
    for semitones, beats in tune:
        length = round(beats * 60 / BEATS_PER_MINUTE * SAMPLES_PER_SECOND)
        sounded += [0] * length if semitones is None else _note(frequency_hz(semitones), length)
    return sounded


def _note(hertz: float, length: int) -> list[int]:
    step = 2 * pi * hertz / SAMPLES_PER_SECOND
    fading = 2.5 / length  # each note dies away, so that two of one pitch are two notes
    attack = ATTACK_SECONDS * SAMPLES_PER_SECOND
    return [
        round(
            LOUDNESS
            * min(1.0, at / attack)
            * exp(-at * fading)
            * sum(strength * sin(step * partial * at) for partial, strength in PARTIALS)
        )
        for at in range(length)
    ]


def pcmu(sample: int) -> int:
    """One 16-bit sample in mu-law (ITU-T G.711): sign, three bits of segment, four of step, all inverted."""
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    magnitude = min(magnitude, 32635) + 132  # the bias lets every segment be found by its highest bit
    segment = magnitude.bit_length() - 8
    return ~(sign | segment << 4 | magnitude >> (segment + 3) & 0x0F) & 0xFF


def pcma(sample: int) -> int:
    """One 16-bit sample in A-law (ITU-T G.711): even bits inverted."""
    sign, magnitude = (0x80, sample) if sample >= 0 else (0, ~sample)
    magnitude >>= 4
    segment = max(0, magnitude.bit_length() - 4)
    steps = magnitude & 0x0F if segment < 2 else magnitude >> (segment - 1) & 0x0F
    return (sign | segment << 4 | steps) ^ 0x55


ENCODERS: dict[str, Callable[[int], int]] = {"PCMU": pcmu, "PCMA": pcma}


@lru_cache
def frames(voice: Voice, codec: str) -> tuple[bytes, ...]:
    """The tune of a voice as 20 ms frames of the codec ("PCMU", "PCMA"), played round and round; none where it has no tune."""
    if voice not in TUNES:
        return ()
    encode = ENCODERS[codec]
    octets = bytes(encode(sample) for sample in samples(TUNES[voice]))
    cuts = range(0, len(octets) + 1, FRAME_SAMPLES)
    return tuple(octets[start:end] for start, end in pairwise(cuts))
