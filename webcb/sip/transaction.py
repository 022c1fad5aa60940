"""Transactions: the four machines of RFC 3261, 17 as corrected by RFC 6026, each a table to hold against the RFC's figure.

A transaction repeats, absorbs and times out; what a message means is its owner's matter. `TransactionLayer` finds the
transaction a message belongs to, holds the timers, and collects what is to be sent.
"""

from collections.abc import Callable
from typing import Final, Protocol

from webcb.sip.events import Address
from webcb.sip.message import MAGIC_COOKIE, Request, Response, Via
from webcb.sip.timers import T1, T2, T4, TIMEOUT, Timers

DATAGRAM_REQUEST_BYTES_MAX: Final = 1300  # a longer one would not fit the usual path in one piece (RFC 3261, 18.1.1)

# States (RFC 3261, figures 5 to 8; ACCEPTED is RFC 6026's).
CALLING: Final = "calling"
TRYING: Final = "trying"
PROCEEDING: Final = "proceeding"
ACCEPTED: Final = "accepted"
COMPLETED: Final = "completed"
CONFIRMED: Final = "confirmed"
TERMINATED: Final = "terminated"

# Happenings: the class of a message, or the letter of a timer.
PROVISIONAL: Final = "1xx"
SUCCESS: Final = "2xx"
FAILURE: Final = "300-699"
REPEAT: Final = "request again"
ACK: Final = "ACK"
ABANDON: Final = "abandon"
UNDELIVERABLE: Final = "transport error"
RETRANSMIT: Final = "A, E, G"  # the RFC's three names of the timer that sends again
TIME_OUT: Final = "B, F, H"
LINGER: Final = "D, K, I, J, L, M"  # the time in which repeats are absorbed


class ClientOwner(Protocol):
    """Who sent a request: is told every answer the transaction does not absorb, or that none came in time."""

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None:
        """An answer that the transaction passes up."""

    def on_silence(self, transaction: "ClientTransaction", status: int, now: float) -> None:
        """No final answer will come: `status` 408 after TIMEOUT, 503 where nothing can be sent (RFC 3261, 8.1.3.1)."""


class _Nobody:
    """Owns the transactions that have ended: they tell nothing, and their owners are free to go at once."""

    def on_response(self, transaction: "ClientTransaction", response: Response, now: float) -> None: ...

    def on_silence(self, transaction: "ClientTransaction", status: int, now: float) -> None: ...


_NOBODY: Final = _Nobody()


