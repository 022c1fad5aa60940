"""A carrier on a real socket, in a thread: every number rings at once and answers; BYE and CANCEL are obeyed and counted.

Here over UDP; stream_phone.py has it over TCP and TLS.
"""

import socket
import threading
from collections.abc import Callable

from webcb.sip.events import Address
from webcb.sip.grammar import print_host_port
from webcb.sip.message import Request, Response, read_message
from webcb.sip.offer_answer import Codec, make_answer
from webcb.sip.stack import note_source

PCMU = Codec("PCMU", 0, 8000)

Send = Callable[[Response], object]


class Phone:
    """`methods` is what was heard, `requests` as it came; `wait` for it. `answers` False: it rings until it is cancelled."""

    transport = "udp"
    port = 0

    def __init__(self, host: str) -> None:
        self.host = host
        self.answers = True
        self.methods: list[str] = []
        self.requests: list[Request] = []
        self._heard = threading.Condition()
        self._invite: Request | None = None

    def wait(self, method: str, count: int, seconds_max: float = 15) -> None:
        """Until so many requests of a method have come."""
        with self._heard:
            assert self._heard.wait_for(lambda: self.methods.count(method) >= count, seconds_max), self.methods

    def take(self, request: Request, send: Send) -> None:
        """A request came; `send` takes the answers to it."""
        if request.method == "INVITE":
            self._invite = request
            send(self._response(request, 180))
            if self.answers:
                send(self._response(request, 200, make_answer(request.body, self.host, 9, (PCMU,), 7, 1)))
        elif request.method != "ACK":
            send(self._response(request, 200))
            if request.method == "CANCEL" and self._invite is not None:
                send(self._response(self._invite, 487))
        with self._heard:
            self.methods.append(request.method)
            self.requests.append(request)
            self._heard.notify_all()

    def _response(self, request: Request, status: int, sdp: bytes = b"") -> Response:
        fields = {name: request.fields[name] for name in ("Via", "From", "Call-ID", "CSeq")}
        to = request.first("To")
        fields["To"] = [to if "tag=" in to else f"{to};tag=phone"]
        over = f";transport={self.transport}" if self.transport != "udp" else ""
        fields["Contact"] = [f"<sip:phone@{print_host_port(self.host, self.port)}{over}>"]
        if sdp:
            fields["Content-Type"] = ["application/sdp"]
        return Response(status, "As it is", fields, sdp)


class UdpPhone(Phone):
    """The carrier over UDP."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.port = self._socket.getsockname()[1]
        self._ended = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended = True
        self._socket.sendto(b"", (self.host, self.port))
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._ended:
            data, source = self._socket.recvfrom(65_535)
            if data:
                message = read_message(data)
                if isinstance(message, Request):
                    note_source(message, Address(*source[:2]))
                    self.take(message, lambda response, to=source: self._socket.sendto(response.encode(), to))
