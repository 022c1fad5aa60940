"""Opening and closing: the range used up, the descriptors used up, ports taken over, all of it under load."""

import errno
import os
import random
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from rtpbridge import Bridge, Direction, Port, PortsUsedUp, Tone
from tests.rtpbridge.phone import PCMU, Phone, voice

NewPhone = Callable[[], Phone]
SPAN = 20
RANGES_TRIED_MAX = 50


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def threads_running() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


@pytest.fixture
def small_range(host: str) -> tuple[int, int]:
    """Ten pairs that nobody on this machine holds just now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(RANGES_TRIED_MAX):
        first = random.SystemRandom().randrange(8_000, 30_000, SPAN)
        with ExitStack() as held:
            try:
                for port in range(first, first + SPAN):
                    held.enter_context(socket.socket(family, socket.SOCK_DGRAM)).bind((host, port))
            except OSError:
                continue
        return first, first + SPAN - 1
    raise OSError("no range of ports for the test")


@pytest.fixture
def small(host: str, small_range: tuple[int, int]) -> Iterator[Bridge]:
    with Bridge(host, *small_range) as bridge:
        yield bridge


def test_the_range_is_used_up_and_then_given_back(small: Bridge, small_range: tuple[int, int]) -> None:
    ports = [small.open_port() for _ in range(10)]
    assert sorted(port.rtp_port for port in ports) == list(range(small_range[0], small_range[1], 2))
    with pytest.raises(PortsUsedUp):
        small.open_port()
    ports[3].close()
    again = small.open_port()
    assert again.rtp_port == ports[3].rtp_port
    assert again.id != ports[3].id


@pytest.mark.parametrize(("after", "width", "pairs"), [(1, 3, 1), (2, 2, 1), (1, 5, 2)])
def test_a_pair_lies_wholly_in_the_range(
    host: str, small_range: tuple[int, int], after: int, width: int, pairs: int
) -> None:
    first, last = small_range[0] + after, small_range[0] + after + width - 1
    with Bridge(host, first, last) as bridge:
        opened = [bridge.open_port().rtp_port for _ in range(pairs)]
        assert all(port % 2 == 0 and first <= port < port + 1 <= last for port in opened)
        with pytest.raises(PortsUsedUp):
            bridge.open_port()


def test_a_pair_that_another_program_holds_is_passed_over(
    small: Bridge, host: str, small_range: tuple[int, int]
) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as rtp, socket.socket(family, socket.SOCK_DGRAM) as rtcp:
        rtp.bind((host, small_range[0]))
        rtcp.bind((host, small_range[0] + 3))
        opened = sorted(small.open_port().rtp_port for _ in range(8))
        assert opened == list(range(small_range[0] + 4, small_range[1], 2))
        with pytest.raises(PortsUsedUp):
            small.open_port()
        with pytest.raises(OSError, match="in use"):
            small.open_port(small_range[0])


def test_ports_are_drawn_at_random(bridge: Bridge) -> None:
    drawn = []
    for _ in range(40):
        port = bridge.open_port()
        drawn.append(port.rtp_port)
        port.close()
    steps = {later - sooner for sooner, later in pairwise(drawn)}
    assert len(set(drawn)) > 25  # of 500 pairs; a walk or a favourite would show in one of the two
    assert len(steps) > 25


def test_a_named_port_is_opened_for_a_call_taken_over(small: Bridge, small_range: tuple[int, int]) -> None:
    port = small.open_port(small_range[0] + 6)
    assert port.rtp_port == small_range[0] + 6
    with pytest.raises(OSError, match="in use") as refused:
        small.open_port(small_range[0] + 6)
    assert refused.value.errno == errno.EADDRINUSE
    for wrong in (small_range[0] + 1, small_range[0] - 2, small_range[1] + 1, 0, 70_000):
        with pytest.raises(ValueError, match="RTP port"):
            small.open_port(wrong)


def test_descriptors_used_up_is_a_clear_error_and_costs_nothing(small: Bridge) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    before = descriptors()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))  # room for RTP, none for RTCP
    try:
        with pytest.raises(OSError, match="Too many open files") as refused:
            small.open_port()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert refused.value.errno == errno.EMFILE
    assert not isinstance(refused.value, PortsUsedUp)
    assert descriptors() == before
    small.open_port()


@pytest.mark.parametrize(
    ("host", "port_min", "port_max", "wrong"),
    [
        ("127.0.0.1", 0, 100, ValueError),
        ("127.0.0.1", 200, 100, ValueError),
        ("127.0.0.1", 201, 202, ValueError),
        ("127.0.0.1", 1, 65_536, ValueError),
        ("localhost", 20_000, 20_010, ValueError),
        ("", 20_000, 20_010, ValueError),
        ("192.0.2.1", 20_000, 20_010, OSError),
    ],
)
def test_a_bridge_that_cannot_be_is_refused_at_once(
    host: str, port_min: int, port_max: int, wrong: type[Exception]
) -> None:
    before = descriptors()
    with pytest.raises(wrong, match="RTP"):
        Bridge(host, port_min, port_max)
    assert descriptors() == before


@pytest.mark.parametrize(
    ("host", "port", "payloads", "rtcp_port"),
    [
        ("phone.example", 4000, PCMU, None),
        ("192.0.2.1", 0, PCMU, None),
        ("192.0.2.1", 65_536, PCMU, None),
        ("192.0.2.1", 4000, PCMU, 65_536),
        ("2001:db8::1", 4000, PCMU, None),
        ("192.0.2.1", 4000, {}, None),
        ("192.0.2.1", 4000, {"PCMU/8000": 128}, None),
        ("192.0.2.1", 4000, {"PCMU": 0}, None),
        ("192.0.2.1", 4000, {"PCMU/fast": 0}, None),
        ("192.0.2.1", 4000, {"PCMU/0": 0}, None),
        ("192.0.2.1", 4000, {"x" * 40 + "/8000": 0}, None),
        ("192.0.2.1", 4000, {f"X{n}/8000": n for n in range(17)}, None),
    ],
)
def test_a_wrong_far_side_is_refused_and_the_right_one_stays(
    host: str, port: int, payloads: dict[str, int], rtcp_port: int | None
) -> None:
    phone = Phone("127.0.0.1")
    with Bridge("127.0.0.1", 20_000, 20_999) as bridge:
        a = phone.connected(bridge)
        with pytest.raises(ValueError, match=r"port|codec|payload|far side"):
            a.connect(host, port, payloads, rtcp_port)
        a.play(Tone((425.0,)))
        assert phone.hear()
    phone.close()


def test_a_closed_port_refuses_every_call(small: Bridge) -> None:
    port, other = small.open_port(), small.open_port()
    port.close()
    port.close()
    calls: list[Callable[[], object]] = [
        port.counters,
        port.stop,
        lambda: port.play(Tone((425.0,))),
        lambda: port.hold(Direction.INACTIVE),
        lambda: port.connect("127.0.0.1", 4000, PCMU),
        lambda: small.join(port, other),
        lambda: small.split(other, port),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="the port is closed"):
            call()


def test_a_closed_bridge_refuses_every_call_and_leaves_nothing_open(host: str) -> None:
    before, threads = descriptors(), threads_running()
    bridge = Bridge(host, 20_000, 20_999)
    ports = [bridge.open_port() for _ in range(20)]
    bridge.close()
    bridge.close()
    ports[0].close()
    for call in (bridge.open_port, bridge.fileno, bridge.events, ports[0].counters):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert descriptors() == before
    assert threads_running() == threads


def test_ports_close_and_open_under_load_and_the_other_call_hears_every_packet(
    bridge: Bridge, new_phone: NewPhone
) -> None:
    a, b, noisy = new_phone(), new_phone(), new_phone()
    port_a, port_b = a.connected(bridge), b.connected(bridge)
    bridge.join(port_a, port_b)
    churned: list[Port] = [noisy.connected(bridge), noisy.connected(bridge)]
    done = threading.Event()

    def shout() -> None:
        number = 0
        while not done.is_set():
            for port in tuple(churned):
                noisy.say(port, voice(number))
            number += 1

    shouting = threading.Thread(target=shout)
    shouting.start()
    try:
        for number in range(500):
            churned.extend((noisy.connected(bridge), noisy.connected(bridge)))
            bridge.join(churned[-2], churned[-1])
            a.say(port_a, voice(number))
            churned.pop(0).close()
            churned.pop(0).close()
            assert b.hear()[0].payload == voice(number).payload
    finally:
        done.set()
        shouting.join()
    assert port_a.counters().received_packets == 500
