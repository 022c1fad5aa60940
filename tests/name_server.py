"""A name server on loopback, UDP and TCP, that says what a test wrote into it and keeps what it was asked."""

import select
import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from webcb.settings import Bind

TTL_SECONDS = 60
DATAGRAM_BYTES = 512  # without EDNS (RFC 1035, 2.3.4)

Zone = Mapping[tuple[str, str], Sequence[str]]  # name and type -> records as in a zone file


class NameServer:
    """`zone` may be changed while it runs; a name that is not there does not exist. About those in `silent` nothing is said."""

    def __init__(self, zone: Zone, port: int = 0) -> None:
        self.zone = dict(zone)
        self.ttl_seconds = TTL_SECONDS
        self.silent: set[str] = set()
        self.failing: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []  # name, type, transport
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", port))
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind(self._udp.getsockname())
        self._tcp.listen()
        self._bell, self._rope = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def bind(self) -> Bind:
        return Bind("127.0.0.1", self._udp.getsockname()[1])

    def close(self) -> None:
        self._rope.send(b"!")
        self._thread.join()
        for opened in (self._udp, self._tcp, self._bell, self._rope):
            opened.close()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._udp, self._tcp, self._bell], [], [])
            if self._bell in ready:
                return
            if self._udp in ready:
                data, source = self._udp.recvfrom(65_535)
                answer = self._answer(data, "udp")
                if answer:
                    self._udp.sendto(answer, source)
            if self._tcp in ready:
                opened, _ = self._tcp.accept()
                with opened:
                    size = struct.unpack("!H", opened.recv(2, socket.MSG_WAITALL))[0]
                    answer = self._answer(opened.recv(size, socket.MSG_WAITALL), "tcp")
                    opened.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, data: bytes, transport: str) -> bytes:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, transport))
        if name in self.silent:
            return b""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        alias, owner = self.zone.get((name, "CNAME")), question.name
        if alias:
            response.answer.append(dns.rrset.from_text_list(owner, self.ttl_seconds, "IN", "CNAME", alias))
            owner = response.answer[0][0].target
        records = self.zone.get((owner.to_text(omit_final_dot=True).lower(), kind))
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif records:
            response.answer.append(dns.rrset.from_text_list(owner, self.ttl_seconds, "IN", kind, records))
        elif not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        wire = response.to_wire(max_size=65_535)
        if transport == "udp" and len(wire) > max(DATAGRAM_BYTES, query.payload):
            response.answer.clear()
            response.flags |= dns.flags.TC
            wire = response.to_wire()
        return wire


@contextmanager
def name_server(zone: Zone, port: int = 0) -> Iterator[NameServer]:
    """A name server for as long as the test needs it."""
    server = NameServer(zone, port)
    try:
        yield server
    finally:
        server.close()