class ClientTransaction:
    """A request on its way (RFC 3261, 17.1): repeated until heard, its repeated answers absorbed.

    `trouble` says in words why it could not be sent. A request too long for a datagram goes over TCP, and where there is no TCP
    after all, in a datagram (RFC 3261, 18.1.1): `address` is where it really went.
    """

    __slots__ = (
        "_is_moved", "_is_resent", "address", "deadlines", "interval", "key", "layer", "owner", "request", "state", "trouble", "wire",
    )  # fmt: skip

    def __init__(self, layer: "TransactionLayer", request: Request, address: Address, owner: ClientOwner) -> None:
        self.layer = layer
        self.request = request
        self.wire = request.encode()
        self.address = address
        self.owner = owner
        self.key = (request.via.branch, request.method)
        self.deadlines: dict[str, float] = {}
        self.interval = T1
        self.state = CALLING if request.method == "INVITE" else TRYING
        self.trouble = ""
        self._is_resent = False
        self._is_moved = address.transport == "udp" and len(self.wire) > DATAGRAM_REQUEST_BYTES_MAX
        if self._is_moved:
            self._move("tcp")

    @property
    def is_reliable(self) -> bool:
        """Whether the transport repeats and absorbs by itself."""
        return self.address.transport != "udp"

    def start(self, now: float) -> None:
        """Send for the first time."""
        self.layer.send(self.wire, self.address)
        if not self.is_reliable:
            self.layer.timers.start(self, RETRANSMIT, now + T1)
        self.layer.timers.start(self, TIME_OUT, now + TIMEOUT)

    def on_response(self, response: Response, now: float) -> None:
        """An answer to this request."""
        happening = PROVISIONAL if response.status < 200 else SUCCESS if response.status < 300 else FAILURE
        self._step(happening, now, response)

    def on_timer(self, timer: str, now: float) -> None:
        """One of its deadlines has come."""
        self._step(timer, now, None)

    def abandon(self, now: float) -> None:
        """The owner waits no longer. An INVITE listens on for 2xx, which have to be acknowledged and ended (RFC 3261, 9.1)."""
        self._step(ABANDON, now, None)

    def undeliverable(self, now: float, why: str = "") -> None:
        """The transport could not send it."""
        if self._is_moved and self.state in (CALLING, TRYING):
            self._is_moved = False
            self._move("udp")
            self.start(now)
            return
        self.trouble = why
        self._step(UNDELIVERABLE, now, None)

    def disconnected(self, now: float) -> None:
        """The connection broke that it was sent over. Its branch is the same the second time: who has it knows it (17.2.3)."""
        if self.state not in (CALLING, TRYING):
            return
        if self._is_resent:
            self.undeliverable(now, "the connection breaks")
        else:
            self._is_resent = True
            self.layer.send(self.wire, self.address)

    def _move(self, transport: str) -> None:
        """Go over another transport, and say so in Via."""
        request = self.request
        request.via = request.via._replace(transport=transport.upper())
        request.fields["Via"] = [str(request.via)]
        self.wire = request.encode()
        self.address = Address(self.address.host, self.address.port, transport)

    def _step(self, happening: str, now: float, response: Response | None) -> None:
        table = INVITE_CLIENT if self.request.method == "INVITE" else CLIENT
        row = table.get((self.state, happening))
        if row is None:
            return
        self.state, actions = row
        for action in actions:
            action(self, now, response)
        if self.state == TERMINATED:
            self.owner = _NOBODY  # who knows it in turn: that circle would be there until somebody looks for circles


def _repeat_doubling(client: ClientTransaction, now: float, _: Response | None) -> None:
    client.layer.send(client.wire, client.address)
    client.interval *= 2
    if client.request.method != "INVITE":
        client.interval = min(client.interval, T2)
    client.layer.timers.start(client, RETRANSMIT, now + client.interval)


def _repeat_slowly(client: ClientTransaction, now: float, _: Response | None) -> None:
    client.layer.send(client.wire, client.address)
    client.layer.timers.start(client, RETRANSMIT, now + T2)


def _silence(client: ClientTransaction, _now: float, _: Response | None) -> None:
    client.deadlines.clear()


def _tell(client: ClientTransaction, now: float, response: Response | None) -> None:
    assert response is not None  # noqa: S101 - the tables call this on responses only
    client.owner.on_response(client, response, now)


def _tell_timeout(client: ClientTransaction, now: float, _: Response | None) -> None:
    client.owner.on_silence(client, 408, now)


def _tell_undeliverable(client: ClientTransaction, now: float, _: Response | None) -> None:
    client.owner.on_silence(client, 503, now)


def _acknowledge(client: ClientTransaction, _now: float, response: Response | None) -> None:
    """The ACK of a refusal belongs to the transaction: same branch, same Request-URI and Route (RFC 3261, 17.1.1.3)."""
    assert response is not None  # noqa: S101 - the tables call this on responses only
    request = client.request
    fields = {
        "Via": [request.first("Via")],
        "Max-Forwards": ["70"],
        "From": [request.first("From")],
        "To": [response.first("To")],
        "Call-ID": [request.call_id],
        "CSeq": [f"{request.cseq} ACK"],
    }
    if "Route" in request.fields:
        fields["Route"] = request.fields["Route"]
    client.layer.send(Request("ACK", request.uri, fields).encode(), client.address)


def _linger(client: ClientTransaction, now: float, _: Response | None) -> None:
    client.deadlines.clear()
    if client.state == ACCEPTED:  # timer M is the same over every transport: forked 2xx come from other branches
        client.layer.timers.start(client, LINGER, now + TIMEOUT)
    elif client.is_reliable:
        _end(client, now, None)
    else:
        client.layer.timers.start(client, LINGER, now + (TIMEOUT if client.request.method == "INVITE" else T4))


