"""G.722: bit by bit beside spandsp, whatever the frames; and what is left of a voice after each way through the codecs."""

import itertools
import math
import random
from collections.abc import Callable, Sequence
from types import ModuleType

import pytest

from tests.rtpbridge import spandsp

WIDE_HZ, NARROW_HZ = 16_000, 8_000
LIMITS = (-32_768, 32_767)
SEEDS = random.Random(722)


def sine(frequency_hz: float, clock_hz: int, count: int, amplitude: float = 10_000) -> list[int]:
    return [round(amplitude * math.sin(2 * math.pi * frequency_hz * n / clock_hz)) for n in range(count)]


SIGNALS: dict[str, list[int]] = {
    "silence": [0] * 3_200,
    "sweep": [round(12_000 * math.sin(n * n / 60_000)) for n in range(32_000)],
    "noise": [round(max(-32_768, min(32_767, SEEDS.gauss(0, 4_000)))) for _ in range(16_000)],
    "noise at full scale": [SEEDS.randint(*LIMITS) for _ in range(16_000)],
    "nothing but the limits": [SEEDS.choice(LIMITS) for _ in range(16_000)],
}


def cut(count: int) -> list[int]:
    """Lengths of frames that make up the count: 20 ms and every other length."""
    lengths = []
    while count:
        lengths.append(min(count, SEEDS.choice((1, 7, 80, 160, 160, 160, 240, 333))))
        count -= lengths[-1]
    return lengths


