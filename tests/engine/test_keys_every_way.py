"""A PIN by each way in which a phone tells its keys, through the real bridge into the real engine: none lost, none doubled."""

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from rtpbridge import Bridge
from tests.engine.scenes import PIN, Stage, prepare
from tests.engine.world import PCMU, World
from tests.ports import MEDIA_MAX, MEDIA_MIN
from webcb import models
from webcb.engine.ivr import Place
from webcb.sip.offer_answer import Codec

EVENTS = Codec("telephone-event", 101, 8000, "0-16")
KEYS = "0123456789*#"
PRESSED = f"{PIN}#"  # with a key that is pressed twice
PATIENCE_SECONDS = 5
PACKET_SECONDS = 0.02
SAMPLES = 160

Way = Callable[[Stage, str], None]


def take(stage: Stage) -> bool:
    """Let the engine hear what the bridge has to tell, if it comes soon."""
    came = bool(select.select([stage.world.media.fileno()], [], [], 0.3)[0])
    stage.world.media.take_events()
    stage.world.pass_seconds(0)
    return came


def bridge_port(stage: Stage) -> int:
    return stage.world.voices(stage.callback_id)["A"].port.rtp_port


@contextmanager
def by_events(port: socket.socket) -> Iterator[Way]:
    """RFC 4733; of the three packets that say that a key has ended two are lost."""
    sequence = iter(range(1, 10_000))

    def press(stage: Stage, pressed: str) -> None:
        for place, key in enumerate(pressed):
            ticks = (next(sequence) + place) * 1600
            for number in range(1, 5):
                volume = 0x8A if number == 4 else 0x0A
                event = struct.pack("!BBH", KEYS.index(key), volume, number * SAMPLES)
                marker = 0x80 if number == 1 else 0
                header = struct.pack("!BBHII", 0x80, marker | 101, next(sequence), ticks, 0x0DDC0FFE)
                port.sendto(header + event, ("127.0.0.1", bridge_port(stage)))
                time.sleep(PACKET_SECONDS)
            take(stage)

    yield press


@contextmanager
def by_tones(_: socket.socket) -> Iterator[Way]:
    """In the voice: the phone is a bridge that was offered no telephone events."""
    with Bridge("127.0.0.1", MEDIA_MIN, MEDIA_MAX) as bridge:
        phone = bridge.open_port()

        def press(stage: Stage, pressed: str) -> None:
            phone.connect("127.0.0.1", bridge_port(stage), {"PCMU/8000": 0})
            phone.send_digits(pressed, on_ms=80, off_ms=80)
            while take(stage):
                pass

        press.sdp_port = phone.rtp_port  # type: ignore[attr-defined]
        yield press


@contextmanager
def by_info(_: socket.socket) -> Iterator[Way]:
    yield lambda stage, pressed: stage.press(pressed)


@contextmanager
def by_events_and_info(port: socket.socket) -> Iterator[Way]:
    """Some phones say each key twice."""
    with by_events(port) as events:

        def press(stage: Stage, pressed: str) -> None:
            for key in pressed:
                events(stage, key)
                stage.press(key)

        yield press


@contextmanager
def by_info_and_tones(port: socket.socket) -> Iterator[Way]:
    """The phone says it, and its network plays it."""
    with by_tones(port) as tones:

        def press(stage: Stage, pressed: str) -> None:
            stage.press(pressed[0])
            tones(stage, pressed[0])
            stage.press(pressed[1:])
            tones(stage, pressed[1:])

        press.sdp_port = tones.sdp_port  # type: ignore[attr-defined]
        yield press


WAYS = {
    "RFC 4733": (by_events, (PCMU, EVENTS)),
    "tones": (by_tones, (PCMU,)),
    "INFO": (by_info, (PCMU, EVENTS)),
    "RFC 4733 and INFO": (by_events_and_info, (PCMU, EVENTS)),
    "INFO and tones": (by_info_and_tones, (PCMU,)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_pin_is_understood(world: World, way: str) -> None:
    how, codecs = WAYS[way]
    with ExitStack() as opened:
        port = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        port.bind(("127.0.0.1", 0))
        press = opened.enter_context(how(port))
        stage = answered(world, codecs, getattr(press, "sdp_port", port.getsockname()[1]))
        press(stage, PRESSED)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while stage.payer.login != PIN and time.monotonic() < give_up_at:
            take(stage)
        menu = world.exchange._running[stage.callback_id].callback.menu
        assert (stage.payer.login, menu.place, menu.attempts, menu.digits) == (PIN, Place.MENU, 0, "")
    stage.hang_up("A")


def answered(world: World, codecs: tuple[Codec, ...], sdp_port: int) -> Stage:
    """A hosted callback whose A has answered, and is asked for the PIN."""
    prepare(world, "hosted")
    models.VoiceApplication.update(kinds="hosted", languages="en").execute()
    a, b = world.phone("5511999887766", "A", script=[(0.0, 200)]), world.phone("12065554123", "B")
    a.codecs, a.sdp_port = codecs, sdp_port
    callback_id = world.place(kind="hosted", login="", number_b=None)
    stage = Stage(world, callback_id, a, b)
    world.pass_seconds(0.1)
    assert world.exchange._running[callback_id].callback.menu.place is Place.PIN
    return stage
