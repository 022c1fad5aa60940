"""TCP under a line, on loopback: opened once, shared, answered, found broken, closed when idle."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.engine.certificates import Authority
from tests.engine.stream_phone import server_context
from webcb.engine import stream
from webcb.engine.names import Resolver
from webcb.engine.stream import Streams
from webcb.engine.transport import BindProblem, Wire, bind_tcp, bind_udp
from webcb.engine.trust import Trust
from webcb.settings import Bind
from webcb.sip.events import Address
from webcb.sip.framing import PING, PONG

PATIENCE_SECONDS = 10
HERE = "127.0.0.1"


def message(text: str) -> bytes:
    return f"MESSAGE sip:{text}@b SIP/2.0\r\nl: {len(text)}\r\n\r\n{text}".encode()


class Ear:
    """A line that only listens."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, Address]] = []
        self.undelivered: list[tuple[Address, str]] = []
        self.broken: list[Address] = []
        self.sessions = 0
        self.trusts: dict[tuple[str, int], Trust] = {}
        self.turns = 0

    def receive(self, data: bytes, address: Address) -> None:
        self.heard.append((data, address))

    def undeliverable(self, address: Address, why: str) -> None:
        self.undelivered.append((address, why))

    def disconnected(self, address: Address) -> None:
        self.broken.append(address)

    def flush(self) -> None:
        self.turns += 1


class Peer:
    """A server that keeps what every connection brought."""

    def __init__(self) -> None:
        self.brought: list[bytearray] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def open(self, port: int = 0, context: ssl.SSLContext | None = None) -> int:
        self.server = await asyncio.start_server(self._take, HERE, port, ssl=context)
        return int(self.server.sockets[0].getsockname()[1])

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        brought = bytearray()
        self.brought.append(brought)
        self.writers.append(writer)
        try:
            while data := await reader.read(65_536):
                brought += data
        except OSError:
            pass  # what we close, we close without ceremony
        writer.close()

    def close(self) -> None:
        self.server.close()
        for writer in self.writers:
            writer.close()


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # another task, or the kernel, has to act first
        await asyncio.sleep(0.005)


def on_streams(body: Callable[[Streams, Ear, Peer], Awaitable[None]]) -> None:
    async def run() -> None:
        ear, peer = Ear(), Peer()
        streams = Streams(asyncio.get_running_loop(), HERE, lambda: ear, lambda _: True)  # type: ignore[arg-type,return-value]
        try:
            await body(streams, ear, peer)
        finally:
            streams.close()
            if hasattr(peer, "server"):
                peer.close()
            await asyncio.sleep(0.01)  # both ends see that they were closed

    asyncio.run(asyncio.wait_for(run(), PATIENCE_SECONDS))


def test_one_connection_carries_everything_in_order_and_answers_come_back_over_it() -> None:
    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        there = Address(HERE, await peer.open(), "tcp")
        named = Address("sbc.example", there.port, "tcp")
        streams.send(message("one"), there, there)
        streams.send(message("two"), named, there)
        await until(lambda: b"two" in bytes(b"".join(peer.brought)))
        streams.send(message("three"), there, there)
        await until(lambda: peer.brought[0] == message("one") + message("two") + message("three"))
        assert len(peer.brought) == 1
        whole = message("answer")
        peer.writers[0].write(whole[:9])
        await asyncio.sleep(0.02)
        peer.writers[0].write(whole[9:] + message("more"))
        await until(lambda: len(ear.heard) == 2)
        assert ear.heard == [(whole, there), (message("more"), there)]

    on_streams(body)


def test_a_peer_opens_a_connection_pings_and_is_answered_over_it() -> None:
    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        bound = bind_tcp(Bind(HERE, 0))
        port = bound.getsockname()[1]
        streams.listen(bound)
        reader, writer = await asyncio.open_connection(HERE, port)
        writer.write(PING)
        assert await reader.readexactly(2) == PONG
        writer.write(message("hello"))
        await until(lambda: ear.heard)
        source = ear.heard[0][1]
        assert source == Address(HERE, writer.get_extra_info("sockname")[1], "tcp")
        streams.send(b"answer", source, source)
        assert await reader.readexactly(6) == b"answer"
        writer.write(b"SIP without end\r\n\r\n")
        assert await reader.read() == b""  # closed: no message can be found in it any more
        writer.close()

    on_streams(body)