def _end(client: ClientTransaction, _now: float, _: Response | None) -> None:
    client.state = TERMINATED
    client.deadlines.clear()
    client.layer.forget_client(client)


_ClientTable = dict[
    tuple[str, str], tuple[str, tuple[Callable[[ClientTransaction, float, Response | None], None], ...]]
]

# RFC 3261, figure 5, with RFC 6026, 7.2 and 8.4.
INVITE_CLIENT: Final[_ClientTable] = {
    (CALLING, RETRANSMIT): (CALLING, (_repeat_doubling,)),
    (CALLING, TIME_OUT): (TERMINATED, (_end, _tell_timeout)),
    (CALLING, UNDELIVERABLE): (TERMINATED, (_end, _tell_undeliverable)),
    (CALLING, PROVISIONAL): (PROCEEDING, (_silence, _tell)),
    (CALLING, SUCCESS): (ACCEPTED, (_linger, _tell)),
    (CALLING, FAILURE): (COMPLETED, (_acknowledge, _linger, _tell)),
    (CALLING, ABANDON): (ACCEPTED, (_linger,)),
    (PROCEEDING, PROVISIONAL): (PROCEEDING, (_tell,)),
    (PROCEEDING, SUCCESS): (ACCEPTED, (_linger, _tell)),
    (PROCEEDING, FAILURE): (COMPLETED, (_acknowledge, _linger, _tell)),
    (PROCEEDING, ABANDON): (ACCEPTED, (_linger,)),
    (ACCEPTED, SUCCESS): (ACCEPTED, (_tell,)),
    (ACCEPTED, FAILURE): (COMPLETED, (_acknowledge, _linger)),  # its owner had given it up
    (ACCEPTED, LINGER): (TERMINATED, (_end,)),
    (COMPLETED, FAILURE): (COMPLETED, (_acknowledge,)),
    (COMPLETED, LINGER): (TERMINATED, (_end,)),
}

# RFC 3261, figure 6.
CLIENT: Final[_ClientTable] = {
    (TRYING, RETRANSMIT): (TRYING, (_repeat_doubling,)),
    (TRYING, TIME_OUT): (TERMINATED, (_end, _tell_timeout)),
    (TRYING, UNDELIVERABLE): (TERMINATED, (_end, _tell_undeliverable)),
    (TRYING, PROVISIONAL): (PROCEEDING, ()),
    (TRYING, SUCCESS): (COMPLETED, (_linger, _tell)),
    (TRYING, FAILURE): (COMPLETED, (_linger, _tell)),
    (TRYING, ABANDON): (TERMINATED, (_end,)),
    (PROCEEDING, RETRANSMIT): (PROCEEDING, (_repeat_slowly,)),
    (PROCEEDING, TIME_OUT): (TERMINATED, (_end, _tell_timeout)),
    (PROCEEDING, SUCCESS): (COMPLETED, (_linger, _tell)),
    (PROCEEDING, FAILURE): (COMPLETED, (_linger, _tell)),
    (PROCEEDING, ABANDON): (TERMINATED, (_end,)),
    (COMPLETED, LINGER): (TERMINATED, (_end,)),
}


