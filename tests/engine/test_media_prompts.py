"""What is said to a leg on the real bridge: prompts in a row, cut off by keys however they come, and the warning in a call."""

import array
import math
import select
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from rtpbridge import Bridge, Event, EventKind, Port
from tests.engine.test_media import DIGITS, PCMU, Peer
from tests.ports import MEDIA_MAX, MEDIA_MIN
from webcb.engine.media import Media, Voice
from webcb.prompts.library import Recording
from webcb.sip.offer_answer import Codec, make_answer, read_offer

PATIENCE_SECONDS = 5
SECONDS = {"short": 0.1, "long": 3.0, "left": 0.2}
OPUS = Codec("opus", 111, 48_000, "", channels=2)


def find(folder: str, language: str, name: str) -> Recording | None:
    """Prompts of a tone of their own length; in the folder "brand" there is another "short"."""
    if name not in SECONDS or language != "en":
        return None
    seconds = 0.3 if (folder, name) == ("brand", "short") else SECONDS[name]
    samples = (round(9000 * math.sin(2 * math.pi * 440 * n / 16_000)) for n in range(int(16_000 * seconds)))
    return Recording(array.array("h", samples).tobytes(), 16_000)


@pytest.fixture
def media() -> Iterator[Media]:
    with ExitStack() as opened:
        bridge = opened.enter_context(Bridge("127.0.0.1", MEDIA_MIN, MEDIA_MAX))
        yield Media(bridge, {"127.0.0.1": "127.0.0.1"}, lambda count: b"\x11" * count, find)


@pytest.fixture
def phone() -> Iterator[Port]:
    """A phone that is a bridge itself: it sends keys as events or, where it has none, as tones."""
    with Bridge("127.0.0.1", MEDIA_MIN, MEDIA_MAX) as bridge:
        yield bridge.open_port()


def connected(media: Media, phone: Port, told: list[Event], *codecs: Codec) -> Voice:
    voice = media.open_voice(told.append)
    offer = voice.make_offer(["PCMU", "telephone-event"])
    voice.take_answer(make_answer(offer, "127.0.0.1", phone.rtp_port, codecs, 9, 1))
    known = {
        codec.encoding: codec.payload_type for codec in read_offer(offer).codecs
    }  # what comes to us has our numbers
    phone.connect("127.0.0.1", voice.port.rtp_port, {codec.encoding: known[codec.encoding] for codec in codecs})
    return voice


def wait(media: Media, told: list[Event], kind: EventKind, times: int = 1) -> None:
    while sum(event.kind is kind for event in told) < times:
        assert select.select([media.fileno()], [], [], PATIENCE_SECONDS)[0], told
        media.take_events()


def test_prompts_are_said_in_a_row_and_their_end_is_told(media: Media, phone: Port) -> None:
    told: list[Event] = []
    voice = connected(media, phone, told, PCMU, DIGITS)
    assert media.say(voice, "", "en", ["short", "nothing-of-that-name", "short"], barge_in=True)
    wait(media, told, EventKind.PLAYED)
    assert voice.port.counters().sent_packets == 10  # 200 ms
    assert media.say(voice, "brand", "en", ["short"], barge_in=True)  # a recording of another length
    wait(media, told, EventKind.PLAYED, 2)
    assert voice.port.counters().sent_packets == 25
    assert not media.say(voice, "", "ru", ["short"], barge_in=True)


@pytest.mark.parametrize("codecs", [(PCMU, DIGITS), (PCMU,)], ids=["events", "tones"])
def test_a_key_cuts_in_and_each_is_told_once(media: Media, phone: Port, codecs: tuple[Codec, ...]) -> None:
    told: list[Event] = []
    voice = connected(media, phone, told, *codecs)
    assert media.say(voice, "", "en", ["long"], barge_in=True)
    phone.send_digits("1155#", on_ms=80, off_ms=80)
    wait(media, told, EventKind.DIGIT, 5)
    assert [event.digit for event in told if event.kind is EventKind.DIGIT] == [*"1155#"]
    kinds = [event.kind for event in told]
    assert kinds.count(EventKind.STOPPED) == 1
    assert kinds.index(EventKind.STOPPED) < kinds.index(EventKind.DIGIT)
    assert EventKind.PLAYED not in kinds


def test_a_goodbye_is_said_to_its_end(media: Media, phone: Port) -> None:
    told: list[Event] = []
    voice = connected(media, phone, told, PCMU, DIGITS)
    assert media.say(voice, "brand", "en", ["short"], barge_in=False)
    phone.send_digits("1", on_ms=60)
    wait(media, told, EventKind.PLAYED)
    assert EventKind.STOPPED not in [event.kind for event in told]


def test_who_has_no_voice_that_we_speak_hears_nothing(media: Media, phone: Port) -> None:
    voice = media.open_voice(lambda _: None)
    voice.take_answer(make_answer(voice.make_offer(["opus"]), "127.0.0.1", phone.rtp_port, [OPUS], 9, 1))
    assert not media.say(voice, "", "en", ["short"], barge_in=True)


def test_the_warning_is_heard_by_both_and_what_is_left_by_a_alone(media: Media) -> None:
    a, b = Peer(), Peer()
    try:
        voices = [media.open_voice(lambda _: None) for _ in range(2)]
        for voice, peer in zip(voices, (a, b), strict=True):
            voice.take_answer(peer.answer(voice.make_offer(["PCMU"]), PCMU))
        media.join(*voices)
        media.warn(voices[0], voices[1], "", "en", ["left"])
        assert [packet for packet in (b.hear() for _ in range(30)) if packet[0] != 0] == []  # 600 ms of tone, by 200
        for _ in range(50):  # 600 ms of the tone, 200 of pause, 200 of the prompt; a pause is sent as silence
            heard = a.hear()
        assert len(set(heard[1])) > 10
        for peer, voice, other in ((a, voices[0], b), (b, voices[1], a)):  # then they hear each other again
            peer.send(voice.port.rtp_port, b"and on" * 20)
            assert other.hear() == (0, b"and on" * 20)
    finally:
        a.socket.close()
        b.socket.close()
