"""The phones' voices: G.711 against the recommendation, notes by their frequency, pace and echo on real sockets."""

import asyncio
import math
import socket
import struct
from collections.abc import Sequence

import pytest

from webcb import clock
from webcb.demo.melody import (
    ATTACK_SECONDS,
    ENCODERS,
    FRAME_SAMPLES,
    ODE_TO_JOY,
    SAMPLES_PER_SECOND,
    TUNES,
    frames,
    frequency_hz,
    samples,
)
from webcb.demo.phones import Voice
from webcb.demo.voice import PORT_TRIES_MAX, Choir, VoiceLine, open_ports
from webcb.sip.offer_answer import Codec, Stream

HOST = "127.0.0.1"


def decode_pcmu(octet: int) -> int:
    """ITU-T G.711, table 2, as arithmetic."""
    octet = ~octet & 0xFF
    magnitude = ((octet & 0x0F) * 8 + 132 << (octet >> 4 & 7)) - 132
    return -magnitude if octet & 0x80 else magnitude


def decode_pcma(octet: int) -> int:
    """ITU-T G.711, table 1, as arithmetic."""
    octet ^= 0x55
    segment, step = octet >> 4 & 7, octet & 0x0F
    magnitude = step * 16 + 8 if segment == 0 else step * 16 + 264 << segment - 1
    return magnitude if octet & 0x80 else -magnitude


DECODERS = {"PCMU": decode_pcmu, "PCMA": decode_pcma}


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_every_octet_is_the_code_of_the_value_it_stands_for(codec: str) -> None:
    for octet in range(256):
        value = DECODERS[codec](octet)
        again = ENCODERS[codec](value)
        assert DECODERS[codec](again) == value  # mu-law has two zeros


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_a_sample_comes_back_within_half_a_step_of_its_segment(codec: str) -> None:
    for sample in range(-32635, 32636, 7):
        decoded = DECODERS[codec](ENCODERS[codec](sample))
        assert abs(decoded - sample) <= max(16, (abs(sample) + 132) / 31)


def strength(part: Sequence[int], hertz: float) -> float:
    """Goertzel: the share of the samples' energy at one frequency."""
    coefficient = 2 * math.cos(2 * math.pi * hertz / SAMPLES_PER_SECOND)
    before = last = 0.0
    for sample in part:
        before, last = last, sample + coefficient * last - before
    return (before**2 + last**2 - coefficient * before * last) / (sum(s * s for s in part) * len(part) / 2)


def test_the_tune_has_the_notes_it_should() -> None:
    played = [DECODERS["PCMA"](octet) for octet in b"".join(frames(Voice.ODE, "PCMA"))]
    assert len(played) <= len(samples(ODE_TO_JOY)) < len(played) + FRAME_SAMPLES
    at = 0
    for semitones, beats in ODE_TO_JOY[:15]:
        length = round(beats * 60 / 132 * SAMPLES_PER_SECOND)
        assert semitones is not None
        part = played[at + round(ATTACK_SECONDS * SAMPLES_PER_SECOND) : at + 1600]
        others = [strength(part, frequency_hz(semitones + step)) for step in (-2, 2)]
        assert strength(part, frequency_hz(semitones)) > 0.6 > 0.2 > max(others)
        at += length


def test_every_tune_is_loud_and_never_clipped() -> None:
    for tune in TUNES.values():
        assert 6000 < max(map(abs, samples(tune))) < 20_000


def test_ports_are_an_even_one_and_its_neighbour() -> None:
    rtp, rtcp = open_ports(HOST)
    with rtp, rtcp:
        assert rtp.getsockname()[1] % 2 == 0
        assert rtcp.getsockname()[1] == rtp.getsockname()[1] + 1
    assert PORT_TRIES_MAX >= 20  # half of the draws are odd


def stream_to(peer: socket.socket, codec: Codec) -> Stream:
    port = peer.getsockname()[1]
    return Stream(HOST, port, port + 1, (Codec("telephone-event", 101, 8000), codec), "sendrecv", 20)


async def receive(peer: socket.socket) -> bytes:
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 2048), 5)


def udp() -> socket.socket:
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    peer.bind((HOST, 0))
    return peer


def test_a_tune_arrives_as_rtp_every_20_ms_in_the_codec_asked_for() -> None:
    async def listen() -> tuple[list[bytes], float]:
        with udp() as peer:
            line = VoiceLine(Choir(asyncio.get_running_loop()), Voice.CANON, HOST)
            line.talk(stream_to(peer, Codec("PCMA", 8, 8000)))
            packets = [await receive(peer)]
            began = clock.monotonic()
            packets += [await receive(peer) for _ in range(25)]
            seconds = clock.monotonic() - began
            line.close()
            line.close()
        return packets, seconds

    packets, seconds = asyncio.run(listen())
    headers = [struct.unpack("!BBHII", packet[:12]) for packet in packets]
    assert [packet[12:] for packet in packets] == list(frames(Voice.CANON, "PCMA")[:26])
    assert [header[1] for header in headers] == [0x80 | 8] + [8] * 25  # the marker begins a talk spurt
    assert [(header[2] - headers[0][2]) % 2**16 for header in headers] == list(range(26))
    assert [(header[3] - headers[0][3]) % 2**32 for header in headers] == list(range(0, 26 * 160, 160))
    assert len({header[4] for header in headers}) == 1
    assert 0.45 < seconds < 0.8


def test_an_echo_says_back_what_the_far_side_said_and_nothing_else() -> None:
    async def talk() -> list[bytes]:
        with udp() as peer, udp() as stranger:
            line = VoiceLine(Choir(asyncio.get_running_loop()), Voice.ECHO, HOST)
            line.talk(stream_to(peer, Codec("PCMU", 0, 8000)))
            far = (HOST, line.rtp_port)
            heard = []
            for payload in (b"one" * 40, b"two" * 40):
                stranger.sendto(struct.pack("!BBHII", 0x80, 0, 7, 7, 7) + b"strange", far)
                peer.sendto(struct.pack("!BBHII", 0x80, 101, 7, 7, 7) + b"digit", far)
                peer.sendto(struct.pack("!BBHII", 0x80, 0, 7, 7, 7) + payload, far)
                heard.append((await receive(peer))[12:])
            line.close()
        return heard

    assert asyncio.run(talk()) == [b"one" * 40, b"two" * 40]


def test_the_ports_are_free_again_after_the_call() -> None:
    async def call() -> int:
        line = VoiceLine(Choir(asyncio.get_running_loop()), Voice.SILENCE, HOST)
        line.close()
        return line.rtp_port

    port = asyncio.run(call())
    for number in (port, port + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind((HOST, number))
