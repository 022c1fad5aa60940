"""What is told of a far side, and when: its media began, it fell silent, it is back."""

import select
import time
from collections.abc import Callable, Iterator

import pytest

from rtpbridge import Bridge, Direction, EventKind, Port
from tests.rtpbridge.conftest import PORT_MAX, PORT_MIN
from tests.rtpbridge.phone import PCMU, Phone, next_events, until, voice

NewPhone = Callable[[], Phone]
SILENCE_MS = 100


@pytest.fixture
def watchful(host: str) -> Iterator[Bridge]:
    with Bridge(host, PORT_MIN, PORT_MAX, silence_ms=SILENCE_MS) as bridge:
        yield bridge


def told(bridge: Bridge, port: Port) -> EventKind:
    (event,) = next_events(bridge)
    assert event.port == port.id
    assert abs(time.monotonic_ns() - event.at_ns) < 5e9
    return event.kind


def test_began_silent_resumed_each_once(watchful: Bridge, new_phone: NewPhone) -> None:
    phone = new_phone()
    port = phone.connected(watchful)
    phone.say(port, *[voice(number) for number in range(10)])
    assert told(watchful, port) is EventKind.MEDIA_BEGAN
    until(lambda: port.counters().received_packets == 10)
    last_ns = port.counters().last_received_ns
    (silent,) = next_events(watchful)
    assert silent.kind is EventKind.SILENT
    assert SILENCE_MS * 1e6 <= silent.at_ns - last_ns < 5e9
    assert not select.select([watchful], [], [], 0)[0]
    phone.say(port, voice(10), voice(11))
    assert told(watchful, port) is EventKind.RESUMED


def test_a_far_side_that_never_speaks_is_silent_since_connect(watchful: Bridge, new_phone: NewPhone) -> None:
    phone = new_phone()
    watchful.open_port()  # nobody is expected to speak here
    port = phone.connected(watchful)
    assert told(watchful, port) is EventKind.SILENT
    port.connect(phone.host, phone.port, PCMU)  # an answer after early media: the watch begins anew
    assert told(watchful, port) is EventKind.SILENT
    phone.say(port, voice(0))
    assert told(watchful, port) is EventKind.MEDIA_BEGAN


def test_a_far_side_that_may_be_silent_is_not_watched(watchful: Bridge, new_phone: NewPhone) -> None:
    held, other = new_phone(), new_phone()
    port = held.connected(watchful)
    port.hold(Direction.RECVONLY)
    assert told(watchful, other.connected(watchful)) is EventKind.SILENT  # so the time of the held one is over too
    assert watchful.events() == []
    port.hold(Direction.SENDRECV)
    assert told(watchful, port) is EventKind.SILENT


def test_junk_and_strangers_are_no_media(watchful: Bridge, new_phone: NewPhone) -> None:
    phone, stranger = new_phone(), new_phone()
    port = phone.connected(watchful)
    phone.say(port, b"junk")
    stranger.say(port, voice(0))
    assert told(watchful, port) is EventKind.SILENT


def test_events_of_many_ports_come_in_order_and_are_counted_when_lost(watchful: Bridge, new_phone: NewPhone) -> None:
    phones = [new_phone() for _ in range(20)]
    ports = [phone.connected(watchful) for phone in phones]
    for phone, port in zip(phones, ports, strict=True):
        phone.say(port, voice(0))
    until(lambda: all(port.counters().received_packets for port in ports))
    events = next_events(watchful)
    while len(events) < 40:
        events += next_events(watchful)
    assert [event.at_ns for event in events] == sorted(event.at_ns for event in events)
    for port in ports:
        kinds = [event.kind for event in events if event.port == port.id]
        assert kinds == [EventKind.MEDIA_BEGAN, EventKind.SILENT]
    assert watchful.events_lost() == 0
