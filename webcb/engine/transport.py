"""What is under the SIP lines: UDP read in batches by the asyncio loop; TCP and TLS are stream.py's, names names.py's."""

import asyncio
import logging
import socket
from functools import partial
from typing import Final

from webcb.engine.addresses import family_of
from webcb.engine.guard import Guard
from webcb.engine.line import Line
from webcb.engine.names import Resolver
from webcb.engine.stream import Streams
from webcb.settings import Bind
from webcb.sip.events import Address
from webcb.sip.grammar import print_host_port
from webcb.sip.location import Located, NextHop
from webcb.watching import counting

log = logging.getLogger(__name__)

DATAGRAMS_PER_TURN_MAX: Final = 8  # then deadlines have their turn: a datagram may cost a millisecond
REFUSED_PER_TURN_MAX: Final = 100  # those the guard refuses cost microseconds; read quicker, they hide nobody's answer
DATAGRAM_BYTES_MAX: Final = 65_535
SOCKET_BUFFER_BYTES: Final = 4 * 1024 * 1024
BACKLOG_MAX: Final = 128  # connections that wait to be taken
REST_SECONDS: Final = 60  # of one of several hosts of a name, at which nobody answered in a call
CHOSEN_MAX: Final = 1000  # hops by name whose address is remembered


class BindProblem(Exception):
    """An address cannot be listened on; the message says which and what to do."""


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


class Wire:
    """One SIP address: what arrives at its UDP socket or over its `streams` goes to its line, what the line sends goes out.

    One that `is_deaf` takes nothing from its socket before `hear`.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, bound: socket.socket, resolver: Resolver, is_deaf: bool = False
    ) -> None:
        self.line: Line | None = None
        self.family = bound.family
        self._loop = loop
        self._socket = bound
        self._resolver = resolver
        self._guard = Guard(loop.time())
        self._report: asyncio.TimerHandle | None = None
        self._chosen: dict[Address, Address] = {}
        self._several: set[Address] = set()  # names of which more than one host is known
        self.streams = Streams(loop, bound.getsockname()[0], lambda: self.line, self._admits)
        if not is_deaf:
            self.hear()

    def hear(self) -> None:
        """Take what has come and comes. Until then it waits in the kernel."""
        self._loop.add_reader(self._socket.fileno(), self._read)

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
        counting.numbers().sip_dropped.inc()
        if self._report is None and (due := self._guard.report_at()) is not None:
            self._report = self._loop.call_at(due, self._tell_refused)
        return False

    def _tell_refused(self) -> None:
        self._report = None
        log.warning("SIP flood guard: messages dropped unread: %s", self._guard.report(self._loop.time()))

    def send(self, data: bytes, address: Address) -> None:
        """Send one message, its host resolved first where it is a name (a peer's Contact or Record-Route)."""
        if family_of(address.host):
            self._send(data, address, address)
        else:
            hop = NextHop(address.host, address.port or None, address.transport)
            self._resolver.resolve(hop, partial(self._located, data, address))

    def _located(self, data: bytes, address: Address, located: Located) -> None:
        """Keep to one of the addresses while it is among them: what is said again must come to who heard it first."""
        targets = [each for each in located.targets if family_of(each.host) == self.family]
        if not targets:
            self._give_up(address, located.trouble or f"{address.host} has no address of this family")
            return
        chosen = self._chosen.get(address)
        if chosen not in targets:
            if len(self._chosen) >= CHOSEN_MAX:
                self._chosen.clear()
                self._several.clear()
            chosen = self._chosen[address] = targets[0]
        if len(targets) > 1:
            self._several.add(address)
        else:
            self._several.discard(address)
        self._send(data, address, chosen)

    def elsewhere(self, address: Address) -> bool:
        """Nobody answers at the host to which what is sent to this name has gone: leave that alone. Whether there is another."""
        chosen = self._chosen.get(address)
        if chosen is None or address not in self._several:
            return False
        del self._chosen[address]
        self._resolver.rest(chosen, REST_SECONDS)
        return True

    def _send(self, data: bytes, address: Address, target: Address) -> None:
        if not data.startswith(b"SIP/"):  # who gets an answer from us is no peer of ours by that
            self._guard.call(target.host, self._loop.time())
        if target.transport in ("tcp", "tls"):
            self.streams.send(data, address, target)
        elif target.transport == "udp":
            self._send_datagram(data, address, target)
        else:
            self._give_up(address, f"{target.transport} is not spoken here")

    def _send_datagram(self, data: bytes, address: Address, target: Address) -> None:
        try:
            self._socket.sendto(data, (target.host, target.port))
        except BlockingIOError:
            log.warning("SIP to %s: the socket is full; lost like any datagram, it will be sent again", address.host)
        except OSError as wrong:
            self._give_up(address, wrong.strerror or str(wrong))

    def _give_up(self, address: Address, why: str) -> None:
        log.warning("SIP to %s cannot be sent: %s", print_host_port(address.host, address.port or None), why)
        if self.line is not None:
            self.line.undeliverable(address, why)

    def close(self) -> None:
        """Stop listening and free the address."""
        self._loop.remove_reader(self._socket.fileno())
        if self._report is not None:
            self._report.cancel()
        self._socket.close()
        self.streams.close()