def encode(pure: ModuleType, samples: Sequence[int]) -> bytes:
    encoder = pure.ffi.new("struct g722_encoder *")
    pure.lib.g722_encoder_begin(encoder)
    octets = b""
    for length in cut(len(samples) // 2):
        room = pure.ffi.new("uint8_t[]", length)
        begin = 2 * len(octets)
        pure.lib.g722_encode(encoder, pure.ffi.new("int16_t[]", samples[begin : begin + 2 * length]), length, room)
        octets += bytes(room)
    return octets


def decode(pure: ModuleType, octets: bytes) -> list[int]:
    decoder = pure.ffi.new("struct g722_decoder *")
    pure.lib.g722_decoder_begin(decoder)
    samples: list[int] = []
    for length in cut(len(octets)):
        room = pure.ffi.new("int16_t[]", 2 * length)
        begin = len(samples) // 2
        pure.lib.g722_decode(decoder, octets[begin : begin + length], length, room)
        samples += list(room)
    return samples


def differs_beyond_wrapping(ours: list[int], theirs: list[int]) -> list[int]:
    """Where the Recommendation's filter saturates, spandsp 0.0.6 lets the 16 bits wrap: that alone may differ."""
    return [
        at
        for at, (mine, other) in enumerate(zip(ours, theirs, strict=True))
        if mine != other and not (mine in LIMITS and (mine > 0) == (other < 0))
    ]


@pytest.mark.parametrize("name", SIGNALS)
def test_encoder_and_decoder_are_bit_exact(pure: ModuleType, name: str) -> None:
    octets = encode(pure, SIGNALS[name])
    assert octets == spandsp.g722_encode(SIGNALS[name])
    ours, theirs = decode(pure, octets), spandsp.g722_decode(octets)
    assert differs_beyond_wrapping(ours, theirs) == []
    if name in ("silence", "sweep"):
        assert ours == theirs


def test_octets_that_no_encoder_makes_are_decoded_alike(pure: ModuleType) -> None:
    octets = random.Random(1).randbytes(16_000)
    ours, theirs = decode(pure, octets), spandsp.g722_decode(octets)
    assert differs_beyond_wrapping(ours, theirs) == []
    assert sum(map(int.__ne__, ours, theirs)) < len(ours) / 100


def gain_db(samples: Sequence[int], frequency_hz: float, clock_hz: int, amplitude: float) -> float:
    """What is left of a sine, by correlation over whole periods of 100 Hz."""
    count = len(samples) // (clock_hz // 100) * (clock_hz // 100)
    turn = 2 * math.pi * frequency_hz / clock_hz
    real = sum(sample * math.cos(turn * n) for n, sample in enumerate(samples[:count]))
    imaginary = sum(sample * math.sin(turn * n) for n, sample in enumerate(samples[:count]))
    return 20 * math.log10(max(2 * math.hypot(real, imaginary) / count / amplitude, 1e-6))


def upsampled(pure: ModuleType, samples: Sequence[int]) -> list[int]:
    room = pure.ffi.new("int16_t[]", 2 * len(samples))
    pure.lib.upsample(pure.ffi.new("struct upsampler *"), pure.ffi.new("int16_t[]", samples), len(samples), room)
    return list(room)


def downsampled(pure: ModuleType, samples: Sequence[int]) -> list[int]:
    room = pure.ffi.new("int16_t[]", len(samples) // 2)
    pure.lib.downsample(
        pure.ffi.new("struct downsampler *"), pure.ffi.new("int16_t[]", samples), len(samples) // 2, room
    )
    return list(room)


@pytest.mark.parametrize("frequency_hz", [300, 1_000, 2_000, 3_000, 3_400])
def test_the_telephone_band_passes_the_resampler(pure: ModuleType, frequency_hz: int) -> None:
    up = upsampled(pure, sine(frequency_hz, NARROW_HZ, 4_000))[400:]
    assert gain_db(up, frequency_hz, WIDE_HZ, 10_000) == pytest.approx(0, abs=0.1)
    assert gain_db(up, NARROW_HZ - frequency_hz, WIDE_HZ, 10_000) < -55  # the image
    down = downsampled(pure, sine(frequency_hz, WIDE_HZ, 8_000))[200:]
    assert gain_db(down, frequency_hz, NARROW_HZ, 10_000) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("frequency_hz", [4_600, 5_000, 6_500, 7_900])
def test_what_8_khz_cannot_say_is_not_folded_into_it(pure: ModuleType, frequency_hz: int) -> None:
    down = downsampled(pure, sine(frequency_hz, WIDE_HZ, 8_000))[200:]
    assert gain_db(down, NARROW_HZ - frequency_hz, NARROW_HZ, 10_000) < -55


def test_the_loudest_saturates_and_does_not_wrap(pure: ModuleType) -> None:
    square = ([32_767] * 10 + [-32_768] * 10) * 40
    for samples in (upsampled(pure, square), [one for one in downsampled(pure, square) for _ in (0, 1)]):
        settled = samples[100:]
        assert max(settled) == 32_767 and min(settled) == -32_768
        assert max(abs(a - b) for a, b in itertools.pairwise(settled)) < 65_535


def recoded(pure: ModuleType, octets: bytes, source: str, target: str) -> bytes:
    recoder = pure.ffi.new("struct voice_recoder *")
    pure.lib.voice_recoder_begin(recoder, getattr(pure.lib, source), getattr(pure.lib, target))
    done = b""
    for length in cut(len(octets)):
        room = pure.ffi.new("uint8_t[]", list(octets[len(done) : len(done) + length]))
        pure.lib.voice_recode(recoder, room, length)
        done += bytes(room)
    return done


def delay_and_noise_db(original: Sequence[int], heard: Sequence[int]) -> tuple[int, float]:
    """The delay in samples that fits best, and the noise beside the signal there."""
    best = (0, math.inf)
    for delay in range(60):
        pairs = list(zip(original[200:3_000], heard[200 + delay : 3_000 + delay], strict=True))
        noise = sum((a - b) ** 2 for a, b in pairs) / sum(a * a for a, _ in pairs)
        if noise < best[1]:
            best = (delay, noise)
    return best[0], 10 * math.log10(best[1])


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_a_voice_passes_g722_and_comes_back(pure: ModuleType, law: str) -> None:
    """From G.711 to G.722 and back: under 3 ms late, noise 20 dB below a signal of many tones (G.711 alone: 36 dB)."""
    said = [
        sum(parts) // 4
        for parts in zip(*(sine(hz, NARROW_HZ, 4_000, 12_000) for hz in (311, 705, 1_237, 2_619)), strict=True)
    ]
    encode_law: Callable[[int], int] = getattr(pure.lib, f"g711_encode_{law.lower()}")
    decode_law: Callable[[int], int] = getattr(pure.lib, f"g711_decode_{law.lower()}")
    wide = recoded(pure, bytes(map(encode_law, said)), f"VOICE_{law}", "VOICE_G722")
    back = [decode_law(octet) for octet in recoded(pure, wide, "VOICE_G722", f"VOICE_{law}")]
    delay, noise_db = delay_and_noise_db(said, back)
    assert delay < 24 * 3
    assert noise_db < -20, (delay, noise_db)
    listened = downsampled(pure, spandsp.g722_decode(wide))
    assert delay_and_noise_db(said, listened)[1] < -20


def test_names_are_those_of_sdp(pure: ModuleType) -> None:
    named = {
        name: pure.lib.voice_named(name.encode())
        for name in ("PCMU/8000", "pcma/8000", "G722/8000", "G722/16000", "opus/48000")
    }
    assert list(named.values()) == [pure.lib.VOICE_PCMU, pure.lib.VOICE_PCMA, pure.lib.VOICE_G722, 0, 0]