def test_a_flood_over_one_connection_gives_others_their_turn() -> None:
    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        there = Address(HERE, await peer.open(), "tcp")
        streams.send(message("one"), there, there)
        await until(lambda: peer.writers)
        peer.writers[0].write(b"".join(message(str(number)) for number in range(500)))
        await until(lambda: len(ear.heard) == 500)
        assert [data for data, _ in ear.heard] == [message(str(number)) for number in range(500)]
        assert ear.turns > 50

    on_streams(body)


def test_a_connection_refused_is_told_and_for_a_while_nobody_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        port = await peer.open()
        peer.close()
        there = Address(HERE, port, "tcp")
        streams.send(message("one"), there, there)
        assert not ear.undelivered  # never while the line is sending
        await until(lambda: ear.undelivered)
        await peer.open(port)
        streams.send(message("two"), there, there)
        await until(lambda: len(ear.undelivered) == 2)
        assert [address for address, _ in ear.undelivered] == [there, there]
        assert "onnect" in ear.undelivered[0][1]
        assert not peer.brought
        await asyncio.sleep(stream.REST_SECONDS)
        streams.send(message("three"), there, there)
        await until(lambda: peer.brought and peer.brought[0])
        assert ear.broken == []

    monkeypatch.setattr(stream, "REST_SECONDS", 0.1)
    on_streams(body)


def test_no_answer_to_the_connection_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        with socket.create_server((HERE, 0), backlog=0) as full:
            port = full.getsockname()[1]
            fillers = [socket.socket() for _ in range(4)]
            for each in fillers:
                each.setblocking(False)
                each.connect_ex((HERE, port))
            there = Address(HERE, port, "tcp")
            streams.send(message("one"), there, there)
            await until(lambda: ear.undelivered)
            assert "no connection within" in ear.undelivered[0][1]
            streams.send(message("two"), there, there)
            assert not streams._ours  # not tried again
            await until(lambda: len(ear.undelivered) == 2)
            for each in fillers:
                each.close()

    monkeypatch.setattr(stream, "CONNECT_SECONDS_MAX", 0.1)
    monkeypatch.setattr(stream, "REST_SECONDS", 0)
    on_streams(body)


def test_a_connection_that_worked_and_breaks_is_told_as_such_and_opened_anew() -> None:
    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        there = Address(HERE, await peer.open(), "tcp")
        streams.send(message("one"), there, there)
        await until(lambda: peer.brought and peer.brought[0])
        peer.writers[0].close()
        await until(lambda: ear.broken)
        assert (ear.broken, ear.undelivered) == ([there], [])
        streams.send(message("two"), there, there)
        await until(lambda: len(peer.brought) == 2 and peer.brought[1] == message("two"))

    on_streams(body)