class ServerTransaction:
    """A request that came in (RFC 3261, 17.2): its repeats get the last answer again, refusals of INVITE go until acknowledged."""

    __slots__ = ("address", "deadlines", "interval", "key", "layer", "merge_key", "request", "state", "wire")

    def __init__(self, layer: "TransactionLayer", request: Request, source: Address, key: "ServerKey") -> None:
        self.layer = layer
        self.request = request
        self.address = reply_address(request.via, source)
        self.key = key
        self.merge_key = merge_key(request)
        self.wire = b""
        self.deadlines: dict[str, float] = {}
        self.interval = T1
        self.state = PROCEEDING if request.method == "INVITE" else TRYING

    @property
    def is_answered(self) -> bool:
        """Whether a final answer has been given."""
        return self.state not in (TRYING, PROCEEDING)

    def reply(self, response: Response, now: float) -> None:
        """Answer; a second final answer is not sent, save a 2xx of INVITE, which its owner repeats (RFC 3261, 13.3.1.4)."""
        happening = PROVISIONAL if response.status < 200 else SUCCESS if response.status < 300 else FAILURE
        if (self.state, happening) in (INVITE_SERVER if self.request.method == "INVITE" else SERVER):
            self.wire = response.encode()
            self._step(happening, now)

    def on_request(self, method: str, now: float) -> None:
        """The request once more, or the ACK of a refusal."""
        self._step(ACK if method == "ACK" else REPEAT, now)

    def on_timer(self, timer: str, now: float) -> None:
        """One of its deadlines has come."""
        self._step(timer, now)

    def _step(self, happening: str, now: float) -> None:
        table = INVITE_SERVER if self.request.method == "INVITE" else SERVER
        row = table.get((self.state, happening))
        if row is None:
            return
        self.state, actions = row
        for action in actions:
            action(self, now)


def _answer(server: ServerTransaction, _now: float) -> None:
    if server.wire:
        server.layer.send(server.wire, server.address)


def _insist(server: ServerTransaction, now: float) -> None:
    """A refusal of INVITE goes again until it is acknowledged: timers G and H (RFC 3261, 17.2.1)."""
    timers = server.layer.timers
    if TIME_OUT not in server.deadlines:
        timers.start(server, TIME_OUT, now + TIMEOUT)
    if server.address.transport == "udp":
        timers.start(server, RETRANSMIT, now + server.interval)
        server.interval = min(2 * server.interval, T2)


def _absorb(server: ServerTransaction, now: float) -> None:
    server.deadlines.clear()
    if server.state != ACCEPTED and server.address.transport != "udp":
        _forget(server, now)
    else:
        server.layer.timers.start(server, LINGER, now + (T4 if server.state == CONFIRMED else TIMEOUT))


def _forget(server: ServerTransaction, _now: float) -> None:
    server.state = TERMINATED
    server.deadlines.clear()
    server.layer.forget_server(server)


_ServerTable = dict[tuple[str, str], tuple[str, tuple[Callable[[ServerTransaction, float], None], ...]]]

# RFC 3261, figure 7, with RFC 6026, 7.1.
INVITE_SERVER: Final[_ServerTable] = {
    (PROCEEDING, REPEAT): (PROCEEDING, (_answer,)),
    (PROCEEDING, PROVISIONAL): (PROCEEDING, (_answer,)),
    (PROCEEDING, SUCCESS): (ACCEPTED, (_answer, _absorb)),
    (PROCEEDING, FAILURE): (COMPLETED, (_answer, _insist)),
    (ACCEPTED, SUCCESS): (ACCEPTED, (_answer,)),
    (ACCEPTED, LINGER): (TERMINATED, (_forget,)),
    (COMPLETED, REPEAT): (COMPLETED, (_answer,)),
    (COMPLETED, RETRANSMIT): (COMPLETED, (_answer, _insist)),
    (COMPLETED, TIME_OUT): (TERMINATED, (_forget,)),
    (COMPLETED, ACK): (CONFIRMED, (_absorb,)),
    (CONFIRMED, LINGER): (TERMINATED, (_forget,)),
}

# RFC 3261, figure 8.
SERVER: Final[_ServerTable] = {
    (TRYING, PROVISIONAL): (PROCEEDING, (_answer,)),
    (TRYING, SUCCESS): (COMPLETED, (_answer, _absorb)),
    (TRYING, FAILURE): (COMPLETED, (_answer, _absorb)),
    (PROCEEDING, REPEAT): (PROCEEDING, (_answer,)),
    (PROCEEDING, PROVISIONAL): (PROCEEDING, (_answer,)),
    (PROCEEDING, SUCCESS): (COMPLETED, (_answer, _absorb)),
    (PROCEEDING, FAILURE): (COMPLETED, (_answer, _absorb)),
    (COMPLETED, REPEAT): (COMPLETED, (_answer,)),
    (COMPLETED, LINGER): (TERMINATED, (_forget,)),
}

ServerKey = tuple[str, ...]


