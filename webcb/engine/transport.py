"""What is under the SIP lines: UDP read in batches by the asyncio loop; names resolved beside it; TCP and TLS by stream.py.

SRV is not asked for: a connection names host and port (RFC 3263 asks for no SRV then).
"""

import asyncio
import logging
import queue
import socket
import threading
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Final

from webcb.engine.guard import Guard
from webcb.engine.line import Line
from webcb.engine.stream import Streams
from webcb.settings import Bind
from webcb.sip.events import Address

log = logging.getLogger(__name__)

DATAGRAMS_PER_TURN_MAX: Final = 8  # then deadlines have their turn: a datagram may cost a millisecond
REFUSED_PER_TURN_MAX: Final = 100  # those the guard refuses cost microseconds; read quicker, they hide nobody's answer
DATAGRAM_BYTES_MAX: Final = 65_535
SOCKET_BUFFER_BYTES: Final = 4 * 1024 * 1024
BACKLOG_MAX: Final = 128  # connections that wait to be taken
RESOLVER_THREADS: Final = 4
RESOLVE_SECONDS_MAX: Final = 5
NAMES_MAX: Final = 1000
NAME_SECONDS: Final = 60  # how long an answer is believed
NO_NAME_SECONDS: Final = 5  # and how long its absence


class BindProblem(Exception):
    """An address cannot be listened on; the message says which and what to do."""


def family_of(host: str) -> int:
    """AF_INET or AF_INET6 of a literal; 0 where `host` is a name."""
    try:
        return socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return 0


def bind_udp(bind: Bind) -> socket.socket:
    """A non-blocking UDP socket on an address. BindProblem: it is in use, or not of this host."""
    opened = _open(bind, socket.SOCK_DGRAM)
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        opened.setsockopt(socket.SOL_SOCKET, buffer, SOCKET_BUFFER_BYTES)
    return opened


def bind_tcp(bind: Bind) -> socket.socket:
    """A non-blocking TCP socket that listens on an address. BindProblem: it is in use, or not of this host."""
    opened = _open(bind, socket.SOCK_STREAM)
    opened.listen(BACKLOG_MAX)
    return opened


def _open(bind: Bind, kind: socket.SocketKind) -> socket.socket:
    opened = socket.socket(family_of(bind.host), kind)
    try:
        if opened.family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if (
            kind == socket.SOCK_STREAM
        ):  # an engine that starts again need not wait for its old connections to be forgotten
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setblocking(False)
        opened.bind((bind.host, bind.port))
    except OSError as wrong:
        opened.close()
        name = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
        raise BindProblem(
            f"SIP address {bind} ({name}): {wrong.strerror}. Choose another with WEBCB_SIP_BINDS or sip_binds in webcb.toml."
        ) from wrong
    return opened


def own_address(host: str) -> str:
    """`host`, or for 0.0.0.0 and :: the address this host reaches the world from: what can be told to others."""
    if not ip_address(host).is_unspecified:
        return host
    family = family_of(host)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:  # connecting a datagram socket sends nothing
        try:
            probe.connect(("192.0.2.1", 9) if family == socket.AF_INET else ("2001:db8::1", 9))
        except OSError:
            return "127.0.0.1" if family == socket.AF_INET else "::1"
        return str(probe.getsockname()[0])


Found = Callable[[str | None], None]
Name = tuple[str, int]  # host and address family, 0: any