@pytest.mark.parametrize("calls", [0, 1])
def test_what_is_idle_is_closed_and_what_calls_depend_on_is_kept_alive(
    calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        ear.sessions = calls
        there = Address(HERE, await peer.open(), "tcp")
        streams.send(message("one"), there, there)
        if calls:
            await until(lambda: peer.brought and peer.brought[0] == message("one") + 3 * PING)
            assert ear.broken == []
        else:
            await until(lambda: ear.broken)
            assert peer.brought[0] == message("one")

    for name, seconds in (("LOOK_SECONDS", 0.02), ("KEEP_ALIVE_SECONDS", 0.03), ("IDLE_SECONDS_MAX", 0.1)):
        monkeypatch.setattr(stream, name, seconds)
    on_streams(body)


def test_a_peer_that_reads_nothing_is_given_up() -> None:
    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        with socket.create_server((HERE, 0)) as deaf:
            there = Address(HERE, deaf.getsockname()[1], "tcp")
            streams.send(message("one"), there, there)
            accepted, _ = await asyncio.get_running_loop().run_in_executor(None, deaf.accept)
            for _ in range(1000):
                streams.send(bytes(65_536), there, there)
                await asyncio.sleep(0)
                if ear.broken:
                    break
            assert ear.broken == [there]
            accepted.close()

    on_streams(body)


def test_one_host_cannot_take_all_connections() -> None:
    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        bound = bind_tcp(Bind(HERE, 0))
        streams.listen(bound)
        port = bound.getsockname()[1]
        opened = [await asyncio.open_connection(HERE, port) for _ in range(stream.STREAMS_OF_PEER_MAX + 1)]
        reader, _ = opened[-1]
        assert await reader.read() == b""  # closed at once
        opened[0][1].write(message("still heard"))
        await until(lambda: ear.heard)
        for _, writer in opened:
            writer.close()
        await until(lambda: not streams._theirs and not streams._per_host)

    on_streams(body)


@pytest.mark.parametrize(
    ("shown", "trusted", "said"),
    [
        ("sbc.example", "sbc.example", None),
        ("127.0.0.1", "127.0.0.1", None),
        (
            "other.example",
            "sbc.example",
            "its certificate: Hostname mismatch, certificate is not valid for 'sbc.example'.",
        ),
        ("sbc.example expired", "sbc.example", "its certificate: certificate has expired"),
        ("sbc.example", "sbc.example of the system", "its certificate: unable to get local issuer certificate"),
        ("sbc.example", "sbc.example of no file", "/no/such/file.pem: No such file or directory"),
        ("no tls", "sbc.example", "TLS: wrong version number"),
    ],
)
def test_a_certificate_is_checked_and_what_is_wrong_with_it_is_said(
    shown: str, trusted: str, said: str | None, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "authority")
    files = authority.sign(shown.split(" ")[0], *((-9, -8) if "expired" in shown else (-1, 1)))
    ca_file = "" if "system" in trusted else "/no/such/file.pem" if "no file" in trusted else str(authority.file)

    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        port = await peer.open(context=None if shown == "no tls" else server_context(*files))
        there = Address(HERE, port, "tls")
        ear.trusts[HERE, port] = Trust(trusted.split(" ")[0], ca_file)
        if shown == "no tls":
            asyncio.get_running_loop().call_later(0.1, lambda: [each.write(b"SIP/2.0 400") for each in peer.writers])
        streams.send(message("one"), there, there)
        if said is None:
            await until(lambda: peer.brought and peer.brought[0] == message("one"))
            other_port = Address(HERE, 9, "tls")  # a Contact of the same host
            streams.send(message("two"), other_port, other_port)
            await until(lambda: peer.brought[0] == message("one") + message("two"))
            peer.writers[0].write(message("answer"))
            await until(lambda: ear.heard)
            assert ear.heard == [(message("answer"), there)]
        else:
            await until(lambda: ear.undelivered)
            assert ear.undelivered == [(there, said)]

    on_streams(body)


@pytest.mark.parametrize("shows", [True, False])
def test_a_switch_that_asks_for_our_certificate_gets_it(shows: bool, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    switch, ours = authority.sign("127.0.0.1"), authority.sign("webcb.example")

    async def body(streams: Streams, ear: Ear, peer: Peer) -> None:
        port = await peer.open(context=server_context(*switch, authority.file))
        files = (str(ours.certificate), str(ours.key)) if shows else ("", "")
        ear.trusts[HERE, port] = Trust(HERE, str(authority.file), *files)
        streams.send(message("one"), Address(HERE, port, "tls"), Address(HERE, port, "tls"))
        await until(lambda: ear.broken or (peer.brought and peer.brought[0]))
        assert (bool(ear.broken), bool(peer.brought and peer.brought[0])) == (not shows, shows)

    on_streams(body)


def test_the_wire_sends_by_transport_and_says_what_it_does_not_speak() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        ear, peer = Ear(), Peer()
        port = await peer.open()
        with bind_udp(Bind(HERE, 0)) as bound:
            wire = Wire(loop, bound, Resolver(loop, (4,)))
            wire.line = ear  # type: ignore[assignment]
            wire.send(message("one"), Address(HERE, port, "tcp"))
            await until(lambda: peer.brought and peer.brought[0] == message("one"))
            wire.send(message("two"), Address(HERE, port, "sctp"))
            assert ear.undelivered == [(Address(HERE, port, "sctp"), "sctp is not spoken here")]
            wire.close()
        peer.close()
        await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), PATIENCE_SECONDS))


def test_a_tcp_address_in_use_is_said_with_what_to_do() -> None:
    with bind_tcp(Bind(HERE, 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(BindProblem, match=rf"127\.0\.0\.1:{port} \(TCP\).*in use.*WEBCB_SIP_BINDS"):
            bind_tcp(Bind(HERE, port))
