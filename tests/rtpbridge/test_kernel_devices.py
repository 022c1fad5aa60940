"""The kernel path between real devices: phones in network namespaces of their own, behind a veth each."""

from collections.abc import Callable, Iterator

import pytest

from rtpbridge import Bridge, Port
from tests.rtpbridge.conftest import PORT_MAX, PORT_MIN
from tests.rtpbridge.network import HOST, PHONE_A, PHONE_B, Network, ip
from tests.rtpbridge.phone import PCMU, Phone, Rtp, until, voice


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.close()


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def bridge(network: Network, version: int) -> Iterator[Bridge]:
    with network.inside("host"), Bridge(HOST[version], PORT_MIN, PORT_MAX, kernel=True) as bridge:
        assert bridge.kernel_state() == (True, "")
        yield bridge


@pytest.fixture
def phone_in(network: Network) -> Iterator[Callable[[str, str], Phone]]:
    phones = []

    def make(name: str, host: str) -> Phone:
        with network.inside(name):
            phones.append(Phone(host))
        return phones[-1]

    yield make
    for phone in phones:
        phone.close()


def say(phone: Phone, port: Port, *packets: Rtp) -> None:
    for packet in packets:
        phone.rtp.sendto(packet.pack(), (port.host, port.rtp_port))


def joined(bridge: Bridge, a: Phone, b: Phone) -> tuple[Port, Port]:
    ports = bridge.open_port(), bridge.open_port()
    for port, phone in zip(ports, (a, b), strict=True):
        port.connect(phone.host, phone.port, PCMU)
    bridge.join(*ports)
    for sequence in (-1, 0):
        say(a, ports[0], voice(0, 0xA, sequence=sequence))
        say(b, ports[1], voice(0, 0xB, sequence=sequence))
        a.hear()
        b.hear()
    return ports


def test_two_hosts_talk_through_the_kernel(
    network: Network, bridge: Bridge, version: int, phone_in: Callable[[str, str], Phone]
) -> None:
    a, b = phone_in("a", PHONE_A[version]), phone_in("b", PHONE_B[version])
    port_a, port_b = joined(bridge, a, b)
    until(lambda: len(bridge.kernel_flows()) == 2)
    ip("-n", network.names["host"], "neighbour", "flush", "all")  # the kernel must ask for the way anew
    said = [[voice(number, ssrc) for number in range(1, 201)] for ssrc in (0xA, 0xB)]
    heard: list[list[Rtp]] = [[], []]
    for start in range(0, 200, 20):
        say(a, port_a, *said[0][start : start + 20])
        say(b, port_b, *said[1][start : start + 20])
        heard[0] += b.hear(20)
        heard[1] += a.hear(20)
    for frames, came in zip(said, heard, strict=True):
        assert [packet.payload for packet in came] == [packet.payload for packet in frames]
        assert [(packet.sequence - came[0].sequence) % 2**16 for packet in came] == list(range(200))
    packet, source = _next_of(b, lambda: say(a, port_a, voice(201, 0xA)))
    assert (packet, source[:2]) == (voice(201, 0xA).payload, (port_b.host, port_b.rtp_port))
    for port in (port_a, port_b):
        counters = port.counters()
        assert counters.kernel_packets >= 200
        assert counters.received_packets - counters.kernel_packets <= 2
        assert counters.lost_packets == 0


def _next_of(phone: Phone, speak: Callable[[], None]) -> tuple[bytes, tuple[str, int]]:
    speak()
    packet, source = phone.rtp.recvfrom(2048)
    return Rtp.read(packet).payload, source


def test_a_change_of_routes_is_followed(
    network: Network, bridge: Bridge, version: int, phone_in: Callable[[str, str], Phone]
) -> None:
    a, b = phone_in("a", PHONE_A[version]), phone_in("b", PHONE_B[version])
    port_a, port_b = joined(bridge, a, b)
    until(lambda: len(bridge.kernel_flows()) == 2)
    ip("-n", network.names["host"], "address", "add", "10.9.9.9", "dev", "lo")
    until(lambda: not bridge.kernel_flows())  # each asks for its way again
    say(a, port_a, voice(1, 0xA))
    say(b, port_b, voice(1, 0xB))
    assert b.hear()[0].payload == voice(1, 0xA).payload
    assert a.hear()[0].payload == voice(1, 0xB).payload
    until(lambda: len(bridge.kernel_flows()) == 2)
    ip("-n", network.names["host"], "address", "delete", "10.9.9.9", "dev", "lo")


def test_a_phone_of_this_host_and_one_elsewhere_talk_through_the_bridge(
    bridge: Bridge, version: int, phone_in: Callable[[str, str], Phone]
) -> None:
    """What a program on one device hands to the loopback, or the other way, the stack takes for a forged packet."""
    here, there = phone_in("host", HOST[version]), phone_in("b", PHONE_B[version])
    port_here, port_there = joined(bridge, here, there)
    for number in range(1, 20):
        say(here, port_here, voice(number, 0xA))
        say(there, port_there, voice(number, 0xB))
        assert there.hear()[0].payload == voice(number, 0xA).payload
        assert here.hear()[0].payload == voice(number, 0xB).payload
    assert port_here.counters().kernel_packets == port_there.counters().kernel_packets == 0
    assert bridge.kernel_flows() == []
