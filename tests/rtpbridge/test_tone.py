"""Tones: the right frequencies, loudness and cadence in the octets that a far side decodes."""

import math
import time
from collections.abc import Callable
from types import ModuleType

import pytest

from rtpbridge import Bridge, Tone
from tests.rtpbridge.phone import Phone, Rtp, until

NewPhone = Callable[[], Phone]
CLOCK_HZ = 8000
FRAME = 160
SILENCE = {"PCMU/8000": 0xFF, "PCMA/8000": 0xD5}


def decode_pcmu(octet: int) -> int:
    """ITU-T G.711, table 2a, as a sample of 16 bits."""
    octet = ~octet & 0xFF
    magnitude = (((octet & 0x0F) << 3) + 132 << (octet >> 4 & 7)) - 132
    return -magnitude if octet & 0x80 else magnitude


def decode_pcma(octet: int) -> int:
    """ITU-T G.711, table 1a, as a sample of 16 bits."""
    octet ^= 0x55
    segment, step = octet >> 4 & 7, octet & 0x0F
    magnitude = (step << 4) + 8 if segment == 0 else (step << 4) + 264 << segment - 1
    return magnitude if octet & 0x80 else -magnitude


DECODE = {"PCMU/8000": decode_pcmu, "PCMA/8000": decode_pcma}


def level_dbm0(samples: list[int], frequency_hz: float) -> float:
    """The level of one frequency by Goertzel's algorithm; 3.14 dBm0 is a sine at full scale."""
    coefficient = 2 * math.cos(2 * math.pi * frequency_hz / CLOCK_HZ)
    before = present = 0.0
    for sample in samples:
        before, present = present, sample + coefficient * present - before
    power = before**2 + present**2 - coefficient * before * present
    amplitude = 2 * math.sqrt(max(power, 1e-9)) / len(samples)
    return 20 * math.log10(amplitude / 32_635) + 3.14


@pytest.mark.parametrize("codec", ["PCMU/8000", "PCMA/8000"])
@pytest.mark.parametrize("frequencies_hz", [(425.0,), (440.0, 480.0), (350.0, 440.0, 1400.0)])
def test_frequencies_and_level(
    bridge: Bridge, new_phone: NewPhone, codec: str, frequencies_hz: tuple[float, ...]
) -> None:
    phone = new_phone()
    port = phone.connected(bridge, {"opus/48000/2": 9, codec: 97, "G722/8000": 98, "telephone-event/8000": 101})
    port.play(Tone(frequencies_hz, level_dbm0=-19.0))
    heard = phone.hear(15)
    assert {packet.payload_type for packet in heard} == {97}
    samples = [DECODE[codec](octet) for packet in heard for octet in packet.payload][: 2 * 1000]
    for frequency_hz in frequencies_hz:
        assert level_dbm0(samples, frequency_hz) == pytest.approx(-19, abs=0.3)
    for other_hz in (600.0, 700.0, 1000.0, 2000.0):
        assert level_dbm0(samples, other_hz) < -45


def test_cadence_by_the_timestamps_of_what_is_heard(bridge: Bridge, new_phone: NewPhone) -> None:
    phone = new_phone()
    port = phone.connected(bridge)
    port.play(Tone((425.0,), (60, 100, 30, 10)))
    began = time.monotonic()
    heard = phone.hear(30)
    took_ms = (time.monotonic() - began) * 1000
    assert 29 * 20 - 25 < took_ms < 29 * 20 + 500  # paced, and from below exactly so
    assert [packet.timestamp - heard[0].timestamp for packet in heard] == [FRAME * n for n in range(30)]
    assert [packet.marker for packet in heard] == [True] + [False] * 29
    octets = b"".join(packet.payload for packet in heard)
    period = b"".join(packet.payload for packet in heard[:10])
    assert octets == period * 3  # 200 ms, over and over
    for begin_ms, end_ms, on in [(0, 60, True), (60, 160, False), (160, 190, True), (190, 200, False)]:
        part = period[begin_ms * 8 : end_ms * 8]
        assert (set(part) <= {0xFF, 0x7F}) is not on, (begin_ms, end_ms)


def test_a_tone_stops_and_another_goes_on_where_it_ended(bridge: Bridge, new_phone: NewPhone) -> None:
    phone, clock = new_phone(), new_phone()
    port = phone.connected(bridge)
    port.play(Tone((425.0,)))
    first = phone.hear(3)
    port.stop()
    sent = port.counters().sent_packets
    clock.connected(bridge).play(Tone((425.0,)))
    clock.hear(5)  # time for five frames
    assert port.counters().sent_packets == sent
    port.play(Tone((950.0,)))
    heard = first + phone.hear(int(sent) - 3 + 3)
    assert [(packet.sequence - heard[0].sequence) % 2**16 for packet in heard] == list(range(len(heard)))
    assert [packet.marker for packet in heard] == [index in (0, sent) for index in range(len(heard))]


