"""UDP sockets and names under the lines, on loopback."""

import asyncio
import fcntl
import socket
import termios
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import pytest

from tests.name_server import name_server
from webcb.engine import guard
from webcb.engine.addresses import family_of, own_address
from webcb.engine.names import Resolver
from webcb.engine.transport import BindProblem, Wire, bind_udp
from webcb.settings import Bind
from webcb.sip.events import Address

PATIENCE_SECONDS = 10


def in_loop(body: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(body(), PATIENCE_SECONDS))


class Ear:
    """A line that only listens: datagrams by batch."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, Address]] = []
        self.undelivered: list[Address] = []
        self.batches = 0
        self.flushed = asyncio.Event()

    def receive(self, data: bytes, address: Address) -> None:
        self.heard.append((data, address))

    def undeliverable(self, address: Address, why: str) -> None:
        self.undelivered.append(address)
        self.flush()

    def flush(self) -> None:
        self.batches += 1
        self.flushed.set()


def test_an_address_in_use_is_said_with_what_to_do() -> None:
    with bind_udp(Bind("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(BindProblem, match=rf"127\.0\.0\.1:{port} .*in use.*WEBCB_SIP_BINDS"):
            bind_udp(Bind("127.0.0.1", port))


def test_datagrams_are_read_in_batches_with_one_flush() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        with bind_udp(Bind("127.0.0.1", 0)) as bound, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            wire, ear = Wire(loop, bound, Resolver(loop, (4,))), Ear()
            wire.line = ear  # type: ignore[assignment]
            peer.bind(("127.0.0.1", 0))
            for number in range(10):
                peer.sendto(b"%d" % number, bound.getsockname())
            while len(ear.heard) < 10:
                ear.flushed.clear()
                await ear.flushed.wait()
            assert [data for data, _ in ear.heard] == [b"%d" % number for number in range(10)]
            assert ear.heard[0][1] == Address("127.0.0.1", peer.getsockname()[1])
            assert ear.batches < 10
            wire.close()

    in_loop(body)


def test_a_flood_of_a_stranger_is_dropped_unread_and_said_until_we_call_him(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        with bind_udp(Bind("127.0.0.1", 0)) as bound, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            wire, ear = Wire(loop, bound, Resolver(loop, (4,))), Ear()
            wire.line = ear  # type: ignore[assignment]
            peer.bind(("127.0.0.1", 0))
            us, there = bound.getsockname(), Address(*peer.getsockname())
            for _ in range(1000):
                peer.sendto(b"junk", us)
            peer.sendto(b"the last of the flood", us)
            while fcntl.ioctl(bound, termios.FIONREAD, bytes(4)) != bytes(4):
                await asyncio.sleep(0)
            assert guard.STRANGER_BURST <= len(ear.heard) < 200
            assert "dropped unread" in caplog.text
            ear.heard.clear()
            wire.send(b"SIP/2.0 403 Forbidden\r\n", there)  # an answer makes nobody a peer
            assert there.host not in wire._guard._peers
            wire.send(b"INVITE sip:a@example.net SIP/2.0\r\n", there)
            for _ in range(1000):
                peer.sendto(b"of a peer", us)
            while len(ear.heard) < 1000:
                await asyncio.sleep(0)
            assert {data for data, _ in ear.heard} == {b"of a peer"}
            wire.close()

    in_loop(body)


def test_a_host_named_by_a_peer_is_resolved_before_sending() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        resolver = Resolver(loop, (4,))
        with bind_udp(Bind("127.0.0.1", 0)) as bound, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            peer.setblocking(False)
            wire = Wire(loop, bound, resolver)
            wire.send(b"hello", Address("localhost", peer.getsockname()[1]))
            assert await loop.sock_recv(peer, 100) == b"hello"
            wire.send(b"again", Address("127.0.0.1", peer.getsockname()[1]))
            assert await loop.sock_recv(peer, 100) == b"again"
            wire.close()
            resolver.close()

    in_loop(body)


def test_what_cannot_be_sent_is_told_to_the_line() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        resolver = Resolver(loop, (4,))
        with bind_udp(Bind("127.0.0.1", 0)) as bound:
            wire, ear = Wire(loop, bound, resolver), Ear()
            wire.line = ear  # type: ignore[assignment]
            unreachable, nameless = Address("198.51.100.1", 5060), Address("no-such-name.invalid", 5060)
            wire.send(b"hello", unreachable)  # a socket on loopback reaches nothing else
            assert ear.undelivered == [unreachable]
            wire.send(b"hello", nameless)
            while len(ear.undelivered) < 2:
                ear.flushed.clear()
                await ear.flushed.wait()
            assert ear.undelivered == [unreachable, nameless]
            wire.close()
            resolver.close()

    in_loop(body)


def test_a_hop_by_name_keeps_to_the_address_that_it_was_sent_to_first() -> None:
    """A retransmission to another server would be another call there."""

    async def body() -> None:
        loop = asyncio.get_running_loop()
        with bind_udp(Bind("127.0.0.1", 0)) as bound, bind_udp(Bind("127.0.0.1", 0)) as one, ExitStack() as opened:
            two = opened.enter_context(bind_udp(Bind("127.0.0.1", 0)))
            ports = [each.getsockname()[1] for each in (one, two)]
            records = [f"0 1 {port} localhost." for port in ports]
            server = opened.enter_context(name_server({("_sip._udp.sbc.example", "SRV"): records}))
            resolver = Resolver(loop, (4,), (server.bind,))
            wire, ear = Wire(loop, bound, resolver), Ear()
            wire.line = ear  # type: ignore[assignment]
            for number in range(20):
                wire.send(b"%d" % number, Address("sbc.example", 0))
                await asyncio.sleep(0.05 if not number else 0)
            heard = [_drain(each) for each in (one, two)]
            assert sorted(map(len, heard)) == [0, 20]
            resolver.rest(Address("127.0.0.1", ports[0 if heard[0] else 1]), 10)
            wire.send(b"elsewhere", Address("sbc.example", 0))
            assert _drain(two if heard[0] else one) == [b"elsewhere"]
            wire.close()
            resolver.close()

    in_loop(body)


def test_a_hop_by_name_whose_host_is_silent_is_another_host_from_then_on() -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        with bind_udp(Bind("127.0.0.1", 0)) as bound, bind_udp(Bind("127.0.0.1", 0)) as one, ExitStack() as opened:
            two = opened.enter_context(bind_udp(Bind("127.0.0.1", 0)))
            records = [f"{place} 1 {each.getsockname()[1]} localhost." for place, each in enumerate((one, two))]
            server = opened.enter_context(name_server({("_sip._udp.sbc.example", "SRV"): records}))
            resolver = Resolver(loop, (4,), (server.bind,))
            wire, ear = Wire(loop, bound, resolver), Ear()
            wire.line = ear  # type: ignore[assignment]
            sbc = Address("sbc.example", 0)
            assert not wire.elsewhere(sbc)  # nothing has been sent there yet
            wire.send(b"BYE", sbc)
            await asyncio.sleep(0.05)
            assert wire.elsewhere(sbc)
            wire.send(b"BYE again", sbc)
            assert [_drain(each) for each in (one, two)] == [[b"BYE"], [b"BYE again"]]
            assert not wire.elsewhere(sbc)  # the other rests
            assert not wire.elsewhere(Address("127.0.0.1", 5060))
            wire.close()
            resolver.close()

    in_loop(body)


def _drain(opened: socket.socket) -> list[bytes]:
    heard = []
    while True:
        try:
            heard.append(opened.recv(100))
        except BlockingIOError:
            return heard


def test_families_and_own_address() -> None:
    assert family_of("192.0.2.1") == socket.AF_INET
    assert family_of("2001:db8::1") == socket.AF_INET6
    assert family_of("sbc.example") == 0
    assert own_address("192.0.2.1") == "192.0.2.1"
    assert family_of(own_address("0.0.0.0")) == socket.AF_INET