class Resolver:
    """Host names to literals, in a few threads of its own; answers are kept a little while."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._known: dict[Name, tuple[float, str | None]] = {}
        self._waiting: dict[Name, tuple[list[Found], asyncio.TimerHandle]] = {}
        self._asked: queue.SimpleQueue[Name | None] = queue.SimpleQueue()
        for _ in range(RESOLVER_THREADS):  # daemons: a name server that does not answer holds up no exit
            threading.Thread(target=self._ask, name="names", daemon=True).start()

    def resolve(self, host: str, family: int, found: Found) -> None:
        """Call `found` with a literal of the family (0: any), or None: no such name, or no answer in time. Literals at once."""
        if family_of(host):
            found(host)
            return
        name = (host.lower(), family)
        until, literal = self._known.get(name, (0.0, None))
        if until > self._loop.time():
            found(literal)
        elif name in self._waiting:
            self._waiting[name][0].append(found)
        elif len(self._waiting) >= NAMES_MAX:
            found(None)
        else:
            self._waiting[name] = ([found], self._loop.call_later(RESOLVE_SECONDS_MAX, self._answer, name, None))
            self._asked.put(name)

    def _ask(self) -> None:
        while (name := self._asked.get()) is not None:
            host, family = name
            try:
                addresses = socket.getaddrinfo(host, None, family, socket.SOCK_DGRAM)
                literal = str(addresses[0][4][0]) if addresses else None
            except (OSError, UnicodeError):
                literal = None
            try:
                self._loop.call_soon_threadsafe(self._answer, name, literal)
            except RuntimeError:  # the loop has ended meanwhile
                return

    def _answer(self, name: Name, literal: str | None) -> None:
        if len(self._known) >= NAMES_MAX:
            self._known.clear()
        self._known[name] = (self._loop.time() + (NAME_SECONDS if literal else NO_NAME_SECONDS), literal)
        waiting, timeout = self._waiting.pop(name, ([], None))
        if timeout is not None:
            timeout.cancel()
        for found in waiting:
            found(literal)

    def close(self) -> None:
        """Answer nobody any more."""
        for _, timeout in self._waiting.values():
            timeout.cancel()
        self._waiting.clear()
        for _ in range(RESOLVER_THREADS):
            self._asked.put(None)


class Wire:
    """One SIP address: what arrives at its UDP socket or over its `streams` goes to its line, what the line sends goes out."""

    def __init__(self, loop: asyncio.AbstractEventLoop, bound: socket.socket, resolver: Resolver) -> None:
        self.line: Line | None = None
        self.family = bound.family
        self._loop = loop
        self._socket = bound
        self._resolver = resolver
        self._guard = Guard(loop.time())
        self._report: asyncio.TimerHandle | None = None
        self.streams = Streams(loop, bound.getsockname()[0], lambda: self.line, self._admits)
        loop.add_reader(bound.fileno(), self._read)

    def _read(self) -> None:
        line = self.line
        if line is None:
            return
        room, refusals = DATAGRAMS_PER_TURN_MAX, REFUSED_PER_TURN_MAX
        while room and refusals:
            try:
                data, source = self._socket.recvfrom(DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                break
            except OSError as wrong:  # an ICMP error of an earlier datagram; the transaction's timers take care of it
                log.debug("SIP socket: %s", wrong)
                room -= 1
                continue
            if self._admits(source[0]):
                room -= 1
                line.receive(data, Address(source[0], source[1]))
            else:
                refusals -= 1
        line.flush()

    def _admits(self, host: str) -> bool:
        if self._guard.admits(host, self._loop.time()):
            return True
        if self._report is None and (due := self._guard.report_at()) is not None:
            self._report = self._loop.call_at(due, self._tell_refused)
        return False

    def _tell_refused(self) -> None:
        self._report = None
        log.warning("SIP flood guard: messages dropped unread: %s", self._guard.report(self._loop.time()))

    def send(self, data: bytes, address: Address) -> None:
        """Send one message, its host resolved first where it is a name (a peer's Contact or Record-Route)."""
        if family_of(address.host):
            self._send(data, address, address.host)
        else:
            self._resolver.resolve(address.host, self.family, partial(self._send, data, address))

    def _send(self, data: bytes, address: Address, literal: str | None) -> None:
        if literal is None:
            self._give_up(address, f"{address.host} has no address")
            return
        if not data.startswith(b"SIP/"):  # who gets an answer from us is no peer of ours by that
            self._guard.call(literal, self._loop.time())
        if address.transport in ("tcp", "tls"):
            self.streams.send(data, address, literal)
        elif address.transport == "udp":
            self._send_datagram(data, address, literal)
        else:
            self._give_up(address, f"{address.transport} is not spoken here")

    def _send_datagram(self, data: bytes, address: Address, literal: str) -> None:
        try:
            self._socket.sendto(data, (literal, address.port))
        except BlockingIOError:
            log.warning("SIP to %s: the socket is full; lost like any datagram, it will be sent again", address.host)
        except OSError as wrong:
            self._give_up(address, wrong.strerror or str(wrong))

    def _give_up(self, address: Address, why: str) -> None:
        log.warning("SIP to %s port %d cannot be sent: %s", address.host, address.port, why)
        if self.line is not None:
            self.line.undeliverable(address, why)

    def close(self) -> None:
        """Stop listening and free the address."""
        self._loop.remove_reader(self._socket.fileno())
        if self._report is not None:
            self._report.cancel()
        self._socket.close()
        self.streams.close()
