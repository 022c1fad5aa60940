"""UDP sockets and names under the lines, on loopback."""

import asyncio
import fcntl
import socket
import termios
import threading
from collections.abc import Awaitable, Callable

import pytest

from webcb.engine import guard, transport
from webcb.engine.transport import BindProblem, Resolver, Wire, bind_udp, family_of, own_address
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
            wire, ear = Wire(loop, bound, Resolver(loop)), Ear()
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
            wire, ear = Wire(loop, bound, Resolver(loop)), Ear()
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
        resolver = Resolver(loop)
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
        resolver = Resolver(loop)
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


def test_a_slow_name_server_holds_up_nothing_and_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = [], threading.Event()

    def slow(host: str, *_: object) -> list[object]:
        asked.append(host)
        answer.wait(PATIENCE_SECONDS)
        return [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", ("192.0.2.9", 0))]

    async def body() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(transport.socket, "getaddrinfo", slow)
        resolver = Resolver(loop)
        found: list[str | None] = []
        done = asyncio.Event()
        resolver.resolve("sbc.example", 0, found.append)
        resolver.resolve("SBC.example", 0, lambda literal: (found.append(literal), done.set()))
        resolver.resolve("192.0.2.1", 0, found.append)
        assert found == ["192.0.2.1"]  # a literal waits for nobody
        answer.set()
        await done.wait()
        assert found == ["192.0.2.1", "192.0.2.9", "192.0.2.9"]
        resolver.resolve("sbc.example", 0, found.append)
        assert found[-1] == "192.0.2.9"
        assert asked == ["sbc.example"]
        resolver.close()

    in_loop(body)


def test_no_answer_in_time_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "RESOLVE_SECONDS_MAX", 0.01)
    never = threading.Event()
    monkeypatch.setattr(transport.socket, "getaddrinfo", lambda *_: never.wait(PATIENCE_SECONDS) and [])

    async def body() -> None:
        resolver = Resolver(asyncio.get_running_loop())
        waiting = asyncio.get_running_loop().create_future()
        resolver.resolve("sbc.example", 0, waiting.set_result)
        assert await waiting is None
        never.set()
        resolver.close()

    in_loop(body)


def test_families_and_own_address() -> None:
    assert family_of("192.0.2.1") == socket.AF_INET
    assert family_of("2001:db8::1") == socket.AF_INET6
    assert family_of("sbc.example") == 0
    assert own_address("192.0.2.1") == "192.0.2.1"
    assert family_of(own_address("0.0.0.0")) == socket.AF_INET
