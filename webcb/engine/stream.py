"""TCP and TLS under one SIP line: connections opened when first needed, shared by all that goes to one address, closed when idle.

Connections that peers open are taken too. Where messages end is `sip.framing`'s; when to leave UDP is the transactions'.
"""

import asyncio
import logging
import socket
import ssl
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from webcb.engine import trust
from webcb.engine.line import Line
from webcb.engine.trust import Trust, TrustProblem
from webcb.sip.events import Address
from webcb.sip.framing import PING, PONG, Framer
from webcb.sip.grammar import ProtocolError

log = logging.getLogger(__name__)

CONNECT_SECONDS_MAX: Final = 4.0  # the handshake of TLS included
CONTEXT_SECONDS: Final = 300.0  # then certificate files are read again: they are renewed while we run
REST_SECONDS: Final = 5.0  # after a connection could not be opened, who wants one there is told at once
SILENT_REST_SECONDS: Final = 30.0  # the same where nobody even refused it: finding that out again costs a call too long
STREAMS_FROM_PEERS_MAX: Final = 1000
STREAMS_OF_PEER_MAX: Final = 20  # that one host may open
UNSENT_BYTES_MAX: Final = 256 * 1024  # to a peer that does not read; then the connection is given up
MESSAGES_PER_TURN_MAX: Final = 8  # then deadlines have their turn, as with datagrams
KEEP_ALIVE_SECONDS: Final = (
    30.0  # between two pings while calls are up: a firewall forgets what is silent (RFC 5626, 4.4.1)
)
IDLE_SECONDS_MAX: Final = 120.0
LOOK_SECONDS: Final = 10.0  # between two looks for who is idle