def test_a_reinvite_changes_the_codec_of_a_tone(bridge: Bridge, new_phone: NewPhone) -> None:
    phone = new_phone()
    port = phone.connected(bridge, {"PCMU/8000": 0})
    port.play(Tone((425.0,)))
    phone.hear(2)
    port.connect(phone.host, phone.port, {"PCMA/8000": 8, "PCMU/8000": 0})
    assert 8 in {packet.payload_type for packet in phone.hear(4)}
    port.connect(phone.host, phone.port, {"opus/48000/2": 111})
    sent = port.counters().sent_packets
    with pytest.raises(ValueError, match=r"neither PCMU, PCMA nor G\.722"):
        port.play(Tone((425.0,)))
    assert port.counters().sent_packets == sent


@pytest.mark.parametrize(
    "tone",
    [
        Tone(()),
        Tone((425.0,) * 5),
        Tone((0.0,)),
        Tone((4000.0,)),
        Tone((math.nan,)),
        Tone((425.0,), (1000,)),
        Tone((425.0,), (1000, 0)),
        Tone((425.0,), (1000, 60_001)),
        Tone((425.0,), (100,) * 18),
        Tone((425.0,), level_dbm0=4.0),
        Tone((425.0, 450.0), level_dbm0=-2.0),
        Tone((425.0,), level_dbm0=math.nan),
    ],
)
def test_a_tone_out_of_its_limits_is_refused(tone: Tone) -> None:
    phone = Phone("127.0.0.1")
    with Bridge("127.0.0.1", 20_000, 20_999) as bridge, pytest.raises(ValueError, match=r"Tone\("):
        phone.connected(bridge).play(tone)
    phone.close()


def test_no_tone_before_the_far_side_is_known(bridge: Bridge) -> None:
    with pytest.raises(ValueError, match="not connected"):
        bridge.open_port().play(Tone((425.0,)))


def test_frames_are_paced_at_20_ms_on_many_legs_at_once(bridge: Bridge, new_phone: NewPhone) -> None:
    phones = [new_phone() for _ in range(20)]
    ports = [phone.connected(bridge) for phone in phones]
    for port in ports:
        port.play(Tone((425.0,), (1000, 4000)))
    until(lambda: all(port.counters().sent_packets >= 25 for port in ports))
    counts = [port.counters().sent_packets for port in ports]
    assert max(counts) - min(counts) <= 3  # they began within a few frames and lost none
    for phone in phones:
        heard: list[Rtp] = phone.hear(25)
        assert [(packet.sequence - heard[0].sequence) % 2**16 for packet in heard] == list(range(25))


@pytest.mark.parametrize("law", ["pcmu", "pcma"])
def test_g711_puts_every_sample_into_its_interval(pure: ModuleType, law: str) -> None:
    encode, decode = getattr(pure.lib, f"g711_encode_{law}"), DECODE[f"{law.upper()}/8000"]
    for octet in range(256):
        assert decode(encode(decode(octet))) == decode(octet)
    loudest = max(decode(octet) for octet in range(256))
    before = -loudest
    for sample in range(-32_768, 32_768):
        octet = encode(sample)
        segment = (~octet if law == "pcmu" else octet ^ 0x55) >> 4 & 7
        half_step = 4 << segment if law == "pcmu" else 8 << max(segment - 1, 0)
        clipped = max(-loudest - half_step, min(loudest + half_step, sample))
        assert abs(decode(octet) - clipped) <= half_step
        assert decode(octet) >= before
        before = decode(octet)


def test_silence_is_the_octet_of_a_zero_sample(pure: ModuleType) -> None:
    assert pure.lib.g711_encode_pcmu(0) == SILENCE["PCMU/8000"]
    assert pure.lib.g711_encode_pcma(0) == SILENCE["PCMA/8000"]


def test_a_tone_has_no_drift_after_a_day(pure: ModuleType) -> None:
    ffi, lib = pure.ffi, pure.lib
    tone = ffi.new("struct tone *")
    plan = ffi.new("struct tone_plan *", {"frequencies_hz": (425.0,), "frequencies_count": 1, "level_dbm0": -13.0})
    assert lib.tone_begin(tone, plan) == 0
    samples = ffi.new("int16_t[]", 800)
    lib.tone_read(tone, samples, 800)
    first = list(samples)
    tone.position = 86_400 * CLOCK_HZ  # 425 Hz: a whole number of periods
    lib.tone_read(tone, samples, 800)
    assert max(abs(a - b) for a, b in zip(first, samples, strict=True)) <= 1