def server_key(request: Request, method: str) -> ServerKey:
    """What a request and its repeats, and the ACK or CANCEL of an INVITE, have in common (RFC 3261, 17.2.3).

    `method` is that of the transaction looked for. A branch without the magic cookie is an RFC 2543 peer's, and says little.
    """
    via = request.via
    sent_by = f"{via.host}:{via.port or ''}"
    if via.branch.startswith(MAGIC_COOKIE):
        return (via.branch, sent_by, method)
    return (via.branch, sent_by, method, request.call_id, request.from_tag, str(request.cseq))


def merge_key(request: Request) -> ServerKey:
    """What one request that came by two ways has in common (RFC 3261, 8.2.2.2)."""
    return (request.call_id, request.from_tag, str(request.cseq), request.method)


def reply_address(via: Via, source: Address) -> Address:
    """Where the answer goes: to the source, at the port it came from where rport was asked for (RFC 3261, 18.2.2; RFC 3581).

    Never to a host that only the message names, so that nobody can be made to receive what he did not ask for.
    """
    if "rport" in via.parameters or source.transport != "udp":
        return source
    return Address(source.host, via.port or 5060, source.transport)


class TransactionLayer:
    """All transactions of one user agent, their timers, and the datagrams that wait to be sent."""

    __slots__ = ("_clients", "_merges", "_servers", "outbox", "timers")

    def __init__(self) -> None:
        self.timers = Timers()
        self.outbox: list[tuple[bytes, Address]] = []
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[ServerKey, ServerTransaction] = {}
        self._merges: dict[ServerKey, ServerTransaction] = {}

    def send(self, wire: bytes, address: Address) -> None:
        """Put one datagram among what is to be sent."""
        self.outbox.append((wire, address))

    def request(self, request: Request, address: Address, owner: ClientOwner, now: float) -> ClientTransaction:
        """Send a request in a transaction of its own."""
        client = ClientTransaction(self, request, address, owner)
        self._clients[client.key] = client
        client.start(now)
        return client

    def take_up(self, invite: Request, address: Address, owner: ClientOwner) -> ClientTransaction:
        """The transaction of an INVITE that another process sent, in PROCEEDING: it is not sent again, its answers are heard."""
        client = ClientTransaction(self, invite, address, owner)
        client.state = PROCEEDING
        self._clients[client.key] = client
        return client

    def undeliverable(self, address: Address, now: float, why: str = "") -> None:
        """Nothing can be sent to an address; `why` in words."""
        for client in [client for client in self._clients.values() if client.address == address]:
            client.undeliverable(now, why)

    def disconnected(self, address: Address, now: float) -> None:
        """A connection to an address broke that had worked."""
        for client in [client for client in self._clients.values() if client.address == address]:
            client.disconnected(now)

    def find_client(self, response: Response) -> ClientTransaction | None:
        """Whose answer this is (RFC 3261, 17.1.3)."""
        return self._clients.get((response.via.branch, response.cseq_method))

    def find_server(self, request: Request, method: str | None = None) -> ServerTransaction | None:
        """The transaction of this very request, or the INVITE that an ACK or CANCEL is about: then `method` is "INVITE"."""
        return self._servers.get(server_key(request, method or request.method))

    def is_merged(self, request: Request) -> bool:
        """Whether this request, on whose transaction nothing is known, came by another way already (RFC 3261, 8.2.2.2)."""
        return merge_key(request) in self._merges

    @property
    def servers_open(self) -> int:
        """How many server transactions there are."""
        return len(self._servers)

    def serve(self, request: Request, source: Address) -> ServerTransaction:
        """Open a transaction for a request that came in."""
        server = ServerTransaction(self, request, source, server_key(request, request.method))
        self._servers[server.key] = server
        self._merges[server.merge_key] = server
        return server

    def forget_client(self, client: ClientTransaction) -> None:
        """A transaction has ended."""
        self._clients.pop(client.key, None)

    def forget_server(self, server: ServerTransaction) -> None:
        """A transaction has ended."""
        self._servers.pop(server.key, None)
        if self._merges.get(server.merge_key) is server:
            del self._merges[server.merge_key]

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)