class Stream(asyncio.Protocol):
    """One connection, `peer` at its other end. `is_ours`: we open it; what is sent before it is open waits."""

    def __init__(self, streams: "Streams", peer: Address | None) -> None:
        self.is_ours = peer is not None
        self.peer = peer
        self.is_up = False
        self.sent_at = self.heard_at = streams.now()
        self.names: set[Address] = set()  # what the line called this peer, by name or literal
        self._streams = streams
        self._transport: asyncio.Transport | None = None
        self._framer = Framer()
        self._unsent = bytearray()
        self._heard: deque[bytes] = deque()
        self._why = "the connection was closed"

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast(asyncio.Transport, transport)
        self.is_up = True
        if self.peer is None:
            host, port = transport.get_extra_info("peername")[:2]
            self.peer = Address(host, port, "tcp")
            if not self._streams.admit(self):
                self._transport.abort()
                return
        self._transport.write(bytes(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Bytes came: the messages among them go to the line, a few a turn."""
        self.heard_at = self._streams.now()
        try:
            self._heard += self._framer.feed(data)
        except ProtocolError as wrong:
            self.close(f"what it sends cannot be read: {wrong}")
            return
        if self._framer.pings:
            self.send(PONG * self._framer.pings)
            self._framer.pings = 0
        self._take()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._heard.clear()
        self._streams.forget(self, str(exc) if exc else self._why)

    def _take(self) -> None:
        if self._transport is None or self.peer is None or not self._heard:
            return
        self._streams.take(
            [self._heard.popleft() for _ in range(min(len(self._heard), MESSAGES_PER_TURN_MAX))], self.peer
        )
        if self._heard:
            self._transport.pause_reading()
            self._streams.loop.call_soon(self._take)
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    # Ours

    def send(self, data: bytes) -> None:
        """Send now, or as soon as the connection is open; a peer that does not read is given up."""
        self.sent_at = self._streams.now()
        if self._transport is not None:
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
                self.close("it does not read what it is sent")
        elif len(self._unsent) + len(data) <= UNSENT_BYTES_MAX:
            self._unsent += data

    def close(self, why: str = "") -> None:
        """Close; what the other end has not taken yet is lost."""
        self._why = why or self._why
        if self._transport is not None:
            self._transport.abort()


class Streams:
    """The connections of one line. `line` gives it, None before there is one; `source` is the literal we connect from.

    `admits` tells whether a message from a host may be read.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        source: str,
        line: Callable[[], Line | None],
        admits: Callable[[str], bool],
    ) -> None:
        self.loop = loop
        self._source = source
        self._line = line
        self._admits = admits
        self._ours: dict[Address, Stream] = {}
        self._theirs: dict[Address, Stream] = {}
        self._per_host: Counter[str] = Counter()
        self._resting: dict[Address, tuple[float, str]] = {}
        self._contexts: dict[Trust, tuple[float, ssl.SSLContext]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._closed = False
        self._alarm = loop.call_later(LOOK_SECONDS, self._look)

    def now(self) -> float:
        """The loop's time in seconds."""
        return self.loop.time()

    def listen(self, bound: socket.socket) -> None:
        """Take the connections that peers open to a listening socket."""
        self._do(self._serve(bound))

    def send(self, data: bytes, address: Address, peer: Address) -> None:
        """Send one message to `peer`, which the line calls `address`, over the connection there is or a new one."""
        stream = self._find(peer)
        if stream is None:
            until, why = self._resting.get(peer, (0.0, ""))
            if until > self.now():
                self._tell_undeliverable(address, why)
                return
            stream = self._ours[peer] = Stream(self, peer)
            self._do(self._connect(stream, peer, self._trust(address, peer)))
        stream.names.add(address)
        stream.send(data)

    def close(self) -> None:
        """Close every connection; nobody is told."""
        self._closed = True
        self._alarm.cancel()
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for stream in [*self._ours.values(), *self._theirs.values()]:
            stream.close()

    # From the connections

    def admit(self, stream: Stream) -> bool:
        """Whether a connection that a peer opened may stay."""
        peer = stream.peer
        if (
            peer is None
            or len(self._theirs) >= STREAMS_FROM_PEERS_MAX
            or self._per_host[peer.host] >= STREAMS_OF_PEER_MAX
        ):
            return False
        self._theirs[peer] = stream
        self._per_host[peer.host] += 1
        return True

    def take(self, messages: list[bytes], peer: Address) -> None:
        """Messages came."""
        line = self._line()
        if line is not None:
            for message in messages:
                if self._admits(peer.host):
                    line.receive(message, peer)
            line.flush()

    def forget(self, stream: Stream, why: str, *, is_silent: bool = False) -> None:
        """A connection is gone, or never was: who waits for an answer over it is told. `is_silent`: nobody refused it."""
        peer = stream.peer
        if peer is None or self._closed:
            return
        if self._theirs.get(peer) is stream:
            del self._theirs[peer]
            self._per_host[peer.host] -= 1
            if not self._per_host[peer.host]:
                del self._per_host[peer.host]
        elif self._ours.get(peer) is stream:
            del self._ours[peer]
            if not stream.is_up:
                self._resting[peer] = (self.now() + (SILENT_REST_SECONDS if is_silent else REST_SECONDS), why)
        line = self._line()
        for address in stream.names:
            if not stream.is_up:
                log.warning("SIP over %s to %s port %d: %s", address.transport, address.host, address.port, why)
                self._tell_undeliverable(address, why)
            elif line is not None:
                self.loop.call_soon(line.disconnected, address)

    # Within

    def _tell_undeliverable(self, address: Address, why: str) -> None:
        line = self._line()
        if line is not None:
            self.loop.call_soon(line.undeliverable, address, why)  # the line may be sending just now

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, bound: socket.socket) -> None:
        self._server = await self.loop.create_server(lambda: Stream(self, None), sock=bound)

    def _find(self, peer: Address) -> Stream | None:
        """The connection to an address. TLS ends where it was checked: a Contact with a port of its own needs no other one."""
        found = self._theirs.get(peer) or self._ours.get(peer)
        if found is None and peer.transport == "tls" and not self._has_trust(peer):
            same_host = (
                each for known, each in self._ours.items() if (known.host, known.transport) == (peer.host, "tls")
            )
            found = next((each for each in same_host if each.is_up), None)
        return found

    def _has_trust(self, peer: Address) -> bool:
        line = self._line()
        return line is not None and (peer.host, peer.port) in line.trusts

    def _trust(self, address: Address, peer: Address) -> Trust | None:
        """Whom a new connection trusts; None: no TLS."""
        if peer.transport != "tls":
            return None
        line = self._line()
        by_name = Trust(address.host)
        return line.trusts.get((peer.host, peer.port), by_name) if line is not None else by_name

    async def _connect(self, stream: Stream, peer: Address, trusted: Trust | None) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                context = None if trusted is None else await self._context(trusted)
                await self.loop.create_connection(
                    lambda: stream,
                    peer.host,
                    peer.port,
                    ssl=context,
                    server_hostname=trusted.server_name if trusted else None,
                    local_addr=(self._source, 0),
                )
        except TimeoutError:
            self.forget(stream, f"no connection within {CONNECT_SECONDS_MAX:g} s", is_silent=True)
        except TrustProblem as wrong:
            self.forget(stream, str(wrong))
        except OSError as wrong:
            self.forget(stream, trust.reason(wrong))

    async def _context(self, trusted: Trust) -> ssl.SSLContext:
        """Made beside the loop: reading the system's authorities takes a while."""
        until, context = self._contexts.get(trusted, (0.0, None))
        if context is None or until <= self.now():
            context = await self.loop.run_in_executor(None, trust.context, trusted)
            self._contexts = {known: kept for known, kept in self._contexts.items() if kept[0] > self.now()}
            self._contexts[trusted] = (self.now() + CONTEXT_SECONDS, context)
        return context

    def _look(self) -> None:
        """Ping what calls depend on, close what nobody uses; calls that are up keep what we opened, whoever they are with."""
        self._alarm = self.loop.call_later(LOOK_SECONDS, self._look)
        now, line = self.now(), self._line()
        calls_are_up = line is not None and line.sessions > 0
        self._resting = {peer: rest for peer, rest in self._resting.items() if rest[0] > now}
        for stream in [*self._ours.values(), *self._theirs.values()]:
            if stream.is_ours and calls_are_up:
                if stream.is_up and now - stream.sent_at >= KEEP_ALIVE_SECONDS:
                    stream.send(PING)
            elif now - max(stream.sent_at, stream.heard_at) >= IDLE_SECONDS_MAX:
                stream.close("idle")
